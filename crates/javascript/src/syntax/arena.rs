//! Vectors whose growth is counted, and the purse that pays for reading source.
//!
//! The tables of a parse live on the host, yet they are held on the guest's behalf: every growth is
//! asked for first. What is counted is a function of the source alone (never of what an earlier
//! parse left allocated), so that the same text stops at the same place on every run.

/// Who pays for reading source: fuel per token, bytes per table.
pub trait Budget {
    /// Pays `units` of fuel; `false` stops the parse (the implementation remembers why).
    fn charge(&mut self, units: u64) -> bool;
    /// Asks for `bytes` of working memory; `false` ends the parse as out of memory.
    /// What was granted is given back by the owner of the parse, who asks [`super::Tree::held`].
    fn hold(&mut self, bytes: usize) -> bool;
    /// Would both be granted? Asks only.
    fn affords(&self, units: u64, bytes: usize) -> bool;
}

/// A budget without limits, for tools and tests.
#[derive(Debug, Default, Clone, Copy)]
pub struct Unlimited;

impl Budget for Unlimited {
    fn charge(&mut self, _units: u64) -> bool {
        true
    }
    fn hold(&mut self, _bytes: usize) -> bool {
        true
    }
    fn affords(&self, _units: u64, _bytes: usize) -> bool {
        true
    }
}

/// Reading stopped; why is kept in the parse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed;

/// The result of every step of reading: small, the reason for failure lies elsewhere.
pub(crate) type R<T> = Result<T, Failed>;

/// Why the purse said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Fuel,
    Memory,
}

/// The budget together with what was taken from it in this parse.
pub(crate) struct Gauge<'a> {
    budget: &'a mut dyn Budget,
    pub(crate) held: usize,
    pub(crate) refusal: Option<Refusal>,
}

impl<'a> Gauge<'a> {
    pub(crate) fn new(budget: &'a mut dyn Budget) -> Self {
        Gauge { budget, held: 0, refusal: None }
    }

    pub(crate) fn charge(&mut self, units: u64) -> R<()> {
        if self.budget.charge(units) {
            return Ok(());
        }
        self.refusal = Some(Refusal::Fuel);
        Err(Failed)
    }

    pub(crate) fn hold(&mut self, bytes: usize) -> R<()> {
        if self.budget.hold(bytes) {
            self.held += bytes;
            return Ok(());
        }
        self.refusal = Some(Refusal::Memory);
        Err(Failed)
    }
}

/// Items every table may hold before it asks for memory: paid for once, at the start of a parse.
pub(crate) const FREE_ITEMS: usize = 64;

/// A growing vector with `u32` indices that asks the gauge before it grows.
#[derive(Debug, Clone)]
pub(crate) struct Table<T> {
    items: Vec<T>,
    room: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table { items: Vec::new(), room: FREE_ITEMS }
    }
}

impl<T> Table<T> {
    /// Appends and returns the index.
    #[inline(always)]
    pub(crate) fn push(&mut self, item: T, gauge: &mut Gauge<'_>) -> R<u32> {
        let index = self.items.len();
        if index == self.room {
            self.grow(1, gauge)?;
        }
        self.items.push(item);
        Ok(index as u32)
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, more: usize, gauge: &mut Gauge<'_>) -> R<()> {
        let wanted = (self.items.len() + more).max(self.room * 2);
        // Indices are 32 bits wide and the all-ones index means "none".
        if wanted >= u32::MAX as usize {
            gauge.refusal = Some(Refusal::Memory);
            return Err(Failed);
        }
        gauge.hold((wanted - self.room) * size_of::<T>())?;
        if self.items.try_reserve_exact(wanted - self.items.len()).is_err() {
            gauge.refusal = Some(Refusal::Memory);
            return Err(Failed);
        }
        self.room = wanted;
        Ok(())
    }

    /// Forgets the items and starts counting anew.
    pub(crate) fn reset(&mut self) {
        self.items.clear();
        self.room = FREE_ITEMS;
    }

    /// Keeps the first `items`, which are paid for once and for all, and starts counting anew.
    pub(crate) fn restart(&mut self, items: usize) {
        self.items.truncate(items);
        self.room = items + FREE_ITEMS;
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.items.truncate(length);
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        self.items.pop()
    }
}

impl<T: Copy> Table<T> {
    /// Makes it at least this long, with copies of `item` at its end.
    #[inline]
    pub(crate) fn fill_to(&mut self, length: usize, item: T, gauge: &mut Gauge<'_>) -> R<()> {
        if self.items.len() < length {
            if length > self.room {
                self.grow(length - self.items.len(), gauge)?;
            }
            self.items.resize(length, item);
        }
        Ok(())
    }

    /// Appends all of `items`.
    pub(crate) fn extend(&mut self, items: &[T], gauge: &mut Gauge<'_>) -> R<()> {
        if self.items.len() + items.len() > self.room {
            self.grow(items.len(), gauge)?;
        }
        self.items.extend_from_slice(items);
        Ok(())
    }
}

impl<T> std::ops::Deref for Table<T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> std::ops::DerefMut for Table<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}
