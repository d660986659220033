//! What reads source for the cells of a thread, one after the other: a parser and the list that the compiler fills.
//!
//! Their tables are warm and of some kilobytes; a cell of its own would pay for them in time and memory. What an earlier
//! text left in them no later one sees, and what a text costs does not depend on it.

use std::cell::Cell;

use crate::bytecode::Unit;
use crate::syntax::Parser;

/// A parser and the compiler's output.
#[derive(Default)]
pub(crate) struct Tools {
    pub(crate) parser: Parser,
    pub(crate) unit: Unit,
}

/// What a text may have taken, in bytes of tables and in words of code, for them to be kept.
const MOST_TAKEN: usize = 128 << 10;
const MOST_WORDS: usize = 1 << 12;

thread_local! {
    static IDLE: Cell<Option<Box<Tools>>> = const { Cell::new(None) };
}

/// Works with the thread's tools; with new ones if they are in use.
pub(crate) fn with_tools<T>(work: impl FnOnce(&mut Tools) -> T) -> T {
    let mut tools = IDLE.take().unwrap_or_default();
    let result = work(&mut tools);
    tools.unit.clear();
    if tools.parser.taken() > MOST_TAKEN || tools.unit.words.capacity() > MOST_WORDS {
        return result;
    }
    IDLE.set(Some(tools));
    result
}
