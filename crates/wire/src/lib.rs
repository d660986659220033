//! The messages between a machine's host side and the agent inside the guest.
//!
//! One channel (a virtio-serial port) carries [`ToGuest`] one way and [`FromGuest`] the other. Messages are
//! encoded with postcard and framed by [`frame`]: every frame has a cap, so neither side can make the other
//! hold more than [`MAX_FRAME`] bytes of a message it has not understood yet. The host speaks first, always.
//!
//! Bytes of a process or of a file flow under credit: a side sends [`Data`](ToGuest::Data) only as far as the
//! other side has granted, so that a stalled reader stalls one stream and nothing else.

#![forbid(unsafe_code)]

pub mod frame;

pub use frame::{Decoder, Malformed, PREAMBLE, encode};

use serde::{Deserialize, Serialize};

/// The version of these messages. Both sides say theirs first and part when they differ.
pub const VERSION: u16 = 1;

/// The longest encoded message, in bytes.
pub const MAX_FRAME: usize = 64 * 1024;

/// The most bytes one `Data` message carries.
pub const MAX_CHUNK: usize = 32 * 1024;

/// The most unacknowledged bytes on one stream, whatever is granted.
pub const MAX_WINDOW: u32 = 1024 * 1024;

/// What the agent grants a process's standard input or an upload to begin with, in bytes.
pub const INPUT_WINDOW: u32 = 128 * 1024;

/// The most jobs (processes and transfers) that one machine has at a time.
pub const MAX_JOBS: usize = 64;

/// The most names that one page of a listing carries.
pub const MAX_ENTRIES: usize = 256;

/// Names one process or one file transfer, chosen by the host, never used twice in a session.
pub type JobId = u32;

/// One of the two ways out of a process. A process on a terminal has only `Out`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// Standard output, or what the terminal shows, or a file's bytes.
    Out,
    /// Standard error.
    Err,
}

/// As whom a process or a file operation runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum User {
    /// The unprivileged user of the machine.
    #[default]
    User,
    /// The guest's root: to prepare an image, and for tests that try to break out.
    Root,
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminal {
    /// Lines.
    pub rows: u16,
    /// Characters a line.
    pub columns: u16,
}

/// What the agent itself enforces on one process and all its descendants. Zero means no limit of that kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobLimits {
    /// Processes and threads alive at once.
    pub processes: u32,
    /// Bytes of memory, page cache included.
    pub memory: u64,
    /// The longest file it may write, in bytes.
    pub file_size: u64,
    /// Open files of each process.
    pub open_files: u32,
}

/// A process to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The program (searched in the guest's `PATH`) and its arguments; at least one.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// The folder to start in.
    pub cwd: String,
    /// A terminal instead of three pipes.
    pub terminal: Option<Terminal>,
    /// As whom.
    pub user: User,
    /// What it and its descendants may use.
    pub limits: JobLimits,
    /// Bytes the agent may send from each output before it is granted more.
    pub window: u32,
}

/// An operation on the guest's files. Paths are the guest's own, absolute or from the user's home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileOperation {
    /// Receives a file: its bytes follow as `Data`, then `End`; replaced atomically at the end.
    Put {
        /// Where to.
        path: String,
        /// The permission bits.
        mode: u32,
        /// The most bytes that are taken.
        limit: u64,
    },
    /// Sends a regular file as `Data` on [`Output::Out`], then `End`.
    Get {
        /// Which.
        path: String,
        /// The most bytes that are sent; a longer file is refused.
        limit: u64,
        /// Bytes the agent may send before it is granted more.
        window: u32,
    },
    /// One page of a folder's names.
    List {
        /// Which folder.
        path: String,
        /// How many names were had already.
        skip: u32,
    },
    /// What a name stands for; links are not followed.
    Stat {
        /// Which.
        path: String,
    },
    /// Removes a file, a link or an empty folder.
    Remove {
        /// Which.
        path: String,
    },
    /// Makes a folder and those above it.
    MakeFolder {
        /// Which.
        path: String,
    },
}

/// From the host to the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToGuest {
    /// First of all.
    Hello {
        /// The sender's [`VERSION`].
        version: u16,
    },
    /// After every clone, before any user's code: makes this machine differ from its siblings.
    Wake {
        /// Fresh randomness for the guest kernel's generator.
        #[serde(with = "serde_bytes")]
        entropy: Vec<u8>,
        /// Nanoseconds since the Unix epoch.
        now: u64,
    },
    /// Asks for a sign of life.
    Ping {
        /// Comes back in the answer.
        sequence: u64,
    },
    /// Starts a process.
    Start {
        /// Its name from now on.
        job: JobId,
        /// What to start.
        program: Program,
    },
    /// Begins a file operation.
    File {
        /// Its name from now on.
        job: JobId,
        /// What to do.
        operation: FileOperation,
        /// As whom.
        user: User,
    },
    /// Bytes for a process's standard input, or of a file on its way in.
    Data {
        /// For whom.
        job: JobId,
        /// At most [`MAX_CHUNK`].
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// No more input.
    End {
        /// For whom.
        job: JobId,
    },
    /// Lets the agent send more.
    Credit {
        /// Of which job.
        job: JobId,
        /// On which output.
        output: Output,
        /// How many bytes more.
        bytes: u32,
    },
    /// Sends a signal to a job and all its descendants.
    Signal {
        /// To whom.
        job: JobId,
        /// Its Linux number.
        signal: u8,
    },
    /// The terminal has a new size.
    Resize {
        /// Whose.
        job: JobId,
        /// The new size.
        terminal: Terminal,
    },
    /// Kills the job and forgets it; nothing more is sent about it but `Exited` or `Failed`.
    Abandon {
        /// Which.
        job: JobId,
    },
    /// Ends every job, writes the disk's caches out, answers `Quiet`.
    Quiesce,
    /// Writes the disk's caches out and switches the machine off.
    PowerOff,
}

