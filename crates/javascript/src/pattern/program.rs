//! The compiled pattern: a block of words that can lie anywhere, in guest memory too.
//!
//! Words 0 to [`HEADER`] describe it, then come code, character classes, memo points and names.
//! The matcher trusts none of it: every word is fetched through [`Code::word`], which gives 0
//! (no instruction) outside the block, and every number in it is compared or
//! masked where it is used. So a damaged program gives a wrong answer or
//! [`Step::Corrupt`](super::Step::Corrupt), never more.

use super::flags::Flags;

/// Gives the words of a program.
pub trait Code: Copy {
    /// The word at `index`, 0 if it is outside the program.
    fn word(self, index: u32) -> u32;
}

impl Code for &[u32] {
    #[inline(always)]
    fn word(self, index: u32) -> u32 {
        self.get(index as usize).copied().unwrap_or(0)
    }
}

/// The first word of every program; changes with the format.
pub const MAGIC: u32 = 0x7061_7401;

pub(crate) const HEADER: u32 = 16;

/// Header words.
pub(crate) mod at {
    pub(crate) const FLAGS: u32 = 1;
    /// Capture groups, the whole match included.
    pub(crate) const GROUPS: u32 = 2;
    /// Words of all registers.
    pub(crate) const REGISTERS: u32 = 3;
    /// Words of the program.
    pub(crate) const LENGTH: u32 = 4;
    pub(crate) const ENTRY: u32 = 5;
    /// Rows of the memo (one bit per position each); 0: the pattern is matched without.
    pub(crate) const ROWS: u32 = 6;
    /// Words of a hashed memo key, 0 if there is none.
    pub(crate) const STRIDE: u32 = 7;
    pub(crate) const LOOKS: u32 = 8;
    /// Where the table of look-arounds is: the address of each.
    pub(crate) const LOOK_TABLE: u32 = 9;
    pub(crate) const NAMES: u32 = 10;
    pub(crate) const NAME_COUNT: u32 = 11;
    /// The first register that counts iterations; instructions number counters from it.
    pub(crate) const COUNTERS: u32 = 12;
    pub(crate) const POINTS: u32 = 13;
}

/// Instructions: the low 8 bits of a word; the upper 24 are the operand `a`. `w1`... are the
/// words behind it. 0 is none.
pub(crate) mod op {
    pub(crate) const MATCH: u32 = 1;
    pub(crate) const FAIL: u32 = 2;
    /// Unit `a`.
    pub(crate) const CHAR: u32 = 3;
    /// Unit `a` or unit `w1`.
    pub(crate) const CHAR_2: u32 = 4;
    /// A unit of class `a`.
    pub(crate) const CLASS: u32 = 5;
    /// A code point of class `a`.
    pub(crate) const CLASS_POINT: u32 = 6;
    /// `a` units, two in a word.
    pub(crate) const TEXT: u32 = 7;
    /// The same four, leftwards.
    pub(crate) const CHAR_BACK: u32 = 8;
    pub(crate) const CHAR_2_BACK: u32 = 9;
    pub(crate) const CLASS_BACK: u32 = 10;
    pub(crate) const CLASS_POINT_BACK: u32 = 11;
    pub(crate) const START: u32 = 12;
    pub(crate) const START_OF_LINE: u32 = 13;
    pub(crate) const END: u32 = 14;
    pub(crate) const END_OF_LINE: u32 = 15;
    /// `a`: 1 negated, 2 folded.
    pub(crate) const BOUNDARY: u32 = 16;
    /// Register `a` becomes the position.
    pub(crate) const SAVE: u32 = 17;
    /// Forgets `w1` registers from `a` and `w3` from `w2`.
    pub(crate) const RESET: u32 = 18;
    pub(crate) const JUMP: u32 = 19;
    /// Goes on, or to `a` if that fails. `w1`: point.
    pub(crate) const SPLIT: u32 = 20;
    /// Goes to `a`, or on if that fails. `w1`: point.
    pub(crate) const SPLIT_AWAY: u32 = 21;
    /// Fails if nothing was taken since register `a` was saved.
    pub(crate) const ADVANCE: u32 = 22;
    /// The same if more than `w2` iterations are counted in register `w1`.
    pub(crate) const ADVANCE_COUNTED: u32 = 23;
    /// Counter `a` becomes 0.
    pub(crate) const ZERO: u32 = 24;
    /// The head of a counted loop that ends at `a`. `w1`: point, `w2`: counter (top bit: lazy),
    /// `w3`: least, `w4`: most.
    pub(crate) const LOOP: u32 = 25;
    /// Takes as many characters of class `a` as there are. `w1`: point, `w2`: most, `w3`: class of
    /// units that may follow or 0, `w4`: see [`run`](super::run).
    pub(crate) const RUN: u32 = 26;
    /// Takes as few as possible; same words.
    pub(crate) const RUN_LAZY: u32 = 27;
    /// Takes `w1` characters of class `a`; `w2` as `w4` above.
    pub(crate) const EXACTLY: u32 = 28;
    /// What one of `a` groups matched, listed behind `w1` (1: folds, 2: leftwards).
    pub(crate) const BACK_REFERENCE: u32 = 29;
    /// A look-around that ends at `a`. `w1`: see [`look`](super::look).
    pub(crate) const LOOK: u32 = 30;
    pub(crate) const LOOK_END: u32 = 31;
    /// Finds where an attempt can begin. `a`: see [`search`](super::search); `w1`, `w2`.
    pub(crate) const SEARCH: u32 = 32;
    /// Goes on if the next unit is in class `w2`, else to `a`. `w1`: point.
    pub(crate) const BRANCH: u32 = 33;
    /// Goes to `a` if the next unit is in class `w2`, else on. `w1`: point.
    pub(crate) const BRANCH_AWAY: u32 = 34;
}

