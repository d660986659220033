//! QEMU: how it is started, confined and talked to.
//!
//! This is the seam where another monitor would fit: above it a machine is a [`Monitor`] with a stream to its
//! agent, that can be paused, continued, frozen and ended.

mod command;
mod confine;
mod control;
mod lend;
mod spawn;

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

pub use command::Accelerator;
pub(crate) use command::{Boot, Frame, Launch, Ram};
pub use confine::Confinement;
pub(crate) use control::Control;
pub use control::Notice;
pub(crate) use lend::is_possible as can_lend;

use crate::{Cause, Error};

/// The most of QEMU's own messages that is kept, in bytes.
const COMPLAINTS: usize = 4096;

/// A running QEMU. It dies with its handle, and with the process that started it.
#[derive(Debug)]
pub(crate) struct Monitor {
    /// There until it is dropped.
    child: Option<std::process::Child>,
    pid: rustix::process::Pid,
    control: Option<Control>,
    complaints: io::PipeReader,
}

impl Monitor {
    /// Starts QEMU; its agent's stream comes beside it. The control channel is opened by the first use.
    pub(crate) fn launch(launch: Launch<'_>) -> Result<(Self, UnixStream), Error> {
        let (agent, theirs) = UnixStream::pair().map_err(|error| Error::io("a socket pair", error))?;
        let (qmp, qmp_theirs) = UnixStream::pair().map_err(|error| Error::io("a socket pair", error))?;
        let (complaints, pipe) = io::pipe().map_err(|error| Error::io("a pipe", error))?;
        for end in [
            rustix::fs::fcntl_setfl(&pipe, rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::WRONLY),
            rustix::fs::fcntl_setfl(&complaints, rustix::fs::OFlags::NONBLOCK),
        ] {
            end.map_err(|error| Error::io("a pipe", error.into()))?;
        }
        let (command, loan) = command::assemble(launch, theirs.into(), qmp_theirs.into(), pipe)?;
        let child = spawn::spawn(command).map_err(|error| Error::io("starting QEMU", error))?;
        let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
        let pid = pid.ok_or_else(|| Error::Qemu("a process without a number".to_owned()))?;
        let mut monitor = Self { child: Some(child), pid, control: None, complaints };
        if let Some(loan) = loan {
            loan.serve().map_err(|error| monitor.explain(&error))?;
        }
        match Control::open(qmp) {
            Ok(control) => monitor.control = Some(control),
            Err(error) => return Err(monitor.explain(&error)),
        }
        Ok((monitor, agent))
    }

    /// What QEMU says about its own end, or the error that we saw.
    fn explain(&mut self, error: &io::Error) -> Error {
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(200) && self.ended().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let complaints = self.complaints();
        if complaints.is_empty() { Error::Qemu(error.to_string()) } else { Error::Qemu(complaints) }
    }

    /// What QEMU wrote to its standard error so far.
    pub(crate) fn complaints(&mut self) -> String {
        let mut bytes = vec![0; COMPLAINTS];
        let count = self.complaints.read(&mut bytes).unwrap_or(0);
        String::from_utf8_lossy(&bytes[..count]).trim().to_owned()
    }

    /// The control channel.
    pub(crate) fn control(&mut self) -> Result<&mut Control, Error> {
        self.control.as_mut().ok_or_else(|| Error::Gone(Cause::Control("closed".to_owned())))
    }

    /// The number of QEMU's process.
    pub(crate) fn pid(&self) -> rustix::process::Pid {
        self.pid
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<String> {
        match self.child.as_mut()?.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(match (status.code(), status.signal()) {
                (Some(code), _) => format!("status {code}"),
                (None, Some(signal)) => format!("signal {signal}"),
                (None, None) => status.to_string(),
            }),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Lets the guest run.
    pub(crate) fn resume(&mut self) -> Result<(), Error> {
        self.control()?.resume().map_err(control_error)
    }

    /// Holds the guest.
    pub(crate) fn pause(&mut self) -> Result<(), Error> {
        self.control()?.pause().map_err(control_error)
    }

    /// Writes the state of the devices (and the memory, unless it is shared with a file) to a stream and waits for the end.
    pub(crate) fn freeze(&mut self, to: OwnedFd, with_memory: bool, patience: Duration) -> Result<(), Error> {
        self.control()?.freeze(to, with_memory, patience).map_err(control_error)
    }

    /// Reads the state that [`freeze`](Self::freeze) wrote, from the descriptor given at the start. The guest stays paused.
    pub(crate) fn thaw(&mut self, with_memory: bool, patience: Duration) -> Result<(), Error> {
        let result = self.control()?.thaw(command::STATE_FD, with_memory, patience);
        result.map_err(|error| match self.explain(&error) {
            Error::Qemu(text) => Error::Qemu(format!("restoring: {text}")),
            other => other,
        })
    }

    /// Ends it now, and waits until it has.
    pub(crate) fn kill(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // There is nothing in it that would have to be saved, and it may be hanging.
        if let Some(child) = self.child.take() {
            spawn::end(child);
        }
    }
}

fn control_error(error: io::Error) -> Error {
    Error::Gone(Cause::Control(error.to_string()))
}
