//! Oubliette runs code you don't trust.
//!
//! An oubliette is a cell with one opening, a hatch in the ceiling: nothing goes in or out except through it, and only when those above reach
//! down. Every cell has a hard memory cap, a CPU budget, a wall clock, no file, no network, and one hatch.
//!
//! ```
//! # fn main() -> Result<(), oubliette::Error> {
//! use oubliette::{Stop, Task};
//!
//! let mut cell = oubliette::moxie().memory(1 << 20).fuel(1_000_000).build()?;
//! # let contract: &[u8] = include_bytes!("../../../guest/moxie/fixtures/hello.elf");
//! let outcome = cell.run(Task::program("hello.elf", contract))?;
//! assert_eq!(outcome.stop, Stop::Finished(0));
//! assert!(outcome.usage.fuel.is_some_and(|fuel| fuel > 0));
//! # Ok(()) }
//! ```
#![forbid(unsafe_code)]

mod builder;
mod clock;
mod kind;
mod machines;
mod offers;
mod receipt;
mod recording;
mod report;
mod request;
mod rubies;

pub use builder::{Builder, Cell, Kind, Snapshot};
pub use cell::{
    AnyCell, Argument, Bound, Call, CellId, Error, Group, GuestError, Hatch, HostObject, HostResult, IBig, IndexMap, Input,
    InterruptHandle, Limits, Offer, Operation, Outcome, Ref, Stop, Task, Ticket, TraceFrame, TransferError, Trap, TrapKind, Usage, Value,
};
pub use kind::CellKind;
pub use machines::{MachineOptions, data_folder, machine};
pub use offers::Standard;
pub use receipt::{Hashed, Receipt, Verdict};
pub use recording::{Ending, Recording, Replayed};
pub use report::{Json, Report, sha256};
pub use request::{Guest, Request, Resources};
pub use rubies::{RubyOptions, ruby, wall_clock};

impl Kind for ::moxie::Moxie {
    type Options = ::moxie::Options;

    fn open(options: &Self::Options, _limits: &Limits) -> Result<Self, Error> {
        Ok(Self::new(*options))
    }
}

impl Kind for ::javascript::JavaScript {
    type Options = ::javascript::Options;

    fn open(options: &Self::Options, limits: &Limits) -> Result<Self, Error> {
        let memory = match limits.memory {
            Bound::Default => Limits::MEMORY,
            Bound::At(bytes) => bytes,
            Bound::Unlimited => u64::MAX,
        };
        ::javascript::set_library_image(::javascript_image::IMAGE);
        Ok(Self::new(memory)?.with_options(*options))
    }
}

/// A builder of JavaScript cells: scripts and modules, state kept from one run to the next.
///
/// ```
/// # fn main() -> Result<(), oubliette::Error> {
/// use oubliette::Value;
///
/// let mut cell = oubliette::javascript().memory(1 << 20).fuel(10_000_000).build()?;
/// cell.run("function price(n) { return n * 2 }")?;
/// let outcome = cell.run("price(21)")?;
/// assert_eq!(outcome.value, Some(Value::from(42).into()));
/// # Ok(()) }
/// ```
pub fn javascript() -> Builder<::javascript::JavaScript> {
    Builder::default()
}

/// A builder of Moxie cells: 32-bit ELF programs, deterministic to the instruction.
pub fn moxie() -> Builder<::moxie::Moxie> {
    Builder::default()
}
