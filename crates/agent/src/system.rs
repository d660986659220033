//! The two requests to the kernel that no safe wrapper offers, and the set-up of a child.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::ioctl::{NoArg, Opcode, Setter, ioctl, opcode};

const ADD_ENTROPY: Opcode = opcode::write::<[i32; 2]>(b'R', 0x03);
const RESEED: Opcode = opcode::none(b'R', 0x07);

/// The kernel's `rand_pool_info` with a buffer of a fixed size.
#[repr(C)]
struct PoolInfo {
    entropy_bits: i32,
    size: i32,
    bytes: [u8; 64],
}

/// Gives the kernel's generator 64 bytes of fresh randomness, credits them and makes it use them at once.
pub(crate) fn reseed(random: impl AsFd, bytes: [u8; 64]) -> io::Result<()> {
    let info = PoolInfo { entropy_bits: 512, size: 64, bytes };
    // SAFETY: RNDADDENTROPY reads a rand_pool_info, whose `size` is the length of the bytes behind it.
    unsafe { ioctl(random.as_fd(), Setter::<ADD_ENTROPY, PoolInfo>::new(info))? };
    // SAFETY: RNDRESEEDCRNG takes no argument.
    unsafe { ioctl(random.as_fd(), NoArg::<RESEED>::new())? };
    Ok(())
}

/// Where the machine's identity lies, in memory; programs find it as `/etc/machine-id`.
pub(crate) const MACHINE_ID: &str = "/run/machine-id";

/// Gives the machine an identity that no sibling has.
pub(crate) fn renew_machine_id() -> io::Result<()> {
    use rustix::fs::{Mode, OFlags, open};
    let mut bytes = [0; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    let text = format!("{:032x}\n", u128::from_be_bytes(bytes));
    // The guest's root may have put anything in its place: it must not hold the agent.
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = std::fs::File::from(open(MACHINE_ID, flags, Mode::empty())?);
    io::Write::write_all(&mut file, text.as_bytes())?;
    // It has this length already unless somebody changed it.
    if file.metadata()?.len() == text.len() as u64 { Ok(()) } else { file.set_len(text.len() as u64) }
}

/// Makes this thread run before every ordinary one; its children start ordinary again.
pub(crate) fn run_first() -> io::Result<()> {
    const FIFO: usize = 1;
    const RESET_ON_FORK: usize = 0x4000_0000;
    let priority: libc::c_int = 1;
    // The system call itself: musl's wrapper only returns ENOSYS.
    // SAFETY: sched_setscheduler reads one int behind the pointer, which outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0usize, FIFO | RESET_ON_FORK, &raw const priority) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A descriptor that this process was started with, which nothing it executes will have.
pub(crate) fn inherited(number: i32) -> Option<OwnedFd> {
    use std::os::fd::FromRawFd;
    // The three streams are somebody's already.
    if number < 3 {
        return None;
    }
    // SAFETY: whoever started this process opened the descriptor for it and named it once; nothing else here knows of it.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC).ok().map(|()| fd)
}

/// What a child does between fork and exec.
pub(crate) struct ChildSetup {
    /// Opened `cgroup.procs` files to enter.
    pub(crate) groups: Vec<OwnedFd>,
    /// Whether standard input is a terminal to be made the controlling one.
    pub(crate) terminal: bool,
    /// The longest file, or zero.
    pub(crate) file_size: u64,
    /// Open files, or zero.
    pub(crate) open_files: u64,
    /// User and group to become, unless root.
    pub(crate) identity: Option<(u32, u32)>,
}

/// Has `command` do `setup` in the child before it executes the program.
pub(crate) fn prepare(command: &mut Command, setup: ChildSetup) {
    // SAFETY: the closure only makes system calls and allocates nothing; this process has one thread.
    unsafe { command.pre_exec(move || setup.apply()) };
}

impl ChildSetup {
    fn apply(&self) -> io::Result<()> {
        use rustix::process::{Resource, Rlimit, setrlimit};
        for group in &self.groups {
            rustix::io::write(group, b"0")?;
        }
        rustix::process::setsid()?;
        if self.terminal {
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
        }
        let limit = |value| Rlimit { current: Some(value), maximum: Some(value) };
        if self.file_size > 0 {
            setrlimit(Resource::Fsize, limit(self.file_size))?;
        }
        if self.open_files > 0 {
            setrlimit(Resource::Nofile, limit(self.open_files))?;
        }
        setrlimit(Resource::Core, limit(0))?;
        if let Some((user, group)) = self.identity {
            let group = rustix::process::Gid::from_raw(group);
            let user = rustix::process::Uid::from_raw(user);
            rustix::thread::set_thread_groups(&[group])?;
            rustix::thread::set_thread_res_gid(group, group, group)?;
            rustix::thread::set_thread_res_uid(user, user, user)?;
        }
        Ok(())
    }
}
