//! Property access: inline caches in front, the standard's algorithms behind.
//!
//! Cache words of a `key` instruction: key | place << 16, shape, address, epoch. Address 0: own property of an
//! object with that shape, at the place ([`Heap::slot_code`]). Address 1: length of an array with that shape.
//! Otherwise: the value lies at the address, as long as the epoch is the heap's. Shape words [`STRING`] and so on
//! stand for primitives.

use memory::{Region, Registers};

use super::{Flow, Place, a, b, c, native_work, op, slow, slow_op, step};
use crate::heap::memory::SHARED;
use crate::heap::object::Own;
use crate::heap::shape::attribute;
use crate::heap::string::Key;
use crate::heap::{Kind, Result, atoms, flag};
use crate::library::Helper;
use crate::value::Value;
use crate::vm::{Entry, Realm, Vm};

/// Shape word of caches for strings.
const STRING: u32 = 2;
/// Address word of array lengths.
const LENGTH: u32 = 1;

/// The cached value of `GetField` and `GetMethod` at `pc`, if the cache knows this base.
#[inline(always)]
fn cached<'a>(vm: &Vm<'a>, code: memory::Region<'a>, pc: u32, base: Value) -> Option<u64> {
    let mem = vm.heap.mem;
    let shape = if base.is_object_cell() {
        mem.own_u32(base.payload() + 4)
    } else if base.is_string() {
        STRING
    } else {
        return None;
    };
    // Shape and address at once: an own property has address 0.
    let known = code.load_u64(pc + 8);
    if known == u64::from(shape) {
        let place = code.load_u32(pc + 4) >> 16;
        return Some(if place < 0x8000 {
            mem.own_u64(base.payload() + place * 8)
        } else {
            mem.load_u64(mem.own_u32(base.payload() + 8) + (place & 0x7fff) * 8)
        });
    }
    if known as u32 != shape {
        return None;
    }
    let address = (known >> 32) as u32;
    if address == LENGTH {
        // Of an array or, for strings, of units.
        let length = if shape == STRING { mem.load_u32(base.payload() + 4) } else { mem.own_u32(base.payload() + 16) };
        return (length <= i32::MAX as u32).then(|| Value::int(length as i32).0);
    }
    (code.load_u32(pc + 16) == vm.heap.epoch).then(|| mem.load_u64(address))
}

op!(GetField(vm, regs, code, pc, state, word) {
    if let Some(value) = cached(vm, code, pc, Value(regs.get(b(word)))) {
        regs.set(a(word), value);
        return step(vm, regs, code, state, 20);
    }
    field_other(vm, regs, code, state, word)
});

/// `base.key` that the cache of the instruction does not know.
#[inline(never)]
fn field_other<'a>(vm: &mut Vm<'a>, regs: Registers<'a>, code: Region<'a>, state: Place, word: u32) -> Flow<'a> {
    let value = library_cached(vm, state as u32, Value(regs.get(b(word))));
    if !value.is_hole() {
        regs.set(a(word), value.0);
        return step(vm, regs, code, state, 20);
    }
    native_work(vm, state, word, |vm, word| {
        let base = vm.register(b(word));
        vm.get_and_cache(base)
    })
}

/// Where the cache of an instruction in the shared image lies in the cell's own table, if it has one: words as behind an
/// instruction, with its place instead of the instruction.
#[inline(always)]
fn library_cache(vm: &Vm<'_>, pc: u32) -> u32 {
    let table = vm.realm_cell(Realm::LIBRARY_CACHE);
    table + 8 + (pc.wrapping_mul(0x9e37_79b1) >> 26) * LIBRARY_STEP
}

/// Entries of the table, and bytes of an entry.
const LIBRARY_ENTRIES: u32 = 64;
const LIBRARY_STEP: u32 = 32;

/// The value that the cell's own table knows for an instruction of the library; a hole if it knows none.
#[inline(never)]
fn library_cached(vm: &Vm<'_>, pc: u32, base: Value) -> Value {
    if pc & SHARED == 0 {
        return Value::HOLE;
    }
    let at = library_cache(vm, pc);
    if vm.heap.mem.own_u32(at) != pc {
        return Value::HOLE;
    }
    cached(vm, vm.heap.mem.code(at), at, base).map_or(Value::HOLE, Value)
}

op!(GetLength(vm, regs, code, pc, state, word) {
    let base = Value(regs.get(b(word)));
    if base.is_object_cell() {
        let mem = vm.heap.mem;
        if mem.own_u8(base.payload()) == Kind::Array as u8 {
            let length = mem.own_u32(base.payload() + 16);
            if length <= i32::MAX as u32 {
                regs.set(a(word), Value::int(length as i32).0);
                return step(vm, regs, code, state, 20);
            }
        }
    } else if base.is_string() {
        regs.set(a(word), Value::int(vm.heap.string_length(base.payload()) as i32).0);
        return step(vm, regs, code, state, 20);
    }
    if let Some(value) = cached(vm, code, pc, base) {
        regs.set(a(word), value);
        return step(vm, regs, code, state, 20);
    }
    field_other(vm, regs, code, state, word)
});

