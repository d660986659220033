//! Number, BigInt, Boolean, and the global functions on numbers and URIs.

use super::{Leaf, Native};
use crate::heap::{Result, atoms};
use crate::number;
use crate::value::Value;
use crate::vm::{Fault, Vm};

const fn leaf(name: &'static str, leaf: Leaf) -> Native {
    Native { target: "", name, length: 0, convert: "", leaf }
}

pub(super) const NATIVES: &[Native] = &[
    leaf("numberText", |vm, a| {
        // (number, radix)
        let n = a.get(vm, 0).as_number().unwrap_or(f64::NAN);
        let radix = a.get(vm, 1).as_int().unwrap_or(10) as u32;
        if radix == 10 || !n.is_finite() {
            return vm.to_string_primitive(Value::number(n)).map(Value::string);
        }
        let text = radix_text(n, radix);
        vm.heap.string(&text).map(Value::string)
    }),
    leaf("numberFixed", |vm, a| {
        // (number, digits): toFixed of a finite number under 1e21.
        let (n, digits) = (a.get(vm, 0).as_number().unwrap_or(0.0), a.get(vm, 1).as_int().unwrap_or(0) as usize);
        let text = exact_fixed(n, digits);
        vm.heap.string(&text).map(Value::string)
    }),
    leaf("numberExponential", |vm, a| {
        // (number, fraction digits or undefined)
        let n = a.get(vm, 0).as_number().unwrap_or(0.0);
        let digits = a.get(vm, 1).as_int();
        let text = exponential(n, digits.map(|d| d as usize));
        vm.heap.string(&text).map(Value::string)
    }),
    leaf("numberPrecision", |vm, a| {
        let (n, digits) = (a.get(vm, 0).as_number().unwrap_or(0.0), a.get(vm, 1).as_int().unwrap_or(1).max(1) as usize);
        let text = precision(n, digits);
        vm.heap.string(&text).map(Value::string)
    }),
    leaf("parseFloat", |vm, a| {
        let text = vm.heap.text(a.get(vm, 0).payload())?;
        vm.charge(text.len() as u64 / 16)?;
        let text = text.trim_start_matches(number::is_space);
        Ok(Value::number(number::parse_decimal(text).map_or(f64::NAN, |(n, _)| n)))
    }),
    leaf("parseInt", |vm, a| {
        // (text, radix as int32)
        let text = vm.heap.text(a.get(vm, 0).payload())?;
        vm.charge(text.len() as u64 / 16)?;
        let mut radix = a.get(vm, 1).as_int().unwrap_or(0);
        let mut digits = text.trim_start_matches(number::is_space);
        let negative = digits.starts_with('-');
        digits = digits.strip_prefix(['-', '+']).unwrap_or(digits);
        if radix != 0 && !(2..=36).contains(&radix) {
            return Ok(Value::NAN);
        }
        if (radix == 0 || radix == 16)
            && let Some(rest) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"))
        {
            digits = rest;
            radix = 16;
        }
        let radix = if radix == 0 { 10 } else { radix as u32 };
        let count = digits.bytes().take_while(|&b| char::from(b).is_digit(radix)).count();
        if count == 0 {
            return Ok(Value::NAN);
        }
        let digits = &digits[..count];
        let n = if radix == 10 {
            digits.parse().unwrap_or(f64::NAN)
        } else {
            number::parse_radix(digits.as_bytes(), radix).unwrap_or(f64::NAN)
        };
        Ok(Value::number(if negative { -n } else { n }))
    }),
    leaf("toBigInt", |vm, a| {
        let value = a.get(vm, 0);
        vm.to_bigint_primitive(value)
    }),
    leaf("numberToBigInt", |vm, a| {
        let n = a.get(vm, 0).as_number().unwrap_or(f64::NAN);
        match dashu_int::IBig::try_from(n) {
            Ok(big) if n.fract() == 0.0 => vm.heap.bigint(&big).map(Value::bigint),
            _ => vm.range_error(&format!("The number {} cannot be converted to a BigInt because it is not an integer", number::to_text(n))),
        }
    }),
    leaf("bigintNumber", |vm, a| {
        let big = vm.heap.bigint_value(a.get(vm, 0).payload());
        Ok(Value::number(big.to_f64().value()))
    }),
    leaf("bigintText", |vm, a| {
        let cell = a.get(vm, 0).payload();
        let words = u64::from(vm.heap.high(cell));
        vm.charge(words.saturating_mul(words) / 8)?;
        let radix = a.get(vm, 1).as_int().unwrap_or(10) as u32;
        let big = vm.heap.bigint_value(cell);
        let text = big.in_radix(radix.clamp(2, 36) as u8).to_string();
        vm.heap.string(&text).map(Value::string)
    }),
    leaf("bigintWrap", |vm, a| {
        // (bits, bigint, signed)
        let bits = a.get(vm, 0).as_number().unwrap_or(0.0);
        let big = vm.heap.bigint_value(a.get(vm, 1).payload());
        let signed = a.get(vm, 2) == Value::TRUE;
        if bits > f64::from(1 << 24) {
            if big >= dashu_int::IBig::ZERO || signed {
                return Ok(a.get(vm, 1));
            }
            return vm.range_error("Maximum BigInt size exceeded");
        }
        let bits = bits as usize;
        vm.charge(bits as u64 / 64)?;
        let modulus = dashu_int::IBig::ONE << bits;
        let mut low = big & (&modulus - dashu_int::IBig::ONE);
        if signed && bits > 0 && low >= dashu_int::IBig::ONE << (bits - 1) {
            low -= modulus;
        }
        vm.heap.bigint(&low).map(Value::bigint)
    }),
    leaf("uri", uri),
    leaf("normalize", |vm, a| {
        // ASCII text is its own normal form.
        let string = a.get(vm, 0);
        let flat = vm.heap.flat(string.payload())?;
        vm.charge(u64::from(flat.length / 8))?;
        if !flat.wide && (0..flat.length).all(|i| vm.heap.unit(flat, i) < 128) {
            return Ok(string);
        }
        let form = vm.heap.text(a.get(vm, 1).payload())?;
        let units = vm.heap.units(string.payload())?;
        let mut out: Vec<u16> = Vec::new();
        // Lone surrogates pass through: normalise the stretches between them.
        let mut rest = &units[..];
        while !rest.is_empty() {
            let lone = stretch(rest);
            let (whole, other) = rest.split_at(lone);
            let chars = char::decode_utf16(whole.iter().copied()).map_while(|c| c.ok());
            let heap = &vm.heap;
            let held = units.len() * 2;
            let mut put = |c: char| -> Result<()> {
                out.extend_from_slice(c.encode_utf16(&mut [0; 2]));
                if out.len() & 1023 == 0 { heap.scratch(held + out.len() * 4) } else { Ok(()) }
            };
            match form.as_str() {
                "NFC" => icu_normalizer::ComposingNormalizerBorrowed::new_nfc().normalize_iter(chars).try_for_each(&mut put)?,
                "NFKC" => icu_normalizer::ComposingNormalizerBorrowed::new_nfkc().normalize_iter(chars).try_for_each(&mut put)?,
                "NFD" => icu_normalizer::DecomposingNormalizerBorrowed::new_nfd().normalize_iter(chars).try_for_each(&mut put)?,
                _ => icu_normalizer::DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(chars).try_for_each(&mut put)?,
            }
            rest = match other.split_first() {
                Some((&unit, after)) => {
                    out.push(unit);
                    after
                }
                None => other,
            };
        }
        vm.heap.string16(&out).map(Value::string)
    }),
    leaf("wellKnownSymbols", |vm, a| {
        let target = a.get(vm, 0).payload();
        for (i, name) in atoms::SYMBOL_NAMES.iter().enumerate() {
            let key = vm.key_of(name)?;
            vm.heap.put(target, key, Value::symbol(atoms::SYMBOLS + i as u32 * 16), 0)?;
        }
        Ok(Value::UNDEFINED)
    }),
];

