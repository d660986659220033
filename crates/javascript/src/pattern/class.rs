//! Escapes and character classes, with and without set notation.

use super::budget::wrong;
use super::error::{Error, Mistake};
use super::parse::Parser;
use super::set::{self, Set};
use super::unicode::{self, Strings};

/// One thing inside a class: a character, or a set that cannot end a range.
enum Member {
    Char(u32),
    Set(Strings),
}

/// How the operands of a class with set notation are joined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Subtraction,
}

/// An open `[` of a class with set notation.
struct Nested {
    negated: bool,
    operation: Operation,
    operands: u32,
    result: Strings,
    /// Ranges of a union that are not in `result` yet: merging each alone would be quadratic.
    pending: Vec<(u32, u32)>,
    /// Whether the grammar says that it may have strings, whatever it turns out to have.
    may_have_strings: bool,
    /// The last operand, while it is a character that may begin a range.
    start: Option<u32>,
    /// Behind an operator, before its operand.
    awaiting: bool,
}

impl Nested {
    fn new(negated: bool) -> Nested {
        Nested {
            negated,
            operation: Operation::Union,
            operands: 0,
            result: Strings::default(),
            pending: Vec::new(),
            may_have_strings: false,
            start: None,
            awaiting: false,
        }
    }
}

impl Parser<'_, '_, '_> {
    fn digits(&mut self, radix: u32, count: usize) -> Option<u32> {
        let mut value = 0;
        for ahead in 0..count {
            let digit = char::from_u32(self.unit(ahead)?.into())?.to_digit(radix)?;
            value = value * radix + digit;
        }
        self.at += count;
        Some(value)
    }

    /// Legacy octal: up to three digits, at most `\377`. Stands on the first digit.
    pub(super) fn octal(&mut self) -> u32 {
        let mut value = 0;
        for _ in 0..3 {
            let Some(digit) = self.unit(0).and_then(|u| char::from_u32(u.into())?.to_digit(8)) else { break };
            if value * 8 + digit > 0xFF {
                break;
            }
            value = value * 8 + digit;
            self.at += 1;
        }
        value
    }

    /// What follows `\u`; takes nothing and gives `None` if it is malformed. `braces`: `\u{...}`
    /// and pairs of surrogates are one code point.
    pub(super) fn unicode_escape(&mut self, braces: bool) -> Result<Option<u32>, Error> {
        let start = self.at;
        if braces && self.eat('{') {
            let mut value: Option<u32> = None;
            while let Some(digit) = self.unit(0).and_then(|u| char::from_u32(u.into())?.to_digit(16)) {
                value = Some(value.unwrap_or(0).saturating_mul(16).saturating_add(digit));
                self.at += 1;
                self.budget.work(1)?;
            }
            if let Some(c) = value.filter(|c| *c <= set::LAST)
                && self.eat('}')
            {
                return Ok(Some(c));
            }
            self.at = start;
            return Ok(None);
        }
        let Some(lead) = self.digits(16, 4) else { return Ok(None) };
        if braces && (0xD800..0xDC00).contains(&lead) {
            let back = self.at;
            if self.eat_text("\\u")
                && let Some(trail) = self.digits(16, 4)
                && (0xDC00..0xE000).contains(&trail)
            {
                return Ok(Some(0x10000 + ((lead - 0xD800) << 10) + (trail - 0xDC00)));
            }
            self.at = back;
        }
        Ok(Some(lead))
    }

    /// An escape that stands for one character, behind the backslash.
    pub(super) fn character_escape(&mut self, in_class: bool) -> Result<u32, Error> {
        let at = self.at;
        let Some(c) = self.take() else { return self.wrong(Mistake::EscapeAtEnd) };
        let invalid = Err(wrong(Mistake::InvalidEscape, at));
        Ok(match char::from_u32(c).unwrap_or('\u{FFFD}') {
            't' => 0x09,
            'n' => 0x0A,
            'v' => 0x0B,
            'f' => 0x0C,
            'r' => 0x0D,
            'b' if in_class => 0x08,
            'c' => match self.unit(0).and_then(|u| u8::try_from(u).ok()) {
                Some(letter) if letter.is_ascii_alphabetic() => {
                    self.at += 1;
                    u32::from(letter) % 32
                }
                _ if self.unicode => return Err(wrong(Mistake::InvalidUnicodeEscape, at)),
                Some(letter) if in_class && (letter.is_ascii_digit() || letter == b'_') => {
                    self.at += 1;
                    u32::from(letter) % 32
                }
                _ => {
                    // The backslash stands for itself, and `c` comes next.
                    self.at = at;
                    u32::from('\\')
                }
            },
            '0' if !self.unit(0).is_some_and(|u| (0x30..0x3A).contains(&u)) => 0,
            '0'..='7' if self.unicode && in_class => return Err(wrong(Mistake::InvalidClassEscape, at)),
            '0'..='7' if self.unicode => return Err(wrong(Mistake::InvalidDecimalEscape, at)),
            '0'..='7' => {
                self.at = at;
                self.octal()
            }
            'x' => match self.digits(16, 2) {
                Some(c) => c,
                None if self.unicode => return invalid,
                None => c,
            },
            'u' => match self.unicode_escape(self.unicode)? {
                Some(c) => c,
                None if self.unicode => return Err(wrong(Mistake::InvalidUnicodeEscape, at)),
                None => c,
            },
            '^' | '$' | '\\' | '.' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '/' => c,
            '-' if in_class => c,
            '&' | '!' | '#' | '%' | ',' | ':' | ';' | '<' | '=' | '>' | '@' | '`' | '~' if in_class && self.sets => c,
            _ if self.unicode => return invalid,
            'k' if self.named_groups()? => return invalid,
            _ => c,
        })
    }

    /// `\d` and the like, behind the backslash; closed over case.
    pub(super) fn class_escape(&mut self) -> Result<Set, Error> {
        let letter = self.take().and_then(char::from_u32).unwrap_or('d');
        let set = match letter.to_ascii_lowercase() {
            'd' => set::digits(),
            's' => set::spaces(),
            _ => set::words(self.folded_words()),
        };
        let set = if letter.is_ascii_uppercase() { set.complement(self.last()) } else { set };
        self.close(set)
    }

    /// `p{...}` or `P{...}`, behind the backslash; closed over case.
    pub(super) fn property(&mut self, mistake: Mistake) -> Result<Strings, Error> {
        let at = self.at;
        let negated = self.is('P');
        self.at += 1;
        let bad = Err(wrong(mistake, at));
        if !self.eat('{') {
            return bad;
        }
        let mut text = String::new();
        loop {
            let Some(unit) = self.unit(0).and_then(|u| u8::try_from(u).ok()).filter(u8::is_ascii) else { return bad };
            self.at += 1;
            match unit {
                b'}' => break,
                // No name is so long: a hostile one is not worth collecting.
                _ if text.len() > 64 => return bad,
                _ => text.push(char::from(unit)),
            }
        }
        if let Some(set) = unicode::property(&text) {
            self.budget.work(set.cost())?;
            self.budget.memory(set.ranges().len() * 16)?;
            let set = Set::clone(&set);
            let set = match (negated, self.sets) {
                (false, _) => self.close(set)?,
                // `v` folds before it negates, `u` after.
                (true, true) => self.close(set)?.complement(set::LAST),
                (true, false) => self.close(set.complement(set::LAST))?,
            };
            return Ok(Strings { set, strings: Vec::new() });
        }
        let strings = if self.sets { unicode::property_of_strings(&text) } else { None };
        match strings {
            Some(strings) if !negated => {
                self.budget.work(strings.strings.len() as u64 * 4)?;
                self.budget.memory(strings.strings.len() * 64)?;
                let set = self.close(strings.set.clone())?;
                let mut strings = strings.strings.clone();
                for string in &mut strings {
                    self.fold(string);
                }
                strings.sort();
                strings.dedup();
                Ok(Strings { set, strings })
            }
            _ => bad,
        }
    }

    /// Under `i`, strings of a class are compared by their folded form.
    fn fold(&self, string: &mut [u32]) {
        if self.ignore_case() {
            for c in string {
                *c = unicode::canonical(*c, true);
            }
        }
    }

    /// A class without set notation, behind its `[`.
    pub(super) fn class(&mut self) -> Result<Strings, Error> {
        let negated = self.eat('^');
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        loop {
            self.budget.work(1)?;
            if self.at >= self.source.len() {
                return self.wrong(Mistake::UnterminatedCharacterClass);
            }
            if self.eat(']') {
                break;
            }
            let start = self.at;
            let first = self.member()?;
            let dash = self.is('-') && self.unit(1).is_some_and(|u| u != 0x5D);
            if !dash {
                self.add(&mut ranges, first)?;
                continue;
            }
            self.at += 1;
            match (first, self.member()?) {
                (Member::Char(low), Member::Char(high)) if low > high => {
                    return Err(wrong(Mistake::OutOfOrderCharacterClass, start));
                }
                (Member::Char(low), Member::Char(high)) => self.budget.push(&mut ranges, (low, high))?,
                _ if self.unicode => return Err(wrong(Mistake::InvalidCharacterClass, start)),
                (first, second) => {
                    self.add(&mut ranges, first)?;
                    self.add(&mut ranges, second)?;
                    self.budget.push(&mut ranges, (0x2D, 0x2D))?;
                }
            }
        }
        self.budget.work(ranges.len() as u64 * 2)?;
        self.budget.memory(ranges.len() * 8)?;
        let set = self.close(Set::from_ranges(ranges))?;
        let set = if negated { set.complement(self.last()) } else { set };
        Ok(Strings { set, strings: Vec::new() })
    }

    fn add(&mut self, ranges: &mut Vec<(u32, u32)>, member: Member) -> Result<(), Error> {
        match member {
            Member::Char(c) => self.budget.push(ranges, (c, c)),
            Member::Set(strings) => {
                self.budget.work(strings.set.cost())?;
                self.budget.memory(strings.set.ranges().len() * 16)?;
                ranges.extend_from_slice(strings.set.ranges());
                Ok(())
            }
        }
    }

    /// One atom of a class: a character or an escape.
    fn member(&mut self) -> Result<Member, Error> {
        if !self.is('\\') {
            return match self.take() {
                Some(c) => Ok(Member::Char(c)),
                None => self.wrong(Mistake::UnterminatedCharacterClass),
            };
        }
        self.escaped_member()
    }

    /// An atom of a class that begins with a backslash.
    fn escaped_member(&mut self) -> Result<Member, Error> {
        let Some(letter) = self.unit(1) else { return self.wrong(Mistake::EscapeAtEnd) };
        self.at += 1;
        match u8::try_from(letter) {
            Ok(b'd' | b'D' | b's' | b'S' | b'w' | b'W') => Ok(Member::Set(Strings { set: self.class_escape()?, strings: Vec::new() })),
            Ok(b'p' | b'P') if self.unicode => self.property(Mistake::InvalidClassPropertyName).map(Member::Set),
            _ => self.character_escape(true).map(Member::Char),
        }
    }

    /// A class with set notation, behind its `[`.
    pub(super) fn class_of_sets(&mut self) -> Result<Strings, Error> {
        let mut stack = vec![Nested::new(self.eat('^'))];
        loop {
            self.budget.work(1)?;
            let Some(unit) = self.unit(0) else { return self.wrong(Mistake::UnterminatedCharacterClass) };
            let Some(top) = stack.last_mut() else { return self.wrong(Mistake::InvalidCharacterClass) };
            let doubled = self.unit(1) == Some(unit);
            match u8::try_from(unit) {
                Ok(b']') => {
                    self.at += 1;
                    let Some(done) = stack.pop() else { continue };
                    let (strings, may_have_strings) = self.end_class(done)?;
                    match stack.last_mut() {
                        None => return Ok(strings),
                        Some(outer) => self.operand(outer, Member::Set(strings), may_have_strings)?,
                    }
                }
                Ok(b'[') => {
                    if stack.len() >= self.budget.limits.depth as usize {
                        return self.wrong(Mistake::TooLarge);
                    }
                    self.at += 1;
                    let nested = Nested::new(self.eat('^'));
                    self.budget.push(&mut stack, nested)?;
                }
                Ok(b'-') if doubled => self.operator(top, Operation::Subtraction)?,
                Ok(b'&') if doubled => self.operator(top, Operation::Intersection)?,
                Ok(b'-') => {
                    let start = self.at;
                    self.at += 1;
                    let Some(low) = top.start.take() else {
                        let mistake = if top.operands > 0 && top.operation == Operation::Union {
                            Mistake::InvalidCharacterClass
                        } else {
                            Mistake::InvalidCharacterInClass
                        };
                        return Err(wrong(mistake, start));
                    };
                    if self.is(']') {
                        return self.wrong(Mistake::InvalidCharacterInClass);
                    }
                    let Member::Char(high) = self.set_member()?.0 else {
                        return Err(wrong(Mistake::InvalidCharacterClass, start));
                    };
                    if low > high {
                        return Err(wrong(Mistake::OutOfOrderCharacterClass, start));
                    }
                    if top.operation != Operation::Union {
                        return Err(wrong(Mistake::InvalidClassSetOperation, start));
                    }
                    // The first end is there as an operand already.
                    let range = self.close(Set::from_ranges(vec![(low, high)]))?;
                    self.budget.memory(range.ranges().len() * 16)?;
                    top.pending.extend_from_slice(range.ranges());
                    // A range cannot stand beside `--` or `&&`.
                    top.operands += 1;
                }
                _ => {
                    let (member, may_have_strings) = self.set_member()?;
                    self.operand(top, member, may_have_strings)?;
                }
            }
        }
    }

    /// `--` or `&&`.
    fn operator(&mut self, class: &mut Nested, operation: Operation) -> Result<(), Error> {
        let first = class.operands == 1 && class.operation == Operation::Union;
        // Behind the second operand there must be the same operator again.
        if class.operands == 0 || !(first || class.operation == operation) {
            return self.wrong(Mistake::InvalidClassSetOperation);
        }
        self.at += 2;
        class.operation = operation;
        class.start = None;
        class.awaiting = true;
        self.settle(class)?;
        // Its operand follows at once.
        if operation == Operation::Intersection && self.is('&') {
            return self.wrong(Mistake::InvalidCharacterInClass);
        }
        match self.unit(0) {
            None => self.wrong(Mistake::UnterminatedCharacterClass),
            Some(0x5D) => self.wrong(Mistake::InvalidCharacterInClass),
            Some(0x5B) => Ok(()),
            Some(_) => {
                let (member, may_have_strings) = self.set_member()?;
                self.operand(class, member, may_have_strings)
            }
        }
    }

    /// A member of a class with set notation that does not begin with `[`, and whether it may
    /// have strings.
    fn set_member(&mut self) -> Result<(Member, bool), Error> {
        let Some(unit) = self.unit(0) else { return self.wrong(Mistake::UnterminatedCharacterClass) };
        let at = self.at;
        match u8::try_from(unit) {
            Ok(b'\\') if self.unit(1) == Some(0x71) && self.unit(2) == Some(0x7B) => {
                self.at += 3;
                let strings = self.quoted(at)?;
                let may_have_strings = !strings.strings.is_empty();
                Ok((Member::Set(strings), may_have_strings))
            }
            Ok(b'\\') => {
                let member = self.escaped_member()?;
                let may_have_strings = matches!(&member, Member::Set(s) if !s.strings.is_empty());
                Ok((member, may_have_strings))
            }
            Ok(b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'/' | b'-' | b'|') => self.wrong(Mistake::InvalidCharacterInClass),
            Ok(c) if b"&!#$%*+,.:;<=>?@^`~".contains(&c) && self.unit(1) == Some(unit) => self.wrong(Mistake::InvalidClassSetOperation),
            _ => Ok((Member::Char(self.take().unwrap_or(0)), false)),
        }
    }

    /// `\q{ab|c}`, behind the brace.
    fn quoted(&mut self, at: usize) -> Result<Strings, Error> {
        let mut singles = Vec::new();
        let mut strings: Vec<Vec<u32>> = Vec::new();
        let mut string: Vec<u32> = Vec::new();
        loop {
            self.budget.work(1)?;
            let Some(unit) = self.unit(0) else { return Err(wrong(Mistake::InvalidCharacterInClass, at)) };
            if unit == 0x7C || unit == 0x7D {
                self.at += 1;
                let mut done = std::mem::take(&mut string);
                if let [c] = done[..] {
                    self.budget.push(&mut singles, (c, c))?;
                } else {
                    self.fold(&mut done);
                    self.budget.push(&mut strings, done)?;
                }
                if unit == 0x7D {
                    break;
                }
                continue;
            }
            let c = match self.set_member()?.0 {
                Member::Char(c) => c,
                Member::Set(_) => return Err(wrong(Mistake::InvalidEscape, at)),
            };
            self.budget.push(&mut string, c)?;
        }
        self.budget.work(strings.iter().map(|s| s.len() as u64 + 8).sum())?;
        strings.sort();
        strings.dedup();
        let set = self.close(Set::from_ranges(singles))?;
        Ok(Strings { set, strings })
    }

    /// Adds an operand to a class.
    fn operand(&mut self, class: &mut Nested, member: Member, may_have_strings: bool) -> Result<(), Error> {
        let (start, operand) = match member {
            Member::Char(c) => {
                let set = self.close(Set::one(c))?;
                (Some(c), Strings { set, strings: Vec::new() })
            }
            Member::Set(strings) => (None, strings),
        };
        self.budget.work(operand.set.cost() + operand.strings.len() as u64)?;
        match class.operation {
            Operation::Union => {
                self.budget.memory(operand.set.ranges().len() * 16 + operand.strings.len() * 32)?;
                class.pending.extend_from_slice(operand.set.ranges());
                class.result.strings.extend(operand.strings);
                class.may_have_strings |= may_have_strings;
                class.start = start;
            }
            _ if !class.awaiting => return self.wrong(Mistake::InvalidClassSetOperation),
            Operation::Intersection => {
                self.budget.work(class.result.set.cost() + class.result.strings.len() as u64)?;
                class.result.set = class.result.set.intersect(&operand.set);
                class.result.strings.retain(|s| operand.strings.binary_search(s).is_ok());
                class.may_have_strings &= may_have_strings;
            }
            Operation::Subtraction => {
                self.budget.work(class.result.set.cost() + class.result.strings.len() as u64)?;
                class.result.set = class.result.set.subtract(&operand.set);
                class.result.strings.retain(|s| operand.strings.binary_search(s).is_err());
            }
        }
        class.operands += 1;
        class.awaiting = false;
        Ok(())
    }

    /// Merges what a union collected.
    fn settle(&mut self, class: &mut Nested) -> Result<(), Error> {
        self.budget.work(class.pending.len() as u64 * 2 + class.result.strings.len() as u64 * 4)?;
        let pending = std::mem::take(&mut class.pending);
        class.result.set = class.result.set.union(&Set::from_ranges(pending));
        class.result.strings.sort();
        class.result.strings.dedup();
        Ok(())
    }

    fn end_class(&mut self, mut class: Nested) -> Result<(Strings, bool), Error> {
        self.settle(&mut class)?;
        if class.negated {
            if class.may_have_strings {
                return self.wrong(Mistake::NegatedClassWithStrings);
            }
            class.result.set = class.result.set.complement(set::LAST);
        }
        Ok((class.result, class.may_have_strings))
    }
}
