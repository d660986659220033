//! Runs random machines by the book and compiled, in lock-step, for a given time: `lockstep [SECONDS [FIRST_SEED]]`. Prints what was covered;
//! fails with the seed of the first case that differs. `lockstep 0 SEED` runs one case and prints its code.

mod compare;
mod generator;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use moxie::isa::{Instruction, Op};
use moxie::jit::{CODE_BUDGET, Compiler};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().unwrap_or(0));
    let seconds = arguments.next().unwrap_or(10);
    let first = arguments.next().unwrap_or(1);
    let Ok(mut compiler) = Compiler::new(CODE_BUDGET) else {
        eprintln!("this host allows no compiled code");
        return ExitCode::FAILURE;
    };
    let started = Instant::now();
    let mut seed = first;
    let mut total = compare::Ran::default();
    let mut operations = vec![0u64; Op::ALL.len()];
    loop {
        let case = generator::case(&mut generator::Random::new(seed));
        if seconds == 0 {
            print_code(&case);
        }
        for (start, bytes) in case.contents.iter().take(1) {
            for_each(*start, bytes, |_, instruction| operations[instruction.op as usize] += 1);
        }
        match compare::run(&case, &mut compiler, 20_000) {
            Ok(ran) => {
                total.instructions += ran.instructions;
                total.compiled += ran.compiled;
                total.stops += ran.stops;
                total.swi += ran.swi;
                total.traps += ran.traps;
            }
            Err(difference) => {
                println!("seed {seed}: {difference}");
                return ExitCode::FAILURE;
            }
        }
        seed += 1;
        if started.elapsed() >= Duration::from_secs(seconds) {
            break;
        }
    }
    let covered = operations.iter().filter(|count| **count > 0).count();
    println!(
        "{} cases from seed {first} in {} s: {} instructions ({} compiled), compared at {} stops; {} ended by swi, {} by a trap; {covered} of {} operations occur",
        seed - first,
        started.elapsed().as_secs(),
        total.instructions,
        total.compiled,
        total.stops,
        total.swi,
        total.traps,
        Op::ALL.len(),
    );
    ExitCode::SUCCESS
}

fn for_each(start: u32, bytes: &[u8], mut each: impl FnMut(u32, Instruction)) {
    let mut at = 0;
    while at < bytes.len() {
        match Instruction::decode(&bytes[at..]) {
            Ok(instruction) => {
                each(start + at as u32, instruction);
                at += usize::from(instruction.length());
            }
            Err(_) => at += 2,
        }
    }
}

fn print_code(case: &generator::Case) {
    println!("{:?} {:x?} slices {:?}", case.granularity, case.regions, case.slices);
    println!("pc {:#x} registers {:x?}", case.cpu.pc, case.cpu.registers);
    if let Some((start, bytes)) = case.contents.first() {
        for_each(*start, bytes, |pc, instruction| println!("{pc:#8x}  {}", instruction.text(pc)));
    }
}
