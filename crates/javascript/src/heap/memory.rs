//! The engine's view of guest memory: the only door to it.
//!
//! Offsets are 32 bits. With the top bit set they read the shared image, else the private slot.
//! Every access is masked, so an offset out of a corrupted heap reads or writes something of the
//! cell's own, never anything else.

use memory::{DualView, Region, SharedImage, Slot};

pub(crate) use memory::Registers;

/// The bit that tells an offset of the shared image.
pub(crate) const SHARED: u32 = 1 << 31;

/// While the shared image is built, it lies in the private slot from here on.
pub(crate) const BUILDING_ZONE: u32 = 4 << 20;

/// Both regions, behind 32-bit offsets.
#[derive(Clone, Copy)]
pub(crate) struct Memory<'a> {
    dual: DualView<'a>,
    /// What shared offsets read: the image or, while it is built, the building zone.
    shared: Region<'a>,
    /// Shared offsets reach the building zone.
    building: bool,
}

macro_rules! accessors {
    ($($load:ident $store:ident $type:ty),*) => {$(
        #[inline(always)]
        pub(crate) fn $load(self, offset: u32) -> $type {
            if (offset as i32) < 0 { self.shared.$load(offset) } else { self.dual.private.$load(offset) }
        }

        #[inline(always)]
        pub(crate) fn $store(self, offset: u32, value: $type) {
            if (offset as i32) >= 0 {
                self.dual.$store(offset, value);
            } else if self.building {
                self.dual.$store(zone(offset), value);
            }
        }
    )*};
}

#[cold]
fn zone(offset: u32) -> u32 {
    (offset & !SHARED) + BUILDING_ZONE
}

impl<'a> Memory<'a> {
    pub(crate) fn new(slot: &'a Slot, shared: &'a SharedImage, building: bool) -> Self {
        let dual = slot.dual(shared);
        let shared = if building { dual.private.part(BUILDING_ZONE, BUILDING_ZONE) } else { dual.region(SHARED) };
        Memory { dual, shared, building }
    }

    /// Bytes of the private region.
    pub(crate) fn extent(self) -> u32 {
        self.dual.private.extent()
    }

    accessors!(load_u8 store_u8 u8, load_u16 store_u16 u16, load_u32 store_u32 u32, load_u64 store_u64 u64);

    /// Loads from the private part, which is where objects, elements, boxes and frames lie: no look at the top bit.
    #[inline(always)]
    pub(crate) fn own_u8(self, offset: u32) -> u8 {
        self.dual.private.load_u8(offset)
    }

    /// Likewise.
    #[inline(always)]
    pub(crate) fn own_u32(self, offset: u32) -> u32 {
        self.dual.private.load_u32(offset)
    }

    /// Likewise.
    #[inline(always)]
    pub(crate) fn own_u64(self, offset: u32) -> u64 {
        self.dual.private.load_u64(offset)
    }

    /// Stores in the private part.
    #[inline(always)]
    pub(crate) fn set_own_u32(self, offset: u32, value: u32) {
        self.dual.private.store_u32(offset, value);
    }

    /// Likewise.
    #[inline(always)]
    pub(crate) fn set_own_u64(self, offset: u32, value: u64) {
        self.dual.private.store_u64(offset, value);
    }

    fn place(self, offset: u32) -> u32 {
        if offset & SHARED != 0 && self.building { zone(offset) } else { offset }
    }

    /// Appends `length` bytes from `offset` to `out`.
    pub(crate) fn read(self, offset: u32, length: u32, out: &mut Vec<u8>) {
        let start = out.len();
        // A corrupted length must not make the host hold more than guest memory could.
        let length = length.min(self.extent().max(1 << 16));
        out.resize(start + length as usize, 0);
        self.dual.read_into(self.place(offset), &mut out[start..]);
    }

    /// Copies bytes out.
    pub(crate) fn read_into(self, offset: u32, out: &mut [u8]) {
        self.dual.read_into(self.place(offset), out);
    }

    /// Writes `bytes` at `offset`.
    pub(crate) fn write(self, offset: u32, bytes: &[u8]) {
        if offset & SHARED == 0 || self.building {
            self.dual.write_from(self.place(offset), bytes);
        }
    }

    /// Copies `length` bytes; the ranges may overlap.
    pub(crate) fn copy(self, from: u32, to: u32, length: u32) {
        if to & SHARED == 0 || self.building {
            self.dual.copy_within(self.place(from), self.place(to), length);
        }
    }

    /// Orders two ranges of bytes.
    pub(crate) fn compare(self, a: (u32, u32), b: (u32, u32)) -> std::cmp::Ordering {
        self.dual.compare((self.place(a.0), a.1), (self.place(b.0), b.1))
    }

    /// Compares two ranges of the same length.
    pub(crate) fn same(self, a: u32, b: u32, length: u32) -> bool {
        self.dual.compare((self.place(a), length), (self.place(b), length)).is_eq()
    }

    /// Sets `count` words from `offset` on.
    #[inline]
    pub(crate) fn fill(self, offset: u32, count: u32, value: u64) {
        if value == 0 && (offset & SHARED == 0 || self.building) {
            self.dual.fill(self.place(offset), count.saturating_mul(8), 0);
        } else {
            for i in 0..count {
                self.store_u64(offset.wrapping_add(i * 8), value);
            }
        }
    }

    /// The 256 registers from `offset` on.
    #[inline(always)]
    pub(crate) fn window(self, offset: u32) -> Registers<'a> {
        self.dual.private.registers(offset)
    }

    /// The region that `pc` lies in.
    #[inline(always)]
    pub(crate) fn code(self, pc: u32) -> Region<'a> {
        if (pc as i32) < 0 { self.shared } else { self.dual.private.whole() }
    }
}
