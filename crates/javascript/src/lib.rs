//! A JavaScript engine that is only bytes.

#![forbid(unsafe_code)]

pub mod bytecode;
#[allow(dead_code)]
mod engine;
mod evaluator;
mod heap;
mod image;
mod install;
mod interpret;
mod library;
mod number;
mod session;
mod value;
mod vm;
pub mod compile;
pub mod pattern;
pub mod syntax;

pub use evaluator::Evaluator;
pub use engine::{Frozen, JavaScript};
