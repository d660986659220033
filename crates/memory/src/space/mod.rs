//! A 32-bit address space with byte-exact regions and permissions.

mod access;
mod backing;
mod kind;
mod mapping;
mod region;
mod thaw;
mod watch;

use std::collections::HashMap;
use std::sync::Arc;

pub use self::region::{Fault, Granularity, MapError, Permission, Region};
pub(crate) use self::thaw::Guarded;
use crate::image::Frozen;
use crate::platform::Backing;

/// Bytes of a page of the guest's.
pub const PAGE: u32 = 4096;
const PAGE_SIZE: usize = PAGE as usize;
const OFFSET: u32 = PAGE - 1;

type PageBuffer = Box<[u8; PAGE_SIZE]>;

/// A guest's 32-bit address space. `Send`, not `Sync`.
///
/// Small ones live in a pooled slot. One that outgrows it, or is asked for [`guarded`](Space::guarded) memory, moves into a reservation of 4 GiB
/// whose page protections say the same as the regions do.
///
/// ```
/// use memory::{Granularity, Permission, Space};
/// let mut space = Space::new(Granularity::Byte, Some(1 << 20), 0);
/// space.map(0x1000, 6, Permission::ReadWrite, "six")?;
/// assert!(space.store_u32(0x1002, 7));
/// assert_eq!(space.load_u32(0x1002), Some(7));
/// assert!(!space.store_u32(0x1003, 9), "one byte too far");
/// assert_eq!(space.load_u16(0x1004), Some(0), "and nothing was changed");
/// # Ok::<(), memory::MapError>(())
/// ```
pub struct Space {
    kinds: Vec<u8>,
    backing: Option<Backing>,
    regions: Vec<Region>,
    granularity: Granularity,
    cap: u64,
    mapped_pages: u64,
    peak: u64,
    /// Pages that differ from `origin`, or from zero. Not kept in a reservation.
    dirty: Vec<u32>,
    origin: Option<Arc<Frozen>>,
    aside: HashMap<u32, PageBuffer>,
    /// Watched pages that were stored to, and are not watched any more.
    changed: Vec<u32>,
    hint: u64,
}

// SAFETY: the memory belongs to this space alone and to no thread.
unsafe impl Send for Space {}

/// What is known of the slot of a space that is gone.
pub(crate) struct Leftover {
    pub(crate) origin: Option<Arc<Frozen>>,
    pub(crate) dirty: Vec<u32>,
}

macro_rules! accessors {
    ($($load:ident $store:ident $type:ty),*) => {$(
        #[doc = concat!("Loads a little-endian `", stringify!($type), "`, at any alignment; `None` if that is a fault.")]
        #[inline(always)]
        pub fn $load(&self, address: u32) -> Option<$type> {
            const SIZE: u32 = size_of::<$type>() as u32;
            let page = (address >> 12) as usize;
            if page < self.kinds.len() && self.kinds[page] & kind::LOAD != 0 && (address & OFFSET) + SIZE <= PAGE && let Some(backing) = &self.backing {
                // SAFETY: the page is backed in place and readable, and the access does not leave it.
                return Some(<$type>::from_le(unsafe { backing.at(address).cast::<$type>().read_unaligned() }));
            }
            let mut bytes = [0; size_of::<$type>()];
            self.read_cold(address, &mut bytes).then(|| <$type>::from_le_bytes(bytes))
        }

        #[doc = concat!("Stores a little-endian `", stringify!($type), "`, at any alignment; false if that is a fault: then nothing has changed.")]
        #[inline(always)]
        #[must_use]
        pub fn $store(&mut self, address: u32, value: $type) -> bool {
            const SIZE: u32 = size_of::<$type>() as u32;
            let page = (address >> 12) as usize;
            if page < self.kinds.len() && self.kinds[page] & kind::STORE != 0 && (address & OFFSET) + SIZE <= PAGE && let Some(backing) = &self.backing {
                // SAFETY: the page is backed in place and writable, and the access does not leave it.
                unsafe { backing.at(address).cast::<$type>().write_unaligned(value.to_le()) };
                return true;
            }
            self.write_cold(address, &value.to_le_bytes())
        }
    )*};
}

impl Space {
    /// An empty address space. At most `cap` bytes will be committed; `top` is a guess at the highest address in use.
    pub fn new(granularity: Granularity, cap: Option<u64>, top: u64) -> Self {
        Self {
            kinds: Vec::new(),
            backing: None,
            regions: Vec::new(),
            granularity,
            cap: cap.unwrap_or(u64::MAX),
            mapped_pages: 0,
            peak: 0,
            dirty: Vec::new(),
            origin: None,
            aside: HashMap::new(),
            changed: Vec::new(),
            hint: top,
        }
    }

    accessors!(load_u8 store_u8 u8, load_u16 store_u16 u16, load_u32 store_u32 u32, load_u64 store_u64 u64);

    /// How exactly the ends of regions are kept.
    pub fn granularity(&self) -> Granularity {
        self.granularity
    }

    /// All regions, in order of address.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// Bytes committed, bookkeeping counted.
    pub fn committed(&self) -> u64 {
        Self::committed_by(self.mapped_pages, self.kinds.len(), self.regions.len())
    }

    fn committed_by(pages: u64, kinds: usize, regions: usize) -> u64 {
        pages * u64::from(PAGE) + kinds as u64 + (regions * (size_of::<Region>() + 16)) as u64
    }

    /// The most that was ever committed, in bytes.
    pub fn peak(&self) -> u64 {
        self.peak
    }

    /// Says that more was committed once, before the space was frozen: this many bytes.
    pub fn raise_peak(&mut self, bytes: u64) {
        self.peak = self.peak.max(bytes);
    }

    /// Changes the cap. What is committed already stays.
    pub fn set_cap(&mut self, cap: Option<u64>) {
        self.cap = cap.unwrap_or(u64::MAX);
    }

    /// The cap in bytes; `u64::MAX` without one.
    pub fn cap(&self) -> u64 {
        self.cap
    }

    fn kind(&self, page: u32) -> u8 {
        self.kinds.get(page as usize).copied().unwrap_or(0)
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        if let Some(backing) = self.backing.take() {
            backing.retire(Leftover { origin: self.origin.take(), dirty: std::mem::take(&mut self.dirty) });
        }
    }
}

impl std::fmt::Debug for Space {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Space").field("regions", &self.regions).field("guarded", &self.is_guarded()).finish_non_exhaustive()
    }
}
