//! Many small memories, taken and given back without a system call.

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::platform::Stretches;
use crate::shared::SharedImage;
use crate::view::{DualView, View};

/// Bytes past a slot's extent that an access at its very end can reach.
pub(crate) const PAD: usize = 16;

/// There is no slot left, or no slot of this pool is that large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

impl std::fmt::Display for NoRoom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no room in the pool of guest memories")
    }
}

impl std::error::Error for NoRoom {}

impl From<NoRoom> for io::Error {
    fn from(no_room: NoRoom) -> Self {
        Self::new(io::ErrorKind::OutOfMemory, no_room)
    }
}

/// A pool of slots of one capacity. Clones are the same pool; it lives until its last slot is dropped.
///
/// The slot given back last is taken first, while it is still in the processor's caches. What a slot held is cleared when it is taken again;
/// how much of it can have been touched is known on the host's side, whatever the guest did.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    stretches: Stretches,
    capacity: u32,
    slots: u32,
    state: Mutex<State>,
}

struct State {
    /// Slots given back; the last one was given back last.
    free: Vec<Free>,
    /// Slots from this index on were never taken.
    fresh: u32,
}

struct Free {
    index: u32,
    /// Bytes from the start that may differ from zero.
    used: usize,
    residue: Option<Residue>,
}

/// What its last user knows about the contents of a slot, so that the next one need not start from nothing.
pub(crate) type Residue = Box<dyn Any + Send>;

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    /// A pool of `slots` slots of `capacity` bytes: a power of two from 4 KiB to 1 GiB. Only address space is taken.
    ///
    /// # Errors
    /// When the host has not that much address space, or the capacity is no such power of two.
    pub fn new(capacity: usize, slots: usize) -> io::Result<Self> {
        let valid = capacity.is_power_of_two() && (4096..=1 << 30).contains(&capacity);
        let (Ok(capacity32), Ok(slots32), true) = (u32::try_from(capacity), u32::try_from(slots), valid) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a slot's capacity must be a power of two from 4 KiB to 1 GiB"));
        };
        let stretches = Stretches::new(capacity, slots)?;
        Ok(Self {
            inner: Arc::new(Inner {
                stretches,
                capacity: capacity32,
                slots: slots32,
                state: Mutex::new(State { free: Vec::new(), fresh: 0 }),
            }),
        })
    }

    /// Bytes that a slot can grow to.
    pub fn capacity(&self) -> u32 {
        self.inner.capacity
    }

    /// A slot of zeros; `extent` bytes of it can be reached, rounded up to a power of two from 4 KiB.
    ///
    /// # Errors
    /// [`NoRoom`] when all slots are taken, or `extent` is above the capacity.
    pub fn take(&self, extent: usize) -> Result<Slot, NoRoom> {
        self.take_with_image(extent, &[])
    }

    /// A slot that starts with these bytes and is zero behind them; its extent covers them in any case.
    ///
    /// # Errors
    /// As [`take`](Pool::take).
    pub fn take_with_image(&self, extent: usize, image: &[u8]) -> Result<Slot, NoRoom> {
        let extent = self.extent(extent.max(image.len()))?;
        let (slot, _) = self.take_raw(extent)?;
        let used = slot.used.get();
        if used > image.len() {
            // The part that the image covers needs no clearing, unless so much was used that pages are given back rather than cleared.
            if used <= 256 << 10 {
                // SAFETY: `used` bytes lie in the slot, which is held alone; `image` is no part of it, as nobody can borrow from a slot.
                unsafe { ptr::write_bytes(slot.base.as_ptr().add(image.len()), 0, used - image.len()) };
            } else {
                self.inner.stretches.clear(slot.index as usize, used);
            }
        }
        // SAFETY: the image fits into the extent, and the extent into the slot.
        unsafe { ptr::copy_nonoverlapping(image.as_ptr(), slot.base.as_ptr(), image.len()) };
        slot.used.set(extent as usize + PAD);
        Ok(slot)
    }

    fn extent(&self, bytes: usize) -> Result<u32, NoRoom> {
        let extent = bytes.max(4096).checked_next_power_of_two().ok_or(NoRoom)?;
        u32::try_from(extent).ok().filter(|extent| *extent <= self.inner.capacity).ok_or(NoRoom)
    }

    /// A slot as it was left; its `used` says how much of it may differ from zero.
    pub(crate) fn take_raw(&self, extent: u32) -> Result<(Slot, Option<Residue>), NoRoom> {
        let mut state = self.inner.state();
        let free = match state.free.pop() {
            Some(free) => free,
            None if state.fresh < self.inner.slots => {
                state.fresh += 1;
                Free { index: state.fresh - 1, used: 0, residue: None }
            }
            None => return Err(NoRoom),
        };
        drop(state);
        let base = match self.inner.stretches.base(free.index as usize) {
            Ok(base) => base,
            Err(_) => {
                self.inner.state().free.push(free);
                return Err(NoRoom);
            }
        };
        let slot = Slot {
            pool: Arc::clone(&self.inner),
            base,
            index: free.index,
            extent: Cell::new(extent),
            used: Cell::new(free.used),
            residue: Cell::new(None),
        };
        Ok((slot, free.residue))
    }

    /// Gives the pages of free slots back to the host, of all but the `keep` that were used last. Call it now and then, not per cell.
    pub fn trim(&self, keep: usize) {
        let mut state = self.inner.state();
        let cold = state.free.len().saturating_sub(keep);
        for free in &mut state.free[..cold] {
            if free.used > 0 {
                self.inner.stretches.discard(free.index as usize);
                free.used = 0;
                free.residue = None;
            }
        }
    }

    /// Slots that are taken now.
    pub fn taken(&self) -> usize {
        let state = self.inner.state();
        state.fresh as usize - state.free.len()
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("capacity", &self.inner.capacity)
            .field("slots", &self.inner.slots)
            .field("taken", &self.taken())
            .finish()
    }
}

