//! Values, how they are shown, and the functions on them.

use crate::Fault;

/// The longest list, as on the calculator.
pub(crate) const LONGEST_LIST: usize = 999;

/// The longest text, in bytes.
pub(crate) const LONGEST_TEXT: usize = 1 << 20;

/// What expressions come to. There are no complex numbers and no matrices.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    Text(String),
    List(Vec<f64>),
}

impl Value {
    pub(crate) fn number(&self) -> Result<f64, Fault> {
        if let Self::Number(value) = self { Ok(*value) } else { Err(Fault::new("DATA TYPE")) }
    }

    pub(crate) fn text(&self) -> Result<&str, Fault> {
        if let Self::Text(text) = self { Ok(text) } else { Err(Fault::new("DATA TYPE")) }
    }

    pub(crate) fn list(&self) -> Result<&[f64], Fault> {
        if let Self::List(list) = self { Ok(list) } else { Err(Fault::new("DATA TYPE")) }
    }

    /// The value as the calculator's screen shows it.
    pub(crate) fn show(&self) -> String {
        match self {
            Self::Number(value) => show(*value),
            Self::Text(text) => text.clone(),
            Self::List(list) => format!("{{{}}}", list.iter().map(|value| show(*value)).collect::<Vec<_>>().join(" ")),
        }
    }
}

/// A number with at most ten digits, without the zero before the point.
pub(crate) fn show(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{value:.9e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() };
    if !(-3..10).contains(&exponent) {
        return format!("{}ᴇ{exponent}", trim(digits));
    }
    let places = usize::try_from(9 - exponent).unwrap_or(0);
    let plain = trim(&format!("{value:.places$}"));
    plain.strip_prefix("0.").map(|rest| format!(".{rest}")).or_else(|| plain.strip_prefix("-0.").map(|r| format!("-.{r}"))).unwrap_or(plain)
}

/// A result that the calculator can hold.
pub(crate) fn finite(value: f64) -> Result<f64, Fault> {
    if value.is_nan() {
        Err(Fault::new("DOMAIN"))
    } else if value.abs() >= 1e100 {
        Err(Fault::new("OVERFLOW"))
    } else {
        Ok(value)
    }
}

/// A whole number that can be an index or a size.
pub(crate) fn whole(value: f64) -> Result<usize, Fault> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    if value.fract() == 0.0 && (0.0..1e9).contains(&value) { Ok(value as usize) } else { Err(Fault::new("DOMAIN")) }
}

pub(crate) fn list(items: Vec<f64>) -> Result<Value, Fault> {
    if items.len() > LONGEST_LIST { Err(Fault::new("INVALID DIM")) } else { Ok(Value::List(items)) }
}

/// Applies to a number, or to every item of a list.
pub(crate) fn map(value: &Value, work: impl Fn(f64) -> Result<f64, Fault>) -> Result<Value, Fault> {
    match value {
        Value::Number(value) => work(*value).map(Value::Number),
        Value::List(items) => items.iter().map(|item| work(*item)).collect::<Result<_, _>>().map(Value::List),
        Value::Text(_) => Err(Fault::new("DATA TYPE")),
    }
}

/// Applies to two numbers, a number and every item, or items in pairs.
pub(crate) fn zip(left: &Value, right: &Value, work: impl Fn(f64, f64) -> Result<f64, Fault>) -> Result<Value, Fault> {
    match (left, right) {
        (Value::List(a), Value::List(b)) if a.len() != b.len() => Err(Fault::new("DIM MISMATCH")),
        (Value::List(a), Value::List(b)) => a.iter().zip(b).map(|(a, b)| work(*a, *b)).collect::<Result<_, _>>().map(Value::List),
        (Value::Number(a), other) => map(other, |b| work(*a, b)),
        (other, Value::Number(b)) => map(other, |a| work(a, *b)),
        _ => Err(Fault::new("DATA TYPE")),
    }
}

/// An operator between two values.
pub(crate) fn binary(sign: char, left: &Value, right: &Value) -> Result<Value, Fault> {
    let truth = |holds: bool| Ok(f64::from(u8::from(holds)));
    if let (Value::Text(a), Value::Text(b)) = (left, right) {
        return match sign {
            '+' if a.len() + b.len() <= LONGEST_TEXT => Ok(Value::Text(format!("{a}{b}"))),
            '+' => Err(Fault::new("MEMORY")),
            '=' => truth(a == b).map(Value::Number),
            '≠' => truth(a != b).map(Value::Number),
            _ => Err(Fault::new("DATA TYPE")),
        };
    }
    zip(left, right, |a, b| match sign {
        '+' => finite(a + b),
        '-' => finite(a - b),
        '×' => finite(a * b),
        '÷' if b == 0.0 => Err(Fault::new("DIVIDE BY 0")),
        '÷' => finite(a / b),
        '^' if a == 0.0 && b <= 0.0 => Err(Fault::new("DOMAIN")),
        '^' => finite(a.powf(b)),
        '=' => truth(a == b),
        '≠' => truth(a != b),
        '<' => truth(a < b),
        '>' => truth(a > b),
        '≤' => truth(a <= b),
        '≥' => truth(a >= b),
        '&' => truth(a != 0.0 && b != 0.0),
        '|' => truth(a != 0.0 || b != 0.0),
        '~' => truth((a != 0.0) != (b != 0.0)),
        _ => Err(Fault::new("SYNTAX")),
    })
}

pub(crate) fn factorial(value: f64) -> Result<f64, Fault> {
    let count = whole(value)?;
    if count > 69 {
        return Err(Fault::new("OVERFLOW"));
    }
    Ok((1..=count).map(|factor| factor as f64).product())
}

pub(crate) fn divisor(a: f64, b: f64) -> Result<f64, Fault> {
    let (mut a, mut b) = (whole(a.abs())?, whole(b.abs())?);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    Ok(a as f64)
}

pub(crate) fn median(items: &[f64]) -> Result<f64, Fault> {
    let mut sorted = items.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => Err(Fault::new("STAT")),
        length if length % 2 == 1 => Ok(sorted[middle]),
        _ => Ok((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}
