//! Memory from the operating system's mappings.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::pool::{Pool, Slot};
use crate::program::map_again;
use crate::space::Leftover;

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

/// Bytes of a huge page.
const HUGE: usize = 2 << 20;

/// Read-only bytes, followed by zeros up to 2 GiB and a page: an offset below 2^31 cannot leave.
pub(crate) struct Frozen {
    mapping: Mapping,
    length: usize,
}

impl Frozen {
    pub(crate) fn new(bytes: &[u8]) -> io::Result<Self> {
        let mapping = Mapping::new((1 << 31) + PAGE)?;
        if bytes.len() > HUGE / 4 {
            // One fault in place of hundreds, and one entry of the processor's page table cache. Failure means that there are no huge pages.
            // SAFETY: the range lies in the mapping just made.
            unsafe { libc::madvise(mapping.base.as_ptr().cast(), bytes.len().next_multiple_of(HUGE), libc::MADV_HUGEPAGE) };
        }
        // SAFETY: the mapping is new and longer than `bytes` (checked by the caller).
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), mapping.base.as_ptr(), bytes.len()) };
        mapping.freeze()?;
        Ok(Self { mapping, length: bytes.len() })
    }

    /// The same without copying, where that can be done.
    pub(crate) fn of_constants(bytes: &'static [u8]) -> io::Result<Self> {
        let mapping = Mapping::with_protection((1 << 31) + PAGE, libc::PROT_READ)?;
        // SAFETY: the mapping is new and longer than `bytes` (checked by the caller).
        if unsafe { map_again(bytes, mapping.base.as_ptr()) } { Ok(Self { mapping, length: bytes.len() }) } else { Self::new(bytes) }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the first `length` bytes were written by `new`, or are a file's, and are read-only since.
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

/// What may be done with pages of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    None,
    Read,
    Write,
}

impl Access {
    fn flags(self) -> i32 {
        match self {
            Self::None => libc::PROT_NONE,
            Self::Read => libc::PROT_READ,
            Self::Write => libc::PROT_READ | libc::PROT_WRITE,
        }
    }
}

/// Bytes before and behind the 4 GiB of a reservation that an access with an offset can reach from its first and last address.
const GUARD: usize = 64 << 10;
const SPACE: usize = 1 << 32;

/// Pools of slots that small address spaces live in. Only address space is taken for them.
static POOLS: [(usize, usize, OnceLock<Option<Pool>>); 2] = [(256 << 10, 65_536, OnceLock::new()), (1 << 20, 32_768, OnceLock::new())];

fn pools() -> impl Iterator<Item = &'static Pool> {
    POOLS.iter().filter_map(|(capacity, slots, pool)| pool.get_or_init(|| Pool::new(*capacity, *slots).ok()).as_ref())
}

/// Gives pages of free slots back to the host, of all but the `keep` used last of each size.
pub(crate) fn trim(keep: usize) {
    for pool in POOLS.iter().filter_map(|(_, _, pool)| pool.get()?.as_ref()) {
        pool.trim(keep);
    }
}

/// Where the bytes of an address space are: guest address 0 lies at `base`.
pub(crate) struct Backing {
    base: NonNull<u8>,
    store: Store,
    /// A reservation in which what is mapped, and how it is protected, is just as an image has it; contents may differ.
    is_as_image: bool,
}

enum Store {
    Slot(Slot),
    Reserved(Mapping),
}

impl Backing {
    /// The smallest backing that holds addresses below `top`: a slot while there is one, which is returned as it was left, with what is known
    /// about it; nothing known means that it is all zeros.
    pub(crate) fn small(top: u64) -> io::Result<(Self, Option<Leftover>)> {
        for pool in pools().filter(|pool| u64::from(pool.capacity()) >= top) {
            if let Ok((slot, residue)) = pool.take_raw(pool.capacity()) {
                let leftover = residue.and_then(|residue| residue.downcast::<Leftover>().ok());
                if leftover.is_none() {
                    slot.clear();
                }
                let backing = Self { base: slot.base(), store: Store::Slot(slot), is_as_image: false };
                return Ok((backing, leftover.map(|leftover| *leftover)));
            }
        }
        Ok((Self::reserved()?, None))
    }

