//! Comparisons, and jumps on them.

use super::{a, b, c, imm16, op, rest, slow, step, width};
use crate::bytecode::Op;
use crate::heap::Result;
use crate::library::Helper;
use crate::value::Value;
use crate::vm::{Entry, Vm};

/// Goes on behind the instruction, or at its jump's target.
macro_rules! branch {
    ($taken:expr, $vm:ident, $regs:ident, $code:ident, $pc:ident, $state:ident) => {{
        let next = $state.wrapping_add(8);
        if $taken {
            return step($vm, $regs, $code, next, ($code.load_u32($pc + 4) << 2) as i32);
        }
        return step($vm, $regs, $code, next, 0);
    }};
}

#[inline(always)]
fn quick_truth(x: Value) -> Option<bool> {
    if x.is_int() {
        Some(x.as_int_unchecked() != 0)
    } else if x.is_boolean() || x.is_nullish() {
        Some(x == Value::TRUE)
    } else if x.is_object() {
        Some(true)
    } else {
        None
    }
}

op!(JumpTrue(vm, regs, code, pc, state, word) {
    match quick_truth(Value(regs.get(a(word)))) {
        Some(truth) => branch!(truth, vm, regs, code, pc, state),
        None => jump_truth(vm, regs, code, state, word),
    }
});

op!(JumpFalse(vm, regs, code, pc, state, word) {
    match quick_truth(Value(regs.get(a(word)))) {
        Some(truth) => branch!(!truth, vm, regs, code, pc, state),
        None => jump_truth(vm, regs, code, state, word),
    }
});

rest!(jump_truth(vm, regs, code, pc, state, word) {
    let truth = vm.truth(Value(regs.get(a(word))));
    branch!(truth == (word as u8 == Op::JumpTrue as u8), vm, regs, code, pc, state)
});

op!(JumpNullish(vm, regs, code, pc, state, word) { branch!(Value(regs.get(a(word))).is_nullish(), vm, regs, code, pc, state) });
op!(JumpNotNullish(vm, regs, code, pc, state, word) { branch!(!Value(regs.get(a(word))).is_nullish(), vm, regs, code, pc, state) });
op!(JumpUndefined(vm, regs, code, pc, state, word) { branch!(Value(regs.get(a(word))).is_undefined(), vm, regs, code, pc, state) });
op!(JumpNotUndefined(vm, regs, code, pc, state, word) { branch!(!Value(regs.get(a(word))).is_undefined(), vm, regs, code, pc, state) });

op!(Not(vm, regs, code, pc, state, word) {
    match quick_truth(Value(regs.get(b(word)))) {
        Some(truth) => {
            regs.set(a(word), Value::boolean(!truth).0);
            step(vm, regs, code, state, 4)
        }
        None => not_other(vm, regs, code, state, word),
    }
});

rest!(not_other(vm, regs, code, pc, state, word) {
    let truth = vm.truth(Value(regs.get(b(word))));
    regs.set(a(word), Value::boolean(!truth).0);
    step(vm, regs, code, state, 4)
});

