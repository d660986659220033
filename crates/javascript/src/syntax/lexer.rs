//! From bytes to tokens.

use super::arena::{Failed, R};
use super::atoms::{RESERVED, known};
use super::parse::Parse;
use super::token::{Tok, WORDS};
use super::tree::NONE;

/// Classes of bytes: bit 0 starts a name, bit 1 continues one.
pub(super) static NAME: [u8; 256] = {
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

/// The tokens that are one byte which begins nothing else.
static SINGLES: [Tok; SINGLE as usize] = [
    Tok::LParen,
    Tok::RParen,
    Tok::LBrace,
    Tok::RBrace,
    Tok::LBracket,
    Tok::RBracket,
    Tok::Semicolon,
    Tok::Comma,
    Tok::Colon,
    Tok::BitNot,
    Tok::At,
];

/// Classes of bytes at the start of a token: below this an index of [`SINGLES`].
const SINGLE: u8 = 11;
const WORD: u8 = 12;
/// May begin a blank or a comment.
const BLANK: u8 = 13;
const DOT: u8 = 14;
const OTHER: u8 = 15;

static CLASS: [u8; 256] = {
    let mut table = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        if NAME[byte] & 1 != 0 {
            table[byte] = WORD;
        } else if byte >= 0x80 {
            table[byte] = BLANK;
        }
        byte += 1;
    }
    let blanks = b" \n\r\t\x0B\x0C/<-";
    let mut at = 0;
    while at < blanks.len() {
        table[blanks[at] as usize] = BLANK;
        at += 1;
    }
    table[b'.' as usize] = DOT;
    let singles = b"(){}[];,:~@";
    let mut at = 0;
    while at < singles.len() {
        table[singles[at] as usize] = at as u8;
        at += 1;
    }
    table
};