/// Bits of `w4` of a run.
pub(crate) mod run {
    /// Characters are code points that may be two units.
    pub(crate) const POINTS: u32 = 1;
    /// What follows cannot begin with a character of the run: nothing is ever given back.
    pub(crate) const ATOMIC: u32 = 2;
    /// The pattern begins with it: if an attempt fails, so do those that begin inside the run,
    /// which can do nothing that this one could not.
    pub(crate) const LEADING: u32 = 4;
}

/// Bits of `w1` of a look-around; its number is below them.
pub(crate) mod look {
    pub(crate) const NEGATIVE: u32 = 1 << 31;
    /// There are groups inside.
    pub(crate) const CAPTURES: u32 = 1 << 30;
    /// And they can be seen in the result.
    pub(crate) const WANTED: u32 = 1 << 29;
    pub(crate) const NUMBER: u32 = (1 << 29) - 1;
}

/// Ways to find a beginning.
pub(crate) mod search {
    /// Anywhere.
    pub(crate) const ANY: u32 = 0;
    /// Only at 0.
    pub(crate) const START: u32 = 1;
    /// At the start of a line.
    pub(crate) const LINE: u32 = 2;
    /// At unit `w1`.
    pub(crate) const UNIT: u32 = 3;
    /// At one of the two or three units in `w1` (a byte each).
    pub(crate) const UNITS: u32 = 4;
    /// At a unit of class `w1`.
    pub(crate) const CLASS: u32 = 5;
}

/// A point: three words. Where one decides, the memo is asked.
pub(crate) mod point {
    pub(crate) const SIZE: u32 = 3;
    /// In the first word, beside its first row: the point is inside a look-around, so there are
    /// rows for success behind the rows for failure.
    pub(crate) const IN_LOOK: u32 = 1 << 31;
    /// "Most" without end.
    pub(crate) const INFINITE: u32 = u32::MAX;
}

/// A class: 8 words of bits for units below 256; a word (bit 31: the end of the text counts as a
/// member; below: how many ranges follow); ranges as pairs of words, sorted.
pub(crate) mod class {
    pub(crate) const COUNT: u32 = 8;
    pub(crate) const RANGES: u32 = 9;
    pub(crate) const END: u32 = 1 << 31;
}

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub(crate) words: Vec<u32>,
}

impl Program {
    /// The words: all there is to a program.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// A program from the words of one. Only the form is looked at; see the module's
    /// documentation for why that is enough.
    pub fn from_words(words: Vec<u32>) -> Option<Program> {
        let header = Header(words.as_slice());
        (header.valid() && header.length() as usize == words.len()).then_some(Program { words })
    }

    /// The words, to be kept elsewhere.
    pub fn into_words(self) -> Vec<u32> {
        self.words
    }

    /// What the program says about itself.
    pub fn header(&self) -> Header<&[u32]> {
        Header(&self.words)
    }
}

/// What a program says about itself, wherever its words lie.
#[derive(Clone, Copy, Debug)]
pub struct Header<C>(pub C);

impl<C: Code> Header<C> {
    /// Whether this is a program of this version at all.
    pub fn valid(self) -> bool {
        self.0.word(0) == MAGIC
    }

    /// The flags it was compiled with.
    pub fn flags(self) -> Flags {
        Flags::from_bits(self.0.word(at::FLAGS))
    }

    /// How many capture groups there are, the whole match included: 1 to 32,768.
    pub fn groups(self) -> u32 {
        self.0.word(at::GROUPS).clamp(1, 32_768)
    }

    /// The length of the program in words.
    pub fn length(self) -> u32 {
        self.0.word(at::LENGTH)
    }

    /// The names of groups in the order of the pattern, each with its group. The same name may
    /// come more than once, in different alternatives.
    pub fn names(self) -> impl Iterator<Item = (u32, Vec<u16>)> {
        let end = self.length();
        let mut next = self.0.word(at::NAMES);
        (0..self.0.word(at::NAME_COUNT).min(32_768)).map_while(move |_| {
            let (group, length) = (self.0.word(next), self.0.word(next.wrapping_add(1)));
            let first = next.checked_add(2)?;
            next = first.checked_add(length.div_ceil(2)).filter(|next| *next <= end)?;
            let unit = |i: u32| (self.0.word(first + i / 2) >> (i % 2 * 16)) as u16;
            Some((group, (0..length).map(unit).collect()))
        })
    }

    pub(crate) fn registers(self) -> u32 {
        self.0.word(at::REGISTERS)
    }
}
