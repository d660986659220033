//! The messages between the host and the Ruby inside a box: one tagged value, lengths and small numbers in seven bits a byte, other
//! numbers little-endian.
//!
//! What a box sends is hostile until read here: depth, number of parts and every length are checked, and nothing is allocated on
//! a length's word alone.

use cell::{Argument, Ref, TransferError, Value};
use dashu_int::IBig;
use indexmap::IndexMap;

/// Nesting of arrays and hashes.
const MAX_DEPTH: u32 = 64;
/// Parts of one message.
const MAX_PARTS: u32 = 1 << 20;

/// A value as Ruby sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wire {
    Nil,
    Bool(bool),
    Integer(i64),
    Big(IBig),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    /// A string in another encoding than UTF-8 or binary: the encoding's name, and the bytes.
    Encoded(String, Vec<u8>),
    Symbol(String),
    Array(Vec<Wire>),
    Hash(Vec<(Wire, Wire)>),
    /// An object of the sender's own (towards the host), or of the receiver's own (from the host): an entry of its table.
    Own {
        index: u32,
        class: String,
    },
    /// An object of the outside that the box holds a reference to. The class is what the box may call it.
    Lent {
        reference: Ref,
        class: String,
    },
}

/// Why bytes are no message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Wire {
    pub(crate) fn text(text: impl Into<String>) -> Wire {
        Wire::Text(text.into())
    }

    pub(crate) fn as_int(&self) -> Option<i64> {
        if let Wire::Integer(value) = self { Some(*value) } else { None }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Wire::Text(text) | Wire::Symbol(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn into_array(self) -> Option<Vec<Wire>> {
        if let Wire::Array(items) = self { Some(items) } else { None }
    }

    /// Looks up a symbol key.
    pub(crate) fn get(&self, key: &str) -> Option<&Wire> {
        let Wire::Hash(entries) = self else { return None };
        entries.iter().find(|(name, _)| name.as_text() == Some(key)).map(|(_, value)| value)
    }

    /// A number of seconds or units, if it is one that makes sense.
    pub(crate) fn as_number(&self) -> Option<f64> {
        match self {
            Wire::Integer(value) => Some(*value as f64),
            Wire::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The message as bytes. In front stands a zero when it fits in `room` bytes, else a one and its length: it goes in several parts.
    pub(crate) fn to_message(&self, room: u32) -> Vec<u8> {
        let mut out = vec![0];
        self.write(&mut out);
        if out.len() > room as usize {
            let length = u32::try_from(out.len() - 1).unwrap_or(u32::MAX);
            out.splice(..1, [1].into_iter().chain(length.to_le_bytes()));
        }
        out
    }

    /// A message of an order and what goes with it, in a shorter form that Ruby reads faster; nothing if it does not fit that form.
    pub(crate) fn short_message(fields: &[Wire], room: u32) -> Option<Vec<u8>> {
        let [Wire::Integer(order @ 0..=127), rest @ ..] = fields else { return None };
        let mut out = vec![2, *order as u8, u8::try_from(rest.len()).ok()?];
        rest.iter().for_each(|field| field.write(&mut out));
        (out.len() <= room as usize).then_some(out)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        fn size(out: &mut Vec<u8>, size: usize) {
            let mut left = u32::try_from(size).unwrap_or(u32::MAX);
            while left > 127 {
                out.push((left & 127) as u8 | 128);
                left >>= 7;
            }
            out.push(left as u8);
        }
        fn blob(out: &mut Vec<u8>, bytes: &[u8]) {
            size(out, bytes.len());
            out.extend_from_slice(bytes);
        }
        match self {
            Wire::Nil => out.push(b'0'),
            Wire::Bool(true) => out.push(b'T'),
            Wire::Bool(false) => out.push(b'F'),
            Wire::Integer(value @ 0..=127) => out.extend_from_slice(&[b'c', *value as u8]),
            Wire::Integer(value) => {
                out.push(b'i');
                out.extend_from_slice(&value.to_le_bytes());
            }
            Wire::Big(value) => {
                out.push(b'I');
                blob(out, value.in_radix(16).to_string().as_bytes());
            }
            Wire::Float(value) => {
                out.push(b'd');
                out.extend_from_slice(&value.to_le_bytes());
            }
            Wire::Text(text) => {
                out.push(b's');
                blob(out, text.as_bytes());
            }
            Wire::Bytes(bytes) => {
                out.push(b'b');
                blob(out, bytes);
            }
            Wire::Encoded(encoding, bytes) => {
                out.push(b'e');
                blob(out, encoding.as_bytes());
                blob(out, bytes);
            }
            Wire::Symbol(name) => {
                out.push(b'y');
                blob(out, name.as_bytes());
            }
            Wire::Array(items) => {
                out.push(b'a');
                size(out, items.len());
                items.iter().for_each(|item| item.write(out));
            }
            Wire::Hash(entries) => {
                out.push(b'h');
                size(out, entries.len());
                for (key, value) in entries {
                    key.write(out);
                    value.write(out);
                }
            }
            Wire::Own { index, class } => {
                out.push(b'o');
                size(out, *index as usize);
                blob(out, class.as_bytes());
            }
            Wire::Lent { reference, class } => {
                out.push(b'p');
                size(out, reference.index as usize);
                size(out, reference.generation as usize);
                blob(out, class.as_bytes());
            }
        }
    }

    /// Reads a message that came from a box: one value and nothing behind it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Wire, Malformed> {
        let mut reader = Reader { rest: bytes, parts: MAX_PARTS };
        let value = reader.value(MAX_DEPTH)?;
        if reader.rest.is_empty() { Ok(value) } else { Err(Malformed) }
    }

    /// Replaces every reference inside.
    pub(crate) fn try_map_refs<E>(self, visit: &mut impl FnMut(Wire) -> Result<Wire, E>) -> Result<Wire, E> {
        Ok(match self {
            Wire::Own { .. } | Wire::Lent { .. } => return visit(self),
            Wire::Array(items) => Wire::Array(items.into_iter().map(|item| item.try_map_refs(visit)).collect::<Result<_, _>>()?),
            Wire::Hash(entries) => Wire::Hash(
                entries
                    .into_iter()
                    .map(|(key, value)| Ok((key.try_map_refs(visit)?, value.try_map_refs(visit)?)))
                    .collect::<Result<_, E>>()?,
            ),
            plain => plain,
        })
    }

    /// What a value of the hatch looks like in Ruby.
    pub(crate) fn from_argument(argument: &Argument) -> Wire {
        match argument {
            Argument::Value(value) => Wire::from_value(value),
            Argument::Lent(reference) => Wire::Lent { reference: *reference, class: String::new() },
            Argument::Own(reference) => Wire::Own { index: reference.index, class: String::new() },
            Argument::List(items) => Wire::Array(items.iter().map(Wire::from_argument).collect()),
            Argument::Map(entries) => {
                Wire::Hash(entries.iter().map(|(key, value)| (Wire::Text(key.clone()), Wire::from_argument(value))).collect())
            }
        }
    }

    fn from_value(value: &Value) -> Wire {
        match value {
            Value::Null => Wire::Nil,
            Value::Bool(value) => Wire::Bool(*value),
            Value::Integer(value) => i64::try_from(value).map_or_else(|_| Wire::Big(value.clone()), Wire::Integer),
            Value::Float(value) => Wire::Float(*value),
            Value::Text(text) => Wire::Text(text.clone()),
            Value::Bytes(bytes) => Wire::Bytes(bytes.clone()),
            Value::List(items) => Wire::Array(items.iter().map(Wire::from_value).collect()),
            Value::Map(entries) => {
                Wire::Hash(entries.iter().map(|(key, value)| (Wire::Text(key.clone()), Wire::from_value(value))).collect())
            }
        }
    }

    /// What a Ruby value looks like on the hatch. Symbols become text; keys must be text or symbols.
    pub(crate) fn into_argument(self) -> Result<Argument, TransferError> {
        Ok(match self {
            Wire::Nil => Argument::default(),
            Wire::Bool(value) => value.into(),
            Wire::Integer(value) => value.into(),
            Wire::Big(value) => value.into(),
            Wire::Float(value) => value.into(),
            Wire::Text(text) | Wire::Symbol(text) => text.into(),
            Wire::Bytes(bytes) | Wire::Encoded(_, bytes) => bytes.into(),
            Wire::Array(items) => {
                let items = items.into_iter().map(Wire::into_argument).collect::<Result<Vec<_>, _>>()?;
                if items.iter().all(|item| matches!(item, Argument::Value(_))) {
                    Value::List(items.into_iter().filter_map(|item| item.into_value().ok()).collect()).into()
                } else {
                    Argument::List(items)
                }
            }
            Wire::Hash(entries) => {
                let mut map = IndexMap::new();
                for (key, value) in entries {
                    let (Wire::Text(key) | Wire::Symbol(key)) = key else {
                        return Err(TransferError::new("a Hash", "its keys must be strings or symbols to leave Ruby"));
                    };
                    map.insert(key, value.into_argument()?);
                }
                if map.values().all(|item| matches!(item, Argument::Value(_))) {
                    let plain = map.into_iter().filter_map(|(key, item)| Some((key, item.into_value().ok()?)));
                    Value::Map(plain.collect()).into()
                } else {
                    Argument::Map(map)
                }
            }
            Wire::Own { index, .. } => Argument::Own(Ref { index, generation: 0 }),
            Wire::Lent { reference, .. } => Argument::Lent(reference),
        })
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    parts: u32,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(Malformed)?;
        self.rest = rest;
        Ok(head)
    }

    /// Seven bits a byte, the low ones first; at most 32 bits.
    fn word(&mut self) -> Result<u32, Malformed> {
        let mut word = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.take(1)?[0];
            let part = u32::from(byte & 127);
            if shift == 28 && part > 15 {
                break;
            }
            word |= part << shift;
            if byte < 128 {
                return Ok(word);
            }
        }
        Err(Malformed)
    }

    fn long(&mut self) -> Result<[u8; 8], Malformed> {
        self.take(8)?.try_into().map_err(|_| Malformed)
    }

    fn blob(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.word()? as usize;
        self.take(length)
    }

    fn text(&mut self) -> Result<String, Malformed> {
        std::str::from_utf8(self.blob()?).map(str::to_owned).map_err(|_| Malformed)
    }

    fn value(&mut self, depth: u32) -> Result<Wire, Malformed> {
        self.parts = self.parts.checked_sub(1).ok_or(Malformed)?;
        Ok(match self.take(1)?[0] {
            b'0' => Wire::Nil,
            b'T' => Wire::Bool(true),
            b'F' => Wire::Bool(false),
            b'c' => Wire::Integer(self.take(1)?[0].into()),
            b'j' => Wire::Integer(self.word()?.into()),
            b'k' => Wire::Integer(-i64::from(self.word()?)),
            b'i' => Wire::Integer(i64::from_le_bytes(self.long()?)),
            b'I' => Wire::Big(IBig::from_str_radix(&self.text()?, 16).map_err(|_| Malformed)?),
            b'd' => Wire::Float(f64::from_le_bytes(self.long()?)),
            b's' => Wire::Text(self.text()?),
            b'b' => Wire::Bytes(self.blob()?.to_vec()),
            b'e' => Wire::Encoded(self.text()?, self.blob()?.to_vec()),
            b'y' => Wire::Symbol(self.text()?),
            b'a' => {
                let (count, depth) = (self.word()?, depth.checked_sub(1).ok_or(Malformed)?);
                let mut items = Vec::new();
                for _ in 0..count {
                    items.push(self.value(depth)?);
                }
                Wire::Array(items)
            }
            b'h' => {
                let (count, depth) = (self.word()?, depth.checked_sub(1).ok_or(Malformed)?);
                let mut entries = Vec::new();
                for _ in 0..count {
                    entries.push((self.value(depth)?, self.value(depth)?));
                }
                Wire::Hash(entries)
            }
            b'o' => Wire::Own { index: self.word()?, class: self.text()? },
            b'p' => {
                let reference = Ref { index: self.word()?, generation: self.word()? };
                Wire::Lent { reference, class: self.text()? }
            }
            _ => return Err(Malformed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_survives_the_way_there_and_back() {
        let all = Wire::Array(vec![
            Wire::Nil,
            Wire::Bool(true),
            Wire::Bool(false),
            Wire::Integer(i64::MIN),
            Wire::Integer(127),
            Wire::Integer(128),
            Wire::Big(-(IBig::from(1u8) << 100)),
            Wire::Float(-0.0),
            Wire::text("häßlich"),
            Wire::Bytes(vec![0, 255]),
            Wire::Encoded("EUC-JP".into(), vec![0xa4, 0xa2]),
            Wire::Symbol("sym".into()),
            Wire::Hash(vec![(Wire::Integer(1), Wire::Nil), (Wire::Symbol("k".into()), Wire::Array(vec![]))]),
            Wire::Own { index: 7, class: "Foo".into() },
            Wire::Lent { reference: Ref { index: 1, generation: 2 }, class: String::new() },
        ]);
        let message = all.to_message(4096);
        assert_eq!((message[0], Wire::parse(&message[1..])), (0, Ok(all.clone())));
        let parts = all.to_message(16);
        assert_eq!(parts[..5], [&[1], &u32::try_from(parts.len() - 5).unwrap().to_le_bytes()[..]].concat()[..]);
        assert_eq!(Wire::parse(&parts[5..]), Ok(all));
    }

    #[test]
    fn damaged_messages_are_refused_wherever_they_are_cut() {
        let message = Wire::Array(vec![Wire::text("abc"), Wire::Hash(vec![(Wire::Nil, Wire::Float(1.5))])]).to_message(4096);
        for end in 1..message.len() {
            assert_eq!(Wire::parse(&message[1..end]), Err(Malformed), "cut at {end}");
        }
        assert_eq!(Wire::parse(b"a\xff\xff\xff\xff\x0f0"), Err(Malformed));
        assert_eq!(Wire::parse(b"a\xff\xff\xff\xff\x7f0"), Err(Malformed));
        assert_eq!(Wire::parse(&b"a\x01".repeat(100)), Err(Malformed));
    }
}
