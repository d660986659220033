//! Shapes: which property lies in which slot.
//!
//! A shape cell (header's high half: prototype object, 0 for null):
//! parent u32, key u32; count u16, attributes u8, inline capacity u8, fields u8 (words before the inline
//! slots), kind u8, u16; table u32, root u32.
//! Shapes form a tree whose edges are found in one transition table of the heap. A shape with flag
//! [`DICTIONARY`] belongs to one object, has its table always, and is changed in place.
//!
//! A table cell (high half: capacity E, a power of two): used u32, live u32; E entries of
//! (key u32, slot << 8 | attributes u32); 2E index words (entry + 1). The table of a tree shape is handed on
//! to the child that extends it: entries from a shape's own count on are not its own.

use super::collect::GONE;
use super::memory::SHARED;
use super::{Heap, Kind, Pause, Result, Signal};

/// Flag of a shape: belongs to one object.
pub(crate) const DICTIONARY: u8 = 1;

/// Attributes of a property.
pub(crate) mod attribute {
    pub(crate) const WRITABLE: u8 = 1;
    pub(crate) const ENUMERABLE: u8 = 2;
    pub(crate) const CONFIGURABLE: u8 = 4;
    /// The slot holds an accessor pair.
    pub(crate) const ACCESSOR: u8 = 8;
    /// What an assignment makes.
    pub(crate) const PLAIN: u8 = 7;
    /// What the library's methods have.
    pub(crate) const HIDDEN: u8 = 5;
}

const SHAPE_BYTES: u32 = 32;
/// Properties from which an object leaves the tree.
const DICTIONARY_FROM: u32 = 128;
/// Properties up to which the chain is walked without a table.
const WALK: u32 = 6;

/// Fuel that moving a table may cost beyond a unit for each of its places.
const MOST_MOVING: u64 = 1 << 20;
/// Bytes that no table of the shared image is longer than.
const LARGEST_SHARED: u32 = 1 << 21;

impl<'a> Heap<'a> {
    pub(crate) fn shape_proto(&self, shape: u32) -> u32 {
        self.high(shape)
    }

    pub(crate) fn shape_count(&self, shape: u32) -> u32 {
        u32::from(self.mem.load_u16(shape + 16))
    }

    fn shape_key(&self, shape: u32) -> u32 {
        self.mem.load_u32(shape + 12)
    }

    fn shape_attributes(&self, shape: u32) -> u8 {
        self.mem.load_u8(shape + 18)
    }

    pub(crate) fn shape_inline(&self, shape: u32) -> u32 {
        u32::from(self.mem.load_u8(shape + 19))
    }

    fn shape_table(&self, shape: u32) -> u32 {
        self.mem.load_u32(shape + 24)
    }

