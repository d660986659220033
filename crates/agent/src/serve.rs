//! The loop: one channel, many jobs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::WaitOptions;
use wire::{Decoder, FailureKind, FileOperation, FromGuest, JobId, JobLimits, MAX_CHUNK, MAX_FRAME, MAX_JOBS, ToGuest, User, VERSION};

use crate::files::{self, Begun, Download, Upload};
use crate::groups::Groups;
use crate::health;
use crate::job::{Outbox, cut, failure};
use crate::process::Process;
use crate::starter::Starter;
use crate::system;

const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// How long the host must have wanted nothing before the agent tidies up: its next question should not wait for that.
const IDLE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// How the agent serves.
#[derive(Debug, Default)]
pub struct Config {
    /// Where jobs' control groups are made.
    pub groups: Groups,
    /// Whether this is the first process of a machine: it may set the clock and switch the machine off, and
    /// outlives its channel.
    pub machine: bool,
}

enum Job {
    Process(Process),
    Upload(Upload),
    Download(Download),
}

struct Server {
    config: Config,
    outbox: Outbox,
    jobs: BTreeMap<JobId, Job>,
    /// The process that the next program becomes.
    waiting: Option<Starter>,
    /// What the last program of the user's was limited to, until a process waits for the next.
    limits: Option<JobLimits>,
}

/// Whether the loop goes on.
enum Next {
    Go,
    Disconnected,
}

