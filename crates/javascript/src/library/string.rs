//! String.prototype's leaves, and symbols'.

use super::{Arguments, Leaf, Native};
use crate::heap::string::{Flat, MAX_LENGTH};
use crate::heap::{Kind, Result, atoms, flag};
use crate::value::{Value, to_integer};
use crate::vm::{Realm, Vm};

const fn method(name: &'static str, length: u8, convert: &'static str, leaf: Leaf) -> Native {
    Native { target: "STRING_PROTOTYPE", name, length, convert, leaf }
}

const fn leaf(name: &'static str, leaf: Leaf) -> Native {
    Native { target: "", name, length: 0, convert: "", leaf }
}

pub(super) const NATIVES: &[Native] = &[
    method("charCodeAt", 1, "Si", |vm, a| {
        let (text, at) = (text(vm, &a)?, integer(vm, &a, 0, 0.0));
        Ok(if at >= 0.0 && at < f64::from(text.length) { Value::int(i32::from(vm.heap.unit(text, at as u32))) } else { Value::NAN })
    }),
    method("charAt", 1, "Si", |vm, a| {
        let at = integer(vm, &a, 0, 0.0);
        part(vm, &a, at, at + 1.0)
    }),
    method("at", 1, "Si", |vm, a| {
        let length = f64::from(text(vm, &a)?.length);
        let at = integer(vm, &a, 0, 0.0);
        let at = if at < 0.0 { at + length } else { at };
        if at < 0.0 || at >= length { Ok(Value::UNDEFINED) } else { part(vm, &a, at, at + 1.0) }
    }),
    method("codePointAt", 1, "Si", |vm, a| {
        let (text, at) = (text(vm, &a)?, integer(vm, &a, 0, 0.0));
        if at < 0.0 || at >= f64::from(text.length) {
            return Ok(Value::UNDEFINED);
        }
        Ok(Value::int(code_point(vm, text, at as u32) as i32))
    }),
    method("indexOf", 1, "Ssi", |vm, a| {
        let (text, needle) = (text(vm, &a)?, argument(vm, &a, 0)?);
        let from = integer(vm, &a, 1, 0.0).clamp(0.0, f64::from(text.length)) as u32;
        Ok(find(vm, text, needle, from)?.map_or(Value::int(-1), Value::unsigned))
    }),
    method("lastIndexOf", 1, "Ssn", |vm, a| {
        let (text, needle) = (text(vm, &a)?, argument(vm, &a, 0)?);
        let given = a.get(vm, 1).as_number().unwrap_or(f64::NAN);
        let last = if given.is_nan() { f64::INFINITY } else { to_integer(given) };
        if needle.length > text.length {
            return Ok(Value::int(-1));
        }
        let start = last.clamp(0.0, f64::from(text.length - needle.length)) as u32;
        vm.charge(u64::from(text.length / 16))?;
        Ok((0..=start).rev().find(|&i| matches(vm, text, needle, i)).map_or(Value::int(-1), Value::unsigned))
    }),
    leaf("stringIncludes", |vm, a| {
        // (text, needle, from)
        let (x, y) = (vm.heap.flat(a.get(vm, 0).payload())?, vm.heap.flat(a.get(vm, 1).payload())?);
        let from = integer(vm, &a, 2, 0.0).clamp(0.0, f64::from(x.length)) as u32;
        Ok(Value::boolean(find(vm, x, y, from)?.is_some()))
    }),
    leaf("stringMatchesAt", |vm, a| {
        let (x, y) = (vm.heap.flat(a.get(vm, 0).payload())?, vm.heap.flat(a.get(vm, 1).payload())?);
        let at = integer(vm, &a, 2, 0.0);
        Ok(Value::boolean(at >= 0.0 && at + f64::from(y.length) <= f64::from(x.length) && matches(vm, x, y, at as u32)))
    }),
    leaf("stringIndexOf", |vm, a| {
        let (x, y) = (vm.heap.flat(a.get(vm, 0).payload())?, vm.heap.flat(a.get(vm, 1).payload())?);
        let from = integer(vm, &a, 2, 0.0).clamp(0.0, f64::from(x.length)) as u32;
        Ok(find(vm, x, y, from)?.map_or(Value::int(-1), Value::unsigned))
    }),
    leaf("stringPart", |vm, a| {
        // (text, from, to)
        let string = a.get(vm, 0).payload();
        let length = f64::from(vm.heap.string_length(string));
        let (from, to) = (integer(vm, &a, 1, 0.0).clamp(0.0, length) as u32, integer(vm, &a, 2, length).clamp(0.0, length) as u32);
        if from < to { vm.heap.substring(string, from, to).map(Value::string) } else { Ok(Value::string(atoms::EMPTY)) }
    }),
    method("slice", 2, "Sii", |vm, a| {
        let length = f64::from(text(vm, &a)?.length);
        let relative = |n: f64| if n < 0.0 { (length + n).max(0.0) } else { n.min(length) };
        let (from, to) = (relative(integer(vm, &a, 0, 0.0)), relative(integer(vm, &a, 1, length)));
        part(vm, &a, from, to)
    }),
    method("substring", 2, "Sii", |vm, a| {
        let length = f64::from(text(vm, &a)?.length);
        let (x, y) = (integer(vm, &a, 0, 0.0).clamp(0.0, length), integer(vm, &a, 1, length).clamp(0.0, length));
        part(vm, &a, x.min(y), x.max(y))
    }),
    method("substr", 2, "Sii", |vm, a| {
        let length = f64::from(text(vm, &a)?.length);
        let from = integer(vm, &a, 0, 0.0);
        let from = if from < 0.0 { (length + from).max(0.0) } else { from.min(length) };
        let to = (from + integer(vm, &a, 1, length)).min(length);
        part(vm, &a, from, to)
    }),
    method("toLowerCase", 0, "S", |vm, a| case(vm, &a, false)),
    method("toUpperCase", 0, "S", |vm, a| case(vm, &a, true)),
    method("toLocaleLowerCase", 0, "S", |vm, a| case(vm, &a, false)),
    method("toLocaleUpperCase", 0, "S", |vm, a| case(vm, &a, true)),
    method("trim", 0, "S", |vm, a| trim(vm, &a, true, true)),
    method("trimStart", 0, "S", |vm, a| trim(vm, &a, true, false)),
    method("trimEnd", 0, "S", |vm, a| trim(vm, &a, false, true)),
    method("repeat", 1, "Si", |vm, a| {
        let this = a.this(vm).payload();
        let count = integer(vm, &a, 0, 0.0);
        let length = f64::from(vm.heap.string_length(this));
        if count < 0.0 || count == f64::INFINITY {
            let shown = vm.brief(a.get(vm, 0))?;
            return vm.range_error(&format!("Invalid count value: {shown}"));
        }
        if count * length > f64::from(MAX_LENGTH) {
            return vm.range_error("Invalid string length");
        }
        if length == 0.0 {
            return Ok(Value::string(atoms::EMPTY));
        }
        vm.charge((count * length / 64.0) as u64)?;
        // Doubling: ropes share.
        let (mut result, mut power, mut n) = (atoms::EMPTY, this, count as u64);
        while n > 0 {
            if n & 1 == 1 {
                result = vm.heap.concat(result, power)?;
            }
            n >>= 1;
            if n > 0 {
                power = vm.heap.concat(power, power)?;
            }
        }
        Ok(Value::string(result))
    }),
    method("isWellFormed", 0, "S", |vm, a| {
        let units = units(vm, &a)?;
        Ok(Value::boolean(char::decode_utf16(units).all(|c| c.is_ok())))
    }),
    method("toWellFormed", 0, "S", |vm, a| {
        let units = units(vm, &a)?;
        let text = String::from_utf16_lossy(&units);
        vm.heap.string(&text).map(Value::string)
    }),
    leaf("stringOrder", |vm, a| {
        let order = vm.heap.strings_compare(a.get(vm, 0).payload(), a.get(vm, 1).payload())?;
        Ok(Value::int(order as i32))
    }),
    leaf("splitString", |vm, a| {
        // (text, separator, limit): by a non-empty string.
        let string = a.get(vm, 0).payload();
        let separator = a.get(vm, 1).payload();
        let limit = a.get(vm, 2).as_number().unwrap_or(4_294_967_295.0) as u32;
        let (text, needle) = (vm.heap.flat(string)?, vm.heap.flat(separator)?);
        vm.charge(u64::from(text.length / 8))?;
        let mut parts = Vec::new();
        let mut from = 0;
        if needle.length == 0 {
            vm.heap.scratch(text.length.min(limit) as usize * 8)?;
            for i in 0..text.length.min(limit) {
                parts.push(Value::string(vm.heap.substring(string, i, i + 1)?));
            }
            return vm.array_of(&parts).map(Value::object);
        }
        while (parts.len() as u32) < limit {
            match find(vm, text, needle, from)? {
                Some(at) => {
                    parts.push(Value::string(vm.heap.substring(string, from, at)?));
                    if parts.len() & 255 == 0 {
                        vm.heap.scratch(parts.len() * 16)?;
                    }
                    from = at + needle.length;
                }
                None => {
                    parts.push(Value::string(vm.heap.substring(string, from, text.length)?));
                    break;
                }
            }
        }
        vm.array_of(&parts).map(Value::object)
    }),
    leaf("fromUnit", |vm, a| {
        let n = a.get(vm, 0).as_number().unwrap_or(0.0);
        let unit = crate::value::to_int32(n) as u16;
        vm.heap.string16(&[unit]).map(Value::string)
    }),
    leaf("textOf", |vm, a| {
        // (list, are they code points?): the string of numbers; undefined if some of them needs more thought.
        let (list, points) = (a.get(vm, 0).payload(), a.get(vm, 1) == Value::TRUE);
        let count = vm.heap.array_length(list).min(vm.heap.most(8));
        vm.charge(u64::from(count) / 8)?;
        let mut units = Vec::with_capacity(count as usize * 2);
        for i in 0..count {
            match vm.heap.dense(list, i).as_int() {
                Some(n) if !points => units.push(n as u16),
                Some(n @ 0..=0xffff) => units.push(n as u16),
                Some(n @ 0x1_0000..=0x10_ffff) => {
                    let c = n as u32 - 0x1_0000;
                    units.extend([0xd800 | (c >> 10) as u16, 0xdc00 | (c & 0x3ff) as u16]);
                }
                _ => return Ok(Value::UNDEFINED),
            }
        }
        vm.heap.string16(&units).map(Value::string)
    }),
    leaf("fromCodePoint", |vm, a| {
        let n = a.get(vm, 0).as_number().unwrap_or(-1.0);
        if !(0.0..=1_114_111.0).contains(&n) || n.fract() != 0.0 {
            return vm.range_error(&format!("Invalid code point {}", crate::number::to_text(n)));
        }
        let n = n as u32;
        if n < 0x10000 {
            return vm.heap.string16(&[n as u16]).map(Value::string);
        }
        let c = n - 0x10000;
        vm.heap.string16(&[0xd800 | (c >> 10) as u16, 0xdc00 | (c & 0x3ff) as u16]).map(Value::string)
    }),
    leaf("newSymbol", |vm, a| {
        let description = a.get(vm, 0);
        let description = if description.is_string() { description.payload() } else { 0 };
        vm.heap.new_symbol(description, 0).map(Value::symbol)
    }),
    leaf("symbolDescription", |vm, a| {
        let description = vm.heap.mem.load_u32(a.get(vm, 0).payload() + 12);
        Ok(if description == 0 { Value::UNDEFINED } else { Value::string(description) })
    }),
    leaf("symbolFor", |vm, a| {
        // The registry is an object without prototype, by description.
        let text = a.get(vm, 0).payload();
        let registry = vm.realm(Realm::SYMBOL_REGISTRY);
        let registry = if registry.is_object_cell() {
            registry.payload()
        } else {
            let shape = vm.heap.root_shape(0, Kind::Object, 0)?;
            let object = vm.heap.object(Kind::Object, shape)?;
            vm.set_realm(Realm::SYMBOL_REGISTRY, Value::object(object));
            object
        };
        let key = vm.heap.string_key(text)?;
        if let crate::heap::object::Own::Data { address, .. } = vm.heap.own(registry, key) {
            return Ok(vm.heap.value(address));
        }
        let symbol = vm.heap.new_symbol(text, flag::REGISTERED)?;
        vm.heap.add(registry, key, Value::symbol(symbol), crate::heap::shape::attribute::PLAIN)?;
        Ok(Value::symbol(symbol))
    }),
    leaf("symbolIsRegistered", |vm, a| Ok(Value::boolean(vm.heap.flags(a.get(vm, 0).payload()) & flag::REGISTERED != 0))),
];

