//! What it costs to make a cell, run next to nothing in it, and drop it.

use std::time::Instant;

use anyhow::{Context, Result};
use oubliette::{Stop, Task};

use crate::measure::median;

/// A contract of 100 instructions.
const HUNDRED: &[u8] = include_bytes!("../../guest/moxie/fixtures/hundred.elf");
const TURNS: u32 = 2000;

pub(crate) fn measure(rounds: u32) -> Result<()> {
    println!("### Cells\n");
    println!("Medians of {rounds} rounds of {TURNS}, warm, in one thread; a null system call on the same machine beside them.\n");
    println!("| operation | µs |\n| --- | ---: |");
    let system_call = time(rounds, || {
        let _ = nix::unistd::getppid();
        Ok(())
    })?;
    println!("| null system call (`getppid`) | {system_call:.2} |");

    let task = Task::program("hundred.elf", HUNDRED);
    let builder = oubliette::moxie();
    let mut cell = builder.build()?;
    cell.prepare(&task)?;
    let snapshot = cell.snapshot()?;
    let spawned = time(rounds, || {
        let mut cell = snapshot.spawn()?;
        let outcome = cell.resume()?;
        (outcome.stop == Stop::Finished(0)).then_some(()).context("the contract did not finish")
    })?;
    println!("| moxie: spawn from a snapshot, run 100 instructions, collect, drop | {spawned:.2} |");
    let alone = time(rounds, || {
        drop(snapshot.spawn()?);
        Ok(())
    })?;
    println!("| moxie: spawn from a snapshot, drop | {alone:.2} |");
    let loaded = time(rounds, || {
        let outcome = builder.build()?.run(&task)?;
        (outcome.stop == Stop::Finished(0)).then_some(()).context("the contract did not finish")
    })?;
    println!("| moxie: new cell, load the ELF file, run 100 instructions, collect, drop | {loaded:.2} |\n");
    Ok(())
}

/// Microseconds for one turn: the median of rounds.
fn time(rounds: u32, mut turn: impl FnMut() -> Result<()>) -> Result<f64> {
    for _ in 0..TURNS / 10 {
        turn()?;
    }
    let mut samples = Vec::new();
    for _ in 0..rounds.max(3) {
        let start = Instant::now();
        for _ in 0..TURNS {
            turn()?;
        }
        samples.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(TURNS));
    }
    Ok(median(samples))
}
