//! Matching: a backtracking machine whose state is words in a [`Store`].
//!
//! The store holds, in this order: the state words (see [`state`]), the registers (captures,
//! look-arounds to replay, loop marks, counters), the memo when there is one (see
//! [`memo`](super::memo)), and the stack. A frame of the stack is one to three words under a word
//! with its kind (see [`frame`]). Between two calls of [`resume`] nothing else is remembered.
//!
//! Every instruction and every frame taken back costs one unit of fuel, long ones more in
//! proportion to the text they pass over. What an instruction costs too much is owed and paid
//! before the next one, so a match stops at the same instruction and has used the same fuel
//! however the fuel was handed out.

use super::program::{Code, HEADER, Header, at, class, op, point, run, search};
use super::store::Store;
use super::text::Text;
use super::unicode::canonical;

/// How a piece of matching ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is a match: see [`group`].
    Matched,
    /// There is none.
    Failed,
    /// The fuel is used up: call [`resume`] again with more.
    OutOfFuel,
    /// The store could not grow: [`resume`] tries again at the same place.
    OutOfMemory,
    /// The program or the state is damaged.
    Corrupt,
}

/// A register without a value.
pub(super) const NONE: u32 = u32::MAX;

/// Words of the store that hold the state.
pub(super) mod state {
    pub(crate) const PC: u32 = 0;
    pub(crate) const POSITION: u32 = 1;
    /// Where this attempt, and the first one, began.
    pub(crate) const START: u32 = 2;
    pub(crate) const FIRST: u32 = 3;
    /// Flags: see below.
    pub(crate) const FLAGS: u32 = 4;
    /// The bottom and the top of the stack.
    pub(crate) const STACK: u32 = 5;
    pub(crate) const TOP: u32 = 6;
    /// The innermost look-around's frame, 0 if there is none.
    pub(crate) const LOOK: u32 = 7;
    pub(crate) const OWED: u32 = 8;
    /// Fuel used, two words.
    pub(crate) const SPENT: u32 = 9;
    /// Fuel at which the memo is considered, two words.
    pub(crate) const DUE: u32 = 11;
    pub(crate) const MEMO: u32 = 13;
    pub(crate) const HASHED: u32 = 14;
    /// Entries of the hashed memo, and how many are taken.
    pub(crate) const CAPACITY: u32 = 15;
    pub(crate) const TAKEN: u32 = 16;
    /// One more than the look-around that is replayed, 0 if none is.
    pub(crate) const REPLAY: u32 = 17;
    pub(crate) const SIZE: u32 = 18;

    pub(crate) const STICKY: u32 = 1;
    /// The next thing to do is to take back the top frame.
    pub(crate) const FAILING: u32 = 2;
    /// Registers were set without a frame to undo it.
    pub(crate) const DIRTY: u32 = 4;
    pub(crate) const MEMOISING: u32 = 8;
    /// There is no memory for a memo.
    pub(crate) const NO_MEMO: u32 = 16;
    pub(crate) const RUNNING: u32 = 32;
    /// A memo is wanted at once.
    pub(crate) const EAGER: u32 = 64;
    /// The result is there, but not paid for.
    pub(crate) const MATCHED: u32 = 128;
    pub(crate) const FAILED: u32 = 256;
}

/// Kinds of frames: the low 4 bits of a frame's last word.
pub(super) mod frame {
    /// Go on at `a` from a position: \[position\].
    pub(crate) const CHOICE: u32 = 1;
    /// Register `a` gets a value back: \[value\].
    pub(crate) const UNDO: u32 = 2;
    /// The run at `a` gives back a character: \[least, current\].
    pub(crate) const BACK_OFF: u32 = 3;
    /// The lazy run at `a` takes one more: \[first, current\].
    pub(crate) const EXTEND: u32 = 4;
    /// The look-around at `a` fails: \[outer one, relative to the stack and plus 1; position\].
    pub(crate) const LOOK: u32 = 5;
    /// Memo row `a` has a position on the way to success: \[position\].
    pub(crate) const PATH: u32 = 6;
    /// The same for a hashed key of `a` words: \[key...\].
    pub(crate) const PATH_HASHED: u32 = 7;
    /// The same for all positions of the run at `a`: \[from, to\].
    pub(crate) const PATH_RUN: u32 = 8;
    /// The lazy counted loop at `a` iterates once more: \[position\].
    pub(crate) const ITERATE: u32 = 9;
}

/// A run looks at no more characters than this before fuel is looked at again.
const STRETCH: u32 = 1 << 16;

/// Fuel before a memo is thought of.
pub(super) const MEMO_AFTER: u64 = 1024;

