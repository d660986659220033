//! What QEMU is left with: nothing but the descriptors it was given and read-only program files.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, Scope,
};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::{Gid, Resource, Rlimit, Signal, Uid, setrlimit};
use rustix::thread::UnshareFlags;

use super::command::Accelerator;
use super::lend::Borrower;
use crate::Error;

/// Which walls are put around QEMU beside its own system call filter and a user of its own. All by default; what
/// the host's kernel lacks is left out with a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// Name spaces of its own: no network, no view of the host's mounts, processes' messages or name.
    pub namespaces: bool,
    /// Landlock: no file may be written, none but programs and libraries read.
    pub landlock: bool,
    /// A user number that nothing else has. Only where this process is root.
    pub user: bool,
}

impl Default for Confinement {
    fn default() -> Self {
        Self { namespaces: true, landlock: true, user: true }
    }
}

/// The device of the host's own virtual machines.
const KVM: &str = "/dev/kvm";

/// User numbers for machines: one each, far from those that people and services have.
const FIRST_USER: u32 = 1_900_000_000;
const USERS: u32 = 100_000_000;

/// Folders that hold people's files or other programs' sockets.
const HIDDEN: [&str; 10] = ["/home", "/root", "/tmp", "/var", "/run", "/mnt", "/media", "/srv", "/opt", "/boot"];

/// Prepared before the fork, so that the child only makes system calls.
struct Walls {
    namespaces: Option<Namespaces>,
    landlock: Option<RulesetCreated>,
    user: Option<u32>,
    /// The group that `/dev/kvm` belongs to, where it is needed.
    group: Option<u32>,
    quota: u64,
    borrower: Option<Borrower>,
}

struct Namespaces {
    /// Lines for the maps of a user name space, where one is needed.
    maps: Option<(CString, CString)>,
    hidden: Vec<CString>,
}

/// Has `command` confine itself before it becomes QEMU.
pub(super) fn confine(
    command: &mut Command,
    confinement: &Confinement,
    qemu: &Path,
    accelerator: Accelerator,
    quota: u64,
    borrower: Option<Borrower>,
) -> Result<(), Error> {
    let root = rustix::process::geteuid().is_root();
    let walls = Walls {
        namespaces: confinement.namespaces.then(|| Namespaces::prepare(qemu, root)),
        landlock: if confinement.landlock { prepare_landlock(qemu, accelerator) } else { None },
        user: if confinement.user && root { Some(a_user()?) } else { None },
        group: if accelerator == Accelerator::Kvm { fs::metadata(KVM).ok().map(|device| device.gid()) } else { None },
        quota,
        borrower,
    };
    let mut walls = Some(walls);
    enter_child(command, move || walls.take().map_or(Ok(()), Walls::raise));
    Ok(())
}

#[allow(unsafe_code)]
fn enter_child(command: &mut Command, work: impl FnMut() -> io::Result<()> + Send + Sync + 'static) {
    // SAFETY: what runs between fork and exec only makes system calls on what was prepared before the fork;
    // nothing it calls takes a lock that another thread of the parent may have held.
    unsafe { command.pre_exec(work) };
}

