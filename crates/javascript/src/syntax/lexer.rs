//! From bytes to tokens.

use super::arena::{Failed, R};
use super::atoms::{RESERVED, known};
use super::parse::{Parse, ctx};
use super::token::{Tok, WORDS};
use super::tree::NONE;

/// Classes of bytes: bit 0 starts a name, bit 1 continues one.
static NAME: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut byte = 0;
    while byte < 256 {
        let c = byte as u8;
        if c.is_ascii_alphabetic() || c == b'$' || c == b'_' {
            table[byte] = 3;
        } else if c.is_ascii_digit() {
            table[byte] = 2;
        }
        byte += 1;
    }
    table
};

/// Everything about the current token and the place after it; copied to look ahead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) tok: Tok,
    /// A line end lies between the token before and this one.
    pub(crate) newline: bool,
    /// A name written with `\u` escapes, or a string with any escape or line continuation.
    pub(crate) escaped: bool,
    /// A string with a legacy octal escape (or `\8`), a number with a leading zero.
    pub(crate) octal: bool,
    /// A template chunk that ends the template.
    pub(crate) tail: bool,
    pub(crate) start: u32,
    /// One past the last byte.
    pub(crate) end: u32,
    /// Atom of names, strings, templates, big integers.
    pub(crate) value: u32,
    /// Atom of a template's raw text.
    pub(crate) raw: u32,
    pub(crate) number: f64,
}

impl Token {
    pub(crate) const START: Token = Token {
        tok: Tok::End,
        newline: false,
        escaped: false,
        octal: false,
        tail: false,
        start: 0,
        end: 0,
        value: NONE,
        raw: NONE,
        number: 0.0,
    };
}

/// A code point read from WTF-8 at `at`, and its length; invalid bytes count as one U+FFFD each.
pub(crate) fn decode(src: &[u8], at: usize) -> (u32, usize) {
    let first = src[at];
    let trail = |n: usize| src.get(at + n).filter(|b| *b & 0xC0 == 0x80).map(|b| u32::from(b & 0x3F));
    match first {
        0..=0x7F => (u32::from(first), 1),
        0xC2..=0xDF => match trail(1) {
            Some(a) => (u32::from(first & 0x1F) << 6 | a, 2),
            None => (0xFFFD, 1),
        },
        0xE0..=0xEF => match (trail(1), trail(2)) {
            (Some(a), Some(b)) => (u32::from(first & 0xF) << 12 | a << 6 | b, 3),
            _ => (0xFFFD, 1),
        },
        0xF0..=0xF4 => match (trail(1), trail(2), trail(3)) {
            (Some(a), Some(b), Some(c)) => (u32::from(first & 7) << 18 | a << 12 | b << 6 | c, 4),
            _ => (0xFFFD, 1),
        },
        _ => (0xFFFD, 1),
    }
}

/// Appends a code point (or surrogate) to WTF-8, joining a surrogate pair into one.
pub(crate) fn encode(out: &mut Vec<u8>, point: u32) {
    if (0xDC00..0xE000).contains(&point)
        && let [.., 0xED, b, c] = out[..]
        && (0xA0..0xB0).contains(&b)
    {
        let high = 0xD000 | u32::from(b & 0x3F) << 6 | u32::from(c & 0x3F);
        out.truncate(out.len() - 3);
        return encode(out, 0x1_0000 + ((high - 0xD800) << 10) + (point - 0xDC00));
    }
    match point {
        0..=0x7F => out.push(point as u8),
        0x80..=0x7FF => out.extend([0xC0 | (point >> 6) as u8, 0x80 | (point & 0x3F) as u8]),
        0x800..=0xFFFF => out.extend([0xE0 | (point >> 12) as u8, 0x80 | (point >> 6 & 0x3F) as u8, 0x80 | (point & 0x3F) as u8]),
        _ => out.extend([
            0xF0 | (point >> 18) as u8,
            0x80 | (point >> 12 & 0x3F) as u8,
            0x80 | (point >> 6 & 0x3F) as u8,
            0x80 | (point & 0x3F) as u8,
        ]),
    }
}

/// UTF-16 code units of WTF-8 text.
pub(crate) fn code_units(text: &[u8]) -> Vec<u16> {
    let mut units = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let (point, length) = decode(text, at);
        at += length;
        if point >= 0x1_0000 {
            units.push((0xD800 + ((point - 0x1_0000) >> 10)) as u16);
            units.push((0xDC00 + ((point - 0x1_0000) & 0x3FF)) as u16);
        } else {
            units.push(point as u16);
        }
    }
    units
}

fn is_start(point: u32) -> bool {
    char::from_u32(point).is_some_and(|c| if c.is_ascii() { NAME[c as usize] & 1 != 0 } else { unicode_id_start::is_id_start(c) })
}

