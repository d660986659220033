//! Words, labels, registers, constants.

use super::{C, Compiler, NO_TEXT, Reg};
use crate::bytecode::{CACHE_WORDS, Constant, Extension, GLOBAL_CACHE_WORDS, Op, Position, Range, Text, abc, ax, frame, s24};
use crate::syntax::atoms::Atom;
use crate::syntax::tree::NONE;

/// A place to jump to: where it is, or the chain of jumps that wait for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label {
    at: u32,
    chain: u32,
}

/// Number of a label of the current function.
pub(super) type LabelId = u32;

/// Constants that an index of sixteen bits can name.
const SIXTEEN_BITS: usize = 1 << 16;

/// Registers that expressions may use; calls need room for their windows above.
pub(super) const LAST_REGISTER: Reg = 255;

impl Compiler<'_> {
    /// Position of the next word, relative to the function.
    pub(super) fn here(&self) -> u32 {
        (self.unit.words.len() - self.frame.start) as u32
    }

    pub(super) fn word(&mut self, word: u32) {
        self.unit.words.push(word);
    }

    /// The code from here on is about the source at `offset`.
    pub(super) fn at(&mut self, offset: u32) {
        if self.frame.last_position == offset {
            return;
        }
        self.frame.last_position = offset;
        let word = self.here();
        if let Some(last) = self.unit.positions[self.frame.positions..].last_mut()
            && last.word == word
        {
            last.offset = offset;
            return;
        }
        self.unit.positions.push(Position { word, offset });
    }

    pub(super) fn op0(&mut self, op: Op) {
        self.word(abc(op, 0, 0, 0));
    }

    pub(super) fn op1(&mut self, op: Op, a: Reg) {
        self.word(abc(op, a as u8, 0, 0));
    }

    pub(super) fn op2(&mut self, op: Op, a: Reg, b: Reg) {
        self.word(abc(op, a as u8, b as u8, 0));
    }

    pub(super) fn op3(&mut self, op: Op, a: Reg, b: Reg, c: Reg) {
        self.word(abc(op, a as u8, b as u8, c as u8));
    }

    pub(super) fn op_ax(&mut self, op: Op, a: Reg, x: u32) {
        self.word(ax(op, a as u8, x as u16));
    }

    /// The words behind an instruction that the engine fills.
    fn caches(&mut self, op: Op) {
        for extension in op.row().extensions {
            if let Extension::Cache(words) = extension {
                debug_assert!(*words == CACHE_WORDS || *words == GLOBAL_CACHE_WORDS);
                for _ in 0..*words {
                    self.word(0);
                }
            }
        }
    }

    /// An instruction with a name: `op a, b, key`.
    pub(super) fn op_key(&mut self, op: Op, a: Reg, b: Reg, name: Atom) -> C<()> {
        let key = self.name_constant(name)?;
        self.op2(op, a, b);
        self.word(key);
        self.caches(op);
        Ok(())
    }

    /// As `op_key` with sixteen bits in the place of `b`.
    pub(super) fn op_ax_key(&mut self, op: Op, a: Reg, x: u32, name: Atom) -> C<()> {
        let key = self.name_constant(name)?;
        self.op_ax(op, a, x);
        self.word(key);
        Ok(())
    }

    pub(super) fn op_move(&mut self, to: Reg, from: Reg) {
        if to != from {
            self.op2(Op::Move, to, from);
        }
    }

    // --- Registers ---

    /// Takes `count` registers above all that are in use.
    pub(super) fn take(&mut self, count: u32) -> C<Reg> {
        let first = self.frame.next;
        let end = first + count;
        if end > LAST_REGISTER {
            return self.too_complex("Expression is too complex", self.frame.last_position);
        }
        self.frame.next = end;
        self.frame.high = self.frame.high.max(end);
        Ok(first)
    }

    pub(super) fn temp(&mut self) -> C<Reg> {
        self.take(1)
    }

    /// Begins a call window with room for `arguments`; gives its base.
    pub(super) fn window(&mut self, arguments: u32) -> C<Reg> {
        self.take(u32::from(frame::ARGUMENTS) + arguments)
    }

    pub(super) fn release(&mut self, mark: Reg) {
        self.frame.next = mark;
    }

    // --- Labels ---

    pub(super) fn label(&mut self) -> LabelId {
        self.labels.push(Label { at: NONE, chain: NONE });
        self.labels.len() as u32 - 1
    }

    /// The label is here.
    pub(super) fn bind(&mut self, label: LabelId) -> C<()> {
        let here = self.here();
        let mut chain = self.labels[label as usize].chain;
        self.labels[label as usize].at = here;
        while chain != NONE {
            let index = self.frame.start + chain as usize;
            let next = self.unit.words[index];
            self.unit.words[index] = 0;
            chain = next;
            self.patch(index, here)?;
        }
        self.labels[label as usize].chain = NONE;
        Ok(())
    }

    /// Fills the distance word at `index`; jumps are wide until they are known to fit.
    fn patch(&mut self, index: usize, target: u32) -> C<()> {
        let end = (index - self.frame.start + 1) as i64;
        self.unit.words[index] = (i64::from(target) - end) as i32 as u32;
        Ok(())
    }

    /// The distance word of a jump to `label`.
    pub(super) fn distance(&mut self, label: LabelId) {
        let here = self.here();
        let state = self.labels[label as usize];
        if state.at != NONE {
            self.word((i64::from(state.at) - i64::from(here) - 1) as i32 as u32);
        } else {
            self.word(state.chain);
            self.labels[label as usize].chain = here;
        }
    }

    pub(super) fn jump(&mut self, label: LabelId) {
        let state = self.labels[label as usize];
        if state.at != NONE
            && let Some(word) = s24(Op::Jump, (i64::from(state.at) - i64::from(self.here()) - 1) as i32)
        {
            self.word(word);
            return;
        }
        self.op0(Op::JumpWide);
        self.distance(label);
    }

    pub(super) fn jump_if(&mut self, op: Op, a: Reg, label: LabelId) {
        self.op1(op, a);
        self.distance(label);
    }

    pub(super) fn jump_compare(&mut self, op: Op, a: Reg, b: Reg, label: LabelId) {
        self.op2(op, a, b);
        self.distance(label);
    }

    // --- Constants ---

    pub(super) fn text(&mut self, atom: Atom) -> Text {
        if atom == NONE {
            return Text::default();
        }
        let index = atom as usize;
        if self.texts.len() <= index {
            self.texts.resize(index + 1, NO_TEXT);
        }
        if self.texts[index] == NO_TEXT {
            let bytes = self.tree.text(atom);
            let start = self.unit.text.len() as u32;
            self.unit.text.extend_from_slice(bytes);
            self.texts[index] = Text { start, length: bytes.len() as u32 };
        }
        self.texts[index]
    }

    /// A text that is no atom of the tree.
    pub(super) fn new_text(&mut self, bytes: &[u8]) -> Text {
        let start = self.unit.text.len() as u32;
        self.unit.text.extend_from_slice(bytes);
        Text { start, length: bytes.len() as u32 }
    }

    /// Appends a constant to the current function's; its index. Names need the indices that fit sixteen bits: once half of
    /// those are taken, other constants go behind them.
    pub(super) fn constant(&mut self, constant: Constant) -> u32 {
        let index = self.unit.constants.len() - self.frame.constants;
        if index >= SIXTEEN_BITS / 2 && !matches!(constant, Constant::Name(_)) {
            self.late_constants.push(constant);
            return (SIXTEEN_BITS + self.late_constants.len() - 1) as u32;
        }
        self.unit.constants.push(constant);
        index as u32
    }

    /// The constant with this index of the current function.
    pub(super) fn constant_mut(&mut self, index: u32) -> Option<&mut Constant> {
        match (index as usize).checked_sub(SIXTEEN_BITS) {
            Some(late) => self.late_constants.get_mut(late),
            None => self.unit.constants.get_mut(self.frame.constants + index as usize),
        }
    }

    /// Brings the current function's constants together at its end; their range.
    pub(super) fn finish_constants(&mut self) -> C<Range> {
        if !self.late_constants.is_empty() {
            self.hold(SIXTEEN_BITS * size_of::<Constant>())?;
            self.unit.constants.resize(self.frame.constants + SIXTEEN_BITS, Constant::Number(0.0));
            self.unit.constants.append(&mut self.late_constants);
        }
        Ok(Range { start: self.frame.constants as u32, end: self.unit.constants.len() as u32 })
    }

    /// Whether a name can still be a constant of the current function. Some room is left for what is being compiled.
    pub(super) fn has_name_room(&self, atom: Atom) -> bool {
        self.unit.constants.len() - self.frame.constants < SIXTEEN_BITS - 1024
            || self.name_constants.get(atom as usize).is_some_and(|&(stamp, _)| stamp == self.frame.job + 1)
    }

    /// Index of a name among the constants; it must fit sixteen bits.
    pub(super) fn name_constant(&mut self, atom: Atom) -> C<u32> {
        let stamp = self.frame.job + 1;
        let index = atom as usize;
        if self.name_constants.len() <= index {
            self.name_constants.resize(index + 1, (0, 0));
        }
        let (known, at) = self.name_constants[index];
        if known == stamp {
            return Ok(at);
        }
        let text = self.text(atom);
        let at = self.constant(Constant::Name(text));
        if at > 0xFFFF {
            return self.too_complex("Too many names in one function", self.frame.last_position);
        }
        self.name_constants[index] = (stamp, at);
        Ok(at)
    }

    fn text_constant(&mut self, atom: Atom) -> u32 {
        let stamp = self.frame.job + 1;
        let index = atom as usize;
        if self.text_constants.len() <= index {
            self.text_constants.resize(index + 1, (0, 0));
        }
        let (known, at) = self.text_constants[index];
        if known == stamp {
            return at;
        }
        let text = self.text(atom);
        let at = self.constant(Constant::Text(text));
        self.text_constants[index] = (stamp, at);
        at
    }

    pub(super) fn load_constant(&mut self, to: Reg, index: u32) {
        if index <= 0xFFFF {
            self.op_ax(Op::LoadConstant, to, index);
            self.caches(Op::LoadConstant);
        } else {
            self.op1(Op::LoadConstantWide, to);
            self.word(index);
        }
    }

    pub(super) fn load_text(&mut self, to: Reg, atom: Atom) {
        let index = self.text_constant(atom);
        self.load_constant(to, index);
    }

    /// The value as a signed sixteen-bit integer, if it is one (and not -0).
    pub(super) fn small_int(value: f64) -> Option<i16> {
        let int = value as i16;
        (f64::from(int) == value && (int != 0 || value.is_sign_positive())).then_some(int)
    }

    pub(super) fn load_number(&mut self, to: Reg, value: f64) {
        if let Some(int) = Self::small_int(value) {
            self.op_ax(Op::LoadInt, to, int as u16 as u32);
            return;
        }
        let bits = value.to_bits();
        let index = match self.number_constants.get(&bits) {
            Some(&index) => index,
            None => {
                let index = self.constant(Constant::Number(value));
                self.number_constants.insert(bits, index);
                index
            }
        };
        self.load_constant(to, index);
    }

    pub(super) fn load_int(&mut self, to: Reg, value: u32) {
        self.load_number(to, f64::from(value));
    }
}
