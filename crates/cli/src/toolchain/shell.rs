//! Running a stage's commands: output goes to the stage's log and, line by line, to whoever watches.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::ToolchainError;

/// How many lines of a failed command's output its error repeats.
const TAIL_LINES: usize = 20;

/// What a user may have set for builds of other things, and must not steer this one.
const STEERING: &[&str] = &[
    "AR",
    "AS",
    "CC",
    "CFLAGS",
    "CPATH",
    "CPPFLAGS",
    "CXX",
    "CXXFLAGS",
    "CPLUS_INCLUDE_PATH",
    "C_INCLUDE_PATH",
    "LD",
    "LDFLAGS",
    "LD_LIBRARY_PATH",
    "LIBRARY_PATH",
    "LIBS",
    "MAKEFLAGS",
    "MAKELEVEL",
    "MFLAGS",
    "NM",
    "RANLIB",
    "STRIP",
];

/// Where a stage runs its commands.
pub(super) struct Shell<'a> {
    stage: &'a str,
    log_path: PathBuf,
    log: File,
    /// Put in front of `PATH`.
    tools: PathBuf,
    line: &'a mut dyn FnMut(&str),
}

impl<'a> Shell<'a> {
    /// Commands of `stage` log to `log_path` (appended to) and find programs in `tools` first.
    pub(super) fn new(stage: &'a str, log_path: PathBuf, tools: PathBuf, line: &'a mut dyn FnMut(&str)) -> Result<Self, ToolchainError> {
        let log = OpenOptions::new().create(true).append(true).open(&log_path).map_err(ToolchainError::io("cannot write", &log_path))?;
        Ok(Self { stage, log_path, log, tools, line })
    }

    /// Runs a program in `directory` to its end.
    pub(super) fn run<I, S>(&mut self, directory: &Path, program: impl AsRef<OsStr>, arguments: I) -> Result<(), ToolchainError>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let program = program.as_ref();
        let arguments: Vec<OsString> = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        let command_line = std::iter::once(program)
            .chain(arguments.iter().map(OsString::as_os_str))
            .map(|word| word.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
            .join(" ");
        let mut path = self.tools.clone().into_os_string();
        if let Some(inherited) = std::env::var_os("PATH") {
            path.push(":");
            path.push(inherited);
        }
        let log_error = || ToolchainError::io("cannot write", &self.log_path);
        writeln!(self.log, "\n$ cd {} && {command_line}", directory.display()).map_err(log_error())?;

        let failure = |status: String, tail: String| ToolchainError::Command {
            stage: self.stage.to_owned(),
            command: command_line.clone(),
            status,
            log: self.log_path.clone(),
            tail,
        };
        let not_started = |error: std::io::Error| failure(error.to_string(), String::new());
        let (reader, writer) = std::io::pipe().map_err(not_started)?;
        let mut command = Command::new(program);
        command
            .args(&arguments)
            .current_dir(directory)
            .env("PATH", path)
            .env("LC_ALL", "C")
            .env("CONFIG_SITE", "/dev/null")
            .stdin(Stdio::null())
            .stdout(writer.try_clone().map_err(not_started)?)
            .stderr(writer);
        for variable in STEERING {
            command.env_remove(variable);
        }
        let mut child = command.spawn().map_err(not_started)?;
        drop(command); // its ends of the pipe, or the reader below would wait for ever

        let mut tail: VecDeque<String> = VecDeque::new();
        let mut reader = BufReader::new(reader);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).unwrap_or(0) > 0 {
            self.log.write_all(&bytes).map_err(log_error())?;
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            (self.line)(&line);
            if tail.len() == TAIL_LINES {
                tail.pop_front();
            }
            tail.push_back(line);
            bytes.clear();
        }
        let status = child.wait().map_err(not_started)?;
        if status.success() { Ok(()) } else { Err(failure(status.to_string(), Vec::from(tail).join("\n"))) }
    }
}
