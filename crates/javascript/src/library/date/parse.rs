//! Dates read from text: the standard's format, or else whatever people write.
//!
//! The standard leaves the second to the engine (ECMA-262, 21.4.3.2). Programs rely on what V8 and those who follow it take, so the
//! grammar is theirs: words before the first number mean nothing, months are known by three letters, what is in brackets is skipped, a
//! number before a colon is a time and any other one a part of a date, whose order decides what it is.

use super::{MONTHS, days, make_date, make_time};

/// Milliseconds since 1970, and whether they are local ones, since the text names no zone.
pub(super) fn parse(text: &str) -> Option<(f64, bool)> {
    // Year zero has no sign (21.4.1.32.1).
    if text.starts_with("-000000") {
        return None;
    }
    iso(text.as_bytes()).or_else(|| loose(text))
}

/// Reads exactly `count` digits.
fn digits(text: &mut &[u8], count: usize) -> Option<i64> {
    let (head, rest) = text.split_at_checked(count)?;
    *text = rest;
    head.iter().try_fold(0i64, |n, &c| c.is_ascii_digit().then(|| n * 10 + i64::from(c - b'0')))
}

fn eat(text: &mut &[u8], c: u8) -> bool {
    match text.split_first() {
        Some((&first, rest)) if first == c => {
            *text = rest;
            true
        }
        _ => false,
    }
}

/// The standard's Date Time String Format; a day that its month does not have is one of the next month.
fn iso(mut text: &[u8]) -> Option<(f64, bool)> {
    let text = &mut text;
    let year = if eat(text, b'+') {
        digits(text, 6)?
    } else if eat(text, b'-') {
        -digits(text, 6)?
    } else {
        digits(text, 4)?
    };
    let (mut month, mut day) = (1, 1);
    if eat(text, b'-') {
        month = digits(text, 2)?;
        if eat(text, b'-') {
            day = digits(text, 2)?;
        }
    }
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (mut time, mut local) = (0.0, false);
    if eat(text, b'T') || eat(text, b't') {
        let mut clock = Clock { parts: vec![digits(text, 2)?], half: None };
        for mark in [b':', b':', b'.'] {
            if clock.parts.len() == 1 || text.first() == Some(&mark) {
                if !eat(text, mark) {
                    return None;
                }
                clock.parts.push(if mark == b'.' { thousandths(text)? } else { digits(text, 2)? });
            } else {
                break;
            }
        }
        time = clock.time()?;
        local = text.is_empty();
        if !local && !eat(text, b'Z') && !eat(text, b'z') {
            let east = eat(text, b'+');
            if !east && !eat(text, b'-') {
                return None;
            }
            let hours = digits(text, 2)?;
            eat(text, b':');
            let minutes = digits(text, 2)?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = (hours * 60 + minutes) as f64 * 60_000.0;
            time += if east { -offset } else { offset };
        }
    }
    text.is_empty().then(|| (make_date(days(year, month - 1, day) as f64, time), local))
}

/// Thousandths from the digits after a point, however many.
fn thousandths(text: &mut &[u8]) -> Option<i64> {
    let count = text.iter().take_while(|c| c.is_ascii_digit()).count();
    let (head, rest) = text.split_at(count);
    *text = rest;
    let digit = |at: usize| head.get(at).map_or(0, |c| i64::from(c - b'0'));
    (count > 0).then(|| digit(0) * 100 + digit(1) * 10 + digit(2))
}

/// Hours, minutes, seconds, milliseconds as far as they are known, and the hour that `am` or `pm` begins at.
#[derive(Default)]
struct Clock {
    parts: Vec<i64>,
    half: Option<i64>,
}

impl Clock {
    fn add(&mut self, n: i64) -> Option<()> {
        (self.parts.len() < 4).then(|| self.parts.push(n))
    }

    /// May this number, that no colon follows, be the next part?
    fn wants(&self, n: i64) -> bool {
        match self.parts.len() {
            1 | 2 => n < 60,
            3 => n < 1000,
            _ => false,
        }
    }

    fn time(&self) -> Option<f64> {
        let part = |at: usize| self.parts.get(at).copied().unwrap_or(0);
        let (mut hour, rest) = (part(0), [part(1), part(2), part(3)]);
        if let Some(half) = self.half {
            if hour > 12 {
                return None;
            }
            hour = hour % 12 + half;
        }
        let fits = hour < 24 && rest[0] < 60 && rest[1] < 60 && rest[2] < 1000;
        // Midnight has two names.
        (fits || hour == 24 && rest == [0, 0, 0]).then(|| make_time(hour as f64, rest[0] as f64, rest[1] as f64, rest[2] as f64))
    }
}

/// The numbers of a date in their order, and the month that was named.
#[derive(Default)]
struct Day {
    numbers: Vec<i64>,
    month: Option<i64>,
}

