//! The engine as a WebAssembly module without imports, for tests of the portable build: `make portable`.
//!
//! The host puts a program in byte by byte (its name, a zero, its text; further names and texts are inputs, zeros between all),
//! calls `run`, and takes the console's text out byte by byte.

use std::cell::RefCell;
use std::fmt::Write as _;

use cell::{Bound, Cell, Limits, Stop, Task};
use javascript::JavaScript;

const MEMORY: u64 = 64 << 20;
const FUEL: u64 = 100_000_000;

thread_local! {
    static GIVEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static MADE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// One more byte of what is to run.
#[unsafe(no_mangle)]
pub extern "C" fn put(byte: u32) {
    GIVEN.with_borrow_mut(|given| given.push(byte as u8));
}

/// Runs what was put in; how many bytes of text it made.
#[unsafe(no_mangle)]
pub extern "C" fn run() -> u32 {
    let given = GIVEN.take();
    let mut parts = given.split(|&byte| byte == 0);
    let name = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let mut task = Task::program(name, parts.next().unwrap_or_default());
    while let (Some(name), Some(text)) = (parts.next(), parts.next()) {
        task = task.input(String::from_utf8_lossy(name), text);
    }
    let text = execute(&task).unwrap_or_else(|error| error.to_string());
    let length = text.len() as u32;
    MADE.set(text.into_bytes());
    length
}

/// Byte `at` of the text made.
#[unsafe(no_mangle)]
pub extern "C" fn take(at: u32) -> u32 {
    MADE.with_borrow(|made| made.get(at as usize).copied().unwrap_or_default().into())
}

fn execute(task: &Task) -> Result<String, cell::Error> {
    let limits = Limits { wall: Bound::Unlimited, ..Limits::default().memory(MEMORY).fuel(FUEL) };
    let outcome = Cell::new(JavaScript::new(MEMORY)?, limits, None)?.execute(task)?;
    let mut text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    match &outcome.stop {
        Stop::Finished(0) => {}
        Stop::Raised(error) => {
            let _ = writeln!(text, "uncaught {error}");
        }
        other => {
            let _ = writeln!(text, "{other:?}");
        }
    }
    Ok(text)
}
