//! Tables whose keys are guest addresses or page numbers.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Spreads guest addresses; nothing hostile can be done with collisions that decoding or compiling all that code would not cost more.
#[derive(Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, value: u32) {
        let mixed = (self.0 ^ u64::from(value)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }
}

/// A map from guest addresses.
pub(crate) type ByAddress<V> = HashMap<u32, V, BuildHasherDefault<Spread>>;
