//! A 32-bit address space with byte-exact regions and permissions.

use std::collections::HashMap;
use std::io;
use std::ptr;
use std::sync::Arc;

use crate::image::Frozen;
use crate::platform::{Access, Backing};

/// Bytes of a page of the guest's.
pub const PAGE: u32 = 4096;
const PAGE_SIZE: usize = PAGE as usize;
const OFFSET: u32 = PAGE - 1;

/// What may be done with a region's bytes. Whatever can be read can be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Loads only.
    ReadOnly,
    /// Loads and stores.
    ReadWrite,
}

/// How exactly the ends of regions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// What shares a page with a region can be read; it can be written too, if all regions of that page can.
    Page,
    /// Nothing outside of a region can be accessed, and no access may touch two regions.
    Byte,
}

/// A named stretch of the address space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Address of the first byte.
    pub start: u32,
    /// Bytes; may be 0 for a region that only has a name.
    pub length: u32,
    /// What may be done with it.
    pub permission: Permission,
    /// Its name.
    pub name: Box<str>,
}

impl Region {
    /// One past the last address.
    pub fn end(&self) -> u64 {
        u64::from(self.start) + u64::from(self.length)
    }

    fn holds(&self, address: u64, length: u64) -> bool {
        u64::from(self.start) <= address && address + length <= self.end()
    }
}

/// Why a region could not be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// It would pass the end of the address space.
    Wraps,
    /// It overlaps another region.
    Overlaps,
    /// The cell's cap on memory does not allow it.
    Cap,
    /// The host has no room.
    Host,
}

impl std::fmt::Display for MapError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Wraps => "it passes the end of the 32-bit address space",
            Self::Overlaps => "it overlaps another region",
            Self::Cap => "it does not fit under the memory limit",
            Self::Host => "the host has no memory left",
        })
    }
}

impl std::error::Error for MapError {}

/// Why an access is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is mapped at this address, the first of the access for which that is so.
    Unmapped(u32),
    /// The byte at this address may only be read.
    ReadOnly(u32),
    /// Every byte is accessible, but they lie in two regions ([`Granularity::Byte`] only); the address is the access's own.
    Straddles(u32),
}

