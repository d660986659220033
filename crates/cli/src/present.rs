//! What a person, or the next program in a pipe, gets to see of an outcome.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use oubliette::{Outcome, Stop, TraceFrame};

/// Wrong use of the command.
pub(crate) const WRONG_USE: u8 = 2;
/// A failure of ours or of the host's.
pub(crate) const FAILURE: u8 = 1;

/// The exit status that `run` ends with.
pub(crate) fn status(stop: &Stop) -> u8 {
    match stop {
        // As the operating system does: the low eight bits.
        Stop::Finished(code) => (*code & 0xff) as u8,
        Stop::Raised(_) | Stop::Trapped(_) | Stop::Breakpoint => 120,
        Stop::OutOfFuel => 121,
        Stop::OutOfTime => 122,
        Stop::OutOfMemory => 123,
        Stop::OutputFull => 124,
        Stop::Interrupted => 125,
        Stop::Waiting(_) => 126,
    }
}

/// The exit code of the process for an outcome.
pub(crate) fn exit(outcome: &Outcome) -> ExitCode {
    ExitCode::from(status(&outcome.stop))
}

/// Shows what the guest wrote, and nothing else when it finished; otherwise says on standard error why it ended and where.
pub(crate) fn show(outcome: &Outcome, with_output: bool) -> Result<()> {
    write_out(&outcome.stdout)?;
    if with_output {
        write_out(&outcome.output)?;
    }
    let mut err = std::io::stderr().lock();
    // A closed standard error must not change how the run ended.
    let _ = err.write_all(&outcome.stderr);
    let report = outcome.extra.get("report").and_then(|report| report.as_text()).filter(|_| matches!(outcome.stop, Stop::Raised(_)));
    if let Some(report) = report {
        // The guest's own words, trace and all.
        let _ = writeln!(err, "{}", report.trim_end());
    } else if let Some(sentence) = explain(outcome) {
        let _ = writeln!(err, "oubliette: {sentence}");
        for frame in &outcome.trace {
            let _ = writeln!(err, "{}", frame_line(frame));
        }
    }
    Ok(())
}

/// Prints a line to standard output. That nobody reads there any more is an error as any other, not a panic.
pub(crate) fn say(line: &str) -> Result<()> {
    write_out(format!("{line}\n").as_bytes())
}

fn write_out(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).context("cannot write to standard output")
}

/// Why the run ended, as a sentence that says what to do; nothing for a run that finished.
pub(crate) fn explain(outcome: &Outcome) -> Option<String> {
    let fuel = outcome.usage.fuel.map_or_else(String::new, |fuel| format!(" after {fuel} units of fuel"));
    Some(match &outcome.stop {
        Stop::Finished(_) => return None,
        Stop::Raised(error) => format!("uncaught {error}"),
        Stop::Trapped(trap) => match trap.address {
            Some(address) => format!("the program trapped{fuel}: {} (address {address:#010x})", trap.message),
            None => format!("the program trapped{fuel}: {}", trap.message),
        },
        Stop::OutOfFuel => format!("out of fuel{fuel}; give it more with --fuel"),
        Stop::OutOfTime => format!("out of time{fuel}; give it more with --timeout"),
        Stop::OutOfMemory => match outcome.extra.get("reason").and_then(|reason| reason.as_text()) {
            Some(reason) => format!("out of memory: {reason}; give it more with --memory"),
            None => format!("out of memory{fuel}; give it more with --memory"),
        },
        Stop::OutputFull => format!("the program wrote more than it may{fuel}; allow more with --output-limit"),
        Stop::Interrupted => format!("interrupted{fuel}"),
        Stop::Waiting(tickets) => format!("nothing left to do but wait for {} promise(s) that nobody keeps", tickets.len()),
        Stop::Breakpoint => "stopped at a breakpoint".to_owned(),
    })
}

/// One line of a trace: `    at function (file:line)`.
pub(crate) fn frame_line(frame: &TraceFrame) -> String {
    let place = match (&frame.file, frame.line, frame.column) {
        (Some(file), Some(line), Some(column)) => Some(format!("{file}:{line}:{column}")),
        (Some(file), Some(line), None) => Some(format!("{file}:{line}")),
        (Some(file), None, _) => Some(file.clone()),
        _ => None,
    };
    let address = frame.address.map(|address| format!("{address:#010x}"));
    let place = match (place, address) {
        (Some(place), Some(address)) => format!("{place}, {address}"),
        (Some(place), None) => place,
        (None, Some(address)) => address,
        (None, None) => "unknown".to_owned(),
    };
    match &frame.function {
        Some(function) => format!("    at {function} ({place})"),
        None => format!("    at {place}"),
    }
}

/// Whether a person watches standard error.
pub(crate) fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_shows_what_is_known() {
        let full = TraceFrame { function: Some("f".into()), file: Some("x.c".into()), line: Some(3), column: None, address: Some(0x1004) };
        assert_eq!(frame_line(&full), "    at f (x.c:3, 0x00001004)");
        let bare = TraceFrame { address: Some(0x1004), ..TraceFrame::default() };
        assert_eq!(frame_line(&bare), "    at 0x00001004");
    }

    #[test]
    fn every_stop_has_its_status() {
        assert_eq!(status(&Stop::Finished(0)), 0);
        assert_eq!(status(&Stop::Finished(256 + 3)), 3);
        assert_eq!(status(&Stop::OutOfFuel), 121);
        assert_eq!(status(&Stop::OutOfTime), 122);
        assert_eq!(status(&Stop::OutOfMemory), 123);
        assert_eq!(status(&Stop::OutputFull), 124);
        assert_eq!(status(&Stop::Interrupted), 125);
        assert_eq!(status(&Stop::Waiting(vec![])), 126);
    }
}
