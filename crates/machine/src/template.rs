//! The frozen machine that all others are clones of.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use wire::{Output, Program, User};

use crate::Error;
use crate::frozen::Memory;
use crate::host;
use crate::image::Image;
use crate::machine::{LIMITS, Machine};
use crate::network::{self, Cable, Policy};
use crate::qemu::{Accelerator, Boot, Confinement, Frame, Launch, Monitor, Ram};
use crate::session::{Happening, Session};
use crate::throttle::Throttle;

/// How long a guest may take from nothing to its agent's first word.
const BOOT: Duration = Duration::from_secs(240);

/// How long a clone may take to its agent's first word.
const CLONE: Duration = Duration::from_secs(20);

/// How long writing or reading a state may take.
const STATE: Duration = Duration::from_secs(60);

/// How long a program that only warms may run.
const WARMING: Duration = Duration::from_secs(90);

/// Changes when frozen machines of an older make must not be used any more.
const MAKE: u32 = 4;

/// What machines are wanted.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder of images, frozen and kept machines.
    pub data: PathBuf,
    /// The image's name.
    pub image: String,
    /// The guest's memory in bytes, a multiple of a MiB.
    pub memory: u64,
    /// The most bytes that a machine's disk may take on the host.
    pub quota: u64,
    /// Whom machines may reach; without it they have no network device at all.
    pub network: Option<Policy>,
    /// How the processor is made; `None` tries the host's and takes the emulated one if that does not boot.
    pub accelerator: Option<Accelerator>,
    /// QEMU, if it is not where it usually is.
    pub qemu: Option<PathBuf>,
    /// The walls around QEMU.
    pub confinement: Confinement,
    /// Shell commands that are run before the machine is frozen, so that what they read is in memory.
    pub warm: Vec<String>,
}

impl Config {
    /// Machines of 256 MiB without network, from the image `base`, with what is run most often warmed.
    #[must_use]
    pub fn new(data: impl Into<PathBuf>) -> Self {
        // With the headers that programs begin with: otherwise a clone's first compilation waits for the disk fifty times.
        let c = "printf '#include <%s>\\n' stdio.h stdlib.h string.h math.h >/tmp/w.c \
             && echo 'int main(void){puts(\"\");return 0;}' >>/tmp/w.c && gcc -O1 -o /tmp/w /tmp/w.c -lm && /tmp/w; rm -f /tmp/w /tmp/w.c";
        Self {
            data: data.into(),
            image: "base".to_owned(),
            memory: cell::Limits::MACHINE_MEMORY,
            quota: 1 << 30,
            network: None,
            accelerator: None,
            qemu: None,
            confinement: Confinement::default(),
            warm: vec!["true".to_owned(), "python3 -c pass".to_owned(), c.to_owned(), "ls / >/dev/null".to_owned()],
        }
    }

    /// The image's folder.
    #[must_use]
    pub fn image_folder(&self) -> PathBuf {
        self.data.join("images").join(&self.image)
    }

    fn folder(&self, accelerator: Accelerator) -> PathBuf {
        let network = if self.network.is_some() { "-network" } else { "" };
        let accelerator = match accelerator {
            Accelerator::Kvm => "kvm",
            Accelerator::Tcg => "tcg",
        };
        self.data.join("frozen").join(format!("{}-{}M-{accelerator}{network}", self.image, self.memory >> 20))
    }
}

/// What a frozen machine is valid for; on disk as `frozen.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    make: u32,
    wire: u16,
    image: String,
    qemu: String,
    processor: String,
    warm: Vec<String>,
    tsc_khz: u64,
    /// Its own: what was kept of a clone continues the disk of this template and of no other.
    id: String,
    frame: Frame,
}

/// A frozen machine, ready to be cloned. Shared by all its clones.
#[derive(Debug)]
pub struct Template {
    config: Config,
    image: Image,
    qemu: PathBuf,
    frame: Frame,
    tsc_khz: u64,
    id: String,
    /// The guest's memory.
    memory: Memory,
    /// The devices' state, sealed.
    state: File,
    /// Read-only disk files, from the lowest to the highest.
    disks: Vec<File>,
    /// A fresh overlay's bytes.
    overlay: Vec<u8>,
    /// Where overlays are made.
    scratch: PathBuf,
    /// How long the boot took, if it was made by this process.
    boot: Option<Duration>,
}

/// A QEMU, its session and its disk.
#[derive(Debug)]
pub(crate) struct Vm {
    pub(crate) session: Session,
    /// Before the monitor, so that nothing is throttled that has ended.
    pub(crate) throttle: Option<Throttle>,
    pub(crate) monitor: Monitor,
    pub(crate) overlay: File,
    /// Its way out, if it has one.
    pub(crate) cable: Option<Cable>,
}

