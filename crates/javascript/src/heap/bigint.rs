//! Big integers: magnitude words behind the header (high half: count), sign in a flag.

use dashu_int::{IBig, Sign, UBig};

use super::{Heap, Kind, Result, Signal, flag};

/// Largest big integer, in 64-bit words.
const MAX_WORDS: usize = 1 << 18;

impl Heap<'_> {
    /// A cell for the number.
    pub(crate) fn bigint(&mut self, n: &IBig) -> Result<u32> {
        let bytes = n.unsigned_abs_bytes();
        let words = bytes.len().div_ceil(8);
        if words > MAX_WORDS {
            return Err(Signal::Collect(u32::MAX));
        }
        let cell = self.allocate_slow(Kind::BigInt, 8 + words as u64 * 8, words as u32)?;
        self.debt += words as u64;
        for (i, chunk) in bytes.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mem.store_u64(cell + 8 + i as u32 * 8, u64::from_le_bytes(word));
        }
        if n.is_negative() {
            self.set_flags(cell, flag::NEGATIVE);
        }
        Ok(cell)
    }

    /// The number of a cell.
    pub(crate) fn bigint_value(&mut self, cell: u32) -> IBig {
        let words = self.high(cell).min(MAX_WORDS as u32);
        self.debt += u64::from(words);
        let mut bytes = Vec::new();
        self.mem.read(cell + 8, words * 8, &mut bytes);
        let magnitude = UBig::from_le_bytes(&bytes);
        let sign = if self.flags(cell) & flag::NEGATIVE != 0 { Sign::Negative } else { Sign::Positive };
        IBig::from_parts(sign, magnitude)
    }
}

trait Bytes {
    fn unsigned_abs_bytes(&self) -> Box<[u8]>;
    fn is_negative(&self) -> bool;
}

impl Bytes for IBig {
    fn unsigned_abs_bytes(&self) -> Box<[u8]> {
        let magnitude: UBig = self.clone().into_parts().1;
        magnitude.to_le_bytes()
    }

    fn is_negative(&self) -> bool {
        self.sign() == Sign::Negative
    }
}
