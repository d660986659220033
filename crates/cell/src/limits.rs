//! What a cell may use, and which of it an engine can keep.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;

/// One limit: the engine's default, a figure of the embedder's, or none at all, asked for by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bound<T> {
    /// The default of [`Limits`], where the engine can keep such a limit.
    #[default]
    Default,
    /// Exactly this much. An engine that cannot keep it refuses to make the cell.
    At(T),
    /// No limit, on the embedder's responsibility.
    Unlimited,
}

impl<T> Bound<T> {
    /// `None` is unlimited here, for callers that have an `Option` already.
    pub fn from_option(value: Option<T>) -> Self {
        value.map_or(Self::Unlimited, Self::At)
    }
}

/// Limits as the embedder asks for them. They hold for one eval: each run starts with all of them.
///
/// ```
/// use cell::Limits;
/// let limits = Limits::default().memory(1 << 20).fuel(10_000_000);
/// assert_eq!(limits.memory, cell::Bound::At(1 << 20));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory, everything that the guest makes the host hold counted. Default 64 MiB (machine 256 MiB).
    pub memory: Bound<u64>,
    /// Units of fuel. Default 10,000,000,000.
    pub fuel: Bound<u64>,
    /// Wall-clock time of one run. Default 10 seconds.
    pub wall: Bound<Duration>,
    /// Bytes of console text (standard output and error together), and as many of output. Default 1 MiB.
    pub output: Bound<u64>,
    /// Nested calls of the guest. Default 10,000.
    pub depth: Bound<u32>,
}

impl Limits {
    /// Default memory cap, in bytes.
    pub const MEMORY: u64 = 64 << 20;
    /// Default memory cap of a machine, in bytes.
    pub const MACHINE_MEMORY: u64 = 256 << 20;
    /// Default fuel, in units.
    pub const FUEL: u64 = 10_000_000_000;
    /// Default wall clock.
    pub const WALL: Duration = Duration::from_secs(10);
    /// Default cap on console text, in bytes.
    pub const OUTPUT: u64 = 1 << 20;
    /// Default depth of calls.
    pub const DEPTH: u32 = 10_000;

    /// Sets the memory cap in bytes.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Bound::At(bytes);
        self
    }

    /// Sets the fuel in units.
    #[must_use]
    pub fn fuel(mut self, units: u64) -> Self {
        self.fuel = Bound::At(units);
        self
    }

    /// Sets the wall clock.
    #[must_use]
    pub fn wall(mut self, time: Duration) -> Self {
        self.wall = Bound::At(time);
        self
    }

    /// Sets the cap on console text in bytes.
    #[must_use]
    pub fn output(mut self, bytes: u64) -> Self {
        self.output = Bound::At(bytes);
        self
    }

    /// Sets the depth of calls.
    #[must_use]
    pub fn depth(mut self, calls: u32) -> Self {
        self.depth = Bound::At(calls);
        self
    }

    /// What will hold for an engine that can keep `keeps`.
    ///
    /// # Errors
    /// [`Error::LimitNotKept`] when a limit was asked for that the engine cannot keep.
    pub fn resolve(&self, keeps: &Keeps) -> Result<Resolved, Error> {
        fn one<T: Copy>(bound: Bound<T>, kept: bool, default: T, what: &'static str, engine: &'static str) -> Result<Option<T>, Error> {
            match bound {
                Bound::At(value) if kept => Ok(Some(value)),
                Bound::At(_) => Err(Error::LimitNotKept { limit: what, engine }),
                Bound::Default if kept => Ok(Some(default)),
                Bound::Default | Bound::Unlimited => Ok(None),
            }
        }
        let engine = keeps.engine;
        Ok(Resolved {
            memory: one(self.memory, keeps.memory, keeps.default_memory, "memory", engine)?,
            fuel: one(self.fuel, keeps.fuel, Self::FUEL, "fuel", engine)?,
            wall: one(self.wall, keeps.wall, Self::WALL, "wall", engine)?,
            output: one(self.output, keeps.output, Self::OUTPUT, "output", engine)?,
            depth: one(self.depth, keeps.depth, Self::DEPTH, "depth", engine)?,
        })
    }
}

/// Which limits an engine keeps, and what else it can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeps {
    /// The engine's name, as `--cell` takes it.
    pub engine: &'static str,
    /// The memory cap.
    pub memory: bool,
    /// Fuel.
    pub fuel: bool,
    /// The wall clock, provided that the driver has one.
    pub wall: bool,
    /// The cap on console text.
    pub output: bool,
    /// The depth of calls.
    pub depth: bool,
    /// Default memory cap in bytes.
    pub default_memory: u64,
    /// Whether the guest can hold promises: a host function that is not ready then leaves a ticket, else the whole cell waits.
    pub tickets: bool,
}

impl Keeps {
    /// An engine that keeps every limit.
    pub const fn everything(engine: &'static str) -> Self {
        Self { engine, memory: true, fuel: true, wall: true, output: true, depth: true, default_memory: Limits::MEMORY, tickets: false }
    }
}

/// Limits that hold; `None` is unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Units of fuel.
    pub fuel: Option<u64>,
    /// Wall-clock time of one run.
    pub wall: Option<Duration>,
    /// Bytes of console text.
    pub output: Option<u64>,
    /// Nested calls.
    pub depth: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_cannot_be_kept_is_an_error() {
        let mut keeps = Keeps::everything("toy");
        keeps.fuel = false;
        assert!(matches!(Limits::default().fuel(1).resolve(&keeps), Err(Error::LimitNotKept { limit: "fuel", engine: "toy" })));
        assert_eq!(Limits::default().resolve(&keeps).unwrap().fuel, None);
        assert_eq!(Limits::default().resolve(&keeps).unwrap().memory, Some(Limits::MEMORY));
    }

    #[test]
    fn unlimited_is_asked_for_by_name() {
        let mut limits = Limits::default();
        assert_eq!(limits.resolve(&Keeps::everything("toy")).unwrap().fuel, Some(Limits::FUEL));
        limits.fuel = Bound::Unlimited;
        assert_eq!(limits.resolve(&Keeps::everything("toy")).unwrap().fuel, None);
    }
}