impl Template {
    /// Loads the frozen machine for a configuration, or boots, warms and freezes one.
    ///
    /// # Errors
    /// [`Error::NoImage`], [`Error::Qemu`] when QEMU is missing or does not start, [`Error::Gone`] when the guest does not come up.
    pub fn open(config: &Config) -> Result<Arc<Self>, Error> {
        let image = Image::open(&config.image_folder())?;
        let qemu = config.qemu.clone().map_or_else(host::find_qemu, Ok)?;
        if !config.memory.is_multiple_of(1 << 20) || config.memory < 64 << 20 {
            return Err(Error::Unsupported("a machine's memory is a multiple of 1 MiB, 64 MiB at least".to_owned()));
        }
        let accelerator = match config.accelerator {
            Some(accelerator) => accelerator,
            None => crate::probe::accelerator(config, &image, &qemu)?,
        };
        let frame = Frame { memory: config.memory, accelerator, network: config.network.is_some() };
        let folder = config.folder(accelerator);
        let scratch = config.data.join("scratch");
        for needed in [&config.data.join("frozen"), &scratch] {
            private_folder(needed)?;
        }
        let lock = File::create(config.data.join("frozen/lock")).map_err(|error| Error::io("a lock", error))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).map_err(|error| Error::io("a lock", error.into()))?;
        let mut wanted = Manifest {
            make: MAKE,
            wire: wire::VERSION,
            image: image.manifest().id.clone(),
            qemu: identity(&qemu),
            processor: host::processor(),
            warm: config.warm.clone(),
            tsc_khz: 0,
            id: String::new(),
            frame: frame.clone(),
        };
        let found: Option<Manifest> = fs::read_to_string(folder.join("frozen.toml")).ok().and_then(|text| toml::from_str(&text).ok());
        let mut boot = None;
        match found {
            Some(found) if (Manifest { tsc_khz: 0, id: String::new(), ..found.clone() }) == wanted => wanted = found,
            _ => {
                wanted.tsc_khz = host::tsc_khz();
                wanted.id = fresh_id()?;
                boot = Some(make(config, &image, &qemu, &wanted, &folder, &scratch)?);
            }
        }
        drop(lock);
        let open = |path: PathBuf| File::open(&path).map_err(|error| Error::io(path.display().to_string(), error));
        Ok(Arc::new(Self {
            config: config.clone(),
            memory: Memory::open(&folder.join("memory"), accelerator)?,
            state: host::sealed_copy("oubliette-state", &folder.join("state"))?,
            disks: vec![open(image.root())?, open(folder.join("disk.qcow2"))?],
            overlay: fs::read(image.empty_overlay()).map_err(|error| Error::io("an empty overlay", error))?,
            image,
            qemu,
            frame,
            tsc_khz: wanted.tsc_khz,
            id: wanted.id,
            scratch,
            boot,
        }))
    }

    /// A new clone: running, reseeded, its clock set.
    ///
    /// # Errors
    /// [`Error::Qemu`] or [`Error::Gone`] when it does not come up.
    pub fn spawn(self: &Arc<Self>) -> Result<Machine, Error> {
        let vm = self.clone_vm()?;
        vm.session.wake(CLONE)?;
        Ok(Machine::new(vm, Arc::clone(self)))
    }

    /// A machine that is booted instead of cloned, on an empty overlay: what a clone saves.
    ///
    /// # Errors
    /// [`Error::Qemu`] or [`Error::Gone`] when it does not come up.
    pub fn boot(self: &Arc<Self>) -> Result<Machine, Error> {
        let vm = self.boot_vm(self.fresh_overlay()?)?;
        Ok(Machine::new(vm, Arc::clone(self)))
    }

    /// A clone that runs, but was told nothing yet.
    pub(crate) fn clone_vm(&self) -> Result<Vm, Error> {
        let mut vm = self.restore(self.fresh_overlay()?)?;
        vm.monitor.resume()?;
        Ok(vm)
    }

    /// A paused clone that never ran.
    pub(crate) fn restore_vm(&self) -> Result<Vm, Error> {
        self.restore(self.fresh_overlay()?)
    }

    /// An overlay with nothing in it.
    pub(crate) fn fresh_overlay(&self) -> Result<File, Error> {
        host::nameless(&self.scratch, &self.overlay)
    }

    /// A paused clone on an overlay.
    fn restore(&self, overlay: File) -> Result<Vm, Error> {
        if let Some(lent) = self.memory.lent()? {
            let again = overlay.try_clone().map_err(|error| Error::io("a descriptor", error))?;
            match self.restore_from(lent, again) {
                Err(error @ (Error::Qemu(_) | Error::Io { .. })) => self.memory.copy_from_now_on(&error)?,
                other => return other,
            }
        }
        self.restore_from(self.memory.sealed()?, overlay)
    }

    fn restore_from(&self, ram: Ram, overlay: File) -> Result<Vm, Error> {
        let (cable, plug) = cable(self.config.network.clone())?;
        let launch = Launch {
            qemu: &self.qemu,
            frame: &self.frame,
            ram,
            disks: self.disk_chain(&overlay)?,
            boot: None,
            state: Some(host::reopen(&self.state)?),
            network: plug,
            confinement: &self.config.confinement,
            quota: self.config.quota,
            durable: false,
        };
        let (mut monitor, agent) = Monitor::launch(launch)?;
        // QEMU maps the memory while it starts, and looks into it when it is told to go on from the state.
        self.memory.ready()?;
        monitor.thaw(false, STATE)?;
        Ok(Vm { session: Session::new(agent)?, throttle: None, monitor, overlay, cable })
    }

    /// Boots anew on an overlay: what is on the disk stays, what was in memory is gone.
    pub(crate) fn boot_vm(&self, overlay: File) -> Result<Vm, Error> {
        let (cable, plug) = cable(self.config.network.clone())?;
        let launch = Launch {
            qemu: &self.qemu,
            frame: &self.frame,
            ram: Ram::Shared(host::memory_file("oubliette-memory", self.frame.memory)?.into()),
            disks: self.disk_chain(&overlay)?,
            boot: Some(boot(&self.image, self.tsc_khz)?),
            state: None,
            network: plug,
            confinement: &self.config.confinement,
            quota: self.config.quota,
            durable: false,
        };
        let (monitor, agent) = Monitor::launch(launch)?;
        let session = Session::new(agent)?;
        session.greet(BOOT)?;
        session.wake(CLONE)?;
        if self.frame.network {
            plug_in(&session)?;
        }
        Ok(Vm { session, throttle: None, monitor, overlay, cable })
    }

    /// Goes on from a state that was frozen with its memory.
    pub(crate) fn thaw_vm(&self, state: OwnedFd, overlay: File) -> Result<Vm, Error> {
        let (cable, plug) = cable(self.config.network.clone())?;
        let launch = Launch {
            qemu: &self.qemu,
            frame: &self.frame,
            ram: Ram::Shared(host::memory_file("oubliette-memory", self.frame.memory)?.into()),
            disks: self.disk_chain(&overlay)?,
            boot: None,
            state: Some(state),
            network: plug,
            confinement: &self.config.confinement,
            quota: self.config.quota,
            durable: false,
        };
        let (mut monitor, agent) = Monitor::launch(launch)?;
        monitor.thaw(true, STATE)?;
        monitor.resume()?;
        let session = Session::new(agent)?;
        session.wake(CLONE)?;
        Ok(Vm { session, throttle: None, monitor, overlay, cable })
    }

    fn disk_chain(&self, overlay: &File) -> Result<Vec<OwnedFd>, Error> {
        self.disks
            .iter()
            .chain([overlay])
            .map(|file| file.try_clone().map(OwnedFd::from).map_err(|error| Error::io("a descriptor", error)))
            .collect()
    }

    /// What it was made for.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The image under it.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// How its processor is made.
    #[must_use]
    pub fn accelerator(&self) -> Accelerator {
        self.frame.accelerator
    }

    /// How long the cold boot took from nothing to the agent's first word, if this process made the template.
    #[must_use]
    pub fn boot_time(&self) -> Option<Duration> {
        self.boot
    }

    /// Tells frozen states of machines on this template from those on another.
    pub(crate) fn identity(&self) -> String {
        format!("{}-{}", self.image.manifest().id, self.id)
    }

    /// Where nameless files are made.
    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
    }
}

