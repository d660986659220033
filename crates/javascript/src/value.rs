//! A value: 64 bits, NaN-boxed.
//!
//! Bit patterns below `0xfff9 << 48` are doubles (NaN always as `0x7ff8 << 48`); above, the top 16
//! bits are a tag and the low 32 a payload. Nothing here touches memory.

/// One script value, or one of the engine's markers.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Value(pub(crate) u64);

const INT: u64 = 0xfff9;
const OBJECT: u64 = 0xfffa;
const STRING: u64 = 0xfffb;
const SPECIAL: u64 = 0xfffc;
const SYMBOL: u64 = 0xfffd;
const BIGINT: u64 = 0xfffe;
const NATIVE: u64 = 0xffff;
const CANONICAL_NAN: u64 = 0x7ff8 << 48;

const fn special(n: u64) -> Value {
    Value(SPECIAL << 48 | n)
}

impl Value {
    pub(crate) const FALSE: Value = special(0);
    pub(crate) const TRUE: Value = special(1);
    pub(crate) const UNDEFINED: Value = special(2);
    pub(crate) const NULL: Value = special(3);
    /// An absent array element, the end of an iteration, "no value" between engine and library.
    pub(crate) const HOLE: Value = special(4);
    /// A binding in its temporal dead zone; a class without heritage.
    pub(crate) const UNINITIALISED: Value = special(5);
    pub(crate) const ZERO: Value = Value::int(0);
    pub(crate) const NAN: Value = Value(CANONICAL_NAN);

    #[inline(always)]
    pub(crate) const fn int(n: i32) -> Value {
        Value(INT << 48 | n as u32 as u64)
    }

    /// A double as it is (no search for an int form). NaN becomes canonical.
    #[inline(always)]
    pub(crate) fn double(n: f64) -> Value {
        if n.is_nan() { Value::NAN } else { Value(n.to_bits()) }
    }

    /// A number in its shortest form: int where it is one and not -0.
    #[inline(always)]
    pub(crate) fn number(n: f64) -> Value {
        let i = n as i32;
        if f64::from(i) == n && (i != 0 || n.to_bits() == 0) { Value::int(i) } else { Value::double(n) }
    }

    /// A double of a computation that mostly stays fractional: canonical NaN, ints found only by the readers that care.
    #[inline(always)]
    pub(crate) fn number_fast(n: f64) -> Value {
        Value::double(n)
    }

    pub(crate) fn unsigned(n: u32) -> Value {
        if n <= i32::MAX as u32 { Value::int(n as i32) } else { Value::double(f64::from(n)) }
    }

    #[inline(always)]
    pub(crate) const fn boolean(b: bool) -> Value {
        special(b as u64)
    }

    #[inline(always)]
    pub(crate) const fn object(offset: u32) -> Value {
        Value(OBJECT << 48 | offset as u64)
    }

    #[inline(always)]
    pub(crate) const fn string(offset: u32) -> Value {
        Value(STRING << 48 | offset as u64)
    }

    pub(crate) const fn symbol(offset: u32) -> Value {
        Value(SYMBOL << 48 | offset as u64)
    }

    pub(crate) const fn bigint(offset: u32) -> Value {
        Value(BIGINT << 48 | offset as u64)
    }

    /// Library function number `n`, not (yet) an object.
    pub(crate) const fn native(n: u32) -> Value {
        Value(NATIVE << 48 | n as u64)
    }

    #[inline(always)]
    const fn tag(self) -> u64 {
        self.0 >> 48
    }

    #[inline(always)]
    pub(crate) const fn is_int(self) -> bool {
        self.tag() == INT
    }

    #[inline(always)]
    pub(crate) const fn is_double(self) -> bool {
        self.0 < INT << 48
    }

    #[inline(always)]
    pub(crate) const fn is_number(self) -> bool {
        self.0 < OBJECT << 48
    }

    /// Is the payload an offset of a heap cell? (The collector's question.)
    #[inline(always)]
    pub(crate) const fn is_cell(self) -> bool {
        matches!(self.tag(), OBJECT | STRING | SYMBOL | BIGINT)
    }

    /// An object cell (not a native number).
    #[inline(always)]
    pub(crate) const fn is_object_cell(self) -> bool {
        self.tag() == OBJECT
    }

    #[inline(always)]
    pub(crate) const fn is_native(self) -> bool {
        self.tag() == NATIVE
    }

    /// An object in the language's sense.
    #[inline(always)]
    pub(crate) const fn is_object(self) -> bool {
        self.is_object_cell() || self.is_native()
    }

    #[inline(always)]
    pub(crate) const fn is_string(self) -> bool {
        self.tag() == STRING
    }

    pub(crate) const fn is_symbol(self) -> bool {
        self.tag() == SYMBOL
    }

    pub(crate) const fn is_bigint(self) -> bool {
        self.tag() == BIGINT
    }

