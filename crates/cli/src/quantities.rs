//! Quantities as people write them: `1M` of memory, `10M` of fuel, `50ms` of time.

use std::time::Duration;

use oubliette::Bound;

const NONE: &str = "none";

/// Bytes: a number with K, M or G for powers of 1,024, or `none` for no limit.
pub(crate) fn bytes(text: &str) -> Result<Bound<u64>, String> {
    scaled(text, 1024, "a size such as 64K, 1M or 2G, or none")
}

/// Bytes of something that has to have an end.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    match bytes(text)? {
        Bound::At(size) => Ok(size),
        Bound::Unlimited | Bound::Default => Err("expected a size such as 64K, 1M or 2G".to_owned()),
    }
}

/// Units of fuel: a number with K, M or G for powers of 1,000, or `none` for no limit.
pub(crate) fn units(text: &str) -> Result<Bound<u64>, String> {
    scaled(text, 1000, "a number such as 50000, 10M or 2G, or none")
}

/// A depth of calls, or `none`.
pub(crate) fn calls(text: &str) -> Result<Bound<u32>, String> {
    match units(text)? {
        Bound::At(value) => u32::try_from(value).map(Bound::At).map_err(|_| "at most 4294967295".to_owned()),
        Bound::Unlimited | Bound::Default => Ok(Bound::Unlimited),
    }
}

fn scaled(text: &str, step: u64, expected: &str) -> Result<Bound<u64>, String> {
    if text == NONE {
        return Ok(Bound::Unlimited);
    }
    let wrong = || format!("expected {expected}");
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" => 1,
        "k" | "K" => step,
        "m" | "M" => step * step,
        "g" | "G" => step * step * step,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.replace('_', "").parse().map_err(|_| wrong())?;
    number.checked_mul(factor).map(Bound::At).ok_or_else(|| "this is more than fits into 64 bits".to_owned())
}

/// A time: a number with `ms`, `s`, `m` or `h`, or `none` for no limit.
pub(crate) fn time(text: &str) -> Result<Bound<Duration>, String> {
    if text == NONE {
        return Ok(Bound::Unlimited);
    }
    let wrong = || "expected a time such as 50ms, 2s, 1.5s or 1m, or none".to_owned();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * unit).map(Bound::At).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_units_scale_differently() {
        assert_eq!(bytes("1M"), Ok(Bound::At(1 << 20)));
        assert_eq!(units("1M"), Ok(Bound::At(1_000_000)));
        assert_eq!(units("10_000"), Ok(Bound::At(10_000)));
        assert_eq!(bytes("none"), Ok(Bound::Unlimited));
        for wrong in ["", "M", "1T", "-1", "1.5M", "99999999999999999999", "20000000000G"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(time("50ms"), Ok(Bound::At(Duration::from_millis(50))));
        assert_eq!(time("1.5s"), Ok(Bound::At(Duration::from_millis(1500))));
        assert_eq!(time("2m"), Ok(Bound::At(Duration::from_secs(120))));
        assert_eq!(time("none"), Ok(Bound::Unlimited));
        for wrong in ["50", "ms", "-1s", "1e999s", "nans"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
