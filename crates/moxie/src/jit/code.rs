//! Memory for host code: either writable or executable, never both.

use std::io;
use std::ops::Range;
use std::ptr::{self, NonNull};

const PAGE: usize = 4096;

/// One stretch of anonymous memory for code, filled from the start, forgotten as a whole.
///
/// Pages that were changed are writable until [`seal`](CodeMemory::seal), which stands before any entry, makes them executable. A private mapping
/// with changing protections, rather than two views of one memory file: it costs two system calls per compiled unit, not per jump, since jumps
/// are bound when units are installed, and a forked child does not share it.
pub(super) struct CodeMemory {
    base: NonNull<u8>,
    capacity: usize,
    used: usize,
    /// What is writable now, and so not executable.
    open: Range<usize>,
}

// SAFETY: the mapping belongs to this value alone and to no thread.
unsafe impl Send for CodeMemory {}

impl CodeMemory {
    /// Reserves room for `capacity` bytes of code, rounded up to pages, below 2 GiB.
    pub(super) fn new(capacity: usize) -> io::Result<Self> {
        let capacity = capacity.clamp(64 << 10, 1 << 30).next_multiple_of(PAGE);
        Ok(Self { base: map(capacity, libc::PROT_NONE)?, capacity, used: 0, open: 0..0 })
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn free(&self) -> usize {
        self.capacity - self.used
    }

    /// Where the code at an offset lies.
    pub(super) fn address(&self, offset: usize) -> usize {
        self.base.as_ptr() as usize + offset
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Forgets all code from `keep` on.
    pub(super) fn truncate(&mut self, keep: usize) {
        debug_assert!(keep <= self.used);
        self.used = keep;
    }

    /// Appends code; returns the offset of its first byte.
    pub(super) fn write(&mut self, code: &[u8]) -> io::Result<usize> {
        let at = self.used;
        if code.len() > self.free() {
            return Err(io::Error::from(io::ErrorKind::OutOfMemory));
        }
        self.opened(at, code.len(), |bytes| bytes.copy_from_slice(code))?;
        self.used = (at + code.len()).next_multiple_of(16).min(self.capacity);
        Ok(at)
    }

    /// Changes code in place: each pair is an offset and what the four bytes there become.
    pub(super) fn patch(&mut self, patches: &[(u32, [u8; 4])]) -> io::Result<()> {
        let (Some(first), Some(last)) = (patches.iter().map(|patch| patch.0).min(), patches.iter().map(|patch| patch.0).max()) else {
            return Ok(());
        };
        let (first, end) = (first as usize, last as usize + 4);
        assert!(end <= self.used, "a patch outside of the code");
        self.opened(first, end - first, |bytes| {
            for (at, value) in patches {
                let at = *at as usize - first;
                bytes[at..at + 4].copy_from_slice(value);
            }
        })
    }

    /// Changes single bytes in place to `value`.
    pub(super) fn patch_bytes(&mut self, sites: &[u32], value: u8) -> io::Result<()> {
        let (Some(first), Some(last)) = (sites.iter().min(), sites.iter().max()) else { return Ok(()) };
        let (first, end) = (*first as usize, *last as usize + 1);
        assert!(end <= self.used, "a patch outside of the code");
        self.opened(first, end - first, |bytes| {
            for at in sites {
                bytes[*at as usize - first] = value;
            }
        })
    }

    /// All code.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: pages below `used` were written and are readable; they change only behind a unique borrow.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.used) }
    }

    /// Makes a range writable, along with what was opened before, and changes it.
    fn opened(&mut self, at: usize, length: usize, change: impl FnOnce(&mut [u8])) -> io::Result<()> {
        let start = at & !(PAGE - 1);
        let end = (at + length).next_multiple_of(PAGE);
        assert!(at + length <= self.capacity && end <= self.capacity, "code outside of its memory");
        let open = &self.open;
        if start < open.start || end > open.end {
            let both = if open.is_empty() { start..end } else { open.start.min(start)..open.end.max(end) };
            self.protect(both.start, both.len(), libc::PROT_READ | libc::PROT_WRITE)?;
            self.open = both;
        }
        // SAFETY: the range lies in this mapping (checked above), is readable and writable now, and no other reference into it exists.
        change(unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr().add(at), length) });
        Ok(())
    }

    /// Makes all code executable again, and read-only: before any of it runs.
    pub(super) fn seal(&mut self) -> io::Result<()> {
        if !self.open.is_empty() {
            self.protect(self.open.start, self.open.len(), libc::PROT_READ | libc::PROT_EXEC)?;
            self.open = 0..0;
        }
        Ok(())
    }

    fn protect(&self, at: usize, length: usize, protection: i32) -> io::Result<()> {
        // SAFETY: the range lies in this mapping (checked by the caller); no code of it runs while the compiler does.
        if unsafe { libc::mprotect(self.base.as_ptr().add(at).cast(), length, protection) } == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl Drop for CodeMemory {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and code in it runs only while its owner is borrowed.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.capacity) };
    }
}

/// The stack that compiled code runs on: it holds predicted returns, and signal handlers without a stack of their own.
pub(super) struct Stack {
    base: NonNull<u8>,
}

// SAFETY: as for the code.
unsafe impl Send for Stack {}

impl Stack {
    /// Bytes of one predicted return.
    const ENTRY: usize = 16;
    /// Predicted returns that may stand when compiled code is entered.
    const KEPT: usize = 16 << 10;
    /// Bytes at the lower end for signal handlers.
    const ROOM: usize = 128 << 10;
    const LENGTH: usize = (Self::ROOM + (Self::KEPT + super::SLICE as usize + 16) * Self::ENTRY).next_multiple_of(PAGE);

    /// A stack deep enough for as many calls as a slice of fuel can pay for; memory is taken as it is touched.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { base: map(Self::LENGTH, libc::PROT_READ | libc::PROT_WRITE)? })
    }

    /// The stack pointer of an empty stack; the word there is where an unpredicted return goes.
    pub(super) fn bottom(&self) -> usize {
        self.base.as_ptr() as usize + Self::LENGTH - 64
    }

    /// Whether so little is on the stack that another slice can run.
    pub(super) fn has_room(&self, pointer: u64) -> bool {
        self.bottom() as u64 - pointer <= (Self::KEPT * Self::ENTRY) as u64
    }

    /// Sets where a return goes that nothing predicted.
    pub(super) fn set_bottom(&mut self, host: usize) {
        // SAFETY: the word lies in this mapping, 64 bytes below its end, and is aligned.
        unsafe { (self.bottom() as *mut u64).write(host as u64) };
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing runs on it while its owner can be dropped.
        unsafe { libc::munmap(self.base.as_ptr().cast(), Self::LENGTH) };
    }
}

fn map(length: usize, protection: i32) -> io::Result<NonNull<u8>> {
    // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
    let base =
        unsafe { libc::mmap(ptr::null_mut(), length, protection, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE, -1, 0) };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mapped at address zero"))
}
