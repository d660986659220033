//! A cell is an isolated guest, a meter and a hatch. An engine is what runs the guest.
//!
//! What makes a cell safe is decided here, once: the cap, the budget, the clock, the hatch, what comes out. This crate knows no engine; it
//! defines the contract ([`Engine`]), drives whatever keeps it ([`Cell`], [`Group`]), and carries one suite of tests (`contract`, behind the
//! feature of that name) that every engine must pass.
//!
//! The life of a cell: **prepare** (program, inputs and state are laid out, or a snapshot is spawned), **run** (until the program ends, its
//! budget ends, its clock ends, it traps, or somebody outside asks it to stop), **collect** (output, state, value, console text, usage, and a
//! trace in the guest's own terms).
//!
//! A cell is a coroutine: host functions never run on the engine's stack. The driver takes the engine's [`HatchCall`], runs the host's closure
//! (or polls its future, or enters another cell) and resumes. So every answer can be journalled and the run repeated to the instruction.
//!
//! ```
//! use cell::{Limits, Meter, Halt};
//!
//! // An engine asks the meter before it goes on; fuel is lent in slices, and every unit is accounted for.
//! let mut meter = Meter::new(Some(1_000_000));
//! let mut instructions = 0;
//! while let Ok(slice) = meter.lend() {
//!     instructions += slice;
//!     meter.settle(0);
//! }
//! assert_eq!(instructions, 1_000_000);
//! assert_eq!(meter.lend(), Err(Halt::OutOfFuel));
//! ```
#![forbid(unsafe_code)]

mod clock;
mod console;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod driver;
mod engine;
mod error;
mod group;
mod hatch;
mod journal;
mod limits;
mod meter;
mod outcome;
mod reference;
mod snapshot;
mod stop;
mod value;

pub use clock::{Alarm, Clock};
pub use console::{Console, OutputFull, Stream};
pub use driver::{AnyCell, Cell, CellSnapshot, MOST_NESTED};
pub use engine::{After, Engine, Event, Input, Snapshot, Task};
pub use error::{Error, TransferError, Unsupported};
pub use group::{CellId, Group};
pub use hatch::{
    CLOCK, Call, Hatch, HatchCall, HostFuture, HostObject, HostResult, Offer, Operation, RANDOM, Reply, Shape, Target, Ticket,
};
pub use journal::{Entry, Journal};
pub use limits::{Bound, Keeps, Limits, Resolved};
pub use meter::{Halt, InterruptHandle, Meter};
pub use outcome::{Collected, Outcome, Usage};
pub use reference::{Ref, RefTable};
pub use snapshot::{read_framed, read_header, write_framed, write_header};
pub use stop::{GuestError, Stop, TraceFrame, Trap, TrapKind};
pub use value::{Argument, Bounds, Value, decode, encode};

/// The arbitrary-precision integer that [`Value::Integer`] holds.
pub use dashu_int::IBig;
/// The ordered map that [`Value::Map`] holds.
pub use indexmap::IndexMap;