/// An order by operator: jump form, negated jump form, value form.
macro_rules! order {
    ($($jump:ident $not:ident $value:ident $helper:ident $operator:tt;)*) => {$(
        op!($jump(vm, regs, code, pc, state, word) {
            let (x, y) = (Value(regs.get(a(word))), Value(regs.get(b(word))));
            if x.is_int() && y.is_int() {
                branch!(x.as_int_unchecked() $operator y.as_int_unchecked(), vm, regs, code, pc, state)
            }
            if let (Some(x), Some(y)) = (x.as_number(), y.as_number()) {
                branch!(x $operator y, vm, regs, code, pc, state)
            }
            slow(vm, regs, code, state, word, |vm, word| jump_slow(vm, word, Helper::$helper, true))
        });
        op!($not(vm, regs, code, pc, state, word) {
            let (x, y) = (Value(regs.get(a(word))), Value(regs.get(b(word))));
            if x.is_int() && y.is_int() {
                branch!(!(x.as_int_unchecked() $operator y.as_int_unchecked()), vm, regs, code, pc, state)
            }
            if let (Some(x), Some(y)) = (x.as_number(), y.as_number()) {
                let holds = x $operator y;
                branch!(!holds, vm, regs, code, pc, state)
            }
            slow(vm, regs, code, state, word, |vm, word| jump_slow(vm, word, Helper::$helper, false))
        });
        op!($value(vm, regs, code, pc, state, word) {
            let (x, y) = (Value(regs.get(b(word))), Value(regs.get(c(word))));
            if x.is_int() && y.is_int() {
                regs.set(a(word), Value::boolean(x.as_int_unchecked() $operator y.as_int_unchecked()).0);
                return step(vm, regs, code, state, 4);
            }
            if let (Some(x), Some(y)) = (x.as_number(), y.as_number()) {
                regs.set(a(word), Value::boolean(x $operator y).0);
                return step(vm, regs, code, state, 4);
            }
            slow(vm, regs, code, state, word, |vm, word| {
                let (x, y) = (vm.register(b(word)), vm.register(c(word)));
                let result = if x.is_object() || y.is_object() { vm.help(Helper::$helper, &[x, y])? } else { Value::boolean(compare(vm, Helper::$helper, x, y)?) };
                vm.set_register(a(word), result);
                Ok(())
            })
        });
    )*};
}

order! {
    JumpLess JumpNotLess Less Less <;
    JumpLessEqual JumpNotLessEqual LessEqual LessEqual <=;
    JumpGreater JumpNotGreater Greater Greater >;
    JumpGreaterEqual JumpNotGreaterEqual GreaterEqual GreaterEqual >=;
}

/// Jumps if the comparison's truth is `sense`.
fn jump_if(vm: &mut Vm<'_>, truth: bool, sense: bool) {
    if truth == sense {
        let distance = vm.extension(1);
        vm.next = vm.next.wrapping_add(distance << 2);
    }
}

fn jump_slow(vm: &mut Vm<'_>, word: u32, helper: Helper, sense: bool) -> Result<()> {
    jump_compare(vm, vm.register(a(word)), vm.register(b(word)), helper, sense)
}

fn jump_compare(vm: &mut Vm<'_>, x: Value, y: Value, helper: Helper, sense: bool) -> Result<()> {
    let truth = if needs_help(helper, x, y) {
        vm.entry = if sense { Entry::Test } else { Entry::TestNot };
        vm.next = vm.pc;
        vm.help(helper, &[x, y])? == Value::TRUE
    } else {
        compare(vm, helper, x, y)?
    };
    jump_if(vm, truth, sense);
    Ok(())
}

fn needs_help(helper: Helper, x: Value, y: Value) -> bool {
    if helper == Helper::Equal {
        x.is_object() != y.is_object() && !x.is_nullish() && !y.is_nullish()
    } else {
        x.is_object() || y.is_object()
    }
}

/// Orders primitives. `None`: unordered.
fn order(vm: &mut Vm<'_>, x: Value, y: Value) -> Result<Option<std::cmp::Ordering>> {
    if x.is_string() && y.is_string() {
        return vm.heap.strings_compare(x.payload(), y.payload()).map(Some);
    }
    if x.is_bigint() || y.is_bigint() {
        return vm.order_with_bigint(x, y);
    }
    let x = vm.to_number_primitive(x)?;
    let y = vm.to_number_primitive(y)?;
    Ok(x.partial_cmp(&y))
}

/// A comparison of operands that need no call of script.
pub(crate) fn compare(vm: &mut Vm<'_>, helper: Helper, x: Value, y: Value) -> Result<bool> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    Ok(match helper {
        Helper::Equal => loosely_equal(vm, x, y)?,
        Helper::Less => order(vm, x, y)? == Some(Less),
        Helper::LessEqual => matches!(order(vm, x, y)?, Some(Less | Equal)),
        Helper::Greater => order(vm, x, y)? == Some(Greater),
        _ => matches!(order(vm, x, y)?, Some(Greater | Equal)),
    })
}

