//! Programs whose allocations fail, one after the other: unit tests of `heap::fault`, which nobody else can ask to fail one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ::cell::{Argument, Bound, Call, Cell, Error, GuestError, HostObject, HostResult, Limits, Offer, Outcome, Stop, Task};

use super::armed::{Failure, arm, disarm};
use crate::JavaScript;

#[path = "../suite/mod.rs"]
mod suite;

const MEMORY: u64 = 64 << 20;
const FUEL: u64 = 20_000_000;
const WAYS: [Failure; 3] = [Failure::Once, Failure::Refused, Failure::Always];

/// A number that no run reaches.
const NONE: u64 = u64::MAX - 1;

fn cell() -> Cell<JavaScript> {
    let limits = Limits { wall: Bound::Unlimited, ..Limits::default().memory(MEMORY).fuel(FUEL) };
    Cell::new(JavaScript::new(MEMORY).expect("room"), limits, None).expect("a cell")
}

/// Runs a text in a cell, the allocation of this number failing; how many there were, if none failed.
fn run(cell: &mut Cell<JavaScript>, text: &[u8], failure: Failure, number: u64) -> (Outcome, Option<u64>) {
    arm(failure, number);
    let outcome = cell.execute(&Task::program("program.js", text)).expect("runs");
    (outcome, disarm())
}

/// What is wrong with what a program does when the allocation of this number fails.
fn wrong(text: &[u8], whole: &Outcome, failure: Failure, number: u64) -> Option<String> {
    let mut cell = cell();
    let (outcome, counted) = run(&mut cell, text, failure, number);
    let told = |what: String| Some(format!("allocation {number} failing ({failure:?}): {what} ({:?})", outcome.stop));
    if counted.is_some() {
        return told("has not so many".to_owned());
    }
    if failure == Failure::Once {
        // As text, so that NaN is the same as NaN.
        if outcome.stop != whole.stop || format!("{:?}", outcome.value) != format!("{:?}", whole.value) {
            return told(format!("ends with {:?}, not {:?}", outcome.value, whole.value));
        }
        if outcome.stdout != whole.stdout {
            let (a, b) = (String::from_utf8_lossy(&whole.stdout), String::from_utf8_lossy(&outcome.stdout));
            let (a, b) = a.lines().zip(b.lines()).find(|(a, b)| a != b).unwrap_or(("nothing", "more, or less"));
            return told(format!("prints {b}, not {a}"));
        }
    } else if !matches!(outcome.stop, Stop::Finished(_) | Stop::Raised(_) | Stop::OutOfMemory) {
        return told("does not end cleanly".to_owned());
    }
    match cell.execute(&Task::from("1 + 1")) {
        // What the program left to do, timers say, may still fail or go on.
        Ok(again) if matches!(again.stop, Stop::Finished(0) | Stop::Raised(_) | Stop::OutOfMemory | Stop::OutOfFuel) => None,
        Err(Error::Dead(_)) => None,
        again => told(format!("leaves a cell that says {again:?}")),
    }
}

/// Fails allocations of a program, at most so many and evenly spread, each in every way; what went wrong.
fn fail(text: &[u8], most: u64) -> Vec<String> {
    let (whole, count) = run(&mut cell(), text, Failure::Once, NONE);
    let count = count.expect("none failed");
    // A long program takes its time each time.
    let most = if count > 50_000 { most.min(5) } else { most };
    let numbers = (0..count).step_by(count.div_ceil(most).max(1) as usize);
    numbers.flat_map(|number| WAYS.iter().filter_map(|way| wrong(text, &whole, *way, number)).collect::<Vec<_>>()).collect()
}

#[test]
fn any_allocation_of_a_program_may_fail() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for (folder, most) in [("greedy", u64::MAX), ("cases", 40)] {
        let scripts = suite::scripts(&tests.join(folder));
        assert!(scripts.len() > 10, "{folder} holds {}", scripts.len());
        for script in scripts {
            let wrong = fail(&std::fs::read(&script).expect("a script"), most);
            assert!(wrong.is_empty(), "{}: {} times, first {}", script.display(), wrong.len(), wrong[0]);
        }
    }
}

/// Writes down what it is asked.
struct Shop(Arc<Mutex<Vec<String>>>);

impl HostObject for Shop {
    fn class(&self) -> &str {
        "Shop"
    }

