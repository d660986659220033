//! Frames: four bytes of length (little endian), then one message in postcard's encoding.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::MAX_FRAME;

/// What the host sends before its first frame, and again after a fault, where a frame would begin.
///
/// Read as a length its first four bytes are far beyond [`MAX_FRAME`], so it cannot be mistaken for a frame.
pub const PREAMBLE: [u8; 16] = *b"\xffOUBLIETTE WIRE\n";

/// Why a stream of bytes is not a stream of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The length of a frame is zero or beyond [`MAX_FRAME`].
    #[error("a frame of {0} bytes")]
    Length(u32),
    /// The bytes of a frame are no message.
    #[error("a frame that is no message")]
    Message,
    /// Bytes are left over behind the message of a frame.
    #[error("{0} bytes behind a message")]
    Trailing(usize),
}

/// Appends one message as a frame.
///
/// # Errors
/// [`Malformed::Length`] if the message is longer than [`MAX_FRAME`]; nothing is appended then.
pub fn encode<M: Serialize>(message: &M, into: &mut Vec<u8>) -> Result<(), Malformed> {
    let start = into.len();
    into.extend_from_slice(&[0; 4]);
    let taken = std::mem::take(into);
    match postcard::to_extend(message, taken) {
        Ok(mut bytes) => {
            let length = bytes.len() - start - 4;
            if length > MAX_FRAME {
                bytes.truncate(start);
                *into = bytes;
                return Err(Malformed::Length(u32::try_from(length).unwrap_or(u32::MAX)));
            }
            #[allow(clippy::cast_possible_truncation)] // at most MAX_FRAME
            bytes[start..start + 4].copy_from_slice(&(length as u32).to_le_bytes());
            *into = bytes;
            Ok(())
        }
        Err(_) => Err(Malformed::Message),
    }
}

/// Turns bytes as they arrive into messages. Holds at most one frame and what was fed behind it.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
    lost: bool,
    preambles: u64,
}

impl Decoder {
    /// A decoder that expects a frame or a preamble.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes that arrived. Feed at most [`MAX_FRAME`] at a time and drain with [`next_message`](Self::next_message).
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The number of preambles seen.
    #[must_use]
    pub fn preambles(&self) -> u64 {
        self.preambles
    }

    /// Ignores everything up to the next preamble.
    pub fn lose(&mut self) {
        self.lost = true;
    }

    /// Drops what was fed, and ignores everything up to the next preamble: whoever speaks from now on is another, and what the former one left
    /// unfinished may hold anything, even what looks like a preamble.
    pub fn forget(&mut self) {
        self.buffer.clear();
        self.start = 0;
        self.lost = true;
    }

    /// The next whole message, or `None` if more bytes are needed. A preamble is skipped and counted.
    ///
    /// # Errors
    /// [`Malformed`]; from then on everything is ignored up to the next preamble.
    pub fn next_message<M: DeserializeOwned>(&mut self) -> Result<Option<M>, Malformed> {
        loop {
            if self.lost && !self.find_preamble() {
                return Ok(None);
            }
            let pending = &self.buffer[self.start..];
            let Some(header) = pending.first_chunk::<4>() else {
                return Ok(None);
            };
            if header[..] == PREAMBLE[..4] {
                if pending.len() < PREAMBLE.len() {
                    return Ok(None);
                }
                if pending.starts_with(&PREAMBLE) {
                    self.start += PREAMBLE.len();
                    self.preambles += 1;
                    continue;
                }
            }
            let length = u32::from_le_bytes(*header);
            let size = length as usize;
            if size == 0 || size > MAX_FRAME {
                self.lost = true;
                self.start += 1;
                return Err(Malformed::Length(length));
            }
            let Some(body) = pending.get(4..4 + size) else {
                return Ok(None);
            };
            let result = match postcard::take_from_bytes::<M>(body) {
                Ok((message, [])) => Ok(Some(message)),
                Ok((_, rest)) => Err(Malformed::Trailing(rest.len())),
                Err(_) => Err(Malformed::Message),
            };
            self.start += 4 + size;
            self.lost = result.is_err();
            return result;
        }
    }