fn text(vm: &mut Vm<'_>, a: &Arguments) -> Result<Flat> {
    let this = a.this(vm);
    vm.heap.flat(this.payload())
}

fn units(vm: &mut Vm<'_>, a: &Arguments) -> Result<Vec<u16>> {
    let this = a.this(vm).payload();
    vm.charge(u64::from(vm.heap.string_length(this) / 16))?;
    vm.heap.units(this)
}

fn argument(vm: &mut Vm<'_>, a: &Arguments, i: u32) -> Result<Flat> {
    let value = a.get(vm, i);
    let string = vm.to_string_primitive(value)?;
    vm.heap.flat(string)
}

/// An integer argument, or `missing` when undefined.
fn integer(vm: &Vm<'_>, a: &Arguments, i: u32, missing: f64) -> f64 {
    match a.get(vm, i).as_number() {
        Some(n) => to_integer(n),
        None => missing,
    }
}

fn part(vm: &mut Vm<'_>, a: &Arguments, from: f64, to: f64) -> Result<Value> {
    let this = a.this(vm).payload();
    let length = f64::from(vm.heap.string_length(this));
    let (from, to) = (from.clamp(0.0, length) as u32, to.clamp(0.0, length) as u32);
    if from >= to {
        return Ok(Value::string(atoms::EMPTY));
    }
    vm.heap.substring(this, from, to).map(Value::string)
}

