//! How fast boxes are, beside the `ruby` command if there is one: `cargo run --release -p oubliette-ruby --example speed [cache folder]`.

use ruby::{HostObject, Options, PrepareOptions};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The least time of `rounds` rounds.
fn least(rounds: u32, mut work: impl FnMut()) -> Duration {
    (0..rounds)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .min()
        .unwrap_or_default()
}

/// This process's share of the memory it uses: a page that many boxes map is counted once.
fn share_kib() -> u64 {
    let sums = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = sums.lines().find(|line| line.starts_with("Pss:"));
    line.and_then(|line| line.split_whitespace().nth(1)).and_then(|word| word.parse().ok()).unwrap_or(0)
}

struct Echo;

impl HostObject for Echo {
    fn class(&self) -> &str {
        "Echo"
    }

    fn call(&mut self, _method: &str, mut arguments: Vec<cell::Value>) -> Result<cell::Value, cell::GuestError> {
        Ok(arguments.pop().unwrap_or_default())
    }
}

/// Seconds that a command takes for one evaluation of a program, the least of some; nothing where there is no such command or it cannot.
fn command(name: &str, source: &str) -> Option<f64> {
    let script = format!(
        "best = 1e9\n{ROUNDS}.times do\n  start = Time.now\n{source}\n  time = Time.now - start\n  best = time if time < best\nend\nputs best\n"
    );
    let file = std::env::temp_dir().join(format!("oubliette-speed-{}.rb", std::process::id()));
    std::fs::write(&file, script).ok()?;
    let output = Command::new(name).arg(&file).output();
    std::fs::remove_file(&file).ok()?;
    String::from_utf8(output.ok().filter(|output| output.status.success())?.stdout).ok()?.trim().parse().ok()
}

/// How often a program runs on each side in turn, and how many turns there are.
const ROUNDS: u32 = 4;
const TURNS: u32 = 3;

fn shorter(best: Option<f64>, time: Option<f64>) -> Option<f64> {
    best.map_or(time, |best| Some(time.map_or(best, |time| time.min(best))))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cache = std::env::args_os().nth(1).map_or_else(
        || PrepareOptions::default_cache(std::env::var_os("HOME").map(PathBuf::from).as_deref(), None).join("ruby"),
        PathBuf::from,
    );
    ruby::prepare(&PrepareOptions::new(&cache), &mut |progress| eprintln!("{progress:?}"))?;
    let start = Instant::now();
    let image = ruby::load(&cache)?.ok_or("no image")?;
    println!("load the prepared image, its MAC checked  {:>10.1?}", start.elapsed());

    let mut kept = Vec::new();
    println!("make a box (its memory is mapped when used) {:>10.1?}", least(100, || kept.push(image.sandbox(Options::safe()).unwrap())));
    drop(kept);
    let first = (0..100).map(|_| {
        let mut guest = image.sandbox(Options::safe()).unwrap();
        least(1, || drop(guest.eval("1+1").unwrap()))
    });
    println!("its first eval                           {:>10.1?}", first.min().unwrap_or_default());
    let mut guest = image.sandbox(Options::safe())?;
    println!("eval(\"1+1\"), warm                        {:>10.1?}", least(2000, || drop(guest.eval("1+1").unwrap())));
    guest.offer("Echo", Arc::new(Mutex::new(Echo)))?;
    guest.eval("def many(n) = (i = 0; (Echo.call(i); i += 1) while i < n)")?;
    let calls = least(20, || drop(guest.eval("many(1000)").unwrap())) / 1000;
    println!("a call through the hatch and back        {calls:>10.1?}");
    let before = share_kib();
    let mut boxes = Vec::new();
    for _ in 0..1000 {
        let mut guest = image.sandbox(Options::safe())?;
        guest.eval("x = 1")?;
        boxes.push(guest);
    }
    println!("1,000 idle boxes                         {:>7} MiB", (share_kib() - before) >> 10);
    drop(boxes);

    let nothing = (0..5).filter_map(|_| {
        let start = Instant::now();
        Command::new("ruby").args(["-e", "nil"]).output().ok().map(|_| start.elapsed())
    });
    println!("a process with `ruby -e nil`             {:>10.1?}", nothing.min().unwrap_or_default());

    println!("\n| program | box ms | ruby ms | ratio | mruby ms | fuel |\n| --- | ---: | ---: | ---: | ---: | ---: |");
    let (mut product, mut count) = (1.0f64, 0);
    let mut programs: Vec<_> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/speed"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    programs.sort();
    for path in programs {
        let source = std::fs::read_to_string(&path)?;
        let mut guest = image.sandbox(Options::safe())?;
        let (mut fuel, mut ours, mut native, mut small) = (0, f64::MAX, None, None);
        for _ in 0..TURNS {
            ours = ours.min(least(ROUNDS, || fuel = guest.eval(&source).unwrap().usage.fuel).as_secs_f64());
            native = shorter(native, command("ruby", &source));
            small = shorter(small, command("mruby", &source));
        }
        if let Some(native) = native {
            product *= ours / native;
            count += 1;
        }
        let show = |seconds: Option<f64>| seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{:.2}", seconds * 1e3));
        let ratio = native.map_or_else(|| "-".to_owned(), |native| format!("{:.2}", ours / native));
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        println!("| {name} | {:.2} | {} | {ratio} | {} | {fuel} |", ours * 1e3, show(native), show(small));
    }
    if count > 0 {
        println!("\ngeometric mean of the ratios to ruby: {:.2}", product.powf(1.0 / f64::from(count)));
    }
    Ok(())
}