/// One guest's memory; goes back to its pool when dropped.
pub struct Slot {
    pool: Arc<Inner>,
    base: NonNull<u8>,
    index: u32,
    /// Bytes that masked accesses can reach: a power of two.
    extent: Cell<u32>,
    /// Bytes from the start that may differ from zero.
    used: Cell<usize>,
    residue: Cell<Option<Residue>>,
}

// SAFETY: a slot is the only holder of its stretch of memory, which belongs to no thread. It is not `Sync`: views have the semantics of `Cell`.
unsafe impl Send for Slot {}

impl Slot {
    /// Bytes that accesses can reach: a power of two.
    #[inline]
    pub fn extent(&self) -> u32 {
        self.extent.get()
    }

    /// Bytes that the extent can grow to.
    #[inline]
    pub fn capacity(&self) -> u32 {
        self.pool.capacity
    }

    /// Makes `extent` bytes reachable, rounded up to a power of two; those added are zero. Never shrinks. Views taken before keep wrapping at
    /// the old extent: take a new one.
    ///
    /// # Errors
    /// [`NoRoom`] above the capacity.
    pub fn grow(&self, extent: usize) -> Result<(), NoRoom> {
        let extent = extent
            .checked_next_power_of_two()
            .and_then(|extent| u32::try_from(extent).ok())
            .filter(|extent| *extent <= self.pool.capacity)
            .ok_or(NoRoom)?;
        let old = self.extent.get();
        if extent > old {
            let clean = self.used.get();
            // Bytes just past the old extent could be reached by an access that began inside it: they become ordinary memory as zeros.
            // SAFETY: `used` is at most `extent + PAD`, and so lies in the slot.
            unsafe { ptr::write_bytes(self.base.as_ptr().add(old as usize), 0, clean.saturating_sub(old as usize)) };
            self.extent.set(extent);
            self.used.set(clean.max(extent as usize + PAD));
        }
        Ok(())
    }

    /// Where its bytes lie, all of its capacity.
    #[allow(dead_code, reason = "the portable platform keeps address spaces elsewhere")]
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Makes zero whatever may differ from that.
    #[allow(dead_code, reason = "the portable platform keeps address spaces elsewhere")]
    pub(crate) fn clear(&self) {
        self.pool.stretches.clear(self.index as usize, self.used.replace(0));
    }

