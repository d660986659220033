//! Scripts in our JavaScript engine, in QuickJS (PyPI `quickjs`) and in node without its compiler, interleaved.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::measure::{geometric_mean, median};

/// A peer: a process that is given names of scripts and answers with times.
struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {command:?}"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else { bail!("no pipes to {command:?}") };
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    /// Microseconds of one warm evaluation, the best of many; `None` if the peer fails.
    fn time(&mut self, script: &Path) -> Option<f64> {
        writeln!(self.input, "{}", script.display()).ok()?;
        self.input.flush().ok()?;
        let mut line = String::new();
        self.output.read_line(&mut line).ok()?;
        line.split(' ').next()?.parse().ok()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The same in our engine.
fn ours(source: &str) -> Result<f64> {
    let mut cell = javascript::Evaluator::new(256 << 20)?;
    let mut meter = cell::Meter::new(None);
    let (mut best, mut count, begin) = (f64::INFINITY, 0, Instant::now());
    while count < 2 || begin.elapsed().as_millis() < 300 {
        let start = Instant::now();
        if let Err(error) = cell.eval(source, &mut meter) {
            bail!("{error}");
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6);
        count += 1;
    }
    Ok(best)
}

pub(crate) fn measure(scripts: &Path, python: &Path, node: &Path, rounds: u32) -> Result<()> {
    println!("### JavaScript\n");
    println!(
        "One warm evaluation of the whole text, best of many, medians of {rounds} interleaved rounds; speed is the peer's time over ours.\n"
    );
    println!(
        "| script | ours µs | QuickJS µs | speed × QuickJS | node --jitless µs | speed × node |\n| --- | ---: | ---: | ---: | ---: | ---: |"
    );
    let mut quickjs = Peer::start(Command::new(python).arg(scripts.join("peer.py")))?;
    let mut node = Peer::start(Command::new(node).arg("--jitless").arg(scripts.join("peer.js")))?;
    let mut names: Vec<PathBuf> = std::fs::read_dir(scripts)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    names.retain(|name| name.file_name().is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit()));
    names.sort();
    let mut ratios = [Vec::new(), Vec::new()];
    for name in names {
        let source = std::fs::read_to_string(&name)?;
        let (mut own, mut first, mut second, mut both) = (Vec::new(), Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
        for _ in 0..rounds.max(1) {
            let mine = ours(&source).with_context(|| name.display().to_string())?;
            let peers = [quickjs.time(&name), node.time(&name)].map(|time| time.unwrap_or(f64::NAN));
            own.push(mine);
            first.push(peers[0]);
            second.push(peers[1]);
            for (all, peer) in both.iter_mut().zip(peers) {
                all.push(peer / mine);
            }
        }
        let [x, y] = both.map(median);
        let label = name.file_stem().unwrap_or_default().to_string_lossy();
        println!("| {label} | {:.1} | {:.1} | {x:.2} | {:.1} | {y:.2} |", median(own), median(first), median(second));
        ratios[0].push(x);
        ratios[1].push(y);
    }
    println!("| **geometric mean** | | | **{:.2}** | | **{:.2}** |\n", geometric_mean(&ratios[0]), geometric_mean(&ratios[1]));
    Ok(())
}
