//! Operators on numbers, big integers and strings.

use dashu_int::IBig;

use super::{a, b, c, imm8, op, rest, slow, step};
use crate::heap::{Result, Signal};
use crate::library::Helper;
use crate::value::{Value, to_int32};
use crate::vm::Vm;

/// `Add`, `Subtract`: ints with overflow to doubles, then doubles.
macro_rules! int_or_double {
    ($name:ident, $mixed:ident, $checked:ident, $operator:tt, $other:ident) => {
        op!($name(vm, regs, code, pc, state, word) {
            let (x, y) = (Value(regs.get(b(word))), Value(regs.get(c(word))));
            if x.is_int() && y.is_int() {
                if let Some(n) = x.as_int_unchecked().$checked(y.as_int_unchecked()) {
                    regs.set(a(word), Value::int(n).0);
                    return step(vm, regs, code, state, 4);
                }
            } else if x.is_double() && y.is_double() {
                regs.set(a(word), Value::number_fast(x.as_double_unchecked() $operator y.as_double_unchecked()).0);
                return step(vm, regs, code, state, 4);
            }
            $mixed(vm, regs, code, state, word)
        });
        rest!($mixed(vm, regs, code, pc, state, word) {
            let (x, y) = (Value(regs.get(b(word))), Value(regs.get(c(word))));
            if let (Some(x), Some(y)) = (x.as_number(), y.as_number()) {
                regs.set(a(word), Value::number_fast(x $operator y).0);
                return step(vm, regs, code, state, 4);
            }
            $other(vm, regs, code, state, word)
        });
    };
}

int_or_double!(Add, add_mixed, checked_add, +, add_text);
int_or_double!(Subtract, subtract_mixed, checked_sub, -, subtract_other);

rest!(add_text(vm, regs, code, pc, state, word) {
    let (x, y) = (Value(regs.get(b(word))), Value(regs.get(c(word))));
    if x.is_string() && (y.is_string() || y.is_int() && y.as_int_unchecked() >= 0) {
        let text = vm.heap.concat_quickly(x.payload(), y);
        if text != 0 {
            vm.collected_at = 0;
            regs.set(a(word), Value::string(text).0);
            return step(vm, regs, code, state, 4);
        }
    }
    slow(vm, regs, code, state, word, add)
});

rest!(subtract_other(vm, regs, code, pc, state, word) {
    slow(vm, regs, code, state, word, subtract)
});

op!(Multiply(vm, regs, code, pc, state, word) {
    let (x, y) = (Value(regs.get(b(word))), Value(regs.get(c(word))));
    if x.is_int() && y.is_int() {
        let (i, j) = (x.as_int_unchecked(), y.as_int_unchecked());
        if let Some(n) = i.checked_mul(j)
            && (n != 0 || (i | j) >= 0)
        {
            regs.set(a(word), Value::int(n).0);
            return step(vm, regs, code, state, 4);
        }
    } else if x.is_double() && y.is_double() {
        regs.set(a(word), Value::number_fast(x.as_double_unchecked() * y.as_double_unchecked()).0);
        return step(vm, regs, code, state, 4);
    }
    multiply_mixed(vm, regs, code, state, word)
});

rest!(multiply_mixed(vm, regs, code, pc, state, word) {
    let (x, y) = (Value(regs.get(b(word))), Value(regs.get(c(word))));
    if let (Some(x), Some(y)) = (x.as_number(), y.as_number()) {
        regs.set(a(word), Value::number(x * y).0);
        return step(vm, regs, code, state, 4);
    }
    slow(vm, regs, code, state, word, multiply)
});

op!(Divide(vm, regs, code, pc, state, word) {
    let (x, y) = (Value(regs.get(b(word))), Value(regs.get(c(word))));
    if let (Some(x), Some(y)) = (x.as_number(), y.as_number()) {
        regs.set(a(word), Value::number(x / y).0);
        return step(vm, regs, code, state, 4);
    }
    slow(vm, regs, code, state, word, divide)
});

op!(Remainder(vm, regs, code, pc, state, word) {
    let (x, y) = (Value(regs.get(b(word))), Value(regs.get(c(word))));
    if x.is_int() && y.is_int() {
        let (i, j) = (x.as_int_unchecked(), y.as_int_unchecked());
        if i >= 0 && j > 0 {
            regs.set(a(word), Value::int(i % j).0);
            return step(vm, regs, code, state, 4);
        }
    }
    remainder_mixed(vm, regs, code, state, word)
});

