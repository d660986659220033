//! What the host has: QEMU, an accelerator, a folder for what machines leave.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, SealFlags};

use crate::Error;

/// The program that is searched for in `PATH`-like folders.
const QEMU: &str = "qemu-system-x86_64";

/// Finds QEMU.
pub(crate) fn find_qemu() -> Result<PathBuf, Error> {
    ["/usr/bin", "/usr/local/bin", "/bin", "/opt/homebrew/bin", "/run/current-system/sw/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(QEMU))
        .find(|path| path.exists())
        .ok_or_else(|| Error::Qemu(format!("{QEMU} is not installed (Debian: apt install qemu-system-x86 qemu-utils)")))
}

/// The speed of the processor's time stamp counter in kHz, measured against the system's clock for a tenth of a second.
pub(crate) fn tsc_khz() -> u64 {
    let counter = quanta::Clock::new();
    let (time, ticks) = (Instant::now(), counter.raw());
    std::thread::sleep(Duration::from_millis(100));
    let (time, ticks) = (time.elapsed(), counter.raw().wrapping_sub(ticks));
    let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1);
    let khz = u128::from(ticks) * 1_000_000 / u128::from(nanoseconds);
    u64::try_from(khz).unwrap_or(0)
}

/// The host's processor by name: frozen machines do not move to another.
pub(crate) fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(':')).map_or("unknown", |(_, name)| name.trim()).to_owned()
}

/// A memory file that can be written and mapped.
pub(crate) fn memory_file(name: &str, length: u64) -> Result<File, Error> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = rustix::fs::memfd_create(name, flags).map_err(|error| Error::io("a memory file", error.into()))?;
    let file = File::from(file);
    file.set_len(length).map_err(|error| Error::io("a memory file", error))?;
    Ok(file)
}

/// A memory file with the contents of a file, holes left out, that nobody can change any more.
pub(crate) fn sealed_copy(name: &str, from: &Path) -> Result<File, Error> {
    let copy = SealedCopy::begin(name, from)?;
    copy.ready()?.try_clone().map_err(|error| Error::io("a memory file", error))
}

/// A memory file that is being filled with the contents of another file, and sealed when it is full.
///
/// It can be handed on at once; whoever reads it must wait for it to be [`ready`](Self::ready).
#[derive(Debug)]
pub(crate) struct SealedCopy {
    file: File,
    /// The thread that fills it, until somebody waited for it.
    filling: Mutex<Option<JoinHandle<io::Result<()>>>>,
    /// What came of it.
    result: OnceLock<Result<(), String>>,
}

impl SealedCopy {
    /// Begins to copy, from another thread.
    pub(crate) fn begin(name: &str, from: &Path) -> Result<Self, Error> {
        let failed = |error| Error::io(from.display().to_string(), error);
        let mut source = File::open(from).map_err(failed)?;
        let length = source.metadata().map_err(failed)?.len();
        let file = memory_file(name, length)?;
        let target = file.try_clone().map_err(failed)?;
        let fill = move || {
            copy_data(&mut source, &target, length)?;
            seal(&target)
        };
        let filling = std::thread::Builder::new().name("oubliette-load".to_owned()).spawn(fill).map_err(failed)?;
        Ok(Self { file, filling: Mutex::new(Some(filling)), result: OnceLock::new() })
    }

    /// The file, which may still be empty.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The file once it is full and sealed.
    ///
    /// # Errors
    /// What went wrong while it was filled, each time.
    pub(crate) fn ready(&self) -> Result<&File, Error> {
        // Held while one waits, so that the others wait too.
        let mut filling = self.filling.lock().unwrap_or_else(PoisonError::into_inner);
        let result = self.result.get_or_init(|| match filling.take().map(JoinHandle::join) {
            Some(Ok(result)) => result.map_err(|error| error.to_string()),
            Some(Err(_)) | None => Err("the thread that copies ended early".to_owned()),
        });
        result.as_ref().map(|()| &self.file).map_err(|text| Error::io("the frozen memory", io::Error::other(text.clone())))
    }
}

