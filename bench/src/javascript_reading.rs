//! Reading source: our parser, early errors and scopes included, beside `oxc_parser` without its semantic pass.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use javascript::syntax::{Goal, Options, Parser, Unlimited};
use oxc_allocator::Allocator;
use oxc_span::SourceType;

use crate::bars::Bars;
use crate::measure::median;

/// Microseconds of one turn, the best of a while.
fn best(mut turn: impl FnMut() -> Result<()>) -> Result<f64> {
    let (mut best, mut count, begin) = (f64::INFINITY, 0, Instant::now());
    while count < 3 || begin.elapsed().as_millis() < 100 {
        let start = Instant::now();
        // Small texts many times, so that the clock does not count.
        let turns = if best < 20.0 { 100 } else { 1 };
        for _ in 0..turns {
            turn()?;
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / f64::from(turns));
        count += 1;
    }
    Ok(best)
}

/// Our own texts: small, middling, large.
fn texts(scripts: &Path) -> Result<Vec<(String, String)>> {
    let richards = std::fs::read_to_string(scripts.join("21_richards.js"))?;
    let function = "function area(w, h) { return w * h + (w > h ? 1 : 0); }".to_owned();
    let mut blocks = String::new();
    for name in ["24_regex", "28_nbody", "30_dict", "33_strmeth"] {
        let text = std::fs::read_to_string(scripts.join(format!("{name}.js")))?;
        blocks.push_str(&format!("{{\n{text}\n}}\n"));
    }
    let middle = richards;
    let large = (0..).map(|i| format!("var part{i} = {};\n", middle.trim().trim_end_matches(';')));
    let mut hundred = String::new();
    for part in large {
        if hundred.len() >= 100_000 {
            break;
        }
        hundred.push_str(&part);
    }
    Ok(vec![
        ("1+1".into(), "1+1".into()),
        ("a function".into(), function),
        ("four scripts".into(), blocks),
        ("Richards".into(), middle),
        ("100 KB".into(), hundred),
    ])
}

pub(crate) fn measure(scripts: &Path, bundles: &[PathBuf], rounds: u32, bars: &mut Bars) -> Result<()> {
    println!("#### Reading source\n");
    println!(
        "Best of many, medians of {rounds} interleaved rounds; ours finds every early error and resolves names, oxc_parser does not. Both keep \
         their memory from text to text; cold: both begin with none.\n"
    );
    println!("| text | bytes | ours µs | oxc_parser µs | oxc ÷ ours | cold |\n| --- | ---: | ---: | ---: | ---: | ---: |");
    let mut all = texts(scripts)?;
    for path in bundles {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        all.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), text));
    }
    for (name, text) in all {
        let (mut parser, mut allocator) = (Parser::new(), Allocator::default());
        let mut figures = [const { Vec::new() }; 4];
        for _ in 0..rounds.max(1) {
            let own = best(|| {
                let read = parser.parse(text.as_bytes(), Goal::Script, &Options::default(), &mut Unlimited);
                read.map_err(|fault| anyhow::anyhow!("{name}: {fault:?}"))
            })?;
            let peer = best(|| {
                let parsed = oxc_parser::Parser::new(&allocator, &text, SourceType::cjs()).parse();
                ensure!(parsed.diagnostics.is_empty(), "oxc_parser refuses {name}");
                drop(parsed);
                allocator.reset();
                Ok(())
            })?;
            let cold_own = best(|| {
                let read = Parser::new().parse(text.as_bytes(), Goal::Script, &Options::default(), &mut Unlimited);
                read.map_err(|fault| anyhow::anyhow!("{name}: {fault:?}"))
            })?;
            let cold_peer = best(|| {
                let allocator = Allocator::default();
                let parsed = oxc_parser::Parser::new(&allocator, &text, SourceType::cjs()).parse();
                ensure!(parsed.diagnostics.is_empty(), "oxc_parser refuses {name}");
                Ok(())
            })?;
            figures[0].push(own);
            figures[1].push(peer);
            figures[2].push(peer / own);
            figures[3].push(cold_peer / cold_own);
        }
        let [own, peer, ratio, cold] = figures.map(median);
        println!("| {name} | {} | {own:.2} | {peer:.2} | {ratio:.2} | {cold:.2} |", text.len());
        bars.at_least(&format!("reading {name}, × oxc_parser"), ratio, 1.0);
    }
    println!();
    Ok(())
}
