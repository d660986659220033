//! JSON: reading in one pass with a stack of its own, and quoting.

use super::{Arguments, Leaf, Native};
use crate::heap::string::{Flat, Key};
use crate::heap::{Result, Signal};
use crate::value::Value;
use crate::vm::{Fault, Vm};

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

    fn fail<T>(&self, vm: &mut Vm<'_>) -> Result<T> {
        match self.peek(vm) {
            None => vm.fail(Fault::Syntax, "Unexpected end of JSON input"),
            Some(unit) => {
                let shown = char::from_u32(u32::from(unit)).unwrap_or('\u{fffd}');
                vm.fail(Fault::Syntax, &format!("Unexpected token '{shown}' in JSON at position {}", self.at))
            }
        }
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

    fn string(&mut self, vm: &mut Vm<'_>) -> Result<u32> {
        self.at += 1;
        let start = self.at;
        let mut out: Option<Vec<u16>> = None;
        loop {
            let Some(unit) = self.peek(vm) else { return self.fail(vm) };
            match unit {
                0x22 => {
                    self.at += 1;
                    return match out {
                        Some(units) => vm.heap.string16(&units),
                        None => {
                            let units: Vec<u16> = (start..self.at - 1).map(|i| vm.heap.unit(self.text, i)).collect();
                            vm.heap.string16(&units)
                        }
                    };
                }
                0x5c => {
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
                                    None => return self.fail(vm),
                                }
                            }
                            n as u16
                        }
                        _ => return self.fail(vm),
                    };
                    self.at += 1;
                    units.push(code);
                    out = Some(units);
                }
                0..=0x1f => return self.fail(vm),
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
        } else if digit(self, vm) {
            while digit(self, vm) {
                self.at += 1;
            }
        } else {
            return self.fail(vm);
        }
        if self.peek(vm) == Some(0x2e) {
            self.at += 1;
            if !digit(self, vm) {
                return self.fail(vm);
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
                return self.fail(vm);
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
                    let key = member(vm, &mut reader)?;
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
                return if reader.at < text.length { reader.fail(vm) } else { Ok(value) };
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
                    let key = member(vm, &mut reader)?;
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
                _ => return reader.fail(vm),
            }
        }
    }
}

/// A member's name and colon.
fn member(vm: &mut Vm<'_>, reader: &mut Reader) -> Result<Key> {
    if reader.peek(vm) != Some(0x22) {
        return reader.fail(vm);
    }
    let name = reader.string(vm)?;
    reader.space(vm);
    if reader.peek(vm) != Some(0x3a) {
        return reader.fail(vm);
    }
    reader.at += 1;
    vm.heap.string_key(name)
}