/// Kernel and first disk in memory files: QEMU may read no other.
pub(crate) fn boot(image: &Image, tsc_khz: u64) -> Result<Boot, Error> {
    Ok(Boot {
        kernel: host::memory_copy("oubliette-kernel", &image.kernel())?,
        initrd: host::memory_copy("oubliette-initrd", &image.initrd())?,
        tsc_khz,
    })
}

/// Boots, warms, freezes, and writes it all to a folder. How long the boot took.
fn make(config: &Config, image: &Image, qemu: &Path, manifest: &Manifest, folder: &Path, scratch: &Path) -> Result<Duration, Error> {
    let failed = |error| Error::io("freezing a machine", error);
    let work = tempfile::tempdir_in(scratch).map_err(failed)?;
    let disk = work.path().join("disk.qcow2");
    fs::copy(image.empty_overlay(), &disk).map_err(failed)?;
    let overlay = fs::OpenOptions::new().read(true).write(true).open(&disk).map_err(failed)?;
    let ram = host::memory_file("oubliette-memory", config.memory)?;
    let root = File::open(image.root()).map_err(failed)?;
    // Nobody is reached while it is made.
    let (_cable, plug) = cable(config.network.as_ref().map(|_| Policy::default()))?;
    let launch = Launch {
        qemu,
        frame: &manifest.frame,
        ram: Ram::Shared(ram.try_clone().map_err(failed)?.into()),
        disks: vec![root.into(), overlay.into()],
        boot: Some(boot(image, manifest.tsc_khz)?),
        state: None,
        network: plug,
        confinement: &config.confinement,
        // The template is ours: nobody's programs fill its disk.
        quota: u64::MAX >> 1,
        durable: true,
    };
    let start = Instant::now();
    let (mut monitor, agent) = Monitor::launch(launch)?;
    let session = Session::new(agent)?;
    session.greet(BOOT)?;
    let boot = start.elapsed();
    tracing::info!(?boot, "a machine booted");
    session.wake(CLONE)?;
    if manifest.frame.network {
        plug_in(&session)?;
    }
    for command in &config.warm {
        warm(&session, command)?;
    }
    session.quiesce(STATE)?;
    monitor.pause()?;
    let (reader, writer) = io::pipe().map_err(failed)?;
    let state = host::drain_into(reader, File::create(work.path().join("state")).map_err(failed)?);
    monitor.freeze(writer.into(), false, STATE)?;
    // Its memory and disk are read now: it must have written all it will.
    monitor.kill();
    state.join().map_err(|_| Error::Qemu("the state was not written".to_owned()))?.map_err(failed)?;
    host::write_sparse(&ram, &work.path().join("memory")).map_err(failed)?;
    let text = toml::to_string(manifest).map_err(|error| Error::Qemu(error.to_string()))?;
    fs::write(work.path().join("frozen.toml"), text).map_err(failed)?;
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed)?;
    }
    fs::rename(work.keep(), folder).map_err(failed)?;
    Ok(boot)
}

