//! The contracts of `guest/moxie/fixtures` end as their table says, in every way of running them.

use std::path::{Path, PathBuf};

use cell::{Bound, Cell, CellSnapshot, GuestError, Limits, Outcome, Stop, Task, Value};
use moxie::{Layout, Moxie, Options, Tier};

fn guest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest/moxie")
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(guest().join("fixtures").join(format!("{name}.elf"))).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn limits() -> Limits {
    Limits { wall: Bound::Unlimited, ..Limits::default() }
}

fn cell(tier: Tier, limits: Limits) -> Cell<Moxie> {
    Cell::new(Moxie::new(Options { layout: Layout::Pages, tier }), limits, None).unwrap()
}

/// One line of the table.
struct Row {
    name: String,
    task: Task,
    stop: String,
    detail: String,
    stdout: String,
    output: String,
}

fn rows() -> Vec<Row> {
    let table = std::fs::read_to_string(guest().join("fixtures/expected.tsv")).unwrap();
    let rows: Vec<Row> = table
        .lines()
        .skip(1)
        .map(|line| {
            let mut columns = line.split('\t').map(str::to_owned).chain(std::iter::repeat(String::new()));
            let mut column = || columns.next().unwrap_or_default();
            let (name, inputs, stop, detail, stdout, output) = (column(), column(), column(), column(), column(), column());
            let mut task = Task::program(name.clone(), fixture(&name));
            for input in inputs.split_whitespace() {
                let (name, file) = input.split_once('=').unwrap();
                task = task.input(name, std::fs::read(guest().join("examples/data").join(file)).unwrap());
            }
            Row { name, task, stop, detail, stdout, output }
        })
        .collect();
    assert!(rows.len() > 30, "the table is there");
    rows
}

fn unescape(text: &str) -> Vec<u8> {
    text.replace("\\n", "\n").into_bytes()
}

fn check(row: &Row, outcome: &Outcome, how: &str) {
    let name = format!("{} ({how})", row.name);
    let (stop, detail) = match &outcome.stop {
        Stop::Finished(code) => ("finished", code.to_string()),
        Stop::Trapped(trap) => ("trapped", trap.kind.name().to_owned()),
        other => (other.name(), String::new()),
    };
    assert_eq!((stop, &*detail), (&*row.stop, &*row.detail), "{name}: {:?}", outcome.stop);
    if row.stdout != "*" {
        assert_eq!(String::from_utf8_lossy(&outcome.stdout), String::from_utf8_lossy(&unescape(&row.stdout)), "{name}");
    }
    let expected = match row.output.split_once(':') {
        Some(("hex", "*")) => return,
        Some(("hex", digits)) => (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect(),
        Some(("file", file)) => std::fs::read(guest().join("examples/expected").join(file)).unwrap(),
        _ => unescape(&row.output),
    };
    assert_eq!(String::from_utf8_lossy(&outcome.output), String::from_utf8_lossy(&expected), "{name}");
}

#[test]
fn every_contract_ends_as_its_table_says() {
    for row in rows() {
        let mut first: Option<Outcome> = None;
        for (tier, slice) in
            [(Tier::Interpreter, 50_000), (Tier::Jit, 50_000), (Tier::Jit, 1000), (Tier::Auto, 50_000), (Tier::Interpreter, 1)]
        {
            // An endless loop, and slices of one unit, need a bound of their own.
            let limits = if row.name == "loop" { limits().fuel(1_000_000) } else { limits() };
            let mut cell = cell(tier, limits);
            cell.set_slice(slice);
            let outcome = cell.execute(&row.task).unwrap();
            check(&row, &outcome, &format!("{tier:?}, slices of {slice}"));
            // Whatever the way, it is the same run: fuel, instructions, registers, output.
            match &first {
                Some(first) => assert_eq!(&outcome, first, "{} in {tier:?}, slices of {slice}", row.name),
                None => first = Some(outcome),
            }
        }
    }
}

#[test]
fn a_run_frozen_anywhere_ends_the_same() {
    for row in rows().into_iter().filter(|row| row.name != "loop") {
        let whole = cell(Tier::Interpreter, limits()).execute(&row.task).unwrap();
        let total = whole.usage.fuel.unwrap();
        for part in [1, 2, 3] {
            let fuel = total * part / 4;
            let mut first = cell(Tier::Interpreter, limits().fuel(fuel));
            let stopped = first.execute(&row.task).unwrap();
            if stopped.stop != Stop::OutOfFuel {
                continue;
            }
            let mut saved = Vec::new();
            first.snapshot().unwrap().save(&mut saved).unwrap();
            drop(first);
            let snapshot = CellSnapshot::<Moxie>::load(&mut saved.as_slice()).unwrap();
            for round in 0..2 {
                let mut second = snapshot.spawn(None).unwrap();
                second.refuel(total);
                let rest = second.run().unwrap();
                let text: Vec<u8> = stopped.stdout.iter().chain(&rest.stdout).copied().collect();
                assert_eq!(
                    (&rest.stop, &rest.output, &rest.extra, rest.usage.fuel, rest.usage.instructions),
                    (&whole.stop, &whole.output, &whole.extra, whole.usage.fuel, whole.usage.instructions),
                    "{} frozen after {fuel}, copy {round}",
                    row.name
                );
                assert_eq!(text, whole.stdout, "{}", row.name);
            }
        }
    }
}

#[test]
fn state_is_carried_from_run_to_run() {
    let data = |name: &str| std::fs::read(guest().join("examples/data").join(name)).unwrap();
    let task = Task::program("ledger", fixture("ledger"));
    let first = cell(Tier::Auto, limits()).execute(&task.clone().input("data0", data("orders-1.txt"))).unwrap();
    let state = first.state.expect("a state");
    let second = cell(Tier::Auto, limits()).execute(&task.input("data0", data("orders-2.txt")).state(state)).unwrap();
    assert_eq!(second.output, std::fs::read(guest().join("examples/expected/receipts-2.txt")).unwrap());
}

#[test]
fn several_executables_share_one_space() {
    let mut task = Task::program("table", fixture("table"));
    task.programs.push(cell::Input::new("twoparts", fixture("twoparts")));
    assert_eq!(cell(Tier::Auto, limits()).execute(&task).unwrap().stop, Stop::Finished(26));
}

#[test]
fn calls_go_through_the_hatch_and_back() {
    for tier in [Tier::Interpreter, Tier::Jit] {
        let mut cell = cell(tier, limits());
        cell.offer_function("echo", |call| Ok(call.value(0)?.into())).unwrap();
        cell.offer_function("fail", |_| Err(GuestError::new("Refused", "no"))).unwrap();
        let outcome = cell.execute(&Task::program("hatch_echo", fixture("hatch_echo"))).unwrap();
        assert_eq!(outcome.stop, Stop::Finished(0), "{}", String::from_utf8_lossy(&outcome.stdout));
    }
}

#[test]
fn a_trap_says_where_it_was() {
    let outcome = cell(Tier::Auto, limits()).execute(&Task::program("trap", fixture("trap_O0"))).unwrap();
    assert!(outcome.trace.len() >= 3, "{:?}", outcome.trace);
    let Some(Value::Integer(pc)) = outcome.extra.get("pc") else { panic!("pc is there") };
    assert_eq!(outcome.trace[0].address, u64::try_from(pc.clone()).ok());
}