op!(GetMethod(vm, regs, code, pc, state, word) {
    let base = Value(regs.get(b(word)));
    if let Some(value) = cached(vm, code, pc, base) {
        regs.set(a(word).wrapping_add(2), value);
        regs.set(a(word).wrapping_add(4), base.0);
        return step(vm, regs, code, state, 20);
    }
    let value = library_cached(vm, pc, base);
    if !value.is_hole() {
        regs.set(a(word).wrapping_add(2), value.0);
        regs.set(a(word).wrapping_add(4), base.0);
        return step(vm, regs, code, state, 20);
    }
    slow(vm, regs, code, state, word, |vm, word| {
        let base = vm.register(b(word));
        vm.set_register(a(word).wrapping_add(4), base);
        vm.destination = a(word).wrapping_add(2);
        let value = vm.get_and_cache(base)?;
        vm.set_register(a(word).wrapping_add(2), value);
        Ok(())
    })
});

op!(SetField(vm, regs, code, pc, state, word) {
    let base = Value(regs.get(a(word)));
    if base.is_object_cell() {
        let mem = vm.heap.mem;
        let object = base.payload();
        let shape = mem.own_u32(object + 4);
        let known = code.load_u64(pc + 8);
        if known as u32 == shape {
            let place = code.load_u32(pc + 4) >> 16;
            let child = (known >> 32) as u32;
            let (at, fits) = if place < 0x8000 {
                (object + place * 8, true)
            } else {
                let slots = mem.own_u32(object + 8);
                let at = place & 0x7fff;
                (slots + at * 8, slots & SHARED == 0 && at <= mem.own_u32(slots + 4))
            };
            if fits {
                if child == 0 {
                    mem.set_own_u64(at, regs.get(b(word)));
                    return step(vm, regs, code, state, 20);
                }
                if code.load_u32(pc + 16) == vm.heap.epoch && mem.own_u8(object + 1) & (flag::NOT_EXTENSIBLE | flag::PROTOTYPE) == 0 {
                    mem.set_own_u64(at, regs.get(b(word)));
                    mem.set_own_u32(object + 4, child);
                    return step(vm, regs, code, state, 20);
                }
            }
        }
    }
    slow(vm, regs, code, state, word, set_field)
});

fn set_field(vm: &mut Vm<'_>, word: u32) -> Result<()> {
    let (base, value) = (vm.register(a(word)), vm.register(b(word)));
    let name = vm.key_at(1);
    let before = base.as_object_cell().map(|o| vm.heap.shape(o));
    vm.entry = Entry::Discard;
    let epoch = vm.heap.epoch;
    vm.assign(base, Key::Name(name), value)?;
    if let (Some(object), Some(before)) = (base.as_object_cell(), before) {
        let after = vm.heap.shape(object);
        let heap = &mut vm.heap;
        if heap.is_dictionary(after) || heap.flags(object) & (flag::LAZY | flag::PROTOTYPE) != 0 || heap.kind(object) == Kind::Proxy {
            return Ok(());
        }
        if let Some((slot, attributes)) = heap.shape_find(after, name)
            && attributes & (attribute::ACCESSOR | attribute::WRITABLE) == attribute::WRITABLE
        {
            let place = u32::from(heap.slot_code(after, slot));
            if before == after {
                vm.fill_cache(place, before, 0);
            } else if epoch == vm.heap.epoch
                && vm.heap.shape_count(after) == vm.heap.shape_count(before) + 1
                && !vm.heap.is_dictionary(before)
            {
                vm.fill_cache(place, before, after);
            }
        }
    }
    Ok(())
}

op!(DefineField(vm, regs, code, pc, state, word) {
    let base = Value(regs.get(a(word)));
    let mem = vm.heap.mem;
    let object = base.payload();
    if base.is_object_cell() && code.load_u32(pc + 8) == mem.load_u32(object + 4) {
        let place = code.load_u32(pc + 4) >> 16;
        let child = code.load_u32(pc + 12);
        if place < 0x8000 && child != 0 {
            mem.store_u64(object + place * 8, regs.get(b(word)));
            mem.store_u32(object + 4, child);
            return step(vm, regs, code, state, 20);
        }
    }
    slow(vm, regs, code, state, word, |vm, word| {
        let (base, value) = (vm.register(a(word)), vm.register(b(word)));
        let name = vm.key_at(1);
        let object = vm.object_cell(base)?;
        let before = vm.heap.shape(object);
        vm.define_plain(object, Key::Name(name), value)?;
        let after = vm.heap.shape(object);
        if before != after && !vm.heap.is_dictionary(after) && !vm.heap.is_dictionary(before) && vm.heap.is(object, Kind::Object)
            && let Some((slot, attribute::PLAIN)) = vm.heap.shape_find(after, name)
            && slot == vm.heap.shape_count(before)
        {
            let place = u32::from(vm.heap.slot_code(after, slot));
            vm.fill_cache(place, before, after);
        }
        Ok(())
    })
});

op!(GetElement(vm, regs, code, pc, state, word) {
    let (base, key) = (Value(regs.get(b(word))), Value(regs.get(c(word))));
    if base.is_object_cell() && key.is_int() {
        let value = vm.heap.dense(base.payload(), key.as_int_unchecked() as u32);
        if !value.is_hole() && vm.heap.mem.own_u8(base.payload() + 1) & flag::EXOTIC == 0 {
            regs.set(a(word), value.0);
            return step(vm, regs, code, state, 4);
        }
    }
    element_other(vm, regs, code, state, word)
});

