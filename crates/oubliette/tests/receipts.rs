//! A receipt holds for the run that it was made of, and for no other: whatever is changed in it or in what it names is found out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oubliette::{CellKind, Ending, Error, Guest, Input, Limits, Outcome, Receipt, Recording, Request, Resources, Standard, Task, sha256};
use serde_json::{Value, json};

fn guest(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest/moxie").join(path)
}

fn request(fixture: &str, inputs: &[(&str, &str)], state: Option<&[u8]>, offers: &[Standard]) -> Request {
    let read = |path: PathBuf| std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut task = Task::program(fixture, read(guest(&format!("fixtures/{fixture}.elf"))));
    task.inputs = inputs.iter().map(|(name, file)| Input::new(*name, read(guest(&format!("examples/data/{file}"))))).collect();
    task.state = state.map(Arc::from);
    let limits = Limits::default().memory(1 << 20).fuel(10_000_000).output(10_000);
    Request { task, limits, offers: offers.iter().copied().collect::<BTreeSet<_>>(), guest: Guest::new(CellKind::Moxie) }
}

fn run(request: &Request) -> (Outcome, Recording) {
    let mut cell = request.open(&Resources::default()).unwrap();
    cell.record();
    let outcome = cell.run().unwrap();
    let journal = cell.journal().unwrap().clone();
    let recording = Recording { request: request.clone(), journal, end: Ending::of(&outcome) };
    (outcome, recording)
}

/// Checks a receipt with everything that the request holds at hand; the differences, or the error as a sentence.
fn verify(receipt: &str, request: &Request, recording: Option<&Recording>) -> Vec<String> {
    let task = &request.task;
    let all: Vec<Arc<[u8]>> = task.programs.iter().chain(&task.inputs).map(|input| input.bytes.clone()).chain(task.state.clone()).collect();
    let verdict = Receipt::from_json(receipt).and_then(|receipt| {
        let find = |needed: &oubliette::Hashed| {
            let found = all.iter().find(|bytes| sha256(bytes) == needed.sha256);
            found.cloned().ok_or_else(|| Error::Invalid(format!("{} is needed", needed.name)))
        };
        receipt.verify(find, recording, &Resources::default())
    });
    match verdict {
        Ok(verdict) => verdict.differences,
        Err(error) => vec![error.to_string()],
    }
}

/// Calls `each` with the path of every leaf of a JSON value.
fn leaves(value: &Value, path: &str, each: &mut dyn FnMut(&str)) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| leaves(field, &format!("{path}/{name}"), each)),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| leaves(item, &format!("{path}/{index}"), each)),
        _ => each(path),
    }
}

fn another(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_u64().map_or(1, |number| number + 1)),
        Value::String(text) if text.len() == 64 => json!(sha256(text.as_bytes())),
        Value::String(text) if text == "Pages" => json!("Classic"),
        Value::String(text) => json!(format!("{text}x")),
        Value::Null => json!("something"),
        Value::Bool(truth) => json!(!truth),
        other => panic!("no leaf: {other}"),
    }
}

/// What says how the run was made, and does not decide what comes of it. Names of inputs do where the program looks at them.
fn decides_nothing(path: &str, looks_at_names: bool) -> bool {
    path == "/oubliette"
        || path == "/state/name"
        || path.starts_with("/programs/") && path.ends_with("/name")
        || path.starts_with("/inputs/") && path.ends_with("/name") && !looks_at_names
        || path.starts_with("/limits/")
        || path.ends_with("/tier")
}

#[test]
fn every_word_of_a_receipt_counts() {
    let cases = [
        request("ledger", &[("data0", "orders-1.txt")], None, &[]),
        request("inputs", &[("letter", "stop.txt"), ("data1", "things.txt")], Some(b"a state before"), &[]),
        request("trap_O0", &[], None, &[]),
        request("hatch", &[("data0", "things.txt")], None, &[Standard::Clock, Standard::Random]),
    ];
    for request in cases {
        let (outcome, recording) = run(&request);
        let receipt = Receipt::new(&request, &outcome, Some(&recording)).unwrap().to_json().unwrap();
        let world = Some(&recording).filter(|_| !request.offers.is_empty());
        assert_eq!(verify(&receipt, &request, world), Vec::<String>::new(), "{receipt}");
        let whole: Value = serde_json::from_str(&receipt).unwrap();
        let mut checked = 0;
        leaves(&whole, "", &mut |path| {
            if decides_nothing(path, request.task.programs[0].name == "inputs") {
                return;
            }
            checked += 1;
            let mut lie = whole.clone();
            let leaf = lie.pointer_mut(path).unwrap();
            *leaf = another(leaf);
            assert_ne!(verify(&lie.to_string(), &request, world), Vec::<String>::new(), "{path} was changed in {whole}");
        });
        assert!(checked > 15, "{checked} leaves of {whole}");
        if world.is_some() {
            let missing = verify(&receipt, &request, None);
            assert!(missing[0].contains("give its recording too"), "{missing:?}");
        }
    }
}

#[test]
fn what_a_receipt_names_must_be_what_it_was() {
    let request = request("inputs", &[("text", "letter.txt"), ("stop", "stop.txt")], None, &[]);
    let (outcome, _) = run(&request);
    let receipt = Receipt::new(&request, &outcome, None).unwrap();
    for index in 0..3 {
        let mut nth = 0;
        let changed = receipt.verify(
            |needed| {
                let task = &request.task;
                let found = task.programs.iter().chain(&task.inputs).find(|input| sha256(&input.bytes) == needed.sha256).unwrap();
                let mut bytes = found.bytes.to_vec();
                if nth == index {
                    *bytes.last_mut().unwrap() ^= 1;
                }
                nth += 1;
                Ok(bytes.into())
            },
            None,
            &Resources::default(),
        );
        assert!(matches!(&changed, Err(Error::Invalid(why)) if why.contains("another hash")), "{changed:?}");
    }
    // Inputs are told apart by their order too.
    let mut swapped: Value = serde_json::from_str(&receipt.to_json().unwrap()).unwrap();
    swapped["inputs"].as_array_mut().unwrap().reverse();
    assert_ne!(verify(&swapped.to_string(), &request, None), Vec::<String>::new());
}

#[test]
fn a_run_with_offers_needs_its_recording() {
    let request = request("hatch", &[("data0", "things.txt")], None, &[Standard::Clock]);
    let (outcome, _) = run(&request);
    let refused = Receipt::new(&request, &outcome, None).unwrap_err().to_string();
    assert!(refused.contains("--record"), "{refused}");
}
