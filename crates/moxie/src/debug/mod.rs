//! What people use to see what a program does: names and lines for addresses, instruction traces, profiles, and gdb.

mod debugged;
mod gdb;
mod profile;
mod symbols;
mod trace;

pub use debugged::Debugged;
pub use gdb::{Ended, GdbError, Halted, Inferior, serve};
pub use profile::{Profile, ProfileSampler};
pub use symbols::{Symbol, Symbols};
pub use trace::Trace;
