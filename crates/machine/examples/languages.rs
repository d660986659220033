//! Runs every language of an image (its hello world, its stdin test) and writes a table:
//! `cargo run --release --example languages -- DATA IMAGE FACTOR [LANGUAGE...]`.
//! FACTOR multiplies the time that the catalogue gives each, for busy machines.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cell::{Cell, Engine, Limits, Stop, Task};
use machine::catalogue::{Catalogue, Language};
use machine::{Config, MachineEngine, Source, Template};

/// Runs one program; `Ok` if it printed what it should.
fn check(source: &Arc<dyn Source>, language: &Language, factor: u64, text: &str, input: &str, output: &str) -> Result<f64, String> {
    let task = Task::program(language.source_name(), text.trim_start_matches('\n').as_bytes()).input("stdin", input.as_bytes());
    let limits = Limits { wall: cell::Bound::Unlimited, memory: cell::Bound::At(language.memory << 20), ..Limits::default() };
    let engine = MachineEngine::new(Arc::clone(source)).language(language.name.clone());
    let mut cell = Cell::new(engine, limits, None).map_err(|error| error.to_string())?;
    let handle = cell.interrupt_handle();
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let time = Duration::from_secs(language.time * factor);
    let timer = std::thread::spawn(move || {
        if wait.recv_timeout(time).is_err() {
            handle.interrupt();
        }
    });
    let start = Instant::now();
    let outcome = cell.execute(&task).map_err(|error| error.to_string());
    // The timer may have gone off already.
    let _ = done.send(());
    drop(timer.join());
    let outcome = outcome?;
    let out = String::from_utf8_lossy(&outcome.stdout).trim().to_owned();
    if outcome.stop == Stop::Finished(0) && out.contains(output.trim()) {
        return Ok(start.elapsed().as_secs_f64());
    }
    let error = String::from_utf8_lossy(&outcome.stderr).chars().take(300).collect::<String>();
    Err(format!("{:?}: {:?} {:?}", outcome.stop, out.chars().take(200).collect::<String>(), error))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let data = arguments.next().ok_or("which data folder?")?;
    let image = arguments.next().ok_or("which image?")?;
    let factor: u64 = arguments.next().map_or(Ok(1), |n| n.parse())?;
    let only: Vec<String> = arguments.collect();
    let catalogue = Catalogue::built_in()?;
    let mut good = 0;
    let mut bad = 0;
    println!("| language | memory | hello | stdin |\n| --- | --- | --- | --- |");
    for memory in [256, 512, 1024, 2048] {
        let languages = catalogue.languages().iter().filter(|l| l.is_available() && l.memory == memory);
        let mut config = Config::new(&data);
        config.image.clone_from(&image);
        config.memory = memory << 20;
        let mut template = None;
        for language in languages {
            if !only.is_empty() && !only.iter().any(|name| catalogue.by_name(name).is_some_and(|l| l.name == language.name)) {
                continue;
            }
            let template: &Arc<Template> = match &template {
                Some(template) => template,
                None => template.insert(Template::open(&config)?),
            };
            if !template.image().has_language(&language.name) {
                continue;
            }
            let source: Arc<dyn Source> = Arc::new(Arc::clone(template));
            let mut cells = vec![check(&source, language, factor, &language.hello, "", "Hello, world!")];
            if let Some(sample) = &language.stdin {
                cells.push(check(&source, language, factor, &sample.source, &sample.input, &sample.output));
            }
            let fine = cells.iter().all(Result::is_ok);
            *(if fine { &mut good } else { &mut bad }) += 1;
            let text: Vec<String> = cells
                .iter()
                .map(|result| match result {
                    Ok(seconds) => format!("{seconds:.2} s"),
                    Err(error) => format!("FAILED {}", error.replace('|', "/").replace('\n', " ")),
                })
                .collect();
            println!("| {} | {memory} MiB | {} |", language.name, text.join(" | "));
        }
    }
    println!("\n{good} work, {bad} do not; {:?}", MachineEngine::keeps().engine);
    Ok(())
}
