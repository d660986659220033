//! The iterator protocol and for-in.
//!
//! Three registers: iterator (undefined once exhausted, or while `next` runs), next method, engine's own. For an array
//! whose iteration nobody changed: the array, a hole, the index.

use super::{a, b, c, op, slow, slow_op, step};
use crate::bytecode::Op;
use crate::heap::object::Own;
use crate::heap::shape::attribute;
use crate::heap::string::Key;
use crate::heap::{Kind, Pause, Result, Signal, atoms};
use crate::library::Helper;
use crate::value::Value;
use crate::vm::{Entry, Realm, Vm};

op!(GetIterator(vm, regs, code, pc, state, word) {
    slow(vm, regs, code, state, word, |vm, word| {
        let source = vm.register(b(word));
        if vm.is_pristine_array(source) {
            vm.set_register(a(word), source);
            vm.set_register(a(word).wrapping_add(1), Value::HOLE);
            vm.set_register(a(word).wrapping_add(2), Value::ZERO);
            return Ok(());
        }
        if source.is_nullish() {
            return vm.not_iterable_here(source, false);
        }
        // The helper gives iterator and next method as a pair, which `finish_iterate` takes apart.
        vm.entry = Entry::Iterate;
        vm.next = vm.pc;
        vm.help(Helper::GetIterator, &[source])?;
        Ok(())
    })
});

op!(IteratorNext(vm, regs, code, pc, state, word) {
    let base = b(word);
    if Value(regs.get(base.wrapping_add(1))).is_hole() {
        let array = Value(regs.get(base));
        let index = Value(regs.get(base.wrapping_add(2))).as_int_unchecked() as u32;
        if array.is_object_cell() {
            if index < vm.heap.array_length(array.payload()) {
                let value = vm.heap.dense(array.payload(), index);
                if !value.is_hole() {
                    regs.set(a(word), value.0);
                    regs.set(base.wrapping_add(2), Value::int(index as i32 + 1).0);
                    return step(vm, regs, code, state, 8);
                }
            } else {
                regs.set(base, Value::UNDEFINED.0);
                return step(vm, regs, code, state.wrapping_add(8), (code.load_u32(pc + 4) << 2) as i32);
            }
        }
    }
    slow(vm, regs, code, state, word, |vm, word| {
        if vm.iterate(a(word), b(word))? {
            let distance = vm.extension(1);
            vm.next = vm.next.wrapping_add(distance << 2);
        }
        Ok(())
    })
});

slow_op!(IteratorStep(vm, word) {
    if vm.register(b(word)).is_undefined() || vm.iterate(a(word), b(word))? {
        vm.set_register(a(word), Value::UNDEFINED);
    }
    Ok(())
});

slow_op!(IteratorRest(vm, word) {
    let (iterator, next, index) = (vm.register(b(word)), vm.register(b(word).wrapping_add(1)), vm.register(b(word).wrapping_add(2)));
    if iterator.is_undefined() {
        let list = vm.array_of(&[])?;
        vm.set_register(a(word), Value::object(list));
        return Ok(());
    }
    if next.is_hole() {
        let array = iterator.payload();
        // The array may have changed since the pattern's first element was taken.
        if !vm.elements_are_dense(array) {
            vm.set_register(b(word), Value::UNDEFINED);
            vm.help(Helper::ArrayRest, &[iterator, index])?;
            return Ok(());
        }
        let first = index.as_int_unchecked() as u32;
        let length = vm.heap.array_length(array);
        let list = vm.tail_of(array, first, length)?;
        vm.set_register(b(word), Value::UNDEFINED);
        vm.set_register(a(word), Value::object(list));
        return Ok(());
    }
    vm.set_register(b(word), Value::UNDEFINED);
    vm.help(Helper::IteratorRest, &[iterator, next])?;
    Ok(())
});

slow_op!(IteratorClose(vm, word) {
    close(vm, word, Helper::IteratorClose)
});

