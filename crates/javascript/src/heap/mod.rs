//! The heap: cells in guest memory, 16-byte granules, a uniform header.
//!
//! A cell begins with one word: kind (8 bits), flags (8), size in granules (16; `0xffff`: large, the
//! size follows from the kind and the high half), and in the high half what the kind says: an object's
//! shape, a string's length, a capacity. Offset 0 holds an eternal null cell of zeros, so "no slots"
//! and "no elements" need no test: they have capacity 0.
//!
//! Allocation never collects. It takes from the current free run; when runs and room are used up, or
//! enough was allocated since the last collection, it answers [`Signal::Collect`], and the interpreter
//! collects at the instruction and runs it again. So nothing native ever sees a cell vanish, on one
//! condition: **whatever may allocate does so before its first visible effect.**

#[allow(dead_code, reason = "a layout is written down whole")]
pub(crate) mod atoms;
pub(crate) mod bigint;
pub(crate) mod collect;
pub(crate) mod fault;
pub(crate) mod memory;
pub(crate) mod object;
pub(crate) mod shape;
pub(crate) mod string;
pub(crate) mod table;

use crate::value::Value;
use ::memory::{SharedImage, Slot};
use memory::{Memory, SHARED};

/// Why the engine left the straight path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// An exception.
    Throw(Value),
    /// Room is needed: collect, then run the instruction again.
    Collect(u32),
    /// The run ends here; the instruction runs again when it is resumed.
    Stop(Pause),
    /// An exception at the place that `pc` of the machine says.
    ThrowAt(Value),
    /// A frame was pushed; its return delivers the result.
    Called,
}

/// Why a run paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    Fuel,
    Memory,
    Output,
    /// A call of the host waits: its reply comes, and the instruction runs again.
    Host,
    Internal,
}

pub(crate) type Result<T> = std::result::Result<T, Signal>;

/// Kinds of cells. Objects come first (see [`Kind::is_object`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Kind {
    Free = 0,
    Object,
    Array,
    Function,
    NativeFunction,
    BoundFunction,
    Error,
    Wrapper,
    Date,
    Pattern,
    Map,
    Set,
    WeakMap,
    WeakSet,
    WeakRef,
    Promise,
    Generator,
    Arguments,
    Proxy,
    ArrayBuffer,
    TypedArray,
    DataView,
    Namespace,
    Iterator,
    HostObject,
    FinalizationRegistry,
    String8,
    String16,
    Rope,
    Slice,
    Symbol,
    BigInt,
    Box,
    Slots,
    Elements,
    Sparse,
    Shape,
    Table,
    Code,
    Unit,
    Accessor,
    Hash,
    Raw,
    Stack,
    Node,
}

const KINDS: &[Kind] = &[
    Kind::Free,
    Kind::Object,
    Kind::Array,
    Kind::Function,
    Kind::NativeFunction,
    Kind::BoundFunction,
    Kind::Error,
    Kind::Wrapper,
    Kind::Date,
    Kind::Pattern,
    Kind::Map,
    Kind::Set,
    Kind::WeakMap,
    Kind::WeakSet,
    Kind::WeakRef,
    Kind::Promise,
    Kind::Generator,
    Kind::Arguments,
    Kind::Proxy,
    Kind::ArrayBuffer,
    Kind::TypedArray,
    Kind::DataView,
    Kind::Namespace,
    Kind::Iterator,
    Kind::HostObject,
    Kind::FinalizationRegistry,
    Kind::String8,
    Kind::String16,
    Kind::Rope,
    Kind::Slice,
    Kind::Symbol,
    Kind::BigInt,
    Kind::Box,
    Kind::Slots,
    Kind::Elements,
    Kind::Sparse,
    Kind::Shape,
    Kind::Table,
    Kind::Code,
    Kind::Unit,
    Kind::Accessor,
    Kind::Hash,
    Kind::Raw,
    Kind::Stack,
    Kind::Node,
];

impl Kind {
    pub(crate) fn from_byte(byte: u8) -> Kind {
        KINDS.get(usize::from(byte)).copied().unwrap_or(Kind::Free)
    }

