//! The same C as a Moxie contract and for this machine (`gcc -O2`).

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use indicatif::ProgressBar;

use crate::measure::{geometric_mean, median, run};

const PROGRAMS: [&str; 8] = ["sha256", "sieve", "matmul", "qsort", "fannkuch", "mandelbrot", "mix", "lua_fib"];
const ENGINES: [&str; 2] = ["jit", "interpreter"];

pub(crate) fn measure(oubliette: &Path, native: &Path, programs: &Path, rounds: u32) -> Result<()> {
    println!("### Moxie programs against native code (`gcc -O2`)\n");
    println!("Processor time of whole processes, medians of {rounds} interleaved rounds; ratios are medians of the rounds' ratios.\n");
    println!("| program | instructions | native s | jit s | jit × native | interpreter s | interpreter × native | jit MIPS |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let bar = ProgressBar::new(PROGRAMS.len() as u64 * u64::from(rounds));
    let mut ratios = [Vec::new(), Vec::new()];
    for program in PROGRAMS {
        let elf = programs.join(program).with_extension("elf");
        let (mut native_times, mut times, mut round_ratios) = (Vec::new(), [Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for _ in 0..rounds {
            let expected = run(&mut Command::new(native.join(program)))?;
            native_times.push(expected.cpu.as_secs_f64());
            for (at, engine) in ENGINES.iter().enumerate() {
                let mut command = Command::new(oubliette);
                command.args(["run", "--fuel", "none", "--timeout", "none", "--engine", engine]).arg(&elf);
                let ours = run(&mut command)?;
                if ours.stdout != expected.stdout {
                    bail!("{program} in the {engine} prints something else than natively");
                }
                times[at].push(ours.cpu.as_secs_f64());
                round_ratios[at].push(ours.cpu.as_secs_f64() / expected.cpu.as_secs_f64());
            }
            bar.inc(1);
        }
        let json = run(Command::new(oubliette).args(["run", "--json", "--fuel", "none", "--timeout", "none"]).arg(&elf))?;
        let instructions = field(&String::from_utf8_lossy(&json.stdout), "instructions").unwrap_or(0.0);
        let [jit, interpreter] = times.map(median);
        let both = round_ratios.map(median);
        println!(
            "| {program} | {:.0} M | {:.3} | {jit:.3} | {:.1} | {interpreter:.2} | {:.1} | {:.0} |",
            instructions / 1e6,
            median(native_times),
            both[0],
            both[1],
            instructions / jit / 1e6
        );
        for (all, ratio) in ratios.iter_mut().zip(both) {
            all.push(ratio);
        }
    }
    bar.finish_and_clear();
    println!("| **geometric mean** | | | | **{:.2}** | | **{:.1}** | |\n", geometric_mean(&ratios[0]), geometric_mean(&ratios[1]));
    Ok(())
}

/// A number of the outcome's JSON.
fn field(json: &str, name: &str) -> Option<f64> {
    let rest = json.split(&format!("\"{name}\":")).nth(1)?;
    rest.split([',', '}']).next()?.trim().parse().ok()
}
