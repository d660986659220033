//! JavaScript cells: what it costs to make, enter and keep them, beside mquickjs.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cell::{Cell, Limits, Task};
use javascript::JavaScript;

use crate::bars::Bars;
use crate::javascript_peer::Peers;
use crate::measure::{median, percentile, resident};

/// Cells alive at once.
const LIVING: usize = 10_000;
/// Steps of one turn; the first half of them warms up.
const STEPS: usize = 40_000;
/// Expressions of a turn, and how many of them are made at a time: what a host has just made is still at hand.
const TINY: usize = 1000;
const AT_A_TIME: usize = 50;
/// Cap of the small cells, in bytes.
const CAP: u64 = 1 << 20;
/// Fills a cell's memory as far as its cap allows.
const FILL: &str = "var kept = []; try { for (;;) kept.push(new Array(64).fill(kept.length)) } catch (e) {} kept.length";

/// What a measurement goes through: the engine's cell with a driver, as mquickjs is measured, and the same behind the front door, with
/// its wall clock.
trait Runs {
    fn make() -> Result<Self>
    where
        Self: Sized;
    /// Runs a program that must end well.
    fn run(&mut self, task: &Task) -> Result<()>;
}

impl Runs for Cell<JavaScript> {
    fn make() -> Result<Self> {
        Ok(Cell::new(JavaScript::new(CAP)?, Limits::default(), None)?)
    }

    fn run(&mut self, task: &Task) -> Result<()> {
        ensure!(self.execute(task)?.is_success(), "the expression failed");
        Ok(())
    }
}

impl Runs for oubliette::Cell<JavaScript> {
    fn make() -> Result<Self> {
        Ok(oubliette::javascript().memory(CAP).build()?)
    }

    fn run(&mut self, task: &Task) -> Result<()> {
        self.prepare(task)?;
        ensure!(self.resume()?.is_success(), "the expression failed");
        Ok(())
    }
}

/// Expressions that nobody has seen before.
struct Fresh(u32);

impl Fresh {
    fn task(&mut self) -> Task {
        self.0 += 1;
        Task::program("eval.js", format!("{}+1", self.0).into_bytes())
    }
}

/// Microseconds of one warm evaluation of an expression never seen before.
fn tiny<C: Runs>(fresh: &mut Fresh) -> Result<f64> {
    let mut cell = C::make()?;
    let mut times = Vec::new();
    for _ in 0..64 {
        let mut time = Duration::ZERO;
        for _ in 0..TINY / AT_A_TIME {
            let tasks: Vec<Task> = (0..AT_A_TIME).map(|_| fresh.task()).collect();
            let start = Instant::now();
            for task in &tasks {
                cell.run(task)?;
            }
            time += start.elapsed();
        }
        times.push(time.as_secs_f64() * 1e6 / TINY as f64);
    }
    Ok(median(times))
}

