//! The memory of a frozen machine, as its clones get it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Error;
use crate::host::SealedCopy;
use crate::qemu::{self, Accelerator, Ram};

/// A file with the memory of a frozen machine. Clones map it, and cannot write it: it is lent to their QEMUs where that is possible
/// and copied once a process into a sealed memory file where it is not.
#[derive(Debug)]
pub(crate) struct Memory {
    path: PathBuf,
    file: File,
    /// There once it is needed; it may still be being read then, while the first clone's QEMU starts.
    copy: Mutex<Option<Arc<SealedCopy>>>,
}

impl Memory {
    /// The memory in this file, for machines whose processor is made so.
    pub(crate) fn open(path: &Path, accelerator: Accelerator) -> Result<Self, Error> {
        let file = File::open(path).map_err(|error| Error::io(path.display().to_string(), error))?;
        let memory = Self { path: path.to_owned(), file, copy: Mutex::default() };
        // Under KVM QEMU opens that device for writing too.
        if !qemu::can_lend() || accelerator == Accelerator::Kvm {
            memory.begin_copy()?;
        }
        Ok(memory)
    }

    fn copy(&self) -> MutexGuard<'_, Option<Arc<SealedCopy>>> {
        self.copy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The copy, begun now unless it was before.
    fn begin_copy(&self) -> Result<Arc<SealedCopy>, Error> {
        let mut copy = self.copy();
        if let Some(copy) = &*copy {
            return Ok(Arc::clone(copy));
        }
        let begun = Arc::new(SealedCopy::begin("oubliette-memory", &self.path)?);
        *copy = Some(Arc::clone(&begun));
        Ok(begun)
    }

    /// For a QEMU to which it can be lent; `None` where it has to be copied.
    pub(crate) fn lent(&self) -> Result<Option<Ram>, Error> {
        if self.copy().is_some() { Ok(None) } else { duplicate(&self.file).map(Ram::Lent).map(Some) }
    }

    /// For any QEMU. It must be [`ready`](Self::ready) before a guest runs in it.
    pub(crate) fn sealed(&self) -> Result<Ram, Error> {
        duplicate(self.begin_copy()?.file()).map(Ram::Sealed)
    }

    /// Waits for the copy, if there is one.
    pub(crate) fn ready(&self) -> Result<(), Error> {
        let copy = self.copy().clone();
        copy.map_or(Ok(()), |copy| copy.ready().map(drop))
    }

    /// Remembers that lending it failed.
    pub(crate) fn copy_from_now_on(&self, error: &Error) -> Result<(), Error> {
        tracing::warn!(%error, "memory cannot be lent to QEMU here, so it is copied");
        self.begin_copy().map(drop)
    }
}

fn duplicate(file: &File) -> Result<OwnedFd, Error> {
    file.try_clone().map(OwnedFd::from).map_err(|error: io::Error| Error::io("a descriptor", error))
}