fn is_part(point: u32) -> bool {
    char::from_u32(point).is_some_and(|c| {
        if c.is_ascii() { NAME[c as usize] & 2 != 0 } else { unicode_id_start::is_id_continue(c) || c == '\u{200C}' || c == '\u{200D}' }
    })
}

fn is_space(point: u32) -> bool {
    matches!(point, 0x9 | 0xB | 0xC | 0x20 | 0xA0 | 0x1680 | 0x2000..=0x200A | 0x202F | 0x205F | 0x3000 | 0xFEFF)
}

/// Does U+2028 or U+2029, which end a line, stand there?
fn is_separator(text: &[u8], at: usize) -> bool {
    matches!(text.get(at..at + 3), Some([0xE2, 0x80, 0xA8 | 0xA9]))
}

impl Parse<'_> {
    #[inline]
    pub(crate) fn byte(&self, at: usize) -> u8 {
        self.src.get(at).copied().unwrap_or(0)
    }

    /// Moves to the next token.
    #[inline]
    pub(crate) fn next(&mut self) -> R<()> {
        self.prev_end = self.t.end;
        self.patience -= 1;
        if self.patience == 0 {
            self.pay()?;
        }
        self.lex()
    }

    /// Reads the token at the position.
    pub(crate) fn relex(&mut self) -> R<()> {
        self.lex()
    }

    fn lex(&mut self) -> R<()> {
        self.t.newline = false;
        self.skip_blank()?;
        self.t.start = self.pos as u32;
        let Some(&c) = self.src.get(self.pos) else {
            self.t.tok = Tok::End;
            self.t.end = self.pos as u32;
            return Ok(());
        };
        if NAME[c as usize] & 1 != 0 {
            return self.word();
        }
        let tok = match c {
            b'(' => self.take(1, Tok::LParen),
            b')' => self.take(1, Tok::RParen),
            b'{' => self.take(1, Tok::LBrace),
            b'}' => self.take(1, Tok::RBrace),
            b'[' => self.take(1, Tok::LBracket),
            b']' => self.take(1, Tok::RBracket),
            b';' => self.take(1, Tok::Semicolon),
            b',' => self.take(1, Tok::Comma),
            b':' => self.take(1, Tok::Colon),
            b'~' => self.take(1, Tok::BitNot),
            b'@' => self.take(1, Tok::At),
            b'0'..=b'9' => return self.number(),
            b'"' | b'\'' => return self.string(c),
            b'`' => {
                self.pos += 1;
                return self.template_chunk();
            }
            b'.' => {
                if self.byte(self.pos + 1).is_ascii_digit() {
                    return self.number();
                }
                if self.byte(self.pos + 1) == b'.' && self.byte(self.pos + 2) == b'.' {
                    self.take(3, Tok::Ellipsis)
                } else {
                    self.take(1, Tok::Dot)
                }
            }
            b'=' => match (self.byte(self.pos + 1), self.byte(self.pos + 2)) {
                (b'=', b'=') => self.take(3, Tok::EqEqEq),
                (b'=', _) => self.take(2, Tok::EqEq),
                (b'>', _) => self.take(2, Tok::Arrow),
                _ => self.take(1, Tok::Assign),
            },
            b'!' => match (self.byte(self.pos + 1), self.byte(self.pos + 2)) {
                (b'=', b'=') => self.take(3, Tok::NotEqEq),
                (b'=', _) => self.take(2, Tok::NotEq),
                _ => self.take(1, Tok::Not),
            },
            b'+' => match self.byte(self.pos + 1) {
                b'+' => self.take(2, Tok::PlusPlus),
                b'=' => self.take(2, Tok::PlusAssign),
                _ => self.take(1, Tok::Plus),
            },
            b'-' => match self.byte(self.pos + 1) {
                b'-' => self.take(2, Tok::MinusMinus),
                b'=' => self.take(2, Tok::MinusAssign),
                _ => self.take(1, Tok::Minus),
            },
            b'*' => match (self.byte(self.pos + 1), self.byte(self.pos + 2)) {
                (b'*', b'=') => self.take(3, Tok::StarStarAssign),
                (b'*', _) => self.take(2, Tok::StarStar),
                (b'=', _) => self.take(2, Tok::StarAssign),
                _ => self.take(1, Tok::Star),
            },
            b'/' => match self.byte(self.pos + 1) {
                b'=' => self.take(2, Tok::SlashAssign),
                _ => self.take(1, Tok::Slash),
            },
            b'%' => match self.byte(self.pos + 1) {
                b'=' => self.take(2, Tok::PercentAssign),
                _ => self.take(1, Tok::Percent),
            },
            b'<' => match (self.byte(self.pos + 1), self.byte(self.pos + 2)) {
                (b'<', b'=') => self.take(3, Tok::ShlAssign),
                (b'<', _) => self.take(2, Tok::Shl),
                (b'=', _) => self.take(2, Tok::Le),
                _ => self.take(1, Tok::Lt),
            },
            b'>' => match (self.byte(self.pos + 1), self.byte(self.pos + 2), self.byte(self.pos + 3)) {
                (b'>', b'>', b'=') => self.take(4, Tok::UShrAssign),
                (b'>', b'>', _) => self.take(3, Tok::UShr),
                (b'>', b'=', _) => self.take(3, Tok::ShrAssign),
                (b'>', _, _) => self.take(2, Tok::Shr),
                (b'=', _, _) => self.take(2, Tok::Ge),
                _ => self.take(1, Tok::Gt),
            },
            b'&' => match (self.byte(self.pos + 1), self.byte(self.pos + 2)) {
                (b'&', b'=') => self.take(3, Tok::AndAssign),
                (b'&', _) => self.take(2, Tok::AndAnd),
                (b'=', _) => self.take(2, Tok::BitAndAssign),
                _ => self.take(1, Tok::BitAnd),
            },
            b'|' => match (self.byte(self.pos + 1), self.byte(self.pos + 2)) {
                (b'|', b'=') => self.take(3, Tok::OrAssign),
                (b'|', _) => self.take(2, Tok::OrOr),
                (b'=', _) => self.take(2, Tok::BitOrAssign),
                _ => self.take(1, Tok::BitOr),
            },
            b'^' => match self.byte(self.pos + 1) {
                b'=' => self.take(2, Tok::BitXorAssign),
                _ => self.take(1, Tok::BitXor),
            },
            b'?' => match (self.byte(self.pos + 1), self.byte(self.pos + 2)) {
                (b'?', b'=') => self.take(3, Tok::CoalesceAssign),
                (b'?', _) => self.take(2, Tok::Coalesce),
                (b'.', digit) if !digit.is_ascii_digit() => self.take(2, Tok::QuestionDot),
                _ => self.take(1, Tok::Question),
            },
            b'#' => {
                self.pos += 1;
                let first = self.byte(self.pos);
                if NAME[first as usize] & 1 == 0 && first != b'\\' && first < 0x80 {
                    return self.fail_at(self.pos - 1, "Invalid or unexpected token");
                }
                return self.slow_word(self.pos - 1);
            }
            b'\\' => return self.slow_word(self.pos),
            0x80.. => return self.slow_word(self.pos),
            _ => return self.fail_at(self.pos, "Invalid or unexpected token"),
        };
        self.t.tok = tok;
        Ok(())
    }

    #[inline]
    fn take(&mut self, length: usize, tok: Tok) -> Tok {
        self.pos += length;
        self.t.end = self.pos as u32;
        tok
    }

    /// Skips white space and comments; notes line ends.
    #[inline]
    fn skip_blank(&mut self) -> R<()> {
        loop {
            let mut at = self.pos;
            let mut newline = false;
            // Blanks and line ends, indentation in one go.
            let next = loop {
                match self.src.get(at) {
                    Some(b' ') => {
                        at += 1;
                        while self.src.get(at..at + 8) == Some(b"        ") {
                            at += 8;
                        }
                    }
                    Some(b'\n' | b'\r') => {
                        newline = true;
                        at += 1;
                    }
                    Some(b'\t' | 0x0B | 0x0C) => at += 1,
                    Some(&c) => break c,
                    None => break 0,
                }
            };
            self.pos = at;
            self.t.newline |= newline;
            match next {
                b'/' => match self.byte(self.pos + 1) {
                    b'/' => self.line_comment(),
                    b'*' => self.block_comment()?,
                    _ => return Ok(()),
                },
                b'<' if self.src[self.pos..].starts_with(b"<!--") && !self.module => self.line_comment(),
                b'-' if (self.t.newline || self.t.end == 0) && !self.module && self.src[self.pos..].starts_with(b"-->") => {
                    self.line_comment();
                }
                0x80.. => {
                    let (point, length) = decode(self.src, self.pos);
                    if point == 0x2028 || point == 0x2029 {
                        self.t.newline = true;
                    } else if !is_space(point) {
                        return Ok(());
                    }
                    self.pos += length;
                }
                _ => return Ok(()),
            }
        }
    }

    pub(crate) fn line_comment(&mut self) {
        while let Some(skipped) = memchr::memchr3(b'\n', b'\r', 0xE2, &self.src[self.pos..]) {
            self.pos += skipped;
            if self.src[self.pos] != 0xE2 || is_separator(self.src, self.pos) {
                return;
            }
            self.pos += 1;
        }
        self.pos = self.src.len();
    }

    fn block_comment(&mut self) -> R<()> {
        let start = self.pos;
        let inside = &self.src[start + 2..];
        let Some(length) = memchr::memmem::find(inside, b"*/") else {
            return self.fail_at(start, "Invalid or unexpected token");
        };
        self.pos = start + 2 + length + 2;
        if !self.t.newline {
            let inside = &inside[..length];
            self.t.newline =
                memchr::memchr2(b'\n', b'\r', inside).is_some() || memchr::memchr_iter(0xE2, inside).any(|at| is_separator(inside, at));
        }
        Ok(())
    }

    #[inline]
    fn word(&mut self) -> R<()> {
        let start = self.pos;
        let rest = &self.src[start..];
        let length = rest.iter().position(|&c| NAME[c as usize] & 2 == 0).unwrap_or(rest.len());
        let at = start + length;
        let c = self.byte(at);
        if c == b'\\' || c >= 0x80 {
            return self.slow_word(start);
        }
        self.pos = at;
        self.t.end = at as u32;
        self.t.escaped = false;
        let atom = self.tree.atoms.intern(&self.src[start..at], &mut self.gauge, &mut self.probes)?;
        self.t.value = atom;
        self.t.tok = if atom < RESERVED { WORDS[atom as usize] } else { Tok::Ident };
        Ok(())
    }

    /// A name with escapes or characters beyond ASCII, or a private name (starting at its `#`).
    fn slow_word(&mut self, start: usize) -> R<()> {
        self.pos = start;
        let mut text = std::mem::take(&mut self.work.cook);
        text.clear();
        let private = self.byte(start) == b'#';
        if private {
            text.push(b'#');
            self.pos += 1;
        }
        let result = self.slow_word_into(&mut text);
        let done = result.and_then(|escaped| {
            self.t.end = self.pos as u32;
            self.t.escaped = escaped;
            let atom = self.tree.atoms.intern(&text, &mut self.gauge, &mut self.probes)?;
            self.t.value = atom;
            self.t.tok = if private {
                Tok::PrivateName
            } else if atom >= RESERVED {
                Tok::Ident
            } else if escaped {
                Tok::EscapedWord
            } else {
                WORDS[atom as usize]
            };
            Ok(())
        });
        self.work.cook = text;
        done
    }

    fn slow_word_into(&mut self, text: &mut Vec<u8>) -> R<bool> {
        let mut escaped = false;
        let mut first = true;
        while let Some(&c) = self.src.get(self.pos) {
            let at = self.pos;
            let (point, length) = if c == b'\\' {
                escaped = true;
                self.pos += 1;
                if self.byte(self.pos) != b'u' {
                    return self.fail_at(at, "Invalid Unicode escape sequence");
                }
                self.pos += 1;
                let Some(point) = self.unicode_escape() else {
                    return self.fail_at(at, "Invalid Unicode escape sequence");
                };
                if !(if first { is_start(point) } else { is_part(point) }) {
                    return self.fail_at(at, "Invalid Unicode escape sequence");
                }
                (point, 0)
            } else {
                let (point, length) = decode(self.src, at);
                if !(if first { is_start(point) } else { is_part(point) }) {
                    if first {
                        return self.fail_at(at, "Invalid or unexpected token");
                    }
                    break;
                }
                (point, length)
            };
            self.pos += length;
            encode(text, point);
            first = false;
        }
        if first {
            return self.fail_at(self.pos, "Invalid or unexpected token");
        }
        self.count_text(text.len())?;
        Ok(escaped)
    }

    /// Working texts count while they are larger than ever before in this parse.
    fn count_text(&mut self, length: usize) -> R<()> {
        if length > self.cook_held {
            let more = (length - self.cook_held).next_multiple_of(1024);
            self.gauge.hold(more)?;
            self.cook_held += more;
        }
        Ok(())
    }

    /// What follows `\u`: four digits, or a code point in braces. Leaves the position behind it.
    fn unicode_escape(&mut self) -> Option<u32> {
        if self.byte(self.pos) == b'{' {
            let mut at = self.pos + 1;
            let mut point = 0u32;
            while let Some(digit) = (self.byte(at) as char).to_digit(16) {
                point = point * 16 + digit;
                if point > 0x10_FFFF {
                    return None;
                }
                at += 1;
            }
            if self.byte(at) != b'}' || at == self.pos + 1 {
                return None;
            }
            self.pos = at + 1;
            return Some(point);
        }
        let value = self.hex_digits(4)?;
        self.pos += 4;
        Some(value)
    }

    fn hex_digits(&self, count: usize) -> Option<u32> {
        let mut value = 0;
        for n in 0..count {
            value = value * 16 + (self.byte(self.pos + n) as char).to_digit(16)?;
        }
        Some(value)
    }

    fn number(&mut self) -> R<()> {
        let start = self.pos;
        self.t.octal = false;
        self.t.tok = Tok::Number;
        let first = self.byte(start);
        if first == b'0' {
            let radix = match self.byte(start + 1) {
                b'x' | b'X' => 16,
                b'o' | b'O' => 8,
                b'b' | b'B' => 2,
                _ => 0,
            };
            if radix != 0 {
                self.pos += 2;
                let digits = self.pos;
                self.digits(radix)?;
                if self.pos == digits {
                    return self.fail_at(digits, "Invalid or unexpected token");
                }
                if self.byte(self.pos) == b'n' {
                    return self.finish_bigint(start);
                }
                self.t.number = radix_value(&self.src[digits..self.pos], radix);
                return self.finish_number();
            }
            let second = self.byte(start + 1);
            if second.is_ascii_digit() {
                // Legacy octal, or decimal with a leading zero when an 8 or 9 occurs.
                let mut at = start;
                let mut octal = true;
                while self.byte(at).is_ascii_digit() {
                    octal &= self.byte(at) < b'8';
                    at += 1;
                }
                self.t.octal = true;
                if self.ctx & ctx::STRICT != 0 {
                    let message = if octal {
                        "Octal literals are not allowed in strict mode."
                    } else {
                        "Decimals with leading zeros are not allowed in strict mode."
                    };
                    return self.fail_at(start, message);
                }
                if octal {
                    self.pos = at;
                    self.t.number = radix_value(&self.src[start..at], 8);
                    if self.byte(at) == b'_' {
                        return self.fail_at(at, "Numeric separator can not be used after leading 0");
                    }
                    return self.finish_number();
                }
                if self.byte(at) == b'_' {
                    return self.fail_at(at, "Numeric separator can not be used after leading 0");
                }
            } else if second == b'_' {
                return self.fail_at(start + 1, "Numeric separator can not be used after leading 0");
            }
        }
        // Small whole numbers are by far the most common.
        let mut at = start;
        let mut small = 0u64;
        while self.byte(at).is_ascii_digit() && at - start < 15 {
            small = small * 10 + u64::from(self.byte(at) - b'0');
            at += 1;
        }
        if at > start && !matches!(self.byte(at), b'0'..=b'9' | b'.' | b'e' | b'E' | b'_' | b'n') {
            self.pos = at;
            self.t.number = small as f64;
            return self.finish_number();
        }
        self.digits(10)?;
        if self.byte(self.pos) == b'n' && !self.t.octal {
            return self.finish_bigint(start);
        }
        if self.byte(self.pos) == b'.' {
            self.pos += 1;
            if self.byte(self.pos) == b'_' {
                return self.fail_at(self.pos, "Numeric separators are not allowed here");
            }
            self.digits(10)?;
        }
        if matches!(self.byte(self.pos), b'e' | b'E') {
            self.pos += 1;
            if matches!(self.byte(self.pos), b'+' | b'-') {
                self.pos += 1;
            }
            let digits = self.pos;
            if self.byte(digits) == b'_' {
                return self.fail_at(digits, "Numeric separators are not allowed here");
            }
            self.digits(10)?;
            if self.pos == digits {
                return self.fail_at(start, "Invalid or unexpected token");
            }
        }
        let text = &self.src[start..self.pos];
        let mut clean = std::mem::take(&mut self.work.cook);
        clean.clear();
        clean.extend(text.iter().copied().filter(|&b| b != b'_'));
        let counted = self.count_text(clean.len());
        self.t.number = std::str::from_utf8(&clean).ok().and_then(|t| t.parse().ok()).unwrap_or(f64::NAN);
        self.work.cook = clean;
        counted?;
        self.finish_number()
    }

    /// Digits with single underscores between them.
    fn digits(&mut self, radix: u32) -> R<()> {
        let start = self.pos;
        loop {
            let c = self.byte(self.pos);
            if (c as char).is_digit(radix) {
                self.pos += 1;
            } else if c == b'_' {
                if self.pos == start {
                    return self.fail_at(self.pos, "Numeric separators are not allowed here");
                }
                let after = self.byte(self.pos + 1);
                if after == b'_' {
                    return self.fail_at(self.pos + 1, "Only one underscore is allowed as numeric separator");
                }
                if !(after as char).is_digit(radix) {
                    return self.fail_at(self.pos + 1, "Numeric separators are not allowed at the end of numeric literals");
                }
                self.pos += 1;
            } else {
                return Ok(());
            }
        }
    }

    fn finish_bigint(&mut self, start: usize) -> R<()> {
        let mut clean = std::mem::take(&mut self.work.cook);
        clean.clear();
        clean.extend(self.src[start..self.pos].iter().copied().filter(|&b| b != b'_'));
        let atom = self.count_text(clean.len()).and_then(|()| self.tree.atoms.intern(&clean, &mut self.gauge, &mut self.probes));
        self.work.cook = clean;
        self.t.value = atom?;
        self.pos += 1;
        self.t.tok = Tok::BigInt;
        self.finish_number()
    }

    fn finish_number(&mut self) -> R<()> {
        self.t.end = self.pos as u32;
        if let Some(&c) = self.src.get(self.pos) {
            let bad = if c < 0x80 { NAME[c as usize] != 0 || c == b'\\' } else { is_start(decode(self.src, self.pos).0) };
            if bad {
                return self.fail_at(self.pos, "Invalid or unexpected token");
            }
        }
        Ok(())
    }

    fn string(&mut self, quote: u8) -> R<()> {
        let start = self.pos + 1;
        let mut at = start;
        self.t.tok = Tok::String;
        self.t.octal = false;
        loop {
            match self.src.get(at) {
                Some(&c) if c == quote => break,
                Some(b'\\') => return self.cooked_string(quote, at),
                None | Some(b'\n' | b'\r') => return self.fail_at(start - 1, "Invalid or unexpected token"),
                Some(_) => at += 1,
            }
        }
        self.pos = at + 1;
        self.t.end = self.pos as u32;
        self.t.escaped = false;
        self.t.value = self.tree.atoms.intern(&self.src[start..at], &mut self.gauge, &mut self.probes)?;
        Ok(())
    }

    fn cooked_string(&mut self, quote: u8, escape: usize) -> R<()> {
        let start = self.pos + 1;
        let mut text = std::mem::take(&mut self.work.cook);
        text.clear();
        text.extend_from_slice(&self.src[start..escape]);
        self.pos = escape;
        let result = self.cook_until(quote, start - 1, &mut text);
        let atom = result.and_then(|()| {
            self.count_text(text.len())?;
            self.tree.atoms.intern(&text, &mut self.gauge, &mut self.probes)
        });
        self.work.cook = text;
        self.t.value = atom?;
        self.t.end = self.pos as u32;
        self.t.escaped = true;
        Ok(())
    }

    fn cook_until(&mut self, quote: u8, start: usize, text: &mut Vec<u8>) -> R<()> {
        loop {
            match self.src.get(self.pos) {
                Some(&c) if c == quote => {
                    self.pos += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    let at = self.pos;
                    self.pos += 1;
                    if let Err(message) = self.escape(text, false) {
                        return self.fail_at(at, message);
                    }
                }
                None | Some(b'\n' | b'\r') => return self.fail_at(start, "Invalid or unexpected token"),
                Some(&c) => {
                    // A low surrogate after an escaped high one joins it, as the escape would.
                    if c == 0xED {
                        let (point, length) = decode(self.src, self.pos);
                        encode(text, point);
                        self.pos += length;
                    } else {
                        text.push(c);
                        self.pos += 1;
                    }
                }
            }
        }
    }

    /// One escape after its backslash. In templates octal escapes are errors.
    fn escape(&mut self, text: &mut Vec<u8>, template: bool) -> Result<(), &'static str> {
        let Some(&c) = self.src.get(self.pos) else {
            return Err("Invalid or unexpected token");
        };
        self.pos += 1;
        let byte = match c {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 8,
            b'f' => 12,
            b'v' => 11,
            b'\r' => {
                if self.byte(self.pos) == b'\n' {
                    self.pos += 1;
                }
                return Ok(());
            }
            b'\n' => return Ok(()),
            b'x' => {
                let Some(value) = self.hex_digits(2) else {
                    return Err("Invalid hexadecimal escape sequence");
                };
                self.pos += 2;
                encode(text, value);
                return Ok(());
            }
            b'u' => {
                let braced = self.byte(self.pos) == b'{';
                return match self.unicode_escape() {
                    Some(point) => {
                        encode(text, point);
                        Ok(())
                    }
                    None if braced => Err("Undefined Unicode code-point"),
                    None => Err("Invalid Unicode escape sequence"),
                };
            }
            b'0'..=b'9' => {
                if c == b'0' && !self.byte(self.pos).is_ascii_digit() {
                    text.push(0);
                    return Ok(());
                }
                if template {
                    return Err("Octal escape sequences are not allowed in template strings");
                }
                if self.ctx & ctx::STRICT != 0 {
                    return Err(if c >= b'8' {
                        "\\8 and \\9 are not allowed in strict mode."
                    } else {
                        "Octal escape sequences are not allowed in strict mode."
                    });
                }
                self.t.octal = true;
                if c >= b'8' {
                    c
                } else {
                    let mut value = u32::from(c - b'0');
                    let limit = if c <= b'3' { 2 } else { 1 };
                    for _ in 0..limit {
                        let digit = self.byte(self.pos);
                        if !(b'0'..=b'7').contains(&digit) {
                            break;
                        }
                        value = value * 8 + u32::from(digit - b'0');
                        self.pos += 1;
                    }
                    encode(text, value);
                    return Ok(());
                }
            }
            0x80.. => {
                self.pos -= 1;
                let (point, length) = decode(self.src, self.pos);
                self.pos += length;
                if point != 0x2028 && point != 0x2029 {
                    encode(text, point);
                }
                return Ok(());
            }
            other => other,
        };
        text.push(byte);
        Ok(())
    }

    /// The part of a template that begins at the position (after `` ` `` or the `}` of a substitution).
    pub(crate) fn template_chunk(&mut self) -> R<()> {
        let start = self.pos;
        let mut at = start;
        self.t.tok = Tok::Template;
        loop {
            match self.src.get(at) {
                Some(b'`') => {
                    self.t.tail = true;
                    break;
                }
                Some(b'$') if self.byte(at + 1) == b'{' => {
                    self.t.tail = false;
                    break;
                }
                Some(b'\\' | b'\r') => return self.cooked_chunk(at),
                None => return self.fail_at(self.src.len(), "Unterminated template literal"),
                Some(_) => at += 1,
            }
        }
        self.pos = at + if self.t.tail { 1 } else { 2 };
        self.t.end = self.pos as u32;
        self.t.value = self.tree.atoms.intern(&self.src[start..at], &mut self.gauge, &mut self.probes)?;
        self.t.raw = self.t.value;
        Ok(())
    }

    fn cooked_chunk(&mut self, special: usize) -> R<()> {
        let start = self.pos;
        let mut text = std::mem::take(&mut self.work.cook);
        let mut raw = std::mem::take(&mut self.work.raw);
        text.clear();
        raw.clear();
        text.extend_from_slice(&self.src[start..special]);
        raw.extend_from_slice(&self.src[start..special]);
        self.pos = special;
        let result = self.cook_chunk(&mut text, &mut raw).and_then(|valid| {
            self.count_text(text.len() + raw.len())?;
            self.t.raw = self.tree.atoms.intern(&raw, &mut self.gauge, &mut self.probes)?;
            self.t.value = if valid { self.tree.atoms.intern(&text, &mut self.gauge, &mut self.probes)? } else { NONE };
            self.t.end = self.pos as u32;
            Ok(())
        });
        self.work.cook = text;
        self.work.raw = raw;
        result
    }

    /// Whether all escapes were valid; where the first was not is remembered.
    fn cook_chunk(&mut self, text: &mut Vec<u8>, raw: &mut Vec<u8>) -> R<bool> {
        let mut valid = true;
        loop {
            match self.src.get(self.pos) {
                Some(b'`') => {
                    self.pos += 1;
                    self.t.tail = true;
                    return Ok(valid);
                }
                Some(b'$') if self.byte(self.pos + 1) == b'{' => {
                    self.pos += 2;
                    self.t.tail = false;
                    return Ok(valid);
                }
                Some(b'\\') => {
                    let at = self.pos;
                    self.pos += 1;
                    if let Err(message) = self.escape(text, true) {
                        if valid {
                            self.template_error = (at, message);
                        }
                        valid = false;
                        // Whatever follows is raw text, except that a backslash hides one character.
                        self.pos = (at + 2).min(self.src.len());
                    }
                    push_raw(raw, &self.src[at..self.pos]);
                }
                Some(b'\r') => {
                    self.pos += 1;
                    if self.byte(self.pos) == b'\n' {
                        self.pos += 1;
                    }
                    text.push(b'\n');
                    raw.push(b'\n');
                }
                Some(&c) => {
                    text.push(c);
                    raw.push(c);
                    self.pos += 1;
                }
                None => return self.fail_at(self.src.len(), "Unterminated template literal"),
            }
        }
    }

    /// Reads the regular expression that begins at the current `/` or `/=`; gives pattern and flags.
    pub(crate) fn regexp(&mut self) -> R<(u32, u32)> {
        let start = self.t.start as usize;
        let mut at = start + 1;
        let mut class = false;
        loop {
            match self.src.get(at) {
                None | Some(b'\n' | b'\r') => return self.fail_at(start, "Invalid regular expression: missing /"),
                Some(0xE2) if matches!(decode(self.src, at).0, 0x2028 | 0x2029) => {
                    return self.fail_at(start, "Invalid regular expression: missing /");
                }
                Some(b'/') if !class => break,
                Some(b'[') => class = true,
                Some(b']') => class = false,
                Some(b'\\') => {
                    at += 1;
                    if matches!(self.byte(at), b'\n' | b'\r') || self.src.get(at).is_none() {
                        return self.fail_at(start, "Invalid regular expression: missing /");
                    }
                    if matches!(decode(self.src, at).0, 0x2028 | 0x2029) {
                        return self.fail_at(start, "Invalid regular expression: missing /");
                    }
                }
                Some(_) => {}
            }
            at += 1;
        }
        let pattern = start + 1..at;
        let flags = at + 1;
        at = flags;
        let mut seen = 0u32;
        while let Some(&c) = self.src.get(at) {
            if NAME[c as usize] & 2 != 0 {
                let Some(bit) = b"dgimsuvy".iter().position(|&f| f == c) else {
                    return self.fail_at(flags, "Invalid regular expression flags");
                };
                if seen & 1 << bit != 0 {
                    return self.fail_at(flags, "Invalid regular expression flags");
                }
                seen |= 1 << bit;
                at += 1;
            } else if c == b'\\' || c >= 0x80 && is_part(decode(self.src, at).0) {
                return self.fail_at(flags, "Invalid regular expression flags");
            } else {
                break;
            }
        }
        if seen & (1 << 5) != 0 && seen & (1 << 6) != 0 {
            return self.fail_at(flags, "Invalid regular expression flags");
        }
        self.pos = at;
        self.t.end = at as u32;
        let source = &self.src[pattern];
        if let Err(message) = super::check_pattern(source, &self.src[flags..at], &mut self.gauge)? {
            return self.fail_text(start, message);
        }
        let pattern = self.tree.atoms.intern(source, &mut self.gauge, &mut self.probes)?;
        let flags = self.tree.atoms.intern(&self.src[flags..at], &mut self.gauge, &mut self.probes)?;
        Ok((pattern, flags))
    }

    /// Splits the first character off a token that TypeScript reads as several (`>>`, `>=`, `?.`).
    pub(crate) fn split_token(&mut self, first: Tok) {
        self.pos = self.t.start as usize + 1;
        self.t.tok = first;
        self.t.end = self.pos as u32;
    }

    /// Whether the current token is the unescaped name `atom`.
    #[inline]
    pub(crate) fn at_name(&self, atom: u32) -> bool {
        self.t.tok == Tok::Ident && self.t.value == atom && !self.t.escaped
    }

    /// Looks at the token after the current one without moving.
    pub(crate) fn peek(&mut self) -> R<Token> {
        let (token, pos, prev_end) = (self.t, self.pos, self.prev_end);
        let result = self.lex();
        let ahead = self.t;
        (self.t, self.pos, self.prev_end) = (token, pos, prev_end);
        match result {
            Ok(()) => Ok(ahead),
            // The error will be met again when the token is really read, if it is.
            Err(Failed) if self.gauge.refusal.is_none() => {
                self.error = None;
                Ok(Token { tok: Tok::At, newline: ahead.newline, ..ahead })
            }
            Err(Failed) => Err(Failed),
        }
    }

    /// The known atom of `get` and the like if the current token is that name.
    pub(crate) fn contextual(&self) -> u32 {
        if self.t.tok == Tok::Ident && !self.t.escaped { self.t.value } else { known::EMPTY }
    }
}

