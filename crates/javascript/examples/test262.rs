//! Runs tc39/test262: `test262 CHECKOUT [--edition 2024|2025] [--filter PREFIX] [--threads N] [--failures FILE]
//! [--every N] [--tops FOLDER,FOLDER]`.
//!
//! Each file of the edition's scope runs in a fresh cell with limits on fuel and memory, in every mode it asks for. Prints results by
//! folder. `--every N` takes each N-th file only; `--tops annexB` the files of another folder than language and built-ins.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const FUEL: u64 = 400_000_000;
const MEMORY: u64 = 64 << 20;

/// What the harness expects of a host.
const HOST: &str = "var $262 = { global: globalThis, gc() {}, detachArrayBuffer(b) { if (!b.detached) b.transfer(); } };";

struct Header {
    includes: Vec<String>,
    flags: HashSet<String>,
    features: HashSet<String>,
    negative: Option<(String, String)>,
}

fn list(header: &str, key: &str) -> Vec<String> {
    let Some(start) = header.lines().position(|line| line.starts_with(key)) else { return Vec::new() };
    let lines: Vec<&str> = header.lines().collect();
    let first = lines[start][key.len()..].trim();
    let mut items = first.trim_matches(['[', ']']).to_owned();
    if first.is_empty() {
        for line in &lines[start + 1..] {
            match line.trim_start().strip_prefix("- ") {
                Some(item) if line.starts_with(' ') => items = format!("{items},{item}"),
                _ => break,
            }
        }
    } else if !first.ends_with(']') && first.starts_with('[') {
        for line in &lines[start + 1..] {
            items = format!("{items} {}", line.trim().trim_end_matches(']'));
            if line.contains(']') {
                break;
            }
        }
    }
    items.split([',', ' ']).map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn header(text: &str) -> Option<Header> {
    let start = text.find("/*---")?;
    let end = text.find("---*/")?;
    let head = text[start + 5..end].replace("\r\n", "\n").replace('\r', "\n");
    let field = |name: &str| {
        head.lines()
            .skip_while(|line| !line.starts_with("negative:"))
            .skip(1)
            .take_while(|line| line.starts_with(' '))
            .find_map(|line| line.trim().strip_prefix(name).map(|rest| rest.trim().to_owned()))
    };
    let negative = head.contains("\nnegative:").then(|| (field("phase:").unwrap_or_default(), field("type:").unwrap_or_default()));
    Some(Header {
        includes: list(&head, "includes:"),
        flags: list(&head, "flags:").into_iter().collect(),
        features: list(&head, "features:").into_iter().collect(),
        negative,
    })
}

/// Features outside the edition's scope (the same lists as the scope script's).
fn excluded(edition: u32) -> HashSet<&'static str> {
    let mut set: HashSet<&str> = "Temporal SharedArrayBuffer Atomics Atomics.pause Atomics.waitAsync cross-realm caller tail-call-optimization IsHTMLDDA \
        host-gc-required legacy-regexp canonical-tz import-defer export-defer source-phase-imports source-phase-imports-module-source decorators ShadowRealm \
        immutable-arraybuffer await-dictionary error-stack-accessor joint-iteration iterator-chunking iterator-includes Iterator.prototype.join import-text \
        import-bytes nonextensible-applies-to-private Array.fromAsync Math.sumPrecise uint8array-base64 json-parse-with-source upsert Error.isError \
        iterator-sequencing explicit-resource-management"
        .split_whitespace()
        .collect();
    if edition == 2024 {
        set.extend("iterator-helpers set-methods RegExp.escape Float16Array import-attributes json-modules regexp-modifiers regexp-duplicate-named-groups promise-try".split_whitespace());
    }
    set
}

fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            walk(&path, out);
        } else if path.extension().is_some_and(|e| e == "js") && !path.to_string_lossy().contains("_FIXTURE") {
            out.push(path);
        }
    }
}

