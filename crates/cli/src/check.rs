//! `oubliette languages --check`: every language of an image says hello and reads its input; the result is a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use machine::catalogue::{Catalogue, Language};
use machine::image::Image;
use machine::{Config, Machines};
use oubliette::{Bound, Guest, Input, Limits, Request, Resources, Stop, Task};

use crate::{files, resources};

/// Where the table begins and ends in the file it is written to; what stands around it is left alone.
const BEGIN: &str = "<!-- table: oubliette languages --check -->";
const END: &str = "<!-- end of table -->";

/// What to check, and where the result goes.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The image to check
    #[arg(long, value_name = "NAME", default_value = "full", requires = "check")]
    image: String,
    /// Multiplies the time that the catalogue gives each language, for busy hosts
    #[arg(long, value_name = "N", default_value_t = 1, requires = "check")]
    patience: u32,
    /// Write the table into this file, between its marks; rows of languages that are not checked now stay
    #[arg(long, value_name = "FILE", requires = "check")]
    write: Option<PathBuf>,
    /// Only those that the file has no good row of yet
    #[arg(long, requires = "write")]
    missing: bool,
    /// Only these
    #[arg(value_name = "LANGUAGE", requires = "check")]
    only: Vec<String>,
}

/// Tries the languages. The exit status is 1 if one failed.
pub(crate) fn check(options: &Options) -> Result<ExitCode> {
    let catalogue = Catalogue::built_in()?;
    let config = Config { image: options.image.clone(), ..Config::new(resources::data()?) };
    let image = Image::open(&config.image_folder())?;
    let only = options.only.iter().map(|name| catalogue.by_name(name).with_context(|| format!("there is no language {name:?}")));
    let only: Vec<&str> = only.map(|language| language.map(|language| language.name.as_str())).collect::<Result<_>>()?;
    let mut rows = options.write.as_deref().map(read_rows).transpose()?.unwrap_or_default();
    let wanted = |language: &&Language| {
        let done = options.missing && rows.get(&language.name).is_some_and(|row| !row.contains("FAILED"));
        language.is_available()
            && image.has_language(&language.name)
            && !done
            && (only.is_empty() || only.contains(&language.name.as_str()))
    };
    let mut wanted: Vec<&Language> = catalogue.languages().iter().filter(wanted).collect();
    // One frozen machine at a time: there is one for every size.
    wanted.sort_by_key(|language| language.memory);
    let mut failures = 0;
    for group in wanted.chunk_by(|a, b| a.memory == b.memory) {
        let machines = Arc::new(Machines::new(config.clone()));
        let resources = Resources { machines: Some(machines), ..Resources::default() };
        for language in group {
            let row = try_language(&resources, language, options.patience);
            failures += usize::from(row.contains("FAILED"));
            eprintln!("{row}");
            rows.insert(language.name.clone(), row);
            if let Some(path) = &options.write {
                write_rows(path, catalogue, &rows)?;
            }
        }
    }
    if options.write.is_none() {
        println!("{}", table(catalogue, &rows));
    }
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One row of the table.
fn try_language(resources: &Resources, language: &Language, patience: u32) -> String {
    let hello = try_program(resources, language, patience, &language.hello, "", &language.says);
    let stdin =
        language.stdin.as_ref().map(|sample| try_program(resources, language, patience, &sample.source, &sample.input, &sample.output));
    let cell = |result: Result<Duration>| match result {
        Ok(time) => format!("{:.1} s", time.as_secs_f64()),
        Err(error) => format!("FAILED: {}", plain(&format!("{error:#}"))),
    };
    let stdin = stdin.map_or_else(|| "has none".to_owned(), cell);
    format!("| {} | {} MiB | {} | {stdin} |", language.name, language.memory, cell(hello))
}

/// What a guest said, fit for a cell of a table.
fn plain(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    text.replace('|', "/")
}

/// Runs one program; how long that took if it printed what it should.
fn try_program(resources: &Resources, language: &Language, patience: u32, source: &str, input: &str, output: &str) -> Result<Duration> {
    let program = Input::new(language.source_name(), source.trim_start_matches('\n').as_bytes());
    let inputs = vec![Input::new("stdin", input.as_bytes())];
    let wall = Duration::from_secs(language.time) * patience;
    let request = Request {
        task: Task { programs: vec![program], inputs, state: None },
        limits: Limits { wall: Bound::At(wall), ..Limits::default() },
        offers: Default::default(),
        guest: Guest::Machine { language: Some(language.name.clone()), arguments: Vec::new() },
    };
    let start = Instant::now();
    let outcome = request.open(resources)?.run()?;
    let out = String::from_utf8_lossy(&outcome.stdout);
    if outcome.stop != Stop::Finished(0) {
        let err = String::from_utf8_lossy(&outcome.stderr);
        bail!("{:?}, {:?} {:?}", outcome.stop, out.trim(), err.trim());
    }
    if out.trim() != output {
        bail!("it printed {:?}, not {output:?}", out.trim());
    }
    Ok(start.elapsed())
}

/// The rows of a file's table, by language.
fn read_rows(path: &Path) -> Result<BTreeMap<String, String>> {
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let text = files::read(path)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let Some((_, inner, _)) = split(&text) else { return Ok(BTreeMap::new()) };
    let rows = inner.lines().filter(|line| line.contains(" MiB |"));
    Ok(rows.filter_map(|row| Some((row.split('|').nth(1)?.trim().to_owned(), row.to_owned()))).collect())
}

/// What stands before, between and behind the marks.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (inner, after) = rest.split_once(END)?;
    Some((before, inner, after))
}