/// Kinds of pages: bits of the table that the fast paths look at.
mod kind {
    /// Any byte can be loaded in place.
    pub(super) const LOAD: u8 = 1;
    /// Any byte can be stored to in place, with nothing to note down.
    pub(super) const STORE: u8 = 2;
    /// All of the page may be written.
    pub(super) const WRITABLE: u8 = 4;
    /// What may be done differs within the page: regions are looked up.
    pub(super) const MIXED: u8 = 8;
    /// Somebody keeps code made from this page: a store is reported.
    pub(super) const WATCHED: u8 = 16;
    /// The page differs from what the space was spawned from.
    pub(super) const DIRTY: u8 = 32;
    /// The contents lie in a buffer aside, because the page's place is protected.
    pub(super) const ASIDE: u8 = 64;
    /// Some region touches the page.
    pub(super) const MAPPED: u8 = 128;
}

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
        self.mapped_pages * u64::from(PAGE) + self.kinds.len() as u64 + (self.regions.len() * (size_of::<Region>() + 16)) as u64
    }

    /// The most that was ever committed, in bytes.
    pub fn peak(&self) -> u64 {
        self.peak
    }

    /// Changes the cap. What is committed already stays.
    pub fn set_cap(&mut self, cap: Option<u64>) {
        self.cap = cap.unwrap_or(u64::MAX);
    }

    /// The cap in bytes; `u64::MAX` without one.
    pub fn cap(&self) -> u64 {
        self.cap
    }

    // ---- regions ----------------------------------------------------------------------------------------------------------------------

    /// Index of the first region that ends after `address`.
    fn first_after(&self, address: u64) -> usize {
        // Most maps and many lookups are about the last region.
        if let Some(last) = self.regions.last()
            && last.end() <= address
        {
            return self.regions.len();
        }
        self.regions.partition_point(|region| region.end() <= address)
    }

    /// The region that holds all of a range; a range of no bytes lies in none.
    pub fn region(&self, address: u32, length: u32) -> Option<&Region> {
        if length == 0 {
            return None;
        }
        self.regions.get(self.first_after(u64::from(address))).filter(|region| region.holds(u64::from(address), u64::from(length)))
    }

    /// Whether a range lies in one region that allows this access. A range of no bytes always does.
    pub fn is_within_region(&self, address: u32, length: u32, write: bool) -> bool {
        length == 0 || self.region(address, length).is_some_and(|region| !write || region.permission == Permission::ReadWrite)
    }

    /// Maps zeroed memory.
    ///
    /// # Errors
    /// [`MapError`]; then nothing has changed.
    pub fn map(&mut self, start: u32, length: u32, permission: Permission, name: &str) -> Result<(), MapError> {
        let region = Region { start, length, permission, name: name.into() };
        let end = region.end();
        if end > 1 << 32 {
            return Err(MapError::Wraps);
        }
        let index = self.first_after(u64::from(start));
        if length > 0 && self.regions[index..].iter().take_while(|next| u64::from(next.start) < end).any(|next| next.length > 0) {
            return Err(MapError::Overlaps);
        }
        // An empty region stands after those that end where it starts.
        let index = index + self.regions[index..].iter().take_while(|next| next.start < start).count();
        if length == 0 {
            if self.committed() + (size_of::<Region>() + 16) as u64 > self.cap {
                return Err(MapError::Cap);
            }
            self.regions.insert(index, region);
            self.account();
            return Ok(());
        }
        let (first, last) = (start >> 12, ((end - 1) >> 12) as u32);
        self.admit(first, last)?;
        self.regions.insert(index, region);
        if let Err(error) = self.refresh(first, last) {
            self.regions.remove(index);
            // What was protected before the failure is opened or closed again as the regions say; closing cannot fail for want of room.
            let _ = self.refresh(first, last);
            return Err(error);
        }
        self.account();
        Ok(())
    }

    /// Changes the length of the region that starts at `start` and is not empty, within the room up to the next one; bytes given back read as
    /// zeros when they are taken again.
    ///
    /// # Errors
    /// [`MapError`]; [`MapError::Overlaps`] too when there is no such region.
    pub fn resize(&mut self, start: u32, length: u32) -> Result<(), MapError> {
        let index = self.first_after(u64::from(start));
        let Some(region) = self.regions.get(index).filter(|region| region.start == start && length > 0) else {
            return Err(MapError::Overlaps);
        };
        let (old_end, new_end) = (region.end(), u64::from(start) + u64::from(length));
        if new_end > 1 << 32 {
            return Err(MapError::Wraps);
        }
        if self.regions[index + 1..].iter().take_while(|next| u64::from(next.start) < new_end).any(|next| next.length > 0) {
            return Err(MapError::Overlaps);
        }
        let old_last = ((old_end - 1) >> 12) as u32;
        let new_last = ((new_end - 1) >> 12) as u32;
        let old_length = region.length;
        if new_end < old_end {
            self.zero_range(new_end, old_end);
        }
        self.admit(start >> 12, new_last)?;
        self.regions[index].length = length;
        if let Err(error) = self.refresh(start >> 12, old_last.max(new_last)) {
            self.regions[index].length = old_length;
            let _ = self.refresh(start >> 12, old_last.max(new_last));
            return Err(error);
        }
        self.account();
        Ok(())
    }

    /// Checks the cap and makes room in table and backing for these pages.
    fn admit(&mut self, first: u32, last: u32) -> Result<(), MapError> {
        let pages = u64::from(last - first) + 1;
        let taken = (first..=last).filter(|page| self.kind(*page) & kind::MAPPED != 0).count() as u64;
        let fresh = pages - taken;
        let table = (self.kinds.len() as u64).max(u64::from(last) + 1) - self.kinds.len() as u64;
        let more = fresh * u64::from(PAGE) + table + (size_of::<Region>() + 16) as u64;
        if self.committed().saturating_add(more) > self.cap {
            return Err(MapError::Cap);
        }
        let top = (u64::from(last) + 1) << 12;
        self.make_room(top).map_err(|_| MapError::Host)?;
        if self.kinds.len() <= last as usize {
            self.kinds.resize(last as usize + 1, 0);
        }
        if let Some(backing) = &mut self.backing {
            backing.commit(first, last - first + 1).map_err(|_| MapError::Host)?;
        }
        Ok(())
    }

    fn account(&mut self) {
        self.peak = self.peak.max(self.committed());
    }

    fn kind(&self, page: u32) -> u8 {
        self.kinds.get(page as usize).copied().unwrap_or(0)
    }

    /// What the regions say about a page, without what has happened to it.
    fn classify(&self, page: u32) -> u8 {
        let (start, end) = (u64::from(page) << 12, (u64::from(page) + 1) << 12);
        let (mut any, mut all_writable, mut whole) = (false, true, false);
        for region in &self.regions[self.first_after(start)..] {
            if u64::from(region.start) >= end {
                break;
            }
            if region.length == 0 {
                continue;
            }
            any = true;
            all_writable &= region.permission == Permission::ReadWrite;
            whole |= region.holds(start, end - start);
        }
        if !any {
            return 0;
        }
        let some_writable = || {
            let regions = self.regions[self.first_after(start)..].iter();
            regions
                .take_while(|region| u64::from(region.start) < end)
                .any(|region| region.length > 0 && region.permission == Permission::ReadWrite)
        };
        match self.granularity {
            _ if whole && all_writable => kind::MAPPED | kind::LOAD | kind::WRITABLE,
            _ if whole => kind::MAPPED | kind::LOAD,
            Granularity::Byte => kind::MAPPED | kind::MIXED,
            Granularity::Page if all_writable => kind::MAPPED | kind::LOAD | kind::WRITABLE,
            Granularity::Page if some_writable() => kind::MAPPED | kind::LOAD | kind::MIXED,
            Granularity::Page => kind::MAPPED | kind::LOAD,
        }
    }

    /// Brings table and protections of these pages in line with the regions.
    fn refresh(&mut self, first: u32, last: u32) -> Result<(), MapError> {
        let mut page = first;
        while page <= last && (page as usize) < self.kinds.len() {
            let shape = self.classify(page);
            // Pages inside one region are all alike.
            let mut until = page;
            if shape & kind::MIXED == 0
                && let Some(region) = self.region(page << 12, 1)
            {
                until = until.max((((region.end()) >> 12) as u32).saturating_sub(1).min(last));
            }
            self.set_shape(page, until, shape)?;
            if until == u32::MAX >> 12 {
                break;
            }
            page = until + 1;
        }
        Ok(())
    }

    fn set_shape(&mut self, first: u32, last: u32, shape: u8) -> Result<(), MapError> {
        let reserved = self.backing.as_ref().is_some_and(Backing::is_reserved);
        for page in first..=last {
            let old = self.kinds[page as usize];
            if shape == 0 && old & kind::MAPPED != 0 {
                self.mapped_pages -= 1;
                self.aside.remove(&page);
                if old & kind::WATCHED != 0 {
                    self.changed.push(page);
                }
                if !reserved && let Some(backing) = &self.backing {
                    if old & kind::DIRTY == 0 {
                        self.dirty.push(page);
                    }
                    // SAFETY: the page was mapped, and so is backed in place.
                    unsafe { ptr::write_bytes(backing.at(page << 12), 0, PAGE_SIZE) };
                    self.kinds[page as usize] = kind::DIRTY;
                    continue;
                }
                // A page out of use keeps its mark, as its slot must be cleaned of it some day.
                self.kinds[page as usize] = old & kind::DIRTY;
                continue;
            }
            let mut new = shape | (old & (kind::WATCHED | kind::DIRTY | kind::ASIDE));
            if shape == 0 {
                continue;
            }
            self.mapped_pages += u64::from(old & kind::MAPPED == 0);
            if reserved && shape & kind::MIXED != 0 {
                if new & kind::ASIDE == 0 {
                    let mut buffer: PageBuffer = Box::new([0; PAGE_SIZE]);
                    if old & kind::LOAD != 0 {
                        self.copy_out(page << 12, &mut buffer[..]);
                    }
                    self.aside.insert(page, buffer);
                    new |= kind::ASIDE;
                }
                new &= !kind::LOAD;
            } else if new & kind::ASIDE != 0 {
                // It has become plain again.
                let Some(buffer) = self.aside.remove(&page) else { return Err(MapError::Host) };
                new &= !kind::ASIDE;
                self.protect(page, page, Access::Write)?;
                let backing = self.backing.as_ref().ok_or(MapError::Host)?;
                // SAFETY: the page was just opened for writing.
                unsafe { ptr::copy_nonoverlapping(buffer.as_ptr(), backing.at(page << 12), PAGE_SIZE) };
            }
            if reserved {
                new |= kind::DIRTY;
            }
            self.kinds[page as usize] = with_store(new);
        }
        if reserved {
            let mut page = first;
            while page <= last {
                let access = access(self.kinds[page as usize]);
                let mut until = page;
                while until < last && self::access(self.kinds[until as usize + 1]) == access {
                    until += 1;
                }
                if shape == 0
                    && let Some(backing) = &mut self.backing
                {
                    backing.release(page, until - page + 1).map_err(|_| MapError::Host)?;
                } else {
                    self.protect(page, until, access)?;
                }
                page = until + 1;
            }
        }
        Ok(())
    }

    fn protect(&mut self, first: u32, last: u32, access: Access) -> Result<(), MapError> {
        match &mut self.backing {
            Some(backing) => backing.protect(first, last - first + 1, access).map_err(|_| MapError::Host),
            None => Ok(()),
        }
    }

    // ---- backing ----------------------------------------------------------------------------------------------------------------------

    /// Sees to it that addresses below `top` are backed.
    fn make_room(&mut self, top: u64) -> io::Result<()> {
        match &self.backing {
            Some(backing) if backing.room() >= top => Ok(()),
            None => {
                let (backing, leftover) = Backing::small(top.max(self.hint))?;
                self.backing = Some(backing);
                self.clean(leftover, None);
                Ok(())
            }
            Some(_) => {
                let (backing, leftover) = Backing::small(top.max(self.hint))?;
                self.move_to(backing, leftover)
            }
        }
    }

    /// Makes a slot that somebody left equal to `image`, or to zeros.
    fn clean(&mut self, leftover: Option<Leftover>, image: Option<&Arc<Frozen>>) {
        let Some(backing) = &self.backing else { return };
        let zero = |page: u32| {
            if (u64::from(page) << 12) < backing.room() {
                // SAFETY: the page lies in the slot, which is held alone.
                unsafe { ptr::write_bytes(backing.at(page << 12), 0, PAGE_SIZE) };
            }
        };
        let copy = |page: u32, bytes: &[u8]| {
            // SAFETY: the image's pages lie in the slot: `spawn` has checked its top.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), backing.at(page << 12), PAGE_SIZE) };
        };
        let (old, dirty) = leftover.map_or((None, Vec::new()), |leftover| (leftover.origin, leftover.dirty));
        let same = match (&old, image) {
            (Some(old), Some(image)) => Arc::ptr_eq(old, image),
            (None, None) => true,
            _ => false,
        };
        for page in &dirty {
            match image.and_then(|image| image.page(*page)) {
                Some(bytes) => copy(*page, bytes),
                None => zero(*page),
            }
        }
        if !same {
            if let Some(old) = &old {
                old.each_page(|page, _| zero(page));
            }
            if let Some(image) = image {
                image.each_page(copy);
            }
        }
    }

    /// Moves everything into another backing.
    fn move_to(&mut self, to: Backing, leftover: Option<Leftover>) -> io::Result<()> {
        let old = self.backing.replace(to);
        self.clean(leftover, None);
        let Some(old) = old else { return Ok(()) };
        let old_dirty = std::mem::take(&mut self.dirty);
        let old_origin = self.origin.take();
        let reserved = self.backing.as_ref().is_some_and(Backing::is_reserved);
        let result = (|| {
            for page in 0..self.kinds.len() as u32 {
                let mut kind = self.kinds[page as usize];
                if kind & kind::MAPPED == 0 {
                    self.kinds[page as usize] = 0;
                    continue;
                }
                // SAFETY: a mapped page of a slot is backed in place.
                let source = unsafe { std::slice::from_raw_parts(old.at(page << 12), PAGE_SIZE) };
                kind |= kind::DIRTY;
                if reserved && kind & kind::MIXED != 0 {
                    let mut buffer: PageBuffer = Box::new([0; PAGE_SIZE]);
                    buffer.copy_from_slice(source);
                    self.aside.insert(page, buffer);
                    kind = (kind | kind::ASIDE) & !kind::LOAD;
                }
                self.kinds[page as usize] = with_store(kind);
                if !reserved {
                    self.dirty.push(page);
                }
            }
            let Some(backing) = &mut self.backing else { return Ok(()) };
            let count = self.kinds.len() as u32;
            let mut page = 0;
            // A slot has no protections and keeps every page in place, those of mixed permissions too.
            let access = |kind: u8| match kind & kind::MAPPED {
                0 => Access::None,
                _ if reserved => access(kind),
                _ => Access::Write,
            };
            while page < count {
                let shown = access(self.kinds[page as usize]);
                let mut until = page + 1;
                while until < count && access(self.kinds[until as usize]) == shown {
                    until += 1;
                }
                if shown != Access::None {
                    backing.protect(page, until - page, Access::Write)?;
                    for each in page..until {
                        // SAFETY: a mapped page of a slot is backed in place.
                        let source = unsafe { std::slice::from_raw_parts(old.at(each << 12), PAGE_SIZE) };
                        if source.iter().any(|byte| *byte != 0) {
                            // SAFETY: the page has just been opened for writing, and the two backings are different memory.
                            unsafe { ptr::copy_nonoverlapping(source.as_ptr(), backing.at(each << 12), PAGE_SIZE) };
                        }
                    }
                    if shown != Access::Write {
                        backing.protect(page, until - page, shown)?;
                    }
                }
                page = until;
            }
            Ok(())
        })();
        let leftover = Leftover { origin: old_origin, dirty: old_dirty };
        match result {
            Ok(()) => {
                old.retire(leftover);
                Ok(())
            }
            Err(error) => {
                // Back to where everything still is.
                self.backing = Some(old);
                self.aside.clear();
                self.origin = leftover.origin;
                self.dirty = leftover.dirty;
                for page in 0..self.kinds.len() {
                    let old = self.kinds[page] & (kind::MAPPED | kind::WRITABLE | kind::MIXED | kind::WATCHED);
                    let shape = if old & kind::MAPPED == 0 { 0 } else { self.classify(page as u32) };
                    self.kinds[page] = shape | (old & kind::WATCHED);
                }
                for page in self.dirty.clone() {
                    if let Some(kind) = self.kinds.get_mut(page as usize) {
                        *kind = with_store(*kind | kind::DIRTY);
                    }
                }
                Err(error)
            }
        }
    }

    /// Address of guest address 0 in a reservation of 4 GiB and a guard behind it, whose protections mirror the regions: plain pages are as the
    /// guest sees them; pages of mixed permissions cannot be touched at all, and watched ones cannot be written. Moves the space there first,
    /// if need be. The address holds until the space is dropped, and only compiled code may use it.
    ///
    /// # Errors
    /// When the host has no room, or no such mappings.
    pub fn guarded(&mut self) -> io::Result<*mut u8> {
        if !self.backing.as_ref().is_some_and(Backing::is_reserved) {
            let reservation = Backing::reserved()?;
            self.move_to(reservation, None)?;
        }
        let backing = self.backing.as_ref().ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))?;
        Ok(backing.at(0))
    }

    /// Whether the space lives in a reservation.
    pub fn is_guarded(&self) -> bool {
        self.backing.as_ref().is_some_and(Backing::is_reserved)
    }

    // ---- checked access -----------------------------------------------------------------------------------------------------------------

    /// Why an access would fail, if it would.
    pub fn check(&self, address: u32, length: u32, write: bool) -> Result<(), Fault> {
        let end = u64::from(address) + u64::from(length);
        let mut at = u64::from(address);
        while at < end {
            if at > u64::from(u32::MAX) {
                return Err(Fault::Unmapped(u32::MAX));
            }
            let here = at as u32;
            let kind = self.kind(here >> 12);
            if kind & kind::MAPPED == 0 {
                return Err(Fault::Unmapped(here));
            }
            let page_end = (at | u64::from(OFFSET)) + 1;
            let plain = kind & kind::MIXED == 0;
            if plain && write && kind & kind::WRITABLE == 0 {
                return Err(Fault::ReadOnly(here));
            }
            if plain || (self.granularity == Granularity::Page && !write) {
                at = page_end;
                continue;
            }
            match self.region(here, 1) {
                Some(region) if !write || region.permission == Permission::ReadWrite => at = region.end().min(page_end),
                None if self.granularity == Granularity::Byte => return Err(Fault::Unmapped(here)),
                _ => return Err(Fault::ReadOnly(here)),
            }
        }
        if self.granularity == Granularity::Byte && !self.is_within_region(address, length, write) {
            return Err(Fault::Straddles(address));
        }
        Ok(())
    }

    /// Where the byte at a mapped address lies, to be read; the rest of its page follows.
    #[inline]
    fn byte(&self, address: u32) -> *const u8 {
        let page = address >> 12;
        if self.kind(page) & kind::ASIDE != 0
            && let Some(buffer) = self.aside.get(&page)
        {
            return buffer[(address & OFFSET) as usize..].as_ptr();
        }
        match &self.backing {
            Some(backing) => backing.at(address),
            None => ptr::null(),
        }
    }

    /// Copies out of mapped pages, whatever their permission.
    fn copy_out(&self, address: u32, to: &mut [u8]) {
        let mut at = address;
        let mut rest = to;
        while !rest.is_empty() {
            let count = ((PAGE - (at & OFFSET)) as usize).min(rest.len());
            let (now, later) = rest.split_at_mut(count);
            // SAFETY: the page is mapped, so its bytes are backed and readable up to its end.
            unsafe { ptr::copy_nonoverlapping(self.byte(at), now.as_mut_ptr(), count) };
            rest = later;
            at = at.wrapping_add(count as u32);
        }
    }

    /// Copies into mapped pages that may be written, noting it down.
    fn copy_in(&mut self, address: u32, from: &[u8]) {
        let mut at = address;
        let mut rest = from;
        while !rest.is_empty() {
            let count = ((PAGE - (at & OFFSET)) as usize).min(rest.len());
            let (now, later) = rest.split_at(count);
            self.touch(at >> 12);
            let page = at >> 12;
            if self.kinds[page as usize] & kind::ASIDE != 0
                && let Some(buffer) = self.aside.get_mut(&page)
            {
                let offset = (at & OFFSET) as usize;
                buffer[offset..offset + count].copy_from_slice(now);
            } else if let Some(backing) = &self.backing {
                // SAFETY: the page is mapped and writable in place, and the copy does not leave it.
                unsafe { ptr::copy_nonoverlapping(now.as_ptr(), backing.at(at), count) };
            }
            rest = later;
            at = at.wrapping_add(count as u32);
        }
    }

    /// Notes that a page is about to be written.
    fn touch(&mut self, page: u32) {
        let mut kind = self.kinds[page as usize];
        if kind & kind::DIRTY == 0 {
            kind |= kind::DIRTY;
            self.dirty.push(page);
        }
        if kind & kind::WATCHED != 0 {
            kind &= !kind::WATCHED;
            self.changed.push(page);
            if kind & kind::WRITABLE != 0
                && let Some(backing) = &mut self.backing
                && backing.is_reserved()
            {
                // Opening one page of a mapping again splits nothing that was not split when it was closed.
                let _ = backing.protect(page, 1, Access::Write);
            }
        }
        self.kinds[page as usize] = with_store(kind);
    }

    #[cold]
    #[inline(never)]
    fn read_cold(&self, address: u32, to: &mut [u8]) -> bool {
        let good = self.check(address, to.len() as u32, false).is_ok();
        if good {
            self.copy_out(address, to);
        }
        good
    }

    #[cold]
    #[inline(never)]
    fn write_cold(&mut self, address: u32, from: &[u8]) -> bool {
        let good = self.check(address, from.len() as u32, true).is_ok();
        if good {
            self.copy_in(address, from);
        }
        good
    }

    /// Copies bytes out.
    ///
    /// # Errors
    /// [`Fault`]; then `to` is unchanged.
    pub fn read(&self, address: u32, to: &mut [u8]) -> Result<(), Fault> {
        let length = u32::try_from(to.len()).map_err(|_| Fault::Unmapped(u32::MAX))?;
        self.check(address, length, false)?;
        self.copy_out(address, to);
        Ok(())
    }

    /// Copies bytes in.
    ///
    /// # Errors
    /// [`Fault`]; then nothing has changed.
    pub fn write(&mut self, address: u32, from: &[u8]) -> Result<(), Fault> {
        let length = u32::try_from(from.len()).map_err(|_| Fault::Unmapped(u32::MAX))?;
        self.check(address, length, true)?;
        self.copy_in(address, from);
        Ok(())
    }

    /// As many bytes from here on as can be read, at most `to.len()`; returns how many.
    pub fn read_up_to(&self, address: u32, to: &mut [u8]) -> usize {
        let mut count = 0;
        while count < to.len() {
            let Some(at) = address.checked_add(count as u32) else { break };
            let piece = ((PAGE - (at & OFFSET)) as usize).min(to.len() - count);
            match self.check(at, piece as u32, false) {
                Ok(()) => {
                    self.copy_out(at, &mut to[count..count + piece]);
                    count += piece;
                }
                Err(_) => {
                    while count < to.len()
                        && let Some(at) = address.checked_add(count as u32)
                        && self.check(at, 1, false).is_ok()
                    {
                        self.copy_out(at, &mut to[count..=count]);
                        count += 1;
                    }
                    break;
                }
            }
        }
        count
    }

    /// Writes into a region whatever its permission: for those who lay out a program.
    ///
    /// # Errors
    /// [`Fault`] when the range does not lie in one region.
    pub fn initialize(&mut self, address: u32, from: &[u8]) -> Result<(), Fault> {
        let length = u32::try_from(from.len()).map_err(|_| Fault::Unmapped(u32::MAX))?;
        if !self.is_within_region(address, length, false) {
            return Err(Fault::Unmapped(address));
        }
        if length == 0 {
            return Ok(());
        }
        let (first, last) = (address >> 12, (address + (length - 1)) >> 12);
        let reserved = self.is_guarded();
        if reserved {
            for page in first..=last {
                if self.kind(page) & kind::ASIDE == 0 {
                    self.protect(page, page, Access::Write).map_err(|_| Fault::Unmapped(address))?;
                }
            }
        }
        self.copy_in(address, from);
        if reserved {
            for page in first..=last {
                let access = access(self.kind(page));
                if self.kind(page) & kind::ASIDE == 0 {
                    self.protect(page, page, access).map_err(|_| Fault::Unmapped(address))?;
                }
            }
        }
        Ok(())
    }

    fn zero_range(&mut self, start: u64, end: u64) {
        let mut at = start;
        while at < end {
            let page_end = ((at | u64::from(OFFSET)) + 1).min(end);
            let count = (page_end - at) as usize;
            self.copy_in(at as u32, &[0; PAGE_SIZE][..count]);
            at = page_end;
        }
    }

    // ---- code -------------------------------------------------------------------------------------------------------------------------

    /// Says that code made from this page is kept. A later store to it is reported once by [`take_changed_code`](Space::take_changed_code), and
    /// ends the watch. A page that nobody can store to needs none.
    pub fn watch_code(&mut self, page: u32) {
        let old = self.kind(page);
        if old & kind::MAPPED == 0 || old & (kind::WRITABLE | kind::MIXED) == 0 || old & kind::WATCHED != 0 {
            return;
        }
        self.kinds[page as usize] = with_store(old | kind::WATCHED);
        if self.is_guarded() && old & kind::ASIDE == 0 && self.protect(page, page, Access::Read).is_err() {
            // Without a protection compiled code would not notice: say at once that it has changed, so that nothing is kept.
            self.kinds[page as usize] = old;
            self.changed.push(page);
        }
    }

    /// Whether watched code was stored to since the last [`take_changed_code`](Space::take_changed_code).
    #[inline(always)]
    pub fn code_has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The pages of watched code that were stored to. They are not watched any more.
    pub fn take_changed_code(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.changed)
    }

    /// Whether the page is watched, or can never be written.
    pub fn is_watched_or_read_only(&self, page: u32) -> bool {
        let kind = self.kind(page);
        kind & kind::MAPPED != 0 && (kind & kind::WATCHED != 0 || kind & (kind::WRITABLE | kind::MIXED) == 0)
    }

    // ---- freezing -----------------------------------------------------------------------------------------------------------------------

    /// Calls `each` with every mapped page that is not all zeros, in order.
    pub(crate) fn each_page(&self, mut each: impl FnMut(u32, &[u8; PAGE_SIZE])) {
        let mut buffer = [0; PAGE_SIZE];
        for (page, kind) in self.kinds.iter().enumerate() {
            if kind & kind::MAPPED != 0 {
                self.copy_out((page as u32) << 12, &mut buffer);
                if buffer.iter().any(|byte| *byte != 0) {
                    each(page as u32, &buffer);
                }
            }
        }
    }

    /// An address space as an image has it: regions and contents, nothing dirty.
    pub(crate) fn thaw(image: &Arc<Frozen>, cap: Option<u64>) -> io::Result<Self> {
        let mut space = Self::new(image.granularity, cap, image.top());
        space.regions.clone_from(&image.regions);
        space.mapped_pages = image.mapped_pages;
        space.kinds.clone_from(&image.kinds);
        space.peak = space.committed();
        if space.peak > space.cap {
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, MapError::Cap));
        }
        if image.top() == 0 {
            return Ok(space);
        }
        let (backing, leftover) = Backing::for_image(image.top(), image.content())?;
        let reserved = backing.is_reserved();
        space.backing = Some(backing);
        if !reserved {
            if let Some(backing) = &mut space.backing {
                for page in 0..space.kinds.len() as u32 {
                    if space.kinds[page as usize] & kind::MAPPED != 0 {
                        backing.commit(page, 1)?;
                    }
                }
            }
            space.clean(leftover, Some(image));
            space.origin = Some(Arc::clone(image));
            return Ok(space);
        }
        space.kinds.clone_from(&image.guarded.kinds);
        for page in &image.guarded.mixed {
            let mut buffer: PageBuffer = Box::new([0; PAGE_SIZE]);
            if let Some(bytes) = image.page(*page) {
                buffer.copy_from_slice(bytes);
            }
            space.aside.insert(*page, buffer);
        }
        let Some(backing) = &mut space.backing else { return Ok(space) };
        for (first, end, access) in &image.guarded.spans {
            backing.protect(*first, end - first, *access)?;
            image.each_run(*first, *end, |first, pages, offset| backing.map_content(image.content(), first, pages, offset, *access))?;
        }
        Ok(space)
    }

    /// The table of page kinds as a fresh copy in a slot has it.
    pub(crate) fn clean_kinds(&self) -> Vec<u8> {
        (0..self.kinds.len() as u32).map(|page| self.classify(page)).collect()
    }

    /// Pages that some region touches.
    pub(crate) fn mapped_pages(&self) -> u64 {
        self.mapped_pages
    }
}

