//! `oubliette image` and `oubliette languages`: what machine cells are made of.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use machine::catalogue::{Catalogue, Language};
use machine::image::{self, Image, Options, Progress};
use oubliette::{Guest, Request};

use crate::display::{self, Display};
use crate::{check, resources};

/// `oubliette image`
#[derive(Subcommand, Debug)]
pub(crate) enum ImageCommand {
    /// Make the image that machines start from, out of Debian's packages; an interrupted build goes on
    Build {
        /// Its name
        #[arg(long, default_value = "base")]
        name: String,
        /// Sets of languages, or single ones, besides the base; `full` is all
        #[arg(value_name = "SET|LANGUAGE")]
        sets: Vec<String>,
        /// An archive of a language that you downloaded (see `oubliette languages`)
        #[arg(long, value_name = "ARCHIVE")]
        add: Vec<PathBuf>,
        /// Another mirror of Debian
        #[arg(long, value_name = "URL")]
        mirror: Option<String>,
        /// Show all that the tools say
        #[arg(long)]
        verbose: bool,
    },
}

/// `oubliette languages`
#[derive(Args, Debug)]
pub(crate) struct LanguagesArgs {
    /// Run every language's hello world and its test of standard input, and print a table
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    options: check::Options,
}

/// Makes an image, saying what is being done.
pub(crate) fn image(command: &ImageCommand) -> Result<ExitCode> {
    let ImageCommand::Build { name, sets, add, mirror, verbose } = command;
    let options = Options {
        folder: resources::data()?.join("images").join(name),
        name: name.clone(),
        sets: sets.clone(),
        add: add.clone(),
        agent: None,
        mirror: mirror.clone(),
    };
    build(&options, *verbose)?;
    println!("the image {name:?} is in {}; try: oubliette run hello.c", options.folder.display());
    Ok(ExitCode::SUCCESS)
}

fn build(options: &Options, verbose: bool) -> Result<()> {
    let missing = image::missing_packages();
    if !missing.is_empty() {
        bail!("an image is made with tools that are missing here: apt install {}", missing.join(" "));
    }
    for archive in &options.add {
        if !archive.is_file() {
            bail!("there is no archive `{}`", archive.display());
        }
    }
    let step = Arc::new(Mutex::new((String::new(), String::new())));
    let display = std::io::stderr().is_terminal().then(|| {
        let step = Arc::clone(&step);
        Display::start(Duration::ZERO, move |elapsed| {
            let (title, line) = &*step.lock().unwrap_or_else(PoisonError::into_inner);
            format!("{title} ({}) {line}", display::clock(elapsed))
        })
    });
    let set_line = |line: &str| line.clone_into(&mut step.lock().unwrap_or_else(PoisonError::into_inner).1);
    let result = image::build(options, &mut |progress| match (progress, &display) {
        (Progress::Step { number, total, title }, Some(_)) => {
            *step.lock().unwrap_or_else(PoisonError::into_inner) = (format!("[{number}/{total}] {title}"), String::new());
        }
        (Progress::Step { number, total, title }, None) => eprintln!("[{number}/{total}] {title}"),
        (Progress::Skipped, Some(_)) => set_line("was done before"),
        (Progress::Skipped, None) => eprintln!("    was done before"),
        (Progress::Line(line), Some(display)) if verbose => display.say(line),
        (Progress::Line(line), Some(_)) => set_line(line),
        (Progress::Line(line), None) if verbose => eprintln!("    {line}"),
        (Progress::Line(_), None) => {}
    });
    drop(display);
    Ok(result.map(drop)?)
}

/// Sees to it that there is any image for a program: it runs in whichever has its language. The first one is made with it.
pub(crate) fn ensure_any_image(request: &Request) -> Result<()> {
    if !Image::installed(&resources::data()?).is_empty() {
        return Ok(());
    }
    let catalogue = Catalogue::built_in()?;
    let language = match &request.guest {
        Guest::Machine { language: Some(name), .. } => catalogue.by_name(name),
        _ => request.task.programs.last().and_then(|program| catalogue.by_file(&program.name)),
    };
    match language {
        // No image would help; the run says why.
        Some(language) if !language.is_available() => Ok(()),
        Some(language) if language.set != "base" && language.archive.is_empty() => ensure_image("base", Some(language)),
        _ => ensure_image("base", None),
    }
}

/// Sees to it that there is an image: explains what is missing, and makes it if a person says so, with a language more than the usual ones.
pub(crate) fn ensure_image(name: &str, more: Option<&Language>) -> Result<()> {
    let folder = resources::data()?.join("images").join(name);
    let Err(error) = Image::open(&folder) else { return Ok(()) };
    if name != "base" {
        bail!("{error} --name {name} full");
    }
    let sets: Vec<String> = more.iter().map(|language| language.name.to_lowercase()).collect();
    let command = sets.iter().fold("oubliette image build".to_owned(), |command, set| format!("{command} '{set}'"));
    let and = more.map_or_else(String::new, |language| format!(", and {} with what it needs", language.name));
    let mut text = format!(
        "machines, each a small Linux of its own, start from an image that is not there yet ({}).\n\
         `{command}` makes it once from Debian's packages, in a few minutes: half a gigabyte with C, C++, Python,\n\
         Lua, Perl and shells{and}. `oubliette image build haskell java` adds languages, `oubliette image build full` all of them.",
        folder.display()
    );
    let missing = image::missing_packages();
    if !missing.is_empty() {
        text += &format!("\nIt needs some tools first: apt install {}", missing.join(" "));
        bail!("{text}");
    }
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        bail!("{text}");
    }
    eprint!("{text}\nMake it now? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if !matches!(answer.trim(), "y" | "Y" | "yes") {
        bail!("there is no image, so nothing was run");
    }
    let options = Options { folder, name: name.to_owned(), sets, add: Vec::new(), agent: None, mirror: None };
    build(&options, false)
}

/// Lists the languages of machine cells, or tries them.
pub(crate) fn languages(args: &LanguagesArgs) -> Result<ExitCode> {
    if args.check {
        return check::check(&args.options);
    }
    let mut out = std::io::stdout().lock();
    for language in Catalogue::built_in()?.languages() {
        let state = match (language.is_available(), language.archive.is_empty()) {
            (false, _) => "not to be had",
            (true, false) => "your download",
            (true, true) => language.set.as_str(),
        };
        let line = format!("{:<24} {state:<14} {}", language.name, language.extensions.join(" "));
        // Whoever reads only the first lines is no failure.
        if writeln!(out, "{}", line.trim_end()).is_err() {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}
