//! Loads and stores by 32-bit offset that cannot leave.

use std::cmp::Ordering;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use crate::pool::Slot;
use crate::shared::SharedView;

/// Loads and stores in a [`Slot`]: two words, to be passed by value. Copies see each other's stores, as with `Cell`; a view stays on the thread
/// of its slot and cannot outlive it.
///
/// Offsets wrap at the slot's extent; an access that begins inside it and hangs over its end reaches padding of the slot's own.
#[derive(Clone, Copy)]
pub struct View<'a> {
    base: NonNull<u8>,
    mask: u32,
    slot: PhantomData<&'a Slot>,
}

macro_rules! accessors {
    ($($load:ident $store:ident $type:ty),*) => {$(
        #[doc = concat!("Loads a little-endian `", stringify!($type), "`; any alignment.")]
        #[inline(always)]
        #[must_use]
        pub fn $load(self, offset: u32) -> $type {
            // SAFETY: a masked offset lies below the extent, and the slot goes on for `PAD` bytes behind it.
            <$type>::from_le(unsafe { self.at(offset).cast::<$type>().read_unaligned() })
        }

        #[doc = concat!("Stores a little-endian `", stringify!($type), "`; any alignment.")]
        #[inline(always)]
        pub fn $store(self, offset: u32, value: $type) {
            // SAFETY: as for loads; no reference to the slot's bytes exists anywhere.
            unsafe { self.at(offset).cast::<$type>().write_unaligned(value.to_le()) }
        }
    )*};
}

impl<'a> View<'a> {
    /// # Safety
    /// `mask + 1` is a power of two, at least [`Registers::BYTES`]; `mask + 1 + PAD` bytes from `base` can be read and written for `'a`, and no reference to them exists.
    #[inline(always)]
    pub(crate) unsafe fn new(base: NonNull<u8>, mask: u32) -> Self {
        debug_assert!(mask >= Registers::BYTES - 1 && (mask + 1).is_power_of_two());
        View { base, mask, slot: PhantomData }
    }

    /// `PAD` bytes can be accessed from there.
    #[inline(always)]
    fn at(self, offset: u32) -> *mut u8 {
        // SAFETY: the masked offset lies below the extent.
        unsafe { self.base.as_ptr().add((offset & self.mask) as usize) }
    }

    accessors!(load_u8 store_u8 u8, load_u16 store_u16 u16, load_u32 store_u32 u32, load_u64 store_u64 u64);

    /// Bytes that offsets reach.
    #[inline(always)]
    #[must_use]
    pub fn extent(self) -> u32 {
        self.mask + 1
    }

    /// The 256 words from `offset` on; moved down to the last 256 words if they would pass the end.
    #[inline(always)]
    #[must_use]
    pub fn registers(self, offset: u32) -> Registers<'a> {
        let start = (offset & self.mask).min(self.mask.wrapping_sub(Registers::BYTES - 1));
        // SAFETY: `start + BYTES` is at most the extent, which is at least `BYTES`, as whoever made the view promised.
        Registers { base: unsafe { self.base.add(start as usize) }, slot: PhantomData }
    }

    /// The slot as a region.
    #[inline(always)]
    #[must_use]
    pub fn whole(self) -> Region<'a> {
        Region { base: self.base, mask: self.mask, view: PhantomData }
    }

    /// A part of the slot as a region of its own: offsets count from `start` and wrap at `size`.
    ///
    /// # Panics
    /// When `size` is no power of two, or the part does not lie inside the extent.
    #[must_use]
    pub fn part(self, start: u32, size: u32) -> Region<'a> {
        assert!(size.is_power_of_two() && start.checked_add(size).is_some_and(|end| end <= self.extent()));
        // SAFETY: `start + size` lies inside the extent, behind which `PAD` bytes follow.
        Region { base: unsafe { self.base.add(start as usize) }, mask: size - 1, view: PhantomData }
    }

    /// The part of a range that lies before the end of the extent: where it starts, and how long it is.
    #[inline]
    fn clip(self, offset: u32, length: usize) -> (*mut u8, usize) {
        let start = offset & self.mask;
        (self.at(start), length.min((self.mask - start) as usize + 1))
    }

    /// Copies bytes out; what would lie past the end of the extent is left as it was.
    pub fn read_into(self, offset: u32, to: &mut [u8]) {
        let (at, length) = self.clip(offset, to.len());
        // SAFETY: the clipped range lies in the slot; `to` is a Rust reference and so no part of any slot.
        unsafe { ptr::copy_nonoverlapping(at, to.as_mut_ptr(), length) };
    }

    /// Copies bytes in; what would lie past the end of the extent is dropped.
    pub fn write_from(self, offset: u32, from: &[u8]) {
        let (at, length) = self.clip(offset, from.len());
        // SAFETY: as in `read_into`.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), at, length) };
    }

    /// Sets `length` bytes, as far as they lie before the end of the extent.
    pub fn fill(self, offset: u32, length: u32, byte: u8) {
        let (at, length) = self.clip(offset, length as usize);
        // SAFETY: the clipped range lies in the slot.
        unsafe { ptr::write_bytes(at, byte, length) };
    }

    /// Copies `length` bytes from one place to another, as far as both lie before the end of the extent. The ranges may overlap.
    pub fn copy_within(self, from: u32, to: u32, length: u32) {
        let (to, length) = self.clip(to, length as usize);
        let (from, length) = self.clip(from, length);
        // SAFETY: both clipped ranges lie in the slot.
        unsafe { ptr::copy(from, to, length) };
    }
}

