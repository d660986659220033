//! Property access: inline caches in front, the standard's algorithms behind.
//!
//! Cache words of a `key` instruction: key | place << 16, shape, address, epoch. Address 0: own property of an
//! object with that shape, at the place ([`Heap::slot_code`]). Address 1: length of an array with that shape.
//! Otherwise: the value lies at the address, as long as the epoch is the heap's. Shape words [`STRING`] and so on
//! stand for primitives.

use memory::{Region, Registers};

use super::{Flow, Place, a, b, c, native_work, op, rest, slow, slow_op, step};
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

/// The value of an own property that lies in the object itself, if the cache of the instruction knows it.
#[inline(always)]
fn cached_inside<'a>(vm: &Vm<'a>, code: Region<'a>, pc: u32, base: Value) -> Option<u64> {
    if !base.is_object_cell() {
        return None;
    }
    let mem = vm.heap.mem;
    let place = code.load_u32(pc + 4) >> 16;
    let known = code.load_u64(pc + 8) == u64::from(mem.own_u32(base.payload() + 4));
    (known && place < 0x8000).then(|| mem.own_u64(base.payload() + place * 8))
}

op!(GetField(vm, regs, code, pc, state, word) {
    if let Some(value) = cached_inside(vm, code, pc, Value(regs.get(b(word)))) {
        regs.set(a(word), value);
        return step(vm, regs, code, state, 20);
    }
    field_cached(vm, regs, code, state, word)
});

rest!(field_cached(vm, regs, code, pc, state, word) {
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
    let mem = vm.heap.mem;
    if base.is_object_cell() && mem.own_u8(base.payload()) == Kind::Array as u8 {
        let length = mem.own_u32(base.payload() + 16);
        if length <= i32::MAX as u32 {
            regs.set(a(word), Value::int(length as i32).0);
            return step(vm, regs, code, state, 20);
        }
    }
    length_other(vm, regs, code, state, word)
});

rest!(length_other(vm, regs, code, pc, state, word) {
    let base = Value(regs.get(b(word)));
    if base.is_string() {
        regs.set(a(word), Value::int(vm.heap.string_length(base.payload()) as i32).0);
        return step(vm, regs, code, state, 20);
    }
    field_cached(vm, regs, code, state, word)
});

op!(GetMethod(vm, regs, code, pc, state, word) {
    let base = Value(regs.get(b(word)));
    let mem = vm.heap.mem;
    if base.is_object_cell() {
        // Most methods lie in a prototype.
        let known = code.load_u64(pc + 8);
        let address = (known >> 32) as u32;
        if known as u32 == mem.own_u32(base.payload() + 4) && address as i32 > LENGTH as i32 && code.load_u32(pc + 16) == vm.heap.epoch {
            regs.set(a(word).wrapping_add(2), mem.own_u64(address));
            regs.set(a(word).wrapping_add(4), base.0);
            return step(vm, regs, code, state, 20);
        }
    }
    method_cached(vm, regs, code, state, word)
});

rest!(method_cached(vm, regs, code, pc, state, word) {
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
    let mem = vm.heap.mem;
    if base.is_object_cell() {
        let object = base.payload();
        let place = code.load_u32(pc + 4) >> 16;
        // Shape and what becomes of it at once: a property that is there already changes no shape.
        if code.load_u64(pc + 8) == u64::from(mem.own_u32(object + 4)) && place < 0x8000 {
            mem.set_own_u64(object + place * 8, regs.get(b(word)));
            return step(vm, regs, code, state, 20);
        }
    }
    set_field_cached(vm, regs, code, state, word)
});

rest!(set_field_cached(vm, regs, code, pc, state, word) {
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
        let shown = vm.brief(object)?;
        return vm.type_error(&format!("Cannot delete property '{text}' of {shown}"));
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
}