/// `base[key]` where it is no element of a plain array.
#[inline(never)]
fn element_other<'a>(vm: &mut Vm<'a>, regs: Registers<'a>, code: Region<'a>, state: Place, word: u32) -> Flow<'a> {
    let (base, key) = (Value(regs.get(b(word))), Value(regs.get(c(word))));
    if let Some(index) = key.as_index() {
        if base.is_object_cell() {
            if let Some(value) = typed_element(vm, base.payload(), index) {
                regs.set(a(word), value.0);
                return step(vm, regs, code, state, 4);
            }
        } else if base.is_string()
            && let Some(unit) = vm.heap.unit_of_flat(base.payload(), index)
            && unit < 256
        {
            regs.set(a(word), Value::string(atoms::character(unit as u8)).0);
            return step(vm, regs, code, state, 4);
        }
    }
    if key.is_string() && base.is_object_cell() {
        let value = named_element(vm, base.payload(), key.payload());
        if !value.is_hole() {
            regs.set(a(word), value.0);
            return step(vm, regs, code, state, 4);
        }
    }
    native_work(vm, state, word, |vm, word| {
        let (base, key) = (vm.register(b(word)), vm.register(c(word)));
        if let Some(index) = key.as_index()
            && base.is_object_cell()
            && vm.heap.mem.own_u8(base.payload() + 1) & flag::EXOTIC == 0
        {
            return vm.get(base, Key::Index(index));
        }
        if let (Some(index), Some(object)) = (key.as_index(), base.as_object_cell())
            && let Some(value) = vm.typed_get(object, index)
        {
            return Ok(value);
        }
        vm.get_element(base, key)
    })
}

/// Where an ordinary object keeps its own property with this name: address and attributes. `None` also for what takes work that is
/// charged for: a name not looked up before, a long search.
#[inline(never)]
fn named_place(vm: &mut Vm<'_>, object: u32, key: u32) -> Option<(u32, u8)> {
    let mem = vm.heap.mem;
    if mem.own_u8(object) != Kind::Object as u8 {
        return None;
    }
    let name = vm.heap.known_name(key)?;
    let shape = vm.heap.shape(object);
    let (slot, attributes) = vm.heap.shape_find_quickly(shape, name)?;
    Some((vm.heap.slot_address(object, shape, slot), attributes))
}

/// The value of an ordinary object's own plain property; a hole if it has none by that name, or if finding it takes more.
fn named_element(vm: &mut Vm<'_>, object: u32, key: u32) -> Value {
    match named_place(vm, object, key) {
        Some((address, attributes)) if attributes & attribute::ACCESSOR == 0 => vm.heap.value(address),
        _ => Value::HOLE,
    }
}

op!(SetElement(vm, regs, code, pc, state, word) {
    let (base, key) = (Value(regs.get(a(word))), Value(regs.get(b(word))));
    if base.is_object_cell() && key.is_int() {
        let (object, index) = (base.payload(), key.as_int_unchecked() as u32);
        let mem = vm.heap.mem;
        let elements = mem.own_u32(object + 12);
        let header = mem.own_u64(elements);
        if header as u8 == Kind::Elements as u8 && index < (header >> 32) as u32 && mem.own_u8(object + 1) & flag::EXOTIC == 0 {
            let place = elements + 8 + index * 8;
            if mem.own_u64(place) != Value::HOLE.0 {
                mem.set_own_u64(place, regs.get(c(word)));
                return step(vm, regs, code, state, 4);
            }
        }
    }
    set_element_other(vm, regs, code, state, word)
});

/// Where element `index` of a typed array of fixed place in a fixed buffer lies, and its type (not of big integers).
#[inline(always)]
fn typed_place(vm: &Vm<'_>, array: u32, index: u32) -> Option<(u32, u32)> {
    /// Powers of two of the sizes: Int8, Uint8, Uint8Clamped, Int16, Uint16, Int32, Uint32, Float32, Float64.
    const SHIFTS: [u8; 16] = [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3];
    let mem = vm.heap.mem;
    if mem.own_u8(array) != Kind::TypedArray as u8 {
        return None;
    }
    let kind = mem.own_u32(array + 32);
    let length = mem.own_u32(array + 28);
    if index >= length || length == u32::MAX || kind > 8 {
        return None;
    }
    let buffer = mem.own_u32(array + 16);
    let start = u64::from(mem.own_u32(array + 24));
    let bytes = u64::from(mem.own_u32(buffer + 24));
    let shift = SHIFTS[(kind & 15) as usize];
    let data = Value(mem.own_u64(buffer + 16));
    let size = u64::from(mem.own_u32(data.payload() + 4));
    // The whole view must lie inside the buffer, and the buffer inside its bytes.
    if !data.is_object_cell() || start + (u64::from(length) << shift) > bytes.min(size) {
        return None;
    }
    Some((data.payload() + 8 + start as u32 + (index << shift), kind))
}

#[inline(always)]
fn typed_element(vm: &Vm<'_>, array: u32, index: u32) -> Option<Value> {
    let (at, kind) = typed_place(vm, array, index)?;
    let mem = vm.heap.mem;
    Some(match kind {
        0 => Value::int(i32::from(mem.own_u8(at) as i8)),
        1 | 2 => Value::int(i32::from(mem.own_u8(at))),
        3 => Value::int(i32::from(mem.own_u32(at) as i16)),
        4 => Value::int(i32::from(mem.own_u32(at) as u16)),
        5 => Value::int(mem.own_u32(at) as i32),
        6 => Value::unsigned(mem.own_u32(at)),
        7 => Value::number(f64::from(f32::from_bits(mem.own_u32(at)))),
        _ => Value::number(f64::from_bits(mem.own_u64(at))),
    })
}

