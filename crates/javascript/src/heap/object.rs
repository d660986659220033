//! Objects: own properties of ordinary objects, arrays, functions.
//!
//! An object: header (high half: shape), slots u32, elements u32, the kind's own fields
//! ([`Kind::fields`]), inline property slots. Elements are dense (a cell of values, holes allowed) or
//! sparse ([`Kind::Sparse`], a sorted table with attributes), the latter also whenever an element is not a
//! plain data property.

use super::memory::SHARED;
use super::shape::attribute;
use super::string::Key;
use super::{Heap, Kind, Result, Signal, atoms, flag};
use crate::value::Value;

/// Longest gap that an assignment beyond the end may leave in dense elements.
const GAP: u32 = 1024;

/// An own property, found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Own {
    Absent,
    /// A value at an address of its own.
    Data {
        address: u32,
        attributes: u8,
    },
    /// A value that is computed (array length, string index).
    Virtual {
        value: Value,
        attributes: u8,
    },
    /// An accessor pair cell.
    Accessor {
        pair: u32,
        attributes: u8,
    },
    /// The object's kind decides (proxy, typed array, namespace, host object).
    Exotic,
}

impl<'a> Heap<'a> {
    /// A new object of a shape; inline slots undefined, the kind's fields zero.
    #[inline(always)]
    pub(crate) fn object(&mut self, kind: Kind, shape: u32) -> Result<u32> {
        let fields = kind.fields();
        let inline = self.shape_inline(shape);
        let cell = self.allocate(kind, 16 + fields + inline * 8, shape)?;
        self.mem.set_own_u64(cell + 8, 0);
        for i in 0..fields / 8 {
            self.mem.set_own_u64(cell + 16 + i * 8, 0);
        }
        for i in 0..inline {
            self.mem.set_own_u64(cell + 16 + fields + i * 8, Value::UNDEFINED.0);
        }
        if (fields + inline * 8) & 8 != 0 {
            self.mem.set_own_u64(cell + 16 + fields + inline * 8, 0);
        }
        Ok(cell)
    }

    #[inline(always)]
    pub(crate) fn shape(&self, object: u32) -> u32 {
        self.high(object)
    }

    #[inline(always)]
    pub(crate) fn set_shape(&self, object: u32, shape: u32) {
        self.mem.store_u32(object + 4, shape);
    }

    /// The prototype object, 0 for null.
    pub(crate) fn proto(&self, object: u32) -> u32 {
        self.shape_proto(self.shape(object))
    }

    pub(crate) fn elements(&self, object: u32) -> u32 {
        self.mem.load_u32(object + 12)
    }

    /// Where slot `index` of an object of `shape` lies.
    #[inline(always)]
    pub(crate) fn slot_address(&self, object: u32, shape: u32, index: u32) -> u32 {
        let inline = self.shape_inline(shape);
        if index < inline {
            object + u32::from(self.mem.load_u8(shape + 20)) * 8 + index * 8
        } else {
            self.mem.load_u32(object + 8).wrapping_add(8 + (index - inline) * 8)
        }
    }

    /// The same, coded for an inline cache: words from the object, or, with the top bit, words from the slots cell.
    pub(crate) fn slot_code(&self, shape: u32, index: u32) -> u16 {
        let inline = self.shape_inline(shape);
        if index < inline { (u32::from(self.mem.load_u8(shape + 20)) + index) as u16 } else { 0x8000 | (1 + index - inline) as u16 }
    }

    /// Marks that caches which looked through this object must look again.
    #[inline(always)]
    pub(crate) fn touched(&mut self, object: u32) {
        if self.flags(object) & flag::PROTOTYPE != 0 {
            self.epoch = self.epoch.wrapping_add(1).max(1);
        }
    }

    // --- Arrays -------------------------------------------------------------------------------------

    #[inline(always)]
    pub(crate) fn array_length(&self, array: u32) -> u32 {
        self.mem.load_u32(array + 16)
    }

    pub(crate) fn set_array_length_field(&self, array: u32, length: u32) {
        self.mem.store_u32(array + 16, length);
    }