/// 256 words of a slot that can be used without any check, as registers numbered by a byte. Copies see each other's stores.
#[derive(Clone, Copy)]
pub struct Registers<'a> {
    base: NonNull<u8>,
    slot: PhantomData<&'a Slot>,
}

impl Registers<'_> {
    /// Bytes of a window.
    pub const BYTES: u32 = 256 * 8;

    /// Loads a register.
    #[inline(always)]
    #[must_use]
    pub fn get(self, register: u8) -> u64 {
        // SAFETY: the window is 256 words long and lies in the slot.
        u64::from_le(unsafe { self.base.as_ptr().cast::<u64>().add(usize::from(register)).read_unaligned() })
    }

    /// Stores a register.
    #[inline(always)]
    pub fn set(self, register: u8, value: u64) {
        // SAFETY: as for `get`; no reference to the slot's bytes exists anywhere.
        unsafe { self.base.as_ptr().cast::<u64>().add(usize::from(register)).write_unaligned(value.to_le()) }
    }
}

/// The side of a [`DualView`] that some offset belongs to, for reading many words near it: two words, no test of the top bit.
#[derive(Clone, Copy)]
pub struct Region<'a> {
    base: NonNull<u8>,
    mask: u32,
    view: PhantomData<&'a Slot>,
}

impl Region<'_> {
    /// Loads a little-endian `u32` from this side, whatever the top bit of the offset.
    #[inline(always)]
    #[must_use]
    pub fn load_u32(self, offset: u32) -> u32 {
        // SAFETY: the masked offset and `PAD` bytes behind it can be read, as the view that made this region promised.
        u32::from_le(unsafe { self.base.as_ptr().add((offset & self.mask) as usize).cast::<u32>().read_unaligned() })
    }

    /// Loads a little-endian `u64` likewise.
    #[inline(always)]
    #[must_use]
    pub fn load_u64(self, offset: u32) -> u64 {
        // SAFETY: as above; `PAD` is 16 bytes.
        u64::from_le(unsafe { self.base.as_ptr().add((offset & self.mask) as usize).cast::<u64>().read_unaligned() })
    }

    /// Loads a little-endian `u16` likewise.
    #[inline(always)]
    #[must_use]
    pub fn load_u16(self, offset: u32) -> u16 {
        // SAFETY: as above.
        u16::from_le(unsafe { self.base.as_ptr().add((offset & self.mask) as usize).cast::<u16>().read_unaligned() })
    }

    /// Loads a byte likewise.
    #[inline(always)]
    #[must_use]
    pub fn load_u8(self, offset: u32) -> u8 {
        // SAFETY: as above.
        unsafe { *self.base.as_ptr().add((offset & self.mask) as usize) }
    }
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("extent", &self.extent()).finish()
    }
}

/// A [`View`] and a [`SharedView`] under one space of offsets: those with the top bit set read the shared image.
///
/// Three words. A function with few registers to spare takes the two parts as arguments of their own and joins them with
/// [`new`](DualView::new), which costs nothing. A store pays no attention to the top bit: it lands at the masked offset in the private part,
/// where it can harm its own guest only. An engine that must notice stores to shared things looks before it stores.
#[derive(Clone, Copy, Debug)]
pub struct DualView<'a> {
    /// What offsets without the top bit reach.
    pub private: View<'a>,
    /// What offsets with the top bit read.
    pub shared: SharedView<'a>,
}