    pub(crate) fn is_object(self) -> bool {
        self >= Kind::Object && self <= Kind::FinalizationRegistry
    }

    /// Bytes between an object's header (16) and its inline properties: the kind's own fields.
    pub(crate) const fn fields(self) -> u32 {
        match self {
            Kind::Object => 0,
            Kind::Array | Kind::Wrapper | Kind::Date | Kind::Error | Kind::WeakRef | Kind::HostObject => 8,
            Kind::NativeFunction | Kind::Map | Kind::Set | Kind::WeakMap | Kind::WeakSet | Kind::Namespace => 8,
            Kind::FinalizationRegistry | Kind::Arguments => 8,
            Kind::Function => 16,
            Kind::Proxy | Kind::DataView | Kind::ArrayBuffer | Kind::Pattern => 24,
            Kind::BoundFunction | Kind::TypedArray | Kind::Iterator => 32,
            Kind::Promise | Kind::Generator => 40,
            _ => 0,
        }
    }
}

/// Flags of any cell (second byte of the header).
pub(crate) mod flag {
    /// String: interned. Object: not extensible.
    pub(crate) const ATOM: u8 = 1;
    pub(crate) const NOT_EXTENSIBLE: u8 = 1;
    /// Symbol: a private name.
    pub(crate) const PRIVATE: u8 = 2;
    /// Symbol: made by Symbol.for.
    pub(crate) const REGISTERED: u8 = 4;
    /// Object: is the prototype of some shape; changing it invalidates caches.
    pub(crate) const PROTOTYPE: u8 = 2;
    /// Function: `length`, `name`, `prototype` not made yet.
    pub(crate) const LAZY: u8 = 4;
    /// Object: can be called. Function: a class constructor too.
    pub(crate) const CALLABLE: u8 = 8;
    /// Object: can be constructed.
    pub(crate) const CONSTRUCTOR: u8 = 16;
    /// Object: property access goes through library code (proxy, typed array, string wrapper, mapped arguments, namespace).
    pub(crate) const EXOTIC: u8 = 32;
    /// Array: `length` is not writable.
    pub(crate) const LENGTH_FIXED: u8 = 64;
    /// Object: was lent to another cell, and crosses the hatch by reference.
    pub(crate) const LENT: u8 = 128;
    /// BigInt: negative.
    pub(crate) const NEGATIVE: u8 = 1;
}

/// Bytes that are allocated between two collections at least: little enough to stay in a core's cache.
pub(crate) const NURSERY: u32 = 256 << 10;

/// What a native may always hold on the host: a quarter of the least cap.
const LITTLE: usize = 4 << 10;

/// Size of the null cell, the register save area and the realm's slots.
pub(crate) const REALM: u32 = 64;

/// Heap bookkeeping. Offsets and sizes only; the bytes are the cell's.
pub(crate) struct Heap<'a> {
    slot: &'a Slot,
    image: &'a SharedImage,
    pub(crate) mem: Memory<'a>,
    /// Bump allocation between these.
    pub(crate) cursor: u32,
    pub(crate) limit: u32,
    /// First free run after the current one (0: none): {size, next} at its start.
    pub(crate) runs: u32,
    /// End of the heap so far.
    pub(crate) top: u32,
    /// Bytes the heap may reach.
    pub(crate) cap: u32,
    /// Heap end at which to collect next.
    pub(crate) threshold: u32,
    /// Interned strings: a Raw cell of u32 (open addressing), and how many are used.
    pub(crate) atoms: u32,
    pub(crate) atom_count: u32,
    /// Shape transitions, likewise.
    pub(crate) transitions: u32,
    pub(crate) transition_count: u32,
    /// Changes when a prototype changes in a way that caches must notice.
    pub(crate) epoch: u32,
    /// Building the shared image: where it goes on (0: not building).
    pub(crate) shared_cursor: u32,
    /// Work done natively and not charged yet, in fuel units.
    pub(crate) debt: u64,
    /// Of it, by the running instruction: for work that is not done again when the instruction runs again.
    pub(crate) lasting: u64,
    /// Bytes found alive by the last collection.
    pub(crate) live: u32,
    /// Where the library's objects end.
    pub(crate) library_end: u32,
    /// How often the instruction that asked for room has run again for it.
    pub(crate) tries: u32,
    /// The next collection is between two turns of the guest: weak references may lose their targets.
    pub(crate) clear_references: bool,
    /// Such a collection was made, and nobody has asked since.
    pub(crate) cleared: bool,
    /// Which numbers of host objects the last collection met: a bit each, as many as are in use.
    pub(crate) hosts: Vec<u64>,
}