rest!(remainder_mixed(vm, regs, code, pc, state, word) {
    let (x, y) = (Value(regs.get(b(word))), Value(regs.get(c(word))));
    if let (Some(x), Some(y)) = (x.as_number(), y.as_number()) {
        regs.set(a(word), Value::number(x % y).0);
        return step(vm, regs, code, state, 4);
    }
    slow(vm, regs, code, state, word, remainder)
});

op!(Power(vm, regs, code, pc, state, word) {
    slow(vm, regs, code, state, word, power)
});

op!(AddInt(vm, regs, code, pc, state, word) {
    let x = Value(regs.get(b(word)));
    if x.is_int()
        && let Some(n) = x.as_int_unchecked().checked_add(imm8(word))
    {
        regs.set(a(word), Value::int(n).0);
        return step(vm, regs, code, state, 4);
    }
    if let Some(x) = x.as_number() {
        regs.set(a(word), Value::number_fast(x + f64::from(imm8(word))).0);
        return step(vm, regs, code, state, 4);
    }
    slow(vm, regs, code, state, word, add)
});

op!(SubtractInt(vm, regs, code, pc, state, word) {
    let x = Value(regs.get(b(word)));
    if x.is_int()
        && let Some(n) = x.as_int_unchecked().checked_sub(imm8(word))
    {
        regs.set(a(word), Value::int(n).0);
        return step(vm, regs, code, state, 4);
    }
    if let Some(x) = x.as_number() {
        regs.set(a(word), Value::number_fast(x - f64::from(imm8(word))).0);
        return step(vm, regs, code, state, 4);
    }
    slow(vm, regs, code, state, word, subtract)
});

/// Bit operators: the int path inline, numbers through ToInt32.
macro_rules! bits {
    ($name:ident, $mixed:ident, |$i:ident, $j:ident| $result:expr, $work:expr) => {
        op!($name(vm, regs, code, pc, state, word) {
            let (x, y) = (Value(regs.get(b(word))), Value(regs.get(c(word))));
            if x.is_int() && y.is_int() {
                let ($i, $j) = (x.as_int_unchecked(), y.as_int_unchecked());
                regs.set(a(word), $result.0);
                return step(vm, regs, code, state, 4);
            }
            $mixed(vm, regs, code, state, word)
        });
        rest!($mixed(vm, regs, code, pc, state, word) {
            let (x, y) = (Value(regs.get(b(word))), Value(regs.get(c(word))));
            if let (Some(x), Some(y)) = (x.as_number(), y.as_number()) {
                let ($i, $j) = (to_int32(x), to_int32(y));
                regs.set(a(word), $result.0);
                return step(vm, regs, code, state, 4);
            }
            slow(vm, regs, code, state, word, $work)
        });
    };
}

/// The same with a constant operand.
macro_rules! bits_int {
    ($name:ident, $mixed:ident, |$i:ident, $j:ident| $result:expr, $work:expr) => {
        op!($name(vm, regs, code, pc, state, word) {
            let x = Value(regs.get(b(word)));
            let $j = imm8(word);
            if x.is_int() {
                let $i = x.as_int_unchecked();
                regs.set(a(word), $result.0);
                return step(vm, regs, code, state, 4);
            }
            $mixed(vm, regs, code, state, word)
        });
        rest!($mixed(vm, regs, code, pc, state, word) {
            let $j = imm8(word);
            if let Some(x) = Value(regs.get(b(word))).as_number() {
                let $i = to_int32(x);
                regs.set(a(word), $result.0);
                return step(vm, regs, code, state, 4);
            }
            slow(vm, regs, code, state, word, $work)
        });
    };
}

bits!(BitAnd, bit_and_mixed, |i, j| Value::int(i & j), bit_and);
bits!(BitOr, bit_or_mixed, |i, j| Value::int(i | j), bit_or);
bits!(BitXor, bit_xor_mixed, |i, j| Value::int(i ^ j), bit_xor);
bits!(ShiftLeft, shift_left_mixed, |i, j| Value::int(i.wrapping_shl(j as u32)), shift_left);
bits!(ShiftRight, shift_right_mixed, |i, j| Value::int(i.wrapping_shr(j as u32)), shift_right);
bits!(ShiftRightUnsigned, shift_right_unsigned_mixed, |i, j| Value::unsigned((i as u32).wrapping_shr(j as u32)), shift_right_unsigned);
bits_int!(BitAndInt, bit_and_int_mixed, |i, j| Value::int(i & j), bit_and);
bits_int!(BitOrInt, bit_or_int_mixed, |i, j| Value::int(i | j), bit_or);
bits_int!(ShiftLeftInt, shift_left_int_mixed, |i, j| Value::int(i.wrapping_shl(j as u32)), shift_left);
bits_int!(ShiftRightInt, shift_right_int_mixed, |i, j| Value::int(i.wrapping_shr(j as u32)), shift_right);
bits_int!(
    ShiftRightUnsignedInt,
    shift_right_unsigned_int_mixed,
    |i, j| Value::unsigned((i as u32).wrapping_shr(j as u32)),
    shift_right_unsigned
);

