//! The host's end of the channel to an agent: many jobs over one stream, nothing unbounded, nothing trusted.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wire::{
    Decoder, Exit, Failure, FailureKind, FileOperation, FileReply, FromGuest, Health, INPUT_WINDOW, JobId, JobUsage, MAX_CHUNK, MAX_FRAME,
    MAX_JOBS, Output, PREAMBLE, Program, Terminal, ToGuest, User, VERSION,
};

use crate::{Cause, Error};

/// Bytes of one output that may wait on the host for whoever reads them.
const WINDOW: u32 = 256 * 1024;

/// How long the guest may leave a message of ours lying in the channel.
const WRITE_PATIENCE: Duration = Duration::from_secs(20);

/// How far a guest's clock may be off after it was set.
const CLOCK: Duration = Duration::from_millis(10);

/// How often it is set at most: on a host that is too busy it stays as far off as it is.
const CLOCK_ROUNDS: u32 = 5;

/// How closely a machine is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// How long after one sign of life the next is asked for.
    pub interval: Duration,
    /// How long a sign of life may take.
    pub patience: Duration,
}

impl Default for Watch {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1), patience: Duration::from_secs(15) }
    }
}

/// What a process does that its client hears of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It wrote.
    Output(Output, Vec<u8>),
    /// It ended, with all that it started; the last happening.
    Exited(Exit, JobUsage),
}

/// A connection to an agent. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    writer: Mutex<UnixStream>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    gone: Option<Cause>,
    hello: Option<u16>,
    awake: Option<u64>,
    pong: Option<(u64, Health)>,
    quiet: bool,
    heard: Instant,
    /// Whether the guest is held on purpose, so that its silence means nothing.
    held: bool,
    sequence: u64,
    next: JobId,
    jobs: HashMap<JobId, Job>,
}

/// What the host knows of a process or a transfer.
#[derive(Debug)]
struct Job {
    started: Option<u32>,
    happenings: VecDeque<Happening>,
    /// Bytes that the agent may still send, for `Out` and `Err`.
    allowed: [u32; 2],
    /// Bytes that were taken by the client since the agent was last granted more.
    taken: [u32; 2],
    ended: [bool; 2],
    /// Bytes that we may still send.
    credit: u64,
    reply: Option<FileReply>,
    failure: Option<Failure>,
    over: bool,
    /// Nobody waits for it any more.
    orphan: bool,
}

impl Job {
    fn new(window: u32, credit: u64) -> Self {
        Self {
            started: None,
            happenings: VecDeque::new(),
            allowed: [window; 2],
            taken: [0; 2],
            ended: [false; 2],
            credit,
            reply: None,
            failure: None,
            over: false,
            orphan: false,
        }
    }
}

