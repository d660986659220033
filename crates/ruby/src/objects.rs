//! Ruby's own objects, read where they lie in a box's memory: as far as the hatch needs them, and only for the one build that is prepared.
//!
//! A box may have put anything there. Whatever is read is bytes of its own memory; what is not plain is not understood, and comes as a
//! message instead.

use crate::abi::Layout;
use crate::wire::Wire;

/// Types, in the low bits of an object's first word.
const TYPE: u32 = 0x1f;
const FLOAT: u32 = 0x04;
const STRING: u32 = 0x05;
const ARRAY: u32 = 0x07;
/// For strings: the bytes lie elsewhere. For arrays: the elements lie in the object.
const USER_1: u32 = 1 << 13;
/// Of an array whose elements lie in it: how many.
const ARRAY_LENGTH: u32 = 15;
/// Of a string: its encoding.
const ENCODING: u32 = 22;
const UTF_8: u32 = 1;
const US_ASCII: u32 = 2;
/// Offsets: class, shape, what follows, and the pointers of strings and arrays whose contents lie elsewhere.
const CLASS: usize = 4;
const SHAPE: usize = 8;
const LENGTH: usize = 12;
const STRING_CONTENT: usize = 16;
const ARRAY_CONTENT: usize = 12;
const ARRAY_POINTER: usize = 20;
/// Arguments of one question; more come as a message.
const MAX_ARGUMENTS: usize = 16;
/// Bytes of its strings together.
const MAX_BYTES: usize = 32 << 10;

/// A word of memory.
pub(crate) fn word(memory: &[u8], at: usize) -> Option<u32> {
    memory.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// The bytes of a string.
pub(crate) fn string(memory: &[u8], object: u32) -> Option<&[u8]> {
    let at = object as usize;
    let length = word(memory, at + LENGTH)? as usize;
    let elsewhere = word(memory, at)? & USER_1 != 0;
    let start = if elsewhere { word(memory, at + STRING_CONTENT)? as usize } else { at + STRING_CONTENT };
    memory.get(start..)?.get(..length)
}

/// What a value is in Ruby, if it is no object.
pub(crate) fn immediate(value: &Wire, layout: Layout) -> Option<u32> {
    match value {
        Wire::Nil => Some(layout.nil),
        Wire::Bool(true) => Some(layout.truth),
        Wire::Bool(false) => Some(0),
        Wire::Integer(value) if (-(1 << 30)..1 << 30).contains(value) => Some(((*value as i32) << 1 | 1).cast_unsigned()),
        _ => None,
    }
}

/// The value that a word of Ruby's is, if it is no object.
pub(crate) fn plain(bits: u32, layout: Layout) -> Option<Wire> {
    match bits {
        0 => Some(Wire::Bool(false)),
        bits if bits & 1 == 1 => Some(Wire::Integer(i64::from(bits.cast_signed() >> 1))),
        bits if bits == layout.nil => Some(Wire::Nil),
        bits if bits == layout.truth => Some(Wire::Bool(true)),
        _ => None,
    }
}

/// The memory of a box, and where things lie in it.
pub(crate) struct Objects<'a> {
    pub(crate) memory: &'a [u8],
    pub(crate) layout: Layout,
}