    /// A backing for a copy of an image that needs addresses below `top`.
    pub(crate) fn for_image(top: u64, content: &Content) -> io::Result<(Self, Option<Leftover>)> {
        if content.file.is_none() {
            return Self::small(top);
        }
        match content.spare() {
            Some(mapping) => Ok((Self { is_as_image: true, ..Self::in_reservation(mapping) }, None)),
            None => Ok((Self::reserved()?, None)),
        }
    }

    /// 4 GiB of address space, nothing accessible.
    pub(crate) fn reserved() -> io::Result<Self> {
        Ok(Self::in_reservation(Mapping::with_protection(GUARD + SPACE + GUARD, libc::PROT_NONE)?))
    }

    fn in_reservation(mapping: Mapping) -> Self {
        // SAFETY: the mapping is longer than the guard.
        let base = unsafe { mapping.base.add(GUARD) };
        Self { base, store: Store::Reserved(mapping), is_as_image: false }
    }

    /// Whether all of an image is mapped already.
    pub(crate) fn is_as_image(&self) -> bool {
        self.is_as_image
    }

    /// Says that all of an image is mapped now.
    pub(crate) fn set_as_image(&mut self) {
        self.is_as_image = true;
    }

    #[inline(always)]
    pub(crate) fn at(&self, address: u32) -> *mut u8 {
        self.base.as_ptr().wrapping_add(address as usize)
    }

    /// Addresses below this are backed.
    pub(crate) fn room(&self) -> u64 {
        match &self.store {
            Store::Slot(slot) => u64::from(slot.capacity()),
            Store::Reserved(_) => SPACE as u64,
        }
    }

    #[inline]
    pub(crate) fn is_reserved(&self) -> bool {
        matches!(self.store, Store::Reserved(_))
    }