slow_op!(IteratorCloseQuietly(vm, word) {
    close(vm, word, Helper::IteratorCloseQuietly)
});

fn close(vm: &mut Vm<'_>, word: u32, helper: Helper) -> Result<()> {
    let (iterator, next) = (vm.register(a(word)), vm.register(a(word).wrapping_add(1)));
    if iterator.is_undefined() {
        return Ok(());
    }
    if next.is_hole() {
        // An array iterator has no `return` unless somebody gave its prototype one.
        if vm.array_iterators_have_no_return()? {
            vm.set_register(a(word), Value::UNDEFINED);
            return Ok(());
        }
        let receiver = iterator;
        vm.entry = Entry::Discard;
        vm.help(Helper::ArrayIteratorClose, &[receiver])?;
        return Ok(());
    }
    vm.entry = Entry::Discard;
    // While `return` runs the iterator counts as closed.
    vm.set_register(a(word), Value::UNDEFINED);
    let fp = vm.fp;
    let result = vm.help(helper, &[iterator]);
    if vm.fp == fp && result.is_err() {
        vm.set_register(a(word), iterator);
    }
    result.map(|_| ())
}

slow_op!(GetAsyncIterator(vm, word) {
    let source = vm.register(b(word));
    if source.is_nullish() {
        return vm.not_iterable_here(source, true);
    }
    vm.entry = Entry::Iterate;
    vm.next = vm.pc;
    vm.help(Helper::GetAsyncIterator, &[source])?;
    Ok(())
});

slow_op!(IteratorCallNext(vm, word) {
    let (iterator, next, argument) = (vm.register(b(word)), vm.register(b(word).wrapping_add(1)), vm.register(c(word)));
    if next.is_hole() {
        // A real iterator after all: somebody looks at it (yield*).
        let iterator = vm.array_iterator(iterator, vm.register(b(word).wrapping_add(2)))?;
        let next = vm.get(iterator, Key::Name(atoms::NEXT))?;
        vm.set_register(b(word), iterator);
        vm.set_register(b(word).wrapping_add(1), next);
        let result = vm.call(next, iterator, &[argument])?;
        vm.set_register(a(word), result);
        return Ok(());
    }
    let result = vm.call(next, iterator, &[argument])?;
    vm.set_register(a(word), result);
    Ok(())
});

slow_op!(GetIteratorMethod(vm, word) {
    let (iterator, next) = (vm.register(b(word)), vm.register(b(word).wrapping_add(1)));
    let name = vm.key_at(1);
    if next.is_hole() && iterator.is_object_cell() && vm.heap.is(iterator.payload(), Kind::Array) {
        let proto = vm.realm(Realm::ARRAY_ITERATOR_PROTOTYPE);
        let method = vm.get(proto, Key::Name(name))?;
        vm.set_register(a(word), if method == Value::NULL { Value::UNDEFINED } else { method });
        return Ok(());
    }
    let key = vm.heap.key_value(Key::Name(name))?;
    let method = vm.help(Helper::GetMethod, &[iterator, key])?;
    vm.set_register(a(word), method);
    Ok(())
});

op!(ForInStart(vm, regs, code, pc, state, word) {
    slow(vm, regs, code, state, word, |vm, word| {
        let source = vm.register(b(word));
        vm.set_register(a(word).wrapping_add(2), Value::ZERO);
        if source.is_nullish() {
            vm.set_register(a(word).wrapping_add(1), Value::UNDEFINED);
            let list = vm.array_of(&[])?;
            vm.set_register(a(word), Value::object(list));
            return Ok(());
        }
        let object = vm.to_object(source)?;
        let start = vm.object_cell(object)?;
        match vm.enumerable_names(start)? {
            Some(list) => {
                vm.set_register(a(word).wrapping_add(1), object);
                vm.set_register(a(word), Value::object(list));
                Ok(())
            }
            None => {
                vm.set_register(a(word).wrapping_add(1), object);
                vm.help(Helper::ForIn, &[object])?;
                Ok(())
            }
        }
    })
});

