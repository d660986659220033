//! The collector: precise mark and sweep, cells do not move.
//!
//! Marks lie in a bitmap on the host's side (one bit a granule: 1/128 of the heap, kept for the thread and used again), and so
//! does a mark stack of at most 1/32; when that overflows, the bitmap itself is walked for marked cells whose children are not, eight
//! times at most, as each time what overflowed was a sixteenth of the granules. Charged by bytes marked and swept. Nothing here
//! trusts a word of the heap: every offset is checked against the heap's end, every loop is bounded by its size, and marking ends
//! when cells turn out to overlap.

use std::cell::RefCell;

use super::memory::SHARED;
use super::{Heap, Kind, REALM};
use crate::bytecode::{CACHE_WORDS, Op};
use crate::value::Value;
use crate::vm::{REALM_END, Realm, code, function, unit};

/// Entries of the mark stack in a small heap; in a large one it may have one for every eighth granule.
const STACK: usize = 1 << 14;

#[derive(Default)]
struct Scratch {
    bits: Vec<u64>,
    stack: Vec<u32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

struct Marker<'h, 'a> {
    heap: &'h mut Heap<'a>,
    bits: Vec<u64>,
    stack: Vec<u32>,
    /// The most entries that it may have.
    most: usize,
    overflow: bool,
    marked: u64,
    /// Bytes looked at since the marked cells were last walked from the start.
    seen: u64,
    /// Cells overlap: the heap is not what the engine wrote.
    damaged: bool,
    /// Weak collections met, and weak references if they count as such now.
    weak: Vec<u32>,
    /// Weak references may lose their targets.
    clear: bool,
}

/// What stands in a table where a cell was that has died. No cell lies there.
pub(super) const GONE: u32 = 1;

/// How often weak maps are walked for values that a key keeps alive; then the rest is kept until another collection.
const ROUNDS: u32 = 8;

impl Marker<'_, '_> {
    /// Marks a cell and queues it.
    fn cell(&mut self, offset: u32) {
        if offset & SHARED != 0 || offset < REALM_END || offset >= self.heap.top || offset & 15 != 0 {
            return;
        }
        let granule = offset as usize >> 4;
        let (word, bit) = (granule >> 6, 1u64 << (granule & 63));
        let Some(place) = self.bits.get_mut(word) else { return };
        if *place & bit != 0 {
            return;
        }
        *place |= bit;
        if self.stack.len() < self.most {
            self.stack.push(offset);
        } else {
            self.overflow = true;
        }
    }

    /// Marks a cell and not what it refers to.
    fn shallow(&mut self, offset: u32) {
        let length = self.stack.len();
        self.cell(offset);
        self.stack.truncate(length);
    }

    fn is_live(&self, value: Value) -> bool {
        !value.is_cell() || Heap::is_marked(&self.bits, value.payload())
    }

    /// The entries of weak map (or set) `cell`: address of the first, and how many.
    fn entries(&self, cell: u32) -> (u32, u32) {
        let table = self.heap.value(cell + 16).payload();
        if !self.heap.is(table, Kind::Hash) {
            return (table, 0);
        }
        let size = self.heap.size(table).min(self.heap.top.saturating_sub(table));
        let capacity = self.heap.high(table).min(size / 28);
        (table + 24, self.heap.mem.load_u32(table + 8).min(capacity))
    }

