//! JSON: reading in one pass with a stack of its own, and quoting.

use super::shortcut::{Builder, number_text};
use super::{Arguments, Leaf, Native};
use crate::heap::object::Own;
use crate::heap::shape::attribute;
use crate::heap::string::{Flat, Key};
use crate::heap::{Kind, Result, Signal, atoms, flag};
use crate::value::Value;
use crate::vm::{Fault, Realm, Vm};

const fn leaf(name: &'static str, leaf: Leaf) -> Native {
    Native { target: "", name, length: 0, convert: "", leaf }
}

pub(super) const NATIVES: &[Native] = &[
    leaf("jsonParse", parse),
    leaf("jsonQuote", |vm, a| {
        let units = vm.heap.units(a.get(vm, 0).payload())?;
        vm.charge(units.len() as u64 / 16)?;
        let mut out: Vec<u16> = Vec::with_capacity(units.len() + 2);
        out.push(u16::from(b'"'));
        for (i, &unit) in units.iter().enumerate() {
            let escape = |out: &mut Vec<u16>, text: &str| out.extend(text.encode_utf16());
            let lone = match unit & 0xfc00 {
                0xd800 => units.get(i + 1).is_none_or(|next| next & 0xfc00 != 0xdc00),
                0xdc00 => i == 0 || units[i - 1] & 0xfc00 != 0xd800,
                _ => false,
            };
            match unit {
                0x22 => escape(&mut out, "\\\""),
                0x5c => escape(&mut out, "\\\\"),
                0x08 => escape(&mut out, "\\b"),
                0x0c => escape(&mut out, "\\f"),
                0x0a => escape(&mut out, "\\n"),
                0x0d => escape(&mut out, "\\r"),
                0x09 => escape(&mut out, "\\t"),
                unit if unit < 0x20 || lone => escape(&mut out, &format!("\\u{unit:04x}")),
                unit => out.push(unit),
            }
        }
        out.push(u16::from(b'"'));
        vm.heap.string16(&out).map(Value::string)
    }),
];

/// What a value leaves in the text.
enum Written {
    Text,
    /// Nothing: undefined, functions, symbols.
    Nothing,
    /// Only script can tell.
    Unclear,
}

/// Nesting up to which the shortcut goes by itself.
const DEPTH: u32 = 200;

struct Writer {
    out: Builder,
    gap: Option<Flat>,
    work: u64,
}

impl Writer {
    fn line(&mut self, vm: &Vm<'_>, depth: u32) {
        if let Some(gap) = self.gap {
            self.out.unit(0x0a);
            for _ in 0..depth {
                self.out.flat(vm, gap);
            }
        }
    }

    fn quote(&mut self, vm: &mut Vm<'_>, string: u32) -> Result<()> {
        let flat = vm.heap.flat(string)?;
        self.work += u64::from(flat.length / 8);
        self.out.unit(0x22);
        let plain = |unit: u16| unit >= 0x20 && unit != 0x22 && unit != 0x5c && unit & 0xf800 != 0xd800;
        if (0..flat.length).all(|i| plain(vm.heap.unit(flat, i))) {
            self.out.flat(vm, flat);
        } else {
            for i in 0..flat.length {
                let unit = vm.heap.unit(flat, i);
                let lone = match unit & 0xfc00 {
                    0xd800 => i + 1 >= flat.length || vm.heap.unit(flat, i + 1) & 0xfc00 != 0xdc00,
                    0xdc00 => i == 0 || vm.heap.unit(flat, i - 1) & 0xfc00 != 0xd800,
                    _ => false,
                };
                match unit {
                    0x22 => self.out.ascii(b"\\\""),
                    0x5c => self.out.ascii(b"\\\\"),
                    0x08 => self.out.ascii(b"\\b"),
                    0x0c => self.out.ascii(b"\\f"),
                    0x0a => self.out.ascii(b"\\n"),
                    0x0d => self.out.ascii(b"\\r"),
                    0x09 => self.out.ascii(b"\\t"),
                    unit if unit < 0x20 || lone => self.out.ascii(format!("\\u{unit:04x}").as_bytes()),
                    unit => self.out.unit(unit),
                }
            }
        }
        self.out.unit(0x22);
        Ok(())
    }

