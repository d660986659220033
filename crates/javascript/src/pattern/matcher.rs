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

use super::program::{Code, Header, at, class};
use super::store::Store;
use super::text::Text;

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
    /// No attempt before this position can succeed.
    pub(crate) const SKIP: u32 = 18;
    pub(crate) const SIZE: u32 = 19;

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
pub(super) const STRETCH: u32 = 1 << 16;

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
pub(super) fn is_pair<T: Text>(text: T, index: u32) -> bool {
    T::WIDE
        && index < text.len()
        && text.unit(index) & 0xFC00 == 0xD800
        && index + 1 < text.len()
        && text.unit(index + 1) & 0xFC00 == 0xDC00
}

pub(super) fn is_word(unit: u32, folded: bool) -> bool {
    let ascii = u8::try_from(unit).is_ok_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    ascii || folded && matches!(unit, 0x17F | 0x212A)
}

pub(super) fn is_line_end(unit: u32) -> bool {
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
    pub(super) counters: u32,
    pub(super) store: &'s mut S,
}

impl<C: Code, T: Text, S: Store> Machine<'_, C, T, S> {
    /// Writes everything back.
    pub(super) fn save(&mut self) {
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
    pub(super) fn word(&self, ahead: u32) -> u32 {
        self.code.word(self.pc.wrapping_add(ahead))
    }

    #[inline(always)]
    pub(super) fn register(&self, index: u32) -> u32 {
        self.store.load(index.wrapping_add(state::SIZE))
    }

    /// Sets a word of the registers so that failing restores it.
    #[inline(always)]
    pub(super) fn set(&mut self, address: u32, value: u32) {
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
    pub(super) fn make_room(&mut self, count: u32) -> bool {
        let Some(needed) = self.top.checked_add(count) else { return false };
        let roomy = needed.saturating_add(self.words.max(64)).min(1 << 30);
        let grown = self.store.grow(roomy) || self.store.grow(needed);
        self.words = self.store.words();
        grown && self.words >= needed
    }

    /// Whether `unit` is in the class at `class`.
    #[inline(always)]
    pub(super) fn in_class(&self, class: u32, unit: u32) -> bool {
        if !T::WIDE || unit < 0x100 {
            return self.code.word(class.wrapping_add(unit >> 5)) >> (unit & 31) & 1 != 0;
        }
        self.in_ranges(class, unit)
    }

    pub(super) fn in_ranges(&self, class: u32, c: u32) -> bool {
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
    pub(super) fn follows(&self, class: u32, position: u32) -> bool {
        if position < self.length {
            self.in_class(class, self.text.unit(position))
        } else {
            self.code.word(class.wrapping_add(class::COUNT)) & class::END != 0
        }
    }

    /// The code point at `position` (below the length) and the position behind it.
    #[inline(always)]
    pub(super) fn point_at(&self, position: u32) -> (u32, u32) {
        let unit = self.text.unit(position);
        if is_pair(self.text, position) {
            let trail = self.text.unit(position + 1);
            return (0x10000 + ((unit & 0x3FF) << 10) + (trail & 0x3FF), position + 2);
        }
        (unit, position + 1)
    }

    /// The position one character before `position` (above 0), a code point if `points`.
    #[inline(always)]
    pub(super) fn before(&self, position: u32, points: bool) -> u32 {
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
    pub(super) fn scan(&self, class: u32, points: bool, most: u32) -> (u32, u32) {
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

    pub(super) fn counter(&self, number: u32) -> u32 {
        self.store.load(self.counters.wrapping_add(number))
    }

    pub(super) fn set_register(&mut self, register: u32, value: u32) {
        self.set(register.wrapping_add(state::SIZE), value);
    }
}
