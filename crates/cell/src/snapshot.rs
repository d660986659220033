//! The frame around everything that is saved: what it is, which version, and whether it is whole.

use std::io::{Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::Xxh3;

use crate::Error;

const MAGIC: [u8; 4] = *b"OUBL";

/// Writes `body` framed with its kind, version, length and checksum.
///
/// # Errors
/// Those of the writer.
pub fn write_framed(to: &mut dyn Write, kind: &str, version: u32, body: &[u8]) -> Result<(), Error> {
    let mut head = Vec::with_capacity(64);
    head.extend_from_slice(&MAGIC);
    head.extend_from_slice(&version.to_le_bytes());
    head.push(u8::try_from(kind.len()).map_err(|_| Error::Invalid("the kind's name is too long".into()))?);
    head.extend_from_slice(kind.as_bytes());
    head.extend_from_slice(&(body.len() as u64).to_le_bytes());
    let mut hash = Xxh3::new();
    hash.update(&head);
    hash.update(body);
    to.write_all(&head)?;
    to.write_all(body)?;
    to.write_all(&hash.digest().to_le_bytes())?;
    Ok(())
}

/// Reads what [`write_framed`] wrote; at most `most` bytes of body are taken.
///
/// # Errors
/// [`Error::Damaged`] that says what is wrong: another kind, another version, cut short, changed.
pub fn read_framed(from: &mut dyn Read, kind: &str, version: u32, most: u64) -> Result<Vec<u8>, Error> {
    let mut hash = Xxh3::new();
    let mut take = |length: usize| -> Result<Vec<u8>, Error> {
        // Grown as bytes arrive: a length that lies must not allocate.
        let mut bytes = Vec::new();
        from.take(length as u64).read_to_end(&mut bytes)?;
        if bytes.len() < length {
            return Err(Error::Damaged(format!("this {kind} is cut short")));
        }
        Ok(bytes)
    };
    let fixed = take(9)?;
    if fixed[..4] != MAGIC {
        return Err(Error::Damaged(format!("this is no {kind} of Oubliette's: it starts with other bytes")));
    }
    let name = take(usize::from(fixed[8]))?;
    if name != kind.as_bytes() {
        return Err(Error::Damaged(format!("this is a {}, not a {kind}", String::from_utf8_lossy(&name))));
    }
    let found = u32::from_le_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
    if found != version {
        return Err(Error::Damaged(format!("this {kind} has version {found}; this program reads version {version}")));
    }
    let length_bytes = take(8)?;
    let mut word = [0; 8];
    word.copy_from_slice(&length_bytes);
    let length = u64::from_le_bytes(word);
    let length = usize::try_from(length)
        .ok()
        .filter(|_| length <= most)
        .ok_or_else(|| Error::Damaged(format!("this {kind} is too large ({length} bytes)")))?;
    let body = take(length)?;
    let sum = take(8)?;
    for part in [&fixed, &name, &length_bytes, &body] {
        hash.update(part);
    }
    if hash.digest().to_le_bytes() != sum[..] {
        return Err(Error::Damaged(format!("this {kind} was changed or damaged: its checksum does not match")));
    }
    Ok(body)
}

/// Writes a length-prefixed header in front of a snapshot's raw parts.
///
/// # Errors
/// Those of the writer.
pub fn write_header(to: &mut dyn Write, header: &impl Serialize) -> Result<(), Error> {
    let bytes = postcard::to_allocvec(header).map_err(|error| Error::Host(format!("cannot encode a header: {error}")))?;
    to.write_all(&(bytes.len() as u64).to_le_bytes())?;
    to.write_all(&bytes)?;
    Ok(())
}

/// Reads what [`write_header`] wrote, at most 64 MiB.
///
/// # Errors
/// [`Error::Damaged`].
pub fn read_header<T: DeserializeOwned>(from: &mut dyn Read) -> Result<T, Error> {
    let mut word = [0; 8];
    from.read_exact(&mut word).map_err(|_| Error::Damaged("cut short".into()))?;
    let length = u64::from_le_bytes(word);
    if length > 64 << 20 {
        return Err(Error::Damaged("a header is too large".into()));
    }
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != length {
        return Err(Error::Damaged("cut short".into()));
    }
    postcard::from_bytes(&bytes).map_err(|error| Error::Damaged(format!("a header is not as expected: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_damaged_byte_and_every_cut_is_noticed() {
        let mut whole = Vec::new();
        write_framed(&mut whole, "thing", 3, b"some body").unwrap();
        assert_eq!(read_framed(&mut whole.as_slice(), "thing", 3, 100).unwrap(), b"some body");
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            assert!(matches!(read_framed(&mut changed.as_slice(), "thing", 3, 100), Err(Error::Damaged(_))), "byte {at}");
            assert!(matches!(read_framed(&mut &whole[..at], "thing", 3, 100), Err(Error::Damaged(_))), "cut at {at}");
        }
        let message = |kind, version, most| read_framed(&mut whole.as_slice(), kind, version, most).unwrap_err().to_string();
        assert_eq!(message("other", 3, 100), "this is a thing, not a other");
        assert_eq!(message("thing", 4, 100), "this thing has version 3; this program reads version 4");
        assert_eq!(message("thing", 3, 4), "this thing is too large (9 bytes)");
    }
}
