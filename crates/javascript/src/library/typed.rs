//! Typed arrays' elements.
//!
//! Fields of a typed array: buffer object (value), first byte u32, length u32 (elements; `u32::MAX`: follows the buffer),
//! type u32. Fields of a buffer: data (a Raw cell as value, undefined when detached), length in bytes (value).

use crate::heap::Kind;
use crate::value::{Value, to_int32};
use crate::vm::Vm;

/// Bytes of an element by type number: Int8, Uint8, Uint8Clamped, Int16, Uint16, Int32, Uint32, Float32, Float64, BigInt64, BigUint64.
pub(crate) const SIZES: [u32; 11] = [1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8];

/// Where element `index` lies, and its type.
fn place(vm: &Vm<'_>, array: u32, index: u32) -> Option<(u32, u32)> {
    let buffer = vm.heap.value(array + 16);
    if !vm.heap.is_kind(buffer, Kind::ArrayBuffer) {
        return None;
    }
    let start = vm.heap.mem.load_u32(array + 24);
    let length = vm.heap.mem.load_u32(array + 28);
    let kind = vm.heap.mem.load_u32(array + 32);
    if index >= length || kind as usize >= SIZES.len() {
        return None;
    }
    let data = vm.heap.value(buffer.payload() + 16);
    let bytes = vm.heap.mem.load_u32(buffer.payload() + 24);
    let size = SIZES[kind as usize];
    let at = u64::from(start) + u64::from(index) * u64::from(size);
    if !data.is_object_cell() || at + u64::from(size) > u64::from(bytes) {
        return None;
    }
    Some((data.payload() + 8 + at as u32, kind))
}

pub(crate) fn get(vm: &mut Vm<'_>, array: u32, index: u32) -> Option<Value> {
    let (at, kind) = place(vm, array, index)?;
    let mem = vm.heap.mem;
    Some(match kind {
        0 => Value::int(i32::from(mem.load_u8(at) as i8)),
        1 | 2 => Value::int(i32::from(mem.load_u8(at))),
        3 => Value::int(i32::from(mem.load_u16(at) as i16)),
        4 => Value::int(i32::from(mem.load_u16(at))),
        5 => Value::int(mem.load_u32(at) as i32),
        6 => Value::unsigned(mem.load_u32(at)),
        7 => Value::number(f64::from(f32::from_bits(mem.load_u32(at)))),
        8 => Value::number(f64::from_bits(mem.load_u64(at))),
        _ => {
            let bits = mem.load_u64(at);
            let n = if kind == 9 { dashu_int::IBig::from(bits as i64) } else { dashu_int::IBig::from(bits) };
            Value::bigint(vm.heap.bigint(&n).ok()?)
        }
    })
}

pub(crate) fn set(vm: &mut Vm<'_>, array: u32, index: u32, value: Value) -> bool {
    let Some((at, kind)) = place(vm, array, index) else { return false };
    if kind >= 9 {
        if !value.is_bigint() {
            return false;
        }
        let n = vm.heap.bigint_value(value.payload());
        let low = n & dashu_int::IBig::from(u64::MAX);
        vm.heap.mem.store_u64(at, u64::try_from(&low).unwrap_or(0));
        return true;
    }
    let Some(n) = value.as_number() else { return false };
    let mem = vm.heap.mem;
    match kind {
        0 | 1 => mem.store_u8(at, to_int32(n) as u8),
        2 => mem.store_u8(at, if n.is_nan() { 0 } else { n.clamp(0.0, 255.0).round_ties_even() as u8 }),
        3 | 4 => mem.store_u16(at, to_int32(n) as u16),
        5 | 6 => mem.store_u32(at, to_int32(n) as u32),
        7 => mem.store_u32(at, (n as f32).to_bits()),
        _ => mem.store_u64(at, n.to_bits()),
    }
    true
}

pub(crate) fn is_big(vm: &Vm<'_>, array: u32) -> bool {
    vm.heap.mem.load_u32(array + 32) >= 9
}