    /// Marks the values of weak maps whose keys live; then takes away what has died.
    fn settle(&mut self) {
        for round in 0..=ROUNDS {
            let before = self.marked;
            let (mut scanned, mut done) = (0, Vec::new());
            self.seen = 0;
            // Marking finds more of them, and, when its stack overflows, the same again.
            loop {
                let mut found = std::mem::take(&mut self.weak);
                found.sort_unstable();
                found.dedup();
                found.retain(|cell| done.binary_search(cell).is_err());
                if found.is_empty() {
                    break;
                }
                for &cell in &found {
                    if self.heap.is(cell, Kind::WeakMap) {
                        scanned += self.map(cell, round == ROUNDS);
                    }
                }
                done.extend(found);
                done.sort_unstable();
            }
            self.weak = done;
            let grown = self.marked != before;
            self.marked += scanned;
            if self.damaged {
                return;
            }
            if !grown {
                break;
            }
        }
        for cell in std::mem::take(&mut self.weak) {
            if self.heap.is(cell, Kind::WeakRef) {
                if !self.is_live(self.heap.value(cell + 16)) {
                    self.heap.set_value(cell + 16, Value::UNDEFINED);
                }
                continue;
            }
            let (first, count) = self.entries(cell);
            let table = first - 24;
            for entry in (0..count).map(|n| first + n * 24) {
                if !self.is_live(self.heap.value(entry)) {
                    self.heap.set_value(entry, Value::HOLE);
                    self.heap.set_value(entry + 8, Value::UNDEFINED);
                    self.heap.mem.store_u32(table + 12, self.heap.mem.load_u32(table + 12).saturating_sub(1));
                }
            }
        }
    }

    /// Marks the values of a weak map whose keys live, or all; the bytes of its entries.
    fn map(&mut self, cell: u32, all: bool) -> u64 {
        let (first, count) = self.entries(cell);
        if !self.look_at(count * 24) {
            return 0;
        }
        for entry in (0..count).map(|n| first + n * 24) {
            if all || self.is_live(self.heap.value(entry)) {
                self.value(self.heap.value(entry + 8));
            }
        }
        self.drain();
        u64::from(count) * 24
    }

    fn value(&mut self, value: Value) {
        if value.is_cell() {
            self.cell(value.payload());
        }
    }

    fn values(&mut self, start: u32, count: u32) {
        for i in 0..count {
            self.value(self.heap.value(start.wrapping_add(i * 8)));
        }
    }

    fn field(&mut self, at: u32) {
        let offset = self.heap.mem.load_u32(at);
        if offset != 0 {
            self.cell(offset);
        }
    }

    /// Counts bytes that are looked at. A walk comes by a cell twice at most: no, if it has seen more than that.
    fn look_at(&mut self, bytes: u32) -> bool {
        self.seen += u64::from(bytes);
        self.damaged |= self.seen > u64::from(self.heap.top) * 2 + 4096;
        !self.damaged
    }

    /// Marks what a cell refers to.
    fn children(&mut self, cell: u32) {
        let kind = self.heap.kind(cell);
        let size = self.heap.size(cell).min(self.heap.top.saturating_sub(cell));
        self.marked += u64::from(size);
        if !self.look_at(size) {
            return;
        }
        match kind {
            Kind::Rope => {
                self.field(cell + 8);
                self.field(cell + 12);
            }
            Kind::Slice => self.field(cell + 8),
            Kind::String8 | Kind::String16 | Kind::Symbol => self.field(cell + 12),
            Kind::Box => self.values(cell + 8, 1),
            Kind::Accessor => self.values(cell + 8, 2),
            Kind::Slots | Kind::Elements => {
                let count = self.heap.high(cell).min(size / 8);
                self.values(cell + 8, count);
            }
            Kind::Sparse => {
                let count = self.heap.mem.load_u32(cell + 8).min(size / 16);
                for i in 0..count {
                    self.values(cell + 24 + i * 16, 1);
                }
            }
            Kind::Shape => {
                self.field(cell + 4);
                self.field(cell + 8);
                self.field(cell + 12);
                self.field(cell + 24);
            }
            Kind::Table => {
                let count = self.heap.mem.load_u32(cell + 8).min(size / 16);
                for i in 0..count {
                    self.field(cell + 16 + i * 8);
                }
            }
            Kind::Code => {
                for at in [
                    code::NAME,
                    code::UNIT,
                    code::CONSTANTS,
                    code::HANDLERS,
                    code::POSITIONS,
                    code::CAPTURES,
                    code::NEW_PROTOTYPE,
                    code::NEW_SHAPE,
                    code::NEW_OWN_SHAPE,
                ] {
                    self.field(cell + at);
                }
            }
            Kind::Unit => {
                for at in [unit::WORDS, unit::SOURCE, unit::FILE, unit::FUNCTIONS, unit::MODULE] {
                    self.field(cell + at);
                }
            }
            Kind::Hash => self.hash(cell, size),
            Kind::Node => self.values(cell + 8, (size / 8).saturating_sub(1)),
            kind if kind.is_object() => self.object(cell, kind, size),
            _ => {}
        }
    }

