//! Map and Set: insertion-ordered hash tables.
//!
//! A Hash cell (high half: capacity C, a power of two): used u32, live u32; successor u32 (the table that replaced this one,
//! for iterators), cleared u32; C entries of (key, value, link u32, hash u32); C buckets u32 (entry + 1). A deleted entry's key
//! is a hole. The collector takes the entries of dead keys out of weak ones (see `heap::collect`); the targets of weak references
//! go only between two turns of the guest.

use std::ops::Range;

use super::{Leaf, Native};
use crate::heap::{Heap, Kind, Result, Signal};
use crate::value::Value;
use crate::vm::Vm;

const KINDS: [Kind; 6] = [Kind::Map, Kind::Set, Kind::WeakMap, Kind::WeakSet, Kind::WeakRef, Kind::FinalizationRegistry];

const fn leaf(name: &'static str, leaf: Leaf) -> Native {
    Native { target: "", name, length: 0, convert: "", leaf }
}

pub(super) const NATIVES: &[Native] = &[
    leaf("newHash", |vm, a| {
        // (prototype, kind): 0 Map, 1 Set, 2 WeakMap, 3 WeakSet; 4 WeakRef, 5 FinalizationRegistry: given what is in the field
        let proto = vm.object_cell(a.get(vm, 0))?;
        let kind = KINDS[a.get(vm, 1).as_int().unwrap_or(0) as usize % 6];
        let shape = vm.heap.root_shape(proto, kind, 0)?;
        let value = if matches!(kind, Kind::WeakRef | Kind::FinalizationRegistry) {
            a.get(vm, 2)
        } else {
            Value::object(new_table(&mut vm.heap, 4)?)
        };
        let object = vm.heap.object(kind, shape)?;
        vm.heap.set_value(object + 16, value);
        Ok(Value::object(object))
    }),
    leaf("isHash", |vm, a| {
        let kind = KINDS[a.get(vm, 1).as_int().unwrap_or(0) as usize % 6];
        Ok(Value::boolean(vm.heap.is_kind(a.get(vm, 0), kind)))
    }),
    leaf("setRegistries", |vm, a| {
        let list = a.get(vm, 0);
        vm.set_realm(crate::vm::Realm::REGISTRIES, list);
        Ok(Value::UNDEFINED)
    }),
    leaf("weakPass", |vm, _| {
        // Between two turns: collects if much was allocated since the last time. True (once) when weak references may have died.
        if vm.heap.cleared {
            vm.heap.cleared = false;
            return Ok(Value::TRUE);
        }
        if vm.heap.top < vm.heap.threshold / 4 * 3 {
            return Ok(Value::FALSE);
        }
        vm.heap.clear_references = true;
        Err(Signal::Collect(16))
    }),
    leaf("hashGet", |vm, a| {
        let key = a.get(vm, 1);
        let table = table(vm, a.get(vm, 0));
        Ok(match find(vm, table, key)? {
            Some(entry) => vm.heap.value(entry + 8),
            None => Value::UNDEFINED,
        })
    }),
    leaf("hashHas", |vm, a| {
        let key = a.get(vm, 1);
        let table = table(vm, a.get(vm, 0));
        Ok(Value::boolean(find(vm, table, key)?.is_some()))
    }),
    leaf("hashSet", |vm, a| {
        let (map, mut key, value) = (a.get(vm, 0), a.get(vm, 1), a.get(vm, 2));
        if key.as_number() == Some(0.0) {
            key = Value::ZERO;
        }
        let mut cell = table(vm, map);
        if let Some(entry) = find(vm, cell, key)? {
            vm.heap.set_value(entry + 8, value);
            return Ok(map);
        }
        let hash = hash(vm, key)?;
        if vm.heap.mem.load_u32(cell + 8) >= vm.heap.high(cell) {
            let live = vm.heap.mem.load_u32(cell + 12);
            cell = rebuild(vm, map.payload(), cell, (live * 2).max(4).next_power_of_two())?;
        }
        append(&vm.heap, cell, key, value, hash);
        Ok(map)
    }),
    leaf("hashDelete", |vm, a| {
        let key = a.get(vm, 1);
        let cell = table(vm, a.get(vm, 0));
        let Some(entry) = find(vm, cell, key)? else { return Ok(Value::FALSE) };
        vm.heap.set_value(entry, Value::HOLE);
        vm.heap.set_value(entry + 8, Value::UNDEFINED);
        let live = vm.heap.mem.load_u32(cell + 12);
        vm.heap.mem.store_u32(cell + 12, live.saturating_sub(1));
        Ok(Value::TRUE)
    }),
    leaf("hashClear", |vm, a| {
        let map = a.get(vm, 0).payload();
        let old = table(vm, a.get(vm, 0));
        let new = new_table(&mut vm.heap, 4)?;
        vm.heap.mem.store_u32(old + 16, new);
        vm.heap.mem.store_u32(old + 20, 1);
        vm.heap.set_value(map + 16, Value::object(new));
        Ok(Value::UNDEFINED)
    }),
    leaf("hashSize", |vm, a| {
        let cell = table(vm, a.get(vm, 0));
        Ok(Value::unsigned(vm.heap.mem.load_u32(cell + 12)))
    }),
    leaf("hashTable", |vm, a| Ok(Value::object(table(vm, a.get(vm, 0))))),
    leaf("hashStep", |vm, a| {
        // (iterator): moves an iterator (fields: table or undefined, index) to its next entry; false at the end. The entry's key
        // and value are read by hashKey and hashValue.
        let iterator = a.get(vm, 0).payload();
        let Some((cell, left)) = place(vm, iterator) else { return Ok(Value::FALSE) };
        let (mut index, used) = (left.start, left.end);
        while index < used && vm.heap.value(cell + 24 + index * 24).is_hole() {
            index += 1;
            vm.heap.debt += 1;
        }
        if index >= used {
            vm.heap.set_value(iterator + 16, Value::UNDEFINED);
            return Ok(Value::FALSE);
        }
        vm.heap.set_value(iterator + 16, Value::object(cell));
        vm.heap.set_value(iterator + 24, Value::int(index as i32 + 1));
        Ok(Value::TRUE)
    }),
    leaf("hashKey", |vm, a| entry_part(vm, a.get(vm, 0), 0)),
    leaf("hashValue", |vm, a| entry_part(vm, a.get(vm, 0), 8)),
];