macro_rules! dual_accessors {
    ($($load:ident $store:ident $type:ty),*) => {$(
        #[doc = concat!("Loads a little-endian `", stringify!($type), "`, from the shared image if the top bit is set; any alignment.")]
        #[inline(always)]
        #[must_use]
        pub fn $load(self, offset: u32) -> $type {
            // SAFETY: both sides allow `PAD` bytes to be read from there.
            <$type>::from_le(unsafe { self.at(offset).cast::<$type>().read_unaligned() })
        }

        #[doc = concat!("Stores a little-endian `", stringify!($type), "` in the private part; the top bit is ignored.")]
        #[inline(always)]
        pub fn $store(self, offset: u32, value: $type) {
            self.private.$store(offset, value);
        }
    )*};
}

impl<'a> DualView<'a> {
    /// Joins the two parts.
    #[inline(always)]
    #[must_use]
    pub fn new(private: View<'a>, shared: SharedView<'a>) -> Self {
        Self { private, shared }
    }

    /// `PAD` bytes can be read from there.
    #[inline(always)]
    fn at(self, offset: u32) -> *const u8 {
        if (offset as i32) < 0 { self.shared.at(offset) } else { self.private.at(offset) }
    }

    dual_accessors!(load_u8 store_u8 u8, load_u16 store_u16 u16, load_u32 store_u32 u32, load_u64 store_u64 u64);