op!(Increment(vm, regs, code, pc, state, word) {
    let x = Value(regs.get(b(word)));
    if x.is_int()
        && let Some(n) = x.as_int_unchecked().checked_add(1)
    {
        regs.set(a(word), Value::int(n).0);
        return step(vm, regs, code, state, 4);
    }
    slow(vm, regs, code, state, word, increment)
});

op!(Decrement(vm, regs, code, pc, state, word) {
    let x = Value(regs.get(b(word)));
    if x.is_int()
        && let Some(n) = x.as_int_unchecked().checked_sub(1)
    {
        regs.set(a(word), Value::int(n).0);
        return step(vm, regs, code, state, 4);
    }
    slow(vm, regs, code, state, word, decrement)
});

op!(Negate(vm, regs, code, pc, state, word) {
    let x = Value(regs.get(b(word)));
    if x.is_int() && x.as_int_unchecked() != 0 && x.as_int_unchecked() != i32::MIN {
        regs.set(a(word), Value::int(-x.as_int_unchecked()).0);
        return step(vm, regs, code, state, 4);
    }
    slow(vm, regs, code, state, word, negate)
});

op!(BitNot(vm, regs, code, pc, state, word) {
    let x = Value(regs.get(b(word)));
    if x.is_int() {
        regs.set(a(word), Value::int(!x.as_int_unchecked()).0);
        return step(vm, regs, code, state, 4);
    }
    slow(vm, regs, code, state, word, bit_not)
});

op!(ToNumeric(vm, regs, code, pc, state, word) {
    let x = Value(regs.get(b(word)));
    if x.is_number() || x.is_bigint() {
        regs.set(a(word), x.0);
        return step(vm, regs, code, state, 4);
    }
    slow(vm, regs, code, state, word, |vm, word| {
        let x = vm.register(b(word));
        if x.is_object() {
            let result = vm.help(Helper::ToNumeric, &[x])?;
            vm.set_register(a(word), result);
            return Ok(());
        }
        let n = vm.to_numeric_primitive(x)?;
        vm.set_register(a(word), n);
        Ok(())
    })
});

op!(ToNumber(vm, regs, code, pc, state, word) {
    let x = Value(regs.get(b(word)));
    if x.is_number() {
        regs.set(a(word), x.0);
        return step(vm, regs, code, state, 4);
    }
    slow(vm, regs, code, state, word, |vm, word| {
        let x = vm.register(b(word));
        let n = if x.is_object() { vm.help(Helper::ToNumber, &[x])? } else { Value::number(vm.to_number_primitive(x)?) };
        vm.set_register(a(word), n);
        Ok(())
    })
});

/// The two operands of the running instruction; an int form's second one is its immediate.
fn operands(vm: &Vm<'_>, word: u32) -> (Value, Value) {
    let form = vm.op_at(vm.pc).map(|op| op.row().form);
    let y = if form == Some(crate::bytecode::Form::ABI) { Value::int(imm8(word)) } else { vm.register(c(word)) };
    (vm.register(b(word)), y)
}