/// With many cells alive: drop the oldest, make one, evaluate an expression never seen before. Median and 99th percentile in µs.
fn living<C: Runs>(fresh: &mut Fresh) -> Result<(f64, f64)> {
    let made = |fresh: &mut Fresh| -> Result<C> {
        let mut cell = C::make()?;
        cell.run(&fresh.task())?;
        Ok(cell)
    };
    let mut alive: VecDeque<C> = (0..LIVING).map(|_| made(fresh)).collect::<Result<_>>()?;
    let mut times = Vec::with_capacity(STEPS);
    for _ in 0..STEPS {
        let start = Instant::now();
        drop(alive.pop_front());
        alive.push_back(made(fresh)?);
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    let times = times.split_off(STEPS / 2);
    Ok((percentile(times.clone(), 0.5), percentile(times, 0.99)))
}

pub(crate) fn measure(peers: &mut Peers, rounds: u32, bars: &mut Bars) -> Result<()> {
    println!("#### Cells\n");
    println!("Medians of {rounds} interleaved rounds, one thread, no code cache; µs. The front door adds a wall clock to each run.\n");
    println!("| operation | engine and driver | front door | mquickjs |\n| --- | ---: | ---: | ---: |");
    memory(bars)?;
    let mut fresh = Fresh(0);
    let mut rows = [const { [const { Vec::new() }; 3] }; 3];
    let mut ratios = [const { Vec::new() }; 3];
    for _ in 0..rounds.max(1) {
        let mut ask = |question: &str| peers.mquickjs.as_mut().map(|peer| peer.ask(question)).unwrap_or_default();
        let number = |answer: &[f64], i: usize| answer.get(i).copied().unwrap_or(f64::NAN);
        let own = tiny::<Cell<JavaScript>>(&mut fresh)?;
        let peer = number(&ask(&format!("tiny {TINY}")), 0);
        let door = tiny::<oubliette::Cell<JavaScript>>(&mut fresh)?;
        let (half, most) = living::<Cell<JavaScript>>(&mut fresh)?;
        let answer = ask(&format!("living {LIVING} {STEPS}"));
        let (door_half, door_most) = living::<oubliette::Cell<JavaScript>>(&mut fresh)?;
        let lines = [[own, door, peer], [half, door_half, number(&answer, 0)], [most, door_most, number(&answer, 1)]];
        for ((row, ratio), line) in rows.iter_mut().zip(&mut ratios).zip(lines) {
            row.iter_mut().zip(line).for_each(|(all, figure)| all.push(figure));
            ratio.push(line[0] / line[2]);
        }
    }
    let living = format!("{LIVING} alive: drop the oldest, make one, evaluate");
    let names = ["warm evaluation of a fresh `n+1`", &format!("{living}, median"), &format!("{living}, 99th percentile")];
    for (name, row) in names.iter().zip(rows) {
        let [own, door, peer] = row.map(median);
        println!("| {name} | {own:.2} | {door:.2} | {peer:.2} |");
    }
    println!();
    let [tiny, half, most] = ratios.map(median);
    bars.at_most("warm evaluation ÷ mquickjs", tiny, 1.0);
    bars.at_most("step among 10,000 ÷ mquickjs, median", half, 2.0);
    bars.at_most("step among 10,000 ÷ mquickjs, 99th percentile", most, 6.0);
    Ok(())
}

/// Resident memory, before anything else has grown the process.
fn memory(bars: &mut Bars) -> Result<()> {
    const KIB: f64 = 1024.0;
    const MIB: f64 = 1024.0 * KIB;
    let mut fresh = Fresh(0);
    let mut first = <oubliette::Cell<JavaScript>>::make()?;
    first.run(fresh.task())?;
    let before = resident().context("there is no /proc/self/statm")?;
    let mut idle = Vec::with_capacity(LIVING);
    for _ in 0..LIVING {
        let mut cell = <oubliette::Cell<JavaScript>>::make()?;
        cell.run(fresh.task())?;
        idle.push(cell);
    }
    let all = resident().context("there is no /proc/self/statm")?;
    bars.at_most("idle cell that has run, resident KiB", (all - before) / LIVING as f64 / KIB, 32.0);
    bars.at_most("process with 10,000 idle cells, resident MiB", all / MIB, 512.0);
    drop(idle);
    let before = resident().context("there is no /proc/self/statm")?;
    let mut full = Vec::new();
    for _ in 0..100 {
        let mut cell = <oubliette::Cell<JavaScript>>::make()?;
        cell.run(Task::program("fill.js", FILL.as_bytes().to_vec()))?;
        full.push(cell);
    }
    let grown = resident().context("there is no /proc/self/statm")? - before;
    // What the idle ones left in their slots counts as nothing here; the slots themselves are used again.
    bars.at_most("100 cells full to their cap of 1 MiB, resident MiB", grown / MIB, 150.0);
    Ok(())
}