fn push_raw(raw: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text.iter().copied().peekable();
    while let Some(c) = rest.next() {
        if c == b'\r' {
            raw.push(b'\n');
            if rest.peek() == Some(&b'\n') {
                rest.next();
            }
        } else {
            raw.push(c);
        }
    }
}

/// The value of digits in a radix that is a power of two, correctly rounded.
fn radix_value(digits: &[u8], radix: u32) -> f64 {
    let bits = radix.trailing_zeros();
    let mut mantissa = 0u64;
    let mut dropped = 0u32;
    let mut sticky = false;
    for &c in digits {
        let Some(digit) = (c as char).to_digit(radix) else { continue };
        for n in (0..bits).rev() {
            let bit = u64::from(digit >> n & 1);
            if mantissa >> 62 != 0 {
                dropped = dropped.saturating_add(1);
                sticky |= bit != 0;
            } else {
                mantissa = mantissa << 1 | bit;
            }
        }
    }
    // 63 bits and a sticky bit round to 53 as the exact value would.
    let value = (mantissa | u64::from(sticky)) as f64;
    if dropped > 1100 { f64::INFINITY } else { value * 2f64.powi(dropped as i32) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn radix_values_round_to_even() {
        assert_eq!(radix_value(b"ff", 16), 255.0);
        assert_eq!(radix_value(b"20000000000001", 16), 9007199254740993u64 as f64);
        assert_eq!(radix_value(b"200000000000010", 16), 144115188075855888.0);
        assert_eq!(radix_value(b"2000000000000180000000000000001", 16), 2f64.powi(121) + 2f64.powi(69));
        assert_eq!(radix_value(&[b'f'; 400], 16), f64::INFINITY);
    }

    #[test]
    fn surrogate_pairs_join() {
        let mut out = Vec::new();
        encode(&mut out, 0xD83D);
        assert_eq!(out, [0xED, 0xA0, 0xBD]);
        encode(&mut out, 0xDE00);
        assert_eq!(out, "😀".as_bytes());
        for text in ["é", "字", "😀", "x"] {
            let (point, length) = decode(text.as_bytes(), 0);
            assert_eq!((char::from_u32(point), length), (text.chars().next(), text.len()));
        }
    }
}
