//! From the compiler's [`Unit`] to cells in guest memory.
//!
//! A code cell's fields are named in [`crate::vm::code`], a unit cell's in [`crate::vm::unit`]. Instructions of a unit lie in
//! one Raw cell; a code cell's `PC` points into it. Captures are u32 words: a register, or 0x10000 | number of the maker's own
//! capture. Handlers are four words each, positions two.

use crate::bytecode::{Capture, Constant, Op, Text, Unit, function_flag};
use crate::heap::{Kind, Result, Signal, atoms};
use crate::value::Value;
use crate::vm::{Vm, code, unit};

/// The box is the maker's own capture.
pub(crate) const BOX_OUTER: u64 = 1 << 16;
/// The box is an element of an array.
pub(crate) const BOX_ELEMENT: u64 = 1 << 17;

impl<'a> Vm<'a> {
    fn text_string(&mut self, list: &Unit, text: Text) -> Result<u32> {
        self.heap.string_wtf8(list.bytes(text))
    }

    /// A Raw cell of words, as many from each item.
    fn raw_words<const N: usize>(&mut self, items: impl ExactSizeIterator<Item = [u32; N]>) -> Result<u32> {
        if items.len() == 0 {
            return Ok(0);
        }
        let bytes = (items.len() * N * 4) as u32;
        let cell = self.heap.raw_unfilled(bytes)?;
        let mut at = cell + 8;
        for word in items.flatten() {
            self.heap.mem.store_u32(at, word);
            at += 4;
        }
        Ok(cell)
    }

    fn constant_value(&mut self, list: &Unit, constant: &Constant) -> Result<Value> {
        Ok(match constant {
            Constant::Name(text) => {
                let string = self.text_string(list, *text)?;
                Value::string(self.heap.intern(string)?)
            }
            Constant::Text(text) => {
                let string = self.text_string(list, *text)?;
                // Short texts are often property keys too: interned ones compare and hash fast.
                if text.length <= 32 && self.heap.flat(string).is_ok_and(|flat| self.heap.string_index(flat).is_none()) {
                    Value::string(self.heap.intern(string)?)
                } else {
                    Value::string(string)
                }
            }
            Constant::Number(n) => Value::number(*n),
            Constant::BigInt(text) => {
                let digits = list.text(*text);
                let n = crate::interpret::parse_bigint(&digits).unwrap_or_default();
                Value::bigint(self.heap.bigint(&n)?)
            }
            Constant::Pattern { source, flags } => {
                let source = self.text_string(list, *source)?;
                let flags = self.text_string(list, *flags)?;
                Value::object(self.heap.accessor(Value::string(source), Value::string(flags))?)
            }
            Constant::Template(parts) => {
                let cell = self.heap.values(Kind::Slots, parts.len() as u32 * 2, Value::UNDEFINED)?;
                for (i, (cooked, raw)) in parts.iter().enumerate() {
                    if let Some(cooked) = cooked {
                        let string = self.text_string(list, *cooked)?;
                        self.heap.set_value(cell + 8 + i as u32 * 16, Value::string(string));
                    }
                    let string = self.text_string(list, *raw)?;
                    self.heap.set_value(cell + 16 + i as u32 * 16, Value::string(string));
                }
                Value::object(cell)
            }
            Constant::Scope(names) => {
                // Three values a name: text, kind, place.
                let cell = self.heap.values(Kind::Slots, names.len() as u32 * 3, Value::UNDEFINED)?;
                for (i, name) in names.iter().enumerate() {
                    let text = self.text_string(list, name.name)?;
                    let at = cell + 8 + i as u32 * 24;
                    self.heap.set_value(at, Value::string(text));
                    self.heap.set_value(at + 8, Value::int(name.kind as i32));
                    self.heap.set_value(at + 16, Value::number(capture_word(name.place) as f64));
                }
                Value::object(cell)
            }
            Constant::Jumps(jumps) => Value::object(self.raw_words(jumps.iter().map(|&j| [j as u32]))?),
        })
    }

    /// Writes the values that a function's instructions load behind these instructions.
    fn place_constants(&mut self, list: &Unit, function: &crate::bytecode::Function, start: u32, values: u32) {
        let mut at = function.words.start as usize;
        while at < function.words.end as usize {
            let word = list.words[at];
            let Some(op) = Op::from_byte(word as u8) else { return };
            if op == Op::LoadConstant {
                let value = self.heap.mem.load_u64(values + 8 + (word >> 16) * 8);
                self.heap.mem.store_u64(start + at as u32 * 4 + 4, value);
            }
            at += op.row().words();
        }
    }

