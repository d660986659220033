//! The flags after a pattern.

/// A set of pattern flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// `d`: the engine also reports where each group matched.
    pub const HAS_INDICES: Flags = Flags(1);
    /// `g`: the engine goes on from `lastIndex`.
    pub const GLOBAL: Flags = Flags(2);
    /// `i`: letters match in either case.
    pub const IGNORE_CASE: Flags = Flags(4);
    /// `m`: `^` and `$` match at every line.
    pub const MULTILINE: Flags = Flags(8);
    /// `s`: `.` matches line ends too.
    pub const DOT_ALL: Flags = Flags(16);
    /// `u`: the pattern and the text are code points.
    pub const UNICODE: Flags = Flags(32);
    /// `v`: like `u`, with set notation in classes.
    pub const UNICODE_SETS: Flags = Flags(64);
    /// `y`: match only at `lastIndex`.
    pub const STICKY: Flags = Flags(128);

    const LETTERS: [(u8, Flags); 8] = [
        (b'd', Flags::HAS_INDICES),
        (b'g', Flags::GLOBAL),
        (b'i', Flags::IGNORE_CASE),
        (b'm', Flags::MULTILINE),
        (b's', Flags::DOT_ALL),
        (b'u', Flags::UNICODE),
        (b'v', Flags::UNICODE_SETS),
        (b'y', Flags::STICKY),
    ];

    /// Reads flags from their letters; `None` if a letter is unknown or repeated, or if both
    /// `u` and `v` are there.
    pub fn parse(letters: impl IntoIterator<Item = u16>) -> Option<Flags> {
        let mut flags = Flags::default();
        for letter in letters {
            let (_, flag) = *Flags::LETTERS.iter().find(|(l, _)| u16::from(*l) == letter)?;
            if flags.has(flag) {
                return None;
            }
            flags = flags.with(flag);
        }
        (!(flags.has(Flags::UNICODE) && flags.has(Flags::UNICODE_SETS))).then_some(flags)
    }

    /// The letters, in the order of `RegExp.prototype.flags`.
    pub fn letters(self) -> String {
        Flags::LETTERS.iter().filter(|(_, f)| self.has(*f)).map(|(l, _)| char::from(*l)).collect()
    }

    /// Whether every flag of `other` is set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// These flags and `other`'s.
    #[must_use]
    pub const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// These flags without `other`'s.
    #[must_use]
    pub const fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    /// Whether the pattern and the text are code points rather than code units.
    pub const fn unicode(self) -> bool {
        self.0 & (Flags::UNICODE.0 | Flags::UNICODE_SETS.0) != 0
    }

    /// The flags as a number (bit order as in `LETTERS`).
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Flags from a number; unknown bits are dropped.
    pub const fn from_bits(bits: u32) -> Flags {
        Flags(bits & 0xFF)
    }
}
