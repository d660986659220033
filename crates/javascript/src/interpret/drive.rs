//! Loops of the library that call a function of the guest's at every turn, as one instruction each: array methods and sorting.
//!
//! Such an instruction is its own return address: the callee's result arrives in a register of its state, it runs again, takes the
//! result, and calls for the next turn. All of its state lies in registers, so that it stops and goes on like any other.

use memory::Registers;

use super::call::push_plain;
use super::{a, b, c, enter, op, slow, step};
use crate::bytecode::{each, frame, sort};
use crate::heap::memory::Memory;
use crate::heap::{Kind, Result, flag};
use crate::library::Helper;
use crate::value::Value;
use crate::vm::{Entry, Realm, Vm};

/// Stores a dense element that has its place already; false if it has none.
#[inline(always)]
fn store_dense(mem: Memory<'_>, array: u32, index: u32, value: u64) -> bool {
    let elements = mem.own_u32(array + 12);
    let header = mem.own_u64(elements);
    if header as u8 == Kind::Elements as u8 && index < (header >> 32) as u32 {
        mem.set_own_u64(elements + 8 + index * 8, value);
        return true;
    }
    false
}

// --- Sorting --------------------------------------------------------------------------------------------

op!(SortRuns(vm, regs, code, pc, state, word) {
    let own = state_window(vm, word);
    let (mut i, mut j) = (own.get(sort::LOW) as u32, own.get(sort::HIGH) as u32);
    let from = own.get(sort::FROM) as u32;
    let result = Value(own.get(sort::RESULT));
    if !result.is_uninitialised() {
        let greater = if result.is_int() {
            result.as_int_unchecked() > 0
        } else if result.is_double() {
            result.as_double_unchecked() > 0.0
        } else {
            return slow(vm, regs, code, state, word, sort_slow);
        };
        let value = vm.heap.dense(from, if greater { j } else { i });
        let out = own.get(sort::OUT) as u32;
        store_dense(vm.heap.mem, own.get(sort::TO) as u32, out, value.0);
        own.set(sort::OUT, Value::int(out.wrapping_add(1) as i32).0);
        j = j.wrapping_add(u32::from(greater));
        i = i.wrapping_add(u32::from(!greater));
        own.set(sort::HIGH, Value::int(j as i32).0);
        own.set(sort::LOW, Value::int(i as i32).0);
        own.set(sort::RESULT, Value::UNINITIALISED.0);
    }
    if i < own.get(sort::MIDDLE) as u32 && j < own.get(sort::END) as u32 {
        own.set(sort::WINDOW + frame::ARGUMENTS, vm.heap.dense(from, i).0);
        own.set(sort::WINDOW + frame::ARGUMENTS + 1, vm.heap.dense(from, j).0);
        let callee = Value(own.get(sort::COMPARE));
        own.set(sort::WINDOW + frame::CALLEE, callee.0);
        own.set(sort::WINDOW + frame::THIS, Value::UNDEFINED.0);
        let to = b(word).wrapping_add(sort::RESULT);
        if let Some((inner, inside, target)) = push_plain(vm, callee, Entry::Call, b(word).wrapping_add(sort::WINDOW), 2, pc, to) {
            return enter(vm, inner, inside, state, target);
        }
    }
    slow(vm, regs, code, state, word, sort_slow)
});

/// The registers of the state of an instruction.
#[inline(always)]
fn state_window<'a>(vm: &Vm<'a>, word: u32) -> Registers<'a> {
    vm.heap.mem.window(vm.fp.wrapping_add(u32::from(b(word)) * 8))
}

