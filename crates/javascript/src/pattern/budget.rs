//! What compiling a pattern may use, and the way it is charged.

use super::error::{Error, Mistake, Refusal};

/// The caller's meter and memory cap, as the compiler sees them.
pub trait Charge {
    /// Called before `units` of work (about one per character, node or range) are done.
    ///
    /// # Errors
    /// [`Refusal::Work`] stops the compilation.
    fn work(&mut self, units: u64) -> Result<(), Refusal>;

    /// Called before about `bytes` more are allocated on the host. All of it is free again when
    /// the compilation returns, except [`Program::words`](super::Program::words).
    ///
    /// # Errors
    /// [`Refusal::Memory`] stops the compilation.
    fn memory(&mut self, bytes: u64) -> Result<(), Refusal>;
}

/// Charges nothing: for patterns of the host's own and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Free;

impl Charge for Free {
    fn work(&mut self, _: u64) -> Result<(), Refusal> {
        Ok(())
    }

    fn memory(&mut self, _: u64) -> Result<(), Refusal> {
        Ok(())
    }
}

/// Sizes beyond which a pattern is refused with "Regular expression too large" or "Too many
/// captures", whatever the meter says.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Code units of the pattern.
    pub source: u32,
    /// Capture groups, the whole match included. At most 32,768, V8's limit.
    pub groups: u32,
    /// Groups and classes open at once.
    pub depth: u32,
    /// Words of the program. At most 2^24.
    pub program: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { source: 1 << 24, groups: 32_768, depth: 1 << 20, program: 1 << 22 }
    }
}

/// Collects small charges into larger ones.
pub(crate) struct Budget<'a> {
    charge: &'a mut dyn Charge,
    pub(crate) limits: Limits,
    work: u64,
    memory: u64,
}

impl<'a> Budget<'a> {
    const BATCH: u64 = 1024;

    pub(crate) fn new(charge: &'a mut dyn Charge, limits: Limits) -> Budget<'a> {
        Budget { charge, limits, work: 0, memory: 0 }
    }

    /// Charges work; the sum since the last hand-over never exceeds a batch.
    pub(crate) fn work(&mut self, units: u64) -> Result<(), Error> {
        self.work += units;
        if self.work >= Budget::BATCH { self.flush() } else { Ok(()) }
    }

    /// Charges host memory.
    pub(crate) fn memory(&mut self, bytes: usize) -> Result<(), Error> {
        self.memory += bytes as u64;
        if self.memory >= Budget::BATCH { self.flush() } else { Ok(()) }
    }

    /// Hands over what was collected.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        let (work, memory) = (std::mem::take(&mut self.work), std::mem::take(&mut self.memory));
        if work > 0 {
            self.charge.work(work)?;
        }
        if memory > 0 {
            self.charge.memory(memory)?;
        }
        Ok(())
    }

    /// Charges for a vector's next element, which may double it.
    pub(crate) fn push<T>(&mut self, vector: &mut Vec<T>, item: T) -> Result<(), Error> {
        if vector.len() == vector.capacity() {
            self.memory(vector.capacity().max(4) * 2 * size_of::<T>())?;
        }
        vector.push(item);
        Ok(())
    }
}

/// A mistake at a place.
pub(crate) fn wrong(mistake: Mistake, position: usize) -> Error {
    Error::Syntax { mistake, position: u32::try_from(position).unwrap_or(u32::MAX) }
}
