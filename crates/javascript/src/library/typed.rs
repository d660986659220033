//! Leaves of array buffers, typed arrays and data views.
//!
//! Fields of a buffer: data (a Raw cell as value, undefined when detached), length in bytes u32, largest length u32
//! ([`TRACKS`]: not resizable). Fields of a typed array: buffer object (value), first byte u32, length u32 (elements;
//! [`TRACKS`]: follows the buffer), type u32. Fields of a data view: buffer object, first byte u32, length u32 (bytes).
//!
//! Nothing here trusts these fields: a view is whatever part of them lies inside the data cell.

use super::{Arguments, Leaf, Native};
use crate::heap::memory::Memory;
use crate::heap::object::Own;
use crate::heap::{Kind, Result, flag};
use crate::value::{Value, to_int32};
use crate::vm::{Realm, Vm};

/// Bytes of an element by type number: Int8, Uint8, Uint8Clamped, Int16, Uint16, Int32, Uint32, Float32, Float64, BigInt64, BigUint64.
pub(crate) const SIZES: [u32; 11] = [1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8];

/// Their constructors' names.
const NAMES: [&str; 11] = [
    "Int8Array",
    "Uint8Array",
    "Uint8ClampedArray",
    "Int16Array",
    "Uint16Array",
    "Int32Array",
    "Uint32Array",
    "Float32Array",
    "Float64Array",
    "BigInt64Array",
    "BigUint64Array",
];

/// First type of big integers.
const BIG: u32 = 9;

/// A length that follows the buffer's; a buffer's largest length when it has none.
const TRACKS: u32 = u32::MAX;

const fn leaf(name: &'static str, leaf: Leaf) -> Native {
    Native { target: "", name, length: 0, convert: "", leaf }
}

