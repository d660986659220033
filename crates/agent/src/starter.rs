//! A process that waits to become the next program.
//!
//! To fork, to enter a control group and to become the user is kernel code that an emulated clone would have to translate before its
//! first program starts. So the next program's process is made while there is nothing else to do, above all before a machine is
//! frozen: everything that programs have in common is done then, and what is left is to be told the program and to execute it.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pipe::{PipeFlags, pipe_with};
use wire::{Decoder, JobLimits, Program, User};

use crate::groups::Groups;
use crate::process::{Started, launch, program_command};
use crate::system;

/// The argument with which this program waits for another; the numbers of two pipes follow.
pub const ARGUMENT: &str = "--start";

/// The longest message that fits a pipe whose reader is slow.
const LONGEST: usize = 60 << 10;

/// How long a process that waits may take to become its program.
const PATIENCE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// A process that waits, with its group and its streams. Dropped, it is killed with its group.
pub(crate) struct Starter {
    started: Started,
    limits: JobLimits,
    /// Where it is told its program.
    control: OwnedFd,
    /// What it says if it cannot become it; ends when it has.
    report: OwnedFd,
}

impl Starter {
    /// A process for a program of the user's with these limits.
    pub(crate) fn new(groups: &mut Groups, limits: &JobLimits) -> io::Result<Self> {
        let (told, control) = pipe_with(PipeFlags::CLOEXEC)?;
        let (report, says) = pipe_with(PipeFlags::CLOEXEC)?;
        for inherited in [&told, &says] {
            fcntl_setfd(inherited, FdFlags::empty())?;
        }
        let mut command = Command::new("/proc/self/exe");
        command.args([ARGUMENT, &told.as_raw_fd().to_string(), &says.as_raw_fd().to_string()]).env_clear().current_dir("/");
        let started = launch(command, groups.make(limits)?, limits, User::User, None)?;
        Ok(Self { started, limits: *limits, control, report })
    }

    /// Whether it can become this program.
    pub(crate) fn fits(&self, program: &Program) -> bool {
        program.user == User::User && program.terminal.is_none() && program.limits == self.limits
    }

    /// Has it become the program. `Ok(None)`: it cannot be used, and has been killed; the program was not tried.
    pub(crate) fn become_program(self, program: &Program) -> io::Result<Option<Started>> {
        let Self { started, control, report, .. } = self;
        let mut message = Vec::new();
        if wire::encode(program, &mut message).is_err() || message.len() > LONGEST {
            return Ok(None);
        }
        if std::fs::File::from(control).write_all(&message).is_err() {
            return Ok(None);
        }
        let mut ready = [PollFd::new(&report, PollFlags::IN)];
        if !poll(&mut ready, Some(&PATIENCE)).is_ok_and(|count| count > 0) {
            return Ok(None);
        }
        let mut error = Vec::new();
        std::fs::File::from(report).read_to_end(&mut error)?;
        match <[u8; 4]>::try_from(&error[..]) {
            Ok(number) => Err(io::Error::from_raw_os_error(i32::from_le_bytes(number))),
            Err(_) if error.is_empty() => Ok(Some(started)),
            Err(_) => Ok(None),
        }
    }
}

/// What the process that waits does: hears its program and becomes it.
#[must_use]
pub fn wait_for_program(mut arguments: impl Iterator<Item = String>) -> ExitCode {
    let mut pipe = || arguments.next().and_then(|number| number.parse().ok()).and_then(system::inherited);
    let (Some(told), Some(says)) = (pipe(), pipe()) else { return ExitCode::from(2) };
    let mut decoder = Decoder::new();
    let mut told = std::fs::File::from(told);
    let mut bytes = [0; 4096];
    let program: Program = loop {
        match decoder.next_message() {
            Ok(Some(program)) => break program,
            Ok(None) => match told.read(&mut bytes) {
                Ok(count @ 1..) => decoder.feed(&bytes[..count]),
                // The agent wants no program any more.
                _ => return ExitCode::from(2),
            },
            Err(_) => return ExitCode::from(2),
        }
    };
    let error = match program_command(&program) {
        Ok(mut command) => command.exec(),
        Err(error) => error,
    };
    let number = error.raw_os_error().unwrap_or(rustix::io::Errno::INVAL.raw_os_error());
    drop(std::fs::File::from(says).write_all(&number.to_le_bytes()));
    ExitCode::from(127)
}