/// Why something asked for was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// In words.
    pub message: String,
}

/// Kinds of [`Failure`] that a caller may want to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// No such file, folder or program.
    NotFound,
    /// Not allowed to the user.
    Denied,
    /// Larger than the limit given.
    TooLarge,
    /// The guest's disk or memory is full.
    Full,
    /// Not what the operation needs (a folder, a device).
    WrongKind,
    /// Already there.
    Exists,
    /// Too many jobs at a time, or a name used twice.
    Busy,
    /// Ended by `Abandon`.
    Abandoned,
    /// Any other error of the guest's system.
    Other,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// With a status.
    Code(u8),
    /// By a signal.
    Signal(u8),
}

/// What a process and its descendants used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobUsage {
    /// Microseconds of the guest's processor in user mode.
    pub user_us: u64,
    /// Microseconds of the guest's processor in the kernel.
    pub system_us: u64,
    /// The most bytes of memory at a time.
    pub memory_peak: u64,
    /// Whether the guest's kernel killed one of them for want of memory.
    pub out_of_memory: bool,
}

/// The state of the guest as the agent sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Nanoseconds of the guest's monotonic clock.
    pub monotonic: u64,
    /// Nanoseconds since the Unix epoch by the guest's clock.
    pub now: u64,
    /// Bytes of memory free or easily freed.
    pub memory_free: u64,
    /// Bytes free on the disk.
    pub disk_free: u64,
    /// Files that can still be made on the disk.
    pub files_free: u64,
    /// Processes and threads alive, the kernel's included.
    pub processes: u32,
    /// Jobs alive.
    pub jobs: u32,
    /// Whether the disk went read-only (the kernel does that after an error).
    pub disk_read_only: bool,
}

/// What kind of file a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device, a socket, a pipe.
    Other,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The last part of its path; not always text in the guest, so bytes that are not UTF-8 are replaced.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
    /// Its length in bytes.
    pub size: u64,
    /// Its permission bits.
    pub mode: u32,
    /// When it was changed, in seconds since the Unix epoch.
    pub modified: i64,
}

/// What a file operation gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileReply {
    /// It was done; for transfers, this many bytes.
    Done {
        /// Bytes sent or taken.
        bytes: u64,
    },
    /// What the name stands for.
    Entry(Entry),
    /// A page of names.
    Entries {
        /// At most [`MAX_ENTRIES`].
        entries: Vec<Entry>,
        /// Whether more may follow.
        more: bool,
    },
}

/// From the agent to the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromGuest {
    /// Answers `Hello`.
    Hello {
        /// The agent's [`VERSION`].
        version: u16,
    },
    /// Answers `Wake`: the generator is reseeded, the clock is set.
    Awake {
        /// Nanoseconds since the Unix epoch by the guest's clock, read after it was set.
        now: u64,
    },
    /// Answers `Ping`.
    Pong {
        /// What the host sent.
        sequence: u64,
        /// The state of the guest.
        health: Health,
    },
    /// The process runs.
    Started {
        /// Which job.
        job: JobId,
        /// Its number in the guest.
        pid: u32,
    },
    /// Bytes that a process wrote or a file holds.
    Data {
        /// Whose.
        job: JobId,
        /// From which output.
        output: Output,
        /// At most [`MAX_CHUNK`].
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// Nothing more comes from this output.
    End {
        /// Whose.
        job: JobId,
        /// Which output.
        output: Output,
    },
    /// Lets the host send more input.
    Credit {
        /// For which job.
        job: JobId,
        /// How many bytes more.
        bytes: u32,
    },
    /// The process ended, and its outputs with it; the last message of a process.
    Exited {
        /// Which.
        job: JobId,
        /// How.
        exit: Exit,
        /// What it used.
        usage: JobUsage,
    },
    /// The result of a file operation; its last message.
    File {
        /// Which.
        job: JobId,
        /// What it gives.
        reply: FileReply,
    },
    /// The job could not be begun or finished; its last message.
    Failed {
        /// Which.
        job: JobId,
        /// Why.
        failure: Failure,
    },
    /// Answers `Quiesce`.
    Quiet,
    /// The agent understood nothing of what it was sent, has ended every job, and waits for the preamble.
    Fault {
        /// In words.
        reason: String,
    },
}
