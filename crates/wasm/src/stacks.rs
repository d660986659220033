//! The native stacks that guests run on. Wasmtime's own pool lays out and guards all there may ever be at once, which takes longer than
//! starting Ruby; here each is made when it is needed, and used again.

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::{StackCreator, StackMemory};

/// Bytes of the page below a stack that nobody may touch. A multiple of the host's pages.
const GUARD: usize = 64 << 10;
/// Bytes at the top of an unused stack that stay in memory.
const WARM: usize = 64 << 10;
/// Unused stacks that are kept.
const KEPT: usize = 256;

/// A stack with its guard, lowest address first.
struct Region {
    base: usize,
    length: usize,
}

impl Region {
    /// # Errors
    /// When the host has no room.
    fn new(size: usize) -> std::io::Result<Region> {
        let length = size + GUARD;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::STACK;
        // SAFETY: a new mapping, wherever there is room. Nobody else knows of it.
        let base = unsafe { mmap_anonymous(std::ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, flags)? };
        let region = Region { base: base.expose_provenance(), length };
        // SAFETY: the lowest part of that mapping, which nobody uses yet.
        unsafe { mprotect(base, GUARD, MprotectFlags::empty())? };
        Ok(region)
    }

    fn at(&self, offset: usize) -> *mut u8 {
        std::ptr::with_exposed_provenance_mut(self.base + offset)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: our own mapping, which a dropped stack was the only one to know of. That it fails is a leak and no more.
        let _ = unsafe { munmap(self.at(0).cast(), self.length) };
    }
}

type Free = Arc<Mutex<Vec<Region>>>;

/// Makes stacks, the last one given back first.
#[derive(Default)]
pub(crate) struct Stacks {
    free: Free,
}

struct Stack {
    region: Option<Region>,
    base: usize,
    length: usize,
    free: Free,
}

// SAFETY: a stack is a mapping of its own, page-aligned, as long as was asked, with a guard below; it goes to one store at a time. What an
// earlier store left in it is not cleared, as wasmtime's own pool does not: guests cannot read native stacks.
unsafe impl StackCreator for Stacks {
    fn new_stack(&self, size: usize, _zeroed: bool) -> wasmtime::Result<Box<dyn StackMemory>> {
        let size = size.next_multiple_of(GUARD);
        let found = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            free.pop_if(|region| region.length == size + GUARD)
        };
        let region = found.map_or_else(|| Region::new(size), Ok)?;
        Ok(Box::new(Stack { base: region.base, length: region.length, region: Some(region), free: Arc::clone(&self.free) }))
    }
}

// SAFETY: as above: the guard lies below the stack, and both are the store's until the stack is dropped.
unsafe impl StackMemory for Stack {
    fn top(&self) -> *mut u8 {
        std::ptr::with_exposed_provenance_mut(self.base + self.length)
    }

    fn range(&self) -> Range<usize> {
        self.base + GUARD..self.base + self.length
    }

    fn guard_range(&self) -> Range<*mut u8> {
        std::ptr::with_exposed_provenance_mut(self.base)..std::ptr::with_exposed_provenance_mut(self.base + GUARD)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let Some(region) = self.region.take() else { return };
        let deep = region.length.saturating_sub(WARM);
        // SAFETY: the part of our own mapping between guard and what stays warm; nobody runs on this stack any more.
        let cleared = unsafe { madvise(region.at(GUARD).cast(), deep.saturating_sub(GUARD), Advice::LinuxDontNeed) };
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if cleared.is_ok() && free.len() < KEPT {
            free.push(region);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_used_again_and_guarded() {
        let stacks = Stacks::default();
        let first = stacks.new_stack(4 << 20, false).unwrap();
        let second = stacks.new_stack(4 << 20, false).unwrap();
        let (range, guard) = (first.range(), first.guard_range());
        assert_eq!((range.len(), range.end, guard.end.addr()), (4 << 20, first.top().addr(), range.start));
        assert!(second.range().end <= guard.start.addr() || second.range().start >= range.end);
        drop(first);
        assert_eq!(stacks.new_stack(4 << 20, false).unwrap().range(), range);
        assert_ne!(stacks.new_stack(8 << 20, false).unwrap().range().len(), range.len());
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let line = format!("{:x}-{:x} ---p", guard.start.addr(), guard.end.addr());
        assert!(maps.contains(&line), "{line} in\n{maps}");
    }
}