    fn value(&mut self, vm: &mut Vm<'_>, value: Value, depth: u32) -> Result<Written> {
        self.work += 1;
        if self.work >= 256 {
            vm.charge(std::mem::take(&mut self.work))?;
            if self.out.is_full() {
                return Ok(Written::Unclear);
            }
        }
        if value.is_string() {
            self.quote(vm, value.payload())?;
        } else if let Some(n) = value.as_number() {
            if n.is_finite() { number_text(&mut self.out, value, n) } else { self.out.ascii(b"null") }
        } else if value == Value::NULL {
            self.out.ascii(b"null");
        } else if value == Value::TRUE {
            self.out.ascii(b"true");
        } else if value == Value::FALSE {
            self.out.ascii(b"false");
        } else if value.is_undefined() || value.is_symbol() || value.is_native() {
            return Ok(Written::Nothing);
        } else if !value.is_object_cell() || depth >= DEPTH {
            return Ok(Written::Unclear);
        } else {
            let object = value.payload();
            return match vm.heap.kind(object) {
                Kind::Array => self.array(vm, value, depth),
                Kind::Object => self.object(vm, object, depth),
                Kind::Function if matches!(vm.heap.own(object, Key::Name(atoms::TO_JSON)), Own::Absent) => Ok(Written::Nothing),
                _ => Ok(Written::Unclear),
            };
        }
        Ok(Written::Text)
    }

    fn array(&mut self, vm: &mut Vm<'_>, value: Value, depth: u32) -> Result<Written> {
        let Some(array) = super::shortcut::plain(vm, value) else { return Ok(Written::Unclear) };
        let length = vm.heap.array_length(array);
        self.out.unit(0x5b);
        for i in 0..length {
            if i > 0 {
                self.out.unit(0x2c);
            }
            self.line(vm, depth + 1);
            let item = vm.heap.dense(array, i);
            match self.value(vm, if item.is_hole() { Value::UNDEFINED } else { item }, depth + 1)? {
                Written::Text => {}
                Written::Nothing => self.out.ascii(b"null"),
                Written::Unclear => return Ok(Written::Unclear),
            }
        }
        if length > 0 {
            self.line(vm, depth);
        }
        self.out.unit(0x5d);
        Ok(Written::Text)
    }

    fn object(&mut self, vm: &mut Vm<'_>, object: u32, depth: u32) -> Result<Written> {
        let proto = vm.heap.proto(object);
        if vm.heap.flags(object) & flag::EXOTIC != 0
            || vm.heap.elements(object) != 0
            || proto != 0 && proto != vm.realm_cell(Realm::OBJECT_PROTOTYPE)
        {
            return Ok(Written::Unclear);
        }
        let shape = vm.heap.shape(object);
        self.out.unit(0x7b);
        let mut some = false;
        for (key, info) in vm.heap.shape_list(shape) {
            if key == atoms::TO_JSON || info as u8 & attribute::ACCESSOR != 0 {
                return Ok(Written::Unclear);
            }
            if info as u8 & attribute::ENUMERABLE == 0 || vm.heap.is_symbol_name(key) {
                continue;
            }
            let value = vm.heap.value(vm.heap.slot_address(object, shape, info >> 8));
            if value.is_undefined() || value.is_symbol() {
                continue;
            }
            if value.is_object() && vm.is_callable(value) {
                if value.is_object_cell() {
                    return Ok(Written::Unclear);
                }
                continue;
            }
            if some {
                self.out.unit(0x2c);
            }
            some = true;
            self.line(vm, depth + 1);
            self.quote(vm, key)?;
            self.out.unit(0x3a);
            if self.gap.is_some() {
                self.out.unit(0x20);
            }
            match self.value(vm, value, depth + 1)? {
                Written::Text => {}
                Written::Nothing | Written::Unclear => return Ok(Written::Unclear),
            }
        }
        if some {
            self.line(vm, depth);
        }
        self.out.unit(0x7d);
        Ok(Written::Text)
    }
}

