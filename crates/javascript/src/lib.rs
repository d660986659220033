//! A JavaScript engine that is only bytes: the [`cell::Engine`] of scripts nobody trusts.
//!
//! Everything a script makes, its stack too, lies in guest memory behind 32-bit offsets, so that the memory cap is exact, a
//! wrong engine harms its own cell only, and a cell can be stopped at any instruction, frozen, saved and gone on with
//! elsewhere. Fuel is counted per bytecode instruction and by size in the library.
//!
//! ```
//! use cell::{Cell, Limits, Stop, Task};
//! use javascript::JavaScript;
//!
//! let memory = 1 << 20;
//! let limits = Limits { wall: cell::Bound::Unlimited, ..Limits::default().memory(memory).fuel(1_000_000) };
//! let mut cell = Cell::new(JavaScript::new(memory)?, limits, None)?;
//! cell.offer_function("price", |call| Ok((call.value(0)?.as_i64().unwrap_or(0) * 3).into()))?;
//! let outcome = cell.execute(&Task::program("rule.js", *b"[1, 2, 3].map(id => price(id)).reduce((a, b) => a + b)"))?;
//! assert_eq!((outcome.stop, outcome.value), (Stop::Finished(0), Some(18.into())));
//! assert_eq!(cell.execute(&Task::program("endless.js", *b"for (;;);"))?.stop, Stop::OutOfFuel);
//! # Ok::<(), cell::Error>(())
//! ```
//!
//! From text to a result: [`syntax`] reads, [`compile`] makes [`bytecode`], `install` lays it out in guest memory, `interpret`
//! runs it over the `heap`, and what the language brings along is the `library`, in Rust where it only computes and in
//! JavaScript where it may call back; [`pattern`] is its regular expressions. `session` is a cell's state between runs, `engine`
//! its face to the driver, `transfer` what crosses the hatch, `frozen` its saved form.

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
pub use options::{Options, ZONE};