/// The files that a test names as modules, and those that they name.
fn fixtures(test: &Path, place: &str, text: &str, out: &mut BTreeMap<String, String>) {
    for (start, _) in text.match_indices(['\'', '"']) {
        let rest = &text[start + 1..];
        let Some(end) = rest.find(&text[start..=start]).filter(|&end| end < 200) else { continue };
        let name = &rest[..end];
        if !(name.starts_with("./") || name.starts_with("../")) || !(name.ends_with(".js") || name.ends_with(".json")) {
            continue;
        }
        let mut parts: Vec<&str> = place.split('/').collect();
        parts.pop();
        for part in name.split('/') {
            match part {
                "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        let there = parts.join("/");
        if !out.contains_key(&there)
            && let Ok(source) = std::fs::read_to_string(test.join(&there))
        {
            out.insert(there.clone(), source.clone());
            fixtures(test, &there, &source, out);
        }
    }
}

/// A test and what it needs.
struct Test<'a> {
    harness: &'a Path,
    head: Header,
    place: &'a str,
    text: &'a str,
    fixtures: BTreeMap<String, String>,
}

impl Test<'_> {
    /// Runs one mode; Err: why it failed.
    fn run_mode(&self, strict: bool) -> Result<(), String> {
        let head = &self.head;
        let module = head.flags.contains("module");
        let mut cell = javascript::Evaluator::new(MEMORY).map_err(|e| e.to_string())?;
        let mut meter = cell::Meter::new(Some(FUEL));
        if !head.flags.contains("raw") {
            cell.eval(HOST, &mut meter).map_err(|e| format!("host: {e}"))?;
            let mut includes = vec!["assert.js".to_owned(), "sta.js".to_owned()];
            if head.flags.contains("async") {
                includes.push("doneprintHandle.js".to_owned());
            }
            includes.extend(head.includes.iter().cloned());
            for name in includes {
                let source = std::fs::read_to_string(self.harness.join(&name)).map_err(|e| e.to_string())?;
                cell.eval(&source, &mut meter).map_err(|e| format!("{name}: {e}"))?;
            }
        }
        for (name, source) in &self.fixtures {
            cell.add_input(name, source.as_bytes());
        }
        let source = if strict { format!("\"use strict\";\n{}", self.text) } else { self.text.to_owned() };
        let result = cell.eval_file(&source, self.place, module, &mut meter);
        match (&head.negative, result) {
            (Some((_, kind)), Err(error)) if error.starts_with(kind.as_str()) => Ok(()),
            (Some((_, kind)), result) => Err(format!("expected {kind}, got {result:?}")),
            (None, Err(error)) => Err(error),
            (None, Ok(_)) if head.flags.contains("async") => {
                let output = cell.output();
                if output.contains("Test262:AsyncTestComplete") { Ok(()) } else { Err(format!("async: {}", output.trim())) }
            }
            (None, Ok(_)) => Ok(()),
        }
    }
}

fn run(checkout: &Path, place: &str, text: &str) -> Result<(), String> {
    let head = header(text).ok_or("no header")?;
    let once = ["raw", "noStrict", "module"].iter().any(|flag| head.flags.contains(*flag));
    let modes: &[bool] = if once {
        &[false]
    } else if head.flags.contains("onlyStrict") {
        &[true]
    } else {
        &[false, true]
    };
    let mut found = BTreeMap::new();
    fixtures(&checkout.join("test"), place, text, &mut found);
    let test = Test { harness: &checkout.join("harness"), head, place, text, fixtures: found };
    for &strict in modes {
        test.run_mode(strict).map_err(|e| format!("{}{e}", if strict { "strict: " } else { "" }))?;
    }
    Ok(())
}

