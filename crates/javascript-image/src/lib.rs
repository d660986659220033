//! The JavaScript cell's library, ready-made: what [`javascript::set_library_image`] takes.
//!
//! Building the library takes a process some milliseconds; reading this takes microseconds.
//!
//! [`javascript::set_library_image`]: https://docs.rs/oubliette-javascript

#![forbid(unsafe_code)]

/// Lies where a page begins, so that it can be mapped instead of copied.
#[repr(C, align(4096))]
struct Aligned<T: ?Sized>(T);

static ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/library.image")));

/// The image, made by the engine of the same version while this crate was built.
pub static IMAGE: &[u8] = &ALIGNED.0;