/// Units before the first lone surrogate.
fn stretch(units: &[u16]) -> usize {
    let mut at = 0;
    for c in char::decode_utf16(units.iter().copied()) {
        match c {
            Ok(c) => at += c.len_utf16(),
            Err(_) => break,
        }
    }
    at
}

/// A finite number in another radix than ten. The standard leaves the digits open (Number.prototype.toString, step 6): they are those
/// of V8, as many as tell the number from its neighbours, and noughts where a large one says nothing.
fn radix_text(n: f64, radix: u32) -> String {
    let (mut whole, mut fraction, base) = (n.abs().trunc(), n.abs().fract(), f64::from(radix));
    let mut right: Vec<u32> = Vec::new();
    let mut delta = ((n.abs().next_up() - n.abs()) / 2.0).max(f64::from_bits(1));
    while fraction >= delta {
        fraction *= base;
        delta *= base;
        let digit = fraction.trunc();
        right.push(digit as u32);
        fraction -= digit;
        if (fraction > 0.5 || fraction == 0.5 && digit as u32 & 1 == 1) && fraction + delta > 1.0 {
            // Up, and what carries with it.
            while right.last() == Some(&(radix - 1)) {
                right.pop();
            }
            match right.last_mut() {
                Some(last) => *last += 1,
                None => whole += 1.0,
            }
            break;
        }
    }
    let digit = |d: u32| char::from_digit(d, radix).unwrap_or('0');
    let mut left = Vec::new();
    while whole / base >= 9_007_199_254_740_992.0 {
        whole /= base;
        left.push('0');
    }
    loop {
        let rest = whole % base;
        left.push(digit(rest as u32));
        whole = (whole - rest) / base;
        if whole <= 0.0 {
            break;
        }
    }
    let sign = if n < 0.0 { "-" } else { "" };
    let point = if right.is_empty() { "" } else { "." };
    sign.chars().chain(left.into_iter().rev()).chain(point.chars()).chain(right.into_iter().map(digit)).collect()
}

