//! Numbers and text.

/// The standard's Number::toString for radix 10.
pub(crate) fn to_text(n: f64) -> String {
    let i = n as i64;
    if i as f64 == n && i.unsigned_abs() < 1 << 53 {
        return i.to_string();
    }
    ryu_js::Buffer::new().format(n).to_owned()
}

/// Is this unit white space or a line terminator?
pub(crate) fn is_space(c: char) -> bool {
    matches!(
        c,
        '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{feff}'
    )
}

/// The standard's StringToNumber.
pub(crate) fn parse(text: &str) -> f64 {
    let text = text.trim_matches(is_space);
    if text.is_empty() {
        return 0.0;
    }
    let bytes = text.as_bytes();
    if bytes[0] == b'0' && bytes.len() > 2 {
        let radix = match bytes[1] | 0x20 {
            b'x' => 16,
            b'o' => 8,
            b'b' => 2,
            _ => 0,
        };
        if radix != 0 {
            return parse_radix(&bytes[2..], radix).unwrap_or(f64::NAN);
        }
    }
    parse_decimal(text).filter(|&(_, used)| used == text.len()).map_or(f64::NAN, |(n, _)| n)
}

/// Digits in a power-of-two or any radix to the nearest double; `None` if any is no digit.
pub(crate) fn parse_radix(digits: &[u8], radix: u32) -> Option<f64> {
    if digits.is_empty() {
        return None;
    }
    let mut value = 0.0f64;
    let mut exact = true;
    for &d in digits {
        let digit = char::from(d).to_digit(radix)?;
        value = value * f64::from(radix) + f64::from(digit);
        exact &= value < 9_007_199_254_740_992.0;
    }
    if exact || digits.len() > 1100 {
        return Some(value);
    }
    // Past 53 bits rounding matters: through a big integer.
    let text: String = digits.iter().map(|&d| char::from(d)).collect();
    let big = dashu_int::UBig::from_str_radix(&text, radix).ok()?;
    Some(big.to_f64().value())
}

/// The longest decimal literal at the start (StrDecimalLiteral): its value and length in bytes.
pub(crate) fn parse_decimal(text: &str) -> Option<(f64, usize)> {
    let bytes = text.as_bytes();
    let mut at = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    if text[at..].starts_with("Infinity") {
        return Some((if bytes[0] == b'-' { f64::NEG_INFINITY } else { f64::INFINITY }, at + 8));
    }
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = digits(at);
    at += whole;
    let mut fraction = 0;
    if bytes.get(at) == Some(&b'.') {
        fraction = digits(at + 1);
        if whole + fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if whole + fraction == 0 {
        return None;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at + 1 + sign);
        if exponent > 0 {
            at += 1 + sign + exponent;
        }
    }
    text[..at].parse::<f64>().ok().map(|n| (n, at))
}
