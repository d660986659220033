//! What a sign of life says.

use rustix::time::{ClockId, Timespec, clock_gettime};
use wire::Health;

/// The state of the guest now.
pub(crate) fn health(jobs: usize) -> Health {
    let system = rustix::system::sysinfo();
    let unit = u64::from(system.mem_unit.max(1));
    let disk = rustix::fs::statvfs("/").ok();
    Health {
        monotonic: nanoseconds(clock_gettime(ClockId::Monotonic)),
        now: now(),
        memory_free: available_memory().unwrap_or((system.freeram + system.bufferram) * unit),
        disk_free: disk.as_ref().map_or(0, |d| d.f_bavail * d.f_frsize),
        files_free: disk.as_ref().map_or(0, |d| d.f_favail),
        processes: u32::from(system.procs),
        jobs: u32::try_from(jobs).unwrap_or(u32::MAX),
        disk_read_only: disk.is_some_and(|d| d.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY)),
    }
}

/// Nanoseconds since the Unix epoch by this clock.
pub(crate) fn now() -> u64 {
    nanoseconds(clock_gettime(ClockId::Realtime))
}

fn nanoseconds(time: Timespec) -> u64 {
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    let kilobytes: u64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
