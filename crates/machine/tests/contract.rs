//! The contract of every cell, kept by machines.

mod common;

use std::sync::{Arc, LazyLock};

use cell::contract::{Program, Subject};
use cell::{Cell, Clock, Error, Limits, Task};
use machine::{MachineEngine, Pool, Source};

static POOL: LazyLock<Option<Arc<Pool>>> = LazyLock::new(|| common::pool(2).map(Arc::new));

struct Machines;

/// Where there is no image there is nothing to run, and nothing is run.
struct Absent;

impl Source for Absent {
    fn machine(&self, _memory: u64, _language: Option<&str>) -> Result<machine::Machine, machine::Error> {
        Err(machine::Error::Unsupported("there is no image".to_owned()))
    }
}

impl Subject for Machines {
    type Engine = MachineEngine;

    fn cell(&self, limits: Limits, clock: Option<Arc<dyn Clock>>) -> Result<Cell<MachineEngine>, Error> {
        let source: Arc<dyn Source> = match &*POOL {
            Some(pool) => Arc::clone(pool) as Arc<dyn Source>,
            None => Arc::new(Absent),
        };
        Cell::new(MachineEngine::new(source), limits, clock)
    }

    fn task(&self, program: Program) -> Result<Task, &'static str> {
        if POOL.is_none() {
            return Err("there is no image");
        }
        let (name, text) = match program {
            Program::Finish => ("finish.sh", "exit 7"),
            Program::Print => {
                ("print.c", { "#include <stdio.h>\nint main(void) { puts(\"hello\"); fputs(\"oops\\n\", stderr); return 0; }" })
            }
            Program::Flood => ("flood.sh", "while :; do echo flood; done"),
            Program::Spin => ("spin.sh", "while :; do :; done"),
            Program::Work => ("work.py", "n = 0\nfor i in range(100000): n += i\nprint('done')"),
            Program::Hoard => ("hoard.py", "hoard = []\nwhile True: hoard.append(bytearray(b'x' * 1000000))"),
            Program::Recurse => {
                ("recurse.c", "int f(int n) { volatile int a[100]; a[0] = n; return f(n + 1) + a[0]; }\nint main(void) { return f(0); }")
            }
            Program::Ask | Program::AskForever => return Err("a machine has no way to ask the host"),
        };
        Ok(Task::program(name, text.as_bytes()))
    }
}

cell::contract_tests!(Machines);
