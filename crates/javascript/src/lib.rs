//! A JavaScript engine that is only bytes.

#![forbid(unsafe_code)]

pub mod bytecode;
mod compile;
mod pattern;
mod syntax;