#[inline(always)]
fn set_typed_element(vm: &Vm<'_>, array: u32, index: u32, value: Value) -> bool {
    let Some((at, kind)) = typed_place(vm, array, index) else { return false };
    let mem = vm.heap.mem;
    match (kind, value.as_int()) {
        (8, _) => match value.as_number() {
            Some(n) => mem.set_own_u64(at, Value::double(n).0),
            None => return false,
        },
        (5 | 6, Some(n)) => mem.set_own_u32(at, n as u32),
        (5 | 6, None) if value.is_double() => mem.set_own_u32(at, crate::value::to_int32(value.as_double_unchecked()) as u32),
        (0 | 1, Some(n)) => mem.store_u8(at, n as u8),
        (2, Some(n)) => mem.store_u8(at, n.clamp(0, 255) as u8),
        (3 | 4, Some(n)) => mem.store_u16(at, n as u16),
        _ => return false,
    }
    true
}

/// `base[key] = value` where it is no element already there of a plain array.
#[inline(never)]
fn set_element_other<'a>(vm: &mut Vm<'a>, regs: Registers<'a>, code: Region<'a>, state: Place, word: u32) -> Flow<'a> {
    let (base, key) = (Value(regs.get(a(word))), Value(regs.get(b(word))));
    if base.is_object_cell()
        && let Some(index) = key.as_index()
        && (set_typed_element(vm, base.payload(), index, Value(regs.get(c(word))))
            || vm.append(base.payload(), index, Value(regs.get(c(word)))))
    {
        return step(vm, regs, code, state, 4);
    }
    if key.is_string()
        && base.is_object_cell()
        && let Some((address, attribute::PLAIN)) = named_place(vm, base.payload(), key.payload())
        && address & SHARED == 0
        && vm.heap.mem.own_u8(base.payload() + 1) & flag::PROTOTYPE == 0
    {
        vm.heap.mem.set_own_u64(address, regs.get(c(word)));
        return step(vm, regs, code, state, 4);
    }
    slow(vm, regs, code, state, word, |vm, word| {
        let (base, key, value) = (vm.register(a(word)), vm.register(b(word)), vm.register(c(word)));
        if let (Some(index), Some(object)) = (key.as_index(), base.as_object_cell())
            && vm.typed_set(object, index, value)
        {
            return Ok(());
        }
        vm.entry = Entry::Discard;
        if key.is_object() {
            if base.is_nullish() {
                return vm.nullish_base(base, "set", None);
            }
            let strict = Value::boolean(vm.is_strict());
            vm.help(Helper::SetElement, &[base, key, value, strict])?;
            return Ok(());
        }
        if base.is_nullish() {
            return vm.nullish_base(base, "set", Some(key));
        }
        let key = vm.to_key_primitive(key)?;
        vm.assign(base, key, value)
    })
}

slow_op!(GetElementMethod(vm, word) {
    let base = vm.register(b(word));
    let key = vm.register(c(word));
    vm.set_register(a(word).wrapping_add(4), base);
    vm.destination = a(word).wrapping_add(2);
    let value = vm.get_element(base, key)?;
    vm.set_register(a(word).wrapping_add(2), value);
    Ok(())
});

slow_op!(DefineElement(vm, word) {
    let object = vm.object_cell(vm.register(a(word)))?;
    let key = vm.to_key_primitive(vm.register(b(word)))?;
    let value = vm.register(c(word));
    vm.define_plain(object, key, value)
});

slow_op!(DeleteField(vm, word) {
    let name = vm.key_at(1);
    delete(vm, word, Key::Name(name))
});

slow_op!(DeleteElement(vm, word) {
    let key = vm.register(c(word));
    if key.is_object() {
        let arguments = [vm.register(b(word)), key, Value::boolean(vm.is_strict())];
        vm.help(Helper::Delete, &arguments)?;
        return Ok(());
    }
    let base = vm.register(b(word));
    if base.is_nullish() {
        return vm.nullish_base(base, "delete", Some(key));
    }
    let key = vm.to_key_primitive(key)?;
    delete(vm, word, key)
});

fn delete(vm: &mut Vm<'_>, word: u32, key: Key) -> Result<()> {
    let base = vm.register(b(word));
    if base.is_nullish() {
        return vm.nullish_base(base, "delete", None);
    }
    let object = vm.to_object(base)?;
    let cell = vm.object_cell(object)?;
    if vm.heap.is(cell, Kind::Proxy) {
        let key = vm.heap.key_value(key)?;
        let strict = Value::boolean(vm.is_strict());
        vm.help(Helper::Delete, &[object, key, strict])?;
        return Ok(());
    }
    let deleted = vm.delete_own(cell, key)?;
    if !deleted && vm.is_strict() {
        let text = vm.key_text(key)?;
        return vm.type_error(&format!("Cannot delete property '{text}'"));
    }
    vm.set_register(a(word), Value::boolean(deleted));
    Ok(())
}