    fn hash(&mut self, cell: u32, size: u32) {
        let capacity = self.heap.high(cell).min(size / 28);
        let used = self.heap.mem.load_u32(cell + 8).min(capacity);
        self.field(cell + 16);
        // Entries of three words: key, value, link and hash.
        for i in 0..used {
            self.values(cell + 24 + i * 24, 2);
        }
    }

    fn object(&mut self, cell: u32, kind: Kind, size: u32) {
        self.field(cell + 4);
        self.field(cell + 8);
        self.field(cell + 12);
        let fields = kind.fields();
        match kind {
            Kind::Function => {
                self.field(cell + function::CODE);
                self.field(cell + function::HOME);
                self.field(cell + function::FIELDS);
                self.values(cell + function::CAPTURES, (size.saturating_sub(function::CAPTURES)) / 8);
                return;
            }
            Kind::Array | Kind::NativeFunction => {}
            Kind::Generator => {
                self.field(cell + 16);
                self.values(cell + 32, 3);
            }
            Kind::TypedArray => {
                self.values(cell + 16, 1);
            }
            Kind::WeakMap | Kind::WeakSet => {
                // The table itself lives, what it holds is seen to when everything else is marked.
                self.shallow(self.heap.value(cell + 16).payload());
                self.weak.push(cell);
            }
            Kind::HostObject => {
                // Twice the number of what it asks for, and one more once its names are known.
                let number = self.heap.value(cell + 16).as_int().map_or(usize::MAX, |n| (n >> 1) as usize);
                if let Some(word) = self.heap.hosts.get_mut(number >> 6) {
                    *word |= 1 << (number & 63);
                }
            }
            Kind::WeakRef if self.clear => self.weak.push(cell),
            Kind::WeakRef | Kind::Map | Kind::Set => self.values(cell + 16, 1),
            _ => self.values(cell + 16, fields / 8),
        }
        let inline = cell + 16 + fields;
        self.values(inline, (size.saturating_sub(16 + fields)) / 8);
    }

    fn drain(&mut self) {
        loop {
            while let Some(cell) = self.stack.pop() {
                self.children(cell);
            }
            if !self.overflow {
                return;
            }
            (self.overflow, self.seen) = (false, 0);
            // Walk every marked cell again; those with unmarked children queue them.
            for word in 0..self.bits.len() {
                let mut bits = self.bits[word];
                while bits != 0 {
                    let bit = bits.trailing_zeros();
                    bits &= bits - 1;
                    self.children(((word as u32) << 6 | bit) << 4);
                    while let Some(cell) = self.stack.pop() {
                        self.children(cell);
                    }
                }
            }
        }
    }
}

impl<'a> Heap<'a> {
    fn is_marked(bits: &[u64], offset: u32) -> bool {
        if offset & SHARED != 0 {
            return true;
        }
        let granule = offset as usize >> 4;
        bits.get(granule >> 6).is_some_and(|word| word & 1 << (granule & 63) != 0)
    }

