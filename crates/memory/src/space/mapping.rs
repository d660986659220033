//! Regions come, grow, shrink, and show in the table of pages and in the protections.

use std::ptr;

use super::kind::{self, access, with_store};
use super::{Granularity, MapError, PAGE, PAGE_SIZE, PageBuffer, Permission, Region, Space};
use crate::platform::{Access, Backing};

impl Space {
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
        } else {
            self.admit(start >> 12, new_last)?;
        }
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

    /// What the regions say about a page, without what has happened to it.
    pub(super) fn classify(&self, page: u32) -> u8 {
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

    pub(super) fn protect(&mut self, first: u32, last: u32, access: Access) -> Result<(), MapError> {
        match &mut self.backing {
            Some(backing) => backing.protect(first, last - first + 1, access).map_err(|_| MapError::Host),
            None => Ok(()),
        }
    }
}