impl<'a> Vm<'a> {
    /// Writes the cache of the running instruction, unless it lies in the shared image.
    fn fill_cache(&mut self, place: u32, shape: u32, address: u32) {
        let mut pc = self.pc;
        if pc & SHARED != 0 {
            if self.heap.shared_cursor != 0 {
                return;
            }
            if self.realm_cell(Realm::LIBRARY_CACHE) == 0 {
                // Without room it goes on without.
                let Ok(table) = self.heap.raw(LIBRARY_ENTRIES * LIBRARY_STEP) else { return };
                self.set_realm(Realm::LIBRARY_CACHE, Value::object(table));
            }
            let at = library_cache(self, pc);
            self.heap.mem.store_u32(at, pc);
            pc = at;
        }
        // Taken now: making the table may have made the memory larger, and an older view wraps at the old size.
        let mem = self.heap.mem;
        let key = mem.load_u32(pc + 4) & 0xffff;
        mem.store_u32(pc + 4, key | place << 16);
        mem.store_u32(pc + 8, shape);
        mem.store_u32(pc + 12, address);
        mem.store_u32(pc + 16, self.heap.epoch);
    }

    /// Appends to a plain array with room for it, if nothing on its prototypes could have a say.
    #[inline(never)]
    fn append(&mut self, array: u32, index: u32, value: Value) -> bool {
        let mem = self.heap.mem;
        let elements = mem.own_u32(array + 12);
        let header = mem.own_u64(elements);
        if mem.own_u8(array) != Kind::Array as u8
            || header as u8 != Kind::Elements as u8
            || index >= (header >> 32) as u32
            || index != self.heap.array_length(array)
            || mem.own_u8(array + 1) & (flag::EXOTIC | flag::NOT_EXTENSIBLE | flag::LENGTH_FIXED | flag::PROTOTYPE) != 0
            || !self.prototypes_have_no_elements(array)
        {
            return false;
        }
        mem.set_own_u64(elements + 8 + index * 8, value.0);
        self.heap.set_array_length_field(array, index + 1);
        true
    }

    /// No object up the chain has elements of its own or decides by itself.
    #[inline]
    pub(crate) fn prototypes_have_no_elements(&self, object: u32) -> bool {
        let mut object = object;
        for _ in 0..8 {
            object = self.heap.proto(object);
            if object == 0 {
                return true;
            }
            if self.heap.elements(object) != 0 || self.heap.flags(object) & flag::EXOTIC != 0 || self.heap.is(object, Kind::Proxy) {
                return false;
            }
        }
        false
    }

    /// A key for messages.
    pub(crate) fn key_text(&mut self, key: Key) -> Result<String> {
        match key {
            Key::Index(i) => Ok(i.to_string()),
            Key::Name(name) if self.heap.is_symbol_name(name) => {
                let description = self.heap.mem.load_u32(name + 12);
                let text = if description == 0 { String::new() } else { self.heap.text(description)? };
                Ok(if self.heap.is_private_name(name) { text } else { format!("Symbol({text})") })
            }
            Key::Name(name) => self.heap.text(name),
        }
    }

    /// Throws for a property of null or undefined.
    #[cold]
    pub(crate) fn nullish_base<T>(&mut self, base: Value, verb: &str, key: Option<Value>) -> Result<T> {
        let what = if base.is_undefined() { "undefined" } else { "null" };
        let key = match key {
            Some(key) if !key.is_object() => {
                let key = self.to_key_primitive(key)?;
                Some(self.key_text(key)?)
            }
            _ => None,
        };
        let (verbs, doing) = match verb {
            "set" => ("set", "setting"),
            "delete" => ("convert", "deleting"),
            _ => ("read", "reading"),
        };
        match key {
            Some(key) => self.type_error(&format!("Cannot {verbs} properties of {what} ({doing} '{key}')")),
            None => self.type_error(&format!("Cannot {verbs} properties of {what}")),
        }
    }

    /// The cell of an object value; natives become objects.
    pub(crate) fn object_cell(&mut self, object: Value) -> Result<u32> {
        if object.is_object_cell() {
            return Ok(object.payload());
        }
        if object.is_native() {
            return self.native_object(object.payload());
        }
        self.type_error("not an object")
    }

    /// An object cell as a value (natives get their number back).
    pub(crate) fn object_value(&self, cell: u32) -> Value {
        if self.heap.is(cell, Kind::NativeFunction) && self.heap.mem.load_u32(cell + 20) == 1 {
            return Value::native(self.heap.mem.load_u32(cell + 16));
        }
        Value::object(cell)
    }

    /// Where a lookup on a value starts; `None` for null and undefined.
    pub(crate) fn lookup_start(&mut self, base: Value) -> Result<Option<u32>> {
        if base.is_object() { self.object_cell(base).map(Some) } else { Ok(self.primitive_prototype(base)) }
    }

    /// Finds a property along the prototype chain: the holder and what it holds there.
    pub(crate) fn find(&mut self, start: u32, key: Key) -> Result<Option<(u32, Own)>> {
        let mut object = start;
        let mut steps = 0u32;
        loop {
            if self.heap.flags(object) & flag::LAZY != 0
                && matches!(key, Key::Name(atoms::NAME | atoms::LENGTH | atoms::PROTOTYPE | atoms::STACK))
                && self.heap.is(object, Kind::Error) == (key == Key::Name(atoms::STACK))
            {
                self.materialise(object)?;
            }
            match self.heap.own(object, key) {
                Own::Absent => {}
                found => return Ok(Some((object, found))),
            }
            object = self.heap.proto(object);
            if object == 0 {
                return Ok(None);
            }
            // Short chains cost what a cache hit costs.
            steps += 1;
            if steps > 64 {
                self.heap.debt += 1;
                if steps > 1 << 24 {
                    return Err(crate::heap::Signal::Stop(crate::heap::Pause::Internal));
                }
            }
        }
    }