op!(ForInNext(vm, regs, code, pc, state, word) {
    slow(vm, regs, code, state, word, |vm, word| {
        let base = b(word);
        let list = vm.register(base).payload();
        let object = vm.register(base.wrapping_add(1));
        let mut index = vm.register(base.wrapping_add(2)).as_int_unchecked() as u32;
        loop {
            if index >= vm.heap.array_length(list) {
                let distance = vm.extension(1);
                vm.next = vm.next.wrapping_add(distance << 2);
                return Ok(());
            }
            let name = vm.heap.dense(list, index);
            index += 1;
            vm.heap.debt += 1;
            // Properties deleted meanwhile are not visited.
            let key = vm.to_key_primitive(name)?;
            let start = vm.object_cell(object)?;
            if let Some((_, own)) = vm.find(start, key)?
                && own != Own::Absent
            {
                vm.set_register(base.wrapping_add(2), Value::int(index as i32));
                vm.set_register(a(word), name);
                return Ok(());
            }
        }
    })
});

impl<'a> Vm<'a> {
    /// Steps an iterator; true if it is exhausted. A call of `next` pushes a frame.
    fn iterate(&mut self, target: u8, base: u8) -> Result<bool> {
        let (iterator, next) = (self.register(base), self.register(base.wrapping_add(1)));
        if iterator.is_undefined() {
            return Ok(true);
        }
        if next.is_hole() {
            let array = iterator;
            let index = self.register(base.wrapping_add(2)).as_int_unchecked() as u32;
            if index >= self.heap.array_length(array.payload()) {
                self.set_register(base, Value::UNDEFINED);
                return Ok(true);
            }
            self.destination = target;
            self.set_register(base.wrapping_add(2), Value::int(index as i32 + 1));
            let value = self.get(array, Key::Index(index));
            if matches!(value, Err(crate::heap::Signal::Collect(_))) {
                self.set_register(base.wrapping_add(2), Value::int(index as i32));
            }
            self.set_register(target, value?);
            return Ok(false);
        }
        self.entry = Entry::Iterate;
        self.next = self.pc;
        self.set_register(base, Value::UNDEFINED);
        let result = self.help(Helper::IteratorStep, &[iterator, next]);
        if matches!(result, Err(crate::heap::Signal::Collect(_) | crate::heap::Signal::Stop(_))) {
            self.set_register(base, iterator);
        }
        result.map(|_| true)
    }

    /// Takes the answer of an iterator helper for the instruction at `pc`; `first` was the helper's first argument.
    pub(crate) fn finish_iterate(&mut self, pc: u32, value: Value, first: Value) {
        let word = self.heap.mem.load_u32(pc);
        let width = self.op_at(pc).map_or(4, super::width);
        self.pc = pc + width;
        match self.op_at(pc) {
            Some(Op::GetIterator | Op::GetAsyncIterator) => {
                // A dense array of iterator and next method.
                let list = value.payload();
                let (iterator, next) = (self.heap.dense(list, 0), self.heap.dense(list, 1));
                self.set_register(a(word), iterator);
                self.set_register(a(word).wrapping_add(1), next);
                self.set_register(a(word).wrapping_add(2), Value::UNDEFINED);
            }
            Some(op) => {
                if value.is_hole() {
                    if op == Op::IteratorStep {
                        self.set_register(a(word), Value::UNDEFINED);
                    } else {
                        let distance = self.heap.mem.load_u32(pc + 4);
                        self.pc = self.pc.wrapping_add(distance << 2);
                    }
                } else {
                    self.set_register(b(word), first);
                    self.set_register(a(word), value);
                }
            }
            None => {}
        }
    }

