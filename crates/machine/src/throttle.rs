//! A share of the processor for one QEMU, kept from outside the guest.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::Error;

/// The period in which a share is given and withheld.
const PERIOD: Duration = Duration::from_millis(50);

/// Keeps a process to its share until dropped: by a control group where one can be made, else by stopping it and letting it go on.
#[derive(Debug)]
pub(crate) enum Throttle {
    Group { _kept: Group },
    Signals { stop: Option<Sender<()>>, thread: Option<std::thread::JoinHandle<()>> },
}

impl Throttle {
    pub(crate) fn new(pid: Pid, share: f64) -> Result<Self, Error> {
        let share = share.clamp(0.01, 1.0);
        if let Some(group) = Group::new(pid, share) {
            return Ok(Self::Group { _kept: group });
        }
        tracing::debug!("no control group can be made: the processor's share is kept by signals");
        Self::by_signals(pid, share)
    }

    /// Without looking for control groups.
    pub(crate) fn by_signals(pid: Pid, share: f64) -> Result<Self, Error> {
        let (stop, stopped) = channel::<()>();
        let run = PERIOD.mul_f64(share);
        let work = move || {
            loop {
                // Waits as much as asked, unless it is over.
                let over = |time| !matches!(stopped.recv_timeout(time), Err(RecvTimeoutError::Timeout));
                if over(run) {
                    return;
                }
                if kill_process(pid, Signal::STOP).is_err() {
                    return;
                }
                let last = over(PERIOD - run);
                let _ = kill_process(pid, Signal::CONT);
                if last {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("oubliette-throttle".to_owned()).stack_size(64 * 1024).spawn(work);
        let thread = thread.map_err(|error| Error::io("a thread", error))?;
        Ok(Self::Signals { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        if let Self::Signals { stop, thread } = self {
            // The process may not be touched by its number once this returns: the number may be another's soon.
            drop(stop.take());
            if let Some(thread) = thread.take() {
                drop(thread.join());
            }
        }
    }
}

/// A control group, version 1 or 2, with one process in it.
#[derive(Debug)]
pub(crate) struct Group {
    path: PathBuf,
}

impl Group {
    fn new(pid: Pid, share: f64) -> Option<Self> {
        let number = pid.as_raw_nonzero();
        let period = PERIOD.as_micros();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of 50,000
        let quota = (share * PERIOD.as_secs_f64() * 1e6) as u64;
        for (base, settings) in [
            ("/sys/fs/cgroup/cpu", vec![("cpu.cfs_period_us", period.to_string()), ("cpu.cfs_quota_us", quota.to_string())]),
            ("/sys/fs/cgroup", vec![("cpu.max", format!("{quota} {period}"))]),
        ] {
            // Version 2 has the file in the root of the hierarchy only when the controller is handed down.
            if !Path::new(base).is_dir() {
                continue;
            }
            let group = Self { path: Path::new(base).join(format!("oubliette-{number}")) };
            if fs::create_dir(&group.path).is_err() {
                continue;
            }
            let set = settings.iter().all(|(file, value)| fs::write(group.path.join(file), value).is_ok());
            if set && fs::write(group.path.join("cgroup.procs"), number.to_string()).is_ok() {
                return Some(group);
            }
        }
        None
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // It may be removed only when it is empty, so its process goes back where it came from, if it still is.
        if let Some(parent) = self.path.parent()
            && let Ok(members) = fs::read_to_string(self.path.join("cgroup.procs"))
        {
            for member in members.lines() {
                drop(fs::write(parent.join("cgroup.procs"), member));
            }
        }
        drop(fs::remove_dir(&self.path));
    }
}
