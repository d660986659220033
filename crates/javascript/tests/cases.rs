//! Programs and what they print: every `tests/cases/<folder>/<name>.js` (or `.mjs`, `.ts`) beside its `.out`.
//!
//! A program that ends with an uncaught error prints it as the last line. Files in a folder `<name>.modules` are its inputs,
//! which `import` finds.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cell::{Cell, Limits, Outcome, Stop, Task};
use javascript::JavaScript;

fn cases() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    for folder in std::fs::read_dir(root).expect("the folder of cases").flatten() {
        for file in std::fs::read_dir(folder.path()).expect("a folder").flatten() {
            let path = file.path();
            if path.extension().is_some_and(|end| end == "js" || end == "mjs" || end == "ts") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(found.len() >= 14, "only {} cases found", found.len());
    found
}

fn task(path: &Path) -> Task {
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let mut task = Task::program(name, std::fs::read(path).expect("a program"));
    if let Ok(folder) = std::fs::read_dir(path.with_extension("modules")) {
        let mut files: Vec<_> = folder.flatten().map(|file| file.path()).collect();
        files.sort();
        for file in files {
            let name = file.file_name().expect("a name").to_string_lossy().into_owned();
            task = task.input(name, std::fs::read(&file).expect("a module"));
        }
    }
    task
}

fn cell(memory: u64) -> Cell<JavaScript> {
    let limits = Limits::default().memory(memory).fuel(100_000_000);
    let limits = Limits { wall: cell::Bound::Unlimited, ..limits };
    Cell::new(JavaScript::new(memory).expect("room"), limits, None).expect("a cell")
}

fn text(outcome: &Outcome) -> String {
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
    text
}

#[test]
fn every_program_prints_what_it_should() {
    let mut wrong = String::new();
    for path in cases() {
        let outcome = cell(64 << 20).execute(&task(&path)).expect("runs");
        let expected = std::fs::read_to_string(path.with_extension("out")).unwrap_or_default();
        let found = text(&outcome);
        if found != expected {
            let line = found
                .lines()
                .zip(expected.lines())
                .position(|(a, b)| a != b)
                .unwrap_or(found.lines().count().min(expected.lines().count()));
            let _ = writeln!(
                wrong,
                "{} line {}:\n  printed  {:?}\n  expected {:?}",
                path.display(),
                line + 1,
                found.lines().nth(line).unwrap_or("nothing more"),
                expected.lines().nth(line).unwrap_or("nothing more")
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn programs_larger_than_people_write_run() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/limits/large.js");
    let limits = Limits { wall: cell::Bound::Unlimited, ..Limits::default().memory(256 << 20).fuel(4_000_000_000) };
    let mut cell = Cell::new(JavaScript::new(256 << 20).expect("room"), limits, None).expect("a cell");
    let found = text(&cell.execute(&task(&path)).expect("runs"));
    let expected = std::fs::read_to_string(path.with_extension("out")).expect("what it should print");
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "{found}");
}

/// Runs a program in pieces of `step` units of fuel, each time in a cell frozen and spawned anew, if `freeze`.
fn in_steps(path: &Path, step: u64, freeze: bool) -> (Stop, Option<u64>, String) {
    let mut cell = cell(64 << 20);
    cell.set_limits(Limits { wall: cell::Bound::Unlimited, ..Limits::default().memory(64 << 20).fuel(step) }).expect("limits");
    let mut outcome = cell.execute(&task(path)).expect("runs");
    let mut text = outcome.stdout.clone();
    for _ in 0..100_000 {
        if outcome.stop != Stop::OutOfFuel {
            break;
        }
        if freeze {
            let mut saved = Vec::new();
            cell.snapshot().expect("freezes").save(&mut saved).expect("saves");
            cell = cell::CellSnapshot::<JavaScript>::load(&mut saved.as_slice()).expect("loads").spawn(None).expect("spawns");
        }
        cell.refuel(step);
        outcome = cell.run().expect("goes on");
        text.extend_from_slice(&outcome.stdout);
    }
    (outcome.stop, outcome.usage.fuel, String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn frozen_at_any_instruction_a_program_goes_on_elsewhere() {
    for path in cases() {
        let whole = in_steps(&path, 1 << 40, false);
        let fuel = whole.1.expect("fuel is counted");
        // Prime, so that the stops fall anywhere; at most some hundreds of them.
        for step in [fuel / 7 + 1, fuel / 97 + 3] {
            let plain = in_steps(&path, step, false);
            assert_eq!(plain, whole, "{} in steps of {step}", path.display());
            assert_eq!(in_steps(&path, step, true), plain, "{} frozen every {step}", path.display());
        }
    }
}

#[test]
fn however_small_the_slices_a_program_uses_the_same_fuel() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/greedy");
    let programs: Vec<_> = std::fs::read_dir(folder).expect("the folder of greedy programs").flatten().map(|file| file.path()).collect();
    assert!(programs.len() > 10);
    for path in programs {
        let whole = in_steps(&path, 1 << 40, false);
        let fuel = whole.1.expect("fuel is counted");
        for step in [1, 3, 7, 61].into_iter().filter(|step| fuel / step < 20_000) {
            assert_eq!(in_steps(&path, step, false), whole, "{} in steps of {step}", path.display());
        }
    }
}

#[test]
fn with_any_cap_a_program_ends_cleanly() {
    for path in cases() {
        let mut cap = 48u64 << 10;
        while cap < 1 << 20 {
            let mut cell = cell(cap);
            let outcome = cell.execute(&task(&path)).expect("runs");
            assert!(
                matches!(outcome.stop, Stop::Finished(_) | Stop::Raised(_) | Stop::OutOfMemory),
                "{} with {cap} bytes: {:?}",
                path.display(),
                outcome.stop
            );
            assert!(outcome.usage.memory_peak <= cap, "{} with {cap} bytes: a peak of {}", path.display(), outcome.usage.memory_peak);
            cap += cap / 5 + 4096;
        }
    }
}