/// Forbids every change to a memory file.
fn seal(file: &File) -> io::Result<()> {
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    Ok(rustix::fs::fcntl_add_seals(file, seals)?)
}

/// Copies what is not a hole.
fn copy_data(source: &mut File, target: &File, length: u64) -> io::Result<()> {
    let mut position = 0;
    while position < length {
        let data = match rustix::fs::seek(&*source, rustix::fs::SeekFrom::Data(position)) {
            Ok(data) => data,
            Err(rustix::io::Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        let hole = rustix::fs::seek(&*source, rustix::fs::SeekFrom::Hole(data))?;
        position = data;
        while position < hole {
            let mut from = position;
            let wanted = usize::try_from(hole - position).unwrap_or(usize::MAX);
            rustix::fs::seek(target, rustix::fs::SeekFrom::Start(position))?;
            let count = rustix::fs::sendfile(target, &*source, Some(&mut from), wanted)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            position += count as u64;
        }
    }
    Ok(())
}

/// Writes a memory file out to a new file, pages of zeros left as holes.
pub(crate) fn write_sparse(source: &File, path: &Path) -> io::Result<()> {
    const PAGE: usize = 64 * 1024;
    let length = source.metadata()?.len();
    let target = File::create(path)?;
    target.set_len(length)?;
    let mut page = vec![0; PAGE];
    let mut position = 0;
    while position < length {
        let count = source.read_at(&mut page, position)?;
        if count == 0 {
            break;
        }
        // Small holes matter: what is not written here is not copied by every command that starts a machine.
        for (index, small) in page[..count].chunks(4096).enumerate() {
            if small.iter().any(|&byte| byte != 0) {
                target.write_all_at(small, position + (index * 4096) as u64)?;
            }
        }
        position += count as u64;
    }
    target.sync_all()
}

/// Another descriptor for the same file with a position of its own, for reading only.
pub(crate) fn reopen(file: impl AsFd) -> Result<OwnedFd, Error> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    File::open(path).map(OwnedFd::from).map_err(|error| Error::io("opening a file again", error))
}

/// A memory file with these bytes, positioned at its beginning.
pub(crate) fn memory_copy(name: &str, path: &Path) -> Result<OwnedFd, Error> {
    let mut source = File::open(path).map_err(|error| Error::io(path.display().to_string(), error))?;
    let mut target = memory_file(name, 0)?;
    io::copy(&mut source, &mut target)
        .and_then(|_| target.seek(SeekFrom::Start(0)))
        .map_err(|error| Error::io(path.display().to_string(), error))?;
    Ok(target.into())
}

/// A nameless file in a folder with these bytes.
pub(crate) fn nameless(folder: &Path, bytes: &[u8]) -> Result<File, Error> {
    let mut file = tempfile::tempfile_in(folder).map_err(|error| Error::io(folder.display().to_string(), error))?;
    file.write_all(bytes).map_err(|error| Error::io(folder.display().to_string(), error))?;
    Ok(file)
}

/// Reads a whole pipe into a file from another thread, so that the writer is not held.
pub(crate) fn drain_into(mut pipe: io::PipeReader, mut file: File) -> JoinHandle<io::Result<u64>> {
    std::thread::spawn(move || {
        let mut bytes = vec![0; 1 << 20];
        let mut total = 0;
        loop {
            match pipe.read(&mut bytes)? {
                0 => break,
                count => {
                    file.write_all(&bytes[..count])?;
                    total += count as u64;
                }
            }
        }
        file.sync_all()?;
        Ok(total)
    })
}

/// Copies a file's contents, holes left out, to a new file.
pub(crate) fn copy_file(source: &File, path: &Path) -> io::Result<()> {
    let target = File::create(path)?;
    copy_contents(source, &target)?;
    target.sync_all()
}

/// Copies a file's contents, holes left out, over another's.
pub(crate) fn copy_contents(source: &File, target: &File) -> io::Result<()> {
    let mut source = source.try_clone()?;
    let length = source.metadata()?.len();
    target.set_len(length)?;
    copy_data(&mut source, target, length)
}

/// Bytes that a file takes, holes left out.
pub(crate) fn size_on_disk(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(metadata) * 512
}
