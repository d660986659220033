//! What error messages call things: expressions as the source writes them, values in a few words. The words are V8's.
//!
//! Names are read back from the source text around an instruction's position: bytecode that never fails carries nothing for them.

use crate::bytecode::{Op, frame};
use crate::heap::memory::SHARED;
use crate::heap::object::Own;
use crate::heap::string::Key;
use crate::heap::{Kind, Result, atoms};
use crate::value::Value;
use crate::vm::{Vm, code, unit};

/// Bytes of source on either side of a place that are looked at.
const REACH: u32 = 160;

/// Prototypes that are asked for a constructor's name.
const MOST_PROTOTYPES: u32 = 100;

/// Some source, and a place in it.
pub(super) struct Source {
    text: Vec<u8>,
    at: usize,
    /// There is more before and behind.
    more: (bool, bool),
}

fn is_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'#' | 0x80..)
}

impl Source {
    /// How far bytes of a kind go from a place.
    fn past(&self, from: usize, of: impl Fn(&u8) -> bool) -> usize {
        self.text.get(from..).map_or(from, |rest| from + rest.iter().take_while(|byte| of(byte)).count())
    }

    fn past_blanks(&self, from: usize) -> usize {
        self.past(from, u8::is_ascii_whitespace)
    }

    /// The same backwards.
    fn before(&self, from: usize, of: impl Fn(&u8) -> bool) -> usize {
        from - self.text[..from].iter().rev().take_while(|byte| of(byte)).count()
    }

