//! Instructions a second: `speed FILE.elf...` runs each program in the interpreter and compiled, three times, and shows the best.

use std::time::{Duration, Instant};

use cell::{Bound, Cell, Limits, Stop, Task};
use moxie::{Moxie, Options, Tier};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for file in std::env::args().skip(1) {
        let task = Task::program(file.clone(), std::fs::read(&file)?);
        let mut line = format!("{file:40}");
        for tier in [Tier::Interpreter, Tier::Jit] {
            let mut limits = Limits::default().memory(512 << 20);
            (limits.fuel, limits.wall) = (Bound::Unlimited, Bound::Unlimited);
            let mut best = Duration::MAX;
            let mut instructions = 0;
            for _ in 0..3 {
                let mut cell = Cell::new(Moxie::new(Options { tier, ..Options::default() }), limits, None)?;
                let start = Instant::now();
                let outcome = cell.execute(&task)?;
                best = best.min(start.elapsed());
                instructions = outcome.usage.instructions.unwrap_or(0);
                if !matches!(outcome.stop, Stop::Finished(_)) {
                    println!("{file}: {:?}", outcome.stop);
                }
            }
            let rate = instructions as f64 / best.as_secs_f64() / 1e6;
            line += &format!("  {tier:?} {:8.1} ms {rate:6.0} MIPS", best.as_secs_f64() * 1e3);
        }
        println!("{line}");
    }
    Ok(())
}