impl<'a> Heap<'a> {
    /// A heap over zeroed memory whose first `start` bytes are taken.
    pub(crate) fn new(slot: &'a Slot, image: &'a SharedImage, building: bool, start: u32, cap: u32) -> Self {
        Heap {
            slot,
            image,
            mem: Memory::new(slot, image, building),
            cursor: start,
            limit: start,
            runs: 0,
            top: start,
            cap: cap.min(slot.capacity()),
            threshold: cap.min(slot.capacity()).min(NURSERY),
            atoms: 0,
            atom_count: 0,
            transitions: 0,
            transition_count: 0,
            epoch: 1,
            shared_cursor: 0,
            debt: 0,
            lasting: 0,
            live: 0,
            library_end: 0,
            tries: 0,
            clear_references: false,
            cleared: false,
            hosts: Vec::new(),
        }
    }

    /// A new cell of `bytes` (header included), its header written, the rest as it was.
    #[inline(always)]
    pub(crate) fn allocate(&mut self, kind: Kind, bytes: u32, high: u32) -> Result<u32> {
        let size = (bytes + 15) & !15;
        let at = self.cursor;
        let end = at + size;
        if end <= self.limit && !self.counts() && size < 0xffff * 16 {
            self.cursor = end;
            self.mem.set_own_u64(at, u64::from(high) << 32 | u64::from(size >> 4) << 16 | kind as u64);
            return Ok(at);
        }
        self.allocate_slow(kind, u64::from(bytes), high)
    }

    /// Bytes that an allocation can take without a search or a charge.
    #[inline(always)]
    pub(crate) fn room(&self) -> u32 {
        if self.counts() { 0 } else { self.limit.wrapping_sub(self.cursor) }
    }

    /// The same for sizes that may pass 32 bits.
    #[cold]
    #[inline(never)]
    pub(crate) fn allocate_slow(&mut self, kind: Kind, bytes: u64, high: u32) -> Result<u32> {
        if bytes > u64::from(SHARED) - 64 {
            return Err(Signal::Collect(u32::MAX));
        }
        self.may_fail(bytes)?;
        let size = (bytes as u32 + 15) & !15;
        let granules = (size >> 4).min(0xffff);
        let at = if self.shared_cursor != 0 {
            // Building: no fast path, so that every cell goes where its kind belongs.
            if kind_is_shared(kind) {
                let at = self.shared_cursor;
                self.shared_cursor += size;
                self.reach((self.shared_cursor & !SHARED) + memory::BUILDING_ZONE)?;
                at
            } else {
                let at = self.cursor;
                self.cursor += size;
                self.limit = self.cursor;
                self.top = self.top.max(self.cursor);
                at
            }
        } else {
            self.take(size)?
        };
        self.mem.store_u64(at, u64::from(high) << 32 | u64::from(granules) << 16 | kind as u64);
        Ok(at)
    }

