//! Us and our peers, side by side, interleaved in one run; the result is a table in Markdown.
//!
//! Speed is reported as ratios: machines of one kind differ by a factor of two among themselves, and one machine by that much from hour to hour.
#![forbid(unsafe_code)]

mod cells;
mod command;
mod javascript_programs;
mod machine;
mod measure;
mod moxie_programs;

use std::path::PathBuf;

use clap::Parser;

/// Measures Oubliette beside its peers and prints a table
#[derive(Parser, Debug)]
struct Args {
    /// What to measure; everything when nothing is named
    #[arg(value_parser = ["moxie", "javascript", "cells", "command", "machine"])]
    parts: Vec<String>,
    /// How often each program is run on each side
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// The command to measure
    #[arg(long, default_value = "target/release/oubliette")]
    oubliette: PathBuf,
    /// Where `make -C guest/moxie native` put the native programs
    #[arg(long, default_value = "guest/moxie/build/native")]
    native: PathBuf,
    /// Where the same programs lie as Moxie ELF files
    #[arg(long, default_value = "guest/moxie/bench")]
    programs: PathBuf,
    /// The JavaScript scripts and what drives the peers
    #[arg(long, default_value = "bench/javascript")]
    scripts: PathBuf,
    /// A Python that has the package `quickjs`
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// A node
    #[arg(long, default_value = "node")]
    node: PathBuf,
    /// The data folder with the machine image
    #[arg(long, env = "OUBLIETTE_DATA")]
    data: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let wanted = |part: &str| args.parts.is_empty() || args.parts.iter().any(|wanted| wanted == part);
    if wanted("moxie") {
        moxie_programs::measure(&args.oubliette, &args.native, &args.programs, args.rounds)?;
    }
    if wanted("javascript") {
        javascript_programs::measure(&args.scripts, &args.python, &args.node, args.rounds)?;
    }
    if wanted("cells") {
        cells::measure(args.rounds)?;
    }
    if wanted("command") {
        command::measure(&args.oubliette, args.rounds)?;
    }
    if wanted("machine") {
        let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share/oubliette"));
        match args.data.or(home) {
            Some(data) => machine::measure(&args.oubliette, &data, args.rounds)?,
            None => eprintln!("machines are not measured: there is no data folder"),
        }
    }
    Ok(())
}
