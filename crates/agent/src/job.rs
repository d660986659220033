//! What all jobs share: the queue of what is to be said to the host.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;

use wire::{Failure, FailureKind, FromGuest};

/// Jobs are not read while more than this many bytes wait to be sent.
const ROOM: usize = 256 * 1024;

/// Beyond this many waiting bytes the host is not listened to either.
const FULL: usize = 1024 * 1024;

/// Frames that wait for the channel.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    frames: VecDeque<Vec<u8>>,
    sent: usize,
    bytes: usize,
}

impl Outbox {
    /// Queues a message.
    pub(crate) fn push(&mut self, message: &FromGuest) {
        let mut frame = Vec::new();
        // Every message the agent makes is below the cap: chunks, pages and texts are cut when made.
        if wire::encode(message, &mut frame).is_ok() {
            self.bytes += frame.len();
            self.frames.push_back(frame);
        }
    }

    /// Whether jobs may add bytes.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes < ROOM
    }

    /// Whether the host has to wait until something was sent.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= FULL
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Forgets all but a frame that was begun.
    pub(crate) fn clear(&mut self) {
        self.frames.truncate(usize::from(self.sent > 0));
        self.bytes = self.frames.front().map_or(0, Vec::len);
    }

    /// Writes as much as the channel takes now.
    pub(crate) fn flush(&mut self, channel: impl AsFd) -> io::Result<()> {
        while let Some(frame) = self.frames.front() {
            match rustix::io::write(&channel, &frame[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            if self.sent == frame.len() {
                self.bytes -= self.sent;
                self.sent = 0;
                self.frames.pop_front();
            }
        }
        Ok(())
    }
}

/// An error of the guest's system as the host sees it.
pub(crate) fn failure(what: &str, error: &io::Error) -> Failure {
    use io::ErrorKind as E;
    let kind = match error.kind() {
        E::NotFound => FailureKind::NotFound,
        E::PermissionDenied | E::ReadOnlyFilesystem => FailureKind::Denied,
        E::FileTooLarge => FailureKind::TooLarge,
        E::StorageFull | E::QuotaExceeded | E::OutOfMemory => FailureKind::Full,
        E::NotADirectory | E::IsADirectory | E::InvalidInput | E::DirectoryNotEmpty => FailureKind::WrongKind,
        E::AlreadyExists => FailureKind::Exists,
        _ => FailureKind::Other,
    };
    Failure { kind, message: cut(&format!("{what}: {error}"), 1024) }
}

/// The beginning of a text, at most `length` bytes.
pub(crate) fn cut(text: &str, length: usize) -> String {
    text[..text.floor_char_boundary(length)].to_owned()
}
