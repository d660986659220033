//! Guest memory that QEMU may map privately but not write.
//!
//! QEMU opens the file of a guest's memory for writing, also where it maps it privately and never writes to it. A frozen memory must not be
//! within reach of such a descriptor: a guest that took its QEMU over would change what all later clones start from. So the child filters its
//! own system calls before it becomes QEMU: no file can be opened for writing, except that the one attempt that QEMU makes while it starts is
//! answered by us, with a descriptor for reading. The memory need not be copied for every process then.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// How long QEMU may take from its start to opening the memory.
const PATIENCE: Duration = Duration::from_secs(30);

/// Our half: what is lent, and the channel through which the child hands over its listener.
#[derive(Debug)]
pub(super) struct Loan {
    memory: OwnedFd,
    channel: UnixStream,
}

/// The child's half.
#[derive(Debug)]
pub(super) struct Borrower {
    channel: UnixStream,
}

/// Both halves for one QEMU.
pub(super) fn pair(memory: OwnedFd) -> io::Result<(Loan, Borrower)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_read_timeout(Some(PATIENCE))?;
    Ok((Loan { memory, channel: ours }, Borrower { channel: theirs }))
}

impl Loan {
    /// Answers the one attempt to open the memory, and none after it.
    ///
    /// # Errors
    /// When QEMU ended or did not ask in time, or the kernel cannot answer for us (before Linux 5.14).
    pub(super) fn serve(self) -> io::Result<()> {
        let listener = self.listener()?;
        let patience = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
        let mut fds = [PollFd::new(&listener, PollFlags::IN)];
        if poll(&mut fds, Some(&patience))? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if !fds[0].revents().contains(PollFlags::IN) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer(listener.as_fd(), self.memory.as_fd())
    }