fn main() {
    #[cfg(feature = "live-library")]
    {
        let _ = javascript::LIVE
            .set(|name| std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/library").join(name)).ok());
    }
    let mut arguments = std::env::args().skip(1);
    let checkout = PathBuf::from(arguments.next().expect("the folder of a test262 checkout"));
    let mut tops = "language,built-ins".to_owned();
    let (mut edition, mut filter, mut threads, mut failures, mut every) = (2024, String::new(), 2, None, 1);
    while let Some(option) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        match option.as_str() {
            "--edition" => edition = value.parse().expect("a year"),
            "--filter" => filter = value,
            "--threads" => threads = value.parse().expect("a number"),
            "--failures" => failures = Some(value),
            "--tops" => tops = value,
            "--every" => every = value.parse().expect("a number"),
            other => panic!("unknown option {other}"),
        }
    }
    let test = checkout.join("test");
    let mut files = Vec::new();
    for top in tops.split(',') {
        walk(&test.join(top), &mut files);
    }
    let outside = excluded(edition);
    let scope: Vec<(String, String)> = files
        .iter()
        .filter_map(|path| {
            let place = path.strip_prefix(&test).ok()?.to_string_lossy().into_owned();
            if ["Temporal", "Atomics", "SharedArrayBuffer", "AbstractModuleSource"]
                .iter()
                .any(|folder| place.starts_with(&format!("built-ins/{folder}/")))
                || !place.starts_with(&filter)
            {
                return None;
            }
            let text = String::from_utf8_lossy(&std::fs::read(path).ok()?).into_owned();
            let head = header(&text)?;
            let body = &text[text.find("---*/").unwrap_or(0)..];
            let skip = head.features.iter().any(|f| outside.contains(f.as_str()))
                || ["createRealm", "$262.agent", "evalScript"].iter().any(|word| body.contains(word))
                || head.flags.iter().any(|flag| flag.starts_with("CanBlockIs"));
            (!skip).then_some((place, text))
        })
        .step_by(every)
        .collect();
    let next = AtomicUsize::new(0);
    // What each thread runs, and since when: for the display.
    let running: Vec<Mutex<Option<(usize, std::time::Instant)>>> = (0..threads).map(|_| Mutex::new(None)).collect();
    let finished = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, Result<(), String>)>> = Mutex::new(Vec::new());
    std::panic::set_hook(Box::new(|_| {}));
    std::thread::scope(|threads_scope| {
        for slot in &running {
            let (scope, checkout, next, finished, results) = (&scope, &checkout, &next, &finished, &results);
            let worker = move || {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some((place, text)) = scope.get(i) else { break };
                    *slot.lock().expect("no panics hold it") = Some((i, std::time::Instant::now()));
                    let result = std::panic::catch_unwind(|| run(checkout, place, text)).unwrap_or_else(|cause| {
                        let text =
                            cause.downcast_ref::<String>().cloned().or_else(|| cause.downcast_ref::<&str>().map(|s| (*s).to_owned()));
                        Err(format!("PANIC {}", text.unwrap_or_default()))
                    });
                    *slot.lock().expect("no panics hold it") = None;
                    finished.fetch_add(1, Ordering::Relaxed);
                    results.lock().expect("no panics hold it").push((i, result));
                }
            };
            std::thread::Builder::new().stack_size(16 << 20).spawn_scoped(threads_scope, worker).expect("a thread");
        }
        let mut slow = HashSet::new();
        loop {
            let done = finished.load(Ordering::Relaxed);
            eprint!("\r{done}/{} ", scope.len());
            if done == scope.len() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
            for (i, since) in running.iter().filter_map(|slot| *slot.lock().expect("no panics hold it")) {
                if since.elapsed().as_secs() >= 20 && slow.insert(i) {
                    eprintln!("\rslow: {}", scope[i].0);
                }
            }
        }
        eprintln!();
    });
    let mut results = results.into_inner().expect("no panics hold it");
    results.sort_by_key(|(i, _)| *i);
    let mut folders: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut passed = 0;
    let mut list = failures.map(|name| std::fs::File::create(name).expect("a file to write"));
    for (i, result) in &results {
        let place = &scope[*i].0;
        let folder: Vec<&str> = place.split('/').take(3).collect();
        let entry = folders.entry(folder[..folder.len().min(3) - usize::from(folder.len() < 3)].join("/")).or_default();
        entry.1 += 1;
        match result {
            Ok(()) => {
                entry.0 += 1;
                passed += 1;
            }
            Err(why) => {
                if let Some(list) = &mut list {
                    let why: String = why.chars().take(200).collect();
                    let _ = writeln!(list, "{place}\t{}", why.replace(['\n', '\t'], " "));
                }
            }
        }
    }
    for (folder, (good, all)) in &folders {
        println!("{good:6} / {all:6}  {:5.1}%  {folder}", *good as f64 * 100.0 / *all as f64);
    }
    println!("{passed} of {} passed: {:.2}%", results.len(), passed as f64 * 100.0 / results.len().max(1) as f64);
}
