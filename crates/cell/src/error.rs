//! Misuse by the embedder, or a failure of the host. What a guest does is an [`Outcome`](crate::Outcome), never one of these.

/// Misuse by the embedder, or a failure of the host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A limit was asked for that the engine cannot keep.
    #[error("the {engine} cell cannot keep a limit on {limit}; leave it out or choose another kind of cell")]
    LimitNotKept {
        /// The limit.
        limit: &'static str,
        /// The engine.
        engine: &'static str,
    },
    /// Something that this engine cannot do, or not now.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The program cannot be run at all.
    #[error("{0}")]
    Program(String),
    /// An argument of the embedder's makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The cell has ended for good.
    #[error("the cell is dead: {0}")]
    Dead(String),
    /// The cell is in the wrong state for this call.
    #[error("{0}")]
    State(String),
    /// A reference that was released, or that belongs to another cell.
    #[error("no such reference in this cell: it was released, or belongs to another cell")]
    NoSuchRef,
    /// A saved snapshot, journal or image is damaged, of another version or of another kind.
    #[error("{0}")]
    Damaged(String),
    /// A value that cannot cross the hatch.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// A replay went another way than its recording.
    #[error("the replay differs from the recording: {0}")]
    Diverged(String),
    /// The host has no memory left, or not enough address space.
    #[error("the host is out of memory: {0}")]
    HostMemory(String),
    /// Reading or writing failed on the host's side.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Some other failure of the host.
    #[error("{0}")]
    Host(String),
}

/// Something that an engine cannot do, or not in its present state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {engine} cell cannot {what}")]
pub struct Unsupported {
    /// The engine.
    pub engine: &'static str,
    /// What it cannot do: completes the sentence "the … cell cannot …".
    pub what: String,
}

/// A value that cannot cross the hatch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot pass {class} through the hatch: {why}")]
pub struct TransferError {
    /// Class of the offending value, in the sender's terms.
    pub class: String,
    /// Why it cannot pass.
    pub why: String,
}

impl TransferError {
    /// A refusal.
    pub fn new(class: impl Into<String>, why: impl Into<String>) -> Self {
        Self { class: class.into(), why: why.into() }
    }
}
