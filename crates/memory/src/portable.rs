//! Memory from the allocator, for platforms without mappings.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use crate::pool::PAD;
use crate::space::Leftover;

/// Zeroed memory of a fixed address.
struct Block {
    base: NonNull<u8>,
    layout: Layout,
}

// SAFETY: an allocation belongs to no thread; those who share it keep accesses to the same bytes apart.
unsafe impl Send for Block {}
// SAFETY: as above; the methods that take `&self` change no field.
unsafe impl Sync for Block {}

impl Block {
    fn new(length: usize) -> io::Result<Self> {
        let layout = Layout::from_size_align(length.max(16), 4096).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        // SAFETY: the layout's size is not zero.
        let base = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(Self { base, layout })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` with this layout.
        unsafe { dealloc(self.base.as_ptr(), self.layout) };
    }
}

/// The memory of a pool: one allocation per slot, made when the slot is first used.
pub(crate) struct Stretches {
    blocks: Vec<OnceLock<Block>>,
    capacity: usize,
}

impl Stretches {
    pub(crate) fn new(capacity: usize, slots: usize) -> io::Result<Self> {
        Ok(Self { blocks: (0..slots).map(|_| OnceLock::new()).collect(), capacity })
    }

    /// The memory of the slot with this index, which is below the number of slots.
    pub(crate) fn base(&self, index: usize) -> io::Result<NonNull<u8>> {
        let cell = &self.blocks[index];
        if cell.get().is_none() {
            // Another thread cannot be here for the same slot: whoever takes an index has it alone.
            let _ = cell.set(Block::new(self.capacity + PAD)?);
        }
        Ok(cell.get().expect("just set").base)
    }

    /// Makes everything in the slot zero again.
    pub(crate) fn discard(&self, index: usize) {
        self.clear(index, self.capacity + PAD);
    }

    /// Makes the first `used` bytes of the slot zero.
    pub(crate) fn clear(&self, index: usize, used: usize) {
        if let Some(block) = self.blocks[index].get() {
            let used = used.min(self.capacity + PAD);
            // SAFETY: the range lies in the block, and the caller holds the slot.
            unsafe { ptr::write_bytes(block.base.as_ptr(), 0, used) };
        }
    }
}

/// Read-only bytes, padded with zeros to a power of two; offsets wrap there.
pub(crate) struct Frozen {
    block: Block,
    mask: u32,
    length: usize,
}

impl Frozen {
    pub(crate) fn new(bytes: &[u8]) -> io::Result<Self> {
        let size = bytes.len().next_power_of_two().max(4096);
        let block = Block::new(size + PAD)?;
        // SAFETY: the block is new and longer than `bytes`.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), block.base.as_ptr(), bytes.len()) };
        Ok(Self { block, mask: (size - 1) as u32, length: bytes.len() })
    }

    pub(crate) fn of_constants(bytes: &'static [u8]) -> io::Result<Self> {
        Self::new(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the first `length` bytes were written by `new`, and nothing writes afterwards.
        unsafe { std::slice::from_raw_parts(self.block.base.as_ptr(), self.length) }
    }

    pub(crate) fn handle(&self) -> FrozenHandle<'_> {
        FrozenHandle(self)
    }
}

/// One word that reaches [`Frozen`] bytes.
#[derive(Clone, Copy)]
pub(crate) struct FrozenHandle<'a>(&'a Frozen);

impl FrozenHandle<'_> {
    /// Where the byte at this offset lies; its top bit is ignored. At least `PAD` bytes can be read from there.
    pub(crate) fn at(self, offset: u32) -> *const u8 {
        let offset = offset & 0x7fff_ffff;
        // An offset past the bytes reads zeros, as it does where 2 GiB are reserved: the last `PAD` bytes are always zero.
        let at = if offset > self.0.mask { self.0.mask as usize + 1 } else { offset as usize };
        // SAFETY: the block is `mask + 1 + PAD` bytes long.
        unsafe { self.0.block.base.as_ptr().add(at) }
    }

    /// Bytes from the start that can be read in one piece.
    pub(crate) fn readable(self) -> usize {
        self.0.mask as usize + 1
    }
}

/// What may be done with pages of a reservation, which there is none of here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    None,
    Read,
    Write,
}

const PAGE: usize = 4096;

/// Nothing is pooled here.
pub(crate) fn trim(_keep: usize) {}

/// Pages of one entry of [`Backing`].
const TABLE: usize = 1024;

/// Where the bytes of an address space are: one allocation per page in use, found by a table of tables.
#[derive(Default)]
pub(crate) struct Backing {
    tables: Vec<Option<Box<[Option<Block>; TABLE]>>>,
}

impl Backing {
    #[expect(clippy::unnecessary_wraps, reason = "mapping can fail")]
    pub(crate) fn small(_top: u64) -> io::Result<(Self, Option<Leftover>)> {
        Ok((Self::default(), None))
    }

    pub(crate) fn for_image(top: u64, _content: &Content) -> io::Result<(Self, Option<Leftover>)> {
        Self::small(top)
    }

    pub(crate) fn reserved() -> io::Result<Self> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    /// Where a byte of a committed page lies.
    #[inline(always)]
    pub(crate) fn at(&self, address: u32) -> *mut u8 {
        let page = (address >> 12) as usize;
        match self.tables.get(page / TABLE) {
            Some(Some(table)) => match &table[page % TABLE] {
                Some(block) => block.base.as_ptr().wrapping_add(address as usize & (PAGE - 1)),
                None => ptr::null_mut(),
            },
            _ => ptr::null_mut(),
        }
    }

    pub(crate) fn room(&self) -> u64 {
        // A slot that somebody else left is cleaned as far as it has pages; here nobody leaves any.
        1 << 32
    }

    pub(crate) fn is_reserved(&self) -> bool {
        false
    }

    pub(crate) fn is_as_image(&self) -> bool {
        false
    }

    pub(crate) fn set_as_image(&mut self) {}

    /// Makes sure that pages have memory.
    pub(crate) fn commit(&mut self, first: u32, pages: u32) -> io::Result<()> {
        for page in first as usize..(first + pages) as usize {
            if self.tables.len() <= page / TABLE {
                self.tables.resize_with(page / TABLE + 1, || None);
            }
            let table = self.tables[page / TABLE].get_or_insert_with(|| Box::new([const { None }; TABLE]));
            if table[page % TABLE].is_none() {
                table[page % TABLE] = Some(Block::new(PAGE)?);
            }
        }
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "mapping can fail")]
    pub(crate) fn protect(&mut self, _first: u32, _pages: u32, _access: Access) -> io::Result<()> {
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "mapping can fail")]
    pub(crate) fn release(&mut self, _first: u32, _pages: u32) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn map_content(&mut self, _content: &Content, _first: u32, _pages: u32, _offset: usize, _access: Access) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    pub(crate) fn retire(self, _leftover: Leftover) {}
}

/// The pages of an image.
pub(crate) struct Content {
    bytes: Vec<u8>,
}

impl Content {
    #[expect(clippy::unnecessary_wraps, reason = "mapping can fail")]
    pub(crate) fn new(bytes: Vec<u8>, _top: u64) -> io::Result<Self> {
        Ok(Self { bytes })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
