//! Moves, constants, plain jumps.

use super::{a, b, imm16, op, slow_op, step};
use crate::bytecode::frame;
use crate::heap::Kind;
use crate::value::Value;
use crate::vm::{Fault, Realm, Vm};

op!(Nop(vm, regs, code, pc, state, word) { step(vm, regs, code, state, 4) });
op!(Debugger(vm, regs, code, pc, state, word) { step(vm, regs, code, state, 4) });

op!(Move(vm, regs, code, pc, state, word) {
    regs.set(a(word), regs.get(b(word)));
    step(vm, regs, code, state, 4)
});

op!(LoadInt(vm, regs, code, pc, state, word) {
    regs.set(a(word), Value::int(imm16(word)).0);
    step(vm, regs, code, state, 4)
});

macro_rules! load {
    ($($name:ident $value:ident)*) => {$(
        op!($name(vm, regs, code, pc, state, word) {
            regs.set(a(word), Value::$value.0);
            step(vm, regs, code, state, 4)
        });
    )*};
}

load!(LoadUndefined UNDEFINED LoadNull NULL LoadTrue TRUE LoadFalse FALSE LoadUninitialised UNINITIALISED);

op!(LoadConstant(vm, regs, code, pc, state, word) {
    regs.set(a(word), code.load_u64(pc + 4));
    step(vm, regs, code, state, 12)
});

slow_op!(LoadConstantWide(vm, word) {
    let value = vm.constant(vm.extension(1));
    vm.set_register(a(word), value);
    Ok(())
});

slow_op!(LoadFar(vm, word) {
    let value = vm.heap.value(vm.fp + (word >> 16) * 8);
    vm.set_register(a(word), value);
    Ok(())
});

slow_op!(StoreFar(vm, word) {
    let value = vm.register(a(word));
    vm.heap.set_value(vm.fp + (word >> 16) * 8, value);
    Ok(())
});

op!(LoadNewTarget(vm, regs, code, pc, state, word) {
    let construct = matches!(crate::vm::Entry::from_info(regs.get(frame::INFO)), crate::vm::Entry::Construct | crate::vm::Entry::ConstructSuper);
    regs.set(a(word), if construct { regs.get(frame::NEW_TARGET) } else { Value::UNDEFINED.0 });
    step(vm, regs, code, state, 4)
});

op!(LoadArgumentCount(vm, regs, code, pc, state, word) {
    regs.set(a(word), Value::unsigned(regs.get(frame::INFO) as u32).0);
    step(vm, regs, code, state, 4)
});

op!(LoadGlobalObject(vm, regs, code, pc, state, word) {
    regs.set(a(word), vm.realm(Realm::GLOBAL).0);
    step(vm, regs, code, state, 4)
});

op!(CoerceThis(vm, regs, code, pc, state, word) {
    if Value(regs.get(frame::THIS)).is_object() {
        return step(vm, regs, code, state, 4);
    }
    super::slow(vm, regs, code, state, word, |vm, _| {
        let this = vm.register(frame::THIS);
        let object = if this.is_nullish() { vm.realm(Realm::GLOBAL) } else { vm.to_object(this)? };
        vm.set_register(frame::THIS, object);
        Ok(())
    })
});

op!(CheckInitialised(vm, regs, code, pc, state, word) {
    if !Value(regs.get(a(word))).is_uninitialised() {
        return step(vm, regs, code, state, 8);
    }
    super::slow(vm, regs, code, state, word, |vm, _| {
        let name = vm.key_at(1);
        vm.uninitialised(name)
    })
});

slow_op!(ThrowConstant(vm, word) {
    vm.type_error("Assignment to constant variable.")
});

slow_op!(ThrowError(vm, word) {
    let fault = [Fault::Type, Fault::Reference, Fault::Syntax, Fault::Range][usize::from(a(word) & 3)];
    let text = vm.constant(vm.extension(1));
    let text = if text.is_string() { vm.heap.text(text.payload())? } else { String::new() };
    vm.fail(fault, &text)
});

op!(Jump(vm, regs, code, pc, state, word) {
    step(vm, regs, code, state, (word as i32 >> 8 << 2) + 4)
});

op!(JumpWide(vm, regs, code, pc, state, word) {
    step(vm, regs, code, state.wrapping_add(8), (code.load_u32(pc + 4) << 2) as i32)
});

slow_op!(JumpTable(vm, word) {
    let index = vm.register(a(word));
    let jumps = vm.constant(vm.extension(1));
    if let Some(i) = index.as_int()
        && jumps.is_object_cell()
        && vm.heap.is(jumps.payload(), Kind::Raw)
        && (i as u32) < vm.heap.high(jumps.payload()) / 4
    {
        let distance = vm.heap.mem.load_u32(jumps.payload() + 8 + i as u32 * 4);
        vm.next = vm.next.wrapping_add(distance << 2);
    }
    Ok(())
});

