//! Cells that are whole virtual machines: any native code, in any language that Linux runs.
//!
//! A [`Template`] is a machine that was booted once, warmed and frozen at the point where its agent is ready;
//! every [`Machine`] is a copy-on-write clone of that moment. The host starts every exchange; the guest can only answer.
#![deny(unsafe_code)]

pub mod catalogue;
mod engine;
mod error;
mod frozen;
mod host;
pub mod image;
mod kept;
mod machine;
mod machines;
mod network;
mod pool;
mod probe;
mod qemu;
mod session;
mod template;
mod throttle;

pub use engine::{MachineEngine, NoSnapshot, Source};
pub use error::{Cause, Error};
pub use kept::{Claim, Keep, Kept, Shelf};
pub use machine::{Command, Machine};
pub use machines::Machines;
pub use network::{Policy, Rule};
pub use pool::{Pool, Readiness};
pub use qemu::{Accelerator, Confinement, Notice};
pub use session::{Happening, Process, Watch};
pub use template::{Config, Template};
pub use wire::{Entry, Exit, FileKind, Health, JobLimits, JobUsage, Output, Terminal, User};
