//! WebAssembly guests on wasmtime.
mod asyncify;
mod cache;
mod digest;
mod engine;
mod guest;
mod hatch;
mod image;
mod program;
mod rewrite;
mod runtime;
mod stacks;
mod state;
mod wasi;

pub use cache::Cache;
pub use engine::{Builder, Frozen as FrozenCell, Wasm, stop_of};
pub use guest::{Frozen, Guest, Job, JobFuture, Over, Progress, Setup};
pub use program::{Imports, Program, run};
pub use state::{Ending, State, exchange, settle};
pub use wasi::files::{MemoryFolder, Mount};
pub use wasi::{CLOCK_START, Clock, Random, World};
pub use wasmtime;
