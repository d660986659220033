//! The Moxie machine: loads ELF executables, lays out their environment, interprets and compiles them, freezes them at any instruction.
//!
//! [`Moxie`] is the engine that a `cell::Cell` drives. What a contract and its machine promise each other is in `guest/moxie/ABI.md`.
#![deny(unsafe_code)]

mod by_address;
pub mod debug;
mod elf;
mod engine;
mod environment;
mod interpreter;
pub mod isa;
#[cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]
pub mod jit;
mod layout;
mod machine;
pub mod state;

pub use elf::{BadExecutable, EM_MOXIE, EM_MOXIE_OLD, Executable, MOST_SEGMENTS, Segment};
pub use engine::{EXTRA_FIELDS, FUEL_SCHEDULE, Moxie, MoxieSnapshot, Observer, Options, Sampler, named_registers};
pub use environment::{CLOCK, CONSOLE_WRITE, EXIT, FUEL_USED, HATCH_CALL, HATCH_RESULT, MMAP, RANDOM, SBRK};
pub use interpreter::Interpreter;
pub use layout::{GAP, LONGEST_NAME, Layout, Refusal, STACK};
pub use machine::{Machine, Stepped};
pub use state::{Cpu, Tier};