pub(super) const NATIVES: &[Native] = &[
    leaf("newBuffer", |vm, a| {
        // (prototype, length, largest length or undefined)
        let proto = vm.object_cell(a.get(vm, 0))?;
        let (length, most) = (size(a.get(vm, 1)), a.get(vm, 2));
        let cap = f64::from(vm.heap.cap);
        if length > cap || !most.is_undefined() && size(most) > cap {
            return vm.range_error("Array buffer allocation failed");
        }
        vm.charge(length as u64 / 256)?;
        let shape = vm.heap.root_shape(proto, Kind::ArrayBuffer, 0)?;
        let data = vm.heap.raw(length as u32)?;
        let buffer = vm.heap.object(Kind::ArrayBuffer, shape)?;
        vm.heap.set_value(buffer + 16, Value::object(data));
        vm.heap.mem.store_u32(buffer + 24, length as u32);
        vm.heap.mem.store_u32(buffer + 28, if most.is_undefined() { TRACKS } else { size(most) as u32 });
        Ok(Value::object(buffer))
    }),
    leaf("isBuffer", |vm, a| Ok(Value::boolean(vm.heap.is_kind(a.get(vm, 0), Kind::ArrayBuffer)))),
    leaf("bufferLength", |vm, a| {
        let buffer = a.get(vm, 0).payload();
        Ok(Value::unsigned(vm.heap.mem.load_u32(buffer + 24)))
    }),
    leaf("bufferMax", |vm, a| {
        // Undefined for buffers of a fixed length.
        let most = vm.heap.mem.load_u32(a.get(vm, 0).payload() + 28);
        Ok(if most == TRACKS { Value::UNDEFINED } else { Value::unsigned(most) })
    }),
    leaf("bufferDetached", |vm, a| Ok(Value::boolean(vm.heap.value(a.get(vm, 0).payload() + 16).is_undefined()))),
    leaf("bufferDetach", |vm, a| {
        let buffer = a.get(vm, 0).payload();
        vm.heap.set_value(buffer + 16, Value::UNDEFINED);
        vm.heap.mem.store_u32(buffer + 24, 0);
        if vm.heap.mem.load_u32(buffer + 28) != TRACKS {
            vm.heap.mem.store_u32(buffer + 28, 0);
        }
        Ok(Value::UNDEFINED)
    }),
    leaf("bufferResize", resize),
    leaf("bufferCopy", |vm, a| {
        // (target, at, source, from, count): bytes; clamped to what both hold.
        let (Some((to, to_size)), Some((from, from_size))) = (bytes(vm, a.get(vm, 0)), bytes(vm, a.get(vm, 2))) else {
            return Ok(Value::UNDEFINED);
        };
        let (at, start) = (index(vm, a, 1).min(to_size), index(vm, a, 3).min(from_size));
        let count = index(vm, a, 4).min(to_size - at).min(from_size - start);
        vm.charge(u64::from(count) / 256)?;
        vm.heap.mem.copy(from + start, to + at, count);
        Ok(Value::UNDEFINED)
    }),
    leaf("isTypedArray", |vm, a| Ok(Value::boolean(vm.heap.is_kind(a.get(vm, 0), Kind::TypedArray)))),
    leaf("newTyped", |vm, a| {
        // (prototype, type, buffer, first byte, length or undefined)
        let proto = vm.object_cell(a.get(vm, 0))?;
        let shape = vm.heap.root_shape(proto, Kind::TypedArray, 0)?;
        let array = vm.heap.object(Kind::TypedArray, shape)?;
        let length = if a.get(vm, 4).is_undefined() { TRACKS } else { index(vm, a, 4) };
        let buffer = a.get(vm, 2);
        vm.heap.set_value(array + 16, buffer);
        vm.heap.mem.store_u32(array + 24, index(vm, a, 3));
        vm.heap.mem.store_u32(array + 28, length);
        vm.heap.mem.store_u32(array + 32, index(vm, a, 1).min(10));
        vm.heap.set_flags(array, flag::EXOTIC);
        Ok(Value::object(array))
    }),
    leaf("typedType", |vm, a| {
        let array = a.get(vm, 0);
        Ok(Value::int(if vm.heap.is_kind(array, Kind::TypedArray) { type_of(vm, array.payload()) as i32 } else { -1 }))
    }),
    leaf("typedName", |vm, a| {
        let name = NAMES[type_of(vm, a.get(vm, 0).payload()) as usize];
        vm.heap.name(name).map(Value::string)
    }),
    leaf("typedClass", |vm, a| {
        // The intrinsic constructor of an array's type.
        let slot = Realm::INT8_PROTOTYPE as u32 + type_of(vm, a.get(vm, 0).payload());
        Ok(vm.class(slot))
    }),
    leaf("typedPrototype", |vm, a| {
        let slot = Realm::INT8_PROTOTYPE as u32 + type_of(vm, a.get(vm, 0).payload());
        Ok(vm.heap.value(crate::heap::REALM + slot * 8))
    }),
    leaf("elementSize", |vm, a| Ok(Value::unsigned(SIZES[index(vm, a, 0).min(10) as usize]))),
    leaf("typedOut", |vm, a| Ok(Value::boolean(view(vm, a.get(vm, 0).payload()).is_none()))),
    leaf("typedLength", |vm, a| {
        // 0 when detached or out of bounds.
        Ok(Value::unsigned(view(vm, a.get(vm, 0).payload()).map_or(0, |view| view.length)))
    }),
    leaf("typedBuffer", |vm, a| Ok(vm.heap.value(a.get(vm, 0).payload() + 16))),
    leaf("typedOffset", |vm, a| Ok(Value::unsigned(vm.heap.mem.load_u32(a.get(vm, 0).payload() + 24)))),
    leaf("typedTracks", |vm, a| Ok(Value::boolean(vm.heap.mem.load_u32(a.get(vm, 0).payload() + 28) == TRACKS))),
    leaf("typedKey", |vm, a| {
        // (array, key): is it an element's, present or not?
        let key = vm.to_key_primitive(a.get(vm, 1))?;
        let array = a.get(vm, 0).payload();
        Ok(Value::boolean(vm.heap.own(array, key) == Own::Exotic))
    }),
    leaf("typedConvert", |vm, a| {
        // (array, primitive)
        let value = a.get(vm, 1);
        if is_big(vm, a.get(vm, 0).payload()) { vm.to_bigint_primitive(value) } else { vm.to_number_primitive(value).map(Value::number) }
    }),
    leaf("typedCopy", copy),
    leaf("typedMove", |vm, a| {
        // (array, to, from, count): elements, as far as they are there.
        let Some(view) = view(vm, a.get(vm, 0).payload()) else { return Ok(Value::UNDEFINED) };
        let (to, from) = (index(vm, a, 1).min(view.length), index(vm, a, 2).min(view.length));
        let count = index(vm, a, 3).min(view.length - to).min(view.length - from);
        vm.charge(u64::from(count) * u64::from(view.size) / 256)?;
        vm.heap.mem.copy(view.data + from * view.size, view.data + to * view.size, count * view.size);
        Ok(Value::UNDEFINED)
    }),
    leaf("typedFill", |vm, a| {
        // (array, converted value, from, to)
        let Some(view) = view(vm, a.get(vm, 0).payload()) else { return Ok(Value::UNDEFINED) };
        let (from, to) = (index(vm, a, 2), index(vm, a, 3).min(view.length));
        vm.charge(u64::from(to.saturating_sub(from)) / 32)?;
        let bits = bits_of(vm, view.kind, a.get(vm, 1));
        for i in from..to {
            store_bits(vm.heap.mem, view.size, view.at(i), bits);
        }
        Ok(Value::UNDEFINED)
    }),
    leaf("typedReverse", |vm, a| {
        let Some(view) = view(vm, a.get(vm, 0).payload()) else { return Ok(Value::UNDEFINED) };
        vm.charge(u64::from(view.length) / 16)?;
        let mem = vm.heap.mem;
        for i in 0..view.length / 2 {
            let (low, high) = (view.at(i), view.at(view.length - 1 - i));
            let (x, y) = (load_bits(mem, view.size, low), load_bits(mem, view.size, high));
            store_bits(mem, view.size, low, y);
            store_bits(mem, view.size, high, x);
        }
        Ok(Value::UNDEFINED)
    }),
    leaf("typedSort", sort),
    leaf("typedSearch", search),
    leaf("isView", |vm, a| Ok(Value::boolean(vm.heap.is_kind(a.get(vm, 0), Kind::DataView)))),
    leaf("newView", |vm, a| {
        // (prototype, buffer, first byte, length or undefined)
        let proto = vm.object_cell(a.get(vm, 0))?;
        let shape = vm.heap.root_shape(proto, Kind::DataView, 0)?;
        let object = vm.heap.object(Kind::DataView, shape)?;
        let length = if a.get(vm, 3).is_undefined() { TRACKS } else { index(vm, a, 3) };
        let buffer = a.get(vm, 1);
        vm.heap.set_value(object + 16, buffer);
        vm.heap.mem.store_u32(object + 24, index(vm, a, 2));
        vm.heap.mem.store_u32(object + 28, length);
        Ok(Value::object(object))
    }),
    leaf("viewLength", |vm, a| {
        // Undefined when out of bounds.
        Ok(data_view(vm, a.get(vm, 0).payload()).map_or(Value::UNDEFINED, |(_, length)| Value::unsigned(length)))
    }),
    leaf("viewGet", |vm, a| {
        // (view, index, type, little)
        let (at, kind) = view_place(vm, a, a.get(vm, 3))?;
        let size = SIZES[kind as usize];
        let bits = load_bits(vm.heap.mem, size, at);
        let bits = if vm.truth(a.get(vm, 3)) { bits } else { swap(bits, size) };
        value_of(vm, kind, bits)
    }),
    leaf("viewSet", |vm, a| {
        // (view, index, type, little, converted value)
        let (at, kind) = view_place(vm, a, a.get(vm, 3))?;
        let size = SIZES[kind as usize];
        let bits = bits_of(vm, kind, a.get(vm, 4));
        let bits = if vm.truth(a.get(vm, 3)) { bits } else { swap(bits, size) };
        store_bits(vm.heap.mem, size, at, bits);
        Ok(Value::UNDEFINED)
    }),
];

