//! Cells that are whole virtual machines: any native code, in any language that Linux runs.
#![deny(unsafe_code)]

pub mod catalogue;
mod error;
pub mod image;

pub use error::{Cause, Error};
