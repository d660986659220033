//! What people use instead of clones: the same guest put back in place by `loadvm`, and the same system under a system manager.
//!
//! These run QEMU as anybody would, without our walls around it, which is to their advantage.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use wire::{Decoder, FromGuest, MAX_FRAME, PREAMBLE, ToGuest, VERSION};

/// How long a guest may take to come up.
const PATIENCE: Duration = Duration::from_secs(300);

/// A QEMU with its control channel and a stream to the port in the guest. It ends with its handle.
pub(crate) struct Peer {
    child: Child,
    control: BufReader<UnixStream>,
    port: UnixStream,
    _folder: tempfile::TempDir,
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a guest is started from.
pub(crate) struct Guest<'a> {
    pub(crate) kernel: &'a Path,
    pub(crate) initrd: &'a Path,
    pub(crate) append: &'a str,
    /// The disk under a fresh overlay: qcow2.
    pub(crate) disk: &'a Path,
}

/// Waits for a server socket that a child is about to make.
fn connect(path: &Path) -> Result<UnixStream> {
    let start = Instant::now();
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) if start.elapsed() > Duration::from_secs(20) => return Err(error).context("QEMU does not listen"),
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

impl Peer {
    /// Starts QEMU with the machine that our clones have, of 256 MiB, emulated.
    pub(crate) fn start(guest: &Guest<'_>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let overlay = folder.path().join("overlay.qcow2");
        let made = Command::new("qemu-img")
            .args(["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"])
            .arg(fs::canonicalize(guest.disk)?)
            .arg(&overlay)
            .status()
            .context("qemu-img")?;
        ensure!(made.success(), "qemu-img ended with {made}");
        let (control, port) = (folder.path().join("control"), folder.path().join("port"));
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-accel", "tcg,thread=single,tb-size=128"])
            .args(["-cpu", "Nehalem-v1,arat=on", "-m", "256", "-smp", "1"])
            .args(["-machine", "microvm,pit=off,pic=off,rtc=on,isa-serial=off,x-option-roms=off,acpi=on,pcie=off,usb=off"]);
        command.arg("-kernel").arg(guest.kernel).arg("-initrd").arg(guest.initrd).args(["-append", guest.append]);
        let disk = json!({"driver": "qcow2", "node-name": "disk", "file": {"driver": "file", "filename": overlay},
            "cache": {"no-flush": true}});
        command.arg("-blockdev").arg(disk.to_string()).args(["-device", "virtio-blk-device,drive=disk"]);
        command.args(["-device", "virtio-serial-device,max_ports=2"]);
        command.arg("-chardev").arg(format!("socket,id=port,path={},server=on,wait=off", port.display()));
        command.args(["-device", "virtserialport,chardev=port,name=oubliette.agent"]);
        command.arg("-chardev").arg(format!("socket,id=control,path={},server=on,wait=off", control.display()));
        command.args(["-mon", "chardev=control,mode=control"]).stdin(Stdio::null());
        let child = command.spawn().context("qemu-system-x86_64")?;
        // From here on the child is ended by whoever drops it.
        let mut unborn = Unborn(Some(child));
        let port = connect(&port)?;
        let control = BufReader::new(connect(&control)?);
        let child = unborn.0.take().context("no child")?;
        let mut peer = Self { child, control, port, _folder: folder };
        peer.read_line()?;
        peer.execute("qmp_capabilities", &json!({}))?;
        Ok(peer)
    }

    fn read_line(&mut self) -> Result<Value> {
        let mut line = String::new();
        ensure!(self.control.read_line(&mut line)? > 0, "QEMU ended");
        Ok(serde_json::from_str(&line)?)
    }

    fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let line = json!({"execute": command, "arguments": arguments}).to_string();
        self.control.get_mut().write_all(line.as_bytes())?;
        loop {
            let answer = self.read_line()?;
            if let Some(result) = answer.get("return") {
                return Ok(result.clone());
            }
            if let Some(error) = answer.get("error") {
                bail!("{command}: {error}");
            }
        }
    }

    /// A command of the monitor for people, which says nothing when it succeeds.
    fn monitor(&mut self, line: &str) -> Result<()> {
        let said = self.execute("human-monitor-command", &json!({"command-line": line}))?;
        let said = said.as_str().unwrap_or_default().trim();
        ensure!(said.is_empty(), "{line}: {said}");
        Ok(())
    }

    /// Keeps memory, devices and disk as they are now under a name, inside the overlay.
    pub(crate) fn save(&mut self, name: &str) -> Result<()> {
        self.monitor(&format!("savevm {name}"))
    }

    /// Goes back to what was kept.
    pub(crate) fn load(&mut self, name: &str) -> Result<()> {
        self.monitor(&format!("loadvm {name}"))
    }

    /// Waits for the agent's first word.
    pub(crate) fn greet(&mut self) -> Result<()> {
        let mut bytes = PREAMBLE.to_vec();
        wire::encode(&ToGuest::Hello { version: VERSION }, &mut bytes)?;
        self.port.write_all(&bytes)?;
        let mut decoder = Decoder::new();
        let mut buffer = vec![0; MAX_FRAME];
        loop {
            let count = self.port.read(&mut buffer)?;
            ensure!(count > 0, "QEMU ended");
            decoder.feed(&buffer[..count]);
            while let Some(message) = decoder.next_message::<FromGuest>()? {
                if matches!(message, FromGuest::Hello { .. }) {
                    return Ok(());
                }
            }
        }
    }

    /// Waits until anything comes through the port.
    pub(crate) fn hear(&mut self) -> Result<()> {
        ensure!(self.port.read(&mut [0; 16])? > 0, "QEMU ended");
        Ok(())
    }
}

/// A child that is ended unless it was taken out.
struct Unborn(Option<Child>);

impl Drop for Unborn {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// How many thousand ticks a second the frozen machines of an image were given, so that a peer need not measure it while booting either.
pub(crate) fn tsc_khz(data: &Path) -> Option<u64> {
    let text = fs::read_to_string(data.join("frozen/base-256M-tcg/frozen.toml")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("tsc_khz = ")?.trim().parse().ok())
}

/// The image that `bench/machine/system-manager.sh` makes, if it was made.
pub(crate) struct Managed {
    pub(crate) kernel: PathBuf,
    pub(crate) initrd: PathBuf,
    pub(crate) disk: PathBuf,
}

impl Managed {
    pub(crate) fn find(data: &Path) -> Option<Self> {
        let folder = data.join("peers/system-manager");
        let managed = Self { kernel: folder.join("vmlinux"), initrd: folder.join("initrd"), disk: folder.join("root.qcow2") };
        [&managed.kernel, &managed.initrd, &managed.disk].iter().all(|path| path.exists()).then_some(managed)
    }
}