/// A size that ToIndex has checked.
fn size(value: Value) -> f64 {
    value.as_number().unwrap_or(0.0)
}

/// Argument `i` as an offset or a count, saturating.
fn index(vm: &Vm<'_>, a: Arguments, i: u32) -> u32 {
    a.get(vm, i).as_number().unwrap_or(0.0) as u32
}

fn type_of(vm: &Vm<'_>, array: u32) -> u32 {
    vm.heap.mem.load_u32(array + 32).min(10)
}

/// Address and number of a buffer's bytes; none when it is detached (or no buffer).
fn bytes(vm: &Vm<'_>, buffer: Value) -> Option<(u32, u32)> {
    if !vm.heap.is_kind(buffer, Kind::ArrayBuffer) {
        return None;
    }
    let data = vm.heap.value(buffer.payload() + 16);
    if !data.is_object_cell() {
        return None;
    }
    let length = vm.heap.mem.load_u32(buffer.payload() + 24).min(vm.heap.high(data.payload()));
    Some((data.payload() + 8, length))
}

/// A typed array's elements, where they are now.
#[derive(Clone, Copy)]
struct View {
    data: u32,
    length: u32,
    kind: u32,
    size: u32,
}

impl View {
    fn at(self, index: u32) -> u32 {
        self.data.wrapping_add(index.wrapping_mul(self.size))
    }
}

