//! The contract of every cell, on WASI programs: `tests/programs`, each beside the text that `wat2wasm` made it from.

use cell::contract::{Program, Subject};
use cell::{Cell, Clock, Error, Limits, Task};
use std::path::Path;
use std::sync::Arc;
use wasm::{Builder, Wasm};

struct Wasi;

impl Subject for Wasi {
    type Engine = Wasm;

    fn cell(&self, limits: Limits, clock: Option<Arc<dyn Clock>>) -> Result<Cell<Wasm>, Error> {
        Cell::new(Builder::new().engine(), limits, clock)
    }

    fn task(&self, program: Program) -> Result<Task, &'static str> {
        let name = match program {
            Program::Finish => "finish",
            Program::Print => "print",
            Program::Flood => "flood",
            Program::Spin => "spin",
            Program::Work => "work",
            Program::Hoard => "hoard",
            Program::Recurse => "recurse",
            Program::Ask => "ask",
            Program::AskForever => "ask_forever",
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/programs/{name}.wasm"));
        Ok(Task::program(name, std::fs::read(path).expect("the program is there")))
    }
}

cell::contract_tests!(Wasi);
