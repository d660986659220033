//! Builds an image: `cargo run --example image -- FOLDER [SET...]`; with `--agent FILE` behind the folder only renews its agent.

use std::path::PathBuf;

use machine::image::{Image, Options, Progress, build, renew_agent};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("which folder?")?);
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let sets: Vec<String> = arguments.collect();
    if let [flag, agent] = &sets[..]
        && flag == "--agent"
    {
        println!("{:#?}", renew_agent(&Image::open(&folder)?, agent.as_ref())?.manifest().id);
        return Ok(());
    }
    let options = Options { folder, name, sets, add: Vec::new(), agent: None, mirror: None };
    let start = std::time::Instant::now();
    let image = build(&options, &mut |progress| match progress {
        Progress::Step { number, total, title } => {
            println!("[{number}/{total}] {title} (after {} s)", start.elapsed().as_secs());
        }
        Progress::Skipped => println!("    done before"),
        Progress::Line(line) => println!("    {line}"),
    })?;
    println!("{:#?}", image.manifest());
    Ok(())
}
