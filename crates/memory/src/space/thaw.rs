//! What images need of an address space, and a space made from one.

use std::io;
use std::sync::Arc;

use super::kind::{self, access, with_store};
use super::{MapError, PAGE_SIZE, PageBuffer, Space};
use crate::image::Frozen;
use crate::platform::{Access, Backing};

impl Space {
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
        space.peak = image.committed();
        if space.peak > space.cap {
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, MapError::Cap));
        }
        if image.top() == 0 {
            return Ok(space);
        }
        let (mut backing, leftover) = Backing::for_image(image.top(), image.content())?;
        space.origin = Some(Arc::clone(image));
        if !backing.is_reserved() {
            space.kinds.clone_from(&image.kinds);
            for page in 0..space.kinds.len() as u32 {
                if space.kinds[page as usize] & kind::MAPPED != 0 {
                    backing.commit(page, 1)?;
                }
            }
            space.backing = Some(backing);
            space.clean(leftover, Some(image));
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
        if !backing.is_as_image() {
            image.map_into(&mut backing)?;
            backing.set_as_image();
        }
        space.backing = Some(backing);
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

impl Frozen {
    /// Bytes that a copy has committed, bookkeeping counted: see [`Space::committed`].
    fn committed(&self) -> u64 {
        Space::committed_by(self.mapped_pages, self.kinds.len(), self.regions.len())
    }

    /// Maps all of it into a new reservation.
    fn map_into(&self, backing: &mut Backing) -> io::Result<()> {
        for (first, end, access) in &self.guarded.spans {
            // What is mapped comes with its protection; only the zeros between are opened.
            let mut at = *first;
            self.each_run(*first, *end, |first, pages, offset| {
                if first > at {
                    backing.protect(at, first - at, *access)?;
                }
                at = first + pages;
                backing.map_content(self.content(), first, pages, offset, *access)
            })?;
            if *end > at {
                backing.protect(at, end - at, *access)?;
            }
        }
        Ok(())
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