    pub(crate) fn is_dictionary(&self, shape: u32) -> bool {
        self.flags(shape) & DICTIONARY != 0
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one cell")]
    fn new_shape(&mut self, proto: u32, parent: u32, key: u32, count: u32, attributes: u8, inline: u8, kind: u8) -> Result<u32> {
        let shape = self.allocate(Kind::Shape, SHAPE_BYTES, proto)?;
        self.mem.store_u32(shape + 8, parent);
        self.mem.store_u32(shape + 12, key);
        self.mem.store_u16(shape + 16, count as u16);
        self.mem.store_u8(shape + 18, attributes);
        self.mem.store_u8(shape + 19, inline);
        self.mem.store_u8(shape + 20, (2 + Kind::from_byte(kind).fields() / 8) as u8);
        self.mem.store_u8(shape + 21, kind);
        self.mem.store_u16(shape + 22, 0);
        self.mem.store_u64(shape + 24, 0);
        Ok(shape)
    }

    fn transition_hash(parent: u32, key: u32, attributes: u8) -> u32 {
        // Parent and key often grow in step: both must reach every bit.
        let mut h = (u64::from(parent) << 32 | u64::from(key)).wrapping_add(u64::from(attributes) << 24);
        h = h.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        h ^= h >> 32;
        (h.wrapping_mul(0xd6e8_feb8_6659_fd93) >> 32) as u32
    }

    /// How many places of a hash table with this mask are looked at, at most. A healthy table is never larger than memory; what a
    /// corrupted heap says is not believed.
    pub(super) fn most_probes(&self, mask: u32) -> u32 {
        mask.min(self.top.max(LARGEST_SHARED) / 4)
    }

    /// Long searches are paid for: collisions can be made on purpose, and a corrupted table may have no free place.
    #[inline(always)]
    pub(super) fn pay_for_probe(&mut self, probe: u32) {
        if probe & 63 == 63 {
            self.debt += 4;
        }
    }

    /// What a shape is found by in the transition table.
    fn transition_of(&self, shape: u32) -> (u32, u32, u8) {
        let parent = self.mem.load_u32(shape + 8);
        if parent == 0 {
            (0, self.high(shape), self.mem.load_u8(shape + 21) ^ self.mem.load_u8(shape + 19).wrapping_mul(64))
        } else {
            (parent, self.shape_key(shape), self.shape_attributes(shape))
        }
    }

    fn find_transition(&mut self, table: u32, parent: u32, key: u32, attributes: u8) -> Option<u32> {
        let capacity = self.high(table) / 4;
        if capacity == 0 {
            return None;
        }
        let mask = capacity - 1;
        let mut at = Self::transition_hash(parent, key, attributes) & mask;
        for probe in 0..=self.most_probes(mask) {
            self.pay_for_probe(probe);
            let shape = self.mem.load_u32(table + 8 + at * 4);
            if shape == 0 {
                return None;
            }
            if shape != GONE && self.transition_of(shape) == (parent, key, attributes) {
                return Some(shape);
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// Where the search for a shape begins.
    pub(super) fn hash_of_shape(&self, shape: u32) -> u32 {
        let (parent, key, attributes) = self.transition_of(shape);
        Self::transition_hash(parent, key, attributes)
    }

    pub(crate) fn insert_transition(&mut self, shape: u32) {
        let mask = (self.high(self.transitions) / 4).wrapping_sub(1);
        let mut at = self.hash_of_shape(shape) & mask;
        for probe in 0..=self.most_probes(mask) {
            self.pay_for_probe(probe);
            let place = self.transitions + 8 + at * 4;
            if self.mem.load_u32(place) == 0 {
                self.mem.store_u32(place, shape);
                self.transition_count += 1;
                return;
            }
            at = (at + 1) & mask;
        }
    }

    fn reserve_transition(&mut self) -> Result<()> {
        let capacity = self.high(self.transitions) / 4;
        if self.transition_count * 4 < capacity * 3 {
            return Ok(());
        }
        let table = self.raw((capacity * 2).max(64) * 4)?;
        let old = self.transitions;
        self.transitions = table;
        self.transition_count = 0;
        let before = self.debt;
        for i in 0..capacity {
            let shape = self.mem.load_u32(old + 8 + i * 4);
            if shape > GONE {
                self.insert_transition(shape);
                self.bear(before, capacity)?;
            }
        }
        Ok(())
    }

    /// Stops when moving a table of so many places has cost much more than it should: only where the heap is corrupted, or where
    /// thousands of names were made to collide.
    pub(super) fn bear(&self, before: u64, places: u32) -> Result<()> {
        if self.debt - before > MOST_MOVING + u64::from(places) { Err(Signal::Stop(Pause::Internal)) } else { Ok(()) }
    }

    /// The empty shape of objects of this kind with this prototype and inline room.
    pub(crate) fn root_shape(&mut self, proto: u32, kind: Kind, inline: u8) -> Result<u32> {
        let tag = kind as u8 ^ inline.wrapping_mul(64);
        let shared = self.mem.load_u32(SHARED | 12);
        if let Some(shape) = self.find_transition(self.transitions, 0, proto, tag).or_else(|| self.find_transition(shared, 0, proto, tag)) {
            // The tag is not unique for every pair of kind and inline room.
            if self.mem.load_u8(shape + 21) == kind as u8 && self.mem.load_u8(shape + 19) == inline {
                return Ok(shape);
            }
        }
        self.reserve_transition()?;
        let shape = self.new_shape(proto, 0, 0, 0, 0, inline, kind as u8)?;
        self.mem.store_u32(shape + 28, shape);
        self.insert_transition(shape);
        if proto != 0 {
            self.set_flags(proto, super::flag::PROTOTYPE);
        }
        Ok(shape)
    }

    /// A dictionary shape of one object, empty.
    pub(crate) fn dictionary_shape(&mut self, proto: u32, kind: Kind, inline: u8, capacity: u32) -> Result<u32> {
        let table = self.new_table(capacity.next_power_of_two().max(8))?;
        let shape = self.new_shape(proto, 0, 0, 0, 0, inline, kind as u8)?;
        self.set_flags(shape, DICTIONARY);
        self.mem.store_u32(shape + 24, table);
        if proto != 0 {
            self.set_flags(proto, super::flag::PROTOTYPE);
        }
        Ok(shape)
    }

    fn new_table(&mut self, capacity: u32) -> Result<u32> {
        let table = self.allocate_slow(Kind::Table, 16 + u64::from(capacity) * 16, capacity)?;
        self.debt += u64::from(capacity / 8);
        self.mem.fill(table + 8, 1 + capacity * 2, 0);
        Ok(table)
    }

    fn table_find(&mut self, table: u32, key: u32) -> Option<u32> {
        let capacity = self.high(table);
        let mask = (capacity * 2).wrapping_sub(1);
        let index = table + 16 + capacity * 8;
        let mut at = self.name_hash(key) & mask;
        for probe in 0..=self.most_probes(mask) {
            self.pay_for_probe(probe);
            let entry = self.mem.load_u32(index + at * 4);
            if entry == 0 {
                return None;
            }
            if self.mem.load_u32(table + 8 + entry * 8) == key {
                return Some(entry - 1);
            }
            at = (at + 1) & mask;
        }
        None
    }

    fn table_entry(&self, table: u32, entry: u32) -> (u32, u32) {
        let at = table + 16 + entry * 8;
        (self.mem.load_u32(at), self.mem.load_u32(at + 4))
    }

    /// Appends an entry to a table that has room.
    fn table_append(&mut self, table: u32, key: u32, info: u32) {
        let capacity = self.high(table);
        let used = self.mem.load_u32(table + 8);
        let entry = table + 16 + used * 8;
        self.mem.store_u32(entry, key);
        self.mem.store_u32(entry + 4, info);
        self.mem.store_u32(table + 8, used + 1);
        self.mem.store_u32(table + 12, self.mem.load_u32(table + 12) + 1);
        let mask = (capacity * 2).wrapping_sub(1);
        let index = table + 16 + capacity * 8;
        let mut at = self.name_hash(key) & mask;
        for probe in 0..=self.most_probes(mask) {
            self.pay_for_probe(probe);
            if self.mem.load_u32(index + at * 4) == 0 {
                self.mem.store_u32(index + at * 4, used + 1);
                return;
            }
            at = (at + 1) & mask;
        }
    }

    /// The properties of a tree shape in order of addition.
    fn chain(&self, shape: u32) -> Vec<(u32, u32)> {
        let count = self.shape_count(shape);
        let mut list = vec![(0, 0); count as usize];
        let mut at = shape;
        for i in (0..count).rev() {
            list[i as usize] = (self.shape_key(at), i << 8 | u32::from(self.shape_attributes(at)));
            at = self.mem.load_u32(at + 8);
        }
        list
    }

    /// Finds a key: slot number and attributes.
    #[inline]
    pub(crate) fn shape_find(&mut self, shape: u32, key: u32) -> Option<(u32, u8)> {
        let count = self.shape_count(shape);
        let table = self.shape_table(shape);
        if table == 0 {
            if count <= WALK {
                let mut at = shape;
                for i in (0..count).rev() {
                    if self.shape_key(at) == key {
                        return Some((i, self.shape_attributes(at)));
                    }
                    at = self.mem.load_u32(at + 8);
                }
                return None;
            }
            return self.shape_find_slow(shape, key, count);
        }
        let entry = self.table_find(table, key)?;
        if entry >= count && !self.is_dictionary(shape) {
            return None;
        }
        let info = self.table_entry(table, entry).1;
        Some((info >> 8, info as u8))
    }

    /// The same where it takes no charge; else `None`, with nothing done.
    pub(crate) fn shape_find_quickly(&mut self, shape: u32, key: u32) -> Option<(u32, u8)> {
        if self.shape_table(shape) == 0 && self.shape_count(shape) > WALK {
            return None;
        }
        let debt = self.debt;
        let found = self.shape_find(shape, key);
        if self.debt == debt {
            return found;
        }
        self.debt = debt;
        None
    }

    #[cold]
    fn shape_find_slow(&mut self, shape: u32, key: u32, count: u32) -> Option<(u32, u8)> {
        self.debt += u64::from(count / 8);
        if shape & SHARED == 0 || self.shared_cursor != 0 {
            // No room for a table is no failure: the walk below answers too.
            if let Ok(table) = self.new_table((count * 2).next_power_of_two()) {
                let before = self.debt;
                let borne = self.chain(shape).into_iter().all(|(key, info)| {
                    self.table_append(table, key, info);
                    self.bear(before, count).is_ok()
                });
                if borne {
                    self.mem.store_u32(shape + 24, table);
                    return self.shape_find(shape, key);
                }
            }
        }
        self.chain(shape).into_iter().find(|&(k, _)| k == key).map(|(_, info)| (info >> 8, info as u8))
    }

    /// The shape after adding a property: an existing or new child. `None`: the object must become a dictionary.
    pub(crate) fn shape_add(&mut self, shape: u32, key: u32, attributes: u8) -> Result<Option<u32>> {
        let shared = self.mem.load_u32(SHARED | 12);
        if let Some(child) = self.find_transition(self.transitions, shape, key, attributes) {
            return Ok(Some(child));
        }
        if shape & SHARED != 0
            && let Some(child) = self.find_transition(shared, shape, key, attributes)
        {
            return Ok(Some(child));
        }
        let count = self.shape_count(shape);
        if count >= DICTIONARY_FROM {
            return Ok(None);
        }
        self.reserve_transition()?;
        let (inline, kind) = (self.mem.load_u8(shape + 19), self.mem.load_u8(shape + 21));
        let child = self.new_shape(self.high(shape), shape, key, count + 1, attributes, inline, kind)?;
        self.mem.store_u32(child + 28, self.mem.load_u32(shape + 28));
        let table = self.shape_table(shape);
        if table != 0 && table & SHARED == 0 && self.mem.load_u32(table + 8) == count && count < self.high(table) {
            self.table_append(table, key, count << 8 | u32::from(attributes));
            self.mem.store_u32(child + 24, table);
        }
        self.insert_transition(child);
        Ok(Some(child))
    }

    /// All properties of a shape in order: (key, slot << 8 | attributes).
    pub(crate) fn shape_list(&self, shape: u32) -> Vec<(u32, u32)> {
        let table = self.shape_table(shape);
        if table == 0 {
            return self.chain(shape);
        }
        let dictionary = self.is_dictionary(shape);
        let used = self.mem.load_u32(table + 8).min(self.high(table)).min(self.most(8));
        let count = if dictionary { used } else { self.shape_count(shape).min(used) };
        (0..count).map(|i| self.table_entry(table, i)).filter(|&(key, _)| key != 0).collect()
    }

    /// A dictionary shape with the same properties (for one object).
    #[allow(clippy::wrong_self_convention, reason = "self is the heap, what is turned is the shape")]
    pub(crate) fn to_dictionary(&mut self, shape: u32, more: u32) -> Result<u32> {
        let list = self.shape_list(shape);
        let kind = Kind::from_byte(self.mem.load_u8(shape + 21));
        let inline = self.mem.load_u8(shape + 19);
        let new = self.dictionary_shape(self.high(shape), kind, inline, list.len() as u32 + more)?;
        let table = self.shape_table(new);
        let before = self.debt;
        for &(key, info) in &list {
            self.table_append(table, key, info);
            self.bear(before, list.len() as u32)?;
        }
        let slots = if self.is_dictionary(shape) { self.dictionary_slots(shape) } else { self.shape_count(shape) };
        self.mem.store_u32(new + 28, slots);
        Ok(new)
    }

    /// Adds to a dictionary shape that is private: returns the slot. Slots of deleted properties are not used
    /// again until the table is rebuilt.
    pub(crate) fn dictionary_add(&mut self, shape: u32, key: u32, attributes: u8) -> Result<u32> {
        let table = self.shape_table(shape);
        let used = self.mem.load_u32(table + 8);
        let slot = self.dictionary_slots(shape);
        if used >= self.high(table) {
            // Counted, not believed: a table that is too small for them would be searched to its end for each.
            let used = used.min(self.most(8));
            let live = (0..used).filter(|&i| self.table_entry(table, i).0 != 0).count() as u32;
            let new = self.new_table(((live + 1) * 2).next_power_of_two())?;
            let before = self.debt;
            for i in 0..used {
                let (key, info) = self.table_entry(table, i);
                if key != 0 {
                    self.table_append(new, key, info);
                    self.bear(before, used)?;
                }
            }
            self.mem.store_u32(shape + 24, new);
            self.table_append(new, key, slot << 8 | u32::from(attributes));
        } else {
            self.table_append(table, key, slot << 8 | u32::from(attributes));
        }
        self.mem.store_u32(shape + 28, slot + 1);
        Ok(slot)
    }

    /// How many slots a dictionary has given out; 16 bits are enough for tree shapes only, so dictionaries keep theirs at +28.
    pub(crate) fn dictionary_slots(&self, shape: u32) -> u32 {
        self.mem.load_u32(shape + 28)
    }

    /// Removes a key from a private dictionary shape; the slot it had.
    pub(crate) fn dictionary_remove(&mut self, shape: u32, key: u32) -> Option<u32> {
        let table = self.shape_table(shape);
        let entry = self.table_find(table, key)?;
        let info = self.table_entry(table, entry).1;
        self.mem.store_u32(table + 16 + entry * 8, 0);
        self.mem.store_u32(table + 12, self.mem.load_u32(table + 12).saturating_sub(1));
        Some(info >> 8)
    }

    /// Changes the attributes of a key in a private dictionary shape.
    pub(crate) fn dictionary_set_attributes(&mut self, shape: u32, key: u32, attributes: u8) {
        let table = self.shape_table(shape);
        if let Some(entry) = self.table_find(table, key) {
            let at = table + 16 + entry * 8 + 4;
            self.mem.store_u32(at, self.mem.load_u32(at) & !0xff | u32::from(attributes));
        }
    }
}