/// Rounds half away from zero on the exact value, as toFixed asks.
fn exact_fixed(n: f64, digits: usize) -> String {
    // Rust formats exactly with round-half-even on the exact decimal expansion; ties are real ties there.
    let exact = format!("{:.*}", 1100, n.abs());
    let (whole, fraction) = exact.split_once('.').unwrap_or((&exact, ""));
    let mut all: Vec<u8> = whole.bytes().chain(fraction.bytes().take(digits)).collect();
    if fraction.as_bytes().get(digits).is_some_and(|&d| d >= b'5') {
        let mut i = all.len();
        loop {
            if i == 0 {
                all.insert(0, b'1');
                break;
            }
            i -= 1;
            if all[i] == b'9' {
                all[i] = b'0'
            } else {
                all[i] += 1;
                break;
            }
        }
    }
    let point = all.len() - digits;
    let text: String = all.iter().map(|&b| char::from(b)).collect();
    let body = if digits == 0 { text } else { format!("{}.{}", &text[..point], &text[point..]) };
    if n < 0.0 { format!("-{body}") } else { body }
}

/// Decimal digits (rounded half up on the exact value) and exponent of a positive number.
fn digits_of(n: f64, count: usize) -> (Vec<u8>, i32) {
    if n == 0.0 {
        return (vec![b'0'; count], 0);
    }
    let exact = format!("{:.*e}", 1100, n);
    let (mantissa, exponent) = exact.split_once('e').unwrap_or((&exact, "0"));
    let mut exponent: i32 = exponent.parse().unwrap_or(0);
    let all: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    let mut kept: Vec<u8> = all.iter().copied().take(count).collect();
    if all.get(count).is_some_and(|&d| d >= b'5') {
        let mut i = kept.len();
        loop {
            if i == 0 {
                kept.insert(0, b'1');
                kept.pop();
                exponent += 1;
                break;
            }
            i -= 1;
            if kept[i] == b'9' {
                kept[i] = b'0'
            } else {
                kept[i] += 1;
                break;
            }
        }
    }
    (kept, exponent)
}

fn exponential(n: f64, digits: Option<usize>) -> String {
    let sign = if n < 0.0 { "-" } else { "" };
    let n = n.abs();
    let (kept, exponent) = match digits {
        Some(digits) => digits_of(n, digits + 1),
        None => {
            // The digits that the number is shown with: there may be others as short and as near.
            let shown = number::to_text(n);
            let mantissa: String = shown.split('e').next().unwrap_or("0").chars().filter(char::is_ascii_digit).collect();
            let kept = match mantissa.trim_matches('0') {
                "" => "0",
                kept => kept,
            };
            let exponent = format!("{n:e}").split_once('e').map_or(0, |(_, exponent)| exponent.parse().unwrap_or(0));
            (kept.as_bytes().to_vec(), exponent)
        }
    };
    let text: String = kept.iter().map(|&b| char::from(b)).collect();
    let (first, rest) = text.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    let plus = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{first}{point}{rest}e{plus}{}", exponent.abs())
}

fn precision(n: f64, digits: usize) -> String {
    let sign = if n < 0.0 { "-" } else { "" };
    let (kept, exponent) = digits_of(n.abs(), digits);
    if exponent < -6 || exponent >= digits as i32 {
        return exponential(n, Some(digits - 1));
    }
    let text: String = kept.iter().map(|&b| char::from(b)).collect();
    if exponent as usize + 1 == digits && exponent >= 0 {
        return format!("{sign}{text}");
    }
    if exponent >= 0 {
        let (whole, fraction) = text.split_at(exponent as usize + 1);
        return format!("{sign}{whole}.{fraction}");
    }
    format!("{sign}0.{}{text}", "0".repeat((-exponent - 1) as usize))
}

