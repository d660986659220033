//! Reads and compiles every file of a test262 checkout: accept and reject must be what the files expect, and
//! the bytecode well formed.
//!
//! `parse262 CHECKOUT/test [FOLDER...]`: prints disagreements and a summary; exits with 1 if there is any.

use std::path::{Path, PathBuf};

use javascript::bytecode::{Extension, Form, Op, Unit};
use javascript::compile::{Request, compile};
use javascript::syntax::{Fault, Goal, Options, Parser, Unlimited};

/// What the header of a test says.
struct Header {
    rejected: bool,
    module: bool,
    raw: bool,
    modes: Vec<bool>,
    skipped: bool,
}

/// Features that are newer than the language this parser reads.
const PROPOSALS: &[&str] = &[
    "decorators",
    "import-defer",
    "export-defer",
    "source-phase-imports",
    "source-phase-imports-module-source",
    "explicit-resource-management",
    "import-text",
    "import-bytes",
];

fn header(text: &str) -> Header {
    let start = text.find("/*---").map_or(0, |at| at + 5);
    let end = text[start..].find("---*/").map_or(start, |at| at + start);
    let yaml = text[start..end].replace("\r\n", "\n").replace('\r', "\n");
    // One line in brackets, or a line for each.
    let flags: String = yaml
        .find("flags:")
        .map_or("", |at| &yaml[at..])
        .lines()
        .enumerate()
        .take_while(|(n, line)| *n == 0 || line.trim_start().starts_with('-'))
        .flat_map(|(_, line)| [line, " "])
        .collect();
    let negative = yaml.find("negative:").map_or("", |at| &yaml[at..]);
    let rejected = negative.contains("phase: parse") && negative.contains("SyntaxError");
    let raw = flags.contains("raw");
    let module = flags.contains("module");
    let modes = if flags.contains("onlyStrict") {
        vec![true]
    } else if flags.contains("noStrict") || raw || module {
        vec![false]
    } else {
        vec![false, true]
    };
    let features = yaml.find("features:").map_or("", |at| &yaml[at..]);
    let words: Vec<&str> = features.split(|c: char| !(c.is_alphanumeric() || "-.".contains(c))).collect();
    Header { rejected, module, raw, modes, skipped: PROPOSALS.iter().any(|p| words.contains(p)) }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "js") && !path.to_string_lossy().contains("_FIXTURE") {
            files.push(path);
        }
    }
}

/// Checks that bytecode is well formed: whole instructions, jumps to instructions, operands in range.
fn check(unit: &Unit) -> Result<(), String> {
    for (number, function) in unit.functions.iter().enumerate() {
        let words = &unit.words[function.words.start as usize..function.words.end as usize];
        let constants = function.constants.end - function.constants.start;
        let mut starts = vec![false; words.len() + 1];
        let mut targets = Vec::new();
        let mut at = 0;
        while at < words.len() {
            starts[at] = true;
            let op = Op::from_byte(words[at] as u8).ok_or(format!("function {number}: no instruction at {at}"))?;
            let row = op.row();
            let end = at + row.words();
            if row.form == Form::S24 {
                targets.push(at as i64 + 1 + i64::from(words[at] as i32 >> 8));
            }
            if op == Op::LoadConstant && words[at] >> 16 >= constants {
                return Err(format!("function {number}: no constant at {at}"));
            }
            let mut next = at + 1;
            for &extension in row.extensions {
                let word = words.get(next).copied().ok_or(format!("function {number}: cut off at {at}"))?;
                match extension {
                    Extension::Jump => targets.push(end as i64 + i64::from(word as i32)),
                    Extension::Key | Extension::Constant if word >= constants => {
                        return Err(format!("function {number}: no constant at {at}"));
                    }
                    Extension::Function if word as usize >= unit.functions.len() => {
                        return Err(format!("function {number}: no function at {at}"));
                    }
                    _ => {}
                }
                next += if let Extension::Cache(n) = extension { n } else { 1 };
            }
            at = end;
        }
        for target in targets {
            if !usize::try_from(target).is_ok_and(|target| target < words.len() && starts[target]) {
                return Err(format!("function {number}: jump to {target}"));
            }
        }
        for handler in &unit.handlers[function.handlers.start as usize..function.handlers.end as usize] {
            if handler.start >= handler.end || handler.end as usize > words.len() || !starts[handler.target as usize] {
                return Err(format!("function {number}: {handler:?}"));
            }
        }
    }
    Ok(())
}

fn main() {
    let mut unit = Unit::default();
    let mut args = std::env::args().skip(1);
    let root = PathBuf::from(args.next().unwrap_or_else(|| {
        eprintln!("usage: parse262 CHECKOUT/test [FOLDER...]");
        std::process::exit(2);
    }));
    let folders: Vec<String> = args.collect();
    let mut files = Vec::new();
    if folders.is_empty() {
        collect(&root, &mut files);
    }
    for folder in &folders {
        collect(&root.join(folder), &mut files);
    }
    files.sort();
    let mut parser = Parser::new();
    let (mut positive, mut negative, mut wrong, mut skipped) = (0u32, 0u32, 0u32, 0u32);
    for path in &files {
        let Ok(bytes) = std::fs::read(path) else { continue };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let header = header(&text);
        if header.skipped {
            skipped += 1;
            continue;
        }
        for &strict in &header.modes {
            let source = if strict && !header.raw { format!("\"use strict\";\n{text}") } else { text.clone() };
            let goal = if header.module { Goal::Module } else { Goal::Script };
            let result = parser.parse(source.as_bytes(), goal, &Options::default(), &mut Unlimited);
            let agrees = match &result {
                Ok(()) => !header.rejected,
                Err(Fault::Syntax(_)) => header.rejected,
                Err(_) => false,
            };
            if result.is_ok() {
                let request = Request { goal, ..Request::default() };
                let compiled = compile(&mut parser, source.as_bytes(), &request, &mut unit, &mut Unlimited);
                let checked = compiled.map_err(|fault| format!("{fault:?}")).and_then(|()| check(&unit));
                if let Err(reason) = checked {
                    wrong += 1;
                    println!("{}: {reason}", path.display());
                }
            }
            *if header.rejected { &mut negative } else { &mut positive } += 1;
            if !agrees {
                wrong += 1;
                let shown = path.strip_prefix(&root).unwrap_or(path).display();
                println!("{shown} (strict {strict}): expected {}, got {result:?}", if header.rejected { "an error" } else { "none" });
            }
        }
    }
    println!("{positive} positive, {negative} negative, {wrong} wrong, {skipped} files of proposals skipped");
    std::process::exit(i32::from(wrong != 0));
}