    /// Enumerable string-named properties along the prototype chain, as an array of names; `None` if script must be asked.
    fn enumerable_names(&mut self, start: u32) -> Result<Option<u32>> {
        let mut names: Vec<Value> = Vec::new();
        // Objects whose own keys, enumerable or not, hide those of the same name further up.
        let mut nearer: Vec<u32> = Vec::new();
        let mut object = start;
        while object != 0 {
            if matches!(self.heap.kind(object), Kind::Proxy | Kind::TypedArray | Kind::Namespace | Kind::HostObject) {
                return Ok(None);
            }
            self.materialise(object)?;
            let indices = self.heap.index_keys(object)?;
            let list = self.heap.name_keys(object);
            let count = indices.len() + list.len();
            self.charge(1 + count as u64 / 4 + (count * nearer.len()) as u64 / 4)?;
            for index in indices {
                let key = Key::Index(index);
                let enumerable = match self.heap.own(object, key) {
                    Own::Data { attributes, .. } | Own::Accessor { attributes, .. } | Own::Virtual { attributes, .. } => {
                        attributes & attribute::ENUMERABLE != 0
                    }
                    _ => false,
                };
                if enumerable && !nearer.iter().any(|&object| self.heap.own(object, key) != Own::Absent) {
                    names.push(Value::string(self.heap.index_string(index)?));
                }
            }
            for (name, attributes) in list {
                if self.heap.is_symbol_name(name) || attributes & attribute::ENUMERABLE == 0 {
                    continue;
                }
                if !nearer.iter().any(|&object| self.heap.own(object, Key::Name(name)) != Own::Absent) {
                    names.push(Value::string(name));
                }
            }
            self.pay_debt()?;
            self.heap.scratch(names.len() * 8)?;
            nearer.push(object);
            // Only a corrupted heap holds a chain without an end.
            if nearer.len() as u32 > self.heap.most(16) {
                return Err(Signal::Stop(Pause::Internal));
            }
            object = self.heap.proto(object);
        }
        self.array_of(&names).map(Some)
    }

    /// Is it an array that iterates as arrays do when nobody has interfered?
    pub(crate) fn is_pristine_array(&mut self, value: Value) -> bool {
        if !self.heap.is_kind(value, Kind::Array) || self.heap.shape(value.payload()) != self.realm_cell(Realm::ARRAY_SHAPE) {
            return false;
        }
        // The last answer holds as long as no prototype changes its properties, and values of these two are compared each time.
        let proto = self.realm_cell(Realm::ARRAY_PROTOTYPE);
        let iterator = self.heap.own(proto, Key::Name(atoms::SYM_ITERATOR));
        let values = self.array_values_function();
        let Own::Data { address, .. } = iterator else { return false };
        if self.heap.value(address) != values {
            return false;
        }
        let proto = self.realm_cell(Realm::ARRAY_ITERATOR_PROTOTYPE);
        let next = self.array_next_function();
        matches!(self.heap.own(proto, Key::Name(atoms::NEXT)), Own::Data { address, .. } if self.heap.value(address) == next)
    }

    /// An array whose iteration nobody changed and gives its dense elements, undefined for holes: so that these may be copied.
    pub(crate) fn is_dense_array(&mut self, value: Value) -> bool {
        self.is_pristine_array(value) && self.elements_are_dense(value.payload())
    }

    /// No element lies in a table (those of frozen arrays do, and accessors), and no prototype shows through holes.
    pub(crate) fn elements_are_dense(&self, array: u32) -> bool {
        let elements = self.heap.elements(array);
        (elements == 0 || self.heap.is(elements, Kind::Elements)) && self.prototypes_have_no_elements(array)
    }

    fn array_iterators_have_no_return(&mut self) -> Result<bool> {
        let proto = self.realm_cell(Realm::ARRAY_ITERATOR_PROTOTYPE);
        Ok(self.find(proto, Key::Name(atoms::RETURN))?.is_none())
    }
}