    /// The side that `offset` belongs to.
    #[inline(always)]
    #[must_use]
    pub fn region(self, offset: u32) -> Region<'a> {
        if (offset as i32) < 0 {
            // SAFETY: the address of readable bytes is not null.
            let base = unsafe { NonNull::new_unchecked(self.shared.at(0).cast_mut()) };
            // The readable part is a power of two long.
            Region { base, mask: (self.shared.readable() - 1) as u32, view: PhantomData }
        } else {
            self.private.whole()
        }
    }

    /// Bytes that can be read from there without leaving, at most `length`.
    fn clip(self, offset: u32, length: usize) -> (*const u8, usize) {
        if (offset as i32) < 0 {
            let at = offset & 0x7fff_ffff;
            let left = self.shared.readable().saturating_sub(at as usize);
            (self.shared.at(at), length.min(left))
        } else {
            let (at, length) = self.private.clip(offset, length);
            (at, length)
        }
    }

    /// Copies bytes out, from either part; what would lie past the end of that part is left as it was.
    pub fn read_into(self, offset: u32, to: &mut [u8]) {
        let (at, length) = self.clip(offset, to.len());
        // SAFETY: the clipped range can be read; `to` is a Rust reference to other memory.
        unsafe { ptr::copy_nonoverlapping(at, to.as_mut_ptr(), length) };
    }

    /// Copies bytes into the private part; what would lie past its end is dropped.
    pub fn write_from(self, offset: u32, from: &[u8]) {
        self.private.write_from(offset, from);
    }

    /// Sets bytes of the private part.
    pub fn fill(self, offset: u32, length: u32, byte: u8) {
        self.private.fill(offset, length, byte);
    }

    /// Copies `length` bytes from either part into the private one, as far as both ranges lie before the end of their part.
    pub fn copy_within(self, from: u32, to: u32, length: u32) {
        let (to, length) = self.private.clip(to, length as usize);
        let (from, length) = self.clip(from, length);
        // SAFETY: both clipped ranges lie in memory that can be read, and written where it is private.
        unsafe { ptr::copy(from, to, length) };
    }

    /// Compares two ranges byte by byte, from either part; a range that passes its end is cut there.
    #[must_use]
    pub fn compare(self, a: (u32, u32), b: (u32, u32)) -> Ordering {
        let (a, a_length) = self.clip(a.0, a.1 as usize);
        let (b, b_length) = self.clip(b.0, b.1 as usize);
        // SAFETY: the clipped ranges can be read; the slices live in this expression only, and nothing stores meanwhile.
        unsafe { std::slice::from_raw_parts(a, a_length).cmp(std::slice::from_raw_parts(b, b_length)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Pool, SharedImage};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 8 } else { 256 }))]

        #[test]
        fn a_view_is_an_array_with_wrapped_offsets(steps in prop::collection::vec((any::<u32>(), any::<u64>(), 0u8..4), 1..60)) {
            const EXTENT: usize = 4096;
            let pool = Pool::new(8192, 1).unwrap();
            let slot = pool.take(EXTENT).unwrap();
            let view = slot.view();
            let mut model = vec![0u8; EXTENT + 8];
            for (offset, value, width) in steps {
                let at = offset as usize % EXTENT;
                let width_bytes = 1usize << width;
                model[at..at + width_bytes].copy_from_slice(&value.to_le_bytes()[..width_bytes]);
                match width {
                    0 => view.store_u8(offset, value as u8),
                    1 => view.store_u16(offset, value as u16),
                    2 => view.store_u32(offset, value as u32),
                    _ => view.store_u64(offset, value),
                }
                let mut expected = [0; 8];
                expected.copy_from_slice(&model[at..at + 8]);
                prop_assert_eq!(view.load_u64(offset), u64::from_le_bytes(expected));
            }
            let mut all = vec![0; EXTENT];
            view.read_into(0, &mut all);
            prop_assert_eq!(&all[..], &model[..EXTENT]);
        }

        #[test]
        fn ranges_are_clipped_to_the_extent(from in any::<u32>(), to in any::<u32>(), length in any::<u32>()) {
            let pool = Pool::new(4096, 1).unwrap();
            let slot = pool.take(4096).unwrap();
            let start: Vec<u8> = (0..4096u32).map(|index| (index * 7 + index / 256) as u8).collect();
            slot.view().write_from(0, &start);
            slot.view().copy_within(from, to, length);
            let mut model = start.clone();
            let (source, target) = (from as usize % 4096, to as usize % 4096);
            let count = (length as usize).min(4096 - source).min(4096 - target);
            model.copy_within(source..source + count, target);
            let mut all = vec![0; 4096];
            slot.view().read_into(0, &mut all);
            prop_assert_eq!(all, model);
        }
    }

    #[test]
    fn registers_and_regions_stay_inside() {
        let shared = SharedImage::new(&[1, 2, 3, 4, 5]).unwrap();
        let pool = Pool::new(4096, 1).unwrap();
        let slot = pool.take(4096).unwrap();
        let view = slot.dual(&shared);
        let window = view.private.registers(1024);
        window.set(255, 77);
        assert_eq!(view.load_u64(1024 + 255 * 8), 77);
        let last = view.private.registers(4000);
        last.set(255, 99);
        assert_eq!(view.load_u64(4096 - 8), 99);
        assert_eq!(last.get(255), 99);
        assert_eq!(view.region(0).load_u32(4096 - 8), 99);
        assert_eq!(view.region(0x8000_0000).load_u32(0x8000_0000), 0x0403_0201);
        assert_eq!(view.region(0x8000_0000).load_u8(4), 5);
        assert_eq!(view.region(0xffff_fff0).load_u32(0xffff_fffc), 0);
        view.store_u32(2048 + 4, 0xabcd);
        assert_eq!(view.private.part(2048, 1024).load_u32(0x8000_0004), 0xabcd);
    }

    #[test]
    fn the_top_bit_reads_the_shared_image_and_zeros_behind_it() {
        let shared = SharedImage::new(&[1, 2, 3, 4, 5]).unwrap();
        let pool = Pool::new(4096, 1).unwrap();
        let slot = pool.take(4096).unwrap();
        let view = slot.dual(&shared);
        view.store_u32(0x8000_0000, 0xaabb_ccdd);
        assert_eq!(view.load_u32(0x8000_0000), 0x0403_0201);
        assert_eq!(view.load_u32(0), 0xaabb_ccdd, "a store ignores the top bit");
        assert_eq!(view.load_u64(0x8000_0004), 5);
        assert_eq!(view.load_u64(0xffff_ffff), 0);
        view.copy_within(0x8000_0001, 100, 3);
        assert_eq!(view.load_u32(100), 0x0004_0302);
        assert_eq!(view.compare((0x8000_0001, 3), (100, 3)), Ordering::Equal);
        assert_eq!(view.compare((0x8000_0000, 3), (100, 3)), Ordering::Less);
        let mut past = [7; 16];
        view.read_into(0xffff_fff8, &mut past);
        assert_eq!(past[8..], [7; 8], "nothing can be read past the end of the offsets");
    }
}