fn code_point(vm: &Vm<'_>, text: Flat, at: u32) -> u32 {
    let unit = u32::from(vm.heap.unit(text, at));
    if unit & 0xfc00 == 0xd800 && at + 1 < text.length {
        let low = u32::from(vm.heap.unit(text, at + 1));
        if low & 0xfc00 == 0xdc00 {
            return 0x10000 + ((unit & 0x3ff) << 10 | low & 0x3ff);
        }
    }
    unit
}

fn matches(vm: &Vm<'_>, text: Flat, needle: Flat, at: u32) -> bool {
    if !text.wide && !needle.wide {
        return vm.heap.mem.same(text.at.wrapping_add(at), needle.at, needle.length);
    }
    (0..needle.length).all(|i| vm.heap.unit(text, at + i) == vm.heap.unit(needle, i))
}

pub(super) fn find(vm: &mut Vm<'_>, text: Flat, needle: Flat, from: u32) -> Result<Option<u32>> {
    if needle.length > text.length || from > text.length - needle.length {
        return Ok(None);
    }
    if needle.length == 0 {
        return Ok(Some(from));
    }
    let last = text.length - needle.length;
    let first = vm.heap.unit(needle, 0);
    let mut at = from;
    if !text.wide && first < 256 {
        // The first byte is looked for in pieces of the text.
        let mut piece = [0u8; 256];
        while at <= last {
            let count = (last - at + 1).min(256) as usize;
            vm.heap.mem.read_into(text.at.wrapping_add(at), &mut piece[..count]);
            vm.heap.debt += count as u64 / 32;
            for hit in memchr::memchr_iter(first as u8, &piece[..count]) {
                let start = at + hit as u32;
                let same = (1..needle.length).take_while(|&i| vm.heap.unit(text, start + i) == vm.heap.unit(needle, i)).count() as u32 + 1;
                vm.heap.debt += u64::from(same / 16);
                if same == needle.length {
                    return Ok(Some(start));
                }
            }
            at += count as u32;
            vm.pay_debt()?;
        }
        return Ok(None);
    }
    let mut work = 0u64;
    while at <= last {
        if vm.heap.unit(text, at) == first {
            let same = (1..needle.length).take_while(|&i| vm.heap.unit(text, at + i) == vm.heap.unit(needle, i)).count() as u32 + 1;
            if same == needle.length {
                vm.heap.debt += work / 16;
                return Ok(Some(at));
            }
            work += u64::from(same);
        }
        work += 1;
        at += 1;
        if work >= 1 << 16 {
            vm.charge(work / 16)?;
            work = 0;
        }
    }
    vm.heap.debt += work / 16;
    Ok(None)
}

