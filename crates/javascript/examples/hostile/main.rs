//! Runs hostile programs and damaged snapshots for a given time: `hostile [SECONDS [FIRST_SEED [FOLDER]]]`.
//!
//! Even seeds are source: made from the grammar, or taken from the `.js` files of the folder (a checkout of test262, say) and
//! damaged. Odd seeds are snapshots of such programs, stopped anywhere, with bytes changed. Ends with the first seed that
//! breaks a promise. `hostile 0 SEED [FOLDER]` runs one seed and shows its text. With `SEEDS` in the environment each seed is written to
//! standard error before it is run: the last one is the one that takes too long, or too much.

mod check;
mod generator;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use generator::{Choices as _, Random};

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|end| end == "js") {
            files.push(path);
        }
    }
}

fn read(files: &[PathBuf], random: &mut Random) -> String {
    if files.is_empty() || random.below(3) == 0 {
        return generator::grammar(random);
    }
    let text = std::fs::read(&files[random.below(files.len() as u32) as usize]).unwrap_or_default();
    String::from_utf8_lossy(&text[..text.len().min(20_000)]).into_owned()
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let seconds: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(10);
    let first: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut files = Vec::new();
    if let Some(folder) = arguments.next() {
        walk(Path::new(&folder), &mut files);
    }
    let tells = std::env::var_os("SEEDS").is_some();
    std::panic::set_hook(Box::new(|_| {}));
    let started = Instant::now();
    let (mut source, mut snapshot) = (check::Ends::default(), check::Ends::default());
    let mut slowest = (Duration::ZERO, 0);
    let mut seed = first;
    loop {
        let mut random = Random::new(seed);
        let (text, other) = (read(&files, &mut random), read(&files, &mut random));
        let text = if random.below(4) == 0 { text.into_bytes() } else { generator::damage(&mut random, &text, &other) };
        if seconds == 0 {
            println!("{}", String::from_utf8_lossy(&text));
        }
        let one = Instant::now();
        if tells {
            eprintln!("{seed}");
        }
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            if seed.is_multiple_of(2) {
                let memory = u64::from([96u32, 256, 1024, 4096][random.below(4) as usize]) << 10;
                let slice = [1, 7, 101, 1009][random.below(4) as usize];
                check::source(&text, memory, 300_000, slice, &mut source)
            } else {
                check::snapshot(&text, &mut random, &mut snapshot)
            }
        }));
        let result = result.unwrap_or_else(|cause| {
            let text = cause.downcast_ref::<String>().cloned().or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("panic: {}", text.unwrap_or_default()))
        });
        if let Err(what) = result {
            println!("seed {seed}: {what}");
            return ExitCode::FAILURE;
        }
        slowest = slowest.max((one.elapsed(), seed));
        seed += 1;
        if started.elapsed() >= Duration::from_secs(seconds) {
            break;
        }
    }
    println!(
        "{} cases from seed {first} in {} s; slowest {} ms (seed {})\nsource {source:?}\nsnapshots {snapshot:?}",
        seed - first,
        started.elapsed().as_secs(),
        slowest.0.as_millis(),
        slowest.1
    );
    ExitCode::SUCCESS
}