fn index(output: Output) -> usize {
    match output {
        Output::Out => 0,
        Output::Err => 1,
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, messages: &[ToGuest]) -> Result<(), Error> {
        let mut bytes = Vec::new();
        for message in messages {
            wire::encode(message, &mut bytes).map_err(|error| Error::Unsupported(error.to_string()))?;
        }
        self.send_bytes(&bytes)
    }

    fn send_bytes(&self, bytes: &[u8]) -> Result<(), Error> {
        if let Some(cause) = &self.state().gone {
            return Err(Error::Gone(cause.clone()));
        }
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = writer.write_all(bytes) {
            let cause = if error.kind() == io::ErrorKind::WouldBlock {
                Cause::Silent(u64::try_from(WRITE_PATIENCE.as_millis()).unwrap_or(u64::MAX))
            } else {
                Cause::Died(error.to_string())
            };
            drop(writer);
            self.end(cause);
            return Err(self.gone());
        }
        Ok(())
    }

    /// Ends the session; the first cause stays.
    fn end(&self, cause: Cause) {
        let mut state = self.state();
        if state.gone.is_none() {
            tracing::debug!(%cause, "a machine's session ended");
            state.gone = Some(cause);
        }
        drop(state);
        if let Ok(writer) = self.writer.try_lock() {
            drop(writer.shutdown(std::net::Shutdown::Both));
        }
        self.changed.notify_all();
    }

    fn gone(&self) -> Error {
        Error::Gone(self.state().gone.clone().unwrap_or(Cause::Dropped))
    }

    /// Waits until `ready` gives something, the session ends, or the deadline passes (`None`).
    fn wait<T>(&self, deadline: Option<Instant>, mut ready: impl FnMut(&mut State) -> Option<T>) -> Result<Option<T>, Error> {
        let mut state = self.state();
        loop {
            if let Some(value) = ready(&mut state) {
                return Ok(Some(value));
            }
            if let Some(cause) = &state.gone {
                return Err(Error::Gone(cause.clone()));
            }
            state = match deadline {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(None);
                    }
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Reads what the agent says until the end.
    fn listen(&self, mut stream: UnixStream) {
        let mut decoder = Decoder::new();
        let mut bytes = vec![0; MAX_FRAME];
        loop {
            match stream.read(&mut bytes) {
                Ok(0) => return self.end(Cause::Died("its channel was closed".to_owned())),
                Ok(count) => decoder.feed(&bytes[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return self.end(Cause::Died(error.to_string())),
            }
            let mut state = self.state();
            state.heard = Instant::now();
            loop {
                let fault = match decoder.next_message::<FromGuest>() {
                    Ok(None) => break,
                    Ok(Some(message)) => state.hear(message),
                    Err(malformed) => Err(malformed.to_string()),
                };
                if let Err(fault) = fault {
                    drop(state);
                    tracing::warn!(fault, "an agent broke the protocol");
                    return self.end(Cause::Protocol(fault));
                }
            }
            drop(state);
            self.changed.notify_all();
        }
    }
}

impl State {
    /// Takes one message in. The error is a breach of the protocol.
    fn hear(&mut self, message: FromGuest) -> Result<(), String> {
        match message {
            FromGuest::Hello { version } => self.hello = Some(version),
            FromGuest::Awake { now } => self.awake = Some(now),
            FromGuest::Pong { sequence, health } => self.pong = Some((sequence, health)),
            FromGuest::Quiet => self.quiet = true,
            FromGuest::Fault { reason } => return Err(format!("it understood nothing: {reason}")),
            FromGuest::Started { job, pid } => {
                let job = self.job(job)?;
                if job.started.replace(pid).is_some() {
                    return Err("a job started twice".to_owned());
                }
            }
            FromGuest::Data { job, output, bytes } => {
                let job = self.job(job)?;
                let stream = index(output);
                let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                if bytes.is_empty() || bytes.len() > MAX_CHUNK || job.ended[stream] {
                    return Err("bytes that cannot be".to_owned());
                }
                job.allowed[stream] = job.allowed[stream].checked_sub(length).ok_or("more bytes than were granted")?;
                if !job.orphan {
                    job.happenings.push_back(Happening::Output(output, bytes));
                }
            }
            FromGuest::End { job, output } => self.job(job)?.ended[index(output)] = true,
            FromGuest::Credit { job, bytes } => {
                let job = self.job(job)?;
                // More than the agent's own buffer is no credit but nonsense.
                job.credit = (job.credit + u64::from(bytes)).min(u64::from(INPUT_WINDOW));
            }
            FromGuest::Exited { job, exit, usage } => {
                self.job(job)?.happenings.push_back(Happening::Exited(exit, usage));
                self.finish(job);
            }
            FromGuest::File { job, reply } => {
                self.job(job)?.reply = Some(reply);
                self.finish(job);
            }
            FromGuest::Failed { job, failure } => {
                self.job(job)?.failure = Some(failure);
                self.finish(job);
            }
        }
        Ok(())
    }

    fn job(&mut self, name: JobId) -> Result<&mut Job, String> {
        self.jobs.get_mut(&name).filter(|job| !job.over).ok_or_else(|| format!("word of job {name}, which is not"))
    }

    fn finish(&mut self, name: JobId) {
        if let Some(job) = self.jobs.get_mut(&name) {
            job.over = true;
            if job.orphan {
                self.jobs.remove(&name);
            }
        }
    }
}

impl Session {
    /// Begins to listen on a stream to an agent. Nothing is said yet.
    pub(crate) fn new(stream: UnixStream) -> Result<Self, Error> {
        let failed = |error| Error::io("the agent's stream", error);
        stream.set_write_timeout(Some(WRITE_PATIENCE)).map_err(failed)?;
        let reader = stream.try_clone().map_err(failed)?;
        let state = State {
            gone: None,
            hello: None,
            awake: None,
            pong: None,
            quiet: false,
            heard: Instant::now(),
            held: false,
            sequence: 0,
            next: 1,
            jobs: HashMap::new(),
        };
        let shared = Arc::new(Shared { writer: Mutex::new(stream), state: Mutex::new(state), changed: Condvar::new() });
        let listener = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("oubliette-agent".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || listener.listen(reader))
            .map_err(|error| Error::io("a thread", error))?;
        Ok(Self { shared })
    }

    /// Greets the agent and learns whether it speaks the same version.
    pub(crate) fn greet(&self, patience: Duration) -> Result<(), Error> {
        let mut bytes = PREAMBLE.to_vec();
        wire::encode(&ToGuest::Hello { version: VERSION }, &mut bytes).map_err(|error| Error::Unsupported(error.to_string()))?;
        self.shared.send_bytes(&bytes)?;
        let version = self.within(patience, |state| state.hello.take())?;
        if version == VERSION {
            return Ok(());
        }
        let error = Cause::Protocol(format!("the image's agent speaks version {version}, not {VERSION}"));
        self.shared.end(error.clone());
        Err(Error::Gone(error))
    }

    /// Gives the guest randomness and the time, and makes it forget every earlier session. How far its clock is off then.
    pub(crate) fn wake(&self, patience: Duration) -> Result<Duration, Error> {
        self.rouse(PREAMBLE.to_vec(), patience)
    }

    /// The same for a guest whose jobs go on.
    pub(crate) fn rewake(&self, patience: Duration) -> Result<Duration, Error> {
        self.rouse(Vec::new(), patience)
    }

    fn rouse(&self, mut bytes: Vec<u8>, patience: Duration) -> Result<Duration, Error> {
        for round in 1..=CLOCK_ROUNDS {
            let mut entropy = vec![0; 64];
            getrandom::fill(&mut entropy).map_err(|error| Error::io("randomness", error.into()))?;
            self.shared.state().awake = None;
            wire::encode(&ToGuest::Wake { entropy, now: now() }, &mut bytes).map_err(|error| Error::Unsupported(error.to_string()))?;
            self.shared.send_bytes(&bytes)?;
            let theirs = self.within(patience, |state| state.awake.take())?;
            let off = Duration::from_nanos(now().abs_diff(theirs));
            // A guest that hears its first word after a long time hears the time late; the second time it is quick.
            if off < CLOCK || round == CLOCK_ROUNDS {
                return Ok(off);
            }
            bytes.clear();
        }
        Ok(Duration::ZERO)
    }

    /// Asks for a sign of life.
    pub(crate) fn ping(&self, patience: Duration) -> Result<Health, Error> {
        let sequence = {
            let mut state = self.shared.state();
            state.sequence += 1;
            state.sequence
        };
        self.shared.send(&[ToGuest::Ping { sequence }])?;
        self.within(patience, |state| state.pong.filter(|(answered, _)| *answered >= sequence).map(|(_, health)| health))
    }

    /// Ends every job and has the guest write its caches out.
    pub(crate) fn quiesce(&self, patience: Duration) -> Result<(), Error> {
        self.shared.state().quiet = false;
        self.shared.send(&[ToGuest::Quiesce])?;
        self.within(patience, |state| state.quiet.then_some(()))
    }

    /// Has the guest switch itself off.
    pub(crate) fn power_off(&self) -> Result<(), Error> {
        self.shared.send(&[ToGuest::PowerOff])
    }

    fn within<T>(&self, patience: Duration, ready: impl FnMut(&mut State) -> Option<T>) -> Result<T, Error> {
        let result = self.shared.wait(Some(Instant::now() + patience), ready)?;
        result.ok_or_else(|| {
            let cause = Cause::Silent(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX));
            self.shared.end(cause);
            self.shared.gone()
        })
    }

    /// Why the session ended, if it has.
    pub(crate) fn gone(&self) -> Option<Cause> {
        self.shared.state().gone.clone()
    }

    /// Ends the session: whoever waits hears the cause.
    pub(crate) fn end(&self, cause: Cause) {
        self.shared.end(cause);
    }

    /// Says that the guest is held on purpose, or no more.
    pub(crate) fn set_held(&self, held: bool) {
        let mut state = self.shared.state();
        state.held = held;
        state.heard = Instant::now();
    }

    /// Begins to watch: a guest that falls silent, whose clock stands still or whose disk broke ends its session with the cause.
    pub(crate) fn watch(&self, watch: Watch) -> Result<(), Error> {
        let watched = self.clone();
        std::thread::Builder::new()
            .name("oubliette-watch".to_owned())
            .stack_size(128 * 1024)
            .spawn(move || watched.keep_watch(&watch))
            .map(drop)
            .map_err(|error| Error::io("a thread", error))
    }

    fn keep_watch(&self, watch: &Watch) {
        let mut before: Option<(Instant, Health)> = None;
        loop {
            // Returns early only when the session ends.
            if self.shared.wait::<()>(Some(Instant::now() + watch.interval), |_| None).is_err() {
                return;
            }
            if self.shared.state().held {
                before = None;
                continue;
            }
            let asked = Instant::now();
            let health = match self.try_ping(watch.patience) {
                Ok(Some(health)) => health,
                // Held meanwhile.
                Ok(None) => continue,
                Err(_) => return,
            };
            if let Some((then, earlier)) = before {
                let ours = asked.duration_since(then);
                let theirs = Duration::from_nanos(health.monotonic.saturating_sub(earlier.monotonic));
                if theirs < ours / 20 {
                    return self.end(Cause::ClockStopped);
                }
            }
            if health.disk_read_only {
                return self.end(Cause::DiskQuota);
            }
            before = Some((asked, health));
        }
    }

    /// A ping that gives up without a verdict if the guest is held before it answers.
    fn try_ping(&self, patience: Duration) -> Result<Option<Health>, Error> {
        let sequence = {
            let mut state = self.shared.state();
            state.sequence += 1;
            state.sequence
        };
        self.shared.send(&[ToGuest::Ping { sequence }])?;
        self.within(patience, |state| {
            if state.held {
                return Some(None);
            }
            state.pong.filter(|(answered, _)| *answered >= sequence).map(|(_, health)| Some(health))
        })
    }

    fn enter(&self, window: u32, credit: u64) -> Result<JobId, Error> {
        let mut state = self.shared.state();
        if state.jobs.len() >= MAX_JOBS {
            let message = format!("{MAX_JOBS} jobs run already");
            return Err(Error::Guest(Failure { kind: FailureKind::Busy, message }));
        }
        let name = state.next;
        state.next = state.next.wrapping_add(1);
        state.jobs.insert(name, Job::new(window, credit));
        Ok(name)
    }

    /// Starts a process. Its input may be written at once.
    pub(crate) fn start(&self, mut program: Program) -> Result<Process, Error> {
        program.window = WINDOW;
        let job = self.enter(WINDOW, INPUT_WINDOW.into())?;
        let process = Process { session: self.clone(), job };
        self.shared.send(&[ToGuest::Start { job, program }])?;
        Ok(process)
    }

    /// Does a file operation that is no transfer.
    pub(crate) fn ask(&self, operation: FileOperation, user: User, deadline: Option<Instant>) -> Result<FileReply, Error> {
        let transfer = Transfer::begin(self, operation, user)?;
        transfer.reply(deadline)
    }

    /// Sends a file in.
    pub(crate) fn upload(
        &self,
        path: &str,
        mode: u32,
        user: User,
        from: &mut dyn Read,
        limit: u64,
        deadline: Option<Instant>,
    ) -> Result<u64, Error> {
        let operation = FileOperation::Put { path: path.to_owned(), mode, limit };
        let transfer = Transfer::begin(self, operation, user)?;
        let mut bytes = vec![0; MAX_CHUNK];
        loop {
            let count = match from.read(&mut bytes) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::io("reading what is sent", error)),
            };
            if !transfer.wait_credit(count as u64, deadline)? {
                break;
            }
            self.shared.send(&[ToGuest::Data { job: transfer.job, bytes: bytes[..count].to_vec() }])?;
        }
        self.shared.send(&[ToGuest::End { job: transfer.job }])?;
        match transfer.reply(deadline)? {
            FileReply::Done { bytes } => Ok(bytes),
            _ => Err(self.nonsense()),
        }
    }

    /// Takes a file out.
    pub(crate) fn download(&self, path: &str, user: User, to: &mut dyn Write, limit: u64, deadline: Option<Instant>) -> Result<u64, Error> {
        let operation = FileOperation::Get { path: path.to_owned(), limit, window: WINDOW };
        let transfer = Transfer::begin(self, operation, user)?;
        let job = transfer.job;
        let mut left = limit;
        loop {
            let next = self.shared.wait(deadline, |state| {
                let entry = state.jobs.get_mut(&job)?;
                match entry.happenings.pop_front() {
                    Some(Happening::Output(_, bytes)) => Some(Some(bytes)),
                    _ if entry.over => Some(None),
                    _ => None,
                }
            })?;
            match next {
                None => return Err(late()),
                Some(None) => break,
                Some(Some(bytes)) => {
                    // What the agent refuses to bound is bounded here.
                    left = left.checked_sub(bytes.len() as u64).ok_or_else(|| self.nonsense())?;
                    to.write_all(&bytes).map_err(|error| Error::io("writing what was fetched", error))?;
                    self.took(job, Output::Out, bytes.len())?;
                }
            }
        }
        match transfer.reply(deadline)? {
            FileReply::Done { bytes } if bytes == limit - left => Ok(bytes),
            _ => Err(self.nonsense()),
        }
    }

    /// Notes that a client took bytes, and grants the agent as many when enough have come together.
    fn took(&self, job: JobId, output: Output, count: usize) -> Result<(), Error> {
        let stream = index(output);
        let mut state = self.shared.state();
        let Some(entry) = state.jobs.get_mut(&job) else { return Ok(()) };
        entry.taken[stream] += u32::try_from(count).unwrap_or(u32::MAX);
        if entry.taken[stream] < WINDOW / 4 || entry.over || entry.ended[stream] {
            return Ok(());
        }
        let bytes = std::mem::take(&mut entry.taken[stream]);
        entry.allowed[stream] += bytes;
        drop(state);
        self.shared.send(&[ToGuest::Credit { job, output, bytes }])
    }

    fn leave(&self, job: JobId) {
        let mut state = self.shared.state();
        let Some(entry) = state.jobs.get_mut(&job) else { return };
        if entry.over {
            state.jobs.remove(&job);
            return;
        }
        entry.orphan = true;
        entry.happenings.clear();
        drop(state);
        // If the machine is gone there is nothing to abandon.
        drop(self.shared.send(&[ToGuest::Abandon { job }]));
    }

    fn nonsense(&self) -> Error {
        self.shared.end(Cause::Protocol("an answer that does not fit the question".to_owned()));
        self.shared.gone()
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn late() -> Error {
    Error::Guest(Failure { kind: FailureKind::Other, message: "its time is up".to_owned() })
}

/// A file operation under way; dropped, it is abandoned.
struct Transfer<'a> {
    session: &'a Session,
    job: JobId,
}

impl<'a> Transfer<'a> {
    fn begin(session: &'a Session, operation: FileOperation, user: User) -> Result<Self, Error> {
        let job = session.enter(WINDOW, 0)?;
        let transfer = Self { session, job };
        session.shared.send(&[ToGuest::File { job, operation, user }])?;
        Ok(transfer)
    }

    /// Waits until so much may be sent; false if the agent ended the transfer meanwhile.
    fn wait_credit(&self, count: u64, deadline: Option<Instant>) -> Result<bool, Error> {
        let result = self.session.shared.wait(deadline, |state| {
            let job = state.jobs.get_mut(&self.job)?;
            if job.over {
                return Some(false);
            }
            job.credit = job.credit.checked_sub(count)?;
            Some(true)
        })?;
        result.ok_or_else(late)
    }

    fn reply(&self, deadline: Option<Instant>) -> Result<FileReply, Error> {
        let result = self.session.shared.wait(deadline, |state| {
            let job = state.jobs.get_mut(&self.job)?;
            job.failure.take().map(Err).or_else(|| job.reply.take().map(Ok))
        })?;
        Ok(result.ok_or_else(late)??)
    }
}

impl Drop for Transfer<'_> {
    fn drop(&mut self) {
        self.session.leave(self.job);
    }
}

/// A process in a machine. Dropped, it is killed with all that it started.
#[derive(Debug)]
pub struct Process {
    session: Session,
    job: JobId,
}

impl Process {
    /// Waits for what it does next; `None` when the deadline passes first.
    ///
    /// What is not asked for waits in the guest: beyond a quarter of a megabyte the process is held when it writes.
    ///
    /// # Errors
    /// [`Error::Guest`] if it could not be started, [`Error::Gone`] if the machine ended.
    pub fn next(&self, deadline: Option<Instant>) -> Result<Option<Happening>, Error> {
        let happening = self.session.shared.wait(deadline, |state| {
            let Some(job) = state.jobs.get_mut(&self.job) else {
                return Some(Err(Failure { kind: FailureKind::Abandoned, message: "it has ended".to_owned() }));
            };
            let happening = job.happenings.pop_front().map(Ok);
            happening.or_else(|| job.failure.clone().map(Err))
        })?;
        let Some(happening) = happening else { return Ok(None) };
        let happening = happening?;
        if let Happening::Output(output, bytes) = &happening {
            self.session.took(self.job, *output, bytes.len())?;
        }
        Ok(Some(happening))
    }

    /// Writes to its standard input as much as it takes before the deadline; how much that was.
    ///
    /// # Errors
    /// [`Error::Gone`] if the machine ended. Input for a process that ended is taken and forgotten, as by a pipe.
    pub fn write(&self, bytes: &[u8], deadline: Option<Instant>) -> Result<usize, Error> {
        let mut written = 0;
        while written < bytes.len() {
            let wanted = (bytes.len() - written).min(MAX_CHUNK) as u64;
            let granted = self.session.shared.wait(deadline, |state| match state.jobs.get_mut(&self.job) {
                Some(job) if !job.over => {
                    let granted = wanted.min(job.credit);
                    job.credit -= granted;
                    (granted > 0).then_some(Some(granted))
                }
                _ => Some(None),
            })?;
            match granted {
                None => return Ok(written),
                Some(None) => return Ok(bytes.len()),
                Some(Some(granted)) => {
                    let end = written + usize::try_from(granted).unwrap_or(0);
                    let data = ToGuest::Data { job: self.job, bytes: bytes[written..end].to_vec() };
                    self.session.shared.send(&[data])?;
                    written = end;
                }
            }
        }
        Ok(written)
    }

    /// Closes its standard input; a terminal sees an end-of-transmission character.
    ///
    /// # Errors
    /// [`Error::Gone`] if the machine ended.
    pub fn end_input(&self) -> Result<(), Error> {
        self.session.shared.send(&[ToGuest::End { job: self.job }])
    }

    /// Sends a signal (its Linux number) to it and all that it started.
    ///
    /// # Errors
    /// [`Error::Gone`] if the machine ended.
    pub fn signal(&self, number: u8) -> Result<(), Error> {
        self.session.shared.send(&[ToGuest::Signal { job: self.job, signal: number }])
    }

    /// Gives its terminal another size.
    ///
    /// # Errors
    /// [`Error::Gone`] if the machine ended.
    pub fn resize(&self, terminal: Terminal) -> Result<(), Error> {
        self.session.shared.send(&[ToGuest::Resize { job: self.job, terminal }])
    }

    /// Waits until it runs: its number in the guest, or `None` when the deadline passes first.
    ///
    /// # Errors
    /// [`Error::Guest`] if it could not be started, [`Error::Gone`] if the machine ended.
    pub fn started(&self, deadline: Option<Instant>) -> Result<Option<u32>, Error> {
        let result = self.session.shared.wait(deadline, |state| {
            let job = state.jobs.get(&self.job)?;
            job.started.map(Ok).or_else(|| job.failure.clone().map(Err))
        })?;
        Ok(result.transpose()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.session.leave(self.job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A session whose agent is us.
    fn pair() -> (Session, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        (Session::new(ours).expect("a session"), theirs)
    }

    fn say(stream: &mut UnixStream, message: &FromGuest) {
        let mut bytes = Vec::new();
        wire::encode(message, &mut bytes).expect("short enough");
        // The session may be over already.
        drop(stream.write_all(&bytes));
    }

    fn program() -> Program {
        crate::machine::Command::new(["x"]).limits_only()
    }

    fn verdict(session: &Session) -> Cause {
        let deadline = Some(Instant::now() + Duration::from_secs(20));
        match session.shared.wait::<()>(deadline, |_| None) {
            Err(Error::Gone(cause)) => cause,
            other => panic!("it goes on: {other:?}"),
        }
    }

    #[test]
    fn bytes_beyond_the_window_end_the_session() {
        let (session, mut agent) = pair();
        let process = session.start(program()).expect("sent");
        for _ in 0..=WINDOW / 32768 {
            say(&mut agent, &FromGuest::Data { job: process.job, output: Output::Out, bytes: vec![0; 32768] });
        }
        assert!(matches!(verdict(&session), Cause::Protocol(_)));
    }

    #[test]
    fn word_of_what_is_not_ends_the_session() {
        for message in [
            FromGuest::Started { job: 99, pid: 1 },
            FromGuest::Data { job: 99, output: Output::Err, bytes: vec![1] },
            FromGuest::Exited { job: 0, exit: Exit::Code(0), usage: JobUsage::default() },
            FromGuest::Fault { reason: "x".to_owned() },
        ] {
            let (session, mut agent) = pair();
            say(&mut agent, &message);
            assert!(matches!(verdict(&session), Cause::Protocol(_)), "{message:?}");
        }
    }

    #[test]
    fn an_agent_that_hangs_up_is_told_of() {
        let (session, agent) = pair();
        let process = session.start(program()).expect("sent");
        drop(agent);
        assert!(matches!(process.next(None), Err(Error::Gone(Cause::Died(_)))));
    }

    #[test]
    fn silence_has_an_end() {
        let (session, _agent) = pair();
        let answer = session.ping(Duration::from_millis(30));
        assert!(matches!(answer, Err(Error::Gone(Cause::Silent(30)))), "{answer:?}");
    }

    /// As many cases as `PROPTEST_CASES` says, else so many: a long run is a setting, not another program.
    fn cases(usual: u32) -> ProptestConfig {
        let cases = if std::env::var_os("PROPTEST_CASES").is_some() { ProptestConfig::default().cases } else { usual };
        ProptestConfig::with_cases(cases)
    }

    fn said() -> impl Strategy<Value = FromGuest> {
        let job = 0u32..4;
        let output = prop_oneof![Just(Output::Out), Just(Output::Err)];
        let text = "[a-z]{0,9}";
        let entry = ("\\PC{0,40}", any::<u64>(), any::<u32>()).prop_map(|(name, size, mode)| wire::Entry {
            name,
            kind: wire::FileKind::File,
            size,
            mode,
            modified: 0,
        });
        prop_oneof![
            any::<u16>().prop_map(|version| FromGuest::Hello { version }),
            any::<u64>().prop_map(|now| FromGuest::Awake { now }),
            any::<u64>().prop_map(|sequence| FromGuest::Pong { sequence, health: Health::default() }),
            Just(FromGuest::Quiet),
            (job.clone(), any::<u32>()).prop_map(|(job, pid)| FromGuest::Started { job, pid }),
            (job.clone(), output.clone(), prop::collection::vec(any::<u8>(), 0..MAX_CHUNK + 9))
                .prop_map(|(job, output, bytes)| FromGuest::Data { job, output, bytes }),
            (job.clone(), output).prop_map(|(job, output)| FromGuest::End { job, output }),
            (job.clone(), any::<u32>()).prop_map(|(job, bytes)| FromGuest::Credit { job, bytes }),
            job.clone().prop_map(|job| FromGuest::Exited { job, exit: Exit::Code(0), usage: JobUsage::default() }),
            (job.clone(), any::<u64>()).prop_map(|(job, bytes)| FromGuest::File { job, reply: FileReply::Done { bytes } }),
            (job.clone(), prop::collection::vec(entry, 0..9), any::<bool>())
                .prop_map(|(job, entries, more)| FromGuest::File { job, reply: FileReply::Entries { entries, more } }),
            (job, text).prop_map(|(job, message)| FromGuest::Failed { job, failure: Failure { kind: FailureKind::Other, message } }),
        ]
    }

    proptest! {
        #![proptest_config(cases(64))]

        /// Messages that are well formed, but said at the wrong time, of the wrong job, too often, or with a byte changed:
        /// the host never panics, never holds more than it granted, and every question has an answer.
        #[test]
        fn an_agent_that_lies_only_ends_its_session(
            messages in prop::collection::vec(said(), 1..30),
            change in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let (session, mut agent) = pair();
            let process = session.start(program()).expect("sent");
            let mut bytes = Vec::new();
            for message in &messages {
                // One that is longer than a frame is refused here already.
                let _ = wire::encode(message, &mut bytes);
            }
            if let Some((place, value)) = change
                && !bytes.is_empty()
            {
                let place = place.index(bytes.len());
                bytes[place] ^= value;
            }
            let liar = std::thread::spawn(move || {
                drop(agent.write_all(&bytes));
                drop(agent.shutdown(std::net::Shutdown::Write));
                agent
            });
            // Each of these ends: with an answer, or with the end of the session.
            let soon = Some(Instant::now() + Duration::from_secs(20));
            drop(session.ask(FileOperation::Stat { path: "x".to_owned() }, User::User, soon));
            drop(session.download("x", User::User, &mut Vec::new(), 1000, soon));
            while let Ok(Some(_)) = process.next(soon) {}
            verdict(&session);
            let held: usize = session.shared.state().jobs.values().flat_map(|job| &job.happenings).map(|happening| match happening {
                Happening::Output(_, bytes) => bytes.len(),
                Happening::Exited(..) => 0,
            }).sum();
            prop_assert!(held <= 2 * WINDOW as usize);
            drop(liar.join());
        }
    }

    proptest! {
        #![proptest_config(cases(64))]

        /// Whatever an agent says, the host neither panics nor holds more than it granted, and it knows the end.
        #[test]
        fn garbage_from_the_guest_only_ends_its_session(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..3000), 1..20)) {
            let (session, mut agent) = pair();
            let process = session.start(program()).expect("sent");
            for piece in &pieces {
                drop(agent.write_all(piece));
            }
            drop(agent);
            verdict(&session);
            let held: usize = session.shared.state().jobs.values().flat_map(|job| &job.happenings).map(|happening| match happening {
                Happening::Output(_, bytes) => bytes.len(),
                Happening::Exited(..) => 0,
            }).sum();
            prop_assert!(held <= 2 * WINDOW as usize);
            drop(process);
        }
    }
}