/// The table that an iterator goes on in, and the indices of the entries to look at; None at its end.
fn place(vm: &mut Vm<'_>, iterator: u32) -> Option<(u32, Range<u32>)> {
    let held = vm.heap.value(iterator + 16);
    if !held.is_object_cell() {
        return None;
    }
    let mut cell = held.payload();
    let mut index = vm.heap.value(iterator + 24).as_int().unwrap_or(0) as u32;
    // Follow the tables that replaced this one; a corrupted heap can hold them in a circle.
    for _ in 0..=vm.heap.top / 16 {
        let next = vm.heap.mem.load_u32(cell + 16);
        if next == 0 {
            break;
        }
        if vm.heap.mem.load_u32(cell + 20) == 1 {
            index = 0;
        } else {
            let gone = (0..index.min(vm.heap.high(cell))).filter(|&i| vm.heap.value(cell + 24 + i * 24).is_hole()).count() as u32;
            vm.heap.debt += u64::from(index / 16);
            index -= gone;
        }
        cell = next;
        vm.heap.debt += 1;
    }
    let used = vm.heap.mem.load_u32(cell + 8).min(vm.heap.high(cell)).min(vm.heap.top / 8);
    Some((cell, index..used))
}

/// The entries that an iterator has not come to yet: how many, and the first `most`.
pub(crate) fn entries_left(vm: &mut Vm<'_>, iterator: u32, most: usize) -> (usize, Vec<(Value, Value)>) {
    let Some((cell, indices)) = place(vm, iterator) else { return (0, Vec::new()) };
    let entry = |i: u32| (vm.heap.value(cell + 24 + i * 24), vm.heap.value(cell + 32 + i * 24));
    let left = || indices.clone().map(entry).filter(|(key, _)| !key.is_hole());
    (left().count(), left().take(most).collect())
}

/// Part of the entry that the iterator is on.
fn entry_part(vm: &mut Vm<'_>, iterator: Value, part: u32) -> Result<Value> {
    let cell = vm.heap.value(iterator.payload() + 16).payload();
    let index = vm.heap.value(iterator.payload() + 24).as_int().unwrap_or(1) as u32 - 1;
    Ok(vm.heap.value(cell + 24 + index * 24 + part))
}

fn table(vm: &Vm<'_>, map: Value) -> u32 {
    vm.heap.value(map.payload() + 16).payload()
}