/// A numeric operator on primitives.
pub(crate) fn numeric(
    vm: &mut Vm<'_>,
    x: Value,
    y: Value,
    double: fn(f64, f64) -> f64,
    big: fn(&mut Vm<'_>, IBig, IBig) -> Result<IBig>,
) -> Result<Value> {
    let x = vm.to_numeric_primitive(x)?;
    let y = vm.to_numeric_primitive(y)?;
    match (x.as_number(), y.as_number()) {
        (Some(x), Some(y)) => Ok(Value::number(double(x, y))),
        (None, None) => {
            let (x, y) = (vm.heap.bigint_value(x.payload()), vm.heap.bigint_value(y.payload()));
            let result = big(vm, x, y)?;
            vm.heap.bigint(&result).map(Value::bigint)
        }
        _ => vm.type_error("Cannot mix BigInt and other types, use explicit conversions"),
    }
}

fn words(n: &IBig) -> u64 {
    n.bit_len_words()
}

trait Words {
    fn bit_len_words(&self) -> u64;
}

impl Words for IBig {
    fn bit_len_words(&self) -> u64 {
        use dashu_int::ops::BitTest;
        self.bit_len() as u64 / 64 + 1
    }
}

/// Largest shift or power result, in bits.
const MAX_BITS: u64 = 1 << 24;

/// `x + y` on anything but objects.
pub(crate) fn add_primitives(vm: &mut Vm<'_>, x: Value, y: Value) -> Result<Value> {
    if x.is_string() || y.is_string() {
        let x = vm.to_string_primitive(x)?;
        let y = vm.to_string_primitive(y)?;
        if u64::from(vm.heap.string_length(x)) + u64::from(vm.heap.string_length(y)) > u64::from(crate::heap::string::MAX_LENGTH) {
            return vm.range_error("Invalid string length");
        }
        return vm.heap.concat(x, y).map(Value::string);
    }
    numeric(vm, x, y, |x, y| x + y, |_, x, y| Ok(x + y))
}

fn add(vm: &mut Vm<'_>, word: u32) -> Result<()> {
    let (x, y) = operands(vm, word);
    let result = if x.is_object() || y.is_object() { vm.help(Helper::Add, &[x, y])? } else { add_primitives(vm, x, y)? };
    vm.set_register(a(word), result);
    Ok(())
}

/// The operators by name, for the slow paths and for self-hosted code.
pub(crate) fn operate(vm: &mut Vm<'_>, helper: Helper, x: Value, y: Value) -> Result<Value> {
    match helper {
        Helper::Add => add_primitives(vm, x, y),
        Helper::Subtract => numeric(vm, x, y, |x, y| x - y, |_, x, y| Ok(x - y)),
        Helper::Multiply => numeric(
            vm,
            x,
            y,
            |x, y| x * y,
            |vm, x, y| {
                vm.charge(words(&x).saturating_mul(words(&y)) / 16)?;
                Ok(x * y)
            },
        ),
        Helper::Divide => numeric(
            vm,
            x,
            y,
            |x, y| x / y,
            |vm, x, y| {
                if y == IBig::ZERO {
                    return vm.range_error("Division by zero");
                }
                vm.charge(words(&x).saturating_mul(words(&y)) / 16)?;
                Ok(x / y)
            },
        ),
        Helper::Remainder => numeric(
            vm,
            x,
            y,
            |x, y| x % y,
            |vm, x, y| {
                if y == IBig::ZERO {
                    return vm.range_error("Division by zero");
                }
                vm.charge(words(&x).saturating_mul(words(&y)) / 16)?;
                Ok(x % y)
            },
        ),
        Helper::Power => numeric(vm, x, y, power_double, |vm, x, y| {
            if y < IBig::ZERO {
                return vm.range_error("Exponent must be non-negative");
            }
            let small = x == IBig::ZERO || x == IBig::ONE || x == IBig::NEG_ONE;
            let Ok(n) = u64::try_from(&y) else {
                if small {
                    let odd = (&y % IBig::from(2)) != IBig::ZERO;
                    return Ok(if odd { x } else { x.clone() * x });
                }
                return vm.range_error("Maximum BigInt size exceeded");
            };
            let bits = words(&x).saturating_mul(64).saturating_mul(n);
            if !small && bits > MAX_BITS + 64 * n.min(64) {
                return vm.range_error("Maximum BigInt size exceeded");
            }
            vm.charge((bits.min(MAX_BITS) / 64).pow(2) / 64)?;
            Ok(if small {
                if n == 0 {
                    IBig::ONE
                } else if n % 2 == 0 {
                    x.clone() * x
                } else {
                    x
                }
            } else {
                x.pow(n as usize)
            })
        }),
        Helper::BitAnd => numeric(vm, x, y, |x, y| f64::from(to_int32(x) & to_int32(y)), |_, x, y| Ok(x & y)),
        Helper::BitOr => numeric(vm, x, y, |x, y| f64::from(to_int32(x) | to_int32(y)), |_, x, y| Ok(x | y)),
        Helper::BitXor => numeric(vm, x, y, |x, y| f64::from(to_int32(x) ^ to_int32(y)), |_, x, y| Ok(x ^ y)),
        Helper::ShiftLeft => numeric(vm, x, y, |x, y| f64::from(to_int32(x).wrapping_shl(to_int32(y) as u32)), shift),
        Helper::ShiftRight => {
            numeric(vm, x, y, |x, y| f64::from(to_int32(x).wrapping_shr(to_int32(y) as u32)), |vm, x, y| shift(vm, x, -y))
        }
        Helper::ShiftRightUnsigned => numeric(
            vm,
            x,
            y,
            |x, y| f64::from((to_int32(x) as u32).wrapping_shr(to_int32(y) as u32)),
            |vm, _, _| vm.type_error("BigInts have no unsigned right shift, use >> instead"),
        ),
        _ => Ok(Value::UNDEFINED),
    }
}

/// Shifts left by `by`, right if negative.
fn shift(vm: &mut Vm<'_>, x: IBig, by: IBig) -> Result<IBig> {
    if by >= IBig::ZERO {
        if x == IBig::ZERO {
            return Ok(x);
        }
        match u64::try_from(&by) {
            Ok(n) if n <= MAX_BITS => Ok(x << n as usize),
            _ => vm.range_error("Maximum BigInt size exceeded"),
        }
    } else {
        match u64::try_from(&-by) {
            Ok(n) if n <= MAX_BITS * 2 => Ok(x >> n as usize),
            _ => Ok(if x < IBig::ZERO { IBig::NEG_ONE } else { IBig::ZERO }),
        }
    }
}

/// Number::exponentiate.
pub(crate) fn power_double(x: f64, y: f64) -> f64 {
    if y.is_nan() || (x.abs() == 1.0 && y.is_infinite()) {
        return f64::NAN;
    }
    if y == 2.0 {
        return x * x;
    }
    libm::pow(x, y)
}

macro_rules! slow_binary {
    ($($name:ident $helper:ident)*) => {$(
        #[cold]
        fn $name(vm: &mut Vm<'_>, word: u32) -> Result<()> {
            let (x, y) = operands(vm, word);
            let result = if x.is_object() || y.is_object() { vm.help(Helper::$helper, &[x, y])? } else { operate(vm, Helper::$helper, x, y)? };
            vm.set_register(a(word), result);
            Ok(())
        }
    )*};
}

slow_binary!(subtract Subtract multiply Multiply divide Divide remainder Remainder power Power bit_and BitAnd bit_or BitOr bit_xor BitXor
    shift_left ShiftLeft shift_right ShiftRight shift_right_unsigned ShiftRightUnsigned);

/// Unary operators on anything but objects.
pub(crate) fn unary(vm: &mut Vm<'_>, helper: Helper, x: Value) -> Result<Value> {
    let x = vm.to_numeric_primitive(x)?;
    if let Some(n) = x.as_number() {
        return Ok(Value::number(match helper {
            Helper::Increment => n + 1.0,
            Helper::Decrement => n - 1.0,
            Helper::Negate => -n,
            _ => f64::from(!to_int32(n)),
        }));
    }
    let n = vm.heap.bigint_value(x.payload());
    let result = match helper {
        Helper::Increment => n + IBig::ONE,
        Helper::Decrement => n - IBig::ONE,
        Helper::Negate => -n,
        _ => !n,
    };
    vm.heap.bigint(&result).map(Value::bigint)
}

macro_rules! slow_unary {
    ($($name:ident $helper:ident)*) => {$(
        #[cold]
        fn $name(vm: &mut Vm<'_>, word: u32) -> Result<()> {
            let x = vm.register(b(word));
            let result = if x.is_object() { vm.help(Helper::$helper, &[x])? } else { unary(vm, Helper::$helper, x)? };
            vm.set_register(a(word), result);
            Ok(())
        }
    )*};
}

slow_unary!(increment Increment decrement Decrement negate Negate bit_not BitNot);

op!(Concat(vm, regs, code, pc, state, word) {
    slow(vm, regs, code, state, word, |vm, word| {
        let mut text = vm.register(b(word));
        for i in 1..c(word) {
            let part = vm.register(b(word).wrapping_add(i));
            if !text.is_string() || !part.is_string() {
                return Err(Signal::Stop(crate::heap::Pause::Internal));
            }
            text = add_primitives(vm, text, part)?;
        }
        vm.set_register(a(word), text);
        Ok(())
    })
});
