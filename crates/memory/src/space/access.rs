//! Accesses that are not plain: across pages, within pages of several regions, to be noted down, or faults.

use std::ptr;

use super::kind::{self, access, with_store};
use super::{Fault, Granularity, OFFSET, PAGE, PAGE_SIZE, Permission, Space};
use crate::platform::Access;

impl Space {
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
    pub(super) fn copy_out(&self, address: u32, to: &mut [u8]) {
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
    pub(super) fn copy_in(&mut self, address: u32, from: &[u8]) {
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
    pub(super) fn read_cold(&self, address: u32, to: &mut [u8]) -> bool {
        let good = self.check(address, to.len() as u32, false).is_ok();
        if good {
            self.copy_out(address, to);
        }
        good
    }

    #[cold]
    #[inline(never)]
    pub(super) fn write_cold(&mut self, address: u32, from: &[u8]) -> bool {
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
                Err(fault) => {
                    // Up to the first byte that is not there in one piece, where that is allowed.
                    if let Fault::Unmapped(first) = fault
                        && self.check(at, first - at, false).is_ok()
                    {
                        self.copy_out(at, &mut to[count..count + (first - at) as usize]);
                        count += (first - at) as usize;
                    }
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

    pub(super) fn zero_range(&mut self, start: u64, end: u64) {
        let mut at = start;
        while at < end {
            let page_end = ((at | u64::from(OFFSET)) + 1).min(end);
            let count = (page_end - at) as usize;
            self.copy_in(at as u32, &[0; PAGE_SIZE][..count]);
            at = page_end;
        }
    }
}
