//! A JavaScript engine that is only bytes.

#![forbid(unsafe_code)]

pub mod bytecode;
pub mod compile;
mod complete;
mod engine;
mod evaluator;
mod frozen;
mod heap;
mod image;
mod install;
mod interpret;
mod library;
mod number;
mod options;
pub mod pattern;
mod session;
pub mod syntax;
mod tools;
mod transfer;
mod value;
mod vm;

pub use engine::JavaScript;
pub use evaluator::Evaluator;
pub use frozen::Frozen;
pub use image::{library_image, set_library_image};
#[cfg(feature = "live-library")]
pub use library::LIVE;
pub use options::Options;
