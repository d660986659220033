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

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
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

/// Seconds that native Ruby takes for one evaluation of a program, the least of several.
fn native(path: &Path) -> Option<f64> {
    let script = "code = File.read(ARGV[0]); best = 1e9; 12.times { t = Process.clock_gettime(Process::CLOCK_MONOTONIC); \
                  eval(code); d = Process.clock_gettime(Process::CLOCK_MONOTONIC) - t; best = d if d < best }; puts best";
    let output = Command::new("ruby").args(["--disable=gems", "-e", script]).arg(path).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
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
    println!("make a box                               {:>10.1?}", least(100, || kept.push(image.sandbox(Options::safe()).unwrap())));
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
    let before = resident_kib();
    let mut boxes = Vec::new();
    for _ in 0..1000 {
        let mut guest = image.sandbox(Options::safe())?;
        guest.eval("x = 1")?;
        boxes.push(guest);
    }
    println!("1,000 idle boxes                         {:>7} MiB", (resident_kib() - before) >> 10);
    drop(boxes);

    println!("\n{:12} {:>10} {:>10} {:>6} {:>14}", "program", "box", "ruby", "ratio", "fuel");
    let mut product = 1.0f64;
    let mut count = 0;
    let mut programs: Vec<_> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/speed"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    programs.sort();
    for path in programs {
        let source = std::fs::read_to_string(&path)?;
        let mut guest = image.sandbox(Options::safe())?;
        let mut fuel = 0;
        let ours = least(12, || fuel = guest.eval(&source).unwrap().usage.fuel).as_secs_f64();
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match native(&path) {
            Some(theirs) => {
                product *= ours / theirs;
                count += 1;
                println!("{name:12} {:>8.2}ms {:>8.2}ms {:>6.2} {fuel:>14}", ours * 1e3, theirs * 1e3, ours / theirs);
            }
            None => println!("{name:12} {:>8.2}ms {:>10} {:>6} {fuel:>14}", ours * 1e3, "-", "-"),
        }
    }
    if count > 0 {
        println!("geometric mean of the ratios: {:.2}", product.powf(1.0 / f64::from(count)));
    }
    Ok(())
}
