//! The contract of every cell, on Ruby programs.

mod common;

use cell::contract::{Program, Subject};
use cell::{Cell, Clock, Error, Limits, Task};
use ruby::{RubyCell, World};
use std::sync::Arc;

struct Ruby;

impl Subject for Ruby {
    type Engine = RubyCell;

    fn cell(&self, limits: Limits, clock: Option<Arc<dyn Clock>>) -> Result<Cell<RubyCell>, Error> {
        Cell::new(common::ruby().engine(World::default()), limits, clock)
    }

    fn asking_fuel(&self) -> u64 {
        // The compiler of Ruby is paid for by the program: some 200,000 units for one as small as this.
        2_000_000
    }

    fn tight_memory(&self) -> u64 {
        // The image takes 54 MiB.
        56 << 20
    }

    fn task(&self, program: Program) -> Result<Task, &'static str> {
        let source = match program {
            Program::Finish => "exit 7",
            Program::Print => "puts 'hello'; warn 'oops'",
            Program::Flood => "loop { print 'x' * 100 }",
            Program::Spin => "loop {}",
            Program::Work => "i = 0; i += 1 while i < 1000; puts 'done'",
            Program::Hoard => "held = []; loop { held << 'x' * 100_000 }",
            Program::Recurse => "def down(n) = 1 + down(n + 1)\ndown(0)",
            Program::Ask => "begin; print ask('ping'); rescue StandardError; print 'raised'; end",
            Program::AskForever => "loop { ask('ping') rescue nil }",
        };
        Ok(Task::program("main.rb", source.as_bytes()))
    }
}

cell::contract_tests!(Ruby);
