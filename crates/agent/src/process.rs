//! A process, its descendants, and its three streams.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};

use rustix::event::PollFlags;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitStatus};
use rustix::termios::Winsize;
use wire::{Exit, FromGuest, INPUT_WINDOW, JobId, JobLimits, JobUsage, MAX_CHUNK, MAX_WINDOW, Output, Program, Terminal, User};

use crate::groups::{Group, Groups};
use crate::job::Outbox;
use crate::starter::Starter;
use crate::system::{self, ChildSetup};
use crate::user::{self, HOME};

/// Chunks read from one output in a turn, so that a flood leaves the others their share.
const CHUNKS: usize = 4;

/// Where programs are searched when the environment names no `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// One output of a process.
#[derive(Debug)]
struct Source {
    fd: OwnedFd,
    output: Output,
    credit: u32,
}

/// A running process, or one whose last words are still on their way.
#[derive(Debug)]
pub(crate) struct Process {
    job: JobId,
    pid: Pid,
    group: Group,
    sources: Vec<Source>,
    input: Option<OwnedFd>,
    terminal: bool,
    pending: VecDeque<u8>,
    input_ended: bool,
    /// Bytes that the host may still send.
    granted: u32,
    /// Bytes taken off `pending` that the host was not told about.
    owed: u32,
    exit: Option<Exit>,
    usage: JobUsage,
}

impl Process {
    /// Starts a program, in the process that waits for one if that is of its kind.
    pub(crate) fn start(job: JobId, program: &Program, groups: &mut Groups, waiting: Option<Starter>) -> io::Result<Self> {
        let started = match waiting.filter(|starter| starter.fits(program)) {
            Some(starter) => starter.become_program(program)?,
            None => None,
        };
        let started = match started {
            Some(started) => started,
            None => {
                let command = program_command(program)?;
                launch(command, groups.make(&program.limits)?, &program.limits, program.user, program.terminal)?
            }
        };
        let credit = program.window.min(MAX_WINDOW);
        Ok(Self {
            job,
            pid: started.pid,
            group: started.group,
            sources: started.outputs.into_iter().map(|(fd, output)| Source { fd, output, credit }).collect(),
            input: Some(started.input),
            terminal: program.terminal.is_some(),
            pending: VecDeque::new(),
            input_ended: false,
            granted: INPUT_WINDOW,
            owed: 0,
            exit: None,
            usage: JobUsage::default(),
        })
    }

    /// Its number.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// What to wait for on its behalf.
    pub(crate) fn interests<'a>(&'a self, room: bool, add: &mut impl FnMut(BorrowedFd<'a>, PollFlags)) {
        if room {
            for source in self.sources.iter().filter(|source| source.credit > 0) {
                add(source.fd.as_fd(), PollFlags::IN);
            }
        }
        if let Some(input) = &self.input
            && !self.pending.is_empty()
        {
            add(input.as_fd(), PollFlags::OUT);
        }
    }

    /// Moves what can be moved now. True when the process and its outputs have ended.
    pub(crate) fn pump(&mut self, outbox: &mut Outbox) -> bool {
        self.pump_input(outbox);
        let job = self.job;
        self.sources.retain_mut(|source| !source.pump(job, outbox));
        let Some(exit) = self.exit else { return false };
        if !self.sources.is_empty() {
            return false;
        }
        outbox.push(&FromGuest::Exited { job, exit, usage: self.usage });
        true
    }

    fn pump_input(&mut self, outbox: &mut Outbox) {
        while let (Some(input), (front @ [_, ..], _)) = (&self.input, self.pending.as_slices()) {
            match rustix::io::write(input, front) {
                Ok(count) => {
                    self.pending.drain(..count);
                    self.owed += u32::try_from(count).unwrap_or(u32::MAX);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => self.input = None,
            }
        }
        if self.input.is_none() {
            self.owed += u32::try_from(self.pending.len()).unwrap_or(u32::MAX);
            self.pending.clear();
        }
        if self.owed > 0 && (self.pending.is_empty() || self.owed >= INPUT_WINDOW / 4) {
            self.granted += self.owed;
            outbox.push(&FromGuest::Credit { job: self.job, bytes: self.owed });
            self.owed = 0;
        }
        // A terminal stays open for output; its end of input was queued as a character.
        if self.input_ended && self.pending.is_empty() && !self.terminal {
            self.input = None;
        }
    }

    /// Takes input. False if the host sent more than it was granted.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> bool {
        let Some(rest) = u32::try_from(bytes.len()).ok().and_then(|count| self.granted.checked_sub(count)) else {
            return false;
        };
        self.granted = rest;
        self.pending.extend(bytes);
        true
    }

    /// No more input will come.
    pub(crate) fn end_input(&mut self) {
        if self.terminal && !self.input_ended {
            self.pending.push_back(4); // end of transmission, as typed at a terminal
            self.granted = self.granted.saturating_sub(1);
        }
        self.input_ended = true;
    }

    /// Lets it be read further.
    pub(crate) fn credit(&mut self, output: Output, bytes: u32) {
        for source in self.sources.iter_mut().filter(|source| source.output == output) {
            source.credit = source.credit.saturating_add(bytes).min(MAX_WINDOW);
        }
    }

    /// Sends a signal to it and all its descendants.
    pub(crate) fn signal(&self, number: u8) {
        if self.exit.is_some() {
            return;
        }
        let Some(signal) = Signal::from_named_raw(i32::from(number)) else { return };
        if signal == Signal::KILL && self.group.kill() {
            return;
        }
        match self.group.members() {
            Some(members) => {
                for pid in members.into_iter().filter_map(Pid::from_raw) {
                    let _ = rustix::process::kill_process(pid, signal);
                }
            }
            None => {
                let _ = rustix::process::kill_process_group(self.pid, signal);
            }
        }
    }