    /// [[Get]]. A getter or proxy in script pushes a frame.
    pub(crate) fn get(&mut self, base: Value, key: Key) -> Result<Value> {
        if base.is_string() {
            match key {
                Key::Index(index) => {
                    if index < self.heap.string_length(base.payload()) {
                        return self.heap.substring(base.payload(), index, index + 1).map(Value::string);
                    }
                }
                Key::Name(atoms::LENGTH) => return Ok(Value::unsigned(self.heap.string_length(base.payload()))),
                Key::Name(_) => {}
            }
        }
        let Some(start) = self.lookup_start(base)? else {
            let key = self.heap.key_value(key)?;
            return self.nullish_base(base, "get", Some(key));
        };
        self.get_from(start, key, base)
    }

    /// [[Get]] from an object with a receiver.
    pub(crate) fn get_from(&mut self, start: u32, key: Key, receiver: Value) -> Result<Value> {
        match self.find(start, key)? {
            None => Ok(Value::UNDEFINED),
            Some((holder, own)) => self.read(holder, own, key, receiver),
        }
    }

    /// The value of a found property.
    pub(crate) fn read(&mut self, holder: u32, own: Own, key: Key, receiver: Value) -> Result<Value> {
        match own {
            Own::Data { address, .. } => Ok(self.heap.value(address)),
            Own::Virtual { value, .. } => Ok(value),
            Own::Accessor { pair, .. } => {
                let getter = self.heap.value(pair + 8);
                if getter.is_undefined() { Ok(Value::UNDEFINED) } else { self.call(getter, receiver, &[]) }
            }
            Own::Exotic => self.exotic_get(holder, key, receiver),
            Own::Absent => Ok(Value::UNDEFINED),
        }
    }

    fn exotic_get(&mut self, holder: u32, key: Key, receiver: Value) -> Result<Value> {
        match self.heap.kind(holder) {
            Kind::TypedArray => Ok(match key {
                Key::Index(index) => self.typed_element(holder, index)?.unwrap_or(Value::UNDEFINED),
                Key::Name(_) => Value::UNDEFINED,
            }),
            _ => {
                let key = self.heap.key_value(key)?;
                self.help(Helper::ProxyGet, &[Value::object(holder), key, receiver])
            }
        }
    }

    /// `base.key` for the running instruction, filling its cache.
    fn get_and_cache(&mut self, base: Value) -> Result<Value> {
        let name = self.key_at(1);
        let key = Key::Name(name);
        if base.is_string() && name == atoms::LENGTH {
            self.fill_cache(0, STRING, LENGTH);
            return self.get(base, key);
        }
        if base.is_nullish() {
            return self.get(base, key);
        }
        let Some(start) = self.lookup_start(base)? else { return self.get(base, key) };
        let Some((holder, own)) = self.find(start, key)? else { return Ok(Value::UNDEFINED) };
        let shape = self.heap.shape(start);
        let through_epoch = |vm: &Self, cell: u32| vm.heap.flags(cell) & flag::PROTOTYPE != 0;
        let dictionary = self.heap.is_dictionary(shape);
        match own {
            Own::Data { address, .. } if base.is_object_cell() => {
                if holder == start && !dictionary {
                    if let Some((slot, _)) = self.heap.shape_find(shape, name) {
                        let place = u32::from(self.heap.slot_code(shape, slot));
                        self.fill_cache(place, shape, 0);
                    }
                } else if through_epoch(self, holder) && (!dictionary || through_epoch(self, start)) && address > LENGTH {
                    self.fill_cache(0, shape, address);
                }
            }
            Own::Data { address, .. } if base.is_string() && through_epoch(self, holder) => self.fill_cache(0, STRING, address),
            Own::Virtual { .. } if self.heap.is(start, Kind::Array) && holder == start => self.fill_cache(0, shape, LENGTH),
            _ => {}
        }
        self.read(holder, own, key, base)
    }

    /// `base[key]`.
    pub(crate) fn get_element(&mut self, base: Value, key: Value) -> Result<Value> {
        if base.is_nullish() {
            return self.nullish_base(base, "get", Some(key));
        }
        if key.is_object() {
            return self.help(Helper::GetElement, &[base, key]);
        }
        let key = self.to_key_primitive(key)?;
        self.get(base, key)
    }

    /// Assignment of the running code: [[Set]], and a TypeError in strict code when it fails.
    pub(crate) fn assign(&mut self, base: Value, key: Key, value: Value) -> Result<()> {
        if base.is_nullish() {
            let key = self.heap.key_value(key)?;
            return self.nullish_base(base, "set", Some(key));
        }
        let strict = self.is_strict();
        if !self.set(base, key, value, base)? && strict {
            let text = self.key_text(key)?;
            if !base.is_object() {
                return self.type_error(&format!("Cannot create property '{text}' on a primitive value"));
            }
            return self.type_error(&format!("Cannot assign to read only property '{text}' of object"));
        }
        Ok(())
    }

