//! Literals and escapes: numbers, strings, templates, regular expressions.

use super::arena::R;
use super::lexer::{NAME, decode, eight, encode, has, is_part, is_start};
use super::parse::{Parse, ctx};
use super::token::Tok;
use super::tree::NONE;

/// Powers of ten that doubles hold exactly.
static POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

impl Parse<'_> {
    pub(super) fn number(&mut self) -> R<()> {
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
        if self.byte(at) == b'.' && at - start < 15 {
            // A few digits: both numbers are exact, so that their quotient is rounded once.
            let point = at;
            at += 1;
            while self.byte(at).is_ascii_digit() && at - start < 16 {
                small = small * 10 + u64::from(self.byte(at) - b'0');
                at += 1;
            }
            if !matches!(self.byte(at), b'0'..=b'9' | b'e' | b'E' | b'_') {
                self.pos = at;
                self.t.number = small as f64 / POWERS[at - point - 1];
                return self.finish_number();
            }
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

    pub(super) fn string(&mut self, quote: u8) -> R<()> {
        let start = self.pos + 1;
        let mut at = start;
        self.t.tok = Tok::String;
        self.t.octal = false;
        loop {
            while let Some(bytes) = eight(self.src, at) {
                let special = has(bytes, quote) | has(bytes, b'\\') | has(bytes, b'\n') | has(bytes, b'\r');
                if special != 0 {
                    at += (special.trailing_zeros() / 8) as usize;
                    break;
                }
                at += 8;
            }
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
}
