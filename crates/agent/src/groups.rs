//! Control groups (version 2): one around all jobs, one around each.
//!
//! A job finds its group ready and leaves it behind: one is made, and those that are over are removed, while there is nothing
//! else to do. Both run kernel code that an emulated clone would have to translate before its first program starts.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use wire::{JobLimits, JobUsage};

/// Memory kept for the kernel and the agent, in bytes, whatever jobs ask for.
const RESERVE: u64 = 20 << 20;

/// How many groups may be over before they are removed although there is something else to do.
const LEFT_BEHIND: u32 = 16;

/// Where jobs' control groups are made; without one, jobs are followed by process group only.
#[derive(Debug, Default)]
pub struct Groups {
    root: Option<PathBuf>,
    /// The next job's group, and the number of processes that it is limited to.
    spare: Option<(PathBuf, u32)>,
    /// The limit that a spare group is made with: what the last job had.
    processes: u32,
    /// The number of the last group, which is its name.
    last: u64,
    /// Groups made since those that are over were removed.
    made: u32,
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
        Ok(Self { root: Some(root), ..Self::default() })
    }

    /// A group for one job.
    pub(crate) fn make(&mut self, limits: &JobLimits) -> io::Result<Group> {
        if self.made >= LEFT_BEHIND {
            self.sweep();
        }
        let (path, processes) = match self.spare.take() {
            Some(spare) => spare,
            None => match self.fresh()? {
                Some(path) => (path, 0),
                None => return Ok(Group { path: None }),
            },
        };
        // From here on it is emptied by whoever drops it.
        let group = Group { path: Some(path.clone()) };
        if limits.processes != processes {
            let limit = if limits.processes > 0 { limits.processes.to_string() } else { "max".to_owned() };
            fs::write(path.join("pids.max"), limit)?;
        }
        if limits.memory > 0 {
            fs::write(path.join("memory.max"), limits.memory.to_string())?;
        }
        self.processes = limits.processes;
        Ok(group)
    }

    /// A new group without limits; `None` where there are no groups.
    fn fresh(&mut self) -> io::Result<Option<PathBuf>> {
        let Some(root) = &self.root else { return Ok(None) };
        self.last += 1;
        self.made += 1;
        let path = root.join(self.last.to_string());
        fs::create_dir(&path)?;
        Ok(Some(path))
    }

    /// Whether [`tidy`](Self::tidy) has something to do.
    pub(crate) fn is_untidy(&self) -> bool {
        self.root.is_some() && self.spare.is_none()
    }

    /// Removes the groups that are over and makes the next one ready.
    pub(crate) fn tidy(&mut self) {
        self.sweep();
        if self.spare.is_none()
            && let Ok(Some(path)) = self.fresh()
        {
            // A limit that cannot be set now is set, or fails, when the job starts.
            let set = self.processes > 0 && fs::write(path.join("pids.max"), self.processes.to_string()).is_ok();
            self.spare = Some((path, if set { self.processes } else { 0 }));
        }
    }

    /// Removes the groups of jobs that ended.
    fn sweep(&mut self) {
        let Some(root) = &self.root else { return };
        self.made = 0;
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            let path = entry.path();
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) || self.spare.as_ref().is_some_and(|(spare, _)| *spare == path) {
                continue;
            }
            // A group whose last member is still dying is left for the next time.
            if fs::read_to_string(path.join("cgroup.events")).is_ok_and(|events| events.contains("populated 0")) {
                drop(fs::remove_dir(path));
            }
        }
    }
}

/// The control group of one job. Dropped, it is emptied.
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
        let read = |file: &str| fs::read_to_string(path.join(file)).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let mut pairs = text.lines().filter_map(|line| line.split_once(' '));
            pairs.find(|(key, _)| *key == name).and_then(|(_, value)| value.trim().parse::<u64>().ok()).unwrap_or(0)
        };
        let (times, events) = (read("cpu.stat"), read("memory.events"));
        let peak =
            fs::read_to_string(path.join("memory.peak")).or_else(|_| fs::read_to_string(path.join("memory.current"))).unwrap_or_default();
        JobUsage {
            user_us: field(&times, "user_usec"),
            system_us: field(&times, "system_usec"),
            memory_peak: peak.trim().parse().unwrap_or(0),
            out_of_memory: field(&events, "oom_kill") > 0,
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
