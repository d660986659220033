//! What errors remember of the stack, and its text in V8's form.
//!
//! An error's field holds its trace: a cell of (code, pc) pairs, innermost first, and one last pair of the class's name and
//! the message as they were when the error was made, for errors whose own cannot just be read. The text is made when
//! somebody first looks at `stack` ([`flag::LAZY`]).

use super::{Leaf, Native};
use crate::heap::memory::SHARED;
use crate::heap::object::Own;
use crate::heap::shape::attribute;
use crate::heap::string::Key;
use crate::heap::{Kind, Result, atoms, flag};
use crate::value::Value;
use crate::vm::{Vm, code, unit};

/// Frames that are shown.
const SHOWN: usize = 10;

/// Frames that are looked at, the library's own among them.
const WALKED: u32 = 32;

const fn leaf(name: &'static str, leaf: Leaf) -> Native {
    Native { target: "", name, length: 0, convert: "", leaf }
}

pub(super) const NATIVES: &[Native] = &[leaf("stackLines", |vm, _| {
    // Where the caller is now, without a first line.
    let trace = vm.trace_cell(Value::UNDEFINED, Value::UNDEFINED)?;
    let lines = vm.stack_lines(trace)?;
    vm.heap.string(&lines).map(Value::string)
})];

impl Vm<'_> {
    /// An error object that knows where it was made.
    pub(crate) fn error_object(&mut self, proto: u32, message: Option<u32>) -> Result<Value> {
        let shape = self.heap.root_shape(proto, Kind::Error, 2)?;
        let error = self.heap.object(Kind::Error, shape)?;
        let name = match self.find(proto, Key::Name(atoms::NAME))? {
            Some((_, Own::Data { address, .. })) => self.heap.value(address),
            _ => Value::UNDEFINED,
        };
        let trace = self.trace_cell(name, message.map_or(Value::UNDEFINED, Value::string))?;
        self.heap.set_value(error + 16, Value::object(trace));
        if let Some(text) = message {
            self.heap.add(error, Key::Name(atoms::MESSAGE), Value::string(text), attribute::HIDDEN)?;
        }
        self.heap.set_flags(error, flag::LAZY);
        Ok(Value::object(error))
    }

    /// Where the stack is now.
    fn trace_cell(&mut self, name: Value, message: Value) -> Result<u32> {
        let mut pairs = [(0u32, 0u32); WALKED as usize];
        let mut count = 0;
        let (mut fp, mut pc) = (self.fp, self.pc);
        let base = self.stack_base();
        for _ in 0..WALKED {
            let callee = self.heap.value(fp + u32::from(crate::bytecode::frame::CALLEE) * 8);
            let code = self.code_of(callee);
            if code != 0 && code & SHARED == 0 {
                pairs[count] = (code, pc);
                count += 1;
            }
            let link = self.heap.mem.load_u64(fp);
            let distance = (link >> 32) as u32 & 0xffff;
            if distance == 0 || fp <= base + distance * 8 {
                break;
            }
            (fp, pc) = self.caller_of(fp, link);
        }
        let cell = self.heap.values(Kind::Slots, count as u32 * 2 + 2, Value::UNDEFINED)?;
        for (i, &(code, pc)) in pairs[..count].iter().enumerate() {
            // Codes are kept alive by the trace; pcs are plain numbers.
            self.heap.set_value(cell + 8 + i as u32 * 16, Value::object(code));
            self.heap.set_value(cell + 16 + i as u32 * 16, Value::double(f64::from(pc)));
        }
        self.heap.set_value(cell + 8 + count as u32 * 16, name);
        self.heap.set_value(cell + 16 + count as u32 * 16, message);
        Ok(cell)
    }

    /// The lines of a trace, each after a line's end: `at name (file:line:column)`.
    fn stack_lines(&mut self, trace: u32) -> Result<String> {
        let count = (self.heap.high(trace) / 2).min(WALKED + 1);
        let mut text = String::new();
        let mut shown = 0;
        for i in 0..count {
            let code = self.heap.value(trace + 8 + i * 16).payload();
            let pc = self.heap.value(trace + 16 + i * 16).as_number().unwrap_or(0.0) as u32;
            if shown == SHOWN || !self.heap.is(code, Kind::Code) {
                continue;
            }
            shown += 1;
            let name = self.heap.text(self.heap.mem.load_u32(code + code::NAME))?;
            let unit_cell = self.heap.mem.load_u32(code + code::UNIT);
            let file = self.heap.text(self.heap.mem.load_u32(unit_cell + unit::FILE))?;
            let file = if file.is_empty() { "<anonymous>" } else { &file };
            let mut place = file.to_owned();
            if let Some(offset) = self.position(code, pc) {
                let source = self.heap.mem.load_u32(unit_cell + unit::SOURCE);
                let offset = offset.min(self.heap.high(source));
                self.charge(u64::from(offset) / 64)?;
                let (line, column) = self.line_and_column(source, offset);
                place = format!("{file}:{line}:{column}");
            }
            text.push_str("\n    at ");
            text.push_str(&if name.is_empty() { place } else { format!("{name} ({place})") });
        }
        Ok(text)
    }

    /// Line and column, both from 1, of a byte of a source (a Raw cell of WTF-8); columns count UTF-16 units.
    pub(crate) fn line_and_column(&self, source: u32, offset: u32) -> (u32, u32) {
        // Piece by piece: bundles are megabytes in which a trace asks for ten places.
        const PIECE: u32 = 64 << 10;
        let (mut line, mut column) = (1, 1);
        let mut bytes = Vec::new();
        let mut at = 0;
        while at < offset {
            let length = PIECE.min(offset - at);
            bytes.clear();
            self.heap.mem.read(source.wrapping_add(8 + at), length, &mut bytes);
            at += length;
            let mut rest = bytes.as_slice();
            if let Some(last) = memchr::memrchr(b'\n', rest) {
                line += memchr::memchr_iter(b'\n', rest).count() as u32;
                column = 1;
                rest = &rest[last + 1..];
            }
            for &byte in rest {
                column += match byte {
                    // A first byte of four stands for a pair; bytes that follow for nothing.
                    0xf0.. => 2,
                    0x80..=0xbf => 0,
                    _ => 1,
                };
            }
        }
        (line, column)
    }

    /// A property's value if reading it takes no call, else another value. Not by `find`, which makes the stack's text of errors
    /// that it comes across.
    fn data_or(&mut self, object: u32, name: u32, other: Value) -> Value {
        const FURTHEST: u32 = 100;
        let mut at = object;
        for _ in 0..FURTHEST {
            match self.heap.own(at, Key::Name(name)) {
                Own::Data { address, .. } => return self.heap.value(address),
                Own::Absent if self.heap.flags(at) & flag::EXOTIC == 0 => at = self.heap.proto(at),
                _ => break,
            }
            if at == 0 {
                break;
            }
        }
        other
    }

    /// Gives an error its `stack`.
    pub(crate) fn materialise_stack(&mut self, error: u32) -> Result<()> {
        let trace = self.heap.value(error + 16);
        let mut text = String::new();
        if trace.is_object_cell() && self.heap.is(trace.payload(), Kind::Slots) {
            let trace = trace.payload();
            let last = trace + 8 + (self.heap.high(trace) / 2).saturating_sub(1) * 16;
            // As the error is called now: classes set the name after the error was made.
            let name = self.data_or(error, atoms::NAME, self.heap.value(last));
            let message = self.data_or(error, atoms::MESSAGE, self.heap.value(last + 8));
            let part = |vm: &mut Self, value: Value| if value.is_string() { vm.heap.text(value.payload()) } else { Ok(String::new()) };
            let (name, message) = (part(self, name)?, part(self, message)?);
            text = match (name.is_empty(), message.is_empty()) {
                (true, _) => message,
                (_, true) => name,
                _ => format!("{name}: {message}"),
            };
            text.push_str(&self.stack_lines(trace)?);
        }
        let string = self.heap.string(&text)?;
        self.heap.add(error, Key::Name(atoms::STACK), Value::string(string), attribute::HIDDEN)?;
        self.heap.clear_flags(error, flag::LAZY);
        Ok(())
    }
}