    /// Behind the bracket that closes the one here; text in quotes is passed over.
    fn past_brackets(&self, from: usize) -> Option<usize> {
        let (mut depth, mut quote) = (0u32, None);
        let mut rest = self.text.iter().enumerate().skip(from);
        while let Some((at, &byte)) = rest.next() {
            match (quote, byte) {
                (Some(_), b'\\') => _ = rest.next(),
                (Some(mark), _) => quote = Some(mark).filter(|&mark| mark != byte),
                (None, b'"' | b'\'' | b'`') => quote = Some(byte),
                (None, b'(' | b'[' | b'{') => depth += 1,
                (None, b')' | b']' | b'}') => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// A key in brackets as it is shown, and its end.
    fn key(&self, from: usize) -> Option<(String, usize)> {
        let inner = self.past_blanks(from + 1);
        let quote = self.text.get(inner).copied().filter(|byte| matches!(byte, b'"' | b'\''));
        let start = inner + usize::from(quote.is_some());
        let end = self.past(start, |byte| quote.map_or(is_name(byte), |quote| !matches!(*byte, b'\\' | b'\n') && *byte != quote));
        let close = self.past_blanks(end + usize::from(quote.is_some()));
        if end > start && quote.is_none_or(|quote| self.text.get(end) == Some(&quote)) && self.text.get(close) == Some(&b']') {
            let name = String::from_utf8_lossy(&self.text[start..end]);
            return Some((if quote.is_some() { format!(".{name}") } else { format!("[{name}]") }, close + 1));
        }
        Some(("[...]".to_owned(), self.past_brackets(from)?))
    }

    /// Start of the variable, property, call or element that ends before a place; none for what is none of these.
    fn operand(&self, end: usize) -> Option<usize> {
        let mut end = self.before(end, u8::is_ascii_whitespace);
        while end > 0 && matches!(self.text[end - 1], b')' | b']') {
            let mut depth = 0u32;
            end = (0..end).rev().find(|&at| {
                match self.text[at] {
                    b')' | b']' | b'}' => depth += 1,
                    b'(' | b'[' | b'{' => depth -= 1,
                    _ => {}
                }
                depth == 0
            })?;
        }
        let start = self.before(end, is_name);
        (start < end).then_some(start)
    }

    /// The variable or property at a place, which is its start, its last name or its last key's bracket; and its end.
    fn chain(&self, at: usize) -> Option<(String, usize)> {
        // Back over the objects that it is a property of.
        let keyed = self.text.get(at) == Some(&b'[');
        let mut start = if keyed { self.operand(at) } else { Some(at) };
        while let Some(object) = start {
            let dot = self.before(object, u8::is_ascii_whitespace);
            if dot == 0 || self.text[dot - 1] != b'.' || dot > 1 && self.text[dot - 2] == b'.' {
                break;
            }
            start = self.operand(self.before(dot - 1, |byte| *byte == b'?'));
        }
        let intermediate = start.is_none();
        let mut start = start.unwrap_or(at);
        if start == 0 && self.more.0 {
            return None;
        }
        // Forward over names and keys.
        let mut shown = String::new();
        if intermediate {
            shown.push_str("(intermediate value)");
            if !keyed {
                shown.push('.');
            }
            start = at;
        }
        let mut end = start;
        if !(intermediate && keyed) {
            end = self.past(start, is_name);
            if end == start || self.text[start].is_ascii_digit() {
                return None;
            }
            shown.push_str(&String::from_utf8_lossy(&self.text[start..end]));
        }
        loop {
            let next = self.past_blanks(end);
            let mut dot = ".";
            match self.text.get(next..) {
                Some([b'?', b'.', rest, ..]) if !rest.is_ascii_digit() => dot = "?.",
                Some([b'.', rest, ..]) if *rest != b'.' => {}
                // A call of which something is looked at.
                Some([b'(', ..]) if end < at => {
                    let past = self.past_brackets(next).filter(|&past| past <= at)?;
                    shown.push_str("(...)");
                    end = past;
                    continue;
                }
                Some([b'[', ..]) => {
                    let (key, past) = self.key(next)?;
                    shown.push_str(&key);
                    end = past;
                    continue;
                }
                _ => break,
            }
            let name = self.past_blanks(next + dot.len());
            let past = self.past(name, is_name);
            if past == name {
                break;
            }
            shown.push_str(dot);
            shown.push_str(&String::from_utf8_lossy(&self.text[name..past]));
            end = past;
        }
        (end < self.text.len() || !self.more.1).then_some((shown, end))
    }

    /// Does an expression end here?
    fn is_end(&self, at: usize) -> bool {
        let line = self.past(at, |byte| matches!(byte, b' ' | b'\t'));
        match self.text.get(line) {
            None => !self.more.1,
            Some(byte) => matches!(byte, b',' | b';' | b')' | b']' | b'}' | b'\n' | b'\r'),
        }
    }

    /// The callee of a call that is reported at its name, at its last property, or at `new`.
    fn callee(&self) -> Option<String> {
        let end = self.past(self.at, is_name);
        if self.text.get(self.at..end) == Some(b"new") {
            return self.chain(self.past_blanks(end)).map(|(shown, _)| shown);
        }
        let (shown, end) = self.chain(self.at)?;
        matches!(self.text.get(self.past_blanks(end)), Some(b'(' | b'`' | b'?')).then_some(shown)
    }

    /// What stands behind the pattern here and its `=`.
    fn initialiser(&self) -> Option<String> {
        let equals = self.past_blanks(self.past_brackets(self.at)?);
        let value = self.past_blanks(equals + 1);
        if self.text.get(equals) != Some(&b'=') || matches!(self.text.get(equals + 1)?, b'=' | b'>') {
            return None;
        }
        let complex = || Some("(intermediate value)".to_owned());
        let Some((shown, end)) = self.chain(value) else { return complex() };
        match self.text.get(end) {
            Some(b'(') if self.past_brackets(end).is_some_and(|end| self.is_end(end)) => Some(format!("{shown}(...)")),
            _ if self.is_end(end) => Some(shown),
            _ => complex(),
        }
    }

    /// The name of the first property of the object pattern here.
    fn first_property(&self) -> Option<String> {
        let start = self.past_blanks(self.at + 1);
        let end = self.past(start, is_name);
        let known = end > start && matches!(self.text.get(self.past_blanks(end))?, b',' | b'}' | b':' | b'=');
        known.then(|| String::from_utf8_lossy(&self.text[start..end]).into_owned())
    }

    /// Is the pattern here a part of another one?
    fn is_nested(&self) -> bool {
        let before = self.before(self.at, u8::is_ascii_whitespace);
        before > 0 && matches!(self.text[before - 1], b':' | b'[')
    }
}

impl Vm<'_> {
    /// The source around an instruction of the guest's own code.
    fn source_at(&self, code: u32, pc: u32) -> Option<Source> {
        let offset = self.position(code, pc)?;
        let source = self.heap.mem.load_u32(self.heap.mem.load_u32(code + code::UNIT) + unit::SOURCE);
        let length = self.heap.high(source);
        let (first, end) = (offset.saturating_sub(REACH), offset.saturating_add(REACH).min(length));
        let mut text = Vec::new();
        self.heap.mem.read(source + 8 + first, end.saturating_sub(first), &mut text);
        let at = (offset - first) as usize;
        (at < text.len()).then_some(Source { text, at, more: (first > 0, end < length) })
    }

    fn source_here(&self) -> Option<Source> {
        self.source_at(self.code_of(self.callee()), self.pc)
    }

    /// The callee of the running call, for "is not a function".
    pub(super) fn describe_callee(&mut self, callee: Value) -> Result<String> {
        if let Some(text) = self.source_here().and_then(|source| source.callee()) {
            return Ok(text);
        }
        Ok(if callee.is_string() {
            let text = self.heap.text(callee.payload())?;
            format!("\"{}\"", text.chars().take(40).collect::<String>())
        } else if callee.is_object() {
            "object".to_owned()
        } else {
            self.brief(callee)?
        })
    }

    /// A value's type, and the value itself where it is simple: what stands for an expression that has no name.
    fn type_and_value(&mut self, value: Value) -> Result<String> {
        let kind = self.heap.text(self.type_of(value))?;
        Ok(if value.is_string() {
            format!("{kind} \"{}\"", self.brief(value)?)
        } else if value == Value::NULL || value.is_number() || value.is_boolean() {
            format!("{kind} {}", self.brief(value)?)
        } else {
            kind
        })
    }

    /// A value in a few words, without running anything of the guest's.
    pub(crate) fn brief(&mut self, value: Value) -> Result<String> {
        if value.is_symbol() {
            let key = self.to_key_primitive(value)?;
            return self.key_text(key);
        }
        if !value.is_object() {
            let text = self.to_string_primitive(value)?;
            return self.heap.text(text);
        }
        if self.heap.is_kind(value, Kind::Array) {
            return Ok("[object Array]".to_owned());
        }
        if self.is_callable(value) {
            let code = self.code_of(value);
            let name = if code == 0 { String::new() } else { self.heap.text(self.heap.mem.load_u32(code + code::NAME))? };
            let class = code != 0 && self.heap.high(code) & crate::bytecode::function_flag::CLASS != 0;
            return Ok(format!("{} {name}", if class { "class" } else { "function" }).trim_end().to_owned());
        }
        let mut at = self.object_cell(value)?;
        for _ in 0..MOST_PROTOTYPES {
            if let Own::Data { address, .. } = self.heap.own(at, Key::Name(atoms::CONSTRUCTOR)) {
                let code = self.code_of(self.heap.value(address));
                let name = if code == 0 { String::new() } else { self.heap.text(self.heap.mem.load_u32(code + code::NAME))? };
                if !name.is_empty() {
                    return Ok(format!("#<{name}>"));
                }
            }
            at = self.heap.proto(at);
            if at == 0 {
                break;
            }
        }
        Ok("#<Object>".to_owned())
    }

    /// Throws for a value that the library, called at an instruction that wants an iterator, found none in.
    pub(crate) fn not_iterable(&mut self, value: Value) -> Result<Value> {
        let (mut fp, mut pc, mut code) = (self.fp, 0, 0);
        // Helpers may stand between.
        for _ in 0..4 {
            (fp, pc) = self.caller_of(fp, self.heap.mem.load_u64(fp));
            code = self.code_of(self.heap.value(fp + u32::from(frame::CALLEE) * 8));
            if code & SHARED == 0 {
                break;
            }
        }
        let wants = self.op_at(pc);
        let asked = matches!(wants, Some(Op::GetIterator | Op::GetAsyncIterator | Op::ArraySpread));
        let source = if asked { self.source_at(code, pc) } else { None };
        self.no_iterator(value, source, wants == Some(Op::GetAsyncIterator))
    }

    /// The same for the running instruction.
    #[cold]
    pub(super) fn not_iterable_here<T>(&mut self, value: Value, is_async: bool) -> Result<T> {
        let source = self.source_here();
        self.no_iterator(value, source, is_async)
    }

    /// The same with the source that says what it is; for what no source shows, none.
    pub(super) fn no_iterator<T>(&mut self, value: Value, source: Option<Source>, is_async: bool) -> Result<T> {
        let iterable = if is_async { "async iterable" } else { "iterable" };
        let mut name = None;
        if let Some(source) = &source {
            let before = source.before(source.at, u8::is_ascii_whitespace);
            let spread = source.text[source.at..].starts_with(b"...");
            if spread && before > 0 && source.text[before - 1] == b'(' {
                return self.type_error("Spread syntax requires ...iterable[Symbol.iterator] to be a function");
            }
            let at = if spread { source.past_blanks(source.at + 3) } else { source.at };
            let called = |name: &str| format!("{name} is not a function or its return value");
            name = if source.text[source.at] == b'[' {
                // V8 names a variable and a call that a declaration takes apart, and nothing else.
                let declared = [b"let".as_slice(), b"const", b"var"].iter().any(|word| source.text[..before].ends_with(word));
                let from = if declared { source.initialiser() } else { None };
                from.and_then(|shown| match shown.strip_suffix("(...)") {
                    Some(callee) => Some(called(callee)),
                    None => (!shown.contains(['.', '[', '('])).then_some(shown),
                })
            } else if before > 0 && source.text[before - 1] == b'*' {
                None
            } else {
                match source.chain(at) {
                    Some((shown, end)) if source.text.get(end) == Some(&b'(') => {
                        source.past_brackets(end).filter(|&end| source.is_end(end)).map(|_| called(&shown))
                    }
                    Some((shown, end)) => source.is_end(end).then_some(shown),
                    None if value.is_object() => None,
                    None => Some(self.brief(value)?),
                }
            };
        }
        match name {
            Some(name) => self.type_error(&format!("{name} is not {iterable}")),
            None => {
                let what = self.type_and_value(value)?;
                self.type_error(&format!(
                    "{what} is not {iterable} (cannot read property Symbol(Symbol.{}))",
                    if is_async { "asyncIterator" } else { "iterator" }
                ))
            }
        }
    }

    /// Throws because undefined or null cannot be taken apart by the object pattern at the running instruction.
    #[cold]
    pub(super) fn cannot_destructure(&mut self, value: Value) -> Result<()> {
        let what = self.brief(value)?;
        let source = self.source_here().filter(|source| source.text[source.at] == b'{');
        let property = source.as_ref().and_then(Source::first_property);
        let message = match (&property, &source) {
            (Some(property), Some(source)) if source.is_nested() => format!("Cannot read properties of {what} (reading '{property}')"),
            _ => {
                let from = match source.and_then(|source| source.initialiser()) {
                    Some(shown) => shown,
                    None => self.type_and_value(value)?,
                };
                let part = property.map_or_else(String::new, |property| format!("property '{property}' of "));
                format!("Cannot destructure {part}'{from}' as it is {what}.")
            }
        };
        self.type_error(&message)
    }

    /// Throws because strict code may not set a property: says why.
    #[cold]
    pub(crate) fn cannot_set<T>(&mut self, object: Value, key: Key) -> Result<T> {
        let text = self.key_text(key)?;
        if !object.is_object() {
            let (kind, shown) = (self.heap.text(self.type_of(object))?, self.brief(object)?);
            let own = object.is_string()
                && match key {
                    Key::Index(index) => index < self.heap.string_length(object.payload()),
                    Key::Name(name) => name == atoms::LENGTH,
                };
            if own {
                return self.type_error(&format!("Cannot assign to read only property '{text}' of string '{shown}'"));
            }
            return self.type_error(&format!("Cannot create property '{text}' on {kind} '{shown}'"));
        }
        let shown = self.brief(object)?;
        let cell = self.object_cell(object)?;
        let found = if self.heap.is(cell, Kind::Proxy) { None } else { self.find(cell, key)? };
        match found {
            None if self.heap.is(cell, Kind::Proxy) => {
                self.type_error(&format!("'set' on proxy: trap returned falsish for property '{text}'"))
            }
            None => self.type_error(&format!("Cannot add property {text}, object is not extensible")),
            Some((_, Own::Accessor { .. })) => self.type_error(&format!("Cannot set property {text} of {shown} which has only a getter")),
            Some(_) => self.type_error(&format!("Cannot assign to read only property '{text}' of object '{shown}'")),
        }
    }
}