    pub(crate) const fn is_boolean(self) -> bool {
        self.0 == Value::TRUE.0 || self.0 == Value::FALSE.0
    }

    #[inline(always)]
    pub(crate) const fn is_undefined(self) -> bool {
        self.0 == Value::UNDEFINED.0
    }

    #[inline(always)]
    pub(crate) const fn is_nullish(self) -> bool {
        self.0 == Value::UNDEFINED.0 || self.0 == Value::NULL.0
    }

    #[inline(always)]
    pub(crate) const fn is_hole(self) -> bool {
        self.0 == Value::HOLE.0
    }

    #[inline(always)]
    pub(crate) const fn is_uninitialised(self) -> bool {
        self.0 == Value::UNINITIALISED.0
    }

    /// The low 32 bits: offset of a cell, number of a native.
    #[inline(always)]
    pub(crate) const fn payload(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    pub(crate) const fn as_int_unchecked(self) -> i32 {
        self.0 as i32
    }

    #[inline(always)]
    pub(crate) fn as_int(self) -> Option<i32> {
        self.is_int().then_some(self.0 as i32)
    }

    #[inline(always)]
    pub(crate) fn as_double_unchecked(self) -> f64 {
        f64::from_bits(self.0)
    }

    /// The number, if it is one.
    #[inline(always)]
    pub(crate) fn as_number(self) -> Option<f64> {
        if self.is_int() {
            Some(f64::from(self.0 as i32))
        } else if self.is_double() {
            Some(f64::from_bits(self.0))
        } else {
            None
        }
    }

    /// An array index (0 ..= 2^32 - 2) held as a number.
    #[inline(always)]
    pub(crate) fn as_index(self) -> Option<u32> {
        if self.is_int() {
            let n = self.0 as i32;
            (n >= 0).then_some(n as u32)
        } else if self.is_double() {
            let n = f64::from_bits(self.0);
            let i = n as u32;
            (f64::from(i) == n && i != u32::MAX && (i != 0 || n.to_bits() == 0)).then_some(i)
        } else {
            None
        }
    }

    /// The offset, if this is an object cell.
    #[inline(always)]
    pub(crate) fn as_object_cell(self) -> Option<u32> {
        self.is_object_cell().then_some(self.0 as u32)
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.tag() {
            INT => write!(f, "{}", self.0 as i32),
            OBJECT => write!(f, "object@{:x}", self.payload()),
            STRING => write!(f, "string@{:x}", self.payload()),
            SYMBOL => write!(f, "symbol@{:x}", self.payload()),
            BIGINT => write!(f, "bigint@{:x}", self.payload()),
            NATIVE => write!(f, "native#{}", self.payload()),
            SPECIAL => {
                f.write_str(["false", "true", "undefined", "null", "hole", "uninitialised"].get(self.payload() as usize).unwrap_or(&"?"))
            }
            _ => write!(f, "{}", f64::from_bits(self.0)),
        }
    }
}

/// The standard's ToInt32.
#[inline(always)]
pub(crate) fn to_int32(n: f64) -> i32 {
    let i = n as i64;
    if i != i64::MAX && i != i64::MIN { i as i32 } else { to_int32_large(n) }
}

#[cold]
fn to_int32_large(n: f64) -> i32 {
    if !n.is_finite() {
        return 0;
    }
    let r = n.trunc() % 4_294_967_296.0;
    r as i64 as i32
}

/// The standard's ToIntegerOrInfinity.
pub(crate) fn to_integer(n: f64) -> f64 {
    if n.is_nan() { 0.0 } else { n.trunc() + 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_their_shortest_form() {
        assert_eq!(Value::number(3.0), Value::int(3));
        assert!(Value::number(-0.0).is_double());
        assert!(Value::number(2147483648.0).is_double());
        assert_eq!(Value::number(f64::NAN), Value::NAN);
        assert_eq!(Value::double(-f64::NAN), Value::NAN);
        assert!(Value::number(f64::NEG_INFINITY).is_double());
        assert_eq!(Value::number(-1.5).as_number(), Some(-1.5));
        assert_eq!(Value::number(4294967294.0).as_index(), Some(u32::MAX - 1));
        assert_eq!(Value::number(4294967295.0).as_index(), None);
        assert_eq!(Value::number(-0.0).as_index(), None);
    }

    #[test]
    fn to_int32_wraps() {
        assert_eq!(to_int32(4294967297.0), 1);
        assert_eq!(to_int32(2147483648.0), i32::MIN);
        assert_eq!(to_int32(-2147483649.0), i32::MAX);
        assert_eq!(to_int32(1e21), -559939584);
        assert_eq!(to_int32(f64::NAN), 0);
        assert_eq!(to_int32(f64::INFINITY), 0);
        assert_eq!(to_int32(9223372036854775808.0), 0);
    }
}
