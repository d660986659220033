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
/// Slots that are used in turn: together larger than the caches.
const SLOTS: usize = 16_384;
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
    let loaded = time(rounds, || {
        let outcome = builder.build()?.run(&task)?;
        (outcome.stop == Stop::Finished(0)).then_some(()).context("the contract did not finish")
    })?;
    println!("| moxie: new cell, load the ELF file, run 100 instructions, collect, drop | {loaded:.2} |");

    let (warm, cold) = slots(rounds)?;
    println!("| memory: take a pooled slot with an image of {} KiB, give it back | {warm:.2} |", SMALL >> 10);
    println!("| the same, the slot being one of {SLOTS} that are used in turn | {cold:.2} |");

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

/// Microseconds to take a slot and give it back: the slot used last, and one that no cache has any more.
fn slots(rounds: u32) -> Result<(f64, f64)> {
    let pool = Pool::new(SMALL, SLOTS)?;
    let image = vec![1; SMALL];
    let warm = time(rounds, || {
        drop(std::hint::black_box(pool.take_with_image(SMALL, &image)?));
        Ok(())
    })?;
    let mut held = Vec::with_capacity(SLOTS);
    let mut samples = Vec::new();
    for round in 0..=rounds.max(3) {
        let start = Instant::now();
        for _ in 0..SLOTS {
            held.push(pool.take_with_image(SMALL, &image)?);
        }
        held.clear();
        // The first time each slot is used for the first time.
        if round > 0 {
            samples.push(start.elapsed().as_secs_f64() * 1e6 / SLOTS as f64);
        }
    }
    Ok((warm, median(samples)))
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
