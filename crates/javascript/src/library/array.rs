//! Leaves of arrays: what sorting and the methods that call functions take natively.

use super::shortcut::{plain, species_is_plain};
use super::{Arguments, Native};
use crate::heap::{Kind, Result};
use crate::value::Value;
use crate::vm::{Realm, Vm};

const fn leaf(name: &'static str, leaf: super::Leaf) -> Native {
    Native { target: "", name, length: 0, convert: "", leaf }
}

pub(super) const NATIVES: &[Native] = &[
    leaf("keepArrayValues", |vm, a| {
        let value = a.get(vm, 0);
        vm.set_realm(Realm::ARRAY_VALUES_CHECK, value);
        Ok(Value::UNDEFINED)
    }),
    leaf("hasPlainSpecies", |vm, a| {
        // Would ArraySpeciesCreate of this just make an array, unseen by anybody?
        let list = a.get(vm, 0);
        Ok(Value::boolean(plain(vm, list).is_some() && species_is_plain(vm)))
    }),
    leaf("sortList", sort_list),
    leaf("sortStore", sort_store),
    leaf("dropUndefined", drop_undefined),
    leaf("sortEnd", sort_end),
    leaf("sortPlain", sort_plain),
];

/// (object, length): the elements of a plain array of that length in a new list, its holes left out; undefined for any other object.
fn sort_list(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let length = a.get(vm, 1).as_index();
    let Some(array) = plain(vm, a.get(vm, 0)).filter(|&array| Some(vm.heap.array_length(array)) == length) else {
        return Ok(Value::UNDEFINED);
    };
    let elements = vm.heap.elements(array);
    let count = vm.heap.array_length(array).min(vm.heap.high(elements));
    vm.charge(u64::from(count / 16))?;
    let shape = vm.realm_cell(Realm::ARRAY_SHAPE);
    let list = vm.heap.array(shape, count)?;
    let target = vm.heap.elements(list);
    let mut out = 0;
    for i in 0..count {
        let value = vm.heap.value(elements + 8 + i * 8);
        if !value.is_hole() {
            vm.heap.set_value(target + 8 + out * 8, value);
            out += 1;
        }
    }
    vm.heap.set_array_length_field(list, out);
    Ok(Value::object(list))
}

/// (object, sorted list, length): stores them in a plain array of that length, with holes behind; false for any other object.
fn sort_store(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let (length, list) = (a.get(vm, 2).as_index(), a.get(vm, 1));
    let array = plain(vm, a.get(vm, 0)).filter(|&array| Some(vm.heap.array_length(array)) == length);
    let (Some(array), true) = (array, vm.heap.is_kind(list, Kind::Array)) else { return Ok(Value::FALSE) };
    let (target, source) = (vm.heap.elements(array), vm.heap.elements(list.payload()));
    let (room, count) = (vm.heap.high(target), vm.heap.array_length(list.payload()).min(vm.heap.high(source)));
    if count > room.min(vm.heap.array_length(array)) {
        return Ok(Value::FALSE);
    }
    vm.charge(u64::from(count / 32))?;
    vm.heap.mem.copy(source + 8, target + 8, count * 8);
    let end = vm.heap.array_length(array).min(room);
    vm.heap.mem.fill(target + 8 + count * 8, end - count, Value::HOLE.0);
    Ok(Value::TRUE)
}

/// (list): moves what is not undefined to the front; how many those are.
fn drop_undefined(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let list = a.get(vm, 0).payload();
    let elements = vm.heap.elements(list);
    let length = vm.heap.array_length(list).min(vm.heap.high(elements));
    vm.charge(u64::from(length / 32))?;
    let mut count = 0;
    for i in 0..length {
        let value = vm.heap.value(elements + 8 + i * 8);
        if !value.is_undefined() {
            vm.heap.set_value(elements + 8 + count * 8, value);
            count += 1;
        }
    }
    Ok(Value::unsigned(count))
}

/// (list, count, length): what lies behind the sorted elements is undefined; the list.
fn sort_end(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let (list, count, length) = (a.get(vm, 0), a.get(vm, 1).payload(), a.get(vm, 2).payload());
    let elements = vm.heap.elements(list.payload());
    let length = length.min(vm.heap.high(elements));
    vm.charge(u64::from(length.saturating_sub(count) / 32))?;
    vm.heap.mem.fill(elements + 8 + count.min(length) * 8, length.saturating_sub(count), Value::UNDEFINED.0);
    vm.heap.set_array_length_field(list.payload(), length);
    Ok(list)
}

/// (from, to, count): sorts strings by their units; the list that holds them, undefined if not all are strings.
///
/// Strings that are equal cannot be told apart, so that a sort which stops and runs again ends the same.
fn sort_plain(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let (mut from, mut to, count) = (a.get(vm, 0), a.get(vm, 1), a.get(vm, 2).payload());
    let room = |vm: &Vm<'_>, list: Value| vm.heap.high(vm.heap.elements(list.payload()));
    let count = count.min(room(vm, from)).min(room(vm, to));
    let mut units = 0;
    for i in 0..count {
        let text = vm.heap.dense(from.payload(), i);
        if !text.is_string() {
            return Ok(Value::UNDEFINED);
        }
        // Flat from here on: comparing allocates nothing.
        units += u64::from(vm.heap.flat(text.payload())?.length);
    }
    let levels = u64::from(u32::BITS - count.leading_zeros());
    vm.charge(levels.saturating_mul(u64::from(count) + units / 16) / 2)?;
    let mut width = 1;
    while width < count {
        let (source, target) = (vm.heap.elements(from.payload()) + 8, vm.heap.elements(to.payload()) + 8);
        let mut start = 0;
        while start < count {
            let middle = start.saturating_add(width).min(count);
            let end = middle.saturating_add(width).min(count);
            let (mut i, mut j) = (start, middle);
            for out in start..end {
                let take_high = i >= middle
                    || j < end && {
                        let (x, y) = (vm.heap.value(source + i * 8), vm.heap.value(source + j * 8));
                        vm.heap.flat_order(y.payload(), x.payload())?.is_lt()
                    };
                let next = if take_high { &mut j } else { &mut i };
                vm.heap.set_value(target + out * 8, vm.heap.value(source + *next * 8));
                *next += 1;
            }
            start = end;
        }
        std::mem::swap(&mut from, &mut to);
        width = width.saturating_mul(2);
    }
    Ok(from)
}
