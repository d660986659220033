//! Us and our peers, side by side, interleaved in one run; the result is a table in Markdown.
//!
//! Speed is reported as ratios: machines of one kind differ by a factor of two among themselves, and one machine by that much from hour to hour.
#![forbid(unsafe_code)]

mod bars;
mod cells;
mod command;
mod javascript_cells;
mod javascript_peer;
mod javascript_programs;
mod javascript_reading;
mod machine;
mod machine_peers;
mod measure;
mod moxie_programs;
mod ruby_programs;

use std::path::PathBuf;

use clap::Parser;

use crate::bars::Bars;
use crate::javascript_peer::Peers;
use crate::machine::Part;

/// Measures Oubliette beside its peers and prints a table
#[derive(Parser, Debug)]
struct Args {
    /// What to measure; everything when nothing is named
    #[arg(value_parser = ["moxie", "javascript", "cells", "ruby", "command", "machine", "machine-clones", "machine-programs", "machine-memory"])]
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
    /// The driver of mquickjs, built from bench/javascript/peer.c
    #[arg(long)]
    mquickjs: Option<PathBuf>,
    /// JavaScript bundles to read
    #[arg(long)]
    bundles: Vec<PathBuf>,
    /// The Ruby programs
    #[arg(long, default_value = "bench/ruby")]
    ruby_programs: PathBuf,
    /// The cache folder with Ruby's images
    #[arg(long, env = "OUBLIETTE_CACHE")]
    cache: Option<PathBuf>,
    /// The data folder with the machine image
    #[arg(long, env = "OUBLIETTE_DATA")]
    data: Option<PathBuf>,
}

/// The JavaScript cell beside its peers, and a table of its bars.
fn javascript(args: &Args) -> anyhow::Result<()> {
    println!("### JavaScript\n");
    let mut bars = Bars::default();
    let mut peers = Peers::start(&args.scripts, &args.python, &args.node, args.mquickjs.as_deref())?;
    javascript_cells::measure(&mut peers, args.rounds, &mut bars)?;
    javascript_programs::measure(&args.scripts, &mut peers, args.rounds, &mut bars)?;
    javascript_reading::measure(&args.scripts, &args.bundles, args.rounds, &mut bars)?;
    let start = command::against_nothing(&args.oubliette, &["eval", "1+1"], args.rounds)?;
    bars.at_most("`oubliette eval '1+1'` ÷ `/bin/true`", start.ratio, 3.0);
    println!("#### Bars\n");
    bars.print();
    Ok(())
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let wanted = |part: &str| args.parts.is_empty() || args.parts.iter().any(|wanted| wanted == part);
    if wanted("moxie") {
        moxie_programs::measure(&args.oubliette, &args.native, &args.programs, args.rounds)?;
    }
    if wanted("javascript") {
        javascript(&args)?;
    }
    if wanted("cells") {
        cells::measure(args.rounds)?;
    }
    if wanted("ruby") {
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let usual = || ruby::PrepareOptions::default_cache(variable("HOME").as_deref(), variable("XDG_CACHE_HOME").as_deref());
        ruby_programs::measure(&args.cache.clone().unwrap_or_else(usual).join("ruby"), &args.ruby_programs, args.rounds)?;
    }
    if wanted("command") {
        command::measure(&args.oubliette, args.rounds)?;
    }
    let machines = [("machine-clones", Part::Clones), ("machine-programs", Part::Programs), ("machine-memory", Part::Memory)];
    let machines: Vec<Part> = machines.into_iter().filter(|&(name, _)| wanted("machine") || wanted(name)).map(|(_, part)| part).collect();
    if !machines.is_empty() {
        match args.data.or_else(oubliette::data_folder) {
            Some(data) => machine::measure(&machines, &args.oubliette, &data, args.rounds)?,
            None => eprintln!("machines are not measured: there is no data folder"),
        }
    }
    Ok(())
}
