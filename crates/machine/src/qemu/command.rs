//! QEMU's command line. A template and its clones must have the same machine and the same devices to the letter.

use std::io::PipeWriter;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use command_fds::{CommandFdExt, FdMapping};
use serde_json::json;

use super::confine::{Confinement, confine};
use super::lend::{self, Loan};
use crate::Error;

const QMP_FD: RawFd = 3;
const AGENT_FD: RawFd = 4;
const RAM_FD: RawFd = 5;
/// Where QEMU finds the state to read.
pub(super) const STATE_FD: RawFd = 6;
const KERNEL_FD: RawFd = 7;
const INITRD_FD: RawFd = 8;
const NETWORK_FD: RawFd = 9;
const DISK_FD: RawFd = 10;

/// How the guest's processor is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    /// By the host's processor.
    Kvm,
    /// In software, several times slower; needs nothing of the host.
    Tcg,
}

/// What a machine looks like from inside. The same for a template and all its clones.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Frame {
    /// The guest's memory in bytes.
    pub(crate) memory: u64,
    /// How its processor is made.
    pub(crate) accelerator: Accelerator,
    /// Whether it has a network device.
    pub(crate) network: bool,
}

/// The guest's memory: a file as long as it.
pub(crate) enum Ram {
    /// What the guest writes goes to this memory file.
    Shared(OwnedFd),
    /// Mapped privately, from a memory file that is sealed.
    Sealed(OwnedFd),
    /// Mapped privately, from any file that can be read.
    Lent(OwnedFd),
}

/// What a guest starts from, when it does not go on from a frozen state.
pub(crate) struct Boot {
    pub(crate) kernel: OwnedFd,
    pub(crate) initrd: OwnedFd,
    /// Thousands of ticks a second of the processor's counter; known beforehand it need not be measured while booting.
    pub(crate) tsc_khz: u64,
}

/// Everything that one QEMU is started with.
pub(crate) struct Launch<'a> {
    pub(crate) qemu: &'a Path,
    pub(crate) frame: &'a Frame,
    pub(crate) ram: Ram,
    /// Read-only disk files from the lowest to the highest, then the overlay that is written.
    pub(crate) disks: Vec<OwnedFd>,
    pub(crate) boot: Option<Boot>,
    /// A state to go on from.
    pub(crate) state: Option<OwnedFd>,
    /// The other end of its network cable.
    pub(crate) network: Option<OwnedFd>,
    pub(crate) confinement: &'a Confinement,
    /// The longest file it may write, in bytes: the quota of its overlay.
    pub(crate) quota: u64,
    /// Whether what is written to the disk must outlive a crash of the host.
    pub(crate) durable: bool,
}

