//! Where the bytes are: in a pooled slot, or in a reservation of 4 GiB; and the move from one to the other.

use std::io;
use std::ptr;
use std::sync::Arc;

use super::kind::{self, access, with_store};
use super::{Leftover, PAGE_SIZE, PageBuffer, Space};
use crate::image::Frozen;
use crate::platform::{Access, Backing};

impl Space {
    /// Sees to it that addresses below `top` are backed.
    pub(super) fn make_room(&mut self, top: u64) -> io::Result<()> {
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
    pub(super) fn clean(&mut self, leftover: Option<Leftover>, image: Option<&Arc<Frozen>>) {
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
}