    /// Room for `size` bytes from the runs or the heap's end.
    fn take(&mut self, size: u32) -> Result<u32> {
        loop {
            if size <= self.limit - self.cursor {
                let at = self.cursor;
                self.cursor += size;
                return Ok(at);
            }
            self.debt += 1;
            // The rest of the current run is given up until the next collection, unless it is the heap's end.
            if self.limit == self.top {
                let wanted = u64::from(self.cursor) + u64::from(size);
                if wanted <= u64::from(self.threshold) {
                    // Small cells grow in small steps: each doubling is memory to clear for the slot's next user.
                    let least = (self.top / 8).clamp(1 << 10, 16 << 10);
                    let step = (self.cursor.saturating_add(size.max(least)).saturating_add(4095) & !4095).min(self.threshold);
                    let top = step.max(wanted as u32);
                    self.reach(top)?;
                    self.top = top;
                    self.limit = top;
                    continue;
                }
                return Err(Signal::Collect(size));
            }
            if size > 4096 {
                // Large cells go to the end: runs are for small ones.
                let wanted = u64::from(self.top) + u64::from(size);
                if wanted > u64::from(self.threshold) {
                    return self.take_run(size);
                }
                let at = self.top;
                self.reach(wanted as u32)?;
                self.top = wanted as u32;
                return Ok(at);
            }
            if self.runs != 0 {
                self.cursor = self.runs;
                let size = self.mem.load_u32(self.runs + 8);
                self.runs = self.mem.load_u32(self.runs + 12);
                self.limit = self.cursor.saturating_add(size).min(self.top);
                if self.cursor >= self.top {
                    self.cursor = self.top;
                }
            } else {
                self.cursor = self.top;
                self.limit = self.top;
            }
        }
    }

    /// Makes offsets up to `end` reachable.
    fn reach(&mut self, end: u32) -> Result<()> {
        if end > self.mem.extent() {
            self.slot.grow(end as usize).map_err(|_| Signal::Collect(end))?;
            self.mem = Memory::new(self.slot, self.image, self.shared_cursor != 0);
        }
        Ok(())
    }

    /// A large cell from a run further on (first fit).
    fn take_run(&mut self, size: u32) -> Result<u32> {
        let mut previous = 0;
        let mut run = self.runs;
        let mut steps = 0u32;
        while run != 0 && run < self.top && steps < 1 << 20 {
            steps += 1;
            self.debt += 1;
            let room = self.mem.load_u32(run + 8);
            let next = self.mem.load_u32(run + 12);
            if room >= size && run.checked_add(room).is_some_and(|end| end <= self.top) {
                // The tail of the run stays a run; a rest under 16 bytes cannot be (granules).
                let rest = room - size;
                let replacement = if rest >= 16 {
                    self.mem.store_u64(run + size, 0);
                    self.mem.store_u32(run + size + 8, rest);
                    self.mem.store_u32(run + size + 12, next);
                    run + size
                } else {
                    next
                };
                if previous == 0 {
                    self.runs = replacement;
                } else {
                    self.mem.store_u32(previous + 12, replacement);
                }
                return Ok(run);
            }
            previous = run;
            run = next;
        }
        Err(Signal::Collect(size))
    }

    /// Bytes in use up to now, free runs included (what the cap counts).
    pub(crate) fn used(&self) -> u32 {
        self.top
    }

    #[inline(always)]
    pub(crate) fn kind_byte(&self, cell: u32) -> u8 {
        self.mem.load_u8(cell)
    }

    #[inline(always)]
    pub(crate) fn kind(&self, cell: u32) -> Kind {
        Kind::from_byte(self.mem.load_u8(cell))
    }

    #[inline(always)]
    pub(crate) fn is(&self, cell: u32, kind: Kind) -> bool {
        self.mem.load_u8(cell) == kind as u8
    }

    #[inline(always)]
    pub(crate) fn flags(&self, cell: u32) -> u8 {
        self.mem.load_u8(cell + 1)
    }

    pub(crate) fn set_flags(&self, cell: u32, flags: u8) {
        self.mem.store_u8(cell + 1, self.flags(cell) | flags);
    }

    pub(crate) fn clear_flags(&self, cell: u32, flags: u8) {
        self.mem.store_u8(cell + 1, self.flags(cell) & !flags);
    }

    /// The high half of the header.
    #[inline(always)]
    pub(crate) fn high(&self, cell: u32) -> u32 {
        self.mem.load_u32(cell + 4)
    }

    #[inline(always)]
    pub(crate) fn value(&self, offset: u32) -> Value {
        Value(self.mem.load_u64(offset))
    }

    #[inline(always)]
    pub(crate) fn set_value(&self, offset: u32, value: Value) {
        self.mem.store_u64(offset, value.0);
    }

