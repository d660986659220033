//! Runs ruby/spec inside boxes, one box a file: `cargo run --release -p oubliette-ruby --example conformance -- SPEC MSPEC [FOLDER...]`,
//! where SPEC and MSPEC are checkouts of ruby/spec and ruby/mspec and a folder is one of SPEC's, such as `core/array`. Without folders, all of
//! `language` and `core`. Prints a table for `docs/conformance.md`, and what failed to standard error.

use cell::{Stop, Value};
use ruby::{MemoryFolder, Mount, Options, PrepareOptions, Ruby, World};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Loads mspec; boxes start from there.
const PRELUDE: &str = r##"
RUBY_EXE = "ruby"
# There are no permissions in a folder in memory.
def File.umask(*) = 0o22
ENV["MSPEC_RUNNER"] = "1"
ENV["SPEC_TEMP_DIR"] = "/tmp/spec"
$LOAD_PATH.unshift "/mspec/lib"
require "mspec"
require "mspec/commands/mspec-run"
Dir.chdir "/spec"
%i[fiber fiber_library encoding].each { |feature| MSpec.enable_feature feature }
def run_one(file)
  formatter = BaseFormatter.new
  formatter.register
  MSpec.register_files [file]
  MSpec.process
  counter = formatter.tally.counter
  told = formatter.exceptions.map { |e| "#{e.description}: #{e.message}"[0, 300] }
  [counter.examples, counter.failures, counter.errors, told]
end
"##;

#[derive(Default)]
struct Tally {
    files: u64,
    examples: i64,
    failures: i64,
    errors: i64,
    /// Files that did not come to their end.
    broken: u64,
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            files_below(&path, found);
        } else if path.to_string_lossy().ends_with("_spec.rb") {
            found.push(path);
        }
    }
}

fn run_file(image: &Ruby, file: &str) -> Result<(i64, i64, i64), String> {
    let options = Options { fuel: Some(40_000_000_000), memory: 512 << 20, output: None, ..Options::full() };
    let mut guest = image.sandbox(options).map_err(|error| error.to_string())?;
    let answer = guest.eval(&format!("run_one({file:?})")).map_err(|error| error.to_string())?;
    let Some(Value::List(numbers)) = &answer.value else {
        return Err(match answer.stop {
            Stop::Raised(error) => error.to_string(),
            stop => format!("{stop:?}"),
        });
    };
    if let Some(Value::List(told)) = numbers.get(3) {
        for line in told.iter().filter_map(Value::as_text) {
            eprintln!("{file}: {line}");
        }
    }
    let number = |index: usize| numbers.get(index).and_then(Value::as_i64).unwrap_or(0);
    Ok((number(0), number(1), number(2)))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [spec, mspec, folders @ ..] = &arguments[..] else {
        return Err("usage: conformance SPEC MSPEC [FOLDER...]".into());
    };
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let cache = std::env::var_os("OUBLIETTE_CACHE")
        .map_or_else(|| PrepareOptions::default_cache(home.as_deref(), None), PathBuf::from)
        .join("ruby");
    let bare = ruby::prepare(&PrepareOptions::new(&cache), &mut |progress| eprintln!("{progress:?}"))?;
    let world = World {
        mounts: vec![
            ("/spec".into(), ruby::read_only(spec.as_ref())?),
            ("/mspec".into(), ruby::read_only(mspec.as_ref())?),
            ("/tmp".into(), Mount::Memory(MemoryFolder::new(16 << 20))),
        ],
        ..World::default()
    };
    let image = bare.with(PRELUDE, world)?;
    let mut files = Vec::new();
    let all = [String::from("language"), String::from("core")];
    for folder in if folders.is_empty() { &all[..] } else { folders } {
        files_below(&Path::new(spec).join(folder), &mut files);
    }
    files.sort();
    let queue = Mutex::new(files.into_iter());
    let tallies: Mutex<BTreeMap<String, Tally>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(path) = { queue.lock().expect("not poisoned").next() } {
                    let inside = path.strip_prefix(spec).unwrap_or(&path).display().to_string();
                    let result = run_file(&image, &format!("/spec/{inside}"));
                    let folder = inside.split('/').take(2).filter(|part| !part.ends_with(".rb")).collect::<Vec<_>>().join("/");
                    let mut tallies = tallies.lock().expect("not poisoned");
                    let tally = tallies.entry(folder).or_default();
                    tally.files += 1;
                    match result {
                        Ok((examples, failures, errors)) => {
                            tally.examples += examples;
                            tally.failures += failures;
                            tally.errors += errors;
                        }
                        Err(why) => {
                            eprintln!("{inside}: did not come to its end: {why}");
                            tally.broken += 1;
                        }
                    }
                }
            });
        }
    });
    println!("| folder | files | examples | failures | errors | files not ended |\n| --- | --- | --- | --- | --- | --- |");
    let tallies = tallies.into_inner()?;
    let mut sum = Tally::default();
    for (folder, tally) in &tallies {
        println!("| {folder} | {} | {} | {} | {} | {} |", tally.files, tally.examples, tally.failures, tally.errors, tally.broken);
        sum.files += tally.files;
        sum.examples += tally.examples;
        sum.failures += tally.failures;
        sum.errors += tally.errors;
        sum.broken += tally.broken;
    }
    println!("| all | {} | {} | {} | {} | {} |", sum.files, sum.examples, sum.failures, sum.errors, sum.broken);
    Ok(())
}