/// Prepares a match of the program `code` in `text`, from code unit `from` on; `sticky`: there and
/// nowhere else. Says whether `store` has room for it. Whatever the store held is lost.
///
/// In unicode mode a `from` in the middle of a surrogate pair means the beginning of the pair.
pub fn start<C: Code, T: Text, S: Store>(code: C, text: T, from: u32, sticky: bool, store: &mut S) -> bool {
    let header = Header(code);
    let registers = header.registers();
    let Some(stack) = registers.checked_add(state::SIZE) else { return false };
    if !header.valid() || stack > 1 << 28 {
        return false;
    }
    if store.words() < stack && !store.grow(stack.saturating_add(64)) && !store.grow(stack) {
        return false;
    }
    let mut from = from.min(text.len());
    if header.flags().unicode() && is_pair(text, from.wrapping_sub(1)) {
        from -= 1;
    }
    for index in 0..state::SIZE {
        store.store(index, 0);
    }
    for index in state::SIZE..stack {
        store.store(index, NONE);
    }
    store.store(state::PC, code.word(at::ENTRY));
    store.store(state::START, from);
    store.store(state::FIRST, from);
    store.store(state::FLAGS, state::RUNNING | if sticky { state::STICKY } else { 0 });
    store.store(state::STACK, stack);
    store.store(state::TOP, stack);
    store.store(state::DUE, MEMO_AFTER as u32);
    true
}

/// Makes the match that was just prepared use a memo as soon as it can, not only when it pays: the
/// result is the same. For tests.
pub fn remember_at_once<S: Store>(store: &mut S) {
    let flags = store.load(state::FLAGS);
    store.store(state::FLAGS, flags | state::EAGER);
    store.store(state::DUE, 0);
}

/// Goes on with a match, using at most the fuel given and taking what was used off it.
///
/// `code` and `text` must be those of [`start`]; if they are not, or if the store was changed, the
/// result is wrong, but nothing worse happens.
pub fn resume<C: Code, T: Text, S: Store>(code: C, text: T, store: &mut S, fuel: &mut u64) -> Step {
    let given = i64::try_from(*fuel).unwrap_or(i64::MAX / 2).min(i64::MAX / 2);
    let flags = store.load(state::FLAGS);
    if flags & state::RUNNING == 0 || !Header(code).valid() {
        return Step::Corrupt;
    }
    let owed = i64::from(store.load(state::OWED));
    let double = |low: u32| u64::from(store.load(low)) | u64::from(store.load(low + 1)) << 32;
    let (spent, due) = (double(state::SPENT), double(state::DUE));
    let length = text.len().min(u32::MAX >> 1);
    let fuel_left = given - owed;
    let mut machine = Machine {
        code,
        text,
        length,
        pc: store.load(state::PC) & 0x0FFF_FFFF,
        position: store.load(state::POSITION).min(length),
        start: store.load(state::START).min(length),
        stack: store.load(state::STACK),
        top: store.load(state::TOP),
        look: store.load(state::LOOK),
        fuel: fuel_left,
        given: fuel_left,
        spent,
        due: fuel_left.saturating_sub_unsigned(due.saturating_sub(spent)),
        words: store.words(),
        flags,
        counters: code.word(at::COUNTERS).wrapping_add(state::SIZE),
        store,
    };
    // The top must lie in the store, and the stack behind the registers.
    if machine.top > machine.words || machine.stack < state::SIZE || machine.top < machine.stack {
        return Step::Corrupt;
    }
    let mut step = match flags & (state::MATCHED | state::FAILED) {
        _ if fuel_left < 0 => Step::OutOfFuel,
        0 if fuel_left == 0 => Step::OutOfFuel,
        0 => machine.run(),
        state::MATCHED => Step::Matched,
        _ => Step::Failed,
    };
    if machine.fuel < 0 && matches!(step, Step::Matched | Step::Failed) {
        machine.flags |= if step == Step::Matched { state::MATCHED } else { state::FAILED };
        step = Step::OutOfFuel;
    }
    let left = machine.fuel;
    machine.save();
    *fuel -= given.saturating_sub(left.max(0)).unsigned_abs();
    step
}

/// Where a group matched, as code units of a text of `length`; `None` if it did not take part.
/// For a store whose match ended with [`Step::Matched`]; group 0 is the whole match.
pub fn group<S: Store>(store: &S, index: u32, length: u32) -> Option<(u32, u32)> {
    let at = state::SIZE.checked_add(index.checked_mul(2)?)?;
    let (start, end) = (store.load(at), store.load(at + 1));
    (start != NONE && end != NONE && start <= end && end <= length).then_some((start, end))
}

/// Whether a surrogate pair begins at `index`.
fn is_pair<T: Text>(text: T, index: u32) -> bool {
    T::WIDE
        && index < text.len()
        && text.unit(index) & 0xFC00 == 0xD800
        && index + 1 < text.len()
        && text.unit(index + 1) & 0xFC00 == 0xDC00
}

fn is_word(unit: u32, folded: bool) -> bool {
    let ascii = u8::try_from(unit).is_ok_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    ascii || folded && matches!(unit, 0x17F | 0x212A)
}

fn is_line_end(unit: u32) -> bool {
    matches!(unit, 0x0A | 0x0D | 0x2028 | 0x2029)
}

/// What to do after an instruction that decides.
pub(super) enum Flow {
    /// Go on at the program counter.
    On,
    /// Take back a frame.
    Fail,
    Stop(Step),
}

