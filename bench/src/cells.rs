//! What it costs to make a cell, run next to nothing in it, and drop it.

use std::time::Instant;

use anyhow::{Context, Result};
use cell::Engine;
use memory::Pool;
use moxie::jit::Compiler;
use moxie::{Executable, Moxie, Options, Tier};
use oubliette::{Stop, Task};

use crate::measure::median;

/// A contract of 100 instructions.
const HUNDRED: &[u8] = include_bytes!("../../guest/moxie/fixtures/hundred.elf");
const TURNS: u32 = 2000;
/// The text that the compiler is timed with.
const LUA: &[u8] = include_bytes!("../../guest/moxie/fixtures/lua.elf");
/// Bytes of an image that is copied.
const SMALL: usize = 16 << 10;
/// Bytes that are read through to empty the caches: more than any of them holds for one core.
const SWEEP: usize = 256 << 20;
/// Bytes of an image that is mapped rather than copied.
const LARGE: usize = 32 << 20;

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
    let alone_cold = cold(rounds, || {
        drop(snapshot.spawn()?);
        Ok(())
    })?;
    println!("| the same, with nothing of it in the caches | {alone_cold:.2} |");
    let loaded = time(rounds, || {
        let outcome = builder.build()?.run(&task)?;
        (outcome.stop == Stop::Finished(0)).then_some(()).context("the contract did not finish")
    })?;
    println!("| moxie: new cell, load the ELF file, run 100 instructions, collect, drop | {loaded:.2} |");

    let pool = Pool::new(256 << 10, 64)?;
    let small = vec![1; SMALL];
    let mut slot = || Ok(drop(std::hint::black_box(pool.take_with_image(SMALL, &small)?)));
    println!("| memory: take a pooled slot with an image of {} KiB, give it back | {:.2} |", SMALL >> 10, time(rounds, &mut slot)?);
    println!("| the same, with nothing of it in the caches | {:.2} |", cold(rounds, &mut slot)?);

    let task = task.input("large", vec![7; LARGE]);
    let mut cell = oubliette::moxie().memory(2 * LARGE as u64).build()?;
    cell.prepare(&task)?;
    let snapshot = cell.snapshot()?;
    let large = time(rounds, || {
        drop(snapshot.spawn()?);
        Ok(())
    })?;
    println!("| moxie: spawn from a snapshot of {} MiB, drop | {large:.2} |\n", LARGE >> 20);
    println!("The compiler reads {:.1} MB of guest code a second (the text of the Lua interpreter, best of 20).\n", compile_speed()?);
    Ok(())
}

/// Megabytes of guest code that are compiled in a second.
fn compile_speed() -> Result<f64> {
    let executable = Executable::parse(LUA)?;
    let mut engine = Moxie::new(Options { tier: Tier::Interpreter, ..Options::default() });
    engine.prepare(&Task::program("lua.elf", LUA))?;
    let machine = engine.machine_mut().context("nothing was laid out")?;
    let mut compiler = Compiler::new(64 << 20)?;
    let mut best = 0.0f64;
    for _ in 0..20 {
        compiler.reset();
        let before = compiler.compiled();
        let start = Instant::now();
        for segment in executable.segments.iter().filter(|segment| !segment.writable) {
            let mut at = segment.address;
            while at < segment.address + segment.length {
                at = compiler.compile_from(&mut machine.space, at).unwrap_or(at.wrapping_add(2));
            }
        }
        best = best.max((compiler.compiled() - before) as f64 / 1e6 / start.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// Microseconds for one turn that finds the caches full of something else: the median of all of them.
fn cold(rounds: u32, mut turn: impl FnMut() -> Result<()>) -> Result<f64> {
    let other = vec![1u8; SWEEP];
    let mut samples = Vec::new();
    for _ in 0..rounds.max(3) * 8 {
        std::hint::black_box(other.iter().step_by(64).fold(0u8, |sum, byte| sum.wrapping_add(*byte)));
        let start = Instant::now();
        turn()?;
        samples.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok(median(samples))
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
