//! Runs a folder of programs with an `expected.tsv` beside them, and compares status, instruction count, registers and `pc` of each.
//!
//! `torture FOLDER [MODE...]`; a mode is `interpreter`, `jit`, `sliced` (jit, fuel handed out 1,000 units at a time) or `frozen` (a snapshot
//! saved, loaded and gone on from, in the middle). Without modes all are run. The table's columns: level, name, expected (`exit:N` or a fault),
//! instructions, hash of the registers, last pc, hash of the output.

use std::path::Path;
use std::process::ExitCode;

use cell::{Bound, Cell, CellSnapshot, Limits, Outcome, Stop, Task, Value};
use moxie::{Layout, Moxie, Options, Tier};

struct Case {
    name: String,
    expected: String,
    instructions: u64,
    registers: u32,
    program: Vec<u8>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(folder) = arguments.next() else {
        eprintln!("usage: torture FOLDER [interpreter] [jit] [sliced] [frozen]");
        return ExitCode::from(2);
    };
    let mut modes: Vec<String> = arguments.collect();
    if modes.is_empty() {
        modes = ["interpreter", "jit", "sliced", "frozen"].map(String::from).to_vec();
    }
    let cases = match read(Path::new(&folder)) {
        Ok(cases) => cases,
        Err(error) => {
            eprintln!("cannot read {folder}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut failed = 0;
    for mode in &modes {
        let mut wrong = 0;
        let mut total = 0;
        for case in &cases {
            match run(mode, case) {
                Ok(outcome) => {
                    total += outcome.usage.instructions.unwrap_or(0);
                    if let Some(difference) = compare(case, &outcome) {
                        wrong += 1;
                        println!("{mode}: {}: {difference}", case.name);
                    }
                }
                Err(error) => {
                    wrong += 1;
                    println!("{mode}: {}: {error}", case.name);
                }
            }
        }
        println!("{mode}: {} of {} agree, {total} instructions", cases.len() - wrong, cases.len());
        failed += wrong;
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn read(folder: &Path) -> std::io::Result<Vec<Case>> {
    let table = std::fs::read_to_string(folder.join("expected.tsv"))?;
    let mut cases = Vec::new();
    for line in table.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [_, name, expected, instructions, registers, ..] = columns[..] else { continue };
        cases.push(Case {
            name: name.to_owned(),
            expected: expected.to_owned(),
            instructions: instructions.parse().unwrap_or(0),
            registers: u32::from_str_radix(registers, 16).unwrap_or(0),
            program: std::fs::read(folder.join(format!("{name}.elf")))?,
        });
    }
    Ok(cases)
}

fn run(mode: &str, case: &Case) -> Result<Outcome, cell::Error> {
    let tier = if matches!(mode, "jit" | "sliced") { Tier::Jit } else { Tier::Interpreter };
    let mut limits = Limits::default().memory(256 << 20);
    limits.wall = Bound::Unlimited;
    if mode == "frozen" {
        limits = limits.fuel(case.instructions / 2);
    }
    let mut cell = Cell::new(Moxie::new(Options { layout: Layout::Classic, tier }), limits, None)?;
    if mode == "sliced" {
        cell.set_slice(1000);
    }
    let first = cell.execute(&Task::program(case.name.clone(), case.program.clone()))?;
    if mode != "frozen" || first.stop != Stop::OutOfFuel {
        return Ok(first);
    }
    let mut saved = Vec::new();
    cell.snapshot()?.save(&mut saved)?;
    drop(cell);
    let mut cell = CellSnapshot::<Moxie>::load(&mut saved.as_slice())?.spawn(None)?;
    cell.refuel(10_000_000_000);
    cell.run()
}

fn compare(case: &Case, outcome: &Outcome) -> Option<String> {
    let status = match &outcome.stop {
        Stop::Finished(code) => format!("exit:{code}"),
        Stop::Trapped(trap) => match trap.kind.name() {
            "unmapped" | "read_only" | "stack_overflow" => "SIGBUS".to_owned(),
            other => other.to_owned(),
        },
        other => other.name().to_owned(),
    };
    if status != case.expected {
        return Some(format!("{status} instead of {}", case.expected));
    }
    let instructions = outcome.usage.instructions.unwrap_or(0);
    if instructions != case.instructions {
        return Some(format!("{instructions} instructions instead of {}", case.instructions));
    }
    // After a fault the old simulator's registers mean nothing.
    let hash = match outcome.extra.get("registers") {
        Some(Value::List(registers)) => registers
            .iter()
            .filter_map(Value::as_i64)
            .fold(2_166_136_261_u32, |hash, register| (hash ^ register as u32).wrapping_mul(16_777_619)),
        _ => 0,
    };
    (status != "SIGBUS" && hash != case.registers).then(|| format!("registers hash to {hash:08x} instead of {:08x}", case.registers))
}