/// Shortcut of `%jsonWrite(holder, key, value, replacer, list, gap, indent, stack)`: a whole text at once, as long as it is made
/// of plain arrays and objects that nobody gave a `toJSON`.
pub(super) fn write(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let (replacer, list, gap, indent) = (a.get(vm, 3), a.get(vm, 4), a.get(vm, 5), a.get(vm, 6));
    let plain = replacer.is_undefined() && list.is_undefined() && gap.is_string() && indent == Value::string(atoms::EMPTY);
    let proto = vm.realm_cell(Realm::ARRAY_PROTOTYPE);
    // What goes round in circles ends at the depth where this gives up; the JavaScript then says so.
    if !plain || vm.find(proto, Key::Name(atoms::TO_JSON))?.is_some() {
        return Ok(None);
    }
    let gap = vm.heap.flat(gap.payload())?;
    let mut writer = Writer { out: Builder::new(vm), gap: (gap.length > 0).then_some(gap), work: 0 };
    let value = a.get(vm, 2);
    let written = writer.value(vm, value, 0)?;
    vm.charge(writer.work)?;
    match written {
        Written::Text => writer.out.finish(vm),
        Written::Nothing | Written::Unclear => Ok(None),
    }
}

/// Code units on either side of what is wrong that its message shows of a longer text.
const AROUND: u32 = 10;

struct Reader {
    text: Flat,
    at: u32,
}

impl Reader {
    fn peek(&self, vm: &Vm<'_>) -> Option<u16> {
        (self.at < self.text.length).then(|| vm.heap.unit(self.text, self.at))
    }

    fn space(&mut self, vm: &Vm<'_>) {
        while matches!(self.peek(vm), Some(0x20 | 0x09 | 0x0a | 0x0d)) {
            self.at += 1;
        }
    }

    /// Refuses the text here: what is wrong, in V8's words.
    #[cold]
    fn fail_as<T>(&self, vm: &mut Vm<'_>, what: &str) -> Result<T> {
        vm.fail(Fault::Syntax, &format!("{what} in JSON at position {}", self.at))
    }

    /// Refuses what stands here, which nothing begins with.
    #[cold]
    fn fail<T>(&self, vm: &mut Vm<'_>) -> Result<T> {
        let unit = match self.peek(vm) {
            None => return vm.fail(Fault::Syntax, "Unexpected end of JSON input"),
            Some(0x22) => return self.fail_as(vm, "Unexpected string"),
            Some(0x2d | 0x30..=0x39) => return self.fail_as(vm, "Unexpected number"),
            Some(unit) => unit,
        };
        let part = |from: u32, to: u32| {
            let units: Vec<u16> = (from..to).map(|at| vm.heap.unit(self.text, at)).collect();
            String::from_utf16_lossy(&units)
        };
        let length = self.text.length;
        let whole = if length <= 2 * AROUND { part(0, length) } else { String::new() };
        if matches!(whole.as_str(), "NaN" | "Infinity" | "undefined" | "[object Object]") {
            return vm.fail(Fault::Syntax, &format!("\"{whole}\" is not valid JSON"));
        }
        let around = if length <= 2 * AROUND {
            format!("\"{whole}\"")
        } else {
            let (start, end) = (self.at.saturating_sub(AROUND), (self.at + AROUND).min(length));
            let (before, behind) = (if self.at < AROUND { "" } else { "..." }, if self.at < length - AROUND { "..." } else { "" });
            format!("{before}\"{}\"{behind}", part(start, end))
        };
        let shown = String::from_utf16_lossy(&[unit]);
        vm.fail(Fault::Syntax, &format!("Unexpected token '{shown}', {around} is not valid JSON"))
    }

