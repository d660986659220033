//! What crosses the hatch by copy, and what it may hold.

use dashu_int::IBig;
use indexmap::IndexMap;

use crate::reference::Ref;
use crate::{Error, TransferError};

/// What crosses by copy. Bounded in depth and size by [`Bounds`] wherever it comes from a guest or from bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer of any size.
    Integer(IBig),
    /// A float; NaNs are canonical.
    Float(f64),
    /// Well-formed Unicode.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Value>),
    /// A map with text keys, in order of insertion.
    Map(IndexMap<String, Value>),
}

/// What crosses a call: a [`Value`], a reference, or lists and maps of them.
///
/// The two kinds of reference say on whose side of the hatch the object lives, seen from the guest.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A copy.
    Value(Value),
    /// An object of the outside, lent to this guest; the reference is an entry of the cell's table of lent objects.
    Lent(Ref),
    /// An object of this guest's own, handed out; the reference is an entry of the guest's table of exports.
    Own(Ref),
    /// A list with references somewhere in it.
    List(Vec<Argument>),
    /// A map with references somewhere in it.
    Map(IndexMap<String, Argument>),
}

impl Default for Argument {
    fn default() -> Self {
        Self::Value(Value::Null)
    }
}

impl Value {
    /// An integer.
    pub fn integer(value: impl Into<IBig>) -> Self {
        Self::Integer(value.into())
    }

    /// A text.
    pub fn text(value: impl Into<String>) -> Self {
        Self::Text(value.into())
    }

    /// The integer, if it is one and fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => i64::try_from(value).ok(),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes, if it is bytes.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The kind in words, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Integer(_) => "integer",
            Self::Float(_) => "float",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }
}

macro_rules! value_from {
    ($($type:ty => $make:expr),* $(,)?) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                let make: fn($type) -> Value = $make;
                make(value)
            }
        }
        impl From<$type> for Argument {
            fn from(value: $type) -> Self {
                Self::Value(value.into())
            }
        }
    )*};
}

value_from! {
    () => |()| Value::Null,
    bool => Value::Bool,
    i32 => |value| Value::Integer(value.into()),
    u32 => |value| Value::Integer(value.into()),
    i64 => |value| Value::Integer(value.into()),
    u64 => |value| Value::Integer(value.into()),
    IBig => Value::Integer,
    f64 => |value| Value::Float(if value.is_nan() { f64::NAN } else { value }),
    String => Value::Text,
    &str => |value| Value::Text(value.to_owned()),
    Vec<u8> => Value::Bytes,
    Vec<Value> => Value::List,
}

impl From<Value> for Argument {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

impl Argument {
    /// The value, when no reference is in it.
    ///
    /// # Errors
    /// [`TransferError`] when there is one: a reference means nothing outside the cell it was made for.
    pub fn into_value(self) -> Result<Value, TransferError> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Lent(_) | Self::Own(_) => Err(TransferError::new("a reference", "only plain values are taken here")),
            Self::List(items) => Ok(Value::List(items.into_iter().map(Self::into_value).collect::<Result<_, _>>()?)),
            Self::Map(entries) => {
                Ok(Value::Map(entries.into_iter().map(|(key, item)| Ok((key, item.into_value()?))).collect::<Result<_, TransferError>>()?))
            }
        }
    }

    /// The value, if it is a plain one.
    pub fn as_value(&self) -> Option<&Value> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }

    /// Calls `visit` for every reference inside.
    pub(crate) fn try_map_refs<E>(self, visit: &mut impl FnMut(Self) -> Result<Self, E>) -> Result<Self, E> {
        match self {
            Self::Value(_) => Ok(self),
            Self::Lent(_) | Self::Own(_) => visit(self),
            Self::List(items) => Ok(Self::List(items.into_iter().map(|item| item.try_map_refs(visit)).collect::<Result<_, _>>()?)),
            Self::Map(entries) => {
                Ok(Self::Map(entries.into_iter().map(|(key, item)| Ok((key, item.try_map_refs(visit)?))).collect::<Result<_, _>>()?))
            }
        }
    }
}