/// `===`.
pub(crate) fn strictly_equal(vm: &mut Vm<'_>, x: Value, y: Value) -> Result<bool> {
    if x == y {
        return Ok(x != Value::NAN);
    }
    if let (Some(x), Some(y)) = (x.as_number(), y.as_number()) {
        return Ok(x == y);
    }
    if x.is_string() && y.is_string() {
        return vm.heap.strings_equal(x.payload(), y.payload());
    }
    if x.is_bigint() && y.is_bigint() {
        return Ok(vm.heap.bigint_value(x.payload()) == vm.heap.bigint_value(y.payload()));
    }
    Ok(false)
}

/// `==` where no object meets a primitive other than null and undefined.
fn loosely_equal(vm: &mut Vm<'_>, x: Value, y: Value) -> Result<bool> {
    if x.is_nullish() || y.is_nullish() {
        return Ok(x.is_nullish() && y.is_nullish());
    }
    let both = |f: fn(Value) -> bool| f(x) && f(y);
    if both(Value::is_object)
        || both(Value::is_string)
        || both(Value::is_number)
        || both(Value::is_bigint)
        || both(Value::is_boolean)
        || x.is_symbol()
        || y.is_symbol()
    {
        return strictly_equal(vm, x, y);
    }
    if x.is_bigint() || y.is_bigint() {
        return Ok(vm.order_with_bigint(x, y)? == Some(std::cmp::Ordering::Equal));
    }
    Ok(vm.to_number_primitive(x)? == vm.to_number_primitive(y)?)
}

/// Strict equality decided without looking at memory, if it can be.
#[inline(always)]
fn quick_equal(x: Value, y: Value) -> Option<bool> {
    if x.is_int() && y.is_int() {
        return Some(x == y);
    }
    if x.is_number() && y.is_number() {
        return Some(x.as_number() == y.as_number());
    }
    if x == y {
        return Some(true);
    }
    if x.is_string() && y.is_string() || x.is_bigint() && y.is_bigint() {
        return None;
    }
    Some(false)
}

macro_rules! strict {
    ($($jump:ident $value:ident $sense:literal;)*) => {$(
        op!($jump(vm, regs, code, pc, state, word) {
            let (x, y) = (Value(regs.get(a(word))), Value(regs.get(b(word))));
            if let Some(equal) = quick_equal(x, y) {
                branch!(equal == $sense, vm, regs, code, pc, state)
            }
            slow(vm, regs, code, state, word, |vm, word| {
                let truth = strictly_equal(vm, vm.register(a(word)), vm.register(b(word)))?;
                jump_if(vm, truth, $sense);
                Ok(())
            })
        });
        op!($value(vm, regs, code, pc, state, word) {
            let (x, y) = (Value(regs.get(b(word))), Value(regs.get(c(word))));
            if let Some(equal) = quick_equal(x, y) {
                regs.set(a(word), Value::boolean(equal == $sense).0);
                return step(vm, regs, code, state, 4);
            }
            slow(vm, regs, code, state, word, |vm, word| {
                let truth = strictly_equal(vm, vm.register(b(word)), vm.register(c(word)))?;
                vm.set_register(a(word), Value::boolean(truth == $sense));
                Ok(())
            })
        });
    )*};
}

strict! {
    JumpStrictEqual StrictEqual true;
    JumpStrictNotEqual StrictNotEqual false;
}