    /// Makes sure that pages have memory; they do here.
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "the portable backing allocates")]
    #[inline(always)]
    pub(crate) fn commit(&mut self, _first: u32, _pages: u32) -> io::Result<()> {
        Ok(())
    }

    fn range(&self, first: u32, pages: u32) -> Option<(*mut libc::c_void, usize)> {
        let (offset, length) = (first as usize * PAGE, pages as usize * PAGE);
        assert!(offset + length <= SPACE, "pages outside of the address space");
        self.is_reserved().then(|| (self.base.as_ptr().wrapping_add(offset).cast(), length))
    }

    /// Sets the protection of pages of a reservation; a slot has none.
    pub(crate) fn protect(&mut self, first: u32, pages: u32, access: Access) -> io::Result<()> {
        let Some((at, length)) = self.range(first, pages) else { return Ok(()) };
        self.is_as_image = false;
        // SAFETY: the range lies in this reservation, and no Rust reference into it exists.
        if unsafe { libc::mprotect(at, length, access.flags()) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Closes pages of a reservation and gives them back; opened again they are zero.
    pub(crate) fn release(&mut self, first: u32, pages: u32) -> io::Result<()> {
        let Some((at, length)) = self.range(first, pages) else { return Ok(()) };
        self.is_as_image = false;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
        // SAFETY: the range lies in this reservation; what was mapped there, perhaps from an image's file, is replaced.
        if unsafe { libc::mmap(at, length, libc::PROT_NONE, flags, -1, 0) } == libc::MAP_FAILED {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// Maps pages of an image copy-on-write.
    pub(crate) fn map_content(&mut self, content: &Content, first: u32, pages: u32, offset: usize, access: Access) -> io::Result<()> {
        let Some(file) = &content.file else { return Err(io::Error::from(io::ErrorKind::Unsupported)) };
        let Some((at, length)) = self.range(first, pages) else { return Err(io::Error::from(io::ErrorKind::Unsupported)) };
        let flags = libc::MAP_PRIVATE | libc::MAP_FIXED | libc::MAP_NORESERVE;
        // SAFETY: the range lies in this reservation, no Rust reference into it exists, and the sealed file can neither change nor shrink.
        let mapped = unsafe { libc::mmap(at, length, access.flags(), flags, file.as_raw_fd(), offset as libc::off_t) };
        if mapped == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Gives the backing up, with what its next user must know.
    pub(crate) fn retire(self, leftover: Leftover) {
        match self.store {
            Store::Slot(slot) => slot.leave(Box::new(leftover)),
            Store::Reserved(mapping) if self.is_as_image => {
                if let Some(origin) = &leftover.origin {
                    origin.content().keep(mapping, origin.top());
                }
            }
            Store::Reserved(_) => {}
        }
    }
}

/// The pages of an image: in memory while they are few, else in a sealed memory file that copies map.
pub(crate) struct Content {
    file: Option<OwnedFd>,
    bytes: Bytes,
    /// Reservations of copies that are gone, in which all of the image is mapped and nothing of theirs is left. To use one again spares the
    /// kernel a dozen calls.
    spares: Mutex<Vec<Mapping>>,
}

/// Spare reservations that an image keeps.
const SPARES: usize = 4;
/// Spare reservations that all images together keep: 1 TiB of address space.
const ALL_SPARES: usize = 256;
static SPARES_KEPT: AtomicUsize = AtomicUsize::new(0);

enum Bytes {
    Owned(Vec<u8>),
    Mapped(Mapping),
}

impl Content {
    /// Up to this many bytes are copied for each copy of an image, more are mapped.
    const COPIED: usize = 256 << 10;

    pub(crate) fn new(bytes: Vec<u8>, top: u64) -> io::Result<Self> {
        let fits_slot = POOLS.iter().any(|(capacity, _, _)| *capacity as u64 >= top);
        if bytes.len() <= Self::COPIED && fits_slot || bytes.is_empty() {
            return Ok(Self { file: None, bytes: Bytes::Owned(bytes), spares: Mutex::default() });
        }
        // SAFETY: the name is a valid C string; the descriptor that comes back is ours.
        let file = unsafe {
            let descriptor = libc::memfd_create(c"image".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING);
            if descriptor < 0 {
                return Err(io::Error::last_os_error());
            }
            File::from_raw_fd(descriptor)
        };
        io::Write::write_all(&mut &file, &bytes)?;
        let seals = libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
        // SAFETY: sealing a descriptor of ours touches no memory.
        if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new mapping of a sealed file at an address of the kernel's choice.
        let base = unsafe { libc::mmap(ptr::null_mut(), bytes.len(), libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0) };
        let base = if base == libc::MAP_FAILED { None } else { NonNull::new(base.cast()) };
        let base = base.ok_or_else(io::Error::last_os_error)?;
        let mapping = Mapping { base, length: bytes.len() };
        Ok(Self { file: Some(file.into()), bytes: Bytes::Mapped(mapping), spares: Mutex::default() })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Owned(bytes) => bytes,
            // SAFETY: the mapping is as long as the sealed file, which never changes.
            Bytes::Mapped(mapping) => unsafe { std::slice::from_raw_parts(mapping.base.as_ptr(), mapping.length) },
        }
    }

    fn spares(&self) -> MutexGuard<'_, Vec<Mapping>> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reservation in which all of the image is mapped, and nothing was changed.
    fn spare(&self) -> Option<Mapping> {
        let spare = self.spares().pop()?;
        SPARES_KEPT.fetch_sub(1, Relaxed);
        Some(spare)
    }

    /// Keeps a reservation of a copy that is gone, in which all of the image is mapped below `top`, unless there are enough.
    fn keep(&self, mapping: Mapping, top: u64) {
        if self.file.is_none() || SPARES_KEPT.load(Relaxed) >= ALL_SPARES || self.spares().len() >= SPARES {
            return;
        }
        // What was written goes back to the host; what is seen afterwards is the image again, and zeros.
        // SAFETY: the range lies in this reservation, of which nobody holds a reference.
        if unsafe { libc::madvise(mapping.base.add(GUARD).as_ptr().cast(), top as usize, libc::MADV_DONTNEED) } == 0 {
            SPARES_KEPT.fetch_add(1, Relaxed);
            self.spares().push(mapping);
        }
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        let kept = self.spares.get_mut().unwrap_or_else(PoisonError::into_inner).len();
        SPARES_KEPT.fetch_sub(kept, Relaxed);
    }
}