fn case(vm: &mut Vm<'_>, a: &Arguments, upper: bool) -> Result<Value> {
    let this = a.this(vm).payload();
    let length = vm.heap.string_length(this);
    vm.charge(u64::from(length / 8))?;
    let flat = vm.heap.flat(this)?;
    if !flat.wide {
        vm.heap.scratch(flat.length as usize)?;
        let mut bytes = Vec::new();
        vm.heap.mem.read(flat.at, flat.length, &mut bytes);
        // Some letters of Latin 1 have no capital there, or one that is two letters.
        let stays = !upper || bytes.is_ascii() || !bytes.iter().any(|byte| matches!(byte, 0xb5 | 0xdf | 0xff));
        if stays {
            for byte in &mut bytes {
                let other = if upper { char::from(*byte).to_uppercase().next() } else { char::from(*byte).to_lowercase().next() };
                *byte = other.and_then(|c| u8::try_from(c).ok()).unwrap_or(*byte);
            }
            return vm.heap.string8(&bytes).map(Value::string);
        }
    }
    let units = vm.heap.units(this)?;
    let mut out: Vec<u16> = Vec::new();
    for (at, c) in Characters::new(&units) {
        let mut buffer = [0; 2];
        match c {
            Err(unit) => out.push(unit),
            Ok(c) if upper => c.to_uppercase().for_each(|c| out.extend_from_slice(c.encode_utf16(&mut buffer))),
            // The one letter whose small form depends on where it stands.
            Ok('Σ') => out.push(if ends_word(vm, &units, at)? { 0x3c2 } else { 0x3c3 }),
            Ok(c) => c.to_lowercase().for_each(|c| out.extend_from_slice(c.encode_utf16(&mut buffer))),
        }
        if out.len() & 1023 == 0 {
            vm.heap.scratch(units.len() * 2 + out.len() * 4)?;
        }
    }
    vm.heap.string16(&out).map(Value::string)
}