    /// An array with `shape`, its elements of at least `capacity`, all holes, length 0.
    pub(crate) fn array(&mut self, shape: u32, capacity: u32) -> Result<u32> {
        let elements = if capacity == 0 { 0 } else { self.values(Kind::Elements, capacity, Value::HOLE)? };
        let array = self.object(Kind::Array, shape)?;
        self.mem.store_u32(array + 12, elements);
        Ok(array)
    }

    /// The dense element, or a hole. Right for every object: capacity 0 when there are none or they are sparse.
    #[inline(always)]
    pub(crate) fn dense(&self, object: u32, index: u32) -> Value {
        let elements = self.mem.own_u32(object + 12);
        let header = self.mem.own_u64(elements);
        if header as u8 == Kind::Elements as u8 && index < (header >> 32) as u32 {
            Value(self.mem.own_u64(elements + 8 + index * 8))
        } else {
            Value::HOLE
        }
    }

    /// Makes room for dense elements up to `count`; false if the elements are sparse.
    pub(crate) fn reserve_elements(&mut self, object: u32, count: u32) -> Result<bool> {
        let elements = self.elements(object);
        if elements != 0 && self.is(elements, Kind::Sparse) {
            return Ok(false);
        }
        let capacity = self.high(elements);
        if count <= capacity {
            return Ok(true);
        }
        let wanted = count.max(capacity.saturating_add(capacity / 2)).max(4);
        let new = match self.values(Kind::Elements, wanted, Value::HOLE) {
            Ok(new) => new,
            Err(_) if wanted > count => self.values(Kind::Elements, count, Value::HOLE)?,
            Err(signal) => return Err(signal),
        };
        self.mem.copy(elements + 8, new + 8, capacity * 8);
        self.debt += u64::from(capacity / 32);
        self.mem.store_u32(object + 12, new);
        Ok(true)
    }

    /// Appends to an array whose elements are dense and whose length is writable; false if it is not so.
    pub(crate) fn array_push(&mut self, array: u32, value: Value) -> Result<bool> {
        let length = self.array_length(array);
        if length == u32::MAX
            || self.flags(array) & (flag::NOT_EXTENSIBLE | flag::LENGTH_FIXED) != 0
            || !self.reserve_elements(array, length + 1)?
        {
            return Ok(false);
        }
        let elements = self.elements(array);
        self.set_value(elements + 8 + length * 8, value);
        self.set_array_length_field(array, length + 1);
        Ok(true)
    }

    // --- Sparse elements: header's high half is 4 + bytes; used u32; then (index u32, attributes u32, value u64) in order --

    fn sparse_count(&self, sparse: u32) -> u32 {
        self.mem.load_u32(sparse + 8)
    }