/// How deep and how large a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Nesting of lists and maps.
    pub depth: u32,
    /// Number of values of any kind, map keys not counted.
    pub nodes: u32,
    /// Bytes of text, bytes, keys and integers together.
    pub bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { depth: 64, nodes: 1 << 20, bytes: 64 << 20 }
    }
}

impl Bounds {
    /// Checks a value made by the host.
    ///
    /// # Errors
    /// [`TransferError`] that says which bound it breaks.
    pub fn check(&self, argument: &Argument) -> Result<(), TransferError> {
        encode(argument, self).map(|_| ()).map_err(|error| match error {
            Error::Transfer(error) => error,
            other => TransferError::new("the value", other.to_string()),
        })
    }
}

mod tag {
    pub(super) const NULL: u8 = 0;
    pub(super) const FALSE: u8 = 1;
    pub(super) const TRUE: u8 = 2;
    pub(super) const INTEGER: u8 = 3;
    pub(super) const FLOAT: u8 = 4;
    pub(super) const TEXT: u8 = 5;
    pub(super) const BYTES: u8 = 6;
    pub(super) const LIST: u8 = 7;
    pub(super) const MAP: u8 = 8;
    pub(super) const LENT: u8 = 9;
    pub(super) const OWN: u8 = 10;
}

