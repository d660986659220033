//! One machine: programs, files, its life.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use wire::{Entry, FileKind, FileOperation, FileReply, Health, JobLimits, Program, Terminal, User};

use crate::network;
use crate::qemu::Notice;
use crate::session::{Process, Session, Watch};
use crate::template::{Template, Vm};
use crate::throttle::Throttle;
use crate::{Cause, Error};

/// How long an agent that was just let go on may take to answer.
const ANSWER: Duration = Duration::from_secs(20);

/// How long QEMU may take from closing its channels to its end.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What a program is kept to unless something else is asked for.
pub(crate) const LIMITS: JobLimits = JobLimits { processes: 256, memory: 0, file_size: 0, open_files: 1024 };

fn ended(status: String) -> Cause {
    if status == "status 0" { Cause::PoweredOff } else { Cause::Died(status) }
}

/// A running machine. Dropped, it is gone with all that was in it.
#[derive(Debug)]
pub struct Machine {
    vm: Vm,
    template: Arc<Template>,
}

/// A program to run in a machine.
#[derive(Clone, Debug)]
pub struct Command {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Variables beside those that every program gets.
    pub env: Vec<(String, String)>,
    /// The folder to start in; relative to the user's home.
    pub folder: String,
    /// A terminal instead of pipes.
    pub terminal: Option<Terminal>,
    /// As whom.
    pub user: User,
    /// What the agent keeps it to.
    pub limits: JobLimits,
}

impl Command {
    /// A program with arguments, in the user's home, with pipes, and at most 256 processes.
    pub fn new<T: Into<String>>(argv: impl IntoIterator<Item = T>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            folder: String::new(),
            terminal: None,
            user: User::User,
            limits: LIMITS,
        }
    }

    /// A line for the shell.
    #[must_use]
    pub fn shell(line: &str) -> Self {
        Self::new(["sh", "-c", line])
    }

    /// The user's shell on a terminal.
    #[must_use]
    pub fn interactive(terminal: Terminal, kind: &str) -> Self {
        let mut command = Self::new(["bash", "-l"]);
        command.terminal = Some(terminal);
        command.env.push(("TERM".to_owned(), kind.to_owned()));
        command
    }

    /// The same as the guest's root.
    #[must_use]
    pub fn as_root(mut self) -> Self {
        self.user = User::Root;
        self
    }

    #[cfg(test)]
    pub(crate) fn limits_only(&self) -> Program {
        self.program()
    }

    fn program(&self) -> Program {
        let home = if self.user == User::Root { "/root" } else { "/home/user" };
        let mut env = vec![
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games"),
            ("HOME", home),
            ("USER", if self.user == User::Root { "root" } else { "user" }),
            ("LANG", "C.UTF-8"),
            ("LC_ALL", "C.UTF-8"),
            ("TERM", "dumb"),
        ];
        env.retain(|(name, _)| self.env.iter().all(|(other, _)| other != name));
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Program {
            argv: self.argv.clone(),
            env: env.chain(self.env.iter().cloned()).collect(),
            cwd: if self.folder.starts_with('/') { self.folder.clone() } else { format!("{home}/{}", self.folder) },
            terminal: self.terminal,
            user: self.user,
            limits: self.limits,
            window: 0,
        }
    }
}

impl Machine {
    pub(crate) fn new(vm: Vm, template: Arc<Template>) -> Self {
        Self { vm, template }
    }

    /// What it is a clone of.
    #[must_use]
    pub fn template(&self) -> &Arc<Template> {
        &self.template
    }

    pub(crate) fn session(&self) -> &Session {
        &self.vm.session
    }

    pub(crate) fn vm(&mut self) -> &mut Vm {
        &mut self.vm
    }