    /// Collects; false if the heap is damaged. `frames`: the stack's values from..to; words of frames that are no values are skipped by
    /// their tags. `first`: where cells begin.
    pub(crate) fn collect(&mut self, first: u32, frames: (u32, u32)) -> bool {
        let (mut bits, mut stack) =
            SCRATCH.with_borrow_mut(|scratch| (std::mem::take(&mut scratch.bits), std::mem::take(&mut scratch.stack)));
        bits.clear();
        bits.resize((self.top as usize >> 10) + 1, 0);
        stack.clear();
        stack.reserve(STACK);
        let clear = std::mem::take(&mut self.clear_references);
        self.cleared |= clear;
        let most = STACK.max(self.top as usize >> 7);
        let mut marker =
            Marker { heap: self, bits, stack, most, overflow: false, marked: 0, seen: 0, damaged: false, weak: Vec::new(), clear };
        marker.values(REALM, (REALM_END - REALM) / 8);
        // The library's own objects never die: what the shared image says of them is not looked at.
        let mut object = first;
        while object < marker.heap.library_end {
            marker.cell(object);
            object = object.saturating_add(marker.heap.size(object).max(16));
        }
        marker.values(frames.0, frames.1.saturating_sub(frames.0) / 8);
        // The image's own objects stay: what refers to them lies in the shared part, which nobody walks.
        let end = marker.heap.mem.load_u32(SHARED | 28).min(marker.heap.top);
        let mut cell = first;
        while cell < end {
            marker.cell(cell);
            cell = cell.saturating_add(marker.heap.size(cell).max(16));
        }
        let (atoms, transitions) = (marker.heap.atoms, marker.heap.transitions);
        for table in [atoms, transitions] {
            if table != 0 {
                marker.cell(table);
            }
        }
        marker.drain();
        marker.settle();
        let Marker { bits, mut stack, marked, damaged, .. } = marker;
        stack.shrink_to(STACK * 4);
        if !damaged {
            if self.purge_tables(&bits) {
                self.forget_shapes(&bits);
            }
            self.sweep(&bits, first);
        }
        self.debt += marked / 64 + u64::from(self.top - first) / 256;
        self.live = marked as u32;
        SCRATCH.with_borrow_mut(|scratch| *scratch = Scratch { bits, stack });
        !damaged
    }

    /// Drops dead names and dead shapes from their tables, which do not keep them alive. Have shapes died?
    fn purge_tables(&mut self, bits: &[u64]) -> bool {
        if self.atoms != 0 {
            (self.atom_count, _) = self.purge_table(self.atoms, bits, |heap, atom| heap.mem.load_u32(atom + 8));
        }
        let mut died = false;
        if self.transitions != 0 {
            (self.transition_count, died) = self.purge_table(self.transitions, bits, Self::hash_of_shape);
        }
        died
    }

    /// Takes the dead out of a table of cells and puts the others where they are found at once; how many places are taken then, and
    /// whether any were dead. Where many collide, on purpose or because the heap is corrupted, that would take long: the dead leave a mark instead.
    fn purge_table(&mut self, table: u32, bits: &[u64], hash: impl Fn(&Self, u32) -> u32) -> (u32, bool) {
        let capacity = self.high(table).min(self.top) / 4;
        if !capacity.is_power_of_two() {
            self.mem.fill(table + 8, self.high(table).div_ceil(8), 0);
            return (0, true);
        }
        let place = |i: u32| table + 8 + i * 4;
        let lives = |cell: u32| cell > GONE && Self::is_marked(bits, cell);
        let mut places = vec![0u32; capacity as usize];
        let mut patience = u64::from(capacity) * 64 + 1024;
        let (mut count, mut died) = (0, false);
        for i in 0..capacity {
            let cell = self.mem.load_u32(place(i));
            if !lives(cell) {
                died |= cell > GONE;
                continue;
            }
            let mut at = hash(self, cell) & (capacity - 1);
            while places[at as usize] != 0 && patience > 0 {
                at = (at + 1) & (capacity - 1);
                patience -= 1;
            }
            if patience == 0 {
                break;
            }
            places[at as usize] = cell;
            count += 1;
        }
        if patience > 0 {
            (0..capacity).zip(places).for_each(|(i, cell)| self.mem.store_u32(place(i), cell));
            return (count, died);
        }
        let mut taken = 0;
        for i in 0..capacity {
            let cell = self.mem.load_u32(place(i));
            taken += u32::from(cell != 0);
            if cell != 0 && !lives(cell) {
                self.mem.store_u32(place(i), GONE);
            }
        }
        (taken, true)
    }