fn write_rows(path: &Path, catalogue: &Catalogue, rows: &BTreeMap<String, String>) -> Result<()> {
    let text = if path.exists() { String::from_utf8_lossy(&files::read(path)?).into_owned() } else { String::new() };
    let (before, _, after) = split(&text).unwrap_or(("# Languages of machine cells\n\n", "", "\n"));
    files::replace(path, format!("{before}{BEGIN}\n\n{}\n{END}{after}", table(catalogue, rows)).as_bytes())
}

/// The table in the catalogue's order, with its counts, and what is not in it with the reason.
fn table(catalogue: &Catalogue, rows: &BTreeMap<String, String>) -> String {
    let available: Vec<&Language> = catalogue.languages().iter().filter(|language| language.is_available()).collect();
    let checked: Vec<&String> = available.iter().filter_map(|language| rows.get(&language.name)).collect();
    let failed = checked.iter().filter(|row| row.contains("FAILED")).count();
    let mut text = format!(
        "{} languages can be had; {} were run, {} of them do what they should, {failed} do not.\n\n\
         | language | machine | hello world | reads its input |\n| --- | ---: | ---: | ---: |\n",
        available.len(),
        checked.len(),
        checked.len() - failed
    );
    for row in &checked {
        let _ = writeln!(text, "{row}");
    }
    let unchecked: Vec<&str> =
        available.iter().filter(|l| l.archive.is_empty() && !rows.contains_key(&l.name)).map(|l| l.name.as_str()).collect();
    if !unchecked.is_empty() {
        let _ = write!(text, "\nNot run yet: {}.\n", unchecked.join(", "));
    }
    let downloads: Vec<&str> = available.iter().filter(|l| !l.archive.is_empty()).map(|l| l.name.as_str()).collect();
    let _ = write!(text, "\nFrom an archive that you download (`oubliette image build --add`): {}.\n", downloads.join(", "));
    let _ = write!(text, "\n| not to be had | why |\n| --- | --- |\n");
    for language in catalogue.languages().iter().filter(|language| !language.is_available()) {
        let _ = writeln!(text, "| {} | {} |", language.name, language.refused);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_kept_and_what_surrounds_the_table_too() {
        let catalogue = Catalogue::built_in().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("languages.md");
        std::fs::write(&path, format!("before\n{BEGIN}\n{END}\nafter\n")).unwrap();
        let row = "| C | 256 MiB | 1.0 s | FAILED: x |".to_owned();
        let rows = BTreeMap::from([("C".to_owned(), row.clone())]);
        write_rows(&path, catalogue, &rows).unwrap();
        assert_eq!(read_rows(&path).unwrap(), rows);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("before\n") && text.ends_with("\nafter\n"), "{text}");
        assert!(text.contains("1 were run, 0 of them do what they should, 1 do not"), "{text}");
        assert!(plain("a|b\n\u{1b}[0m").chars().all(|c| !c.is_control() && c != '|'));
    }
}