/// A cable for a machine that may have one.
fn cable(policy: Option<Policy>) -> Result<(Option<Cable>, Option<OwnedFd>), Error> {
    match policy {
        None => Ok((None, None)),
        Some(policy) => Cable::new(policy).map(|(cable, plug)| (Some(cable), Some(plug))),
    }
}

/// Gives the guest its address and its one neighbour.
fn plug_in(session: &Session) -> Result<(), Error> {
    let line =
        format!("ip addr add {}/24 dev eth0 && ip link set eth0 up && ip route add default via {}", network::GUEST, network::GATEWAY);
    run_quietly(session, &line, User::Root)
}

/// Runs a shell command for what it leaves in memory. That it fails is no matter: not every image has everything.
fn warm(session: &Session, command: &str) -> Result<(), Error> {
    run_quietly(session, command, User::User)
}

fn run_quietly(session: &Session, command: &str, user: User) -> Result<(), Error> {
    let program = Program {
        argv: ["sh", "-c", command].map(str::to_owned).into(),
        env: vec![("HOME".to_owned(), "/home/user".to_owned())],
        cwd: "/home/user".to_owned(),
        terminal: None,
        user,
        // The process that waits to become the next program has the limits of the last.
        limits: LIMITS,
        window: 0,
    };
    let process = session.start(program)?;
    process.end_input()?;
    let deadline = Instant::now() + WARMING;
    loop {
        match process.next(Some(deadline))? {
            Some(Happening::Output(Output::Err, text)) => {
                tracing::debug!(command, text = %String::from_utf8_lossy(&text), "warming");
            }
            Some(Happening::Output(..)) => {}
            Some(Happening::Exited(..)) | None => return Ok(()),
        }
    }
}

/// A name that nothing had before.
fn fresh_id() -> Result<String, Error> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| Error::io("randomness", error.into()))?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}

/// What tells one QEMU from another without starting it.
fn identity(qemu: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(qemu);
    metadata.map_or_else(|_| qemu.display().to_string(), |m| format!("{} {} {}", qemu.display(), m.len(), m.mtime()))
}

/// Makes a folder that only its owner may enter.
pub(crate) fn private_folder(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder)
        .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o700)))
        .map_err(|error| Error::io(folder.display().to_string(), error))
}