    /// Skips to the next preamble; keeps only what could be the beginning of one.
    fn find_preamble(&mut self) -> bool {
        let pending = &self.buffer[self.start..];
        if let Some(at) = pending.windows(PREAMBLE.len()).position(|w| w == PREAMBLE) {
            self.start += at;
            self.lost = false;
            return true;
        }
        self.start = self.buffer.len() - pending.len().min(PREAMBLE.len() - 1);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FromGuest, Output, ToGuest};
    use proptest::prelude::*;

    fn framed<M: Serialize>(message: &M) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(message, &mut bytes).expect("encodes");
        bytes
    }

    #[test]
    fn a_message_longer_than_a_frame_is_refused_and_leaves_nothing() {
        let mut bytes = vec![7];
        let long = ToGuest::Data { job: 1, bytes: vec![0; MAX_FRAME + 1] };
        assert!(matches!(encode(&long, &mut bytes), Err(Malformed::Length(_))));
        assert_eq!(bytes, [7]);
    }

    #[test]
    fn an_announced_length_beyond_the_cap_is_refused_before_its_bytes_arrive() {
        let mut decoder = Decoder::new();
        decoder.feed(&(MAX_FRAME as u32 + 1).to_le_bytes());
        assert!(matches!(decoder.next_message::<ToGuest>(), Err(Malformed::Length(_))));
    }

    #[test]
    fn bytes_behind_a_message_are_refused() {
        let mut bytes = framed(&ToGuest::Quiesce);
        bytes.push(0);
        bytes[0] += 1;
        let mut decoder = Decoder::new();
        decoder.feed(&bytes);
        assert_eq!(decoder.next_message::<ToGuest>(), Err(Malformed::Trailing(1)));
    }

    #[test]
    fn a_preamble_brings_a_lost_decoder_back() {
        let mut decoder = Decoder::new();
        decoder.feed(&[0; 40]);
        assert!(decoder.next_message::<ToGuest>().is_err());
        for half in PREAMBLE.chunks(5) {
            assert_eq!(decoder.next_message::<ToGuest>(), Ok(None));
            decoder.feed(half);
        }
        decoder.feed(&framed(&ToGuest::Ping { sequence: 9 }));
        assert_eq!(decoder.next_message(), Ok(Some(ToGuest::Ping { sequence: 9 })));
        assert_eq!(decoder.preambles(), 1);
    }

    /// An upload of a program that knows the preamble, cut short by the end of its host.
    #[test]
    fn what_a_former_host_left_unfinished_holds_no_preamble_for_the_next_one() {
        let mut decoder = Decoder::new();
        let upload = framed(&ToGuest::Data { job: 1, bytes: [&PREAMBLE[..], &[0x40, 0, 0, 0], &[0; 99]].concat() });
        decoder.feed(&upload[..60]);
        assert_eq!(decoder.next_message::<ToGuest>(), Ok(None));
        decoder.forget();
        decoder.feed(&PREAMBLE);
        decoder.feed(&framed(&ToGuest::Ping { sequence: 9 }));
        assert_eq!(decoder.next_message(), Ok(Some(ToGuest::Ping { sequence: 9 })));
    }

    proptest! {
        #[test]
        fn messages_survive_any_cutting(data in prop::collection::vec(any::<u8>(), 0..5000), cut in 1usize..700, job: u32) {
            let messages = [
                FromGuest::Data { job, output: Output::Err, bytes: data.clone() },
                FromGuest::End { job, output: Output::Out },
                FromGuest::Fault { reason: String::from_utf8_lossy(&data).chars().take(100).collect() },
            ];
            let mut stream = PREAMBLE.to_vec();
            for message in &messages {
                stream.extend(framed(message));
            }
            let mut decoder = Decoder::new();
            let mut seen = Vec::new();
            for piece in stream.chunks(cut) {
                decoder.feed(piece);
                while let Some(message) = decoder.next_message::<FromGuest>().expect("well formed") {
                    seen.push(message);
                }
            }
            prop_assert_eq!(&seen[..], &messages[..]);
        }

        #[test]
        fn garbage_never_panics_and_never_holds_more_than_a_frame(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..50)) {
            let mut decoder = Decoder::new();
            for piece in &pieces {
                decoder.feed(piece);
                while !matches!(decoder.next_message::<ToGuest>(), Ok(None)) {}
                prop_assert!(decoder.buffer.len() - decoder.start <= MAX_FRAME + 4 + 300);
            }
        }
    }
}
