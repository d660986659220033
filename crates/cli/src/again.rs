//! `oubliette replay` and `oubliette verify`: runs that were made before, made again.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use oubliette::{Receipt, Recording, Report};

use crate::{files, present, resources};

/// `oubliette replay`
#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    /// What `oubliette run --record` wrote
    #[arg(value_name = "RECORDING")]
    recording: PathBuf,
    /// Print the outcome as one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

/// `oubliette verify`
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// What `oubliette run --receipt` wrote
    #[arg(value_name = "RECEIPT")]
    receipt: PathBuf,
    /// Programs, inputs and state that the receipt names; they are told apart by their hashes
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Search this folder too [default: the receipt's own]
    #[arg(short = 'D', short_alias = 'E', value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// The recording, for a run that asked the world
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

fn load(path: &std::path::Path) -> Result<Recording> {
    let bytes = files::read(path)?;
    Recording::load(&mut &*bytes).with_context(|| format!("`{}` cannot be replayed", path.display()))
}

/// Runs a recording again; the exit status is the guest's if it went the same way.
pub(crate) fn replay(args: &ReplayArgs) -> Result<ExitCode> {
    let recording = load(&args.recording)?;
    let replayed = recording.replay(&resources::for_kind(recording.request.guest.kind())?)?;
    if args.json {
        present::say(&Report::new(&replayed.outcome, true, true).to_json()?)?;
    } else {
        present::show(&replayed.outcome, true)?;
    }
    if replayed.differences.is_empty() {
        return Ok(present::exit(&replayed.outcome));
    }
    eprintln!("oubliette: this run differs from the recording: {}", replayed.differences.join("; "));
    Ok(ExitCode::from(present::FAILURE))
}

/// Checks a receipt by running again.
pub(crate) fn verify(args: &VerifyArgs) -> Result<ExitCode> {
    let name = args.receipt.display().to_string();
    let text = String::from_utf8(files::read(&args.receipt)?.to_vec()).with_context(|| format!("`{name}` is not a text"))?;
    let receipt = Receipt::from_json(&text).with_context(|| format!("cannot use `{name}`"))?;
    let recording = args.record.as_deref().map(load).transpose()?;
    let mut folders = args.folders.clone();
    if folders.is_empty() {
        folders.push(args.receipt.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(std::path::Path::new(".")).to_owned());
    }
    let verdict = receipt.verify(
        |needed| files::find_needed(needed, &args.files, &folders).map_err(|error| oubliette::Error::Invalid(format!("{error:#}"))),
        recording.as_ref(),
        &resources::for_kind(receipt.kind())?,
    )?;
    if verdict.differences.is_empty() {
        present::say("the receipt holds: running again gave the same output, state, fuel and stop")?;
        return Ok(ExitCode::SUCCESS);
    }
    present::say(&format!("the receipt does NOT hold: {}", verdict.differences.join("; ")))?;
    Ok(ExitCode::from(present::FAILURE))
}
