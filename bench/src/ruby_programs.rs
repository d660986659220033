//! Boxes of Ruby beside the `ruby` command and mruby: what a box costs, and programs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ruby::{HostObject, Options, PrepareOptions, Ruby};

use crate::measure::{geometric_mean, median};

/// How often a program runs in one turn; the best counts.
const RUNS: u32 = 4;
/// Boxes that are idle at once.
const IDLE: usize = 1000;

/// Times of single turns, in microseconds.
fn times(turns: u32, mut turn: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
    (0..turns)
        .map(|_| {
            let start = Instant::now();
            turn()?;
            Ok(micros(start.elapsed()))
        })
        .collect()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// This process's share of the memory it uses, in KiB: a page that many boxes map is counted once.
fn share() -> u64 {
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

/// Measures and prints; Ruby is prepared in `cache` if it is not there yet.
pub(crate) fn measure(cache: &Path, scripts: &Path, rounds: u32) -> Result<()> {
    ruby::prepare(&PrepareOptions::new(cache), &mut |progress| eprintln!("preparing Ruby once: {}", progress.what))?;
    println!("### Ruby\n");
    boxes(cache, rounds)?;
    programs(&ruby::load(cache)?.context("Ruby was prepared, and is not there")?, scripts, rounds)
}

fn row(what: &str, values: &[f64], unit: f64, aim: &str) {
    println!("| {what} | {:.2} | {:.2} | {aim} |", least(values) / unit, median(values.to_vec()) / unit);
}

/// What a box costs.
fn boxes(cache: &Path, rounds: u32) -> Result<()> {
    println!("One thread, {rounds} rounds.\n\n| operation | least | median | aim |\n| --- | ---: | ---: | ---: |");
    let load = times(rounds.max(5), || ruby::load(cache)?.map(drop).context("no image"))?;
    row("load the prepared image, its MAC checked: ms", &load, 1e3, "50");
    let image = ruby::load(cache)?.context("no image")?;
    drop(image.sandbox(Options::safe())?.eval("1")?);

    let (mut made, mut first, mut full) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..100 * rounds {
        let start = Instant::now();
        let mut guest = image.sandbox(Options::safe())?;
        made.push(micros(start.elapsed()));
        let start = Instant::now();
        guest.eval("1+1")?;
        first.push(micros(start.elapsed()));
        let mut guest = image.sandbox(Options::full())?;
        let start = Instant::now();
        guest.eval("1+1")?;
        full.push(micros(start.elapsed()));
    }
    row("make a box: µs", &made, 1.0, "100");
    row("its first eval, of `1+1`, its memory mapped in it: µs", &first, 1.0, "500");
    row("the same in a box that shows all of Ruby: µs", &full, 1.0, "500");

    let mut guest = image.sandbox(Options::safe())?;
    let warm = times(2000 * rounds, || guest.eval("1+1").map(drop).context("no answer"))?;
    row("`eval(\"1+1\")`, warm: µs", &warm, 1.0, "30");
    let fuel = guest.eval("1+1")?.usage.fuel;
    let mut number = 0;
    let fresh = times(500 * rounds, || {
        number += 1;
        guest.eval(&format!("{number}+1")).map(drop).context("no answer")
    })?;
    row("the same of sources not seen before: µs", &fresh, 1.0, "");
    guest.offer("Echo", Arc::new(Mutex::new(Echo)))?;
    guest.eval("def many(n) = (i = 0; (Echo.call(i); i += 1) while i < n)")?;
    let calls = times(10 * rounds, || guest.eval("many(1000)").map(drop).context("no answer"))?;
    row("a call through the hatch and back, of 1,000: µs", &calls, 1e3, "5");
    let call_fuel = guest.eval("many(1000)")?.usage.fuel / 1000;

    // All are kept to the end: room that earlier ones gave back would not count as growth.
    let mut kept = Vec::new();
    for (what, options) in [("safe", Options::safe as fn() -> Options), ("full", Options::full)] {
        let before = share();
        for _ in 0..IDLE {
            let mut guest = image.sandbox(options())?;
            guest.eval("x = 1")?;
            kept.push(guest);
        }
        let grown = (share() - before) >> 10;
        println!("| {IDLE} idle boxes ({what}), an eval each: MiB | {grown} | | 600 |");
    }
    let processes = times(rounds.max(5), || Command::new("ruby").args(["-e", "nil"]).output().map(drop).context("there is no ruby"));
    if let Ok(processes) = processes {
        row("beside it, a process `ruby -e nil`: ms", &processes, 1e3, "");
    }
    println!("\nFuel of the warm eval {fuel}, of a call through the hatch {call_fuel}.\n");
    Ok(())
}

/// Seconds that a command takes for one evaluation of a program, the best of some; nothing where there is no such command or it cannot.
fn command(name: &str, source: &str) -> Option<f64> {
    let script = format!(
        "best = 1e9\n{RUNS}.times do\n  start = Time.now\n{source}\n  time = Time.now - start\n  best = time if time < best\nend\nputs best\n"
    );
    let folder = tempfile::tempdir().ok()?;
    let file = folder.path().join("program.rb");
    std::fs::write(&file, script).ok()?;
    let output = Command::new(name).arg(&file).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// Programs, in turns with the peers.
fn programs(image: &Ruby, scripts: &Path, rounds: u32) -> Result<()> {
    println!("| program | box ms | ruby ms | ratio | mruby ms | fuel |\n| --- | ---: | ---: | ---: | ---: | ---: |");
    let mut ratios = Vec::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(scripts)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    for path in files {
        let source = std::fs::read_to_string(&path)?;
        let mut guest = image.sandbox(Options::safe())?;
        let mut fuel = 0;
        let (mut ours, mut native, mut small, mut both) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds.max(1) {
            let mine = times(RUNS, || {
                let answer = guest.eval(&source)?;
                fuel = answer.usage.fuel;
                anyhow::ensure!(answer.stop == cell::Stop::Finished(0), "{}: {:?}", path.display(), answer.stop);
                Ok(())
            })?;
            let mine = least(&mine) / 1e3;
            ours.push(mine);
            if let Some(peer) = command("ruby", &source) {
                native.push(peer * 1e3);
                both.push(mine / (peer * 1e3));
            }
            small.extend(command("mruby", &source).map(|seconds| seconds * 1e3));
        }
        let show = |values: Vec<f64>| if values.is_empty() { "-".to_owned() } else { format!("{:.2}", median(values)) };
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !both.is_empty() {
            ratios.push(median(both.clone()));
        }
        println!("| {name} | {} | {} | {} | {} | {fuel} |", show(ours), show(native), show(both), show(small));
    }
    println!("| **geometric mean** | | | **{:.2}** | | |\n", geometric_mean(&ratios));
    Ok(())
}