    /// Empties the inline caches that know a dead shape: another one may come to lie in its place.
    fn forget_shapes(&mut self, bits: &[u64]) {
        let table = self.mem.load_u32(REALM + Realm::LIBRARY_CACHE as u32 * 8);
        if table != 0 && self.is(table, Kind::Raw) {
            self.mem.fill(table + 8, self.high(table) / 8, 0);
        }
        let dead = |shape: u32| shape >= REALM_END && !Self::is_marked(bits, shape);
        for (word, &set) in bits.iter().enumerate() {
            let mut rest = set;
            while rest != 0 {
                let cell = ((word as u32) << 6 | rest.trailing_zeros()) << 4;
                rest &= rest - 1;
                if !self.is(cell, Kind::Unit) {
                    continue;
                }
                let words = self.mem.load_u32(cell + unit::WORDS);
                let end = words.saturating_add(8).saturating_add(self.high(words)).min(self.top);
                let mut at = words.saturating_add(8);
                self.debt += u64::from(end.saturating_sub(at) / 256);
                while at < end {
                    let Some(op) = Op::from_byte(self.mem.load_u8(at)) else { break };
                    let row = op.row();
                    if row.words() == 2 + CACHE_WORDS && (dead(self.mem.load_u32(at + 8)) || dead(self.mem.load_u32(at + 12))) {
                        self.mem.store_u64(at + 8, 0);
                    }
                    at += row.words() as u32 * 4;
                }
            }
        }
    }

    /// Chains the gaps between marked cells into runs, in order of address.
    fn sweep(&mut self, bits: &[u64], first: u32) {
        let mut end = first;
        let mut last = 0u32;
        self.runs = 0;
        let gap = |heap: &mut Self, from: u32, to: u32, last: &mut u32| {
            // Cells must look free to whoever follows a stale offset.
            heap.mem.store_u64(from, 0);
            heap.mem.store_u32(from + 8, to - from);
            heap.mem.store_u32(from + 12, 0);
            if *last == 0 {
                heap.runs = from;
            } else {
                heap.mem.store_u32(*last + 12, from);
            }
            *last = from;
        };
        for (word, &set) in bits.iter().enumerate() {
            let mut rest = set;
            while rest != 0 {
                let bit = rest.trailing_zeros();
                rest &= rest - 1;
                let cell = ((word as u32) << 6 | bit) << 4;
                if cell < end {
                    // Only in a corrupted heap.
                    continue;
                }
                if cell > end {
                    gap(self, end, cell, &mut last);
                }
                end = cell.saturating_add(self.size(cell).max(16)).min(self.top);
            }
        }
        // The heap ends behind the last live cell.
        self.top = end.max(first);
        self.cursor = self.top;
        self.limit = self.top;
        if self.runs != 0 {
            let run = self.runs;
            self.cursor = run;
            self.limit = run + self.mem.load_u32(run + 8);
            self.runs = self.mem.load_u32(run + 12);
        }
    }

    /// After a collection: would `bytes` fit?
    pub(crate) fn has_room(&self, bytes: u32) -> bool {
        u64::from(self.top) + u64::from(bytes) <= u64::from(self.threshold)
            || self.limit.saturating_sub(self.cursor) >= bytes.saturating_add(16)
    }

    /// Sets when to collect next; false if the cap leaves no room for `bytes`.
    pub(crate) fn raise_threshold(&mut self, bytes: u32) -> bool {
        let wanted = u64::from(self.top) + u64::from(self.live.max(super::NURSERY)) + u64::from(bytes);
        self.threshold = wanted.min(u64::from(self.cap)) as u32;
        u64::from(self.top) + u64::from(bytes.saturating_add(15) & !15) <= u64::from(self.threshold)
    }
}