/// (text, mode): 0 encodeURI, 1 encodeURIComponent, 2 decodeURI, 3 decodeURIComponent, 4 escape, 5 unescape.
fn uri(vm: &mut Vm<'_>, a: super::Arguments) -> Result<Value> {
    const UNRESERVED: &str = "-_.!~*'()";
    const RESERVED: &str = ";/?:@&=+$,#";
    let string = a.get(vm, 0).payload();
    let mode = a.get(vm, 1).as_int().unwrap_or(0);
    vm.charge(u64::from(vm.heap.string_length(string) / 8))?;
    let units = vm.heap.units(string)?;
    let mut out: Vec<u16> = Vec::new();
    let hex = |out: &mut Vec<u16>, byte: u8| out.extend(format!("%{byte:02X}").encode_utf16());
    let pair = |units: &[u16], at: usize| -> Option<u8> {
        let digit = |i: usize| units.get(i).and_then(|&u| char::from_u32(u32::from(u))).and_then(|c| c.to_digit(16));
        Some((digit(at)? << 4 | digit(at + 1)?) as u8)
    };
    let mut i = 0;
    let mut checked = 0;
    while i < units.len() {
        if out.len() >= checked {
            // The result, of bytes mostly, beside what it is made of.
            vm.heap.scratch(units.len() * 2 + out.len() * 3)?;
            checked = out.len() + 1024;
        }
        let unit = units[i];
        let ascii = char::from_u32(u32::from(unit)).filter(char::is_ascii);
        match mode {
            0 | 1 => {
                let free = ascii.is_some_and(|c| c.is_ascii_alphanumeric() || UNRESERVED.contains(c) || mode == 0 && RESERVED.contains(c));
                if free {
                    out.push(unit);
                } else {
                    let c = match char::decode_utf16(units[i..].iter().copied().take(2)).next() {
                        Some(Ok(c)) => c,
                        _ => return vm.fail(Fault::Uri, "URI malformed"),
                    };
                    i += c.len_utf16() - 1;
                    let mut buffer = [0; 4];
                    for byte in c.encode_utf8(&mut buffer).bytes() {
                        hex(&mut out, byte);
                    }
                }
            }
            2 | 3 => {
                if unit != u16::from(b'%') {
                    out.push(unit);
                } else {
                    let Some(first) = pair(&units, i + 1) else { return vm.fail(Fault::Uri, "URI malformed") };
                    let size = match first {
                        0..=0x7f => 1,
                        0xc2..=0xdf => 2,
                        0xe0..=0xef => 3,
                        0xf0..=0xf4 => 4,
                        _ => return vm.fail(Fault::Uri, "URI malformed"),
                    };
                    let mut bytes = vec![first];
                    for k in 1..size {
                        let at = i + k * 3;
                        match (units.get(at) == Some(&u16::from(b'%'))).then(|| pair(&units, at + 1)).flatten() {
                            Some(byte) => bytes.push(byte),
                            None => return vm.fail(Fault::Uri, "URI malformed"),
                        }
                    }
                    let Some(c) = std::str::from_utf8(&bytes).ok().and_then(|s| s.chars().next()) else {
                        return vm.fail(Fault::Uri, "URI malformed");
                    };
                    if mode == 2 && RESERVED.contains(c) {
                        out.extend_from_slice(&units[i..i + 3]);
                    } else {
                        let mut buffer = [0; 2];
                        out.extend_from_slice(c.encode_utf16(&mut buffer));
                    }
                    i += size * 3 - 1;
                }
            }
            4 => {
                if ascii.is_some_and(|c| c.is_ascii_alphanumeric() || "@*_+-./".contains(c)) {
                    out.push(unit);
                } else if unit < 256 {
                    hex(&mut out, unit as u8);
                } else {
                    out.extend(format!("%u{unit:04X}").encode_utf16());
                }
            }
            _ => {
                if unit == u16::from(b'%') {
                    if units.get(i + 1) == Some(&u16::from(b'u'))
                        && let (Some(x), Some(y)) = (pair(&units, i + 2), pair(&units, i + 4))
                    {
                        out.push(u16::from(x) << 8 | u16::from(y));
                        i += 6;
                        continue;
                    }
                    if let Some(byte) = pair(&units, i + 1) {
                        out.push(u16::from(byte));
                        i += 3;
                        continue;
                    }
                }
                out.push(unit);
            }
        }
        i += 1;
    }
    vm.heap.string16(&out).map(Value::string)
}
