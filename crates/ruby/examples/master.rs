//! Runs a Ruby file as a main Ruby, in which `Sandbox` makes boxes: `cargo run -p oubliette-ruby --example master -- FILE`.

use ruby::{Options, PrepareOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("usage: master FILE")?;
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let cache = std::env::var_os("OUBLIETTE_CACHE")
        .map_or_else(|| PrepareOptions::default_cache(home.as_deref(), None), PathBuf::from)
        .join("ruby");
    let ruby = ruby::prepare(&PrepareOptions::new(cache), &mut |progress| eprintln!("{}", progress.what))?;
    let mut options = Options { boxes: true, ..Options::full() };
    let folder = Path::new(&file).parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    options.world.mounts.push(("/app".into(), ruby::read_only(folder)?));
    let mut master = ruby.sandbox(options)?;
    master.eval("$LOAD_PATH.unshift('/app')")?;
    let answer = master.program(&std::fs::read_to_string(&file)?, &file, &[])?;
    std::io::stdout().write_all(&answer.stdout)?;
    std::io::stderr().write_all(&answer.stderr)?;
    match answer.stop {
        cell::Stop::Finished(code) => std::process::exit(code),
        stop => {
            eprintln!("{}", answer.report.unwrap_or_else(|| format!("{stop:?}")));
            std::process::exit(120)
        }
    }
}