    /// Lays a unit out; the code cell of function 0. `source`: the WTF-8 text, kept for `toString` and traces.
    pub(crate) fn install(&mut self, list: &Unit, source: &[u8], file: u32) -> Result<u32> {
        self.heap.debt += (list.words.len() + list.constants.len()) as u64 / 8;
        // A large unit asks for its room at once: compiling it again for every piece that does not fit would be dear.
        let parts =
            list.words.len() * 4 + list.constants.len() * 40 + list.functions.len() * 128 + list.positions.len() * 8 + list.text.len();
        let room = u32::try_from(parts + source.len()).unwrap_or(u32::MAX - 1);
        if room > 1 << 18 && !self.heap.has_room(room) {
            return Err(Signal::Collect(room));
        }
        let cell = self.heap.allocate(Kind::Unit, unit::BYTES, 0)?;
        for i in 1..unit::BYTES / 8 {
            self.heap.mem.store_u64(cell + i * 8, 0);
        }
        let words = self.raw_words(list.words.iter().map(|&word| [word]))?;
        let text = self.heap.raw_unfilled(source.len() as u32)?;
        self.heap.mem.write(text + 8, source);
        let functions = self.heap.values(Kind::Slots, list.functions.len() as u32, Value::UNDEFINED)?;
        self.heap.mem.store_u32(cell + unit::WORDS, words);
        self.heap.mem.store_u32(cell + unit::SOURCE, text);
        self.heap.mem.store_u32(cell + unit::FILE, file);
        self.heap.mem.store_u32(cell + unit::FUNCTIONS, functions);
        for (number, function) in list.functions.iter().enumerate() {
            let at = self.heap.allocate(Kind::Code, code::BYTES, function.flags)?;
            for i in 1..code::BYTES / 8 {
                self.heap.mem.store_u64(at + i * 8, 0);
            }
            let name = self.text_string(list, function.name)?;
            let part = |range: crate::bytecode::Range| range.start as usize..range.end as usize;
            let constants = &list.constants[part(function.constants)];
            let values = if constants.is_empty() { 0 } else { self.heap.values(Kind::Slots, constants.len() as u32, Value::UNDEFINED)? };
            for (i, constant) in constants.iter().enumerate() {
                let value = self.constant_value(list, constant)?;
                self.heap.set_value(values + 8 + i as u32 * 8, value);
            }
            self.place_constants(list, function, words + 8, values);
            let captures = self.raw_words(list.captures[part(function.captures)].iter().map(|&c| [capture_word(c) as u32]))?;
            let handlers =
                self.raw_words(list.handlers[part(function.handlers)].iter().map(|h| [h.start, h.end, h.target, u32::from(h.register)]))?;
            let positions = self.raw_words(list.positions[part(function.positions)].iter().map(|p| [p.word, p.offset]))?;
            let mem = self.heap.mem;
            mem.store_u32(at + code::PC, words + 8 + function.words.start * 4);
            mem.store_u32(at + code::WORDS, function.words.end - function.words.start);
            mem.store_u16(at + code::REGISTERS, function.registers.max(8));
            mem.store_u16(at + code::PARAMETERS, function.parameters);
            let enters = function.flags & function_flag::CLASS == 0;
            mem.store_u16(at + code::ENOUGH, if enters { function.parameters } else { u16::MAX });
            mem.store_u16(at + code::LENGTH, function.length);
            mem.store_u8(at + code::THIS_PROPERTIES, function.this_properties);
            mem.store_u32(at + code::NAME, if name == 0 { atoms::EMPTY } else { name });
            mem.store_u32(at + code::UNIT, cell);
            mem.store_u32(at + code::CONSTANTS, values);
            mem.store_u32(at + code::HANDLERS, handlers);
            mem.store_u32(at + code::POSITIONS, positions);
            mem.store_u32(at + code::CAPTURES, captures);
            mem.store_u32(at + code::SOURCE_START, function.source.start);
            mem.store_u32(at + code::SOURCE_END, function.source.end);
            self.heap.set_value(functions + 8 + number as u32 * 8, Value::object(at));
        }
        Ok(self.heap.value(functions + 8).payload())
    }
}

/// Where a box comes from, as a number: [`BOX_OUTER`] tells captures from registers; behind [`BOX_ELEMENT`] stands one more
/// than the number of an element of the array in that box.
fn capture_word(capture: Capture) -> u64 {
    match capture {
        Capture::Register(r) => u64::from(r),
        Capture::Outer(n) => BOX_OUTER | u64::from(n),
        Capture::RegisterElement(r, index) => u64::from(r) | ((u64::from(index) + 1) * BOX_ELEMENT),
        Capture::OuterElement(n, index) => BOX_OUTER | u64::from(n) | ((u64::from(index) + 1) * BOX_ELEMENT),
    }
}