/// What a copy of an image needs to know to live in a reservation.
#[derive(Default)]
pub(crate) struct Guarded {
    kinds: Vec<u8>,
    mixed: Vec<u32>,
    spans: Vec<(u32, u32, Access)>,
}

impl Guarded {
    pub(crate) fn new(clean: &[u8]) -> Self {
        let mut guarded = Self { kinds: clean.to_vec(), ..Self::default() };
        for (page, entry) in guarded.kinds.iter_mut().enumerate() {
            if *entry & kind::MIXED != 0 {
                *entry = (*entry | kind::ASIDE) & !kind::LOAD;
                guarded.mixed.push(page as u32);
            }
            if *entry & kind::MAPPED != 0 {
                *entry = with_store(*entry | kind::DIRTY);
            }
        }
        let mut page = 0;
        while page < guarded.kinds.len() {
            let access = access(guarded.kinds[page]);
            let end = (page..guarded.kinds.len()).find(|at| self::access(guarded.kinds[*at]) != access).unwrap_or(guarded.kinds.len());
            if access != Access::None {
                guarded.spans.push((page as u32, end as u32, access));
            }
            page = end;
        }
        guarded
    }
}

/// Sets or clears the bit that allows stores in place.
fn with_store(kind: u8) -> u8 {
    let plain = kind & (kind::WRITABLE | kind::DIRTY | kind::WATCHED | kind::MIXED | kind::ASIDE) == kind::WRITABLE | kind::DIRTY;
    if plain { kind | kind::STORE } else { kind & !kind::STORE }
}

/// The protection of a page in a reservation.
fn access(kind: u8) -> Access {
    if kind & kind::STORE != 0 {
        Access::Write
    } else if kind & kind::LOAD != 0 {
        Access::Read
    } else {
        Access::None
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
