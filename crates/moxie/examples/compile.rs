//! What the compiler does with a program: `compile FILE.elf [CODE]` runs it compiled and shows how much was, then compiles all of its text again
//! and again for the speed of that; with `CODE` the host code is
//! written there; with `-` it is left at the run.

use std::time::Instant;

use cell::{Bound, Cell, Engine, Limits, Task};
use moxie::jit::Compiler;
use moxie::{Executable, Moxie, Options, Tier};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("usage: compile FILE.elf [CODE]")?;
    let bytes = std::fs::read(&file)?;
    let task = Task::program(file.clone(), bytes.clone());
    let mut limits = Limits::default().memory(512 << 20);
    (limits.fuel, limits.wall) = (Bound::Unlimited, Bound::Unlimited);
    let mut cell = Cell::new(Moxie::new(Options { tier: Tier::Jit, ..Options::default() }), limits, None)?;
    let start = Instant::now();
    let outcome = cell.execute(&task)?;
    let ran = start.elapsed();
    let all = outcome.usage.instructions.unwrap_or(0);
    let compiled = cell.engine().compiled_instructions();
    println!(
        "{file}: {:?}, {all} instructions in {:.1} ms, {:.4} % of them compiled, entered {} times",
        outcome.stop,
        ran.as_secs_f64() * 1e3,
        compiled as f64 / all as f64 * 100.0,
        cell.engine().compiled_entries()
    );

    let code = arguments.next();
    if code.as_deref() == Some("-") {
        return Ok(());
    }
    let executable = Executable::parse(&bytes)?;
    let mut engine = Moxie::new(Options { tier: Tier::Interpreter, ..Options::default() });
    engine.prepare(&task)?;
    let Some(machine) = engine.machine_mut() else { return Ok(()) };
    let mut compiler = Compiler::new(64 << 20)?;
    let mut best = f64::MAX;
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
        let time = start.elapsed().as_secs_f64();
        let bytes = compiler.compiled() - before;
        best = best.min(time / bytes as f64);
    }
    println!(
        "compiling: {:.1} MB of guest code a second, {:.2} bytes of host code for one",
        1e-6 / best,
        compiler.code_size() as f64 / (compiler.compiled() as f64 / 20.0)
    );
    if let Some(to) = code {
        std::fs::write(to, compiler.code())?;
    }
    Ok(())
}