    /// Starts a program.
    ///
    /// # Errors
    /// [`Error::Gone`] if the machine ended, [`Error::Guest`] if too much runs already.
    pub fn start(&self, command: &Command) -> Result<Process, Error> {
        let mut program = command.program();
        if self.vm.cable.is_some() {
            let proxy = format!("http://{}:{}", network::GATEWAY, network::PORT);
            for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
                program.env.push((name.to_owned(), proxy.clone()));
            }
        }
        self.vm.session.start(program)
    }

    /// Asks the agent for the state of the guest.
    ///
    /// # Errors
    /// [`Error::Gone`] if it does not answer in time; the machine is of no use then.
    pub fn health(&self, patience: Duration) -> Result<Health, Error> {
        self.vm.session.ping(patience)
    }

    /// Gives the guest fresh randomness and the time; how far its clock was off afterwards. Ends what ran.
    ///
    /// # Errors
    /// [`Error::Gone`] if it does not answer in time.
    pub fn wake(&self, patience: Duration) -> Result<Duration, Error> {
        self.vm.session.wake(patience)
    }

    /// Sends a file in, replaced atomically, with the permissions `mode`; how many bytes it had.
    ///
    /// # Errors
    /// [`Error::Guest`] if the guest's system refuses it or it is longer than `limit`.
    pub fn upload(&self, path: &str, mode: u32, from: &mut dyn Read, limit: u64, deadline: Option<Instant>) -> Result<u64, Error> {
        self.vm.session.upload(path, mode, User::User, from, limit, deadline)
    }

    /// Takes a regular file out; how many bytes it had.
    ///
    /// # Errors
    /// [`Error::Guest`] if there is none that the user may read, or it is longer than `limit`.
    pub fn download(&self, path: &str, to: &mut dyn Write, limit: u64, deadline: Option<Instant>) -> Result<u64, Error> {
        self.vm.session.download(path, User::User, to, limit, deadline)
    }

    /// The names in a folder, at most `most`.
    ///
    /// # Errors
    /// [`Error::Guest`] if the user may not read it.
    pub fn list(&self, path: &str, most: usize, deadline: Option<Instant>) -> Result<Vec<Entry>, Error> {
        let mut all: Vec<Entry> = Vec::new();
        loop {
            let skip = u32::try_from(all.len()).unwrap_or(u32::MAX);
            let operation = FileOperation::List { path: path.to_owned(), skip };
            match self.vm.session.ask(operation, User::User, deadline)? {
                FileReply::Entries { entries, more } => {
                    let none = entries.is_empty();
                    all.extend(entries);
                    if !more || none || all.len() >= most {
                        all.truncate(most);
                        return Ok(all);
                    }
                }
                _ => return Err(self.breach()),
            }
        }
    }

    /// What a name stands for, or `None` if there is no such name.
    ///
    /// # Errors
    /// [`Error::Guest`] if the user may not look.
    pub fn stat(&self, path: &str, deadline: Option<Instant>) -> Result<Option<Entry>, Error> {
        match self.vm.session.ask(FileOperation::Stat { path: path.to_owned() }, User::User, deadline) {
            Ok(FileReply::Entry(entry)) => Ok(Some(entry)),
            Ok(_) => Err(self.breach()),
            Err(Error::Guest(failure)) if failure.kind == wire::FailureKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a file, a link or an empty folder.
    ///
    /// # Errors
    /// [`Error::Guest`] if it cannot be removed.
    pub fn remove(&self, path: &str, deadline: Option<Instant>) -> Result<(), Error> {
        self.vm.session.ask(FileOperation::Remove { path: path.to_owned() }, User::User, deadline).map(drop)
    }

    /// Makes a folder and those above it.
    ///
    /// # Errors
    /// [`Error::Guest`] if it cannot be made.
    pub fn make_folder(&self, path: &str, deadline: Option<Instant>) -> Result<(), Error> {
        self.vm.session.ask(FileOperation::MakeFolder { path: path.to_owned() }, User::User, deadline).map(drop)
    }

    /// Whether a name stands for a folder.
    ///
    /// # Errors
    /// [`Error::Guest`] if the user may not look.
    pub fn is_folder(&self, path: &str, deadline: Option<Instant>) -> Result<bool, Error> {
        Ok(self.stat(path, deadline)?.is_some_and(|entry| entry.kind == FileKind::Folder))
    }

    fn breach(&self) -> Error {
        let cause = Cause::Protocol("an answer that does not fit the question".to_owned());
        self.vm.session.end(cause.clone());
        Error::Gone(cause)
    }

    /// Holds the guest: it uses no processor time until it is resumed.
    ///
    /// # Errors
    /// [`Error::Gone`] if QEMU does not answer.
    pub fn pause(&mut self) -> Result<(), Error> {
        self.vm.session.set_held(true);
        self.vm.monitor.pause()
    }

    /// Lets the guest go on, and gives it fresh randomness and the time. What ran goes on too.
    ///
    /// # Errors
    /// [`Error::Gone`] if QEMU or the agent does not answer.
    pub fn resume(&mut self) -> Result<(), Error> {
        self.vm.monitor.resume()?;
        self.vm.session.set_held(false);
        self.vm.session.rewake(ANSWER).map(drop)
    }

    /// Stops QEMU itself until the machine enters service. A paused one still wakes, hundreds of times a second, for what the guest's timer was set
    /// to, since the guest's clock that it waits for stands still.
    pub(crate) fn sleep(&self) {
        // Its number is its own until it is reaped, which only `gone` does. One that has ended is found out when it is taken.
        let _ = kill_process(self.vm.monitor.pid(), Signal::STOP);
    }

    /// Lets a paused machine that nobody has used go on as a new one.
    pub(crate) fn enter_service(&mut self, patience: Duration) -> Result<(), Error> {
        let _ = kill_process(self.vm.monitor.pid(), Signal::CONT);
        self.vm.monitor.control()?.set_patience(patience).map_err(|error| Error::io("a timeout", error))?;
        self.vm.monitor.resume()?;
        self.vm.session.set_held(false);
        self.vm.session.wake(patience).map(drop)
    }

    /// Has it watched: when it falls silent, its clock stands still or its disk breaks, it is ended and whoever
    /// waits for something in it is told why.
    ///
    /// # Errors
    /// Those of making a thread.
    pub fn watch(&self, watch: Watch) -> Result<(), Error> {
        self.vm.session.watch(watch)
    }

    /// Keeps it to a share of one processor, between 0.01 and 1, from outside.
    ///
    /// # Errors
    /// Those of making a thread or writing a control group.
    pub fn throttle(&mut self, share: f64) -> Result<(), Error> {
        self.vm.throttle = Some(Throttle::new(self.vm.monitor.pid(), share)?);
        Ok(())
    }

    /// Replaces it by a new clone: what it was is gone.
    ///
    /// # Errors
    /// Those of [`Template::spawn`]; the old machine is gone then too.
    pub fn reset(&mut self) -> Result<(), Error> {
        self.vm.session.end(Cause::Dropped);
        self.vm = self.template.spawn()?.vm;
        Ok(())
    }

    /// Switches it off and boots it again: the disk stays, memory and processes are gone.
    ///
    /// # Errors
    /// [`Error::Qemu`] or [`Error::Gone`] if it does not come up again.
    pub fn restart(&mut self) -> Result<(), Error> {
        // A guest that still listens writes its caches out first; one that does not is switched off.
        if self.vm.session.quiesce(Duration::from_secs(10)).is_err() {
            tracing::warn!("a machine is restarted that does not answer: what it did not write to its disk is lost");
        }
        self.vm.session.end(Cause::Dropped);
        let overlay = self.vm.overlay.try_clone().map_err(|error| Error::io("a descriptor", error))?;
        self.vm.monitor.kill();
        self.vm = self.template.boot_vm(overlay)?;
        Ok(())
    }

    /// Has the guest end what runs, write its disk's caches out and switch itself off; [`gone`](Self::gone) tells when it has.
    ///
    /// # Errors
    /// [`Error::Gone`] if it does not listen any more.
    pub fn power_off(&self) -> Result<(), Error> {
        self.vm.session.power_off()
    }

    /// Why it ended, if it has; looks at QEMU too.
    pub fn gone(&mut self) -> Option<Cause> {
        if let Some(cause) = self.vm.session.gone() {
            // A closed channel is a consequence: the process knows the cause, or will in a moment.
            if matches!(cause, Cause::Died(_)) {
                let start = Instant::now();
                while start.elapsed() < LAST_WORDS {
                    if let Some(status) = self.vm.monitor.ended() {
                        return Some(ended(status));
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
            return Some(cause);
        }
        let cause = ended(self.vm.monitor.ended()?);
        self.vm.session.end(cause.clone());
        Some(cause)
    }

    /// What QEMU said since the last time: that writing to the disk failed (its quota is used up), that the guest panicked or went off.
    ///
    /// # Errors
    /// [`Error::Gone`] if QEMU does not answer.
    pub fn notices(&mut self) -> Result<Vec<Notice>, Error> {
        let control = self.vm.monitor.control()?;
        control.notices().map_err(|error| Error::Gone(Cause::Control(error.to_string())))
    }

    /// Bytes that its disk takes on the host.
    ///
    /// # Errors
    /// Those of the host's file system.
    pub fn disk_usage(&self) -> Result<u64, Error> {
        use std::os::unix::fs::MetadataExt;
        let metadata = self.vm.overlay.metadata().map_err(|error| Error::io("the overlay", error))?;
        Ok(metadata.blocks() * 512)
    }

    /// The number of QEMU's process on the host.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.vm.monitor.pid().as_raw_nonzero().get().unsigned_abs()
    }

    pub(crate) fn overlay(&self) -> &File {
        &self.vm.overlay
    }
}