    /// [[Set]]: false if it was refused.
    pub(crate) fn set(&mut self, target: Value, key: Key, value: Value, receiver: Value) -> Result<bool> {
        if target.is_string() && matches!(key, Key::Name(atoms::LENGTH)) {
            return Ok(false);
        }
        let Some(start) = self.lookup_start(target)? else { return Ok(false) };
        let receiver_cell = if receiver.is_object() { self.object_cell(receiver)? } else { 0 };
        let found = self.find(start, key)?;
        match found {
            Some((holder, Own::Data { address, attributes })) => {
                if attributes & attribute::WRITABLE == 0 {
                    return Ok(false);
                }
                if holder == receiver_cell {
                    let address = self.heap.writable_address(holder, address)?;
                    self.heap.set_value(address, value);
                    return Ok(true);
                }
            }
            Some((holder, Own::Virtual { attributes, .. })) => {
                if attributes & attribute::WRITABLE == 0 {
                    return Ok(false);
                }
                if holder == receiver_cell {
                    return self.set_array_length(holder, value);
                }
            }
            Some((_, Own::Accessor { pair, .. })) => {
                let setter = self.heap.value(pair + 16);
                if setter.is_undefined() {
                    return Ok(false);
                }
                self.call(setter, receiver, &[value])?;
                return Ok(true);
            }
            Some((holder, Own::Exotic)) => return self.exotic_set(holder, key, value, receiver),
            Some((_, Own::Absent)) | None => {}
        }
        if receiver_cell == 0 {
            return Ok(false);
        }
        if receiver_cell != start || self.heap.is(receiver_cell, Kind::Proxy) {
            // Reflect.set, super.x = y, or a holder up the chain: the receiver's own property counts.
            match self.heap.own(receiver_cell, key) {
                Own::Absent => {}
                Own::Data { address, attributes } => {
                    if attributes & attribute::WRITABLE == 0 {
                        return Ok(false);
                    }
                    let address = self.heap.writable_address(receiver_cell, address)?;
                    self.heap.set_value(address, value);
                    return Ok(true);
                }
                Own::Virtual { attributes, .. } => {
                    if attributes & attribute::WRITABLE == 0 {
                        return Ok(false);
                    }
                    return self.set_array_length(receiver_cell, value);
                }
                Own::Accessor { .. } => return Ok(false),
                Own::Exotic => {
                    let key = self.heap.key_value(key)?;
                    self.help(Helper::DefineOnReceiver, &[receiver, key, value])?;
                    return Ok(true);
                }
            }
        }
        self.create(receiver_cell, key, value)
    }

    /// Adds a plain property to an ordinary object that has none of that key; false if it may not grow.
    pub(crate) fn create(&mut self, object: u32, key: Key, value: Value) -> Result<bool> {
        let flags = self.heap.flags(object);
        if flags & flag::NOT_EXTENSIBLE != 0 {
            return Ok(false);
        }
        if flags & flag::LAZY != 0 && !self.heap.is(object, Kind::Error) {
            self.materialise(object)?;
        }
        if flags & flag::LENGTH_FIXED != 0
            && let Key::Index(index) = key
            && self.heap.is(object, Kind::Array)
            && index >= self.heap.array_length(object)
        {
            return Ok(false);
        }
        self.heap.add(object, key, value, attribute::PLAIN)?;
        Ok(true)
    }

    fn exotic_set(&mut self, holder: u32, key: Key, value: Value, receiver: Value) -> Result<bool> {
        match self.heap.kind(holder) {
            Kind::TypedArray => {
                if receiver == Value::object(holder) {
                    if value.is_object() {
                        let key = self.heap.key_value(key)?;
                        self.help(Helper::TypedSet, &[receiver, key, value])?;
                        return Ok(true);
                    }
                    let value = if self.typed_is_big(holder) {
                        self.to_bigint_primitive(value)?
                    } else {
                        Value::number(self.to_number_primitive(value)?)
                    };
                    if let Key::Index(index) = key {
                        self.typed_set(holder, index, value);
                    }
                    return Ok(true);
                }
                match key {
                    Key::Index(index) if self.typed_has(holder, index) => {
                        let key = self.heap.key_value(key)?;
                        self.help(Helper::DefineOnReceiver, &[receiver, key, value])?;
                        Ok(true)
                    }
                    _ => Ok(true),
                }
            }
            Kind::Namespace => Ok(false),
            _ => {
                let key = self.heap.key_value(key)?;
                let strict = Value::boolean(self.is_strict());
                self.help(Helper::ProxySet, &[Value::object(holder), key, value, receiver, strict])?;
                Ok(true)
            }
        }
    }

    /// `array.length = value` with a primitive value.
    fn set_array_length(&mut self, array: u32, value: Value) -> Result<bool> {
        if value.is_object() {
            let receiver = Value::object(array);
            self.help(Helper::SetArrayLength, &[receiver, value])?;
            return Ok(true);
        }
        let number = self.to_number_primitive(value)?;
        let length = number as u32;
        if f64::from(length) != number {
            return self.range_error("Invalid array length");
        }
        let old = self.heap.array_length(array);
        self.charge(u64::from(old.saturating_sub(length).min(self.heap.high(self.heap.elements(array)))) / 32)?;
        self.heap.set_length(array, length)
    }