op!(NewBox(vm, regs, code, pc, state, word) {
    if let Ok(cell) = vm.heap.boxed(Value::UNDEFINED) {
        vm.collected_at = 0;
        regs.set(a(word), Value::object(cell).0);
        return step(vm, regs, code, state, 4);
    }
    super::slow(vm, regs, code, state, word, |vm, word| {
        let cell = vm.heap.boxed(Value::UNDEFINED)?;
        vm.set_register(a(word), Value::object(cell));
        Ok(())
    })
});

op!(NewBoxUninitialised(vm, regs, code, pc, state, word) {
    if let Ok(cell) = vm.heap.boxed(Value::UNINITIALISED) {
        vm.collected_at = 0;
        regs.set(a(word), Value::object(cell).0);
        return step(vm, regs, code, state, 4);
    }
    super::slow(vm, regs, code, state, word, |vm, word| {
        let cell = vm.heap.boxed(Value::UNINITIALISED)?;
        vm.set_register(a(word), Value::object(cell));
        Ok(())
    })
});

op!(NewBoxOf(vm, regs, code, pc, state, word) {
    if let Ok(cell) = vm.heap.boxed(Value(regs.get(b(word)))) {
        vm.collected_at = 0;
        regs.set(a(word), Value::object(cell).0);
        return step(vm, regs, code, state, 4);
    }
    super::slow(vm, regs, code, state, word, |vm, word| {
        let cell = vm.heap.boxed(vm.register(b(word)))?;
        vm.set_register(a(word), Value::object(cell));
        Ok(())
    })
});

op!(GetBox(vm, regs, code, pc, state, word) {
    regs.set(a(word), vm.heap.mem.own_u64(regs.get(b(word)) as u32 + 8));
    step(vm, regs, code, state, 4)
});

op!(SetBox(vm, regs, code, pc, state, word) {
    vm.heap.mem.set_own_u64(regs.get(a(word)) as u32 + 8, regs.get(b(word)));
    step(vm, regs, code, state, 4)
});

op!(GetBoxChecked(vm, regs, code, pc, state, word) {
    let value = vm.heap.mem.own_u64(regs.get(b(word)) as u32 + 8);
    if value == Value::UNINITIALISED.0 {
        return super::slow(vm, regs, code, state, word, uninitialised);
    }
    regs.set(a(word), value);
    step(vm, regs, code, state, 8)
});

op!(SetBoxChecked(vm, regs, code, pc, state, word) {
    let place = regs.get(a(word)) as u32 + 8;
    if vm.heap.mem.own_u64(place) == Value::UNINITIALISED.0 {
        return super::slow(vm, regs, code, state, word, uninitialised);
    }
    vm.heap.mem.set_own_u64(place, regs.get(b(word)));
    step(vm, regs, code, state, 8)
});

/// The box of a capture of the running function.
#[inline(always)]
fn capture<'a>(vm: &Vm<'a>, regs: memory::Registers<'a>, word: u32) -> u32 {
    let callee = regs.get(frame::CALLEE) as u32;
    vm.heap.mem.own_u32(callee + crate::vm::function::CAPTURES + (word >> 16) * 8)
}

op!(GetCapture(vm, regs, code, pc, state, word) {
    regs.set(a(word), vm.heap.mem.own_u64(capture(vm, regs, word) + 8));
    step(vm, regs, code, state, 4)
});

op!(SetCapture(vm, regs, code, pc, state, word) {
    vm.heap.mem.set_own_u64(capture(vm, regs, word) + 8, regs.get(a(word)));
    step(vm, regs, code, state, 4)
});

op!(GetCaptureChecked(vm, regs, code, pc, state, word) {
    let value = vm.heap.mem.own_u64(capture(vm, regs, word) + 8);
    if value == Value::UNINITIALISED.0 {
        return super::slow(vm, regs, code, state, word, uninitialised);
    }
    regs.set(a(word), value);
    step(vm, regs, code, state, 8)
});

op!(SetCaptureChecked(vm, regs, code, pc, state, word) {
    let place = capture(vm, regs, word) + 8;
    if vm.heap.mem.own_u64(place) == Value::UNINITIALISED.0 {
        return super::slow(vm, regs, code, state, word, uninitialised);
    }
    vm.heap.mem.set_own_u64(place, regs.get(a(word)));
    step(vm, regs, code, state, 8)
});

op!(LoadCapture(vm, regs, code, pc, state, word) {
    regs.set(a(word), Value::object(capture(vm, regs, word)).0);
    step(vm, regs, code, state, 4)
});

fn uninitialised(vm: &mut Vm<'_>, _word: u32) -> crate::heap::Result<()> {
    let name = vm.key_at(1);
    vm.uninitialised(name)
}