#[allow(unsafe_code)]
fn ignore_file_limit_signal() {
    // SAFETY: SIG_IGN installs no handler; the child has one thread.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

#[allow(unsafe_code)]
fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: no flag here takes descriptors away from other threads, and the child has one thread.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

impl Walls {
    /// Runs in the child, between fork and exec.
    fn raise(mut self) -> io::Result<()> {
        let limit = |value| Rlimit { current: Some(value), maximum: Some(value) };
        setrlimit(Resource::Fsize, limit(self.quota))?;
        setrlimit(Resource::Core, limit(0))?;
        setrlimit(Resource::Nofile, limit(256))?;
        // Beyond its quota a write fails; without this the signal would end QEMU instead.
        ignore_file_limit_signal();
        if let Some(namespaces) = &self.namespaces {
            namespaces.enter()?;
        }
        if let Some(user) = self.user {
            let (user, group) = (Uid::from_raw(user), Gid::from_raw(user));
            rustix::thread::set_thread_groups(self.group.map(Gid::from_raw).as_slice())?;
            rustix::thread::set_thread_res_gid(group, group, group)?;
            rustix::thread::set_thread_res_uid(user, user, user)?;
        }
        rustix::thread::set_no_new_privs(true)?;
        if let Some(landlock) = self.landlock.take() {
            landlock.restrict_self().map_err(|_| io::Error::from(io::ErrorKind::PermissionDenied))?;
        }
        // After the change of user, which clears it.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // The buffer for translated code is used in small pieces; huge pages would make every clone two megabytes larger.
        rustix::thread::disable_transparent_huge_pages(true)?;
        // Last, because nothing can be opened for writing from here on.
        self.borrower.as_ref().map_or(Ok(()), Borrower::submit)
    }
}

impl Namespaces {
    fn prepare(qemu: &Path, root: bool) -> Self {
        let program = fs::canonicalize(qemu).unwrap_or_else(|_| qemu.to_owned());
        let hidden = HIDDEN
            .iter()
            .filter(|folder| Path::new(folder).is_dir() && !program.starts_with(folder))
            .filter_map(|folder| CString::new(*folder).ok())
            .collect();
        let line = |number: u32| CString::new(format!("{number} {number} 1\n")).unwrap_or_default();
        let maps = (!root).then(|| (line(rustix::process::geteuid().as_raw()), line(rustix::process::getegid().as_raw())));
        Self { maps, hidden }
    }

    fn enter(&self) -> io::Result<()> {
        let mut flags = UnshareFlags::NEWNS | UnshareFlags::NEWUTS | UnshareFlags::NEWIPC | UnshareFlags::NEWNET;
        if self.maps.is_some() {
            flags |= UnshareFlags::NEWUSER;
        }
        unshare(flags)?;
        if let Some((user, group)) = &self.maps {
            write_file(c"/proc/self/setgroups", b"deny")?;
            write_file(c"/proc/self/gid_map", group.as_bytes())?;
            write_file(c"/proc/self/uid_map", user.as_bytes())?;
        }
        mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        for folder in &self.hidden {
            mount(c"none", folder.as_c_str(), c"tmpfs", flags, Some(c"size=4k,nr_inodes=1"))?;
        }
        Ok(())
    }
}

fn write_file(path: &std::ffi::CStr, bytes: &[u8]) -> io::Result<()> {
    let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, rustix::fs::Mode::empty())?;
    rustix::io::write(&file, bytes)?;
    Ok(())
}

/// A set of rules under which program files may be read and nothing written; `None` where the kernel has no Landlock.
fn prepare_landlock(qemu: &Path, accelerator: Accelerator) -> Option<RulesetCreated> {
    let read = AccessFs::from_read(ABI::V5);
    let build = || -> Result<RulesetCreated, landlock::RulesetError> {
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(ABI::V5))?
            .handle_access(AccessNet::from_all(ABI::V5))?
            .scope(Scope::from_all(ABI::V6))?
            .create()?;
        let program = fs::canonicalize(qemu).unwrap_or_else(|_| qemu.to_owned());
        let own = program.parent().and_then(Path::parent).map_or_else(|| program.clone(), Path::to_owned);
        let mut readable: Vec<PathBuf> =
            ["/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/proc", "/dev/urandom", "/dev/random", "/dev/zero"].map(PathBuf::from).into();
        readable.push(own);
        for path in readable {
            if let Ok(fd) = PathFd::new(&path) {
                let file_only = !path.is_dir();
                let access = if file_only { AccessFs::from_file(ABI::V5) & read } else { read };
                rules = rules.add_rule(PathBeneath::new(fd, access))?;
            }
        }
        let mut writable = vec!["/dev/null"];
        if accelerator == Accelerator::Kvm {
            writable.push(KVM);
        }
        for path in writable {
            if let Ok(fd) = PathFd::new(path) {
                rules = rules.add_rule(PathBeneath::new(fd, AccessFs::from_file(ABI::V5)))?;
            }
        }
        Ok(rules)
    };
    match build() {
        Ok(rules) => Some(rules),
        Err(error) => {
            tracing::warn!(%error, "machines run without Landlock");
            None
        }
    }
}

fn a_user() -> Result<u32, Error> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| Error::Qemu(error.to_string()))?;
    Ok(FIRST_USER + u32::from_le_bytes(bytes) % USERS)
}
