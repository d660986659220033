//! What tests that need an image share.
//!
//! They look for the image `base` in `$OUBLIETTE_DATA`, else where the command keeps it. Without one they pass with
//! a word, unless `OUBLIETTE_REQUIRE_MACHINE` is set, as it is by `make test`.
#![allow(dead_code, unreachable_pub)]

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use machine::{Command, Config, Error, Exit, Happening, Machine, Output, Pool, Readiness, Template};

/// Long enough for anything that should happen at all, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub fn data() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("OUBLIETTE_DATA")
        .or_else(|| variable("XDG_DATA_HOME").map(|folder| folder.join("oubliette")))
        .or_else(|| variable("HOME").map(|folder| folder.join(".local/share/oubliette")))
        .expect("a home")
}

static TEMPLATE: LazyLock<Option<Arc<Template>>> = LazyLock::new(|| match Template::open(&Config::new(data())) {
    Ok(template) => Some(template),
    Err(error @ Error::NoImage { .. }) if std::env::var_os("OUBLIETTE_REQUIRE_MACHINE").is_none() => {
        eprintln!("skipped: {error}");
        None
    }
    Err(error) => panic!("{error}"),
});

pub fn template() -> Option<Arc<Template>> {
    TEMPLATE.clone()
}

pub fn pool(size: usize) -> Option<Pool> {
    let pool = Pool::new(&template()?, size, Readiness::Ready).expect("a pool");
    assert!(pool.wait_full(Instant::now() + PATIENCE).expect("machines"), "the pool does not fill");
    Some(pool)
}

/// What a command wrote (both streams) and how it ended.
pub fn run(machine: &Machine, command: &Command) -> Result<(String, Exit), Error> {
    let process = machine.start(command)?;
    process.end_input()?;
    let deadline = Instant::now() + PATIENCE;
    let mut text = Vec::new();
    loop {
        match process.next(Some(deadline))? {
            Some(Happening::Output(Output::Out | Output::Err, bytes)) => text.extend(bytes),
            Some(Happening::Exited(exit, _)) => return Ok((String::from_utf8_lossy(&text).into_owned(), exit)),
            None => panic!("{:?} does not end; so far: {}", command.argv, String::from_utf8_lossy(&text)),
        }
    }
}

pub fn shell(machine: &Machine, line: &str) -> String {
    let (text, exit) = run(machine, &Command::shell(line)).expect("the machine lives");
    assert_eq!(exit, Exit::Code(0), "{line}: {text}");
    text
}
