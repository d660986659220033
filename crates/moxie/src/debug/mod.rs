//! What people use to see what a program does: names and lines for addresses, the frame chain, profiles, and gdb.

mod backtrace;
mod gdb;
mod profile;
mod symbols;

pub use backtrace::{MOST_FRAMES, backtrace};
pub use gdb::{GdbError, serve};
pub use profile::Profile;
pub use symbols::{Symbol, Symbols};