impl Day {
    fn add(&mut self, n: i64) -> Option<()> {
        (self.numbers.len() < 3).then(|| self.numbers.push(n))
    }

    /// Days since 1970.
    fn days(&self) -> Option<f64> {
        let number = |at: usize| self.numbers.get(at).copied().unwrap_or(1);
        let is_day = |n: i64| (1..=31).contains(&n);
        let first = *self.numbers.first()?;
        let (year, month, day) = match self.month {
            None if is_day(first) => (number(2), first, number(1)),
            None => (first, number(1), number(2)),
            Some(month) if is_day(first) => (number(1), month, first),
            Some(month) => (first, month, number(1)),
        };
        let year = match year {
            0..=49 => year + 2000,
            50..=99 => year + 1900,
            _ => year,
        };
        ((1..=12).contains(&month) && is_day(day)).then(|| days(year, month - 1, day) as f64)
    }
}

/// How far local time is ahead of UTC.
#[derive(Default)]
struct Offset {
    /// 1 or -1.
    sign: Option<i64>,
    hours: Option<i64>,
    minutes: Option<i64>,
}

impl Offset {
    fn of_hours(hours: i64) -> Self {
        Self { sign: Some(if hours < 0 { -1 } else { 1 }), hours: Some(hours.abs()), minutes: Some(0) }
    }

    fn milliseconds(&self) -> Option<f64> {
        let sign = self.sign?;
        Some((sign * (self.hours.unwrap_or(0) * 60 + self.minutes.unwrap_or(0)) * 60_000) as f64)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Token {
    End,
    /// Its value and how many digits it was written with.
    Number(i64, usize),
    /// One of `:-+.)`.
    Mark(u8),
    /// What it means.
    Word(Word),
    Space,
    Other,
}

#[derive(Clone, Copy, PartialEq)]
enum Word {
    Month(i64),
    /// The hour that the half of a day begins at.
    Half(i64),
    /// Hours ahead of UTC.
    Zone(i64),
    Unknown,
}

fn word(text: &str) -> Word {
    let head: String = text.chars().take(3).collect();
    if let Some(month) = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(&head)) {
        return Word::Month(month as i64 + 1);
    }
    match text.to_ascii_lowercase().as_str() {
        "am" => Word::Half(0),
        "pm" => Word::Half(12),
        "ut" | "utc" | "z" | "gmt" => Word::Zone(0),
        "edt" => Word::Zone(-4),
        "est" | "cdt" => Word::Zone(-5),
        "cst" | "mdt" => Word::Zone(-6),
        "mst" | "pdt" => Word::Zone(-7),
        "pst" => Word::Zone(-8),
        _ => Word::Unknown,
    }
}

struct Tokens<'a> {
    text: &'a str,
}

impl Tokens<'_> {
    fn peek(&self) -> (Token, usize) {
        let text = self.text;
        let run = |belongs: fn(char) -> bool| text.find(|c| !belongs(c)).unwrap_or(text.len());
        let is_space = crate::number::is_space;
        match text.chars().next() {
            None => (Token::End, 0),
            Some('0'..='9') => {
                let length = run(|c| c.is_ascii_digit());
                let digits = text[..length].trim_start_matches('0');
                // More than nine digits say nothing.
                (Token::Number(digits[..digits.len().min(9)].parse().unwrap_or(0), length), length)
            }
            Some(c @ (':' | '-' | '+' | '.' | ')')) => (Token::Mark(c as u8), 1),
            Some(c) if is_space(c) => (Token::Space, c.len_utf8()),
            Some('A'..) => {
                let length = run(|c| c >= 'A' && !crate::number::is_space(c));
                (Token::Word(word(&text[..length])), length)
            }
            Some('(') => {
                let mut depth = 0i64;
                let end = text.char_indices().find_map(|(at, c)| {
                    depth += i64::from(c == '(') - i64::from(c == ')');
                    (depth == 0).then_some(at + 1)
                });
                (Token::Other, end.unwrap_or(text.len()))
            }
            Some(c) => (Token::Other, c.len_utf8()),
        }
    }

    fn next(&mut self) -> Token {
        let (token, length) = self.peek();
        self.text = &self.text[length..];
        token
    }

    fn skip(&mut self, mark: u8) -> bool {
        let found = self.peek().0 == Token::Mark(mark);
        if found {
            self.next();
        }
        found
    }
}

