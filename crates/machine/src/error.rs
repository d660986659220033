//! What goes wrong on the host's side, and why a machine ended.

use std::io;
use std::path::PathBuf;

/// Misuse, or a failure of the host or of a machine. What a guest's program does is an outcome, not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no finished image.
    #[error("there is no machine image in {}: build one with `oubliette image build`", folder.display())]
    NoImage {
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// An image could not be made.
    #[error("while {step}: {message}")]
    Build {
        /// The step that failed.
        step: String,
        /// Its last words.
        message: String,
    },
    /// The description of the languages or of the image is wrong.
    #[error("catalogue: {0}")]
    Catalogue(String),
    /// There is no such language, or it is not in the image.
    #[error("{0}")]
    Language(String),
    /// QEMU is missing or is of no use.
    #[error("QEMU: {0}")]
    Qemu(String),
    /// The host's system refused something.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The machine is no more.
    #[error("the machine ended: {0}")]
    Gone(Cause),
    /// The guest's system refused something; the machine lives.
    #[error("in the machine: {0}")]
    Guest(#[from] wire::Failure),
    /// Something that machines cannot do was asked for.
    #[error("{0}")]
    Unsupported(String),
}

impl Error {
    /// An error of the host's system with what was tried.
    pub(crate) fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }
}

/// Why a machine ended. What a client is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// Its owner let it go.
    #[error("it was let go")]
    Dropped,
    /// The guest switched itself off or restarted.
    #[error("the guest switched itself off")]
    PoweredOff,
    /// QEMU ended unasked.
    #[error("QEMU ended ({0})")]
    Died(String),
    /// The agent did not answer in time: a panic, a hang, a killed or starved agent.
    #[error("the agent did not answer for {0} ms")]
    Silent(u64),
    /// The guest's clock stands still or runs backwards.
    #[error("the guest's clock stands still")]
    ClockStopped,
    /// The agent, or what took its place, broke the protocol.
    #[error("the agent broke the protocol: {0}")]
    Protocol(String),
    /// The overlay on the host reached its quota.
    #[error("the disk's quota on the host is used up")]
    DiskQuota,
    /// The guest used more processor time, or the wall clock, than it was given.
    #[error("its time is up")]
    OutOfTime,
    /// QEMU does not answer on its control channel.
    #[error("QEMU's control channel: {0}")]
    Control(String),
}
