//! Machines that outlive the command that made them: frozen to a folder under a name, and thawed again.
//!
//! A kept machine is a folder with its memory and devices in one stream (`state`), its overlay (`disk.qcow2`) and
//! what it belongs to (`kept.toml`). Files, page cache and the guest's kernel go on as they were; programs that were
//! running are ended by the first word of the host that thaws it, since nobody holds their streams any more.
//! Beside the folder lie its log (`NAME.log`) and a lock (`NAME.lock`): whoever thaws a machine to save it again
//! claims it first, so that two commands never overwrite each other's work.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::template::{Template, private_folder};
use crate::{Cause, Error, host};

/// How long writing a state may take.
const STATE: Duration = Duration::from_secs(120);

/// The longest name.
const NAME: usize = 64;

/// The longest log, in bytes; the older half of a longer one is dropped.
const LOG: usize = 64 * 1024;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Manifest {
    /// The template that it is a clone of: its disk continues that one's.
    template: String,
    /// That template's image.
    #[serde(default)]
    image: String,
    /// Its memory in bytes.
    #[serde(default)]
    memory: u64,
    /// What it is a snapshot of, if it is one.
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
    /// The image that it was made from.
    pub image: String,
    /// Its memory in bytes.
    pub memory: u64,
    /// What it is a snapshot of; empty if it is none.
    pub of: String,
    /// Whether somebody has claimed it.
    pub claimed: bool,
    template: String,
}

impl Kept {
    /// Whether machines of a template can still thaw it.
    #[must_use]
    pub fn is_usable(&self, template: &Template) -> bool {
        self.template == template.identity()
    }
}

/// The right to replace a kept machine; given back when dropped, or when the process ends.
#[derive(Debug)]
pub struct Claim {
    _lock: File,
}

fn check_name(name: &str) -> Result<(), Error> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '@');
    if name.is_empty() || name.len() > NAME || !name.chars().all(fine) {
        let message = format!("{name:?} cannot name a machine: letters, digits, '-', '_' and '@', {NAME} at most");
        return Err(Error::Unsupported(message));
    }
    Ok(())
}

fn nobody(name: &str) -> Error {
    Error::Unsupported(format!("no machine is kept under the name {name:?}"))
}

fn look(folder: &Path, name: &str) -> io::Result<Option<Kept>> {
    let path = folder.join(name);
    let Some(manifest) = manifest(&path) else { return Ok(None) };
    let files = ["state", "disk.qcow2"].map(|file| fs::metadata(path.join(file)));
    let size = files.iter().flatten().map(host::size_on_disk).sum();
    let frozen = path.join("kept.toml").metadata()?.modified()?;
    let claimed = lock(folder, name, false)?.is_none();
    let Manifest { template, image, memory, of } = manifest;
    Ok(Some(Kept { name: name.to_owned(), frozen, size, image, memory, of, claimed, template }))
}

fn manifest(path: &Path) -> Option<Manifest> {
    toml::from_str(&fs::read_to_string(path.join("kept.toml")).ok()?).ok()
}

