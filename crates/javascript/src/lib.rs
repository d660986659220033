//! A JavaScript engine that is only bytes.

#![forbid(unsafe_code)]

pub mod bytecode;
pub mod compile;
#[allow(dead_code)]
mod engine;
mod evaluator;
mod heap;
mod image;
mod install;
mod interpret;
mod library;
mod number;
pub mod pattern;
mod session;
pub mod syntax;
mod value;
mod vm;

pub use engine::{Frozen, JavaScript};
pub use evaluator::Evaluator;
#[cfg(feature = "live-library")]
pub use library::LIVE;
