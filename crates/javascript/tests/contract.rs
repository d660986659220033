//! The contract suite of `cell` on this engine.

use std::sync::Arc;

use cell::contract::{Program, Subject};
use cell::{Cell, Clock, Error, Limits, Task};
use javascript::JavaScript;

struct JavaScriptSubject;

impl Subject for JavaScriptSubject {
    type Engine = JavaScript;

    fn cell(&self, limits: Limits, clock: Option<Arc<dyn Clock>>) -> Result<Cell<JavaScript>, Error> {
        Cell::new(JavaScript::new(64 << 20)?, limits, clock)
    }

    fn exit_code(&self) -> i32 {
        0
    }

    fn task(&self, program: Program) -> Result<Task, &'static str> {
        let text = match program {
            Program::Finish => "1",
            Program::Print => "console.log('hello'); console.error('oops')",
            Program::Flood => "for (;;) console.log('flood flood flood')",
            Program::Spin => "for (;;) ;",
            Program::Work => "let s = 0; for (let i = 0; i < 200000; i++) s += i; console.log('done')",
            Program::Hoard => "const all = []; for (;;) all.push('x'.repeat(100) + all.length)",
            Program::Recurse => "function f() { return f() + 1 } f()",
            Program::Ask => "let r; try { r = ask('ping') } catch { r = undefined } console.write(r === undefined ? 'raised' : r)",
            Program::AskForever => "for (;;) try { ask('ping') } catch {}",
        };
        Ok(Task::program("program.js", text.as_bytes()))
    }
}

cell::contract_tests!(JavaScriptSubject);