/// The lock of a name, unless another has it.
fn lock(folder: &Path, name: &str, make: bool) -> io::Result<Option<File>> {
    let path = folder.join(format!("{name}.lock"));
    let file = match fs::OpenOptions::new().write(true).create(make).truncate(false).open(&path) {
        Ok(file) => file,
        // Nobody ever claimed it: any file will do for an answer.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return File::open("/dev/null").map(Some),
        Err(error) => return Err(error),
    };
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The folder of kept machines in a data folder: what can be done with them without thawing any.
#[derive(Debug)]
pub struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// The kept machines of a data folder.
    ///
    /// # Errors
    /// Those of making the folder.
    pub fn open(data: &Path) -> Result<Self, Error> {
        let folder = data.join("kept");
        private_folder(&folder)?;
        Ok(Self { folder })
    }

    fn path(&self, name: &str) -> Result<PathBuf, Error> {
        check_name(name)?;
        Ok(self.folder.join(name))
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
            // A folder whose name is none of ours is being written.
            if check_name(&name).is_ok()
                && let Some(kept) = look(&self.folder, &name).map_err(failed)?
            {
                all.push(kept);
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if there is none of that name.
    pub fn get(&self, name: &str) -> Result<Kept, Error> {
        check_name(name)?;
        look(&self.folder, name).map_err(|error| Error::io("reading a kept machine", error))?.ok_or_else(|| nobody(name))
    }

    /// Claims a name, so that nobody else replaces what is kept under it meanwhile.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if somebody else has it.
    pub fn claim(&self, name: &str) -> Result<Claim, Error> {
        check_name(name)?;
        // Whoever only looks whether it is claimed holds the lock for a moment too.
        for _ in 0..5 {
            if let Some(lock) = lock(&self.folder, name, true).map_err(|error| Error::io("claiming a machine", error))? {
                return Ok(Claim { _lock: lock });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(Error::Unsupported(format!("the machine {name:?} is being used by another command")))
    }

    /// Puts a finished folder in the place of what has that name.
    fn install(&self, work: tempfile::TempDir, path: &Path, manifest: &Manifest) -> Result<(), Error> {
        let failed = |error| Error::io("keeping a machine", error);
        let text = toml::to_string(manifest).map_err(|error| Error::Unsupported(error.to_string()))?;
        fs::write(work.path().join("kept.toml"), text).map_err(failed)?;
        let old = path.exists().then(|| tempfile::tempdir_in(&self.folder)).transpose().map_err(failed)?;
        if let Some(old) = &old {
            fs::rename(path, old.path().join("old")).map_err(failed)?;
        }
        fs::rename(work.keep(), path).map_err(failed)
    }

    /// Copies a kept machine, frozen as it is, under another name, in the place of what had that.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if there is none of the first name, or those of copying.
    pub fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        let failed = |error| Error::io("copying a kept machine", error);
        let (source, path) = (self.path(from)?, self.path(to)?);
        let manifest = manifest(&source).ok_or_else(|| nobody(from))?;
        let work = tempfile::tempdir_in(&self.folder).map_err(failed)?;
        for file in ["state", "disk.qcow2"] {
            host::copy_file(&File::open(source.join(file)).map_err(failed)?, &work.path().join(file)).map_err(failed)?;
        }
        self.install(work, &path, &Manifest { of: from.to_owned(), ..manifest })
    }

    /// Adds a line, with the time before it, to the log of a name.
    ///
    /// # Errors
    /// Those of writing.
    pub fn note(&self, name: &str, line: &str) -> Result<(), Error> {
        check_name(name)?;
        let failed = |error| Error::io("a machine's log", error);
        let path = self.folder.join(format!("{name}.log"));
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut file = fs::OpenOptions::new().append(true).create(true).open(&path).map_err(failed)?;
        writeln!(file, "{} {line}", timestamp(seconds)).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() > LOG as u64 {
            let text = fs::read_to_string(&path).map_err(failed)?;
            let newer = text.char_indices().map(|(at, _)| at).find(|&at| at >= text.len() / 2).unwrap_or(0);
            let newer = text[newer..].find('\n').map_or("", |at| &text[newer + at + 1..]);
            fs::write(&path, newer).map_err(failed)?;
        }
        Ok(())
    }

    /// What was noted under a name, oldest first.
    ///
    /// # Errors
    /// Those of reading; [`Error::Unsupported`] if nothing was ever kept under it.
    pub fn log(&self, name: &str) -> Result<String, Error> {
        check_name(name)?;
        fs::read_to_string(self.folder.join(format!("{name}.log"))).map_err(|_| nobody(name))
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
        fs::remove_dir_all(path).map_err(|error| Error::io("forgetting a machine", error))?;
        // A log without its machine would be taken for the next one's.
        drop(fs::remove_file(self.folder.join(format!("{name}.log"))));
        Ok(true)
    }
}

/// Kept machines that are clones of one template: frozen from it and thawed with it.
#[derive(Debug)]
pub struct Keep {
    shelf: Shelf,
    template: Arc<Template>,
}

impl Keep {
    /// The kept machines of a template's data folder.
    ///
    /// # Errors
    /// Those of making the folder.
    pub fn open(template: &Arc<Template>) -> Result<Self, Error> {
        Ok(Self { shelf: Shelf::open(&template.config().data)?, template: Arc::clone(template) })
    }

    /// The folder they lie in.
    #[must_use]
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// Freezes a machine under a name, in the place of what had that name; it is gone from memory then.
    ///
    /// # Errors
    /// [`Error::Gone`] if it does not answer, or those of writing. What had the name before is kept then.
    pub fn save(&self, name: &str, mut machine: Machine) -> Result<(), Error> {
        let path = self.shelf.path(name)?;
        self.write(&path, &mut machine)
    }

    /// Freezes a copy of a machine under a name; the machine goes on.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn snapshot(&self, name: &str, machine: &mut Machine) -> Result<(), Error> {
        let path = self.shelf.path(name)?;
        let result = self.write(&path, machine);
        machine.resume()?;
        result
    }

    fn write(&self, path: &Path, machine: &mut Machine) -> Result<(), Error> {
        let failed = |error| Error::io("keeping a machine", error);
        if machine.template().identity() != self.template.identity() {
            return Err(Error::Unsupported("the machine is a clone of another template".to_owned()));
        }
        let work = tempfile::tempdir_in(&self.shelf.folder).map_err(failed)?;
        machine.pause()?;
        let (reader, writer) = io::pipe().map_err(failed)?;
        let state = host::drain_into(reader, File::create(work.path().join("state")).map_err(failed)?);
        machine.vm().monitor.freeze(writer.into(), true, STATE)?;
        state.join().map_err(|_| Error::Gone(Cause::Control("the state was not written".to_owned())))?.map_err(failed)?;
        // QEMU wrote its disk's caches out before it said that the state is complete.
        host::copy_file(machine.overlay(), &work.path().join("disk.qcow2")).map_err(failed)?;
        let config = self.template.config();
        let manifest =
            Manifest { template: self.template.identity(), image: config.image.clone(), memory: config.memory, of: String::new() };
        self.shelf.install(work, path, &manifest)
    }

    /// Thaws a copy of a kept machine; what is kept stays as it is.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if there is none of that name, or it belongs to another template.
    pub fn restore(&self, name: &str) -> Result<Machine, Error> {
        let path = self.shelf.path(name)?;
        let manifest = manifest(&path).ok_or_else(|| nobody(name))?;
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
}

/// A time in seconds since 1970 as people write it, in UTC.
fn timestamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years from March on, so that the leap day is the last (Howard Hinnant's civil_from_days).
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn times_are_written_as_people_do() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_709_251_199, "2024-02-29 23:59:59"),
            (4_102_444_800, "2100-01-01 00:00:00"),
        ] {
            assert_eq!(timestamp(seconds), text);
        }
    }
}
