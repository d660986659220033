//! Allocations that fail on purpose, the n-th for each n: so tests reach what a cap reaches by luck only. Nothing of it is left in
//! what is not this crate's own tests.

use super::{Heap, Result};

impl Heap<'_> {
    /// Fails the allocation if a test wants it so.
    #[inline(always)]
    pub(super) fn may_fail(&self, bytes: u64) -> Result<()> {
        #[cfg(test)]
        if armed::fails() {
            return Err(super::Signal::Collect(u32::try_from(bytes).unwrap_or(u32::MAX - 1)));
        }
        let _ = bytes;
        Ok(())
    }

    /// Is there no room after a collection either, because a test wants it so?
    #[inline(always)]
    pub(crate) fn refuses(&self) -> bool {
        #[cfg(test)]
        return armed::refuses();
        #[cfg(not(test))]
        false
    }

    /// Are allocations counted, so that none may take a shortcut?
    #[inline(always)]
    pub(super) fn counts(&self) -> bool {
        #[cfg(test)]
        return armed::counts();
        #[cfg(not(test))]
        false
    }
}

#[cfg(test)]
pub(crate) mod armed {
    use std::cell::Cell;

    /// How an allocation fails.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Failure {
        /// Once: a collection makes room.
        Once,
        /// And the next ones, until the guest was told or stopped.
        Refused,
        /// And every later one.
        Always,
    }

    #[derive(Clone, Copy)]
    struct Plan {
        number: u64,
        failure: Failure,
        left: u64,
        told: bool,
    }

    /// What is left when it failed.
    const FAILED: u64 = u64::MAX;

    thread_local! {
        static PLAN: Cell<Option<Plan>> = const { Cell::new(None) };
    }

    /// From here on the thread's allocations are counted, and the one with this number (from 0) fails.
    pub(crate) fn arm(failure: Failure, number: u64) {
        PLAN.set(Some(Plan { failure, number, left: number, told: false }));
    }

    /// All succeed again. How many were counted before the one that failed, or in all?
    pub(crate) fn disarm() -> Option<u64> {
        PLAN.take().filter(|plan| plan.left != FAILED).map(|plan| plan.number - plan.left)
    }

    pub(super) fn counts() -> bool {
        PLAN.get().is_some()
    }

    pub(super) fn fails() -> bool {
        let Some(mut plan) = PLAN.get() else { return false };
        let fails = match plan.left {
            // It failed already.
            FAILED => plan.failure == Failure::Always || plan.failure == Failure::Refused && !plan.told,
            0 => {
                plan.left = FAILED;
                true
            }
            _ => {
                plan.left -= 1;
                false
            }
        };
        PLAN.set(Some(plan));
        fails
    }

    pub(super) fn refuses() -> bool {
        let Some(mut plan) = PLAN.get() else { return false };
        let refuses = plan.left == FAILED && plan.failure != Failure::Once && !(plan.failure == Failure::Refused && plan.told);
        plan.told |= refuses;
        PLAN.set(Some(plan));
        refuses
    }
}

#[cfg(test)]
#[path = "../../tests/fault/mod.rs"]
mod tests;