    /// Gives the slot back as it is, for somebody who knows what to make of the residue.
    #[allow(dead_code, reason = "the portable platform keeps address spaces elsewhere")]
    pub(crate) fn leave(self, residue: Residue) {
        self.used.set(self.pool.capacity as usize);
        self.residue.set(Some(residue));
    }

    /// Loads and stores in this slot.
    #[inline(always)]
    pub fn view(&self) -> View<'_> {
        // SAFETY: `extent + PAD` bytes from `base` belong to this slot, which outlives the borrow; the extent is a power of two and at least 4096.
        unsafe { View::new(self.base, self.extent.get() - 1) }
    }

    /// Loads and stores in this slot, and loads from a shared image by offsets with the top bit set.
    #[inline(always)]
    pub fn dual<'a>(&'a self, shared: &'a SharedImage) -> DualView<'a> {
        DualView::new(self.view(), shared.view())
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot")
            .field("index", &self.index)
            .field("extent", &self.extent.get())
            .field("capacity", &self.pool.capacity)
            .finish()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let free = Free { index: self.index, used: self.used.get(), residue: self.residue.take() };
        self.pool.state().free.push(free);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slot's size; the interpreter that checks for undefined behaviour takes a thousand times longer.
    const LARGE: u32 = if cfg!(miri) { 16 << 10 } else { 1 << 20 };

    fn contents(slot: &Slot) -> Vec<u8> {
        let mut bytes = vec![0; slot.extent() as usize];
        slot.view().read_into(0, &mut bytes);
        bytes
    }

    #[test]
    fn a_slot_taken_again_is_as_new_however_it_was_left() {
        let pool = Pool::new(64 << 10, 4).unwrap();
        let first = pool.take(4096).unwrap();
        first.grow(16 << 10).unwrap();
        let view = first.view();
        for offset in (0..LARGE).step_by(7) {
            view.store_u64(offset, u64::MAX);
        }
        drop(first);
        let again = pool.take(64 << 10).unwrap();
        assert!(contents(&again) == vec![0; 64 << 10]);
        drop(again);
        let with_image = pool.take_with_image(8192, &[5; 5000]).unwrap();
        let bytes = contents(&with_image);
        assert!(bytes[..5000] == [5; 5000] && bytes[5000..] == [0; 8192 - 5000]);
    }

    #[test]
    fn growth_shows_zeros_even_after_an_access_across_the_end() {
        let pool = Pool::new(64 << 10, 1).unwrap();
        let slot = pool.take(4096).unwrap();
        slot.view().store_u64(4095, u64::MAX);
        assert_eq!(slot.view().load_u64(4095), u64::MAX);
        slot.grow(8192).unwrap();
        assert_eq!(slot.view().load_u64(4095), 0xff);
        assert_eq!(slot.grow(128 << 10), Err(NoRoom));
    }

    #[test]
    fn neighbours_never_meet() {
        let pool = Pool::new(4096, 3).unwrap();
        let slots: Vec<Slot> = (0..3).map(|_| pool.take(4096).unwrap()).collect();
        assert!(pool.take(4096).is_err(), "the pool is full");
        for (slot, value) in slots.iter().zip(1u8..) {
            slot.view().fill(0, u32::MAX, value);
            slot.view().store_u64(u32::MAX, u64::from(value));
        }
        for (slot, value) in slots.iter().zip(1u8..) {
            assert!(contents(slot)[..4095] == [value; 4095]);
        }
        drop(slots);
        assert_eq!(pool.taken(), 0);
    }

    #[test]
    fn trimmed_slots_are_zero() {
        let pool = Pool::new(LARGE as usize, 2).unwrap();
        let slot = pool.take(LARGE as usize).unwrap();
        slot.view().fill(0, LARGE, 9);
        drop(slot);
        pool.trim(0);
        assert!(contents(&pool.take(LARGE as usize).unwrap()) == vec![0; LARGE as usize]);
    }

    #[test]
    fn capacities_are_checked() {
        for capacity in [0, 1, 4095, 5000, 2 << 30] {
            assert!(Pool::new(capacity, 1).is_err(), "{capacity}");
        }
        assert!(Pool::new(4096, 1).unwrap().take(4097).is_err());
    }
}
