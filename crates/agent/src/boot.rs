//! From the kernel's first process to a machine that can serve.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, mount, mount_bind, mount_move};

use crate::groups::Groups;
use crate::serve::Config;
use crate::system;

/// How long disks and ports may take to appear.
const PATIENCE: Duration = Duration::from_secs(10);

/// The name of the agent's port, as the host calls it.
const PORT: &str = "oubliette.agent";

/// Mounts, loads, opens, until the channel to the host is there.
///
/// # Errors
/// The step that failed, in words: the caller can only say so and give up.
pub fn boot() -> Result<(OwnedFd, Config), String> {
    let step = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    for (source, target, kind, flags) in [
        ("dev", "/dev", "devtmpfs", MountFlags::NOSUID),
        ("proc", "/proc", "proc", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC),
        ("sys", "/sys", "sysfs", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC),
    ] {
        fs::create_dir_all(target).map_err(step("folders"))?;
        mount(source, target, kind, flags, None).map_err(|error| step("mount")(error.into()))?;
    }
    load_modules(Path::new("/modules")).map_err(step("modules"))?;
    await_path(Path::new("/dev/vda")).map_err(step("the disk"))?;
    let port = await_port().map_err(step("the port"))?;
    enter_root().map_err(step("the root file system"))?;
    let groups = furnish().map_err(step("furnishing"))?;
    system::run_first().map_err(step("priority"))?;
    let channel = rustix::fs::open(&port, OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| step("the channel")(error.into()))?;
    Ok((channel, Config { groups, machine: true }))
}

/// Loads the kernel's modules in the order of their names.
fn load_modules(folder: &Path) -> io::Result<()> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    paths.sort();
    for path in paths {
        let file = fs::File::open(&path)?;
        match rustix::system::finit_module(&file, c"", 0) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(io::Error::other(format!("{}: {error}", path.display()))),
        }
    }
    Ok(())
}

fn await_path(path: &Path) -> io::Result<()> {
    let start = Instant::now();
    while !path.exists() {
        if start.elapsed() > PATIENCE {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Finds the device of the agent's port by the name that the host gave it.
fn await_port() -> io::Result<PathBuf> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        for entry in fs::read_dir("/sys/class/virtio-ports").into_iter().flatten().flatten() {
            let name = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
            let device = Path::new("/dev").join(entry.file_name());
            if name.trim() == PORT && device.exists() {
                return Ok(device);
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Makes the disk the root, with this program left behind where nobody can reach it.
fn enter_root() -> io::Result<()> {
    fs::create_dir_all("/disk")?;
    // A disk whose structures could not be written is given up at once, so that the host hears of it.
    mount("/dev/vda", "/disk", "ext4", MountFlags::NOATIME, Some(c"errors=remount-ro"))?;
    for place in ["dev", "proc", "sys"] {
        let target = format!("/disk/{place}");
        fs::create_dir_all(&target)?;
        mount_move(format!("/{place}"), target)?;
    }
    std::env::set_current_dir("/disk")?;
    mount_move(".", "/")?;
    rustix::process::chroot(".")?;
    std::env::set_current_dir("/")
}

/// Mounts what programs expect and sets up control groups.
fn furnish() -> io::Result<Groups> {
    let plain = MountFlags::NOSUID | MountFlags::NODEV;
    for (source, target, kind, flags, data) in [
        ("devpts", "/dev/pts", "devpts", MountFlags::NOSUID | MountFlags::NOEXEC, Some(c"gid=5,mode=620,ptmxmode=666")),
        ("shm", "/dev/shm", "tmpfs", plain, Some(c"mode=1777,size=64m")),
        ("run", "/run", "tmpfs", plain, Some(c"mode=755,size=16m")),
        ("cgroup", "/sys/fs/cgroup", "cgroup2", plain | MountFlags::NOEXEC, None),
    ] {
        fs::create_dir_all(target)?;
        mount(source, target, kind, flags, data)?;
    }
    for (link, target) in [
        ("/dev/fd", "/proc/self/fd"),
        ("/dev/stdin", "/proc/self/fd/0"),
        ("/dev/stdout", "/proc/self/fd/1"),
        ("/dev/stderr", "/proc/self/fd/2"),
    ] {
        drop(std::os::unix::fs::symlink(target, link));
    }
    for (setting, value) in [
        ("kernel/dmesg_restrict", "1"),
        ("kernel/kptr_restrict", "2"),
        ("kernel/unprivileged_bpf_disabled", "1"),
        ("kernel/panic_on_oops", "1"),
        ("vm/panic_on_oom", "0"),
        // Only the agent runs before all others, and it is trusted not to for long: nobody need keep account of that.
        ("kernel/sched_rt_runtime_us", "-1"),
    ] {
        drop(fs::write(Path::new("/proc/sys").join(setting), value));
    }
    // Where it can change with every clone; an image without one does without.
    fs::write(system::MACHINE_ID, "")?;
    let _ = mount_bind(system::MACHINE_ID, "/etc/machine-id");
    rustix::system::sethostname(b"oubliette")?;
    // Programs talk to themselves over the loopback; an image without `ip` does without.
    drop(Command::new("/sbin/ip").args(["link", "set", "lo", "up"]).status());
    Groups::set_up(Path::new("/sys/fs/cgroup"))
}