/// Everything but a comparison by a plain function: a result that is no number, the next pair of runs, a comparison by something else.
fn sort_slow(vm: &mut Vm<'_>, word: u32) -> Result<()> {
    let w = b(word);
    let at = |field: u8| w.wrapping_add(field);
    let get = |vm: &Vm<'_>, field: u8| vm.register(at(field)).payload();
    let end_of_instruction = vm.next;
    vm.next = vm.pc;
    vm.destination = at(sort::RESULT);
    let result = vm.register(at(sort::RESULT));
    if !result.is_uninitialised() {
        let number =
            if result.is_object() { vm.help(Helper::ToNumber, &[result])? } else { Value::number(vm.to_number_primitive(result)?) };
        vm.set_register(at(sort::RESULT), number);
        return Ok(());
    }
    let (i, j, middle, end) = (get(vm, sort::LOW), get(vm, sort::HIGH), get(vm, sort::MIDDLE), get(vm, sort::END));
    if i < middle && j < end {
        let from = get(vm, sort::FROM);
        let (x, y) = (vm.heap.dense(from, i), vm.heap.dense(from, j));
        let compare = vm.register(at(sort::COMPARE));
        // A window of the interpreter's own lies above everything that the frame uses.
        let result = vm.call(compare, Value::UNDEFINED, &[x, y])?;
        vm.set_register(at(sort::RESULT), result);
        return Ok(());
    }
    // What is left of either run is in order already.
    let (rest, count) = if i < middle { (i, middle - i) } else { (j, end.saturating_sub(j)) };
    vm.charge(u64::from(count / 32))?;
    let (from, to, total) = (get(vm, sort::FROM), get(vm, sort::TO), get(vm, sort::COUNT));
    let out = get(vm, sort::OUT);
    let room = |array: u32| vm.heap.high(vm.heap.elements(array));
    let count = count.min(room(from).saturating_sub(rest)).min(room(to).saturating_sub(out));
    let (source, target) = (vm.heap.elements(from), vm.heap.elements(to));
    vm.heap.mem.copy(source + 8 + rest * 8, target + 8 + out * 8, count * 8);
    let (mut width, mut start) = (get(vm, sort::WIDTH), end);
    if width == 0 || start >= total {
        if width > 0 {
            // The runs that were made are merged next.
            let (from, to) = (vm.register(at(sort::FROM)), vm.register(at(sort::TO)));
            vm.set_register(at(sort::FROM), to);
            vm.set_register(at(sort::TO), from);
        }
        width = (width * 2).clamp(1, 1 << 31);
        start = 0;
        if width >= total {
            vm.next = end_of_instruction;
            vm.set_register(a(word), vm.register(at(sort::FROM)));
            return Ok(());
        }
        vm.set_register(at(sort::WIDTH), Value::int(width as i32));
    }
    let middle = start.saturating_add(width).min(total);
    let end = middle.saturating_add(width).min(total);
    for (field, value) in [(sort::LOW, start), (sort::MIDDLE, middle), (sort::HIGH, middle), (sort::END, end), (sort::OUT, start)] {
        vm.set_register(at(field), Value::int(value as i32));
    }
    Ok(())
}

// --- Array methods ----------------------------------------------------------------------------------------