    /// CreateDataProperty on an ordinary object, which throws when refused.
    pub(crate) fn define_plain(&mut self, object: u32, key: Key, value: Value) -> Result<()> {
        let is_error = self.heap.is(object, Kind::Error);
        if self.heap.flags(object) & flag::LAZY != 0 && (!is_error || key == Key::Name(atoms::STACK)) {
            self.materialise(object)?;
        }
        match self.heap.own(object, key) {
            Own::Absent => {
                if !self.create(object, key, value)? {
                    return self.type_error("Cannot define property, object is not extensible");
                }
                Ok(())
            }
            Own::Data { attributes: attribute::PLAIN, address } => {
                let address = self.heap.writable_address(object, address)?;
                self.heap.set_value(address, value);
                Ok(())
            }
            Own::Data { attributes, .. } | Own::Accessor { attributes, .. } if attributes & attribute::CONFIGURABLE != 0 => {
                self.heap.put(object, key, value, attribute::PLAIN)
            }
            Own::Exotic => {
                // A field of a class whose constructor returned a proxy.
                let key = self.heap.key_value(key)?;
                self.entry = Entry::Discard;
                self.help(Helper::CreateDataProperty, &[Value::object(object), key, value])?;
                Ok(())
            }
            _ => {
                let text = self.key_text(key)?;
                self.type_error(&format!("Cannot redefine property: {text}"))
            }
        }
    }

    /// [[Delete]] of anything but a proxy.
    pub(crate) fn delete_own(&mut self, object: u32, key: Key) -> Result<bool> {
        if self.heap.flags(object) & flag::LAZY != 0 {
            self.materialise(object)?;
        }
        match self.heap.own(object, key) {
            Own::Absent => Ok(true),
            Own::Data { attributes, .. } | Own::Accessor { attributes, .. } | Own::Virtual { attributes, .. } => {
                if attributes & attribute::CONFIGURABLE == 0 {
                    return Ok(false);
                }
                self.heap.remove(object, key)?;
                Ok(true)
            }
            Own::Exotic => Ok(match (self.heap.kind(object), key) {
                (Kind::TypedArray, Key::Index(index)) => !self.typed_has(object, index),
                (Kind::TypedArray, _) => true,
                _ => false,
            }),
        }
    }

    /// [[HasProperty]]; a proxy on the way pushes a frame.
    pub(crate) fn has_property(&mut self, object: Value, key: Key) -> Result<Value> {
        let start = self.object_cell(object)?;
        match self.find(start, key)? {
            None | Some((_, Own::Absent)) => Ok(Value::FALSE),
            Some((holder, Own::Exotic)) => match (self.heap.kind(holder), key) {
                (Kind::TypedArray, Key::Index(index)) => Ok(Value::boolean(self.typed_has(holder, index))),
                (Kind::TypedArray, _) => Ok(Value::FALSE),
                _ => {
                    let key = self.heap.key_value(key)?;
                    self.help(Helper::ProxyHas, &[Value::object(holder), key])
                }
            },
            Some(_) => Ok(Value::TRUE),
        }
    }

    /// Gives a function or an error its lazy properties.
    pub(crate) fn materialise(&mut self, object: u32) -> Result<()> {
        if self.heap.flags(object) & flag::LAZY == 0 {
            return Ok(());
        }
        if self.heap.is(object, Kind::Error) {
            return self.materialise_stack(object);
        }
        let (length, name, code) = if self.heap.is(object, Kind::Function) {
            let code = self.heap.mem.load_u32(object + crate::vm::function::CODE);
            let name = self.heap.mem.load_u32(code + crate::vm::code::NAME);
            (u32::from(self.heap.mem.load_u16(code + crate::vm::code::LENGTH)), name, code)
        } else {
            let n = self.heap.mem.load_u32(object + 16);
            let (name, length) = self.native_name(n)?;
            (length, name, 0)
        };
        let prototype = if code == 0 { Value::HOLE } else { self.lazy_prototype(object, code)? };
        // All that can fail for want of room comes before the flag goes.
        let shape = self.heap.shape(object);
        let later = code != 0 && self.heap.high(code) & crate::bytecode::function_flag::NAME_LATER != 0;
        self.heap.clear_flags(object, flag::LAZY);
        let result = (|| {
            self.heap.add(object, Key::Name(atoms::LENGTH), Value::unsigned(length), attribute::CONFIGURABLE)?;
            if !later {
                self.heap.add(object, Key::Name(atoms::NAME), Value::string(name), attribute::CONFIGURABLE)?;
            }
            if !prototype.is_hole() {
                if later {
                    // `prototype` is always slot 2.
                    self.heap.add(object, Key::Name(atoms::LAST_NAME), Value::UNDEFINED, attribute::CONFIGURABLE)?;
                    self.heap.remove(object, Key::Name(atoms::LAST_NAME))?;
                }
                let class = self.heap.high(code) & crate::bytecode::function_flag::CLASS != 0;
                self.heap.add(object, Key::Name(atoms::PROTOTYPE), prototype, if class { 0 } else { attribute::WRITABLE })?;
            }
            Ok(())
        })();
        if result.is_err() {
            self.heap.set_shape(object, shape);
            self.heap.set_flags(object, flag::LAZY);
        }
        result
    }
}
