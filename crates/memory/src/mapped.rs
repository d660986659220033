//! Memory from the operating system's mappings.

use std::io;
use std::ptr::{self, NonNull};

/// Bytes of a page of the host's.
pub(crate) const PAGE: usize = 4096;

/// A private anonymous mapping, readable and writable, zero at first; nothing is committed before it is touched.
pub(crate) struct Mapping {
    base: NonNull<u8>,
    length: usize,
}

// SAFETY: a mapping belongs to no thread; those who share it keep accesses to the same bytes apart.
unsafe impl Send for Mapping {}
// SAFETY: as above; the methods that take `&self` change no field.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `length` bytes, rounded up to pages.
    pub(crate) fn new(length: usize) -> io::Result<Self> {
        Self::with_protection(length, libc::PROT_READ | libc::PROT_WRITE)
    }

    fn with_protection(length: usize, protection: i32) -> io::Result<Self> {
        let length = length.next_multiple_of(PAGE);
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
        let base = unsafe {
            libc::mmap(ptr::null_mut(), length, protection, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE, -1, 0)
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // A huge page would commit 2 MiB for the first byte of a small cell. Failure means that the kernel has no huge pages.
        // SAFETY: the range is the mapping just made.
        unsafe { libc::madvise(base, length, libc::MADV_NOHUGEPAGE) };
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mapped at address zero"))?;
        Ok(Self { base, length })
    }

    /// Makes the whole mapping read-only.
    pub(crate) fn freeze(&self) -> io::Result<()> {
        // SAFETY: the range is this mapping; later writes would fault, and whoever freezes it makes none.
        if unsafe { libc::mprotect(self.base.as_ptr().cast(), self.length, libc::PROT_READ) } == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Gives whole pages back; they read as zeros afterwards.
    pub(crate) fn discard(&self, offset: usize, length: usize) {
        assert!(
            offset.is_multiple_of(PAGE) && length.is_multiple_of(PAGE) && offset + length <= self.length,
            "discard outside of the mapping"
        );
        // SAFETY: the range lies in this mapping (checked above). On failure the pages keep their contents, so they are cleared by hand.
        unsafe {
            let at = self.base.as_ptr().add(offset);
            if libc::madvise(at.cast(), length, libc::MADV_DONTNEED) != 0 {
                ptr::write_bytes(at, 0, length);
            }
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody holds a pointer into it longer than its owner.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.length) };
    }
}

/// The memory of a pool: one mapping, one stretch per slot, with a page between for accesses that hang over a slot's end.
pub(crate) struct Stretches {
    mapping: Mapping,
    stride: usize,
    capacity: usize,
}

impl Stretches {
    pub(crate) fn new(capacity: usize, slots: usize) -> io::Result<Self> {
        let stride = capacity + PAGE;
        let length = stride.checked_mul(slots).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(Self { mapping: Mapping::new(length)?, stride, capacity })
    }

    /// The memory of the slot with this index, which is below the number of slots.
    pub(crate) fn base(&self, index: usize) -> io::Result<NonNull<u8>> {
        assert!((index + 1) * self.stride <= self.mapping.length, "no such slot");
        // SAFETY: the stretch lies in the mapping (checked above).
        Ok(unsafe { self.mapping.base.add(index * self.stride) })
    }

    /// Makes everything in the slot zero again, without keeping its pages.
    pub(crate) fn discard(&self, index: usize) {
        self.mapping.discard(index * self.stride, self.stride);
    }

    /// Makes the first `used` bytes of the slot zero: by hand while that is cheap, else by giving pages back, so that pages that were never
    /// touched are not committed by clearing them.
    pub(crate) fn clear(&self, index: usize, used: usize) {
        const BY_HAND: usize = 512 << 10;
        let used = used.min(self.stride);
        let by_hand = used.min(BY_HAND);
        assert!((index + 1) * self.stride <= self.mapping.length && self.capacity < self.stride, "no such slot");
        // SAFETY: the range lies in this slot's stretch (checked above), and the caller holds the slot.
        unsafe { ptr::write_bytes(self.mapping.base.as_ptr().add(index * self.stride), 0, by_hand) };
        if used > by_hand {
            self.mapping.discard(index * self.stride + by_hand, (used - by_hand).next_multiple_of(PAGE));
        }
    }
}

/// Read-only bytes, followed by zeros up to 2 GiB and a page: an offset below 2^31 cannot leave.
pub(crate) struct Frozen {
    mapping: Mapping,
    length: usize,
}

impl Frozen {
    pub(crate) fn new(bytes: &[u8]) -> io::Result<Self> {
        let mapping = Mapping::new((1 << 31) + PAGE)?;
        // SAFETY: the mapping is new and longer than `bytes` (checked by the caller).
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), mapping.base.as_ptr(), bytes.len()) };
        mapping.freeze()?;
        Ok(Self { mapping, length: bytes.len() })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the first `length` bytes were written by `new` and are read-only since.
        unsafe { std::slice::from_raw_parts(self.mapping.base.as_ptr(), self.length) }
    }

    #[inline(always)]
    pub(crate) fn handle(&self) -> FrozenHandle<'_> {
        FrozenHandle { base: self.mapping.base, borrow: std::marker::PhantomData }
    }
}

/// One word that reaches [`Frozen`] bytes.
#[derive(Clone, Copy)]
pub(crate) struct FrozenHandle<'a> {
    base: NonNull<u8>,
    borrow: std::marker::PhantomData<&'a Frozen>,
}

impl FrozenHandle<'_> {
    /// Where the byte at this offset lies; its top bit is ignored. At least 4096 bytes can be read from there.
    #[inline(always)]
    pub(crate) fn at(self, offset: u32) -> *const u8 {
        // SAFETY: the mapping is 2 GiB and a page long.
        unsafe { self.base.as_ptr().add((offset & 0x7fff_ffff) as usize) }
    }

    /// Bytes from the start that can be read in one piece.
    #[inline]
    pub(crate) fn readable(self) -> usize {
        1 << 31
    }
}
