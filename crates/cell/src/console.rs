//! Console text of a guest: captured, in order, capped.

use serde::{Deserialize, Serialize};

/// One of the two console streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// The cap was reached: the stop is `OutputFull`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputFull;

impl From<OutputFull> for crate::Stop {
    fn from(_: OutputFull) -> Self {
        Self::OutputFull
    }
}

/// Console text, captured. Part of the guest's state: snapshots carry it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Console {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// Bytes written in this run, those taken away already counted too.
    written: u64,
    cap: Option<u64>,
}

impl Console {
    /// A console with a cap in bytes on both streams together.
    pub fn new(cap: Option<u64>) -> Self {
        Self { cap, ..Self::default() }
    }

    /// Takes text from the guest. What fits under the cap is kept, so the text up to the stop is never lost.
    ///
    /// # Errors
    /// [`OutputFull`] when not all of it fits.
    pub fn write(&mut self, stream: Stream, text: &[u8]) -> Result<(), OutputFull> {
        let room = self.cap.map_or(u64::MAX, |cap| cap.saturating_sub(self.written));
        let kept = usize::try_from(room).unwrap_or(usize::MAX).min(text.len());
        self.written += kept as u64;
        match stream {
            Stream::Out => self.stdout.extend_from_slice(&text[..kept]),
            Stream::Err => self.stderr.extend_from_slice(&text[..kept]),
        }
        if kept == text.len() { Ok(()) } else { Err(OutputFull) }
    }

    /// Bytes that still fit under the cap.
    pub fn room(&self) -> u64 {
        self.cap.map_or(u64::MAX, |cap| cap.saturating_sub(self.written))
    }

    /// Takes what was captured, standard output first. The cap still counts it until [`start`](Console::start).
    pub fn take(&mut self) -> (Vec<u8>, Vec<u8>) {
        (std::mem::take(&mut self.stdout), std::mem::take(&mut self.stderr))
    }

    /// Starts a new run under this cap; what was not taken stays.
    pub fn start(&mut self, cap: Option<u64>) {
        self.cap = cap;
        self.written = (self.stdout.len() + self.stderr.len()) as u64;
    }

    /// Bytes held now.
    pub fn held(&self) -> usize {
        self.stdout.len() + self.stderr.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_covers_both_streams_and_keeps_what_fits() {
        let mut console = Console::new(Some(5));
        assert_eq!(console.write(Stream::Out, b"abc"), Ok(()));
        assert_eq!(console.write(Stream::Err, b"defg"), Err(OutputFull));
        assert_eq!(console.take(), (b"abc".to_vec(), b"de".to_vec()));
        assert_eq!(console.write(Stream::Out, b"x"), Err(OutputFull), "taking text does not make room");
        console.start(Some(1));
        assert_eq!(console.write(Stream::Out, b"x"), Ok(()));
    }
}
