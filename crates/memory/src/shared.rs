//! Read-only bytes that all guests of a process see.

use std::io;
use std::sync::Arc;

use crate::platform::{Frozen, FrozenHandle};

/// Read-only bytes, made once per process; clones share them.
#[derive(Clone)]
pub struct SharedImage {
    frozen: Arc<Frozen>,
}

impl SharedImage {
    /// An image with these contents, at most 2^31 bytes. Past its end it reads as zeros.
    ///
    /// # Errors
    /// When the host has no room, or it is too long.
    pub fn new(bytes: &[u8]) -> io::Result<Self> {
        Self::fits(bytes)?;
        Ok(Self { frozen: Arc::new(Frozen::new(bytes)?) })
    }

    /// As [`new`](SharedImage::new), for constants of the program. Where the platform can, and they are whole pages of 4096 bytes, they are not
    /// copied: the program's own file is mapped a second time, and a page that nobody looks at costs nothing.
    ///
    /// # Errors
    /// As [`new`](SharedImage::new).
    pub fn of_constants(bytes: &'static [u8]) -> io::Result<Self> {
        Self::fits(bytes)?;
        Ok(Self { frozen: Arc::new(Frozen::of_constants(bytes)?) })
    }

    fn fits(bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > 1 << 31 { Err(io::Error::from(io::ErrorKind::InvalidInput)) } else { Ok(()) }
    }

    /// The contents.
    pub fn bytes(&self) -> &[u8] {
        self.frozen.bytes()
    }

    /// A handle of one word.
    #[inline(always)]
    pub fn view(&self) -> SharedView<'_> {
        SharedView { handle: self.frozen.handle() }
    }
}

impl std::fmt::Debug for SharedImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedImage").field("length", &self.bytes().len()).finish()
    }
}

/// Loads from a [`SharedImage`]; fits in one register. The top bit of an offset is ignored; past the end there are zeros.
#[derive(Clone, Copy)]
pub struct SharedView<'a> {
    handle: FrozenHandle<'a>,
}

impl SharedView<'_> {
    /// At least `PAD` bytes can be read from there, for as long as the view lives.
    #[inline(always)]
    pub(crate) fn at(self, offset: u32) -> *const u8 {
        self.handle.at(offset)
    }

    /// Bytes from the start that can be read in one piece.
    #[inline]
    pub(crate) fn readable(self) -> usize {
        self.handle.readable()
    }
}

impl std::fmt::Debug for SharedView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedView")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(align(4096))]
    struct Pages([u8; 8192]);
    static PAGES: Pages = Pages([7; 8192]);

    /// Whether they can be mapped again or not, constants are shown as they are, with zeros behind them, and stay where they were.
    #[test]
    fn constants_are_shown_like_copies() {
        static ELSEWHERE: [u8; 8192] = [5; 8192];
        let elsewhere: &'static [u8] = &ELSEWHERE;
        let aligned = elsewhere.as_ptr().align_offset(4096);
        let cases: [&'static [u8]; 5] = [&PAGES.0, &PAGES.0[..4096], &PAGES.0[1..4097], &elsewhere[aligned.min(4096)..][..4096], &[]];
        for bytes in cases {
            let expected = bytes.to_vec();
            let image = SharedImage::of_constants(bytes).unwrap();
            assert_eq!(image.bytes(), expected);
            assert_eq!(bytes, expected);
            let pool = crate::Pool::new(4096, 1).unwrap();
            let slot = pool.take(4096).unwrap();
            let view = slot.dual(&image);
            let last = 0x8000_0000 + expected.len() as u32;
            assert_eq!(view.load_u64(last), 0, "zeros behind");
            assert_eq!(view.load_u8(0x8000_0000), expected.first().copied().unwrap_or(0));
            drop(image);
            assert_eq!(bytes, expected, "and after it is gone");
        }
    }
}