    fn sparse_search(&self, sparse: u32, index: u32) -> std::result::Result<u32, u32> {
        let (mut low, mut high) = (0, self.sparse_count(sparse));
        while low < high {
            let middle = (low + high) / 2;
            match self.mem.load_u32(sparse + 16 + middle * 16).cmp(&index) {
                std::cmp::Ordering::Equal => return Ok(sparse + 16 + middle * 16),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    fn new_sparse(&mut self, capacity: u32) -> Result<u32> {
        // The high half must read as capacity 0 for `dense`, so size comes from granules or from a wrapper Raw-like bound.
        let bytes = 16 + u64::from(capacity) * 16;
        if bytes >= 0xffff * 16 {
            return Err(Signal::Collect(u32::MAX));
        }
        let cell = self.allocate(Kind::Sparse, bytes as u32, 0)?;
        self.mem.store_u32(cell + 8, 0);
        self.mem.store_u32(cell + 12, capacity);
        Ok(cell)
    }

    /// Turns dense elements sparse (or makes room in sparse ones).
    fn make_sparse(&mut self, object: u32, more: u32) -> Result<u32> {
        let elements = self.elements(object);
        if elements != 0 && self.is(elements, Kind::Sparse) {
            let count = self.sparse_count(elements);
            let capacity = self.mem.load_u32(elements + 12);
            if count + more <= capacity {
                return Ok(elements);
            }
            let new = self.new_sparse((count + more) * 2)?;
            self.mem.copy(elements + 16, new + 16, count * 16);
            self.mem.store_u32(new + 8, count);
            self.mem.store_u32(object + 12, new);
            return Ok(new);
        }
        let capacity = self.high(elements);
        let present = (0..capacity).filter(|&i| !self.value(elements + 8 + i * 8).is_hole()).count() as u32;
        self.debt += u64::from(capacity / 8);
        let new = self.new_sparse(present + more + 4)?;
        let mut at = new + 16;
        for i in 0..capacity {
            let value = self.value(elements + 8 + i * 8);
            if !value.is_hole() {
                self.mem.store_u32(at, i);
                self.mem.store_u32(at + 4, u32::from(attribute::PLAIN));
                self.set_value(at + 8, value);
                at += 16;
            }
        }
        self.mem.store_u32(new + 8, present);
        self.mem.store_u32(object + 12, new);
        Ok(new)
    }

    fn sparse_define(&mut self, object: u32, index: u32, value: Value, attributes: u8) -> Result<()> {
        let sparse = self.make_sparse(object, 1)?;
        match self.sparse_search(sparse, index) {
            Ok(entry) => {
                self.mem.store_u32(entry + 4, u32::from(attributes));
                self.set_value(entry + 8, value);
            }
            Err(place) => {
                let count = self.sparse_count(sparse);
                self.debt += u64::from((count - place) / 16);
                let at = sparse + 16 + place * 16;
                self.mem.copy(at, at + 16, (count - place) * 16);
                self.mem.store_u32(at, index);
                self.mem.store_u32(at + 4, u32::from(attributes));
                self.set_value(at + 8, value);
                self.mem.store_u32(sparse + 8, count + 1);
            }
        }
        Ok(())
    }

    // --- Own properties --------------------------------------------------------------------------------

    /// Looks an own property up. Functions' lazy properties must be made before ([`flag::LAZY`]).
    pub(crate) fn own(&mut self, object: u32, key: Key) -> Own {
        let flags = self.flags(object);
        match key {
            Key::Index(index) => {
                if flags & flag::EXOTIC != 0 {
                    return self.exotic_index(object, index);
                }
                self.own_element(object, index)
            }
            Key::Name(name) => {
                match self.kind(object) {
                    Kind::Array if name == atoms::LENGTH => {
                        let writable = if flags & flag::LENGTH_FIXED != 0 { 0 } else { attribute::WRITABLE };
                        return Own::Virtual { value: Value::unsigned(self.array_length(object)), attributes: writable };
                    }
                    Kind::Proxy | Kind::Namespace if !self.is_private_name(name) => return Own::Exotic,
                    Kind::Wrapper if name == atoms::LENGTH && self.value(object + 16).is_string() => {
                        let length = self.string_length(self.value(object + 16).payload());
                        return Own::Virtual { value: Value::unsigned(length), attributes: 0 };
                    }
                    Kind::TypedArray if !self.is_symbol_name(name) && self.is_numeric_name(name) => return Own::Exotic,
                    _ => {}
                }
                let shape = self.shape(object);
                match self.shape_find(shape, name) {
                    None => Own::Absent,
                    Some((slot, attributes)) => {
                        let address = self.slot_address(object, shape, slot);
                        if attributes & attribute::ACCESSOR != 0 {
                            Own::Accessor { pair: self.value(address).payload(), attributes }
                        } else {
                            Own::Data { address, attributes }
                        }
                    }
                }
            }
        }
    }

    pub(crate) fn is_private_name(&self, name: u32) -> bool {
        self.is_symbol_name(name) && self.flags(name) & flag::PRIVATE != 0
    }

    /// Is the text what ToString gives for some number ("-0" counts)? Typed arrays treat those as indices.
    fn is_numeric_name(&mut self, name: u32) -> bool {
        let Ok(flat) = self.flat(name) else { return false };
        if flat.length == 0 || flat.length > 32 {
            return false;
        }
        let first = self.unit(flat, 0);
        if !matches!(first, 0x2d | 0x30..=0x39 | 0x49 | 0x4e) {
            return false;
        }
        let Ok(text) = self.text(name) else { return false };
        if text == "-0" {
            return true;
        }
        let number = crate::number::parse(&text);
        crate::number::to_text(number) == text
    }

    /// An own element as it lies there: of mapped arguments the parameter's box.
    pub(crate) fn own_element(&self, object: u32, index: u32) -> Own {
        let elements = self.elements(object);
        if elements == 0 {
            return Own::Absent;
        }
        if self.is(elements, Kind::Sparse) {
            return match self.sparse_search(elements, index) {
                Ok(entry) => {
                    let attributes = self.mem.load_u32(entry + 4) as u8;
                    if attributes & attribute::ACCESSOR != 0 {
                        Own::Accessor { pair: self.value(entry + 8).payload(), attributes }
                    } else {
                        Own::Data { address: entry + 8, attributes }
                    }
                }
                Err(_) => Own::Absent,
            };
        }
        if index < self.high(elements) && !self.value(elements + 8 + index * 8).is_hole() {
            return Own::Data { address: elements + 8 + index * 8, attributes: attribute::PLAIN };
        }
        Own::Absent
    }

    fn exotic_index(&mut self, object: u32, index: u32) -> Own {
        match self.kind(object) {
            Kind::Wrapper => {
                let string = self.value(object + 16).payload();
                if index < self.string_length(string)
                    && let Ok(flat) = self.flat(string)
                {
                    let unit = self.unit(flat, index);
                    let character = if unit < 256 { Ok(atoms::character(unit as u8)) } else { self.string16(&[unit]) };
                    if let Ok(character) = character {
                        return Own::Virtual { value: Value::string(character), attributes: attribute::ENUMERABLE };
                    }
                }
                self.own_element(object, index)
            }
            Kind::Arguments => match self.own_element(object, index) {
                Own::Data { address, attributes } if self.is_kind_box(self.value(address)) => {
                    Own::Data { address: self.value(address).payload() + 8, attributes }
                }
                other => other,
            },
            _ => Own::Exotic,
        }
    }

    pub(crate) fn is_kind_box(&self, value: Value) -> bool {
        value.is_object_cell() && self.is(value.payload(), Kind::Box)
    }

    /// Adds a property known to be absent. The object must be extensible (checked by the caller).
    pub(crate) fn add(&mut self, object: u32, key: Key, value: Value, attributes: u8) -> Result<()> {
        match key {
            Key::Index(index) => self.add_element(object, index, value, attributes),
            Key::Name(name) => {
                let shape = self.shape(object);
                if self.is_dictionary(shape) {
                    return self.dictionary_add_to(object, name, value, attributes);
                }
                let count = self.shape_count(shape);
                let inline = self.shape_inline(shape);
                if count >= inline {
                    self.reserve_slots(object, count - inline + 1)?;
                }
                match self.shape_add(shape, name, attributes)? {
                    Some(child) => {
                        let address = self.slot_address(object, child, count);
                        self.set_value(address, value);
                        self.set_shape(object, child);
                        self.touched(object);
                        Ok(())
                    }
                    None => {
                        let dictionary = self.to_dictionary(shape, count)?;
                        self.set_shape(object, dictionary);
                        self.dictionary_add_to(object, name, value, attributes)
                    }
                }
            }
        }
    }

    /// Makes an object's shape its own, private and changeable.
    pub(crate) fn own_dictionary(&mut self, object: u32) -> Result<u32> {
        let shape = self.shape(object);
        if self.is_dictionary(shape) && (shape & SHARED == 0 || self.shared_cursor != 0) {
            return Ok(shape);
        }
        let new = self.to_dictionary(shape, 4)?;
        self.set_shape(object, new);
        self.touched(object);
        Ok(new)
    }

    fn dictionary_add_to(&mut self, object: u32, name: u32, value: Value, attributes: u8) -> Result<()> {
        let shape = self.own_dictionary(object)?;
        let inline = self.shape_inline(shape);
        let next = self.dictionary_slots(shape);
        if next >= inline {
            self.reserve_slots(object, next - inline + 1)?;
        }
        let slot = self.dictionary_add(shape, name, attributes)?;
        let address = self.slot_address(object, shape, slot);
        self.set_value(address, value);
        self.touched(object);
        Ok(())
    }

    /// Room for `count` slots outside the object, private.
    fn reserve_slots(&mut self, object: u32, count: u32) -> Result<()> {
        let slots = self.mem.load_u32(object + 8);
        let capacity = self.high(slots);
        if count <= capacity && (slots & SHARED == 0 || self.shared_cursor != 0) {
            return Ok(());
        }
        let new = self.values(Kind::Slots, count.max(capacity + capacity / 2).max(2), Value::UNDEFINED)?;
        self.mem.copy(slots + 8, new + 8, capacity * 8);
        self.mem.store_u32(object + 8, new);
        self.touched(object);
        Ok(())
    }

    /// Copies slots that lie in the shared image, so that they can be written; the address in the copy.
    pub(crate) fn writable_address(&mut self, object: u32, address: u32) -> Result<u32> {
        if address & SHARED == 0 || self.shared_cursor != 0 {
            return Ok(address);
        }
        let slots = self.mem.load_u32(object + 8);
        self.reserve_slots(object, self.high(slots))?;
        Ok(address.wrapping_sub(slots).wrapping_add(self.mem.load_u32(object + 8)))
    }

    fn add_element(&mut self, object: u32, index: u32, value: Value, attributes: u8) -> Result<()> {
        let elements = self.elements(object);
        let sparse = elements != 0 && self.is(elements, Kind::Sparse);
        let capacity = if sparse { 0 } else { self.high(elements) };
        if sparse || attributes != attribute::PLAIN || index >= capacity.saturating_add(capacity / 2).saturating_add(GAP) {
            self.sparse_define(object, index, value, attributes)?;
        } else {
            self.reserve_elements(object, index + 1)?;
            let elements = self.elements(object);
            self.set_value(elements + 8 + index * 8, value);
        }
        if self.is(object, Kind::Array) && index >= self.array_length(object) {
            self.set_array_length_field(object, index + 1);
        }
        self.touched(object);
        Ok(())
    }

    /// Sets value and attributes of an own property, present or not (no checks: the standard's were made).
    pub(crate) fn put(&mut self, object: u32, key: Key, value: Value, attributes: u8) -> Result<()> {
        match (key, self.own(object, key)) {
            (_, Own::Absent) => self.add(object, key, value, attributes),
            (_, Own::Virtual { .. } | Own::Exotic) => Ok(()),
            (Key::Index(index), Own::Data { address, attributes: old }) if old == attributes => {
                // Mapped arguments: the address is the parameter's box.
                let _ = index;
                self.set_value(address, value);
                Ok(())
            }
            (Key::Index(index), _) => {
                self.sparse_define(object, index, value, attributes)?;
                self.touched(object);
                Ok(())
            }
            (Key::Name(name), Own::Data { address, attributes: old } | Own::Accessor { pair: address, attributes: old }) => {
                let shape = self.shape(object);
                let address = if old & attribute::ACCESSOR != 0 {
                    match self.shape_find(shape, name) {
                        Some((slot, _)) => self.slot_address(object, shape, slot),
                        None => address,
                    }
                } else {
                    address
                };
                let address = self.writable_address(object, address)?;
                if old != attributes {
                    let shape = self.own_dictionary(object)?;
                    self.dictionary_set_attributes(shape, name, attributes);
                    self.touched(object);
                }
                self.set_value(address, value);
                Ok(())
            }
        }
    }

    /// Removes an own property (configurability was checked).
    pub(crate) fn remove(&mut self, object: u32, key: Key) -> Result<()> {
        match key {
            Key::Index(index) => {
                let elements = self.elements(object);
                if elements == 0 {
                    return Ok(());
                }
                if self.is(elements, Kind::Sparse) {
                    if let Ok(entry) = self.sparse_search(elements, index) {
                        let count = self.sparse_count(elements);
                        let end = elements + 16 + count * 16;
                        self.mem.copy(entry + 16, entry, end.wrapping_sub(entry + 16));
                        self.mem.store_u32(elements + 8, count - 1);
                    }
                } else if index < self.high(elements) {
                    self.set_value(elements + 8 + index * 8, Value::HOLE);
                }
            }
            Key::Name(name) => {
                let shape = self.own_dictionary(object)?;
                if let Some(slot) = self.dictionary_remove(shape, name) {
                    let address = self.slot_address(object, shape, slot);
                    if address & SHARED == 0 {
                        self.set_value(address, Value::UNDEFINED);
                    }
                }
            }
        }
        self.touched(object);
        Ok(())
    }

    /// Sets an array's length (already checked to be writable). False: an element that cannot be deleted stopped it.
    pub(crate) fn set_length(&mut self, array: u32, length: u32) -> Result<bool> {
        let old = self.array_length(array);
        let elements = self.elements(array);
        if length < old {
            if elements != 0 && self.is(elements, Kind::Sparse) {
                let mut count = self.sparse_count(elements);
                while count > 0 {
                    let entry = elements + 16 + (count - 1) * 16;
                    if self.mem.load_u32(entry) < length {
                        break;
                    }
                    if self.mem.load_u32(entry + 4) as u8 & attribute::CONFIGURABLE == 0 {
                        self.mem.store_u32(elements + 8, count);
                        self.set_array_length_field(array, self.mem.load_u32(entry) + 1);
                        return Ok(false);
                    }
                    count -= 1;
                }
                self.mem.store_u32(elements + 8, count);
            } else {
                let end = self.high(elements).min(old);
                if length < end {
                    self.debt += u64::from((end - length) / 32);
                    self.mem.fill(elements + 8 + length * 8, end - length, Value::HOLE.0);
                }
            }
        }
        self.set_array_length_field(array, length);
        Ok(true)
    }

    /// Own integer keys in ascending order.
    pub(crate) fn index_keys(&mut self, object: u32) -> Result<Vec<u32>> {
        let mut keys = Vec::new();
        if self.is(object, Kind::Wrapper) && self.value(object + 16).is_string() {
            let length = self.string_length(self.value(object + 16).payload());
            self.scratch(length as usize * 4)?;
            keys.extend(0..length);
        }
        let elements = self.elements(object);
        if elements == 0 {
            return Ok(keys);
        }
        if self.is(elements, Kind::Sparse) {
            keys.extend((0..self.sparse_count(elements)).map(|i| self.mem.load_u32(elements + 16 + i * 16)));
        } else {
            let capacity = self.high(elements).min(self.most(8));
            self.debt += u64::from(capacity / 16);
            keys.extend((0..capacity).filter(|&i| !self.value(elements + 8 + i * 8).is_hole()));
        }
        Ok(keys)
    }

    /// Own named keys in order, strings then symbols; private names left out. With attributes.
    pub(crate) fn name_keys(&mut self, object: u32) -> Vec<(u32, u8)> {
        let list = self.shape_list(self.shape(object));
        self.debt += list.len() as u64 / 8;
        let mut keys = Vec::with_capacity(list.len() + 1);
        match self.kind(object) {
            Kind::Array => keys.push((atoms::LENGTH, if self.flags(object) & flag::LENGTH_FIXED != 0 { 0 } else { attribute::WRITABLE })),
            Kind::Wrapper if self.value(object + 16).is_string() => keys.push((atoms::LENGTH, 0)),
            _ => {}
        }
        keys.extend(list.iter().filter(|&&(k, _)| !self.is_symbol_name(k)).map(|&(k, info)| (k, info as u8)));
        keys.extend(list.iter().filter(|&&(k, _)| self.is_symbol_name(k) && !self.is_private_name(k)).map(|&(k, info)| (k, info as u8)));
        keys
    }

    /// Moves an object to another prototype (0: null).
    pub(crate) fn set_proto(&mut self, object: u32, proto: u32) -> Result<()> {
        if self.proto(object) == proto {
            return Ok(());
        }
        let old = self.shape(object);
        let kind = self.kind(object);
        if self.is_dictionary(old) || self.flags(object) & flag::PROTOTYPE != 0 || self.shape_count(old) > 16 {
            let new = self.to_dictionary(old, 4)?;
            self.mem.store_u32(new + 4, proto);
            if proto != 0 {
                self.set_flags(proto, flag::PROTOTYPE);
            }
            self.set_shape(object, new);
        } else {
            let inline = self.shape_inline(old) as u8;
            let mut shape = self.root_shape(proto, kind, inline)?;
            for (key, info) in self.shape_list(old) {
                match self.shape_add(shape, key, info as u8)? {
                    Some(child) => shape = child,
                    None => return Err(Signal::Stop(super::Pause::Internal)),
                }
            }
            self.set_shape(object, shape);
        }
        self.touched(object);
        Ok(())
    }

    /// A new accessor pair.
    pub(crate) fn accessor(&mut self, getter: Value, setter: Value) -> Result<u32> {
        let pair = self.allocate(Kind::Accessor, 24, 0)?;
        self.set_value(pair + 8, getter);
        self.set_value(pair + 16, setter);
        Ok(pair)
    }
}
