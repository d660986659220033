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
        if bytes.len() > 1 << 31 {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        Ok(Self { frozen: Arc::new(Frozen::new(bytes)?) })
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