/// The characters of a text with the places where they begin; lone surrogates by themselves.
struct Characters<'a> {
    units: &'a [u16],
    at: usize,
}

impl<'a> Characters<'a> {
    fn new(units: &'a [u16]) -> Self {
        Self { units, at: 0 }
    }
}

impl Iterator for Characters<'_> {
    type Item = (usize, std::result::Result<char, u16>);

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at;
        let c = char::decode_utf16(self.units.get(at..)?.iter().copied()).next()?;
        self.at += c.as_ref().map_or(1, |c| c.len_utf16());
        Some((at, c.map_err(|lone| lone.unpaired_surrogate())))
    }
}

/// Is the sigma at `at` the last letter of a word? Unicode's condition `Final_Sigma`: a cased letter before it and none behind it,
/// where letters that casing ignores do not count.
fn ends_word(vm: &mut Vm<'_>, units: &[u16], at: usize) -> Result<bool> {
    use icu_properties::{CodePointSetData, props};
    let (ignored, cased) = (CodePointSetData::new::<props::CaseIgnorable>(), CodePointSetData::new::<props::Cased>());
    let mut looked = 0;
    let mut decides = |c: std::result::Result<char, u16>| {
        looked += 1u64;
        let c = c.unwrap_or('\u{fffd}');
        (!ignored.contains(c)).then(|| cased.contains(c))
    };
    let mut before = at;
    let mut follows = false;
    while before > 0 {
        let pair = before >= 2 && units[before - 1] & 0xfc00 == 0xdc00 && units[before - 2] & 0xfc00 == 0xd800;
        before -= if pair { 2 } else { 1 };
        let c = char::decode_utf16(units[before..].iter().copied()).next().unwrap_or(Ok('\u{fffd}'));
        if let Some(answer) = decides(c.map_err(|lone| lone.unpaired_surrogate())) {
            follows = answer;
            break;
        }
    }
    let behind = follows && Characters::new(&units[at + 1..]).find_map(|(_, c)| decides(c)).unwrap_or(false);
    vm.charge(looked / 4)?;
    Ok(follows && !behind)
}

fn trim(vm: &mut Vm<'_>, a: &Arguments, start: bool, end: bool) -> Result<Value> {
    let flat = text(vm, a)?;
    vm.charge(u64::from(flat.length / 32))?;
    let space = |vm: &Vm<'_>, i: u32| char::from_u32(u32::from(vm.heap.unit(flat, i))).is_some_and(crate::number::is_space);
    let (mut from, mut to) = (0, flat.length);
    while start && from < to && space(vm, from) {
        from += 1;
    }
    while end && to > from && space(vm, to - 1) {
        to -= 1;
    }
    part(vm, a, f64::from(from), f64::from(to))
}