    /// Gives its terminal another size.
    pub(crate) fn resize(&self, size: Terminal) {
        if let (true, Some(source)) = (self.terminal, self.sources.first()) {
            let _ = rustix::termios::tcsetwinsize(&source.fd, winsize(size));
        }
    }

    /// The first process ended, so the rest of the job is ended too.
    pub(crate) fn exited(&mut self, status: WaitStatus) {
        self.exit = Some(match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Exit::Code(code.to_le_bytes()[0]),
            (None, Some(signal)) => Exit::Signal(signal.to_le_bytes()[0]),
            (None, None) => return,
        });
        if !self.group.kill() {
            let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
        }
        self.usage = self.group.usage();
        self.input = None;
    }

    /// Kills it and stops carrying its streams.
    pub(crate) fn abandon(&mut self) {
        self.signal(9);
        self.sources.clear();
        self.input = None;
    }
}

impl Source {
    /// Reads what may be read now. True at the end.
    fn pump(&mut self, job: JobId, outbox: &mut Outbox) -> bool {
        for _ in 0..CHUNKS {
            let most = MAX_CHUNK.min(self.credit as usize);
            if most == 0 || !outbox.has_room() {
                return false;
            }
            let mut bytes = vec![0; most];
            match rustix::io::read(&self.fd, &mut bytes) {
                Ok(count @ 1..) => {
                    bytes.truncate(count);
                    self.credit -= u32::try_from(count).unwrap_or(u32::MAX);
                    outbox.push(&FromGuest::Data { job, output: self.output, bytes });
                }
                Err(Errno::AGAIN) => return false,
                Err(Errno::INTR) => {}
                // A terminal that everybody closed reads as an I/O error.
                Ok(0) | Err(_) => {
                    outbox.push(&FromGuest::End { job, output: self.output });
                    return true;
                }
            }
        }
        false
    }
}

/// A process that was started, in its group, and the agent's ends of its streams.
pub(crate) struct Started {
    pid: Pid,
    group: Group,
    input: OwnedFd,
    outputs: Vec<(OwnedFd, Output)>,
}

/// Starts a command in a group, with a terminal or three pipes.
pub(crate) fn launch(mut command: Command, group: Group, limits: &JobLimits, user: User, size: Option<Terminal>) -> io::Result<Started> {
    let mut outputs = Vec::new();
    let input;
    if let Some(size) = size {
        let (master, slave) = terminal(size, user)?;
        command.stdin(Stdio::from(slave.try_clone()?));
        command.stdout(Stdio::from(slave.try_clone()?)).stderr(Stdio::from(slave));
        input = master.try_clone()?;
        outputs.push((master, Output::Out));
    } else {
        let close = rustix::pipe::PipeFlags::CLOEXEC;
        let (theirs, ours) = rustix::pipe::pipe_with(close)?;
        give(&theirs, user)?;
        command.stdin(Stdio::from(theirs));
        input = ours;
        let (ours, theirs) = rustix::pipe::pipe_with(close)?;
        give(&theirs, user)?;
        command.stdout(Stdio::from(theirs));
        outputs.push((ours, Output::Out));
        let (ours, theirs) = rustix::pipe::pipe_with(close)?;
        give(&theirs, user)?;
        command.stderr(Stdio::from(theirs));
        outputs.push((ours, Output::Err));
    }
    nonblocking(&input)?;
    for (fd, _) in &outputs {
        nonblocking(fd)?;
    }
    let root = rustix::process::geteuid().is_root();
    let setup = ChildSetup {
        groups: group.door()?.into_iter().collect(),
        terminal: size.is_some(),
        file_size: limits.file_size,
        open_files: limits.open_files.into(),
        identity: (root && user == User::User).then_some((user::USER, user::USER)),
    };
    system::prepare(&mut command, setup);
    let child = command.spawn()?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("a process without a number"))?;
    Ok(Started { pid, group, input, outputs })
}

/// A program with its arguments, environment and folder.
pub(crate) fn program_command(program: &Program) -> io::Result<Command> {
    let [name, arguments @ ..] = &program.argv[..] else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program"));
    };
    let mut command = Command::new(name);
    command.args(arguments).env_clear();
    if !program.env.iter().any(|(key, _)| key == "PATH") {
        command.env("PATH", PATH);
    }
    command.envs(program.env.iter().map(|(key, value)| (key, value)));
    let cwd = if program.cwd.is_empty() { HOME } else { &program.cwd };
    // Relative to nothing: a folder the user cannot enter must not be entered for him.
    command.current_dir(cwd);
    Ok(command)
}

fn nonblocking(fd: impl AsFd) -> io::Result<()> {
    let flags = fcntl_getfl(&fd)?;
    Ok(fcntl_setfl(&fd, flags | OFlags::NONBLOCK)?)
}

fn winsize(size: Terminal) -> Winsize {
    Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 }
}

/// Both ends of a new terminal.
fn terminal(size: Terminal, user: User) -> io::Result<(OwnedFd, OwnedFd)> {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    rustix::termios::tcsetwinsize(&master, winsize(size))?;
    let name = ptsname(&master, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(name.as_c_str(), flags, rustix::fs::Mode::empty())?;
    give(&slave, user)?;
    Ok((master, slave))
}

/// Makes a stream the user's own, so that it can be opened by name too (`/dev/stdin`).
fn give(stream: impl AsFd, user: User) -> io::Result<()> {
    if user == User::User && rustix::process::geteuid().is_root() {
        rustix::fs::fchown(stream, Some(rustix::process::Uid::from_raw(user::USER)), None)?;
    }
    Ok(())
}