    fn call(&mut self, method: &str, call: &mut Call<'_>) -> HostResult {
        self.0.lock().expect("unpoisoned").push(format!("{method} of {}", call.arguments.len()));
        match (method, call.arguments.first().cloned()) {
            ("each", Some(Argument::Own(function))) => {
                let doubled = call.call_guest(function, vec!["an item of some length".into()])?;
                Ok(Argument::List(vec![doubled, 1.into()]))
            }
            ("each", other) => Err(GuestError::new("TypeError", format!("no function but {other:?}"))),
            _ => call.lend(Offer::object(Shop(Arc::clone(&self.0)))),
        }
    }

    fn get(&mut self, property: &str, _: &mut Call<'_>) -> HostResult {
        self.0.lock().expect("unpoisoned").push(format!("read {property}"));
        Ok(Argument::Value(::cell::Value::List(vec!["sold".into(), 1.5.into()])))
    }

    fn methods(&self) -> Vec<String> {
        ["each", "branch"].map(String::from).to_vec()
    }
}

#[test]
fn the_host_is_asked_once_whatever_fails() {
    let text = "const b = shop.branch({ name: 'a'.repeat(20) + b1(), list: [1, [2.5]] }), told = [];
        told.push(Object.keys(b).join(), b.each(x => x + '!' + told.length)[0], JSON.stringify(b.sold), 'each' in b.branch());
        try { shop.each('none') } catch (e) { told.push(e.name, e.message) }
        function b1() { return [shop.sold.length, typeof shop.each].join() }
        ({ told: told.join(), f: x => x, g: [() => 1] })";
    let asked = Arc::new(Mutex::new(Vec::new()));
    let run = |failure, number| {
        asked.lock().expect("unpoisoned").clear();
        let mut cell = cell();
        cell.offer("shop", Offer::object(Shop(Arc::clone(&asked)))).expect("offered");
        let (outcome, counted) = run(&mut cell, text.as_bytes(), failure, number);
        let Some(Argument::Map(mut value)) = outcome.value else { panic!("{number}: {:?}, {:?}", outcome.stop, outcome.value) };
        let functions = value.split_off(1);
        (outcome.stop, value, functions.len(), asked.lock().expect("unpoisoned").clone(), counted)
    };
    let whole = run(Failure::Once, NONE);
    let count = whole.4.expect("none failed");
    assert!(whole.3.len() >= 6 && whole.2 == 2, "{whole:?}");
    for number in 0..count {
        let (stop, value, functions, asked, _) = run(Failure::Once, number);
        assert_eq!((stop, &value, functions, &asked), (Stop::Finished(0), &whole.1, 2, &whole.3), "allocation {number}");
    }
}

#[test]
#[ignore = "takes some minutes and a checkout of test262, which TEST262 names; docs/fuzzing.md"]
fn allocations_of_test262_may_fail() {
    const EACH: u64 = 20;
    let root = PathBuf::from(std::env::var("TEST262").expect("TEST262 names a checkout"));
    let every = std::env::var("EVERY").map_or(1, |every| every.parse().expect("EVERY is a number"));
    let mut random = 88_172_645_463_325_252u64;
    let (mut programs, mut runs, mut failures) = (0, 0u64, 0);
    for script in suite::scripts(&root.join("test")).iter().step_by(every) {
        let Ok(text) = std::fs::read_to_string(script) else { continue };
        let Some(start) = suite::harness(&root, &text) else { continue };
        let before = run(&mut cell(), start.as_bytes(), Failure::Once, NONE).1.expect("none failed");
        let program = start + &text;
        let (whole, count) = run(&mut cell(), program.as_bytes(), Failure::Once, NONE);
        let count = count.expect("none failed");
        if whole.stop != Stop::Finished(0) {
            continue;
        }
        programs += 1;
        // The harness is the same for all: what comes after it is what counts.
        let before = before.min(count.saturating_sub(1));
        for nth in 0..EACH.min(count - before) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let number = before + if count - before <= EACH { nth } else { random % (count - before) };
            for way in WAYS {
                runs += 1;
                if let Some(what) = wrong(program.as_bytes(), &whole, way, number) {
                    failures += 1;
                    println!("{}: {what}", script.display());
                }
            }
        }
    }
    println!("{programs} programs, {runs} runs, {failures} failures");
    assert!(programs > 0 && failures == 0);
}
