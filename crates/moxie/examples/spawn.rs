//! What it costs to copy a frozen cell, run it, collect and drop it: `spawn FILE.elf [ROUNDS]`.

use std::time::Instant;

use cell::{Bound, Cell, Limits, Stop, Task};
use memory::Pool;
use moxie::Moxie;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("usage: spawn FILE.elf [ROUNDS]")?;
    let rounds: u32 = arguments.next().map_or(Ok(20_000), |rounds| rounds.parse())?;
    let limits = Limits { wall: Bound::Unlimited, ..Limits::default() };
    let task = Task::program(file.clone(), std::fs::read(&file)?);

    let mut prepared = Cell::new(Moxie::default(), limits, None)?;
    prepared.prepare(&task)?;
    let snapshot = prepared.snapshot()?;
    let mut best = [f64::MAX; 3];
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..rounds {
            let outcome = snapshot.spawn(None)?.run()?;
            assert!(matches!(outcome.stop, Stop::Finished(_)), "{:?}", outcome.stop);
        }
        best[0] = best[0].min(start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds));

        let start = Instant::now();
        for _ in 0..rounds / 10 {
            Cell::new(Moxie::default(), limits, None)?.execute(&task)?;
        }
        best[1] = best[1].min(start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds / 10));

        let pool = Pool::new(256 << 10, 100)?;
        let image = vec![1; 16 << 10];
        let start = Instant::now();
        for _ in 0..rounds {
            drop(std::hint::black_box(pool.take_with_image(16 << 10, &image)?));
        }
        best[2] = best[2].min(start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds));
    }
    println!("spawn, run, collect, drop: {:.2} us; prepare and run: {:.2} us; a slot with 16 KiB: {:.2} us", best[0], best[1], best[2]);
    Ok(())
}
