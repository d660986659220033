//! The Moxie machine.

pub mod state;
