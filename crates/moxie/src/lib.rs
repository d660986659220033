//! The Moxie machine.

pub mod isa;
pub mod state;