pub(super) fn assemble(launch: Launch<'_>, agent: OwnedFd, qmp: OwnedFd, errors: PipeWriter) -> Result<(Command, Option<Loan>), Error> {
    let frame = launch.frame;
    let mut fds = Vec::new();
    let mut give = |parent_fd: OwnedFd, child_fd: RawFd| fds.push(FdMapping { parent_fd, child_fd });
    give(qmp, QMP_FD);
    give(agent, AGENT_FD);
    let (share, loan, borrower) = match launch.ram {
        Ram::Shared(file) => {
            give(file, RAM_FD);
            ("on", None, None)
        }
        Ram::Sealed(file) => {
            give(file, RAM_FD);
            ("off", None, None)
        }
        Ram::Lent(file) => {
            let (loan, borrower) = lend::pair(file).map_err(|error| Error::io("a socket pair", error))?;
            ("off", Some(loan), Some(borrower))
        }
    };

    let mut command = Command::new(launch.qemu);
    // One pool of small memory for all threads: each of its own would take a megabyte or more of every clone.
    command.env_clear().env("MALLOC_ARENA_MAX", "1");
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
    // A group of its own: what a terminal or a shell that ends tells our group (SIGINT, SIGHUP) would have QEMU switch the guest off, and the
    // kernel says SIGHUP to a whole group that is orphaned while one in it is stopped, as a pool's machines are.
    command.process_group(0);
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-name", "oubliette"]);
    match frame.accelerator {
        Accelerator::Kvm => command.args(["-accel", "kvm", "-cpu", "host,migratable=on"]),
        // Without ARAT the guest takes its timer for one that sleeps with the processor, has none that does not, and so ticks 250 times a second.
        Accelerator::Tcg => command.args(["-accel", "tcg,thread=single,tb-size=128", "-cpu", "Nehalem-v1,arat=on"]),
    };
    let megabytes = frame.memory >> 20;
    command.arg("-m").arg(megabytes.to_string()).args(["-smp", "1"]);
    command.arg("-object").arg(format!("memory-backend-file,id=ram,size={megabytes}M,mem-path=/proc/self/fd/{RAM_FD},share={share}"));
    command
        .args(["-machine", "microvm,pit=off,pic=off,rtc=on,isa-serial=off,x-option-roms=off,acpi=on,pcie=off,usb=off,memory-backend=ram"]);
    command.args(["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]);

    if let Some(boot) = launch.boot {
        give(boot.kernel, KERNEL_FD);
        give(boot.initrd, INITRD_FD);
        command.args(["-kernel", &format!("/proc/self/fd/{KERNEL_FD}")]);
        command.args(["-initrd", &format!("/proc/self/fd/{INITRD_FD}")]);
        command.args(["-append", &kernel_command_line(frame, boot.tsc_khz)]);
    }
    if let Some(state) = launch.state {
        give(state, STATE_FD);
        command.args(["-incoming", "defer"]);
    }

    let last = launch.disks.len().checked_sub(1).ok_or_else(|| Error::Qemu("a machine without a disk".to_owned()))?;
    for (index, disk) in launch.disks.into_iter().enumerate() {
        let fd = DISK_FD + RawFd::try_from(index).unwrap_or(0);
        give(disk, fd);
        command.arg("-add-fd").arg(format!("fd={fd},set={fd}"));
        let read_only = index != last;
        // What a clone writes is gone when it ends, so it need never reach the host's disk.
        let cache = json!({"direct": false, "no-flush": !launch.durable});
        command.arg("-blockdev").arg(
            json!({"node-name": format!("file{index}"), "driver": "file", "filename": format!("/dev/fdset/{fd}"),
                "locking": "off", "read-only": read_only, "discard": "unmap", "cache": cache})
            .to_string(),
        );
        let mut layer = json!({"node-name": format!("disk{index}"), "driver": "qcow2", "file": format!("file{index}"),
            "read-only": read_only, "discard": "unmap", "cache": cache});
        layer["backing"] = if index == 0 { serde_json::Value::Null } else { json!(format!("disk{}", index - 1)) };
        command.arg("-blockdev").arg(layer.to_string());
    }
    command.args(["-device", &format!("virtio-blk-device,drive=disk{last},id=disk")]);
    command.args(["-device", "virtio-serial-device,id=serial,max_ports=2"]);
    command.args(["-chardev", &format!("socket,id=agent,fd={AGENT_FD}")]);
    command.args(["-device", "virtserialport,chardev=agent,name=oubliette.agent,id=port"]);
    if frame.network {
        let cable = launch.network.ok_or_else(|| Error::Qemu("a network device without a cable".to_owned()))?;
        give(cable, NETWORK_FD);
        command.args(["-netdev", &format!("socket,id=net,fd={NETWORK_FD}")]);
        command.args(["-device", "virtio-net-device,netdev=net,id=nic,mac=52:54:00:6f:75:62"]);
    }
    command.args(["-chardev", &format!("socket,id=qmp,fd={QMP_FD}"), "-mon", "chardev=qmp,mode=control"]);

    debug_assert!(fds.iter().all(|fd| fd.parent_fd.as_raw_fd() >= 0));
    command.fd_mappings(fds).map_err(|error| Error::Qemu(error.to_string()))?;
    confine(&mut command, launch.confinement, launch.qemu, frame.accelerator, launch.quota, borrower)?;
    Ok((command, loan))
}

fn kernel_command_line(frame: &Frame, tsc_khz: u64) -> String {
    let mut words = vec![
        "quiet loglevel=0 no_timer_check random.trust_cpu=on panic=-1 mitigations=off cryptomgr.notests lsm=capability",
        "audit=0 ipv6.disable=1 nokaslr i8042.noaux i8042.nokbd",
        // Accounts that nobody reads.
        "psi=0 noautogroup nowatchdog",
    ];
    let tsc = format!("tsc=reliable tsc_early_khz={tsc_khz}");
    if frame.accelerator == Accelerator::Tcg {
        words.push(&tsc);
        // With addresses that differ at every start QEMU translates every program again at every start.
        words.push("norandmaps");
        // The guest's kernel hardens itself against its own programs, which may be its root anyway. Emulated, that is dear: it clears every
        // piece of memory that it hands out, measures every copy, and asks for the time at every system call.
        words.push("init_on_alloc=0 hardened_usercopy=off randomize_kstack_offset=off");
    }
    words.join(" ")
}
