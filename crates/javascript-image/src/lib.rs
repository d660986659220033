//! The JavaScript cell's library, ready-made: what [`javascript::set_library_image`] takes.
//!
//! Building the library takes a process some milliseconds; reading this takes microseconds.
//!
//! [`javascript::set_library_image`]: https://docs.rs/oubliette-javascript

#![forbid(unsafe_code)]

/// The image, made by the engine of the same version while this crate was built.
pub static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/library.image"));
