//! Why a pattern was refused.

use std::fmt;

/// What is wrong with a pattern; shown as V8 words it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the message of each says it")]
pub enum Mistake {
    TooLarge,
    UnterminatedGroup,
    UnmatchedParen,
    EscapeAtEnd,
    InvalidPropertyName,
    InvalidClassPropertyName,
    InvalidEscape,
    InvalidDecimalEscape,
    InvalidUnicodeEscape,
    InvalidClassEscape,
    NothingToRepeat,
    LoneQuantifierBrackets,
    RangeOutOfOrder,
    IncompleteQuantifier,
    InvalidQuantifier,
    InvalidGroup,
    MultipleFlagDashes,
    RepeatedFlag,
    InvalidFlagGroup,
    TooManyCaptures,
    InvalidCaptureGroupName,
    DuplicateCaptureGroupName,
    InvalidNamedReference,
    InvalidNamedCaptureReferenced,
    UnterminatedCharacterClass,
    OutOfOrderCharacterClass,
    InvalidCharacterClass,
    InvalidClassSetOperation,
    InvalidCharacterInClass,
    NegatedClassWithStrings,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mistake::TooLarge => "Regular expression too large",
            Mistake::UnterminatedGroup => "Unterminated group",
            Mistake::UnmatchedParen => "Unmatched ')'",
            Mistake::EscapeAtEnd => "\\ at end of pattern",
            Mistake::InvalidPropertyName => "Invalid property name",
            Mistake::InvalidClassPropertyName => "Invalid property name in character class",
            Mistake::InvalidEscape => "Invalid escape",
            Mistake::InvalidDecimalEscape => "Invalid decimal escape",
            Mistake::InvalidUnicodeEscape => "Invalid Unicode escape",
            Mistake::InvalidClassEscape => "Invalid class escape",
            Mistake::NothingToRepeat => "Nothing to repeat",
            Mistake::LoneQuantifierBrackets => "Lone quantifier brackets",
            Mistake::RangeOutOfOrder => "numbers out of order in {} quantifier",
            Mistake::IncompleteQuantifier => "Incomplete quantifier",
            Mistake::InvalidQuantifier => "Invalid quantifier",
            Mistake::InvalidGroup => "Invalid group",
            Mistake::MultipleFlagDashes => "Multiple dashes in flag group",
            Mistake::RepeatedFlag => "Repeated flag in flag group",
            Mistake::InvalidFlagGroup => "Invalid flag group",
            Mistake::TooManyCaptures => "Too many captures",
            Mistake::InvalidCaptureGroupName => "Invalid capture group name",
            Mistake::DuplicateCaptureGroupName => "Duplicate capture group name",
            Mistake::InvalidNamedReference => "Invalid named reference",
            Mistake::InvalidNamedCaptureReferenced => "Invalid named capture referenced",
            Mistake::UnterminatedCharacterClass => "Unterminated character class",
            Mistake::OutOfOrderCharacterClass => "Range out of order in character class",
            Mistake::InvalidCharacterClass => "Invalid character class",
            Mistake::InvalidClassSetOperation => "Invalid set operation in character class",
            Mistake::InvalidCharacterInClass => "Invalid character in character class",
            Mistake::NegatedClassWithStrings => "Negated character class may contain strings",
        })
    }
}

/// The meter said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No fuel, no time, or an interrupt: the caller's meter knows which.
    Work,
    /// The memory asked for is over the cap.
    Memory,
}

/// Why a compilation did not end with a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The pattern is not valid: a `SyntaxError` for the guest.
    Syntax {
        /// What is wrong.
        mistake: Mistake,
        /// Where in the pattern, in code units.
        position: u32,
    },
    /// The meter refused; nothing is kept, a later call starts anew.
    Refused(Refusal),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        Error::Refused(refusal)
    }
}

impl Error {
    /// The text of the guest's `SyntaxError` ("Invalid regular expression: /(/: Unterminated
    /// group"), or `None` if the pattern was not at fault. V8 shows flags after the second slash.
    pub fn message(&self, pattern: &[u16], flags: super::Flags) -> Option<String> {
        match self {
            Error::Syntax { mistake, .. } => {
                let pattern = String::from_utf16_lossy(pattern);
                Some(format!("Invalid regular expression: /{pattern}/{}: {mistake}", flags.letters()))
            }
            Error::Refused(_) => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Syntax { mistake, position } => write!(f, "{mistake} at {position}"),
            Error::Refused(Refusal::Work) => f.write_str("the meter stopped the compilation"),
            Error::Refused(Refusal::Memory) => f.write_str("not enough memory to compile the pattern"),
        }
    }
}

impl std::error::Error for Error {}