impl Objects<'_> {
    /// The place of an array's elements, and how many there are.
    fn array(&self, object: u32) -> Option<(usize, usize)> {
        let at = object as usize;
        let flags = word(self.memory, at)?;
        if flags & TYPE != ARRAY {
            return None;
        }
        Some(if flags & USER_1 != 0 {
            (at + ARRAY_CONTENT, (flags >> ARRAY_LENGTH & 0x7f) as usize)
        } else {
            (word(self.memory, at + ARRAY_POINTER)? as usize, word(self.memory, at + LENGTH)? as usize)
        })
    }

    /// The place that answers are put in.
    pub(crate) fn answer(&self) -> Option<usize> {
        let (at, count) = self.array(self.layout.query)?;
        (count == 3).then_some(at + 8)
    }

    /// The question that was asked, as the message that it stands for, if all of it is plain.
    pub(crate) fn question(&self) -> Option<Vec<u8>> {
        let (at, count) = self.array(self.layout.query)?;
        if count != 3 {
            return None;
        }
        let mut message = string(self.memory, word(self.memory, at)?).filter(|start| start.len() <= MAX_BYTES)?.to_vec();
        let (arguments, count) = self.array(word(self.memory, at + 4)?)?;
        if count > MAX_ARGUMENTS {
            return None;
        }
        message.extend_from_slice(&[b'a', count as u8]);
        for index in 0..count {
            self.value(word(self.memory, arguments + index * 4)?)?.write(&mut message);
            if message.len() > 2 * MAX_BYTES {
                return None;
            }
        }
        message.push(b'0');
        Some(message)
    }

    fn value(&self, bits: u32) -> Option<Wire> {
        if bits & 3 != 0 || bits == 0 {
            return plain(bits, self.layout);
        }
        let at = bits as usize;
        let flags = word(self.memory, at)?;
        match flags & TYPE {
            STRING => {
                let shape = word(self.memory, at + SHAPE)?;
                let bare =
                    word(self.memory, at + CLASS)? == self.layout.string && (shape == self.layout.shape || shape == self.layout.frozen);
                let bytes = string(self.memory, bits).filter(|bytes| bare && bytes.len() <= MAX_BYTES)?;
                match flags >> ENCODING & 0x7f {
                    UTF_8 | US_ASCII => {
                        let text = std::str::from_utf8(bytes).ok()?;
                        (flags >> ENCODING & 0x7f == UTF_8 || text.is_ascii()).then(|| Wire::text(text))
                    }
                    _ => None,
                }
            }
            FLOAT => {
                let bytes = self.memory.get(at + self.layout.float as usize..)?.first_chunk()?;
                (self.layout.float != 0).then(|| Wire::Float(f64::from_le_bytes(*bytes)))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout =
        Layout { room: 0, outbox: 0, receiver: 0, entry: 0, query: 64, nil: 2, truth: 6, string: 0x700, shape: 9, frozen: 10, float: 12 };

    /// A memory with a question in it: a start, and three arguments in a list that lies elsewhere.
    fn memory() -> Vec<u8> {
        let mut memory = vec![0; 1024];
        let mut put = |at: usize, words: &[u32]| {
            for (index, word) in words.iter().enumerate() {
                memory[at + index * 4..at + index * 4 + 4].copy_from_slice(&word.to_le_bytes());
            }
        };
        put(64, &[ARRAY | USER_1 | 3 << ARRAY_LENGTH, 0, 0, 128, 192, 2]);
        put(128, &[STRING, 0x700, 9, 2, u32::from_le_bytes(*b"hi\0\0")]);
        put(192, &[ARRAY, 0, 0, 3, 3, 256]);
        put(256, &[(-5i32 << 1 | 1).cast_unsigned(), 6, 320]);
        put(320, &[STRING | USER_1 | UTF_8 << ENCODING, 0x700, 10, 3, 400]);
        put(400, &[u32::from_le_bytes(*b"abc\0")]);
        memory
    }

    #[test]
    fn a_plain_question_is_the_message_it_stands_for() {
        let memory = memory();
        let objects = Objects { memory: &memory, layout: LAYOUT };
        let mut expected = b"hia\x03".to_vec();
        [Wire::Integer(-5), Wire::Bool(true), Wire::text("abc")].iter().for_each(|value| value.write(&mut expected));
        expected.push(b'0');
        assert_eq!((objects.question(), objects.answer()), (Some(expected), Some(64 + 12 + 8)));
    }

    #[test]
    fn what_is_not_plain_is_not_understood() {
        // Another class, a shape with variables, another encoding, an object, a list, a length beyond the memory, a pointer beyond it.
        for (at, word) in [(324, 0x704), (328, 11), (320, STRING | USER_1), (264, 8), (264, 192), (332, 4000), (336, 4000), (264, 4096)] {
            let mut memory = memory();
            memory[at..at + 4].copy_from_slice(&u32::to_le_bytes(word));
            assert_eq!(Objects { memory: &memory, layout: LAYOUT }.question(), None, "{word} at {at}");
        }
    }

    #[test]
    fn any_memory_is_survived() {
        let good = memory();
        for at in (0..420).step_by(4) {
            for word in [0, 1, 64, 1020, u32::MAX, 0x8000_0000] {
                let mut memory = good.clone();
                memory[at..at + 4].copy_from_slice(&u32::to_le_bytes(word));
                let objects = Objects { memory: &memory, layout: LAYOUT };
                let _ = (objects.question(), objects.answer());
            }
        }
    }

    #[test]
    fn numbers_survive_the_way_there_and_back() {
        for value in [Wire::Nil, Wire::Bool(true), Wire::Bool(false), Wire::Integer(-(1 << 30)), Wire::Integer((1 << 30) - 1)] {
            assert_eq!(plain(immediate(&value, LAYOUT).unwrap(), LAYOUT), Some(value));
        }
        assert_eq!(immediate(&Wire::Integer(1 << 30), LAYOUT), None);
    }
}
