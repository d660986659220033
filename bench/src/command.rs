//! What the whole command costs for next to nothing, beside a process that does nothing.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::measure::{median, run};

const TURNS: u32 = 40;

/// Wall times of interleaved runs, in ms.
pub(crate) struct Start {
    nothing: f64,
    ours: f64,
    /// Ours over a process that does nothing.
    pub(crate) ratio: f64,
}

/// Times the command with these arguments beside `/bin/true`.
pub(crate) fn against_nothing(oubliette: &Path, arguments: &[&str], rounds: u32) -> Result<Start> {
    let (mut nothing, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds * TURNS {
        let peer = run(&mut Command::new("/bin/true"))?.wall.as_secs_f64() * 1e3;
        let mine = run(Command::new(oubliette).args(arguments))?.wall.as_secs_f64() * 1e3;
        nothing.push(peer);
        ours.push(mine);
        ratios.push(mine / peer);
    }
    Ok(Start { nothing: median(nothing), ours: median(ours), ratio: median(ratios) })
}

pub(crate) fn measure(oubliette: &Path, rounds: u32) -> Result<()> {
    println!("### The command as a whole process\n");
    println!("Wall time in ms, medians of {} interleaved runs.\n", rounds * TURNS);
    println!("| command | ms | × `/bin/true` |\n| --- | ---: | ---: |");
    let commands: [&[&str]; 2] = [&["run", "guest/moxie/fixtures/hello.elf"], &["eval", "1+1"]];
    for (i, arguments) in commands.into_iter().enumerate() {
        let start = against_nothing(oubliette, arguments, rounds)?;
        if i == 0 {
            println!("| `/bin/true` | {:.2} | 1 |", start.nothing);
        }
        println!("| `oubliette {}` | {:.2} | {:.2} |", arguments.join(" "), start.ours, start.ratio);
    }
    println!();
    Ok(())
}
