//! Machines that outlive the command that made them: frozen to a folder under a name, and thawed again.
//!
//! A kept machine is a folder with its memory and devices in one stream (`state`), its overlay (`disk.qcow2`) and
//! what it belongs to (`kept.toml`). Files, page cache and the guest's kernel go on as they were; programs that were
//! running are ended by the first word of the host that thaws it, since nobody holds their streams any more.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::template::{Template, private_folder};
use crate::{Cause, Error, host};

/// How long writing a state may take.
const STATE: Duration = Duration::from_secs(120);

/// The longest name.
const NAME: usize = 64;

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    /// The template that it is a clone of: its disk continues that one's.
    template: String,
    /// Where it was copied from, if it is a snapshot.
    #[serde(default)]
    of: String,
}

/// What is known about a kept machine without thawing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub name: String,
    /// When it was frozen.
    pub frozen: SystemTime,
    /// Bytes that it takes on the host.
    pub size: u64,
    /// Whether machines of today's template can still thaw it.
    pub usable: bool,
}

/// The folder of kept machines.
#[derive(Debug)]
pub struct Keep {
    folder: PathBuf,
    template: Arc<Template>,
}

impl Keep {
    /// The kept machines of a template's data folder.
    ///
    /// # Errors
    /// Those of making the folder.
    pub fn open(template: &Arc<Template>) -> Result<Self, Error> {
        let folder = template.config().data.join("kept");
        private_folder(&folder)?;
        Ok(Self { folder, template: Arc::clone(template) })
    }

    fn path(&self, name: &str) -> Result<PathBuf, Error> {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '@');
        if name.is_empty() || name.len() > NAME || !name.chars().all(fine) {
            let message = format!("{name:?} cannot name a machine: letters, digits, '-', '_' and '@', {NAME} at most");
            return Err(Error::Unsupported(message));
        }
        Ok(self.folder.join(name))
    }

    /// Freezes a machine under a name, in the place of what had that name; it is gone from memory then.
    ///
    /// # Errors
    /// [`Error::Gone`] if it does not answer, or those of writing. What had the name before is kept then.
    pub fn save(&self, name: &str, mut machine: Machine) -> Result<(), Error> {
        let path = self.path(name)?;
        self.write(&path, &mut machine)
    }

    /// Freezes a copy of a machine under a name; the machine goes on.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn snapshot(&self, name: &str, machine: &mut Machine) -> Result<(), Error> {
        let path = self.path(name)?;
        let result = self.write(&path, machine);
        machine.resume()?;
        result
    }

    fn write(&self, path: &Path, machine: &mut Machine) -> Result<(), Error> {
        let failed = |error| Error::io("keeping a machine", error);
        if machine.template().identity() != self.template.identity() {
            return Err(Error::Unsupported("the machine is a clone of another template".to_owned()));
        }
        let work = tempfile::tempdir_in(&self.folder).map_err(failed)?;
        machine.pause()?;
        let (reader, writer) = io::pipe().map_err(failed)?;
        let state = host::drain_into(reader, File::create(work.path().join("state")).map_err(failed)?);
        machine.vm().monitor.freeze(writer.into(), true, STATE)?;
        state.join().map_err(|_| Error::Gone(Cause::Control("the state was not written".to_owned())))?.map_err(failed)?;
        // QEMU wrote its disk's caches out before it said that the state is complete.
        host::copy_file(machine.overlay(), &work.path().join("disk.qcow2")).map_err(failed)?;
        let manifest = Manifest { template: self.template.identity(), of: String::new() };
        let text = toml::to_string(&manifest).map_err(|error| Error::Unsupported(error.to_string()))?;
        fs::write(work.path().join("kept.toml"), text).map_err(failed)?;
        let old = path.exists().then(|| tempfile::tempdir_in(&self.folder)).transpose().map_err(failed)?;
        if let Some(old) = &old {
            fs::rename(path, old.path().join("old")).map_err(failed)?;
        }
        fs::rename(work.keep(), path).map_err(failed)
    }

    /// Thaws a copy of a kept machine; what is kept stays as it is.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if there is none of that name, or it belongs to another template.
    pub fn restore(&self, name: &str) -> Result<Machine, Error> {
        let path = self.path(name)?;
        let text = fs::read_to_string(path.join("kept.toml"))
            .map_err(|_| Error::Unsupported(format!("no machine is kept under the name {name:?}")))?;
        let manifest: Manifest = toml::from_str(&text).map_err(|error| Error::Unsupported(error.to_string()))?;
        if manifest.template != self.template.identity() {
            let message = format!("{name:?} was frozen with another image, memory or accelerator, and cannot go on here");
            return Err(Error::Unsupported(message));
        }
        let failed = |error| Error::io("thawing a machine", error);
        let overlay = host::nameless(self.template.scratch(), &[])?;
        host::copy_contents(&File::open(path.join("disk.qcow2")).map_err(failed)?, &overlay).map_err(failed)?;
        let state = OwnedFd::from(File::open(path.join("state")).map_err(failed)?);
        Ok(Machine::new(self.template.thaw_vm(state, overlay)?, Arc::clone(&self.template)))
    }

    /// All kept machines, by name.
    ///
    /// # Errors
    /// Those of reading the folder.
    pub fn list(&self) -> Result<Vec<Kept>, Error> {
        let failed = |error| Error::io("reading the kept machines", error);
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(text) = fs::read_to_string(entry.path().join("kept.toml")) else { continue };
            // A folder whose name is none of ours is being written.
            if self.path(&name).is_err() {
                continue;
            }
            let manifest: Option<Manifest> = toml::from_str(&text).ok();
            let files = ["state", "disk.qcow2"].map(|file| fs::metadata(entry.path().join(file)));
            let size = files.iter().flatten().map(host::size_on_disk).sum();
            let frozen = entry.path().join("kept.toml").metadata().and_then(|m| m.modified()).map_err(failed)?;
            let usable = manifest.is_some_and(|manifest| manifest.template == self.template.identity());
            all.push(Kept { name, frozen, size, usable });
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Forgets a kept machine; false if there was none.
    ///
    /// # Errors
    /// Those of removing its folder.
    pub fn forget(&self, name: &str) -> Result<bool, Error> {
        let path = self.path(name)?;
        if !path.exists() {
            return Ok(false);
        }
        fs::remove_dir_all(path).map(|()| true).map_err(|error| Error::io("forgetting a machine", error))
    }
}
