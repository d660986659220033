//! CRuby as a WebAssembly guest, and the Sandbox API over it.
//!
//! [`prepare`] fetches the official build once, starts it, and freezes it; every box is a copy-on-write instance of that moment.
//! [`Ruby::sandbox`] makes boxes for Rust; with [`Options::boxes`] the Ruby inside makes its own, with `Sandbox.new` and `Sandbox.safe`.
//! [`Ruby::engine`] is the same Ruby as an engine for [`cell`].
//!
//! ```no_run
//! # fn main() -> Result<(), cell::Error> {
//! let ruby = ruby::prepare(&ruby::PrepareOptions::new("/home/me/.cache/oubliette/ruby"), &mut |step| eprintln!("{}", step.what))?;
//! let mut guest = ruby.sandbox(ruby::Options::safe())?;
//! assert_eq!(guest.eval("[1, 2, 3].sum")?.value, Some(6.into()));
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod abi;
mod engine;
mod family;
mod image;
mod member;
mod objects;
mod sandbox;
mod wire;

pub use engine::{FrozenRuby, RubyCell, SCHEDULE};
pub use family::{BoxUsage, HostObject};
pub use image::{PACKAGE, PrepareOptions, Progress, Ruby, VERSION, load, prepare, read_only};
pub use sandbox::{Answer, Group, MEMORY, Options, Sandbox, Snapshot};
pub use wasm::{Clock as GuestClock, MemoryFolder, Mount, Random, World};