macro_rules! loose {
    ($($jump:ident $value:ident $sense:literal;)*) => {$(
        op!($jump(vm, regs, code, pc, state, word) {
            let (x, y) = (Value(regs.get(a(word))), Value(regs.get(b(word))));
            if x.is_number() && y.is_number() || x.is_object() && y.is_object() {
                if let Some(equal) = quick_equal(x, y) {
                    branch!(equal == $sense, vm, regs, code, pc, state)
                }
            }
            slow(vm, regs, code, state, word, |vm, word| jump_compare(vm, vm.register(a(word)), vm.register(b(word)), Helper::Equal, $sense))
        });
        op!($value(vm, regs, code, pc, state, word) {
            let (x, y) = (Value(regs.get(b(word))), Value(regs.get(c(word))));
            if x.is_number() && y.is_number() || x.is_object() && y.is_object() {
                if let Some(equal) = quick_equal(x, y) {
                    regs.set(a(word), Value::boolean(equal == $sense).0);
                    return step(vm, regs, code, state, 4);
                }
            }
            slow(vm, regs, code, state, word, |vm, word| {
                let (x, y) = (vm.register(b(word)), vm.register(c(word)));
                if needs_help(Helper::Equal, x, y) {
                    if !$sense {
                        vm.entry = Entry::Not;
                    }
                    vm.help(Helper::Equal, &[x, y])?;
                    return Ok(());
                }
                let truth = compare(vm, Helper::Equal, x, y)?;
                vm.set_register(a(word), Value::boolean(truth == $sense));
                Ok(())
            })
        });
    )*};
}

loose! {
    JumpEqual Equal true;
    JumpNotEqual NotEqual false;
}

macro_rules! order_int {
    ($($jump:ident $helper:ident $operator:tt $sense:literal;)*) => {$(
        op!($jump(vm, regs, code, pc, state, word) {
            let x = Value(regs.get(a(word)));
            if x.is_int() {
                branch!((x.as_int_unchecked() $operator imm16(word)) == $sense, vm, regs, code, pc, state)
            }
            if let Some(x) = x.as_number() {
                branch!((x $operator f64::from(imm16(word))) == $sense, vm, regs, code, pc, state)
            }
            slow(vm, regs, code, state, word, |vm, word| jump_compare(vm, vm.register(a(word)), Value::int(imm16(word)), Helper::$helper, $sense))
        });
    )*};
}

order_int! {
    JumpLessInt Less < true;
    JumpNotLessInt Less < false;
    JumpGreaterInt Greater > true;
    JumpNotGreaterInt Greater > false;
}

op!(JumpStrictEqualInt(vm, regs, code, pc, state, word) {
    let x = Value(regs.get(a(word)));
    branch!(x == Value::int(imm16(word)) || x.as_number() == Some(f64::from(imm16(word))), vm, regs, code, pc, state)
});

op!(JumpStrictNotEqualInt(vm, regs, code, pc, state, word) {
    let x = Value(regs.get(a(word)));
    branch!(!(x == Value::int(imm16(word)) || x.as_number() == Some(f64::from(imm16(word)))), vm, regs, code, pc, state)
});

op!(TypeOf(vm, regs, code, pc, state, word) {
    let name = vm.type_of(Value(regs.get(b(word))));
    regs.set(a(word), Value::string(name).0);
    step(vm, regs, code, state, 4)
});

op!(InstanceOf(vm, regs, code, pc, state, word) {
    slow(vm, regs, code, state, word, |vm, word| {
        let (x, class) = (vm.register(b(word)), vm.register(c(word)));
        let result = vm.instance_of(x, class)?;
        vm.set_register(a(word), result);
        Ok(())
    })
});

op!(In(vm, regs, code, pc, state, word) {
    slow(vm, regs, code, state, word, |vm, word| {
        let (key, object) = (vm.register(b(word)), vm.register(c(word)));
        if !object.is_object() {
            let (name, shown) = (if key.is_object() { "#<Object>".to_owned() } else { vm.brief(key)? }, vm.brief(object)?);
            return vm.type_error(&format!("Cannot use 'in' operator to search for '{name}' in {shown}"));
        }
        let result = if key.is_object() { vm.help(Helper::In, &[key, object])? } else {
            let key = vm.to_key_primitive(key)?;
            vm.has_property(object, key)?
        };
        vm.set_register(a(word), result);
        Ok(())
    })
});

/// Goes on after a compare-and-branch whose comparison was made by a call: `next` is the instruction.
pub(crate) fn finish_test(vm: &mut Vm<'_>, instruction: u32, taken: bool) -> u32 {
    let width = vm.op_at(instruction).map_or(8, width);
    let next = instruction + width;
    // The jump is the last extension word.
    if taken { next.wrapping_add(vm.heap.mem.load_u32(next - 4) << 2) } else { next }
}
