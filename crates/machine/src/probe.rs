//! Which accelerator works here. A present `/dev/kvm` proves nothing: some hosts open it and then hang.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::image::Image;
use crate::qemu::{Accelerator, Frame, Launch, Monitor, Ram};
use crate::session::Session;
use crate::template::{Config, boot};
use crate::{Error, host};

/// A kernel that boots at all on the host's processor does so in a fraction of this.
const PATIENCE: Duration = Duration::from_secs(4);

/// The accelerator that boots a machine here. The answer is kept until the host is restarted.
pub(crate) fn accelerator(config: &Config, image: &Image, qemu: &Path) -> Result<Accelerator, Error> {
    if !Path::new("/dev/kvm").exists() {
        warn();
        return Ok(Accelerator::Tcg);
    }
    let kept = config.data.join("accelerator");
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let users = rustix::process::geteuid().as_raw();
    let question = format!("{} {users}", boot_id.trim());
    if let Ok(text) = fs::read_to_string(&kept)
        && let Some((answer, asked)) = text.split_once(' ')
        && asked == question
    {
        return Ok(if answer == "kvm" { Accelerator::Kvm } else { Accelerator::Tcg });
    }
    let start = Instant::now();
    let works = try_kvm(config, image, qemu);
    tracing::info!(?works, after = ?start.elapsed(), "tried to boot with KVM");
    if let Err(error) = &works {
        tracing::warn!(%error, "KVM does not boot a machine");
    }
    let answer = if works.is_ok() { "kvm" } else { "tcg" };
    fs::create_dir_all(&config.data)
        .and_then(|()| fs::write(&kept, format!("{answer} {question}")))
        .map_err(|error| Error::io("keeping which accelerator works", error))?;
    if works.is_ok() {
        return Ok(Accelerator::Kvm);
    }
    warn();
    Ok(Accelerator::Tcg)
}

fn warn() {
    tracing::warn!("KVM does not boot here: machines are emulated, programs run 2 to 17 times slower than natively");
}

fn try_kvm(config: &Config, image: &Image, qemu: &Path) -> Result<(), Error> {
    let frame = Frame { memory: 128 << 20, accelerator: Accelerator::Kvm, network: false };
    let failed = |error| Error::io("trying KVM", error);
    let overlay = host::nameless(&std::env::temp_dir(), &fs::read(image.empty_overlay()).map_err(failed)?)?;
    let launch = Launch {
        qemu,
        frame: &frame,
        ram: Ram::Shared(host::memory_file("oubliette-memory", frame.memory)?.into()),
        disks: vec![fs::File::open(image.root()).map_err(failed)?.into(), overlay.into()],
        boot: Some(boot(image, 0)?),
        state: None,
        network: None,
        confinement: &config.confinement,
        quota: 64 << 20,
        durable: false,
    };
    let (_monitor, agent) = Monitor::launch(launch)?;
    Session::new(agent)?.greet(PATIENCE)
}
