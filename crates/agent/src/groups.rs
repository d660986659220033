//! Control groups (version 2): one around all jobs, one around each.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use wire::{JobLimits, JobUsage};

/// Memory kept for the kernel and the agent, in bytes, whatever jobs ask for.
const RESERVE: u64 = 20 << 20;

/// Where jobs' control groups are made; without one, jobs are followed by process group only.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    root: Option<PathBuf>,
}

impl Groups {
    /// No control groups: for running the agent outside a machine.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Sets up the group of all jobs below a mounted hierarchy.
    ///
    /// # Errors
    /// If the hierarchy has no `pids` and `memory` controllers or cannot be written.
    pub fn set_up(mount: &Path) -> io::Result<Self> {
        fs::write(mount.join("cgroup.subtree_control"), "+pids +memory +cpu")?;
        let root = mount.join("jobs");
        fs::create_dir_all(&root)?;
        fs::write(root.join("cgroup.subtree_control"), "+pids +memory +cpu")?;
        let system = rustix::system::sysinfo();
        let total = system.totalram * u64::from(system.mem_unit.max(1));
        fs::write(root.join("memory.max"), total.saturating_sub(RESERVE).to_string())?;
        // Threads of the kernel are not counted here, so half of what it can number leaves it room.
        fs::write(root.join("pids.max"), "4096")?;
        fs::write(root.join("cpu.weight"), "10")?;
        Ok(Self { root: Some(root) })
    }

    /// Makes the group of one job.
    pub(crate) fn make(&self, name: u32, limits: &JobLimits) -> io::Result<Group> {
        let Some(root) = &self.root else {
            return Ok(Group { path: None });
        };
        let path = root.join(name.to_string());
        fs::create_dir(&path)?;
        let group = Group { path: Some(path.clone()) };
        if limits.processes > 0 {
            fs::write(path.join("pids.max"), limits.processes.to_string())?;
        }
        if limits.memory > 0 {
            fs::write(path.join("memory.max"), limits.memory.to_string())?;
        }
        Ok(group)
    }
}

/// The control group of one job; removed when dropped, if it is empty by then.
#[derive(Debug)]
pub(crate) struct Group {
    path: Option<PathBuf>,
}

impl Group {
    /// An opened file; a process that writes "0" to it enters the group.
    pub(crate) fn door(&self) -> io::Result<Option<OwnedFd>> {
        let Some(path) = &self.path else { return Ok(None) };
        Ok(Some(fs::OpenOptions::new().write(true).open(path.join("cgroup.procs"))?.into()))
    }

    /// Kills everything in the group; false if there is no such group.
    pub(crate) fn kill(&self) -> bool {
        self.path.as_ref().is_some_and(|path| fs::write(path.join("cgroup.kill"), "1").is_ok())
    }

    /// The processes in the group, or `None` if there is no such group.
    pub(crate) fn members(&self) -> Option<Vec<i32>> {
        let text = fs::read_to_string(self.path.as_ref()?.join("cgroup.procs")).ok()?;
        Some(text.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// What all that ever ran in the group used.
    pub(crate) fn usage(&self) -> JobUsage {
        let Some(path) = &self.path else { return JobUsage::default() };
        let field = |file: &str, name: &str| {
            let text = fs::read_to_string(path.join(file)).unwrap_or_default();
            text.lines()
                .filter_map(|line| line.split_once(' '))
                .find(|(key, _)| *key == name)
                .and_then(|(_, value)| value.trim().parse::<u64>().ok())
                .unwrap_or(0)
        };
        let peak =
            fs::read_to_string(path.join("memory.peak")).or_else(|_| fs::read_to_string(path.join("memory.current"))).unwrap_or_default();
        JobUsage {
            user_us: field("cpu.stat", "user_usec"),
            system_us: field("cpu.stat", "system_usec"),
            memory_peak: peak.trim().parse().unwrap_or(0),
            out_of_memory: field("memory.events", "oom_kill") > 0,
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            self.kill();
            // Fails while the last member is still dying; the next job's end tries again for all.
            if fs::remove_dir(path).is_err()
                && let Some(parent) = path.parent()
            {
                sweep(parent);
            }
        }
    }
}

/// Removes the groups of jobs that ended.
fn sweep(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let empty = fs::read_to_string(entry.path().join("cgroup.events")).is_ok_and(|events| events.contains("populated 0"));
            // A job about to start has an empty group too, but it is started in the same turn of the loop.
            if empty {
                drop(fs::remove_dir(entry.path()));
            }
        }
    }
}