    /// Is the value an object cell of this kind?
    #[inline(always)]
    pub(crate) fn is_kind(&self, value: Value, kind: Kind) -> bool {
        value.is_object_cell() && self.is(value.payload(), kind)
    }

    /// Size of a cell in bytes, whatever its header says at most up to the heap's end.
    pub(crate) fn size(&self, cell: u32) -> u32 {
        let header = self.mem.load_u64(cell);
        let granules = (header >> 16) as u32 & 0xffff;
        if granules != 0xffff {
            return granules * 16;
        }
        let high = header >> 32;
        let bytes = match Kind::from_byte(header as u8) {
            Kind::String8 => 16 + high,
            Kind::String16 => 16 + high * 2,
            Kind::Slots | Kind::Elements | Kind::BigInt => 8 + high * 8,
            Kind::Table => 16 + high * 16,
            Kind::Hash => 24 + high * 28,
            _ => 8 + high,
        };
        u32::try_from((bytes + 15) & !15).unwrap_or(SHARED)
    }

    /// May a native hold this many bytes on the host for a while? They count against the cap like guest memory, save for a quarter of
    /// the cap that is always granted; so the process never grows by much more than the cap.
    #[inline]
    pub(crate) fn scratch(&self, bytes: usize) -> Result<()> {
        if bytes > LITTLE {
            self.may_fail(bytes as u64)?;
        }
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX - 1).min(u32::MAX - 1);
        if bytes <= self.cap / 4 || u64::from(self.used()) + u64::from(bytes) <= u64::from(self.cap) {
            return Ok(());
        }
        Err(Signal::Collect(bytes))
    }

    /// As many things of `bytes` as guest memory could hold: what a corrupted length is cut to before the host makes room for that many.
    #[inline]
    pub(crate) fn most(&self, bytes: u32) -> u32 {
        self.mem.extent().max(1 << 16) / bytes
    }

    /// A cell of `count` values, all the same.
    pub(crate) fn values(&mut self, kind: Kind, count: u32, fill: Value) -> Result<u32> {
        let bytes = 8 + u64::from(count) * 8;
        let cell = if bytes < 0xfff0 { self.allocate(kind, bytes as u32, count)? } else { self.allocate_slow(kind, bytes, count)? };
        self.debt += u64::from(count / 32);
        self.mem.fill(cell + 8, count, fill.0);
        Ok(cell)
    }

    /// A cell of raw bytes, zeroed.
    pub(crate) fn raw(&mut self, bytes: u32) -> Result<u32> {
        let cell = self.allocate_slow(Kind::Raw, 8 + u64::from(bytes), bytes)?;
        self.debt += u64::from(bytes / 256);
        self.mem.fill(cell + 8, bytes.div_ceil(8), 0);
        Ok(cell)
    }

    /// A cell of raw bytes that the caller writes, all of them; a rest of the last word is zero.
    pub(crate) fn raw_unfilled(&mut self, bytes: u32) -> Result<u32> {
        let size = 8 + u64::from(bytes);
        let cell = if size < 0xfff0 { self.allocate(Kind::Raw, size as u32, bytes)? } else { self.allocate_slow(Kind::Raw, size, bytes)? };
        self.debt += u64::from(bytes / 256);
        if bytes > 0 {
            self.mem.store_u64(cell + 8 + ((bytes - 1) & !7), 0);
        }
        Ok(cell)
    }

    /// A box for a captured variable.
    #[inline(always)]
    pub(crate) fn boxed(&mut self, value: Value) -> Result<u32> {
        let cell = self.allocate(Kind::Box, 16, 0)?;
        self.mem.set_own_u64(cell + 8, value.0);
        Ok(cell)
    }
}

/// Kinds that go to the shared image while it is built.
fn kind_is_shared(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::String8
            | Kind::String16
            | Kind::Symbol
            | Kind::Shape
            | Kind::Table
            | Kind::Slots
            | Kind::Code
            | Kind::Unit
            | Kind::Accessor
            | Kind::Raw
            | Kind::BigInt
    )
}