    fn listener(&self) -> io::Result<OwnedFd> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        recvmsg(&self.channel, &mut [io::IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let descriptors = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        descriptors.flatten().next().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl Borrower {
    /// Filters the system calls of this process, and of the program that it becomes, from now on. Runs between fork and exec.
    pub(super) fn submit(&self) -> io::Result<()> {
        let listener = install()?;
        let descriptors = [listener.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        sendmsg(&self.channel, &[io::IoSlice::new(b"l")], &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

/// Whether memory can be lent here at all; the kernel, or QEMU, may still refuse.
pub(crate) const fn is_possible() -> bool {
    cfg!(target_arch = "x86_64")
}

/// Puts the filter around this thread; what it asks us arrives at the descriptor.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
fn install() -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    let mut program = filter::PROGRAM;
    let length = u16::try_from(program.len()).unwrap_or(0);
    let program = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    // SAFETY: seccomp reads a sock_fprog and as many instructions as it says, which outlive the call.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER, &raw const program)
    };
    let descriptor = i32::try_from(result).unwrap_or(-1);
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: with this flag the call returns a new descriptor that is nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

#[cfg(not(target_arch = "x86_64"))]
fn install() -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Lets the call that waits at the listener return a copy of `memory`.
#[allow(unsafe_code)]
fn answer(listener: BorrowedFd<'_>, memory: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: a seccomp_notif is plain numbers; the kernel wants it zeroed.
    let mut question: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: SECCOMP_IOCTL_NOTIF_RECV writes one seccomp_notif, which outlives the call.
    if unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut question) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let reply = libc::seccomp_notif_addfd {
        id: question.id,
        flags: libc::SECCOMP_ADDFD_FLAG_SEND as u32,
        srcfd: memory.as_raw_fd().cast_unsigned(),
        newfd: 0,
        newfd_flags: libc::O_CLOEXEC.cast_unsigned(),
    };
    // SAFETY: SECCOMP_IOCTL_NOTIF_ADDFD reads one seccomp_notif_addfd, which outlives the call.
    if unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw const reply) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(target_arch = "x86_64")]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
mod filter {
    use libc::{
        BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO,
        SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_USER_NOTIF, sock_filter,
    };

    // Where the kernel's description of a call has what.
    pub(super) const NUMBER: u32 = 0;
    pub(super) const ARCHITECTURE: u32 = 4;
    /// The lower half of an argument.
    pub(super) const fn argument(index: u32) -> u32 {
        16 + 8 * index
    }

    /// `AUDIT_ARCH_X86_64`
    pub(super) const X86_64: u32 = 0xc000_003e;
    /// Calls of the other calling convention of 64 bits have this bit.
    const X32: u32 = 0x4000_0000;
    pub(super) const REFUSE: u32 = SECCOMP_RET_ERRNO | libc::EACCES as u32;
    pub(super) const UNKNOWN: u32 = SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

    const fn load(offset: u32) -> sock_filter {
        sock_filter { code: (BPF_LD | BPF_W | BPF_ABS) as u16, jt: 0, jf: 0, k: offset }
    }

    const fn jump(test: u32, value: u32, yes: u8, no: u8) -> sock_filter {
        sock_filter { code: (BPF_JMP | test | BPF_K) as u16, jt: yes, jf: no, k: value }
    }

    const fn end(verdict: u32) -> sock_filter {
        sock_filter { code: (BPF_RET | BPF_K) as u16, jt: 0, jf: 0, k: verdict }
    }

    /// A jump says how many instructions it leaves out.
    pub(super) const PROGRAM: [sock_filter; 21] = [
        load(ARCHITECTURE),
        jump(BPF_JEQ, X86_64, 1, 0),
        end(SECCOMP_RET_KILL_PROCESS),
        load(NUMBER),
        jump(BPF_JGE, X32, 14, 0),
        jump(BPF_JEQ, libc::SYS_openat as u32, 5, 0),
        jump(BPF_JEQ, libc::SYS_open as u32, 6, 0),
        jump(BPF_JEQ, libc::SYS_creat as u32, 10, 0),
        jump(BPF_JEQ, libc::SYS_openat2 as u32, 10, 0),
        // It opens files past every filter; QEMU does without.
        jump(BPF_JEQ, libc::SYS_io_uring_setup as u32, 9, 0),
        end(SECCOMP_RET_ALLOW),
        // QEMU opens the memory, and nothing else, with this flag alone.
        load(argument(2)),
        jump(BPF_JEQ, libc::O_RDWR as u32, 7, 2),
        load(argument(1)),
        jump(BPF_JEQ, libc::O_RDWR as u32, 5, 0),
        sock_filter { code: (BPF_ALU | BPF_AND | BPF_K) as u16, jt: 0, jf: 0, k: libc::O_ACCMODE as u32 },
        jump(BPF_JEQ, libc::O_RDONLY as u32, 0, 1),
        end(SECCOMP_RET_ALLOW),
        end(REFUSE),
        end(UNKNOWN),
        end(SECCOMP_RET_USER_NOTIF),
    ];
}

#[cfg(all(test, target_arch = "x86_64"))]
#[allow(clippy::cast_sign_loss)]
mod tests {
    use libc::{
        BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS,
        SECCOMP_RET_USER_NOTIF,
    };

    use super::filter::{ARCHITECTURE, NUMBER, PROGRAM, REFUSE, UNKNOWN, X86_64, argument};

    /// Does what the kernel does with the instructions that we use.
    fn verdict(architecture: u32, number: i64, arguments: [u32; 3]) -> u32 {
        let (mut at, mut value) = (0, 0);
        loop {
            let step = PROGRAM[at];
            at += 1;
            let code = u32::from(step.code);
            let skip = |yes| usize::from(if yes { step.jt } else { step.jf });
            match code {
                _ if code == BPF_LD | BPF_W | BPF_ABS => {
                    value = match step.k {
                        NUMBER => u32::try_from(number).expect("a number"),
                        ARCHITECTURE => architecture,
                        k => arguments[(0..3).position(|index| argument(index) == k).expect("an argument")],
                    }
                }
                _ if code == BPF_JMP | BPF_JEQ | BPF_K => at += skip(value == step.k),
                _ if code == BPF_JMP | BPF_JGE | BPF_K => at += skip(value >= step.k),
                _ if code == BPF_ALU | BPF_AND | BPF_K => value &= step.k,
                _ if code == BPF_RET | BPF_K => return step.k,
                _ => panic!("an instruction of another kind: {code:#x}"),
            }
        }
    }

    #[test]
    fn files_are_opened_for_reading_and_one_for_both() {
        let (read, write, both) = (libc::O_RDONLY as u32, libc::O_WRONLY as u32, libc::O_RDWR as u32);
        let (close, create) = (libc::O_CLOEXEC as u32, libc::O_CREAT as u32);
        for (what, number, arguments, expected) in [
            ("reading", libc::SYS_openat, [0, 0, read | close], SECCOMP_RET_ALLOW),
            ("reading, the old way", libc::SYS_open, [0, read, 0], SECCOMP_RET_ALLOW),
            ("the memory", libc::SYS_openat, [0, 0, both], SECCOMP_RET_USER_NOTIF),
            ("the memory, the old way", libc::SYS_open, [0, both, 0], SECCOMP_RET_USER_NOTIF),
            ("a device", libc::SYS_openat, [0, 0, both | close], REFUSE),
            ("writing", libc::SYS_openat, [0, 0, write], REFUSE),
            ("writing, the old way", libc::SYS_open, [0, write | create, 0], REFUSE),
            ("the mode that is none", libc::SYS_openat, [0, 0, 3], REFUSE),
            ("making a file", libc::SYS_creat, [0, read, read], REFUSE),
            ("what has its flags in memory", libc::SYS_openat2, [0, 0, 0], UNKNOWN),
            ("what opens past a filter", libc::SYS_io_uring_setup, [0, 0, 0], UNKNOWN),
            ("another convention", 0x4000_0000 | libc::SYS_openat, [0, 0, read], UNKNOWN),
            ("what is no opening", libc::SYS_read, [both, both, both], SECCOMP_RET_ALLOW),
        ] {
            assert_eq!(verdict(X86_64, number, arguments), expected, "{what}");
        }
        assert_eq!(verdict(0x4000_0003, libc::SYS_openat, [0; 3]), SECCOMP_RET_KILL_PROCESS, "code of 32 bits");
    }
}
