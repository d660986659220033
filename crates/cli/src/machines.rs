//! `oubliette image` and `oubliette languages`: what machine cells are made of.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use machine::catalogue::Catalogue;
use machine::image::{self, Options, Progress};

use crate::resources;

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
        /// An archive of a language that you downloaded
        #[arg(long, value_name = "ARCHIVE")]
        add: Vec<PathBuf>,
        /// Another mirror of Debian
        #[arg(long, value_name = "URL")]
        mirror: Option<String>,
    },
}

/// Makes an image, saying what is being done.
pub(crate) fn image(command: &ImageCommand) -> Result<ExitCode> {
    let ImageCommand::Build { name, sets, add, mirror } = command;
    let options = Options {
        folder: resources::data()?.join("images").join(name),
        name: name.clone(),
        sets: sets.clone(),
        add: add.clone(),
        agent: None,
        mirror: mirror.clone(),
    };
    let image = image::build(&options, &mut |progress| match progress {
        Progress::Step { number, total, title } => eprintln!("[{number}/{total}] {title}"),
        Progress::Skipped => eprintln!("    was done before"),
        Progress::Line(_) => {}
    });
    image.map_err(|error| anyhow::anyhow!("{error}"))?;
    println!("the image is in {}; try: oubliette run hello.c", options.folder.display());
    Ok(ExitCode::SUCCESS)
}

/// Lists the languages of machine cells.
pub(crate) fn languages() -> Result<ExitCode> {
    let catalogue = Catalogue::built_in().map_err(|error| anyhow::anyhow!("{error}"))?;
    for language in catalogue.languages() {
        let state = if language.is_available() { language.set.as_str() } else { "not to be had" };
        println!("{:<24} {:<14} {}", language.name, state, language.extensions.join(" "));
    }
    Ok(ExitCode::SUCCESS)
}
