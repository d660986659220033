//! Scripts in our JavaScript engine, in QuickJS (PyPI `quickjs`), in node without its compiler and in mquickjs, interleaved.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::bars::Bars;
use crate::javascript_peer::{Peer, Peers};
use crate::measure::{geometric_mean, median};

/// Scripts with a bar of their own: name, and how many times as fast as QuickJS.
const OWN_BARS: &[(&str, f64)] = &[("01_loop1000", 1.6), ("02_fib15", 1.5), ("20_fib30", 1.5)];

/// Microseconds of one warm evaluation in our engine, the best of many.
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

pub(crate) fn measure(scripts: &Path, peers: &mut Peers, rounds: u32, bars: &mut Bars) -> Result<()> {
    println!("#### Scripts\n");
    println!(
        "One warm evaluation of the whole text, best of many, medians of {rounds} interleaved rounds; × is the peer's time over ours.\n"
    );
    println!("| script | µs | × QuickJS | × node --jitless | × mquickjs |\n| --- | ---: | ---: | ---: | ---: |");
    let mut names: Vec<PathBuf> = std::fs::read_dir(scripts)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    names.retain(|name| name.file_name().is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit()));
    names.sort();
    let mut others = [Vec::new(), Vec::new()];
    let mut worst = (f64::INFINITY, String::new());
    for name in names {
        let source = std::fs::read_to_string(&name)?;
        let (mut own, mut ratios) = (Vec::new(), [Vec::new(), Vec::new(), Vec::new()]);
        for _ in 0..rounds.max(1) {
            let mine = ours(&source).with_context(|| name.display().to_string())?;
            let mquickjs = peers.mquickjs.as_mut();
            let theirs =
                [peers.quickjs.script(&name), peers.node.script(&name), mquickjs.map_or(f64::NAN, |peer: &mut Peer| peer.script(&name))];
            own.push(mine);
            for (all, peer) in ratios.iter_mut().zip(theirs) {
                all.push(peer / mine);
            }
        }
        let [quickjs, node, mquickjs] = ratios.map(median);
        let label = name.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        println!("| {label} | {:.1} | {quickjs:.2} | {node:.2} | {mquickjs:.2} |", median(own));
        if quickjs < worst.0 {
            worst = (quickjs, label.clone());
        }
        match OWN_BARS.iter().find(|(script, _)| *script == label) {
            Some((_, wanted)) => bars.at_least(&format!("{label} × QuickJS"), quickjs, *wanted),
            None => {
                others[0].push(quickjs);
                others[1].push(node);
            }
        }
    }
    let [quickjs, node] = others.map(|ratios| geometric_mean(&ratios));
    println!("| **geometric mean but for loop and recursion** | | **{quickjs:.2}** | **{node:.2}** | |\n");
    bars.at_least("geometric mean of the others × QuickJS", quickjs, 1.3);
    bars.at_least("geometric mean of the others × node --jitless", node, 1.0);
    bars.at_least(&format!("the least of all × QuickJS ({})", worst.1), worst.0, 0.7);
    Ok(())
}