/// Serves one channel. In a machine it never returns; outside one it returns when the channel is closed.
///
/// # Errors
/// When the channel or the notice of ended children cannot be set up, or `poll` fails.
pub fn serve(channel: OwnedFd, config: Config) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(&channel)?;
    rustix::fs::fcntl_setfl(&channel, flags | rustix::fs::OFlags::NONBLOCK)?;
    let (mut ended, notify) = io::pipe()?;
    rustix::fs::fcntl_setfl(&ended, rustix::fs::OFlags::NONBLOCK)?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGCHLD, notify)?;

    let machine = config.machine;
    let mut server = Server { config, outbox: Outbox::default(), jobs: BTreeMap::new(), waiting: None, limits: None };
    let mut decoder = Decoder::new();
    // Whatever a former host began is nothing to us.
    decoder.lose();
    loop {
        let flags = server.wait(channel.as_fd(), ended.as_fd())?;
        while ended.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
        server.reap();
        let next = server.turn(&channel, &mut decoder, flags);
        if matches!(next, Next::Disconnected) {
            server.end_all();
            decoder.forget();
            if !machine {
                return Ok(());
            }
            // A port whose host is away is always ready: look again now and then.
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Server {
    /// Waits until the channel or a job can move.
    fn wait(&mut self, channel: BorrowedFd<'_>, ended: BorrowedFd<'_>) -> io::Result<PollFlags> {
        let mut wanted = PollFlags::empty();
        if !self.outbox.is_full() {
            wanted |= PollFlags::IN;
        }
        if !self.outbox.is_empty() {
            wanted |= PollFlags::OUT;
        }
        let room = self.outbox.has_room();
        let mut fds = vec![PollFd::from_borrowed_fd(channel, wanted), PollFd::from_borrowed_fd(ended, PollFlags::IN)];
        let mut ready = false;
        for job in self.jobs.values() {
            match job {
                Job::Process(process) => {
                    process.interests(room, &mut |fd, flags| fds.push(PollFd::from_borrowed_fd(fd, flags)));
                }
                Job::Download(download) => ready |= room && download.is_ready(),
                Job::Upload(_) => {}
            }
        }
        let tidy = self.jobs.is_empty() && (self.config.groups.is_untidy() || self.wants_starter());
        let patience = match (ready, tidy) {
            (true, _) => Some(&AT_ONCE),
            (false, true) => Some(&IDLE),
            (false, false) => None,
        };
        let moved = poll(&mut fds, patience);
        let flags = fds[0].revents();
        match moved {
            Ok(0) if tidy => self.tidy(),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(flags)
    }

    /// Reads what the host says, moves what jobs have, writes what waits.
    fn turn(&mut self, channel: &OwnedFd, decoder: &mut Decoder, flags: PollFlags) -> Next {
        if flags.intersects(PollFlags::IN | PollFlags::HUP) && !self.outbox.is_full() {
            let mut bytes = vec![0; MAX_FRAME];
            match rustix::io::read(channel, &mut bytes) {
                Ok(0) => return Next::Disconnected,
                Ok(count) => self.listen(decoder, &bytes[..count]),
                Err(Errno::AGAIN | Errno::INTR) if !flags.contains(PollFlags::HUP) => {}
                Err(_) => return Next::Disconnected,
            }
        }
        self.pump();
        match self.outbox.flush(channel) {
            Ok(()) => Next::Go,
            Err(_) => Next::Disconnected,
        }
    }

    fn listen(&mut self, decoder: &mut Decoder, bytes: &[u8]) {
        decoder.feed(bytes);
        loop {
            let preambles = decoder.preambles();
            let message = decoder.next_message::<ToGuest>();
            if decoder.preambles() != preambles {
                self.end_all();
            }
            let fault = match message {
                Ok(None) => return,
                Ok(Some(message)) => self.obey(message),
                Err(malformed) => Err(malformed.to_string()),
            };
            if let Err(reason) = fault {
                self.end_all();
                decoder.lose();
                self.outbox.push(&FromGuest::Fault { reason });
            }
        }
    }

    /// Does what the host asks. The error is a breach of the protocol.
    fn obey(&mut self, message: ToGuest) -> Result<(), String> {
        match message {
            ToGuest::Hello { version: _ } => self.outbox.push(&FromGuest::Hello { version: VERSION }),
            ToGuest::Wake { entropy, now } => self.wake(&entropy, now)?,
            ToGuest::Ping { sequence } => {
                let health = health::health(self.jobs.len());
                self.outbox.push(&FromGuest::Pong { sequence, health });
            }
            ToGuest::Start { job, program } => {
                if self.admit(job) {
                    self.limits = (program.user == User::User).then_some(program.limits).or(self.limits);
                    match Process::start(job, &program, &mut self.config.groups, self.waiting.take()) {
                        Ok(process) => {
                            let pid = process.pid().as_raw_nonzero().get().unsigned_abs();
                            self.jobs.insert(job, Job::Process(process));
                            self.outbox.push(&FromGuest::Started { job, pid });
                        }
                        Err(error) => {
                            let what = program.argv.first().map_or("", String::as_str);
                            self.fail(job, what, &error);
                        }
                    }
                }
            }
            ToGuest::File { job, operation, user } => {
                if self.admit(job) {
                    self.file(job, operation, user);
                }
            }
            ToGuest::Data { job, bytes } => return self.data(job, &bytes),
            ToGuest::End { job } => match self.jobs.get_mut(&job) {
                Some(Job::Process(process)) => process.end_input(),
                Some(Job::Upload(_)) => {
                    if let Some(Job::Upload(upload)) = self.jobs.remove(&job) {
                        match upload.finish() {
                            Ok(reply) => self.outbox.push(&FromGuest::File { job, reply }),
                            Err(error) => self.fail(job, "upload", &error),
                        }
                    }
                }
                Some(Job::Download(_)) | None => {}
            },
            ToGuest::Credit { job, output, bytes } => match self.jobs.get_mut(&job) {
                Some(Job::Process(process)) => process.credit(output, bytes),
                Some(Job::Download(download)) => download.credit(bytes),
                Some(Job::Upload(_)) | None => {}
            },
            ToGuest::Signal { job, signal } => {
                if let Some(Job::Process(process)) = self.jobs.get(&job) {
                    process.signal(signal);
                }
            }
            ToGuest::Resize { job, terminal } => {
                if let Some(Job::Process(process)) = self.jobs.get(&job) {
                    process.resize(terminal);
                }
            }
            ToGuest::Abandon { job } => match self.jobs.get_mut(&job) {
                Some(Job::Process(process)) => process.abandon(),
                Some(_) => {
                    self.jobs.remove(&job);
                    let failure = wire::Failure { kind: FailureKind::Abandoned, message: "abandoned".to_owned() };
                    self.outbox.push(&FromGuest::Failed { job, failure });
                }
                None => {}
            },
            ToGuest::Quiesce => {
                self.quiesce();
                self.outbox.push(&FromGuest::Quiet);
            }
            ToGuest::PowerOff => {
                self.quiesce();
                if self.config.machine {
                    let _ = rustix::system::reboot(rustix::system::RebootCommand::PowerOff);
                }
            }
        }
        Ok(())
    }

    /// Makes this machine differ from its siblings and sets its clock.
    fn wake(&mut self, entropy: &[u8], now: u64) -> Result<(), String> {
        let entropy = <[u8; 64]>::try_from(entropy).map_err(|_| "not 64 bytes of randomness".to_owned())?;
        if self.config.machine {
            let result = File::open("/dev/urandom").and_then(|random| system::reseed(random, entropy)).and_then(|()| {
                let time = rustix::time::Timespec {
                    tv_sec: i64::try_from(now / 1_000_000_000).unwrap_or(0),
                    tv_nsec: i64::try_from(now % 1_000_000_000).unwrap_or(0),
                };
                Ok(rustix::time::clock_settime(rustix::time::ClockId::Realtime, time)?)
            });
            // Only programs that care for it read it; one whose root took it away still wakes.
            drop(system::renew_machine_id());
            // A machine that could not be made to differ must not say that it was.
            if let Err(error) = result {
                return Err(format!("waking: {error}"));
            }
        }
        self.outbox.push(&FromGuest::Awake { now: health::now() });
        Ok(())
    }

    fn admit(&mut self, job: JobId) -> bool {
        let busy = self.jobs.len() >= MAX_JOBS || self.jobs.contains_key(&job);
        if busy {
            let failure = wire::Failure { kind: FailureKind::Busy, message: "too many jobs at a time".to_owned() };
            self.outbox.push(&FromGuest::Failed { job, failure });
        }
        !busy
    }

    fn fail(&mut self, job: JobId, what: &str, error: &io::Error) {
        self.outbox.push(&FromGuest::Failed { job, failure: failure(&cut(what, 256), error) });
    }

    fn file(&mut self, job: JobId, operation: FileOperation, user: User) {
        match files::begin(job, operation, user) {
            Ok(Begun::Reply(reply)) => self.outbox.push(&FromGuest::File { job, reply }),
            Ok(Begun::Upload(upload)) => {
                self.outbox.push(&FromGuest::Credit { job, bytes: wire::INPUT_WINDOW });
                self.jobs.insert(job, Job::Upload(upload));
            }
            Ok(Begun::Download(download)) => drop(self.jobs.insert(job, Job::Download(download))),
            Err(error) => self.fail(job, "file", &error),
        }
    }

    fn data(&mut self, job: JobId, bytes: &[u8]) -> Result<(), String> {
        if bytes.len() > MAX_CHUNK {
            return Err(format!("{} bytes at once", bytes.len()));
        }
        match self.jobs.get_mut(&job) {
            Some(Job::Process(process)) => {
                if !process.feed(bytes) {
                    return Err("more input than was granted".to_owned());
                }
            }
            Some(Job::Upload(upload)) => match upload.feed(bytes) {
                Ok(()) => {
                    let bytes = u32::try_from(bytes.len()).unwrap_or(0);
                    self.outbox.push(&FromGuest::Credit { job, bytes });
                }
                Err(error) => {
                    self.jobs.remove(&job);
                    self.fail(job, "upload", &error);
                }
            },
            // What was on its way when the job ended.
            Some(Job::Download(_)) | None => {}
        }
        Ok(())
    }

    fn pump(&mut self) {
        let mut over = Vec::new();
        for (&name, job) in &mut self.jobs {
            let done = match job {
                Job::Process(process) => process.pump(&mut self.outbox),
                Job::Download(download) => match download.pump(&mut self.outbox) {
                    Ok(done) => done,
                    Err(error) => {
                        let failure = failure("download", &error);
                        self.outbox.push(&FromGuest::Failed { job: name, failure });
                        true
                    }
                },
                Job::Upload(_) => false,
            };
            if done {
                over.push(name);
            }
        }
        for name in over {
            self.jobs.remove(&name);
        }
    }

    /// Takes notice of every process that ended, also of those that lost their parents.
    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            for job in self.jobs.values_mut() {
                if let Job::Process(process) = job
                    && process.pid() == pid
                {
                    process.exited(status);
                }
            }
        }
    }

    fn end_all(&mut self) {
        for job in self.jobs.values_mut() {
            if let Job::Process(process) = job {
                process.abandon();
            }
        }
        self.jobs.clear();
        self.outbox.clear();
    }

    /// Is there no process yet that waits to become the next program? Its limits are those of the last.
    fn wants_starter(&self) -> bool {
        self.config.machine && self.waiting.is_none() && self.limits.is_some()
    }

    /// Makes ready what the next job needs, and takes away what the last one left.
    fn tidy(&mut self) {
        self.config.groups.tidy();
        if self.wants_starter()
            && let Some(limits) = self.limits
        {
            // Without one the next program starts as any other; nor is it tried again before that.
            self.waiting = Starter::new(&mut self.config.groups, &limits).ok();
            self.limits = None;
            self.config.groups.tidy();
        }
    }

    /// Ends every job, waits for them to be gone (two seconds at most), tidies up, writes the disk's caches out.
    fn quiesce(&mut self) {
        for job in self.jobs.values_mut() {
            if let Job::Process(process) = job {
                process.abandon();
            }
        }
        self.jobs.retain(|_, job| matches!(job, Job::Process(_)));
        for _ in 0..200 {
            self.reap();
            self.pump();
            if self.jobs.is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.reap();
        self.tidy();
        if self.config.machine {
            rustix::fs::sync();
        }
    }
}