/// The eight bytes at a place, the first of them lowest; None near the end.
#[inline]
pub(super) fn eight(src: &[u8], at: usize) -> Option<u64> {
    src.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x80 * ONES;

/// The high bit of the lowest byte that is this one, and perhaps bits above it; zero if none is.
#[inline]
pub(super) fn has(bytes: u64, byte: u8) -> u64 {
    let other = bytes ^ (u64::from(byte) * ONES);
    other.wrapping_sub(ONES) & !other & HIGH
}

/// The high bit of every byte that does not continue a name.
#[inline]
fn no_name(bytes: u64) -> u64 {
    let low = bytes & !HIGH;
    // Each sum sets the high bit of the bytes from a bound on; none carries into the next byte.
    let from = |text: u64, bound: u8| text + (0x80 - u64::from(bound)) * ONES;
    let folded = low | (0x20 * ONES);
    let letter = from(folded, b'a') & !from(folded, b'z' + 1);
    let digit = from(low, b'0') & !from(low, b'9' + 1);
    let is = |byte: u8| !from(low ^ (u64::from(byte) * ONES), 1);
    !(letter | digit | is(b'$') | is(b'_')) & HIGH | bytes & HIGH
}

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

pub(super) fn is_start(point: u32) -> bool {
    char::from_u32(point).is_some_and(|c| if c.is_ascii() { NAME[c as usize] & 1 != 0 } else { unicode_id_start::is_id_start(c) })
}

pub(super) fn is_part(point: u32) -> bool {
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

    // What is done for every token is kept apart from what is done for few: it needs no registers saved.
    fn lex(&mut self) -> R<()> {
        self.t.newline = false;
        let class = CLASS[self.byte(self.pos) as usize];
        if class == BLANK { self.lex_after_blank() } else { self.lex_class(class) }
    }

    #[inline(never)]
    fn lex_after_blank(&mut self) -> R<()> {
        // One blank between two tokens is what there is most often.
        if self.src[self.pos] == b' ' {
            self.pos += 1;
            let class = CLASS[self.byte(self.pos) as usize];
            if class != BLANK {
                return self.lex_class(class);
            }
        }
        self.skip_blank()?;
        self.lex_class(CLASS[self.byte(self.pos) as usize])
    }

    #[inline(always)]
    fn lex_class(&mut self, class: u8) -> R<()> {
        self.t.start = self.pos as u32;
        if class == WORD {
            return self.word();
        }
        if class < SINGLE {
            self.pos += 1;
            self.t.end = self.pos as u32;
            self.t.tok = SINGLES[class as usize];
            return Ok(());
        }
        if class == DOT && NAME[self.byte(self.pos + 1) as usize] & 1 != 0 {
            self.t.tok = self.take(1, Tok::Dot);
            return Ok(());
        }
        self.lex_other()
    }

    /// A token that is neither a word nor one byte that begins nothing else.
    #[inline(never)]
    fn lex_other(&mut self) -> R<()> {
        let Some(&c) = self.src.get(self.pos) else {
            self.t.tok = Tok::End;
            self.t.end = self.pos as u32;
            return Ok(());
        };
        let tok = match c {
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

    /// Skips white space and comments; notes line ends. The byte at the position may begin either.
    #[inline(never)]
    fn skip_blank(&mut self) -> R<()> {
        loop {
            let mut at = self.pos;
            // Blanks and line ends, indentation in one go.
            let next = loop {
                match self.byte(at) {
                    b' ' => {
                        at += 1;
                        while let Some(bytes) = eight(self.src, at) {
                            let others = bytes ^ 0x2020_2020_2020_2020;
                            if others != 0 {
                                at += (others.trailing_zeros() / 8) as usize;
                                break;
                            }
                            at += 8;
                        }
                    }
                    b'\n' | b'\r' => {
                        self.t.newline = true;
                        at += 1;
                    }
                    b'\t' | 0x0B | 0x0C => at += 1,
                    c => break c,
                }
            };
            self.pos = at;
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
        // The slash is what comments hold least of.
        let mut at = start + 3;
        loop {
            let rest = self.src.get(at..).unwrap_or_default();
            let Some(skipped) = memchr::memchr(b'/', rest) else {
                return self.fail_at(start, "Invalid or unexpected token");
            };
            at += skipped + 1;
            if self.src[at - 2] == b'*' {
                break;
            }
        }
        self.pos = at;
        if !self.t.newline {
            let inside = &self.src[start + 2..at - 2];
            self.t.newline =
                memchr::memchr2(b'\n', b'\r', inside).is_some() || memchr::memchr_iter(0xE2, inside).any(|at| is_separator(inside, at));
        }
        Ok(())
    }

    #[inline(never)]
    fn word(&mut self) -> R<()> {
        let start = self.pos;
        let Some(first) = eight(self.src, start) else { return self.word_at_end(start) };
        let others = no_name(first);
        let atom = if others != 0 {
            let bits = others.trailing_zeros() & !7;
            let after = (first >> bits) as u8;
            if after >= 0x80 || after == b'\\' {
                return self.slow_word(start);
            }
            let length = (bits / 8) as usize;
            self.pos = start + length;
            self.tree.atoms.intern_short(first & ((1 << bits) - 1), length, &mut self.gauge, &mut self.probes)?
        } else {
            let mut at = start + 8;
            loop {
                let Some(next) = eight(self.src, at) else { return self.word_at_end(start) };
                let others = no_name(next);
                if others != 0 {
                    at += (others.trailing_zeros() / 8) as usize;
                    break;
                }
                at += 8;
            }
            return self.plain_word(start, at);
        };
        self.finish_word(atom);
        Ok(())
    }

    /// A word among the last bytes of the text.
    fn word_at_end(&mut self, start: usize) -> R<()> {
        let rest = &self.src[start..];
        let length = rest.iter().position(|&c| NAME[c as usize] & 2 == 0).unwrap_or(rest.len());
        self.plain_word(start, start + length)
    }

    /// A word of any length that goes up to `end`, if what follows is not of it too.
    fn plain_word(&mut self, start: usize, end: usize) -> R<()> {
        let after = self.byte(end);
        if after == b'\\' || after >= 0x80 {
            return self.slow_word(start);
        }
        self.pos = end;
        let atom = self.tree.atoms.intern(&self.src[start..end], &mut self.gauge, &mut self.probes)?;
        self.finish_word(atom);
        Ok(())
    }

    #[inline]
    fn finish_word(&mut self, atom: u32) {
        self.t.end = self.pos as u32;
        self.t.escaped = false;
        self.t.value = atom;
        self.t.tok = if atom < RESERVED { WORDS[atom as usize] } else { Tok::Ident };
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
    pub(super) fn count_text(&mut self, length: usize) -> R<()> {
        if length > self.cook_held {
            let more = (length - self.cook_held).next_multiple_of(1024);
            self.gauge.hold(more)?;
            self.cook_held += more;
        }
        Ok(())
    }

    /// What follows `\u`: four digits, or a code point in braces. Leaves the position behind it.
    pub(super) fn unicode_escape(&mut self) -> Option<u32> {
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

    pub(super) fn hex_digits(&self, count: usize) -> Option<u32> {
        let mut value = 0;
        for n in 0..count {
            value = value * 16 + (self.byte(self.pos + n) as char).to_digit(16)?;
        }
        Some(value)
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

#[cfg(test)]
mod tests {
    use super::*;

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