    fn word(&mut self, vm: &mut Vm<'_>, word: &str, value: Value) -> Result<Value> {
        for byte in word.bytes() {
            if self.peek(vm) != Some(u16::from(byte)) {
                return self.fail(vm);
            }
            self.at += 1;
        }
        Ok(value)
    }

    /// A string of the text from one place to another.
    fn part(&self, vm: &mut Vm<'_>, from: u32, to: u32) -> Result<u32> {
        let length = to.saturating_sub(from);
        if self.text.wide || length < 2 {
            vm.heap.scratch(length as usize * 2)?;
            let units: Vec<u16> = (from..to).map(|i| vm.heap.unit(self.text, i)).collect();
            return vm.heap.string16(&units);
        }
        let cell = vm.heap.flat_bytes(false, length)?;
        vm.heap.mem.copy(self.text.at.wrapping_add(from), cell + 16, length);
        Ok(cell)
    }

    fn string(&mut self, vm: &mut Vm<'_>) -> Result<u32> {
        self.at += 1;
        let start = self.at;
        let mut out: Option<Vec<u16>> = None;
        loop {
            let Some(unit) = self.peek(vm) else { return self.fail_as(vm, "Unterminated string") };
            match unit {
                0x22 => {
                    self.at += 1;
                    return match out {
                        Some(units) => vm.heap.string16(&units),
                        None => self.part(vm, start, self.at - 1),
                    };
                }
                0x5c => {
                    let before = out.as_ref().map_or((self.at - start) as usize, Vec::len);
                    vm.heap.scratch(before * 3)?;
                    let mut units = out.take().unwrap_or_else(|| (start..self.at).map(|i| vm.heap.unit(self.text, i)).collect());
                    self.at += 1;
                    let code = match self.peek(vm) {
                        Some(c @ (0x22 | 0x5c | 0x2f)) => c,
                        Some(0x62) => 8,
                        Some(0x66) => 12,
                        Some(0x6e) => 10,
                        Some(0x72) => 13,
                        Some(0x74) => 9,
                        Some(0x75) => {
                            let mut n = 0;
                            for _ in 0..4 {
                                self.at += 1;
                                match self.peek(vm).and_then(|u| char::from_u32(u32::from(u))).and_then(|c| c.to_digit(16)) {
                                    Some(digit) => n = n << 4 | digit,
                                    None => return self.fail_as(vm, "Bad Unicode escape"),
                                }
                            }
                            n as u16
                        }
                        None => return self.fail(vm),
                        Some(_) => return self.fail_as(vm, "Bad escaped character"),
                    };
                    self.at += 1;
                    units.push(code);
                    out = Some(units);
                }
                0..=0x1f => return self.fail_as(vm, "Bad control character in string literal"),
                unit => {
                    self.at += 1;
                    if let Some(units) = &mut out {
                        units.push(unit);
                    }
                }
            }
        }
    }

    fn number(&mut self, vm: &mut Vm<'_>) -> Result<Value> {
        let start = self.at;
        let digit = |r: &Reader, vm: &Vm<'_>| matches!(r.peek(vm), Some(0x30..=0x39));
        if self.peek(vm) == Some(0x2d) {
            self.at += 1;
        }
        if self.peek(vm) == Some(0x30) {
            self.at += 1;
            if digit(self, vm) {
                return self.fail(vm);
            }
        } else if digit(self, vm) {
            while digit(self, vm) {
                self.at += 1;
            }
        } else {
            return self.fail_as(vm, "No number after minus sign");
        }
        if self.peek(vm) == Some(0x2e) {
            self.at += 1;
            if !digit(self, vm) {
                return self.fail_as(vm, "Unterminated fractional number");
            }
            while digit(self, vm) {
                self.at += 1;
            }
        }
        if matches!(self.peek(vm), Some(0x45 | 0x65)) {
            self.at += 1;
            if matches!(self.peek(vm), Some(0x2b | 0x2d)) {
                self.at += 1;
            }
            if !digit(self, vm) {
                return self.fail_as(vm, "Exponent part is missing a number");
            }
            while digit(self, vm) {
                self.at += 1;
            }
        }
        let text: String = (start..self.at).map(|i| char::from(vm.heap.unit(self.text, i) as u8)).collect();
        Ok(Value::number(text.parse().unwrap_or(f64::NAN)))
    }
}