/// None: detached or out of bounds.
#[inline]
fn view(vm: &Vm<'_>, array: u32) -> Option<View> {
    let (data, bytes) = bytes(vm, vm.heap.value(array + 16))?;
    let start = vm.heap.mem.load_u32(array + 24);
    let length = vm.heap.mem.load_u32(array + 28);
    let kind = type_of(vm, array);
    let size = SIZES[kind as usize];
    let room = bytes.checked_sub(start)? / size;
    let length = if length == TRACKS { room } else { length };
    (length <= room).then_some(View { data: data + start, length, kind, size })
}

/// Where a data view's bytes are, and how many.
fn data_view(vm: &Vm<'_>, object: u32) -> Option<(u32, u32)> {
    let (data, bytes) = bytes(vm, vm.heap.value(object + 16))?;
    let start = vm.heap.mem.load_u32(object + 24);
    let room = bytes.checked_sub(start)?;
    let length = vm.heap.mem.load_u32(object + 28);
    let length = if length == TRACKS { room } else { length };
    (length <= room).then_some((data + start, length))
}

/// Address and type of what (view, index, type) name.
fn view_place(vm: &mut Vm<'_>, a: Arguments, _little: Value) -> Result<(u32, u32)> {
    let kind = index(vm, a, 2).min(10);
    let Some((data, length)) = data_view(vm, a.get(vm, 0).payload()) else {
        return vm.type_error("Cannot perform DataView method on a detached or out of bounds buffer");
    };
    let at = size(a.get(vm, 1));
    if at + f64::from(SIZES[kind as usize]) > f64::from(length) {
        return vm.range_error("Offset is outside the bounds of the DataView");
    }
    Ok((data + at as u32, kind))
}

fn load_bits(mem: Memory<'_>, size: u32, at: u32) -> u64 {
    match size {
        1 => u64::from(mem.load_u8(at)),
        2 => u64::from(mem.load_u16(at)),
        4 => u64::from(mem.load_u32(at)),
        _ => mem.load_u64(at),
    }
}

fn store_bits(mem: Memory<'_>, size: u32, at: u32, bits: u64) {
    match size {
        1 => mem.store_u8(at, bits as u8),
        2 => mem.store_u16(at, bits as u16),
        4 => mem.store_u32(at, bits as u32),
        _ => mem.store_u64(at, bits),
    }
}

fn swap(bits: u64, size: u32) -> u64 {
    bits.swap_bytes() >> (64 - size * 8)
}

/// An element's number; types of big integers never come here.
fn number_of(kind: u32, bits: u64) -> Value {
    match kind {
        0 => Value::int(i32::from(bits as i8)),
        1 | 2 => Value::int(i32::from(bits as u8)),
        3 => Value::int(i32::from(bits as i16)),
        4 => Value::int(i32::from(bits as u16)),
        5 => Value::int(bits as i32),
        6 => Value::unsigned(bits as u32),
        7 => Value::number(f64::from(f32::from_bits(bits as u32))),
        _ => Value::number(f64::from_bits(bits)),
    }
}