/// Writes a value as bytes: a tag, then lengths as LEB128, numbers little-endian. Never recurses deeper than the bounds say.
///
/// # Errors
/// [`Error::Transfer`] beyond the bounds.
pub fn encode(argument: &Argument, bounds: &Bounds) -> Result<Vec<u8>, Error> {
    let mut writer = Writer { out: Vec::new(), nodes: bounds.nodes, bytes: bounds.bytes };
    writer.argument(argument, bounds.depth)?;
    Ok(writer.out)
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// [`Error::Damaged`] for bytes that are no value, [`Error::Transfer`] for one beyond the bounds.
pub fn decode(bytes: &[u8], bounds: &Bounds) -> Result<Argument, Error> {
    let mut reader = Reader { rest: bytes, nodes: bounds.nodes, bytes: bounds.bytes };
    let argument = reader.argument(bounds.depth)?;
    if reader.rest.is_empty() { Ok(argument) } else { Err(damaged("there are bytes behind the value")) }
}

fn damaged(why: &str) -> Error {
    Error::Damaged(format!("not a value: {why}"))
}

fn too(why: &str) -> Error {
    Error::Transfer(TransferError::new("the value", why))
}

struct Writer {
    out: Vec<u8>,
    nodes: u32,
    bytes: u64,
}

impl Writer {
    fn length(&mut self, mut length: u64) {
        while length >= 0x80 {
            self.out.push(length as u8 | 0x80);
            length >>= 7;
        }
        self.out.push(length as u8);
    }

    fn node(&mut self, tag: u8) -> Result<(), Error> {
        self.nodes = self.nodes.checked_sub(1).ok_or_else(|| too("it has too many parts"))?;
        self.out.push(tag);
        Ok(())
    }

    fn blob(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.bytes = self.bytes.checked_sub(bytes.len() as u64).ok_or_else(|| too("it is too large"))?;
        self.length(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn reference(&mut self, tag: u8, reference: Ref) -> Result<(), Error> {
        self.node(tag)?;
        self.out.extend_from_slice(&reference.index.to_le_bytes());
        self.out.extend_from_slice(&reference.generation.to_le_bytes());
        Ok(())
    }

    fn value(&mut self, value: &Value, depth: u32) -> Result<(), Error> {
        match value {
            Value::Null => self.node(tag::NULL),
            Value::Bool(false) => self.node(tag::FALSE),
            Value::Bool(true) => self.node(tag::TRUE),
            Value::Integer(integer) => {
                self.node(tag::INTEGER)?;
                let (sign, magnitude) = integer.clone().into_parts();
                self.out.push(u8::from(sign == dashu_int::Sign::Negative));
                self.blob(&magnitude.to_le_bytes())
            }
            Value::Float(float) => {
                self.node(tag::FLOAT)?;
                let bits = if float.is_nan() { f64::NAN.to_bits() } else { float.to_bits() };
                self.out.extend_from_slice(&bits.to_le_bytes());
                Ok(())
            }
            Value::Text(text) => {
                self.node(tag::TEXT)?;
                self.blob(text.as_bytes())
            }
            Value::Bytes(bytes) => {
                self.node(tag::BYTES)?;
                self.blob(bytes)
            }
            Value::List(items) => {
                self.open(tag::LIST, items.len())?;
                let depth = deeper(depth)?;
                items.iter().try_for_each(|item| self.value(item, depth))
            }
            Value::Map(entries) => {
                self.open(tag::MAP, entries.len())?;
                let depth = deeper(depth)?;
                entries.iter().try_for_each(|(key, item)| {
                    self.blob(key.as_bytes())?;
                    self.value(item, depth)
                })
            }
        }
    }

    fn open(&mut self, tag: u8, length: usize) -> Result<(), Error> {
        self.node(tag)?;
        self.length(length as u64);
        Ok(())
    }

    fn argument(&mut self, argument: &Argument, depth: u32) -> Result<(), Error> {
        match argument {
            Argument::Value(value) => self.value(value, depth),
            Argument::Lent(reference) => self.reference(tag::LENT, *reference),
            Argument::Own(reference) => self.reference(tag::OWN, *reference),
            Argument::List(items) => {
                self.open(tag::LIST, items.len())?;
                let depth = deeper(depth)?;
                items.iter().try_for_each(|item| self.argument(item, depth))
            }
            Argument::Map(entries) => {
                self.open(tag::MAP, entries.len())?;
                let depth = deeper(depth)?;
                entries.iter().try_for_each(|(key, item)| {
                    self.blob(key.as_bytes())?;
                    self.argument(item, depth)
                })
            }
        }
    }
}

fn deeper(depth: u32) -> Result<u32, Error> {
    depth.checked_sub(1).ok_or_else(|| too("it is nested too deeply"))
}

struct Reader<'a> {
    rest: &'a [u8],
    nodes: u32,
    bytes: u64,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or_else(|| damaged("it ends too early"))?;
        self.rest = rest;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.take(1)?[0])
    }

    fn word(&mut self) -> Result<u32, Error> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn length(&mut self) -> Result<usize, Error> {
        let mut length = 0u64;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            length |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return usize::try_from(length).map_err(|_| damaged("a length is too large"));
            }
        }
        Err(damaged("a length is too large"))
    }

    fn blob(&mut self) -> Result<&'a [u8], Error> {
        let length = self.length()?;
        self.bytes = self.bytes.checked_sub(length as u64).ok_or_else(|| too("it is too large"))?;
        self.take(length)
    }

    fn text(&mut self) -> Result<String, Error> {
        let bytes = self.blob()?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| damaged("a text is not UTF-8"))
    }

    fn reference(&mut self) -> Result<Ref, Error> {
        Ok(Ref { index: self.word()?, generation: self.word()? })
    }

    fn argument(&mut self, depth: u32) -> Result<Argument, Error> {
        self.nodes = self.nodes.checked_sub(1).ok_or_else(|| too("it has too many parts"))?;
        Ok(Argument::Value(match self.byte()? {
            tag::NULL => Value::Null,
            tag::FALSE => Value::Bool(false),
            tag::TRUE => Value::Bool(true),
            tag::INTEGER => {
                let negative = self.byte()? != 0;
                let magnitude = IBig::from(dashu_int::UBig::from_le_bytes(self.blob()?));
                Value::Integer(if negative { -magnitude } else { magnitude })
            }
            tag::FLOAT => {
                let bytes = self.take(8)?;
                let mut word = [0; 8];
                word.copy_from_slice(bytes);
                f64::from_le_bytes(word).into()
            }
            tag::TEXT => Value::Text(self.text()?),
            tag::BYTES => Value::Bytes(self.blob()?.to_vec()),
            tag::LIST => {
                let length = self.length()?;
                let depth = deeper(depth)?;
                let mut items = Vec::new();
                for _ in 0..length {
                    items.push(self.argument(depth)?);
                }
                return Ok(collapse_list(items));
            }
            tag::MAP => {
                let length = self.length()?;
                let depth = deeper(depth)?;
                let mut entries = IndexMap::new();
                for _ in 0..length {
                    let key = self.text()?;
                    entries.insert(key, self.argument(depth)?);
                }
                return Ok(collapse_map(entries));
            }
            tag::LENT => return Ok(Argument::Lent(self.reference()?)),
            tag::OWN => return Ok(Argument::Own(self.reference()?)),
            _ => return Err(damaged("an unknown tag")),
        }))
    }
}