fn new_table(heap: &mut Heap<'_>, capacity: u32) -> Result<u32> {
    let cell = heap.allocate_slow(Kind::Hash, 24 + u64::from(capacity) * 28, capacity)?;
    heap.mem.store_u64(cell + 8, 0);
    heap.mem.store_u64(cell + 16, 0);
    heap.debt += u64::from(capacity / 8);
    heap.mem.fill(cell + 24 + capacity * 24, capacity.div_ceil(2), 0);
    Ok(cell)
}

/// SameValueZero's hash.
fn hash(vm: &mut Vm<'_>, key: Value) -> Result<u32> {
    if key.is_string() {
        return vm.heap.string_hash(key.payload());
    }
    let bits = if let Some(n) = key.as_number() {
        if n == 0.0 { 0 } else { n.to_bits() }
    } else if key.is_bigint() {
        let big = vm.heap.bigint_value(key.payload());
        use dashu_int::ops::BitTest;
        big.bit_len() as u64 + u64::try_from(&(big & dashu_int::IBig::from(u32::MAX))).unwrap_or(0)
    } else if key.is_symbol() {
        u64::from(vm.heap.name_hash(key.payload()))
    } else {
        key.0
    };
    let mixed = bits.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Ok((mixed >> 32) as u32)
}

fn find(vm: &mut Vm<'_>, cell: u32, key: Value) -> Result<Option<u32>> {
    let capacity = vm.heap.high(cell);
    if capacity == 0 || !vm.heap.is(cell, Kind::Hash) {
        return Ok(None);
    }
    let hash = hash(vm, key)?;
    let mut link = vm.heap.mem.load_u32(cell + 24 + capacity * 24 + (hash & (capacity - 1)) * 4);
    let mut steps = 0;
    while link != 0 && link <= capacity && steps <= capacity {
        let entry = cell + 24 + (link - 1) * 24;
        if vm.heap.mem.load_u32(entry + 20) == hash {
            let other = vm.heap.value(entry);
            if other == key || !other.is_hole() && crate::interpret::strictly_equal(vm, other, key)? {
                return Ok(Some(entry));
            }
        }
        link = vm.heap.mem.load_u32(entry + 16);
        steps += 1;
    }
    vm.heap.debt += u64::from(steps / 8);
    Ok(None)
}

/// Appends an entry to a table with room.
fn append(heap: &Heap<'_>, cell: u32, key: Value, value: Value, hash: u32) {
    let capacity = heap.high(cell);
    let used = heap.mem.load_u32(cell + 8);
    let entry = cell + 24 + used * 24;
    let bucket = cell + 24 + capacity * 24 + (hash & (capacity - 1)) * 4;
    heap.set_value(entry, key);
    heap.set_value(entry + 8, value);
    heap.mem.store_u32(entry + 16, heap.mem.load_u32(bucket));
    heap.mem.store_u32(entry + 20, hash);
    heap.mem.store_u32(bucket, used + 1);
    heap.mem.store_u32(cell + 8, used + 1);
    heap.mem.store_u32(cell + 12, heap.mem.load_u32(cell + 12) + 1);
}

/// A new table without the deleted entries; the old one points to it.
fn rebuild(vm: &mut Vm<'_>, map: u32, old: u32, capacity: u32) -> Result<u32> {
    let new = new_table(&mut vm.heap, capacity)?;
    let used = vm.heap.mem.load_u32(old + 8).min(vm.heap.high(old));
    vm.heap.debt += u64::from(used / 4);
    for i in 0..used {
        let entry = old + 24 + i * 24;
        let key = vm.heap.value(entry);
        if !key.is_hole() {
            append(&vm.heap, new, key, vm.heap.value(entry + 8), vm.heap.mem.load_u32(entry + 20));
        }
    }
    vm.heap.mem.store_u32(old + 16, new);
    vm.heap.set_value(map + 16, Value::object(new));
    Ok(new)
}

/// How many entries a map or set has, and the first `most` of them.
pub(crate) fn entries(vm: &Vm<'_>, object: u32, most: usize) -> (usize, Vec<(Value, Value)>) {
    let cell = table(vm, Value::object(object));
    let used = vm.heap.mem.load_u32(cell + 8).min(vm.heap.high(cell)).min(vm.heap.top / 8);
    let entry = |i: u32| (vm.heap.value(cell + 24 + i * 24), vm.heap.value(cell + 32 + i * 24));
    let list = (0..used).map(entry).filter(|(key, _)| !key.is_hole()).take(most).collect();
    (vm.heap.mem.load_u32(cell + 12) as usize, list)
}