/// (text): the value. Containers under construction lie on a stack that is charged to the cell as their own size is.
fn parse(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let text = vm.heap.flat(a.get(vm, 0).payload())?;
    vm.charge(u64::from(text.length / 4))?;
    let mut reader = Reader { text, at: 0 };
    // (container, key of the member that is being read)
    let mut stack: Vec<(u32, Option<Key>)> = Vec::new();
    loop {
        if stack.len() > 1 << 20 {
            return Err(Signal::Collect(vm.heap.cap));
        }
        reader.space(vm);
        let mut value = match reader.peek(vm) {
            Some(0x7b) => {
                reader.at += 1;
                reader.space(vm);
                let object = vm.new_object()?;
                if reader.peek(vm) == Some(0x7d) {
                    reader.at += 1;
                    Value::object(object)
                } else {
                    let key = member(vm, &mut reader, "Expected property name or '}'")?;
                    stack.push((object, Some(key)));
                    continue;
                }
            }
            Some(0x5b) => {
                reader.at += 1;
                reader.space(vm);
                let array = vm.array_of(&[])?;
                if reader.peek(vm) == Some(0x5d) {
                    reader.at += 1;
                    Value::object(array)
                } else {
                    stack.push((array, None));
                    continue;
                }
            }
            Some(0x22) => Value::string(reader.string(vm)?),
            Some(0x74) => reader.word(vm, "true", Value::TRUE)?,
            Some(0x66) => reader.word(vm, "false", Value::FALSE)?,
            Some(0x6e) => reader.word(vm, "null", Value::NULL)?,
            Some(0x2d | 0x30..=0x39) => reader.number(vm)?,
            _ => return reader.fail(vm),
        };
        // Put the value in its container; close containers that end here.
        loop {
            let Some((container, key)) = stack.pop() else {
                reader.space(vm);
                if reader.at < text.length {
                    return vm.fail(Fault::Syntax, &format!("Unexpected non-whitespace character after JSON at position {}", reader.at));
                }
                return Ok(value);
            };
            match key {
                Some(key) => vm.define_plain(container, key, value)?,
                None => {
                    vm.heap.array_push(container, value)?;
                }
            }
            reader.space(vm);
            match (reader.peek(vm), key) {
                (Some(0x2c), Some(_)) => {
                    reader.at += 1;
                    reader.space(vm);
                    let key = member(vm, &mut reader, "Expected double-quoted property name")?;
                    stack.push((container, Some(key)));
                    break;
                }
                (Some(0x2c), None) => {
                    reader.at += 1;
                    stack.push((container, None));
                    break;
                }
                (Some(0x7d), Some(_)) | (Some(0x5d), None) => {
                    reader.at += 1;
                    value = Value::object(container);
                }
                (_, Some(_)) => return reader.fail_as(vm, "Expected ',' or '}' after property value"),
                (_, None) => return reader.fail_as(vm, "Expected ',' or ']' after array element"),
            }
        }
    }
}

/// A member's name and colon; `wanted` is what is missing if there is no name.
fn member(vm: &mut Vm<'_>, reader: &mut Reader, wanted: &str) -> Result<Key> {
    if reader.peek(vm) != Some(0x22) {
        return reader.fail_as(vm, wanted);
    }
    let name = reader.string(vm)?;
    reader.space(vm);
    if reader.peek(vm) != Some(0x3a) {
        return reader.fail_as(vm, "Expected ':' after property name");
    }
    reader.at += 1;
    vm.heap.string_key(name)
}