/// A list of plain values is a plain value.
fn collapse_list(items: Vec<Argument>) -> Argument {
    if items.iter().all(|item| matches!(item, Argument::Value(_))) {
        Argument::Value(Value::List(
            items.into_iter().filter_map(|item| if let Argument::Value(value) = item { Some(value) } else { None }).collect(),
        ))
    } else {
        Argument::List(items)
    }
}

/// A map of plain values is a plain value.
fn collapse_map(entries: IndexMap<String, Argument>) -> Argument {
    if entries.values().all(|item| matches!(item, Argument::Value(_))) {
        Argument::Value(Value::Map(
            entries
                .into_iter()
                .filter_map(|(key, item)| if let Argument::Value(value) = item { Some((key, value)) } else { None })
                .collect(),
        ))
    } else {
        Argument::Map(entries)
    }
}

impl serde::Serialize for Argument {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = encode(self, &Bounds::default()).map_err(serde::ser::Error::custom)?;
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> serde::Deserialize<'de> for Argument {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Through our own reader, because a derived one recurses as deep as hostile bytes say.
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Argument;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an encoded value")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Argument, E> {
                decode(bytes, &Bounds::default()).map_err(E::custom)
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arguments() -> impl Strategy<Value = Argument> {
        let leaf = prop_oneof![
            Just(Argument::default()),
            any::<bool>().prop_map(Argument::from),
            any::<i64>().prop_map(Argument::from),
            any::<(i64, i64)>().prop_map(|(a, b)| Argument::from(IBig::from(a) * IBig::from(b) * IBig::from(b))),
            (-1e300f64..1e300).prop_map(Argument::from),
            ".{0,8}".prop_map(Argument::from),
            proptest::collection::vec(any::<u8>(), 0..8).prop_map(Argument::from),
            any::<(u32, u32)>().prop_map(|(index, generation)| Argument::Lent(Ref { index, generation })),
            any::<(u32, u32)>().prop_map(|(index, generation)| Argument::Own(Ref { index, generation })),
        ];
        leaf.prop_recursive(5, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(collapse_list),
                proptest::collection::vec((".{0,4}", inner), 0..8).prop_map(|entries| collapse_map(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(argument in arguments()) {
            let bytes = encode(&argument, &Bounds::default()).unwrap();
            prop_assert_eq!(decode(&bytes, &Bounds::default()).unwrap(), argument);
        }

        #[test]
        fn any_bytes_are_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&bytes, &Bounds::default());
        }
    }

    #[test]
    fn depth_is_bounded_both_ways() {
        let bounds = Bounds { depth: 3, ..Bounds::default() };
        let nested = |depth| (0..depth).fold(Value::Null, |inner, _| Value::List(vec![inner])).into();
        assert!(encode(&nested(3), &bounds).is_ok());
        assert!(matches!(encode(&nested(4), &bounds), Err(Error::Transfer(_))));
        let deep: Vec<u8> = [tag::LIST, 1].repeat(100_000);
        assert!(matches!(decode(&deep, &Bounds::default()), Err(Error::Transfer(_))));
    }

    #[test]
    fn a_length_that_lies_allocates_nothing() {
        assert!(decode(&[tag::LIST, 0xff, 0xff, 0xff, 0xff, 0x0f], &Bounds::default()).is_err());
        assert!(decode(&[tag::BYTES, 0xff, 0xff, 0xff, 0xff, 0x0f], &Bounds::default()).is_err());
    }
}