fn value_of(vm: &mut Vm<'_>, kind: u32, bits: u64) -> Result<Value> {
    if kind < BIG {
        return Ok(number_of(kind, bits));
    }
    let negative = kind == BIG && (bits as i64) < 0;
    let magnitude = if negative { bits.wrapping_neg() } else { bits };
    let cell = vm.heap.allocate(Kind::BigInt, 16, u32::from(magnitude != 0))?;
    vm.heap.mem.store_u64(cell + 8, magnitude);
    if negative {
        vm.heap.set_flags(cell, flag::NEGATIVE);
    }
    Ok(Value::bigint(cell))
}

/// What a number (or big integer) becomes as an element.
fn bits_of(vm: &Vm<'_>, kind: u32, value: Value) -> u64 {
    if kind >= BIG {
        return if value.is_bigint() { big_bits(vm, value.payload()) } else { 0 };
    }
    number_bits(kind, value.as_number().unwrap_or(f64::NAN))
}

fn number_bits(kind: u32, n: f64) -> u64 {
    match kind {
        2 => u64::from(if n.is_nan() { 0 } else { n.clamp(0.0, 255.0).round_ties_even() as u8 }),
        0..=6 => u64::from(to_int32(n) as u32),
        7 => u64::from((n as f32).to_bits()),
        _ => n.to_bits(),
    }
}

/// A big integer modulo 2^64.
fn big_bits(vm: &Vm<'_>, cell: u32) -> u64 {
    let low = if vm.heap.high(cell) == 0 { 0 } else { vm.heap.mem.load_u64(cell + 8) };
    if vm.heap.flags(cell) & flag::NEGATIVE != 0 { low.wrapping_neg() } else { low }
}

/// Element `index` of a typed array of numbers; none for big integers (which need room) and outside.
#[inline]
pub(crate) fn get(vm: &Vm<'_>, array: u32, index: u32) -> Option<Value> {
    let view = view(vm, array)?;
    if index >= view.length || view.kind >= BIG {
        return None;
    }
    Some(number_of(view.kind, load_bits(vm.heap.mem, view.size, view.at(index))))
}

/// Element `index` of any typed array.
pub(crate) fn element(vm: &mut Vm<'_>, array: u32, index: u32) -> Result<Option<Value>> {
    match view(vm, array) {
        Some(view) if index < view.length => {
            let bits = load_bits(vm.heap.mem, view.size, view.at(index));
            value_of(vm, view.kind, bits).map(Some)
        }
        _ => Ok(None),
    }
}

/// Is there an element `index`?
pub(crate) fn has(vm: &Vm<'_>, array: u32, index: u32) -> bool {
    view(vm, array).is_some_and(|view| index < view.length)
}

/// A copy of the bytes that a typed array shows; none of a detached one.
pub(crate) fn read(vm: &Vm<'_>, array: u32) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(view) = view(vm, array) {
        vm.heap.mem.read(view.data, view.length * view.size, &mut out);
    }
    out
}

/// A new Uint8Array that holds these bytes.
pub(crate) fn of_bytes(vm: &mut Vm<'_>, bytes: &[u8]) -> Result<Value> {
    const UINT8: u32 = 1;
    if bytes.len() > vm.heap.cap as usize {
        return vm.range_error("Array buffer allocation failed");
    }
    vm.charge(bytes.len() as u64 / 64)?;
    let length = bytes.len() as u32;
    let proto = vm.realm_cell(Realm::ARRAY_BUFFER_PROTOTYPE);
    let shape = vm.heap.root_shape(proto, Kind::ArrayBuffer, 0)?;
    let data = vm.heap.raw(length)?;
    vm.heap.mem.write(data + 8, bytes);
    let buffer = vm.heap.object(Kind::ArrayBuffer, shape)?;
    vm.heap.set_value(buffer + 16, Value::object(data));
    vm.heap.mem.store_u32(buffer + 24, length);
    vm.heap.mem.store_u32(buffer + 28, TRACKS);
    let proto = vm.realm_cell(Realm::UINT8_PROTOTYPE);
    let shape = vm.heap.root_shape(proto, Kind::TypedArray, 0)?;
    let array = vm.heap.object(Kind::TypedArray, shape)?;
    vm.heap.set_value(array + 16, Value::object(buffer));
    vm.heap.mem.store_u32(array + 24, 0);
    vm.heap.mem.store_u32(array + 28, length);
    vm.heap.mem.store_u32(array + 32, UINT8);
    vm.heap.set_flags(array, flag::EXOTIC);
    Ok(Value::object(array))
}

