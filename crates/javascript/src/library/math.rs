//! Math, on one portable library of functions.

use super::Native;
use crate::value::{Value, to_int32};

macro_rules! unary {
    ($($name:literal $f:expr;)*) => {
        &[$(Native { target: "Math", name: $name, length: 1, convert: "*n", leaf: |vm, a| {
            let x = a.get(vm, 0).as_number().unwrap_or(f64::NAN);
            let f: fn(f64) -> f64 = $f;
            Ok(Value::number(f(x)))
        } }),*,
        Native { target: "", name: "trunc", length: 1, convert: "", leaf: |vm, a| Ok(Value::number(crate::value::to_integer(a.get(vm, 0).as_number().unwrap_or(0.0)))) },
        Native { target: "Math", name: "atan2", length: 2, convert: "*nn", leaf: |vm, a| {
            let (y, x) = (a.get(vm, 0).as_number().unwrap_or(f64::NAN), a.get(vm, 1).as_number().unwrap_or(f64::NAN));
            Ok(Value::number(libm::atan2(y, x)))
        } },
        Native { target: "Math", name: "pow", length: 2, convert: "*nn", leaf: |vm, a| {
            let (x, y) = (a.get(vm, 0).as_number().unwrap_or(f64::NAN), a.get(vm, 1).as_number().unwrap_or(f64::NAN));
            Ok(Value::number(crate::interpret::power_double(x, y)))
        } },
        Native { target: "Math", name: "imul", length: 2, convert: "*nn", leaf: |vm, a| {
            let (x, y) = (a.get(vm, 0).as_number().unwrap_or(0.0), a.get(vm, 1).as_number().unwrap_or(0.0));
            Ok(Value::int(to_int32(x).wrapping_mul(to_int32(y))))
        } },
        Native { target: "Math", name: "max", length: 2, convert: "*nnnnnnnn", leaf: |vm, a| {
            let mut best = f64::NEG_INFINITY;
            for i in 0..a.count {
                let value = a.get(vm, i);
                let n = if value.is_object() { f64::NAN } else { vm.to_number_primitive(value)? };
                if n.is_nan() || best.is_nan() { best = f64::NAN } else if n > best || n == 0.0 && best == 0.0 && n.is_sign_positive() { best = n }
            }
            Ok(Value::number(best))
        } },
        Native { target: "Math", name: "min", length: 2, convert: "*nnnnnnnn", leaf: |vm, a| {
            let mut best = f64::INFINITY;
            for i in 0..a.count {
                let value = a.get(vm, i);
                let n = if value.is_object() { f64::NAN } else { vm.to_number_primitive(value)? };
                if n.is_nan() || best.is_nan() { best = f64::NAN } else if n < best || n == 0.0 && best == 0.0 && n.is_sign_negative() { best = n }
            }
            Ok(Value::number(best))
        } },
        Native { target: "Math", name: "hypot", length: 2, convert: "*nnnnnnnn", leaf: |vm, a| {
            let (mut sum, mut infinite, mut nan) = (0.0f64, false, false);
            for i in 0..a.count {
                let value = a.get(vm, i);
                let n = if value.is_object() { f64::NAN } else { vm.to_number_primitive(value)? };
                infinite |= n.is_infinite();
                nan |= n.is_nan();
                sum = libm::hypot(sum, n);
            }
            Ok(Value::number(if infinite { f64::INFINITY } else if nan { f64::NAN } else { sum }))
        } },
        Native { target: "Math", name: "random", length: 0, convert: "", leaf: |vm, _| {
            let bits = vm.random_bits()? >> 11;
            Ok(Value::number(bits as f64 / 9_007_199_254_740_992.0))
        } }]
    };
}

pub(super) const NATIVES: &[Native] = unary! {
    "abs" f64::abs; "floor" f64::floor; "ceil" f64::ceil; "trunc" f64::trunc; "sqrt" f64::sqrt;
    "round" |x| if x.is_finite() && x.fract() != 0.0 { let low = x.floor(); (if x - low < 0.5 { low } else { low + 1.0 }).abs().copysign(x) } else { x };
    "sign" |x| if x == 0.0 || x.is_nan() { x } else { 1f64.copysign(x) };
    "sin" libm::sin; "cos" libm::cos; "tan" libm::tan; "asin" libm::asin; "acos" libm::acos; "atan" libm::atan;
    "sinh" libm::sinh; "cosh" libm::cosh; "tanh" libm::tanh; "asinh" libm::asinh; "acosh" libm::acosh; "atanh" libm::atanh;
    "exp" libm::exp; "expm1" libm::expm1; "log" libm::log; "log2" libm::log2; "log10" libm::log10; "log1p" libm::log1p; "cbrt" libm::cbrt;
    "fround" |x| f64::from(x as f32);
    "clz32" |x| f64::from(to_int32(x).leading_zeros());
};