op!(EachElement(vm, regs, code, pc, state, word) {
    let (own, mode) = (state_window(vm, word), c(word));
    let mut index = Value(own.get(each::INDEX));
    let mut k = index.payload();
    let result = Value(own.get(each::RESULT));
    if !result.is_uninitialised() {
        match mode {
            each::EACH => {}
            each::MAP => {
                let out = Value(own.get(each::OUT));
                if !is_fresh(vm, out, k) || !store_dense(vm.heap.mem, out.payload(), k, result.0) {
                    return slow(vm, regs, code, state, word, each_slow);
                }
            }
            each::REDUCE => own.set(each::OUT, result.0),
            mode => {
                let truth = vm.truth(result);
                if mode == each::FILTER {
                    if truth {
                        return slow(vm, regs, code, state, word, each_slow);
                    }
                } else if truth != (mode == each::EVERY) {
                    // Decided: the index, from below.
                    regs.set(a(word), Value::int(-1 - k as i32).0);
                    return step(vm, regs, code, state, 4);
                }
            }
        }
        own.set(each::RESULT, Value::UNINITIALISED.0);
        k = k.wrapping_add(1);
        index = Value::int(k as i32);
        own.set(each::INDEX, index.0);
    }
    let list = Value(own.get(each::LIST));
    let length = Value(own.get(each::LENGTH));
    let length = if length.is_int() { length.payload() } else { length.as_number().unwrap_or(0.0) as i32 as u32 };
    if index.is_int() && k < length && list.is_object_cell() && vm.heap.mem.own_u8(list.payload() + 1) & flag::EXOTIC == 0 {
        let item = vm.heap.dense(list.payload(), k);
        if !item.is_hole() && (mode != each::MAP || is_fresh(vm, Value(own.get(each::OUT)), k)) {
            let mut first = each::WINDOW + frame::ARGUMENTS;
            if mode == each::REDUCE {
                own.set(first, own.get(each::OUT));
                first += 1;
            }
            own.set(first, item.0);
            own.set(first + 1, index.0);
            own.set(first + 2, list.0);
            own.set(each::ITEM, item.0);
            let callee = Value(own.get(each::FUNCTION));
            own.set(each::WINDOW + frame::CALLEE, callee.0);
            own.set(each::WINDOW + frame::THIS, own.get(each::THIS));
            let count = u32::from(first + 3 - each::WINDOW - frame::ARGUMENTS);
            let (window, to) = (b(word).wrapping_add(each::WINDOW), b(word).wrapping_add(each::RESULT));
            return match push_plain(vm, callee, Entry::Call, window, count, pc, to) {
                Some((inner, inside, target)) => enter(vm, inner, inside, state, target),
                None => slow(vm, regs, code, state, word, each_slow),
            };
        }
    }
    // The rest is the library's.
    regs.set(a(word), index.0);
    step(vm, regs, code, state, 4)
});

/// An array of the library's own making, as far as anybody can tell, with a place for element `k` below its length.
#[inline(always)]
fn is_fresh(vm: &Vm<'_>, array: Value, k: u32) -> bool {
    let mem = vm.heap.mem;
    let cell = array.payload();
    array.is_object_cell()
        && mem.own_u32(cell + 4) == vm.realm_cell(Realm::ARRAY_SHAPE)
        && mem.own_u8(cell + 1) & (flag::EXOTIC | flag::NOT_EXTENSIBLE | flag::LENGTH_FIXED) == 0
        && k < vm.heap.array_length(cell)
        && mem.own_u8(mem.own_u32(cell + 12)) == Kind::Elements as u8
        && k < mem.own_u32(mem.own_u32(cell + 12) + 4)
}

/// A call of something else than a plain function; a result that takes more than a store.
fn each_slow(vm: &mut Vm<'_>, word: u32) -> Result<()> {
    let w = b(word);
    let at = |field: u8| w.wrapping_add(field);
    vm.next = vm.pc;
    vm.destination = at(each::RESULT);
    let result = vm.register(at(each::RESULT));
    let k = vm.register(at(each::INDEX)).payload();
    if result.is_uninitialised() {
        let (callee, this) = (vm.register(at(each::FUNCTION)), vm.register(at(each::THIS)));
        let (item, list) = (vm.register(at(each::ITEM)), vm.register(at(each::LIST)));
        let index = Value::int(k as i32);
        let result = if c(word) == each::REDUCE {
            let before = vm.register(at(each::OUT));
            vm.call(callee, this, &[before, item, index, list])?
        } else {
            vm.call(callee, this, &[item, index, list])?
        };
        vm.set_register(at(each::RESULT), result);
        return Ok(());
    }
    let out = vm.object_cell(vm.register(at(each::OUT)))?;
    if c(word) == each::FILTER {
        let item = vm.register(at(each::ITEM));
        let n = if vm.heap.is(out, Kind::Array) { vm.heap.array_length(out) } else { 0 };
        vm.define_plain(out, crate::heap::string::Key::Index(n), item)?;
    } else {
        vm.define_plain(out, crate::heap::string::Key::Index(k), result)?;
    }
    vm.set_register(at(each::RESULT), Value::UNINITIALISED);
    vm.set_register(at(each::INDEX), Value::int(k.wrapping_add(1) as i32));
    Ok(())
}
