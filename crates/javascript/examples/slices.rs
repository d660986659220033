//! Runs programs whole and in slices of fuel, frozen in between and not: `slices FOLDER [EVERY [TIMES]]`.
//!
//! The folder is a checkout of test262, or any with scripts that print something. Every program (or each `EVERY`-th) runs once whole and
//! `TIMES` (4) times stopped at a place chosen at random and then again and again; each time as it is, and each time saved, loaded and gone
//! on from in another cell. All must end the same way, with the same output and the same fuel. Prints what does not.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cell::{Bound, Cell, CellSnapshot, Limits, Stop, Task};
use javascript::JavaScript;

#[path = "../tests/suite/mod.rs"]
mod suite;

const MEMORY: u64 = 64 << 20;
/// Programs that use more take too long a time.
const FUEL: u64 = 20_000_000;

/// How a program ended.
#[derive(Debug, PartialEq)]
struct End {
    stop: Stop,
    /// As text, so that NaN is the same as NaN.
    value: String,
    stdout: String,
    fuel: Option<u64>,
}

/// Runs a program with so much fuel at first, and so much more whenever it runs out.
fn run(text: &[u8], first: u64, more: u64, freeze: bool) -> End {
    let limits = Limits { wall: Bound::Unlimited, ..Limits::default().memory(MEMORY).fuel(first) };
    let mut cell = Cell::new(JavaScript::new(MEMORY).expect("room"), limits, None).expect("a cell");
    let mut outcome = cell.execute(&Task::program("program.js", text)).expect("runs");
    let mut stdout = outcome.stdout.clone();
    while outcome.stop == Stop::OutOfFuel && more > 0 {
        if freeze {
            let mut saved = Vec::new();
            cell.snapshot().expect("freezes").save(&mut saved).expect("saves");
            cell = CellSnapshot::<JavaScript>::load(&mut saved.as_slice()).expect("loads").spawn(None).expect("spawns");
        }
        cell.refuel(more);
        outcome = cell.run().expect("goes on");
        stdout.extend_from_slice(&outcome.stdout);
    }
    let (value, stdout) = (format!("{:?}", outcome.value), String::from_utf8_lossy(&stdout).into_owned());
    End { stop: outcome.stop, value, stdout, fuel: outcome.usage.fuel }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| ".".to_owned()));
    let mut number = |otherwise| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (every, times) = (number(1).max(1), number(4));
    let suite = folder.join("harness").is_dir();
    let mut random = 88_172_645_463_325_252u64;
    let mut below = |n: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % n
    };
    let (mut programs, mut failures) = (0, 0);
    for script in suite::scripts(&if suite { folder.join("test") } else { folder.clone() }).iter().step_by(every) {
        let Some((text, before)) = program(&folder, script, suite) else { continue };
        let whole = run(text.as_bytes(), FUEL, 0, false);
        let fuel = whole.fuel.unwrap_or(0);
        if !matches!(whole.stop, Stop::Finished(_) | Stop::Raised(_)) || fuel <= before {
            continue;
        }
        programs += 1;
        for _ in 0..times {
            let first = before + below(fuel - before);
            let more = 1 + (fuel - first) / 1000 + below((fuel - first) / 8 + 2);
            for freeze in [false, true] {
                let end = run(text.as_bytes(), first, more, freeze);
                if end != whole {
                    failures += 1;
                    println!("{}: {first} units, then {more} at a time, frozen: {freeze}\n  {end:?}\n  not {whole:?}", script.display());
                }
            }
        }
    }
    println!("{programs} programs, {times} times in two ways each: {failures} failures");
    if programs > 0 && failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A program, with its harness if it is one of test262, and what the harness alone uses.
fn program(checkout: &Path, script: &Path, suite: bool) -> Option<(String, u64)> {
    let text = std::fs::read_to_string(script).ok()?;
    if !suite {
        return Some((text, 1));
    }
    let harness = suite::harness(checkout, &text)?;
    let before = run(harness.as_bytes(), FUEL, 0, false).fuel?;
    Some((harness + &text, before))
}
