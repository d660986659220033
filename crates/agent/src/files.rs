//! Files on their way in and out, and questions about names.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use wire::{Entry, FileKind, FileOperation, FileReply, FromGuest, JobId, MAX_CHUNK, MAX_ENTRIES, MAX_WINDOW, Output, User};

use crate::job::{Outbox, cut};
use crate::user::{self, HOME};

/// The most bytes of names in one page, so that a page fits a frame.
const PAGE: usize = 48 * 1024;

/// What a file operation became.
pub(crate) enum Begun {
    Reply(FileReply),
    Upload(Upload),
    Download(Download),
}

/// Does an operation, or begins a transfer.
pub(crate) fn begin(job: JobId, operation: FileOperation, user: User) -> io::Result<Begun> {
    user::with(user, || match operation {
        FileOperation::Put { path, mode, limit } => Upload::begin(job, &path, mode, limit, user).map(Begun::Upload),
        FileOperation::Get { path, limit, window } => Download::begin(job, &path, limit, window).map(Begun::Download),
        FileOperation::List { path, skip } => list(&absolute(&path), skip as usize).map(Begun::Reply),
        FileOperation::Stat { path } => {
            let path = absolute(&path);
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            Ok(Begun::Reply(FileReply::Entry(entry(name, &fs::symlink_metadata(&path)?))))
        }
        FileOperation::Remove { path } => {
            let path = absolute(&path);
            if fs::symlink_metadata(&path)?.is_dir() {
                fs::remove_dir(&path)?
            } else {
                fs::remove_file(&path)?
            }
            Ok(Begun::Reply(FileReply::Done { bytes: 0 }))
        }
        FileOperation::MakeFolder { path } => {
            fs::create_dir_all(absolute(&path))?;
            Ok(Begun::Reply(FileReply::Done { bytes: 0 }))
        }
    })
}

fn absolute(path: &str) -> PathBuf {
    Path::new(HOME).join(path)
}

/// A file that arrives. It lies beside its name until it is whole.
#[derive(Debug)]
pub(crate) struct Upload {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    mode: u32,
    user: User,
    taken: u64,
    limit: u64,
    done: bool,
}

impl Upload {
    fn begin(job: JobId, path: &str, mode: u32, limit: u64, user: User) -> io::Result<Self> {
        let path = absolute(path);
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let temporary = path.with_file_name(format!(".arriving-{job}"));
        let mode = mode & 0o777;
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        Ok(Self { file, temporary, path, mode, user, taken: 0, limit, done: false })
    }

    /// Takes bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.taken += bytes.len() as u64;
        if self.taken > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.file.write_all(bytes)
    }

    /// Gives the whole file its name.
    pub(crate) fn finish(mut self) -> io::Result<FileReply> {
        user::with(self.user, || {
            // The umask may have taken some away.
            if self.file.metadata()?.mode() & 0o777 != self.mode {
                self.file.set_permissions(fs::Permissions::from_mode(self.mode))?;
            }
            fs::rename(&self.temporary, &self.path)
        })?;
        self.done = true;
        Ok(FileReply::Done { bytes: self.taken })
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.done {
            drop(user::with(self.user, || fs::remove_file(&self.temporary)));
        }
    }
}

/// A file that is sent.
#[derive(Debug)]
pub(crate) struct Download {
    job: JobId,
    file: File,
    left: u64,
    sent: u64,
    credit: u32,
}

impl Download {
    fn begin(job: JobId, path: &str, limit: u64, window: u32) -> io::Result<Self> {
        // Without NONBLOCK a pipe that nobody writes would hold the agent.
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(absolute(path))?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        if metadata.len() > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Self { job, file, left: limit, sent: 0, credit: window.min(MAX_WINDOW) })
    }

    /// Whether it could send now.
    pub(crate) fn is_ready(&self) -> bool {
        self.credit > 0
    }

    /// Lets it send more.
    pub(crate) fn credit(&mut self, bytes: u32) {
        self.credit = self.credit.saturating_add(bytes).min(MAX_WINDOW);
    }

    /// Sends one piece if it may. True when all was sent.
    pub(crate) fn pump(&mut self, outbox: &mut Outbox) -> io::Result<bool> {
        let most = MAX_CHUNK.min(self.credit as usize);
        if most == 0 || !outbox.has_room() {
            return Ok(false);
        }
        let mut bytes = vec![0; most];
        let count = self.file.read(&mut bytes)?;
        bytes.truncate(count);
        if count == 0 {
            outbox.push(&FromGuest::End { job: self.job, output: Output::Out });
            outbox.push(&FromGuest::File { job: self.job, reply: FileReply::Done { bytes: self.sent } });
            return Ok(true);
        }
        self.left = self.left.checked_sub(count as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        self.sent += count as u64;
        self.credit -= u32::try_from(count).unwrap_or(u32::MAX);
        outbox.push(&FromGuest::Data { job: self.job, output: Output::Out, bytes });
        Ok(false)
    }
}

fn list(path: &Path, skip: usize) -> io::Result<FileReply> {
    let mut entries = Vec::new();
    let mut size = 0;
    for item in fs::read_dir(path)?.skip(skip) {
        let item = item?;
        let name = cut(&item.file_name().to_string_lossy(), 1024);
        size += name.len() + 64;
        if entries.len() == MAX_ENTRIES || size > PAGE {
            return Ok(FileReply::Entries { entries, more: true });
        }
        // A name that vanished meanwhile still counts, or `skip` would go wrong.
        match fs::symlink_metadata(item.path()) {
            Ok(metadata) => entries.push(entry(name, &metadata)),
            Err(_) => entries.push(Entry { name, kind: FileKind::Other, size: 0, mode: 0, modified: 0 }),
        }
    }
    Ok(FileReply::Entries { entries, more: false })
}

fn entry(name: String, metadata: &fs::Metadata) -> Entry {
    let kind = metadata.file_type();
    let kind = if kind.is_file() {
        FileKind::File
    } else if kind.is_dir() {
        FileKind::Folder
    } else if kind.is_symlink() {
        FileKind::Link
    } else {
        debug_assert!(kind.is_char_device() || kind.is_block_device() || kind.is_fifo() || kind.is_socket());
        FileKind::Other
    };
    Entry { name, kind, size: metadata.len(), mode: metadata.mode() & 0o7777, modified: metadata.mtime() }
}
