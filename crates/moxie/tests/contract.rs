//! The contract of every cell, kept by this engine in each of its ways of running.

mod common;

use std::sync::Arc;

use cell::contract::{Program, Subject};
use cell::{Cell, Clock, Error, Limits, Task};
use common::{Asm, DATA, R0, R1, R2, R3, SP, TEXT};
use moxie::isa::Op;
use moxie::{HATCH_CALL, Layout, Moxie, Options, SBRK, Tier};

struct Machines(Tier, Layout);

/// `hello\n`, `oops\n`, `done\n`, `raised`, `ask`, `ping`; the call's structure from 64 on; room for the answer behind it.
const WORDS: &[u8] = b"hello\noops\ndone\nraisedaskping";
const CALL: u32 = DATA + 64;
const ANSWER: u32 = DATA + 128;

fn ask() -> Asm {
    let fields = [DATA + 22, 3, DATA + 25, 4, ANSWER, 0x800];
    let asm = (0u32..).zip(fields).fold(Asm::default(), |asm, (index, field)| asm.ldi(R1, field).op(Op::StaL, R1, 0, CALL + 4 * index));
    asm.ldi(R0, CALL).swi(HATCH_CALL)
}

impl Subject for Machines {
    type Engine = Moxie;

    fn cell(&self, limits: Limits, clock: Option<Arc<dyn Clock>>) -> Result<Cell<Moxie>, Error> {
        Cell::new(Moxie::new(Options { layout: self.1, tier: self.0 }), limits, clock)
    }

    fn task(&self, program: Program) -> Result<Task, &'static str> {
        let asm = Asm::default();
        let asm = match program {
            Program::Finish => asm.exit(7),
            Program::Print => asm.write(1, DATA, 6).write(2, DATA + 6, 5).exit(0),
            Program::Flood => asm.label("again").write(1, DATA, 6).to(Op::Jmpa, "again"),
            Program::Spin => asm.label("again").to(Op::Jmpa, "again"),
            Program::Work => asm
                .ldi(R1, 100_000)
                .label("again")
                .op(Op::Dec, R1, 0, 1)
                .op(Op::Cmp, R1, R2, 0)
                .to(Op::Bne, "again")
                .write(1, DATA + 11, 5)
                .exit(0),
            Program::Hoard => asm
                .label("more")
                .ldi(R0, 0x1_0000)
                .swi(SBRK)
                .op(Op::Cmp, R0, R3, 0)
                .to(Op::Blt, "refused")
                .ldi(R2, 0x1_0000)
                .op(Op::Add, R2, R0, 0)
                .ldi(R1, 64)
                .label("fill")
                .op(Op::StL, R0, R2, 0)
                .op(Op::Add, R0, R1, 0)
                .op(Op::Cmp, R0, R2, 0)
                .to(Op::Bne, "fill")
                .to(Op::Jmpa, "more")
                .label("refused")
                .exit(0),
            Program::Recurse => asm.label("again").op(Op::Push, SP, R0, 0).to(Op::Jsra, "again"),
            Program::Ask => ask()
                .op(Op::Cmp, R0, R3, 0)
                .to(Op::Bne, "raised")
                .op(Op::LdaL, R2, 0, CALL + 24)
                .ldi(R0, 1)
                .ldi(R1, ANSWER)
                .swi(moxie::CONSOLE_WRITE)
                .exit(0)
                .label("raised")
                .write(1, DATA + 16, 6)
                .exit(0),
            Program::AskForever => ask().op(Op::Jmpa, 0, 0, TEXT),
        };
        Ok(Task::program("contract", asm.program(WORDS)))
    }
}

mod interpreted {
    use super::{Layout, Machines, Tier};
    cell::contract_tests!(Machines(Tier::Interpreter, Layout::Pages));
}

mod compiled {
    use super::{Layout, Machines, Tier};
    cell::contract_tests!(Machines(Tier::Jit, Layout::Pages));
}

mod classic {
    use super::{Layout, Machines, Tier};
    cell::contract_tests!(Machines(Tier::Auto, Layout::Classic));
}
