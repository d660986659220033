//! The Sandbox API as Ruby programs use it. Each case is a program of its own in `tests/master/`; it runs in a main Ruby and ends with
//! an exception when an expectation fails.

mod common;

use cell::Stop;
use ruby::{MemoryFolder, Mount, Options};
use std::path::Path;

/// What every case starts with.
const PRELUDE: &str = r#"
class Failed < StandardError; end
def same(expected, found)
  raise Failed, "expected #{expected.inspect}, found #{found.inspect}", caller(1) unless expected == found
end
def truth(found) = (raise Failed, "expected a true value, found #{found.inspect}", caller(1) unless found)
def raises(klass, pattern = //)
  yield
rescue klass => error
  raise Failed, "expected a message like #{pattern.inspect}, found #{error.message.inspect}", caller(1) unless pattern.match?(error.message)
  error
else
  raise Failed, "expected #{klass}, nothing was raised", caller(1)
end
"#;

/// Lays a folder out in memory, with what is below it.
fn put_all(folder: &Path, prefix: &str, files: &mut MemoryFolder) -> Result<(), String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            put_all(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.put(&name, std::fs::read(entry.path()).map_err(|error| error.to_string())?);
        }
    }
    Ok(())
}

fn run(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let mut files = MemoryFolder::new(1 << 20);
    put_all(&path.with_extension(""), "", &mut files)?;
    let mut options = Options { boxes: true, fuel: None, clock: Some(common::clock()), ..Options::full() };
    options.world.mounts.push(("/app".into(), Mount::Memory(files)));
    let mut master = common::ruby().sandbox(options).map_err(|error| error.to_string())?;
    let prepared = master.eval(PRELUDE).map_err(|error| error.to_string())?;
    assert_eq!(prepared.stop, Stop::Finished(0));
    master.eval("Dir.chdir('/app'); $LOAD_PATH.unshift('/app')").map_err(|error| error.to_string())?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let answer = master.program(&text, &name, &[]).map_err(|error| error.to_string())?;
    let expected = path.with_extension("out");
    if let Ok(expected) = std::fs::read(&expected)
        && expected != answer.stdout
    {
        return Err(format!("it printed {:?}", String::from_utf8_lossy(&answer.stdout)));
    }
    match answer.stop {
        Stop::Finished(0) => Ok(()),
        stop => Err(format!("{stop:?}\n{}\n{}", answer.report.unwrap_or_default(), String::from_utf8_lossy(&answer.stderr))),
    }
}

#[test]
fn every_case_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/master");
    let mut cases: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "rb"))
        .collect();
    cases.sort();
    assert!(cases.len() > 5, "the cases are there");
    let only = std::env::var("OUBLIETTE_TEST_CASE").ok();
    let mut failed = 0;
    for case in &cases {
        if only.as_ref().is_some_and(|only| !case.to_string_lossy().contains(only)) {
            continue;
        }
        if let Err(why) = run(case) {
            failed += 1;
            eprintln!("{}: {why}", case.display());
        }
    }
    assert_eq!(failed, 0, "{failed} of {} cases failed", cases.len());
}