/// The bytes of an array buffer, or of what a typed array or data view shows of one.
pub(crate) fn bytes_of(vm: &Vm<'_>, value: Value) -> Option<Vec<u8>> {
    if vm.heap.is_kind(value, Kind::TypedArray) {
        return Some(read(vm, value.payload()));
    }
    let (data, size) = bytes(vm, value)?;
    let mut out = Vec::new();
    vm.heap.mem.read(data, size, &mut out);
    Some(out)
}

/// Writes bytes at a typed array's start, as many as it has room for.
pub(crate) fn write(vm: &Vm<'_>, array: u32, bytes: &[u8]) {
    if let Some(view) = view(vm, array) {
        let room = bytes.len().min((view.length * view.size) as usize);
        vm.heap.mem.write(view.data, &bytes[..room]);
    }
}

/// The name of a typed array's class.
pub(crate) fn name_of(vm: &Vm<'_>, array: u32) -> &'static str {
    NAMES[type_of(vm, array) as usize]
}

/// How many elements there are now.
pub(crate) fn length(vm: &Vm<'_>, array: u32) -> u32 {
    view(vm, array).map_or(0, |view| view.length)
}

#[inline]
pub(crate) fn set(vm: &mut Vm<'_>, array: u32, index: u32, value: Value) -> bool {
    let Some(view) = view(vm, array) else { return false };
    if index >= view.length || if view.kind >= BIG { !value.is_bigint() } else { !value.is_number() } {
        return false;
    }
    let bits = bits_of(vm, view.kind, value);
    store_bits(vm.heap.mem, view.size, view.at(index), bits);
    true
}

pub(crate) fn is_big(vm: &Vm<'_>, array: u32) -> bool {
    type_of(vm, array) >= BIG
}

/// (buffer, length): at most its largest length.
fn resize(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let buffer = a.get(vm, 0);
    let Some((data, old)) = bytes(vm, buffer) else { return Ok(Value::UNDEFINED) };
    let new = index(vm, a, 1);
    let cell = buffer.payload();
    if new > vm.heap.high(data - 8) {
        vm.charge(u64::from(new) / 128)?;
        let fresh = vm.heap.raw(new)?;
        vm.heap.mem.copy(data, fresh + 8, old);
        vm.heap.set_value(cell + 16, Value::object(fresh));
    } else if new < old {
        // What comes back when it grows again is zero.
        vm.charge(u64::from(old - new) / 128)?;
        for at in data + new..data + old {
            vm.heap.mem.store_u8(at, 0);
        }
    }
    vm.heap.mem.store_u32(cell + 24, new);
    Ok(Value::UNDEFINED)
}

/// (target, at, source, from, count): elements of one typed array to another, converted. Both hold numbers or both big integers.
fn copy(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let (target, source) = (a.get(vm, 0).payload(), a.get(vm, 2).payload());
    let (Some(to), Some(mut from)) = (view(vm, target), view(vm, source)) else { return Ok(Value::UNDEFINED) };
    let (at, start) = (index(vm, a, 1).min(to.length), index(vm, a, 3).min(from.length));
    let count = index(vm, a, 4).min(to.length - at).min(from.length - start);
    if to.kind == from.kind {
        vm.charge(u64::from(count) * u64::from(to.size) / 256)?;
        vm.heap.mem.copy(from.at(start), to.at(at), count * to.size);
        return Ok(Value::UNDEFINED);
    }
    vm.charge(u64::from(count) / 8)?;
    from.data = from.at(start);
    if vm.heap.value(target + 16) == vm.heap.value(source + 16) {
        // Of one buffer: what is written must not be read.
        let clone = vm.heap.raw(count * from.size)?;
        vm.heap.mem.copy(from.data, clone + 8, count * from.size);
        from.data = clone + 8;
    }
    let mem = vm.heap.mem;
    for i in 0..count {
        let bits = load_bits(mem, from.size, from.at(i));
        let bits = if to.kind >= BIG { bits } else { number_bits(to.kind, number_of(from.kind, bits).as_number().unwrap_or(0.0)) };
        store_bits(mem, to.size, to.at(at + i), bits);
    }
    Ok(Value::UNDEFINED)
}

/// An element's place in the default order: -0 before 0, NaN last.
fn order(kind: u32, bits: u64) -> u64 {
    let signed = |n: i64| (n as u64) ^ 1 << 63;
    let float = |n: f64| {
        let bits = n.to_bits();
        if n.is_nan() {
            u64::MAX
        } else if bits >> 63 == 1 {
            !bits
        } else {
            bits | 1 << 63
        }
    };
    match kind {
        0 => signed(i64::from(bits as i8)),
        3 => signed(i64::from(bits as i16)),
        5 => signed(i64::from(bits as i32)),
        7 => float(f64::from(f32::from_bits(bits as u32))),
        8 => float(f64::from_bits(bits)),
        9 => signed(bits as i64),
        _ => bits,
    }
}

/// Sorts in place by the default order. A heap sort: no room, no worst case; equal elements cannot be told apart.
fn sort(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let Some(view) = view(vm, a.get(vm, 0).payload()) else { return Ok(Value::UNDEFINED) };
    let count = view.length;
    vm.charge(u64::from(count) * u64::from(count.max(2).ilog2()) / 4)?;
    let mem = vm.heap.mem;
    let load = |i: u32| load_bits(mem, view.size, view.at(i));
    let store = |i: u32, bits: u64| store_bits(mem, view.size, view.at(i), bits);
    let sift = |mut root: u32, end: u32| {
        let moved = load(root);
        let key = order(view.kind, moved);
        loop {
            let mut child = match root.checked_mul(2) {
                Some(twice) if twice + 1 < end => twice + 1,
                _ => break,
            };
            let mut largest = load(child);
            if child + 1 < end {
                let right = load(child + 1);
                if order(view.kind, right) > order(view.kind, largest) {
                    child += 1;
                    largest = right;
                }
            }
            if order(view.kind, largest) <= key {
                break;
            }
            store(root, largest);
            root = child;
        }
        store(root, moved);
    };
    for root in (0..count / 2).rev() {
        sift(root, count);
    }
    for end in (1..count).rev() {
        let (first, last) = (load(0), load(end));
        store(0, last);
        store(end, first);
        sift(0, end);
    }
    Ok(Value::UNDEFINED)
}

/// (array, x, from, mode): index of x or -1; mode 0 from `from` on, 1 from `from` down, 2 as 0 and NaN equals itself.
fn search(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let nothing = Ok(Value::int(-1));
    let Some(view) = view(vm, a.get(vm, 0).payload()) else { return nothing };
    let (x, from, mode) = (a.get(vm, 1), index(vm, a, 2), index(vm, a, 3));
    let mem = vm.heap.mem;
    vm.charge(u64::from(view.length) / 16)?;
    let find = |matches: &dyn Fn(u64) -> bool| {
        let hit = |&i: &u32| matches(load_bits(mem, view.size, view.at(i)));
        let found = if mode == 1 {
            if view.length == 0 { None } else { (0..=from.min(view.length - 1)).rev().find(hit) }
        } else {
            (from..view.length).find(hit)
        };
        Ok(found.map_or(Value::int(-1), Value::unsigned))
    };
    if view.kind >= BIG {
        if !x.is_bigint() {
            return nothing;
        }
        let cell = x.payload();
        let bits = big_bits(vm, cell);
        let negative = vm.heap.flags(cell) & flag::NEGATIVE != 0;
        let fits = vm.heap.high(cell) <= 1 && if view.kind == BIG { negative == ((bits as i64) < 0) || bits == 0 } else { !negative };
        return if fits { find(&|other| other == bits) } else { nothing };
    }
    match x.as_number() {
        None => nothing,
        Some(n) if n.is_nan() => {
            if mode == 2 {
                find(&|bits| number_of(view.kind, bits) == Value::NAN)
            } else {
                nothing
            }
        }
        Some(n) => find(&|bits| number_of(view.kind, bits).as_number() == Some(n)),
    }
}