/// What the memo knows of a state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing; it does from now on.
    New,
    /// It has been tried and fails.
    Failed,
    /// It leads to the end of the look-around around it.
    Succeeded,
}

/// The state of a match in the host's registers, while it runs.
pub(super) struct Machine<'s, C, T, S> {
    pub(super) code: C,
    pub(super) text: T,
    pub(super) length: u32,
    pub(super) pc: u32,
    pub(super) position: u32,
    pub(super) start: u32,
    pub(super) stack: u32,
    pub(super) top: u32,
    pub(super) look: u32,
    /// Below 0: owed.
    pub(super) fuel: i64,
    /// The fuel there was at the beginning of this call, and what was spent before it.
    pub(super) given: i64,
    pub(super) spent: u64,
    /// The fuel level at which the memo is considered.
    pub(super) due: i64,
    /// Words of the store.
    pub(super) words: u32,
    pub(super) flags: u32,
    /// Where counters begin in the store.
    counters: u32,
    pub(super) store: &'s mut S,
}

impl<C: Code, T: Text, S: Store> Machine<'_, C, T, S> {
    /// Writes everything back.
    fn save(&mut self) {
        let spent = self.spent.saturating_add_signed(self.given - self.fuel);
        let due = spent.saturating_add_signed(self.fuel.saturating_sub(self.due));
        let owed = u32::try_from(-self.fuel.min(0)).unwrap_or(u32::MAX);
        for (index, value) in [
            (state::PC, self.pc),
            (state::POSITION, self.position),
            (state::START, self.start),
            (state::STACK, self.stack),
            (state::TOP, self.top),
            (state::LOOK, self.look),
            (state::FLAGS, self.flags),
            (state::OWED, owed),
            (state::SPENT, spent as u32),
            (state::SPENT + 1, (spent >> 32) as u32),
            (state::DUE, due as u32),
            (state::DUE + 1, (due >> 32) as u32),
        ] {
            self.store.store(index, value);
        }
    }

    #[inline(always)]
    pub(super) fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    #[inline(always)]
    fn word(&self, ahead: u32) -> u32 {
        self.code.word(self.pc.wrapping_add(ahead))
    }

    #[inline(always)]
    pub(super) fn register(&self, index: u32) -> u32 {
        self.store.load(index.wrapping_add(state::SIZE))
    }

    /// Sets a word of the registers so that failing restores it.
    #[inline(always)]
    fn set(&mut self, address: u32, value: u32) {
        if self.top == self.stack {
            // Nothing to go back to in this attempt.
            self.flags |= state::DIRTY;
        } else {
            let old = self.store.load(address);
            self.push(old);
            self.push(address << 4 | frame::UNDO);
        }
        self.store.store(address, value);
    }

    #[inline(always)]
    pub(super) fn push(&mut self, word: u32) {
        self.store.store(self.top, word);
        self.top += 1;
    }

    /// Whether there is room for `count` more words (and one frame or two) on the stack.
    #[inline(always)]
    pub(super) fn room(&mut self, count: u32) -> bool {
        self.words - self.top >= count + 16 || self.make_room(count + 16)
    }

    #[cold]
    fn make_room(&mut self, count: u32) -> bool {
        let Some(needed) = self.top.checked_add(count) else { return false };
        let roomy = needed.saturating_add(self.words.max(64)).min(1 << 30);
        let grown = self.store.grow(roomy) || self.store.grow(needed);
        self.words = self.store.words();
        grown && self.words >= needed
    }

    /// Whether `unit` is in the class at `class`.
    #[inline(always)]
    fn in_class(&self, class: u32, unit: u32) -> bool {
        if !T::WIDE || unit < 0x100 {
            return self.code.word(class.wrapping_add(unit >> 5)) >> (unit & 31) & 1 != 0;
        }
        self.in_ranges(class, unit)
    }

    fn in_ranges(&self, class: u32, c: u32) -> bool {
        let count = self.code.word(class.wrapping_add(class::COUNT)) & !class::END;
        let (mut low, mut high) = (0, count.min(1 << 21));
        while low < high {
            let middle = low + (high - low) / 2;
            let range = class.wrapping_add(class::RANGES).wrapping_add(middle * 2);
            if c < self.code.word(range) {
                high = middle;
            } else if c > self.code.word(range.wrapping_add(1)) {
                low = middle + 1;
            } else {
                return true;
            }
        }
        false
    }

    /// Whether what follows at `position` is in a class of first units.
    #[inline(always)]
    fn follows(&self, class: u32, position: u32) -> bool {
        if position < self.length {
            self.in_class(class, self.text.unit(position))
        } else {
            self.code.word(class.wrapping_add(class::COUNT)) & class::END != 0
        }
    }

    /// The code point at `position` (below the length) and the position behind it.
    #[inline(always)]
    fn point_at(&self, position: u32) -> (u32, u32) {
        let unit = self.text.unit(position);
        if is_pair(self.text, position) {
            let trail = self.text.unit(position + 1);
            return (0x10000 + ((unit & 0x3FF) << 10) + (trail & 0x3FF), position + 2);
        }
        (unit, position + 1)
    }

    /// The position one character before `position` (above 0), a code point if `points`.
    #[inline(always)]
    fn before(&self, position: u32, points: bool) -> u32 {
        let width = if points && position >= 2 && is_pair(self.text, position - 2) { 2 } else { 1 };
        position - width
    }

    /// The position behind one character of a class at `position`, if it is one.
    #[inline(always)]
    pub(super) fn take(&self, class: u32, points: bool, position: u32) -> Option<u32> {
        if position >= self.length {
            return None;
        }
        if T::WIDE && points {
            let (c, next) = self.point_at(position);
            return self.in_class(class, c).then_some(next);
        }
        self.in_class(class, self.text.unit(position)).then_some(position + 1)
    }

    /// The position behind up to `most` characters of a class, and how many there were.
    #[inline(always)]
    fn scan(&self, class: u32, points: bool, most: u32) -> (u32, u32) {
        let mut position = self.position;
        if T::WIDE && points {
            let mut count = 0;
            while count < most
                && let Some(next) = self.take(class, points, position)
            {
                position = next;
                count += 1;
            }
            return (position, count);
        }
        let end = self.length.min(position.saturating_add(most));
        while position < end && self.in_class(class, self.text.unit(position)) {
            position += 1;
        }
        (position, position - self.position)
    }

    /// Runs until something ends it.
    fn run(&mut self) -> Step {
        if self.has(state::FAILING) {
            self.flags &= !state::FAILING;
            if let Some(step) = self.fail() {
                return step;
            }
        }
        loop {
            if self.fuel <= 0 {
                return Step::OutOfFuel;
            }
            self.fuel -= 1;
            let word = self.word(0);
            let operand = word >> 8;
            let flow = match word & 0xFF {
                op::CHAR => {
                    if self.position < self.length && self.text.unit(self.position) == operand {
                        self.position += 1;
                        self.pc += 1;
                        continue;
                    }
                    Flow::Fail
                }
                op::CHAR_2 => {
                    if self.position < self.length {
                        let unit = self.text.unit(self.position);
                        if unit == operand || unit == self.word(1) {
                            self.position += 1;
                            self.pc += 2;
                            continue;
                        }
                    }
                    Flow::Fail
                }
                op::CLASS => {
                    if self.position < self.length && self.in_class(operand, self.text.unit(self.position)) {
                        self.position += 1;
                        self.pc += 1;
                        continue;
                    }
                    Flow::Fail
                }
                op::CLASS_POINT => match self.take(operand, true, self.position) {
                    Some(next) => {
                        self.position = next;
                        self.pc += 1;
                        continue;
                    }
                    None => Flow::Fail,
                },
                op::TEXT => self.literal(operand),
                op::CHAR_BACK => {
                    if self.position > 0 && self.text.unit(self.position - 1) == operand {
                        self.position -= 1;
                        self.pc += 1;
                        continue;
                    }
                    Flow::Fail
                }
                op::CHAR_2_BACK => {
                    if self.position > 0 {
                        let unit = self.text.unit(self.position - 1);
                        if unit == operand || unit == self.word(1) {
                            self.position -= 1;
                            self.pc += 2;
                            continue;
                        }
                    }
                    Flow::Fail
                }
                op::CLASS_BACK | op::CLASS_POINT_BACK => {
                    let points = word & 0xFF == op::CLASS_POINT_BACK;
                    if self.position > 0 {
                        let before = self.before(self.position, points);
                        if self.take(operand, points, before).is_some() {
                            self.position = before;
                            self.pc += 1;
                            continue;
                        }
                    }
                    Flow::Fail
                }
                op::START => self.when(self.position == 0),
                op::START_OF_LINE => {
                    self.when(self.position == 0 || is_line_end(self.text.unit(self.position - 1)))
                }
                op::END => self.when(self.position >= self.length),
                op::END_OF_LINE => {
                    self.when(self.position >= self.length || is_line_end(self.text.unit(self.position)))
                }
                op::BOUNDARY => {
                    let folded = operand & 2 != 0;
                    let before = self.position > 0 && is_word(self.text.unit(self.position - 1), folded);
                    let behind = self.position < self.length && is_word(self.text.unit(self.position), folded);
                    self.when((before != behind) != (operand & 1 != 0))
                }
                op::SAVE => {
                    if !self.room(2) {
                        return self.no_room();
                    }
                    self.set(operand.wrapping_add(state::SIZE), self.position);
                    self.pc += 1;
                    continue;
                }
                op::RESET => self.reset(operand),
                op::JUMP => {
                    self.pc = operand;
                    continue;
                }
                op::SPLIT | op::SPLIT_AWAY => {
                    let (next, other) = match word & 0xFF {
                        op::SPLIT => (self.pc + 2, operand),
                        _ => (operand, self.pc + 2),
                    };
                    match self.decide(self.word(1)) {
                        Ok(()) => {
                            self.push(self.position);
                            self.push(other << 4 | frame::CHOICE);
                            self.pc = next;
                            continue;
                        }
                        Err(flow) => flow,
                    }
                }
                op::BRANCH | op::BRANCH_AWAY => match self.decide(self.word(1)) {
                    Ok(()) => {
                        let on = self.follows(self.word(2), self.position);
                        self.pc = if on == (word & 0xFF == op::BRANCH) { self.pc + 3 } else { operand };
                        continue;
                    }
                    Err(flow) => flow,
                },
                op::ADVANCE => self.when(self.register(operand) != self.position),
                op::ADVANCE_COUNTED => {
                    let counter = self.store.load(self.counters.wrapping_add(self.word(1)));
                    if counter > self.word(2) && self.register(operand) == self.position {
                        Flow::Fail
                    } else {
                        self.pc += 3;
                        continue;
                    }
                }
                op::ZERO => {
                    if !self.room(2) {
                        return self.no_room();
                    }
                    self.set(self.counters.wrapping_add(operand), 0);
                    self.pc += 1;
                    continue;
                }
                op::LOOP => self.count(operand),
                op::RUN => self.take_many(operand),
                op::RUN_LAZY => match self.decide(self.word(1)) {
                    Ok(()) => {
                        self.push(self.position);
                        self.push(self.position);
                        self.push(self.pc << 4 | frame::EXTEND);
                        let hint = self.word(3);
                        if hint == 0 || self.follows(hint, self.position) {
                            self.pc += 5;
                            continue;
                        }
                        Flow::Fail
                    }
                    Err(flow) => flow,
                },
                op::EXACTLY => {
                    let (wanted, points) = (self.word(1), self.word(2) & run::POINTS != 0);
                    let (end, count) = self.scan(operand, points, wanted);
                    self.fuel -= i64::from(count >> 3);
                    if count == wanted {
                        self.position = end;
                        self.pc += 3;
                        continue;
                    }
                    Flow::Fail
                }
                op::BACK_REFERENCE => self.back_reference(operand),
                op::LOOK => {
                    if !self.room(3) {
                        return self.no_room();
                    }
                    let outer = if self.look < self.stack { 0 } else { self.look - self.stack + 1 };
                    self.look = self.top;
                    self.push(outer);
                    self.push(self.position);
                    self.push(self.pc << 4 | frame::LOOK);
                    self.pc += 2;
                    continue;
                }
                op::LOOK_END => self.look_succeeds(false),
                op::SEARCH => self.search(operand),
                op::MATCH => {
                    self.store.store(state::SIZE + 1, self.position);
                    self.replay_from(0)
                }
                op::FAIL => Flow::Fail,
                _ => return Step::Corrupt,
            };
            match flow {
                Flow::On => {}
                Flow::Fail => {
                    if let Some(step) = self.fail() {
                        return step;
                    }
                }
                Flow::Stop(Step::OutOfMemory) => return self.no_room(),
                Flow::Stop(step) => return step,
            }
        }
    }

    /// An instruction could not be done for want of memory: it will be done again.
    fn no_room(&mut self) -> Step {
        self.fuel += 1;
        Step::OutOfMemory
    }

    /// Ends an assertion of one word.
    #[inline(always)]
    fn when(&mut self, holds: bool) -> Flow {
        if holds {
            self.pc += 1;
            Flow::On
        } else {
            Flow::Fail
        }
    }

    /// Before a decision: room for its frames, and the memo's word on it. An error is what to do
    /// instead of deciding.
    #[inline(always)]
    fn decide(&mut self, point: u32) -> Result<(), Flow> {
        if !self.room(4) {
            return Err(Flow::Stop(Step::OutOfMemory));
        }
        if self.has(state::MEMOISING) { self.ask(point) } else { Ok(()) }
    }

    #[inline(always)]
    fn literal(&mut self, count: u32) -> Flow {
        let end = self.position.wrapping_add(count);
        if end > self.length || end < self.position {
            return Flow::Fail;
        }
        for i in 0..count {
            let unit = self.word(1 + i / 2) >> (i % 2 * 16) & 0xFFFF;
            if self.text.unit(self.position + i) != unit {
                self.fuel -= i64::from(i >> 2);
                return Flow::Fail;
            }
        }
        self.fuel -= i64::from(count >> 2);
        self.position = end;
        self.pc = self.pc.wrapping_add(1 + count.div_ceil(2));
        Flow::On
    }

    fn reset(&mut self, first: u32) -> Flow {
        let spans = [(first, self.word(1)), (self.word(2), self.word(3))];
        let count = spans[0].1.saturating_add(spans[1].1).min(1 << 20);
        if !self.room(count * 2) {
            return Flow::Stop(Step::OutOfMemory);
        }
        self.fuel -= i64::from(count >> 2);
        for (first, count) in spans {
            for register in (0..count.min(1 << 19)).map(|i| first.wrapping_add(i)) {
                if self.register(register) != NONE {
                    self.set(register.wrapping_add(state::SIZE), NONE);
                }
            }
        }
        self.pc += 4;
        Flow::On
    }

    /// The head of a counted loop that ends at `exit`.
    fn count(&mut self, exit: u32) -> Flow {
        if let Err(flow) = self.decide(self.word(1)) {
            return flow;
        }
        let (counter, least, most) = (self.word(2), self.word(3), self.word(4));
        let lazy = counter >> 31 != 0;
        let count = self.store.load(self.counters.wrapping_add(counter & 0xFFFF));
        if count >= least {
            if count >= most && most != point::INFINITE {
                self.pc = exit;
                return Flow::On;
            }
            self.push(self.position);
            if lazy {
                self.push(self.pc << 4 | frame::ITERATE);
                self.pc = exit;
                return Flow::On;
            }
            self.push(exit << 4 | frame::CHOICE);
        }
        self.iterate(count);
        Flow::On
    }

    /// Counts an iteration of the loop at the program counter and enters it.
    fn iterate(&mut self, count: u32) {
        let (counter, least, most) = (self.word(2) & 0xFFFF, self.word(3), self.word(4));
        let mut next = count.saturating_add(1);
        if most == point::INFINITE {
            // Beyond this all counts are the same to the loop, and so they are to the memo.
            next = next.min(least.saturating_add(1));
        }
        self.set(self.counters.wrapping_add(counter), next);
        self.pc += 5;
    }

    /// A greedy run of a class.
    #[inline(always)]
    fn take_many(&mut self, class: u32) -> Flow {
        if !self.room(6) {
            return Flow::Stop(Step::OutOfMemory);
        }
        if self.has(state::MEMOISING) {
            return self.take_many_remembering(class);
        }
        let (most, bits) = (self.word(2), self.word(4));
        let points = bits & run::POINTS != 0;
        let from = self.position;
        let stretch = if most == point::INFINITE { STRETCH } else { most };
        let (end, count) = self.scan(class, points, stretch);
        self.fuel -= i64::from(count >> 3);
        if count == 0 {
            let hint = self.word(3);
            if hint != 0 && !self.follows(hint, from) {
                return Flow::Fail;
            }
            self.pc += 5;
            return Flow::On;
        }
        self.position = end;
        let whole = count < STRETCH || most != point::INFINITE;
        if bits & run::ATOMIC == 0 {
            self.push(from);
            self.push(end);
            self.push(self.pc << 4 | frame::BACK_OFF);
            let hint = self.word(3);
            if whole && hint != 0 && !self.follows(hint, end) {
                return Flow::Fail;
            }
        }
        if whole {
            self.pc += 5;
        }
        Flow::On
    }

    /// A greedy run while there is a memo.
    ///
    /// Without end, the run at each of its positions is a state of its own, and the run stops
    /// where another one has been before. With an end, what follows the run is the state.
    fn take_many_remembering(&mut self, class: u32) -> Flow {
        let (number, most, bits) = (self.word(1), self.word(2), self.word(4));
        let points = bits & run::POINTS != 0;
        let atomic = bits & run::ATOMIC != 0;
        let from = self.position;
        if !self.room_to_remember() {
            return Flow::Stop(Step::OutOfMemory);
        }
        if most != point::INFINITE {
            let (end, count) = self.scan(class, points, most);
            self.fuel -= i64::from(count >> 3);
            self.position = end;
            if !atomic && count > 0 {
                self.push(from);
                self.push(end);
                self.push(self.pc << 4 | frame::BACK_OFF);
            }
            if let Err(flow) = self.ask(number) {
                return flow;
            }
            self.pc += 5;
            return Flow::On;
        }
        if let Err(flow) = self.ask(number) {
            return flow;
        }
        let mut end = from;
        let mut count = 0;
        let mut seen = false;
        let mut next = self.take(class, points, end);
        while let Some(there) = next
            && count < STRETCH
        {
            count += 1;
            match self.ask_run(number, there) {
                Verdict::New => {}
                Verdict::Failed => {
                    seen = true;
                    break;
                }
                Verdict::Succeeded => {
                    // Success is known from there on: so is it for the run up to it.
                    self.push(from);
                    self.push(there);
                    self.push(self.pc << 4 | frame::PATH_RUN);
                    self.fuel -= i64::from(count);
                    return self.look_succeeds(true);
                }
            }
            end = there;
            next = self.take(class, points, end);
        }
        self.fuel -= i64::from(count);
        self.position = end;
        if seen && atomic {
            return Flow::Fail;
        }
        self.push(from);
        self.push(end);
        self.push(self.pc << 4 | if atomic { frame::PATH_RUN } else { frame::BACK_OFF });
        if let Some(next) = next.filter(|_| !seen) {
            // A long one: go on with the same instruction behind what was looked at.
            self.position = next;
            return Flow::On;
        }
        let hint = self.word(3);
        if hint != 0 && !self.follows(hint, end) {
            return Flow::Fail;
        }
        self.pc += 5;
        Flow::On
    }

    fn back_reference(&mut self, count: u32) -> Flow {
        let bits = self.word(1);
        let (fold, back) = (bits & 1 != 0, bits & 2 != 0);
        let mut matched = None;
        self.fuel -= i64::from(count >> 2);
        for i in 0..count.min(1 << 15) {
            let group = self.word(2 + i).min(1 << 16);
            let (start, end) = (self.register(2 * group), self.register(2 * group + 1));
            if start != NONE && end != NONE && start <= end && end <= self.length {
                matched = Some((start, end - start));
                break;
            }
        }
        self.pc = self.pc.wrapping_add(2 + count);
        let Some((start, length)) = matched else { return Flow::On };
        let here = if back {
            let Some(here) = self.position.checked_sub(length) else { return Flow::Fail };
            here
        } else {
            if self.length - self.position < length {
                return Flow::Fail;
            }
            self.position
        };
        let unicode = Header(self.code).flags().unicode();
        let mut i = 0;
        while i < length {
            let (a, b) = (start + i, here + i);
            if fold {
                let ((a, next), (b, _)) = if unicode {
                    (self.point_at(a), self.point_at(b))
                } else {
                    ((self.text.unit(a), a + 1), (self.text.unit(b), b + 1))
                };
                if a != b && canonical(a, unicode) != canonical(b, unicode) {
                    break;
                }
                i = next - start;
            } else {
                if self.text.unit(a) != self.text.unit(b) {
                    break;
                }
                i += 1;
            }
        }
        self.fuel -= i64::from(i >> if fold { 0 } else { 3 });
        // In unicode mode half a pair is not the same as half of nothing.
        let halved = |place: u32| unicode && is_pair(self.text, place.wrapping_sub(1));
        if i < length || halved(here) || halved(here + length) {
            return Flow::Fail;
        }
        self.position = if back { here } else { here + length };
        Flow::On
    }

    /// Finds the next place where an attempt can begin, and begins it.
    fn search(&mut self, kind: u32) -> Flow {
        let sticky = self.has(state::STICKY);
        let from = self.start;
        let to = self.length.min(from.saturating_add(STRETCH));
        let argument = self.word(1);
        let found = match kind {
            _ if sticky => Some(from),
            search::START => {
                if from > 0 {
                    return Flow::Stop(Step::Failed);
                }
                Some(0)
            }
            search::LINE => {
                (from..=to).find(|&i| i == 0 || is_line_end(self.text.unit(i - 1)))
            }
            search::UNIT => self.text.find(argument, from, to),
            search::UNITS => self.text.find_any([0, 8, 16].map(|shift| argument >> shift & 0xFF), from, to),
            search::CLASS => {
                let found = (from..to).find(|&i| self.in_class(argument, self.text.unit(i)));
                let at_end = to == self.length && self.follows(argument, self.length);
                found.or(at_end.then_some(to))
            }
            _ => Some(from),
        };
        let place = found.unwrap_or(to);
        self.fuel -= i64::from((place - from) >> 4);
        self.start = place;
        match found {
            None if to == self.length => return Flow::Stop(Step::Failed),
            // Not in this stretch.
            None => return Flow::On,
            Some(_) => {}
        }
        if T::WIDE && !sticky && place > 0 && is_pair(self.text, place - 1) && Header(self.code).flags().unicode() {
            // A pair's second half is not a place to begin.
            if place >= self.length {
                return Flow::Stop(Step::Failed);
            }
            self.start = place + 1;
            return Flow::On;
        }
        self.position = place;
        self.store.store(state::SIZE, place);
        self.pc += 2;
        Flow::On
    }

    /// Takes back frames until one says where to go on. `Some`: the match is over or paused.
    fn fail(&mut self) -> Option<Step> {
        loop {
            if self.fuel <= 0 {
                self.flags |= state::FAILING;
                return Some(Step::OutOfFuel);
            }
            self.fuel -= 1;
            if self.fuel < self.due {
                self.consider_memo();
            }
            match self.take_back() {
                Flow::On => return None,
                Flow::Fail => {}
                Flow::Stop(step) => {
                    self.flags |= state::FAILING;
                    return Some(step);
                }
            }
        }
    }

    /// Takes back one frame.
    #[inline(always)]
    fn take_back(&mut self) -> Flow {
        if self.top < self.stack + 2 {
            return self.attempt_fails();
        }
        let word = self.store.load(self.top - 1);
        let operand = word >> 4;
        match word & 15 {
            frame::UNDO => {
                let value = self.store.load(self.top - 2);
                self.top -= 2;
                self.store.store(operand.max(state::SIZE), value);
                Flow::Fail
            }
            frame::CHOICE => {
                self.position = self.store.load(self.top - 2).min(self.length);
                self.top -= 2;
                self.pc = operand;
                Flow::On
            }
            frame::BACK_OFF => self.back_off(operand),
            frame::EXTEND => self.extend(operand),
            frame::ITERATE => {
                self.position = self.store.load(self.top - 2).min(self.length);
                self.top -= 2;
                self.pc = operand;
                let count = self.store.load(self.counters.wrapping_add(self.word(2) & 0xFFFF));
                // The frame that was taken off made the room.
                self.iterate(count);
                Flow::On
            }
            frame::PATH => {
                self.top -= 2;
                Flow::Fail
            }
            frame::PATH_RUN if self.top >= self.stack + 3 => {
                self.top -= 3;
                Flow::Fail
            }
            frame::PATH_HASHED if self.top - self.stack > operand => {
                self.top -= operand + 1;
                Flow::Fail
            }
            frame::LOOK if self.top >= self.stack + 3 => self.look_fails(operand),
            _ => Flow::Stop(Step::Corrupt),
        }
    }

    /// Gives back one character of the run at `address`, whose frame is on top.
    fn back_off(&mut self, address: u32) -> Flow {
        if self.top < self.stack + 3 {
            return Flow::Stop(Step::Corrupt);
        }
        let least = self.store.load(self.top - 3);
        let mut current = self.store.load(self.top - 2).min(self.length);
        self.pc = address;
        let (number, most, hint) = (self.word(1), self.word(2), self.word(3));
        let points = self.word(4) & run::POINTS != 0;
        let before = current;
        loop {
            if current <= least {
                self.top -= 3;
                self.fuel -= i64::from((before.wrapping_sub(current)) >> 3 & 0x1FFF_FFFF);
                return Flow::Fail;
            }
            current = self.before(current, T::WIDE && points);
            if hint == 0 || self.follows(hint, current) {
                break;
            }
        }
        self.fuel -= i64::from((before - current) >> 3);
        self.position = current;
        let remembering = self.has(state::MEMOISING);
        if current <= least && !remembering {
            // Nothing more to give; with a memo the frame is still a part of the path.
            self.top -= 3;
        } else {
            self.store.store(self.top - 2, current);
        }
        if remembering && most != point::INFINITE {
            if !self.room_to_remember() {
                // Back where it was, to be done again.
                self.store.store(self.top - 2, before);
                self.fuel += 1 + i64::from((before - current) >> 3);
                return Flow::Stop(Step::OutOfMemory);
            }
            if let Err(flow) = self.ask(number) {
                return flow;
            }
        }
        self.pc = self.pc.wrapping_add(5);
        Flow::On
    }

    /// Takes one more character for the lazy run at `address`, whose frame is on top.
    fn extend(&mut self, address: u32) -> Flow {
        if self.top < self.stack + 3 {
            return Flow::Stop(Step::Corrupt);
        }
        let mut current = self.store.load(self.top - 2).min(self.length);
        self.pc = address;
        let class = self.word(0) >> 8;
        let (number, hint) = (self.word(1), self.word(3));
        let points = self.word(4) & run::POINTS != 0;
        let remembering = self.has(state::MEMOISING);
        let mut count = 0;
        loop {
            count += 1;
            let next = self.take(class, points, current);
            let seen = match next {
                None => true,
                Some(next) if remembering => match self.ask_run(number, next) {
                    Verdict::New => false,
                    Verdict::Failed => true,
                    Verdict::Succeeded => {
                        self.store.store(self.top - 2, next);
                        return self.look_succeeds(true);
                    }
                },
                Some(_) => false,
            };
            let Some(next) = next.filter(|_| !seen) else {
                self.top -= 3;
                self.fuel -= i64::from(count >> 2);
                return Flow::Fail;
            };
            current = next;
            if hint == 0 || count >= STRETCH || self.follows(hint, current) {
                break;
            }
        }
        self.fuel -= i64::from(count >> 2);
        self.store.store(self.top - 2, current);
        self.position = current;
        self.pc = self.pc.wrapping_add(5);
        Flow::On
    }

    /// Nothing is left to go back to: the attempt has failed.
    fn attempt_fails(&mut self) -> Flow {
        if self.store.load(state::REPLAY) > 0 {
            // Only damage can bring it here; the groups of that look-around stay as they are.
            let number = self.store.load(state::REPLAY);
            return self.replay_from(number);
        }
        if self.has(state::STICKY) || self.start >= self.length {
            return Flow::Stop(Step::Failed);
        }
        let (_, next) = if Header(self.code).flags().unicode() {
            self.point_at(self.start)
        } else {
            (0, self.start + 1)
        };
        self.start = next;
        self.top = self.stack;
        self.look = 0;
        self.pc = HEADER;
        if self.has(state::DIRTY) {
            self.flags &= !state::DIRTY;
            let registers = self.code.word(at::REGISTERS).min(1 << 20);
            self.fuel -= i64::from(registers >> 4);
            for register in 0..registers {
                self.store.store(state::SIZE + register, NONE);
            }
        }
        Flow::On
    }

    pub(super) fn counter(&self, number: u32) -> u32 {
        self.store.load(self.counters.wrapping_add(number))
    }

    pub(super) fn set_register(&mut self, register: u32, value: u32) {
        self.set(register.wrapping_add(state::SIZE), value);
    }
}
