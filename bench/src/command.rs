//! What the whole command costs for next to nothing, beside a process that does nothing.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::measure::{median, run};

const TURNS: u32 = 40;

pub(crate) fn measure(oubliette: &Path, rounds: u32) -> Result<()> {
    println!("### The command as a whole process\n");
    println!("Wall time in ms, medians of {} interleaved runs.\n", rounds * TURNS);
    println!("| command | ms | × `/bin/true` |\n| --- | ---: | ---: |");
    let hello = ["run", "guest/moxie/fixtures/hello.elf"];
    let (mut nothing, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds * TURNS {
        let peer = run(&mut Command::new("/bin/true"))?.wall.as_secs_f64() * 1e3;
        let mine = run(Command::new(oubliette).args(hello))?.wall.as_secs_f64() * 1e3;
        nothing.push(peer);
        ours.push(mine);
        ratios.push(mine / peer);
    }
    println!("| `/bin/true` | {:.2} | 1 |", median(nothing));
    println!("| `oubliette {}` | {:.2} | {:.2} |\n", hello.join(" "), median(ours), median(ratios));
    Ok(())
}