/// Anything that tells a day: "Thu, 01 Jan 1970 00:00:00 GMT", "Jan 1, 2020 5:30 PM", "1/31/2020", "2024-7".
fn loose(text: &str) -> Option<(f64, bool)> {
    let mut tokens = Tokens { text };
    let (mut day, mut clock, mut zone) = (Day::default(), Clock::default(), Offset::default());
    let mut has_number = false;
    // A sign and six digits at the start are a year.
    let mut below_zero = text.starts_with('-') && matches!((Tokens { text: &text[1..] }).peek(), (Token::Number(1.., 6), _));
    loop {
        match tokens.next() {
            Token::End => break,
            Token::Number(n, _) => {
                has_number = true;
                if tokens.skip(b':') {
                    let twice = tokens.skip(b':');
                    if twice && !clock.parts.is_empty() {
                        return None;
                    }
                    clock.add(n)?;
                    if twice {
                        clock.add(0)?;
                    } else {
                        tokens.skip(b'.');
                    }
                    continue;
                }
                if tokens.skip(b'.') && clock.wants(n) {
                    clock.add(n)?;
                    let mut rest = tokens.text.as_bytes();
                    let part = thousandths(&mut rest)?;
                    tokens.text = &tokens.text[tokens.text.len() - rest.len()..];
                    clock.parts.resize(3, 0);
                    clock.add(part)?;
                } else if zone.hours.is_some() && zone.minutes.is_none() && n < 60 {
                    zone.minutes = Some(n);
                } else if clock.wants(n) {
                    clock.add(n)?;
                    clock.parts.resize(4, 0);
                    if !matches!(
                        tokens.peek().0,
                        Token::End | Token::Space | Token::Word(Word::Zone(0)) | Token::Mark(b'+') | Token::Mark(b'-')
                    ) {
                        return None;
                    }
                } else {
                    day.add(if std::mem::take(&mut below_zero) { -n } else { n })?;
                    tokens.skip(b'-');
                }
            }
            Token::Word(Word::Half(half)) if !clock.parts.is_empty() => clock.half = Some(half),
            Token::Word(Word::Month(month)) => {
                day.month = Some(month);
                tokens.skip(b'-');
            }
            Token::Word(Word::Zone(hours)) if has_number => zone = Offset::of_hours(hours),
            // Other words mean nothing, but only before all numbers and apart from them.
            Token::Word(_) if has_number || matches!(tokens.peek().0, Token::Number(..)) => return None,
            Token::Mark(sign @ (b'+' | b'-')) if !clock.parts.is_empty() || (zone.hours, zone.minutes) == (Some(0), Some(0)) => {
                let (mut n, mut length) = (0, 0);
                if let (Token::Number(value, digits), _) = tokens.peek() {
                    (n, length) = (value, digits);
                    tokens.next();
                }
                has_number = true;
                let (hours, minutes) = match length {
                    _ if tokens.peek().0 == Token::Mark(b':') => (n, None),
                    1 | 2 => (n, Some(0)),
                    3 | 4 => (n / 100, Some(n % 100)),
                    _ => return None,
                };
                zone = Offset { sign: Some(if sign == b'+' { 1 } else { -1 }), hours: Some(hours), minutes };
            }
            // "Jan 01 -0001": a year before 0 as toString writes it.
            Token::Mark(b'-') if day.month.is_some() && day.numbers.len() == 1 && clock.parts.is_empty() => below_zero = true,
            Token::Mark(b'+' | b'-' | b')') if has_number => return None,
            Token::Word(_) | Token::Mark(_) | Token::Space | Token::Other => {}
        }
    }
    let offset = zone.milliseconds();
    Some((make_date(day.days()?, clock.time()?) - offset.unwrap_or(0.0), offset.is_none()))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn people_write_dates_in_many_ways() {
        let noon = 1_580_428_800_000.0 + 43_200_000.0;
        for written in ["Jan 31, 2020 12:00 PM", "31 January 2020 12:00:00 UTC", "1/31/2020 12:00", "Fri Jan 31 2020 14:00:00 GMT+0200"] {
            assert_eq!(parse(written).map(|(time, _)| time), Some(noon), "{written}");
        }
        for written in ["", "hello", "2020-13-01", "2020-02-32T00:00:00Z", "-000000-01-01T00:00:00Z"] {
            assert_eq!(parse(written), None, "{written}");
        }
        // As in V8: a day that the month does not have is one of the next month.
        assert_eq!(parse("2020-02-30T00:00:00Z"), parse("2020-03-01T00:00:00Z"));
    }

    #[test]
    fn what_is_left_out_is_the_first_and_of_this_century() {
        let midnight = |text: &str| parse(text).map(|(time, local)| (time / 86_400_000.0, local));
        for (written, day) in
            [("Sep 1969", -122.0), ("2024-7", 19_905.0), ("0", 10_957.0), ("49", 28_855.0), ("50/6/11", -7_144.0), ("May 4", 11_446.0)]
        {
            assert_eq!(midnight(written), Some((day, true)), "{written}");
        }
        assert_eq!(midnight("2024-07"), Some((19_905.0, false)));
    }
}
