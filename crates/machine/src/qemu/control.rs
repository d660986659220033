//! QMP, QEMU's control channel, through the `qapi` crate's blocking face: one machine asks one question at a time.
//!
//! What `qapi` does not do is pass descriptors; the writer below sends one along with the command that is about it.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use qapi::qmp::{self, MigrationCapability, MigrationCapabilityStatus, MigrationStatus};
use qapi::{Command, ExecuteError, Qmp, Stream};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

/// How long QEMU may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most bytes that QEMU may say in one machine's life. A sane one says a few kilobytes.
const MOST: u64 = 16 << 20;

/// What QEMU says unasked that machines care about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The guest switched itself off or asked for a restart.
    PoweredOff,
    /// The guest's kernel said that it panicked.
    Panicked,
    /// Writing to the overlay failed: its quota is used up, or the host's disk is full.
    DiskError,
}

type Channel = Stream<BufReader<Capped>, BufWriter<Passing>>;

/// An open control channel.
pub(crate) struct Control {
    qmp: Qmp<Channel>,
    notices: Vec<Notice>,
    migration: Option<MigrationStatus>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("notices", &self.notices).finish_non_exhaustive()
    }
}

/// Reads from QEMU, but not without end.
struct Capped {
    stream: UnixStream,
    left: u64,
}

impl Read for Capped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| io::Error::other("QEMU says too much"))?;
        Ok(count)
    }
}

/// Writes to QEMU, with a descriptor if one waits.
struct Passing {
    stream: UnixStream,
    descriptor: Option<OwnedFd>,
}

impl Write for Passing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(descriptor) = self.descriptor.take() else {
            return self.stream.write(bytes);
        };
        let descriptors = [descriptor.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        let slices = [io::IoSlice::new(bytes)];
        Ok(rustix::net::sendmsg(&self.stream, &slices, &mut control, SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Control {
    /// Greets QEMU.
    pub(super) fn open(stream: UnixStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let writer = BufWriter::new(Passing { stream: stream.try_clone()?, descriptor: None });
        let mut reader = BufReader::new(Capped { stream, left: MOST });
        // The crate's handshake takes a greeting for granted.
        if io::BufRead::fill_buf(&mut reader)?.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut qmp = Qmp::new(Stream::new(reader, writer));
        qmp.handshake().map_err(failed)?;
        Ok(Self { qmp, notices: Vec::new(), migration: None })
    }

    fn execute<C: Command>(&mut self, command: &C) -> io::Result<C::Ok> {
        let result = self.qmp.execute(command).map_err(failed);
        self.sort();
        result
    }

    /// Sorts what QEMU said unasked into what is cared about.
    fn sort(&mut self) {
        for event in self.qmp.events() {
            match event {
                qmp::Event::SHUTDOWN { .. } | qmp::Event::POWERDOWN { .. } => self.notices.push(Notice::PoweredOff),
                qmp::Event::GUEST_PANICKED { .. } => self.notices.push(Notice::Panicked),
                qmp::Event::BLOCK_IO_ERROR { .. } => self.notices.push(Notice::DiskError),
                qmp::Event::MIGRATION { data, .. } => self.migration = Some(data.status),
                _ => {}
            }
            self.notices.dedup();
        }
    }

    /// What QEMU said unasked since the last time; asks nothing of a QEMU that is silent beyond its patience.
    pub(crate) fn notices(&mut self) -> io::Result<Vec<Notice>> {
        self.execute(&qmp::query_status {})?;
        Ok(std::mem::take(&mut self.notices))
    }

    /// Sets how long it may take to answer from now on.
    pub(crate) fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.qmp.inner().get_ref_read().get_ref().stream.set_read_timeout(Some(patience))
    }

    pub(super) fn resume(&mut self) -> io::Result<()> {
        self.execute(&qmp::cont {}).map(drop)
    }

    pub(super) fn pause(&mut self) -> io::Result<()> {
        self.execute(&qmp::stop {}).map(drop)
    }

    fn capabilities(&mut self, with_memory: bool) -> io::Result<()> {
        let capabilities = vec![
            MigrationCapabilityStatus { capability: MigrationCapability::events, state: true },
            // Said either way: a clone was restored without its memory, and may be frozen with it.
            MigrationCapabilityStatus { capability: MigrationCapability::x_ignore_shared, state: !with_memory },
        ];
        self.execute(&qmp::migrate_set_capabilities { capabilities }).map(drop)
    }

    pub(super) fn freeze(&mut self, to: OwnedFd, with_memory: bool, patience: Duration) -> io::Result<()> {
        self.capabilities(with_memory)?;
        self.execute(&UnlimitedBandwidth { max_bandwidth: 1 << 40 })?;
        self.qmp.inner_mut().get_mut_write().get_mut().descriptor = Some(to);
        self.execute(&qmp::getfd { fdname: "state".to_owned() })?;
        self.migration = None;
        let uri = Some("fd:state".to_owned());
        self.execute(&Migrate { uri })?;
        self.await_migration(patience)
    }

    pub(super) fn thaw(&mut self, descriptor: RawFd, with_memory: bool, patience: Duration) -> io::Result<()> {
        self.capabilities(with_memory)?;
        self.migration = None;
        self.execute(&MigrateIncoming { uri: format!("fd:{descriptor}") })?;
        self.await_migration(patience)
    }

    /// Waits for the end of a migration: its event is among what QEMU says before it answers a question.
    fn await_migration(&mut self, patience: Duration) -> io::Result<()> {
        let start = Instant::now();
        loop {
            match self.migration {
                Some(MigrationStatus::completed) => return Ok(()),
                Some(MigrationStatus::failed | MigrationStatus::cancelled) => {
                    let information = self.execute(&qmp::query_migrate {})?;
                    let text = information.error_desc.unwrap_or_else(|| "failed".to_owned());
                    return Err(io::Error::other(text));
                }
                _ => {}
            }
            if start.elapsed() > patience {
                return Err(io::ErrorKind::TimedOut.into());
            }
            // A clone's state is read in three milliseconds, a whole memory is written in a second.
            std::thread::sleep((start.elapsed() / 8).clamp(Duration::from_micros(200), Duration::from_millis(20)));
            self.execute(&qmp::query_status {})?;
        }
    }
}

/// The crate's commands for these carry fields that QEMU 7.2 does not know yet.
#[derive(Debug, serde::Serialize)]
struct UnlimitedBandwidth {
    #[serde(rename = "max-bandwidth")]
    max_bandwidth: u64,
}

impl Command for UnlimitedBandwidth {
    const NAME: &'static str = "migrate-set-parameters";
    const ALLOW_OOB: bool = false;
    type Ok = qapi::Empty;
}

#[derive(Debug, serde::Serialize)]
struct Migrate {
    uri: Option<String>,
}

impl Command for Migrate {
    const NAME: &'static str = "migrate";
    const ALLOW_OOB: bool = false;
    type Ok = qapi::Empty;
}

#[derive(Debug, serde::Serialize)]
struct MigrateIncoming {
    uri: String,
}

impl Command for MigrateIncoming {
    const NAME: &'static str = "migrate-incoming";
    const ALLOW_OOB: bool = false;
    type Ok = qapi::Empty;
}

fn failed(error: ExecuteError) -> io::Error {
    match error {
        ExecuteError::Io(error) if error.kind() == io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        ExecuteError::Io(error) => error,
        ExecuteError::Qapi(error) => io::Error::other(error.to_string()),
    }
}
