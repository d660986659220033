//! Evaluates files or `-e text`, each in one cell; `--time` measures the best of many evaluations.

use std::time::Instant;

fn main() {
    #[cfg(feature = "live-library")]
    {
        let _ = javascript::LIVE
            .set(|name| std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/library").join(name)).ok());
    }
    let mut arguments = std::env::args().skip(1).peekable();
    let mut time = false;
    let mut cell = javascript::Evaluator::new(256 << 20).expect("room for a cell");
    while let Some(argument) = arguments.next() {
        if argument == "--time" {
            time = true;
            continue;
        }
        let (name, source) = if argument == "-e" {
            ("-e".to_owned(), arguments.next().unwrap_or_default())
        } else {
            (argument.clone(), std::fs::read_to_string(&argument).expect("a file"))
        };
        let mut meter = cell::Meter::new(None);
        let result = cell.eval(&source, &mut meter);
        print!("{}", cell.output());
        match result {
            Ok(text) => println!("{text}   [fuel {} memory {}]", meter.used(), cell.used()),
            Err(text) => println!("error: {text}"),
        }
        if time {
            let mut best = f64::MAX;
            let start = Instant::now();
            while start.elapsed().as_secs_f64() < 0.7 {
                let one = Instant::now();
                let _ = cell.eval(&source, &mut meter);
                best = best.min(one.elapsed().as_secs_f64());
            }
            println!("{name}: {:.3} us", best * 1e6);
        }
    }
}
