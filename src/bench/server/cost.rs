//! What the kernel knows about a process: the processor time of its threads and its share of the memory.
//!
//! Linux tells; elsewhere everything is `None`, which a report shows as absent and not as zero.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use crate::bench::report::MemoryKind;

/// How often a server is asked whether it has come to rest.
const STEP: Duration = Duration::from_millis(10);

/// The share of a core that a server at rest may use, for its own timers.
const AT_REST: f64 = 0.05;

/// How long to wait for a server that does not come to rest. What it does then is its own.
const LONGEST: Duration = Duration::from_secs(2);

/// The processor time that each thread of a process has used so far.
///
/// `/proc/PID/task/TID/schedstat` counts nanoseconds, where `stat` counts ticks of 10 ms. It includes the time that the
/// kernel works on behalf of a thread, so also what a `send` costs on the way through TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuTime(BTreeMap<u32, u64>);

impl CpuTime {
    /// The time used so far; `None` where the system does not tell, or if there is no such process.
    #[must_use]
    pub fn of(process: u32) -> Option<Self> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        let mut threads = BTreeMap::new();
        for entry in std::fs::read_dir(format!("/proc/{process}/task")).ok()?.flatten() {
            let thread = entry.file_name().to_string_lossy().parse().ok();
            // A thread that ends between the listing and the reading is left out, like one that has ended before.
            let statistics = std::fs::read_to_string(entry.path().join("schedstat")).ok();
            threads.extend(thread.zip(statistics.and_then(|text| on_cpu(&text))));
        }
        (!threads.is_empty()).then_some(Self(threads))
    }

    /// The time used between an earlier reading and this one, over all threads that are still there.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Duration {
        let used = self.0.iter().map(|(thread, now)| now.saturating_sub(*earlier.0.get(thread).unwrap_or(&0)));
        Duration::from_nanos(used.sum())
    }
}

/// The first of the three numbers is the time on a processor, in nanoseconds.
fn on_cpu(schedstat: &str) -> Option<u64> {
    schedstat.split(' ').next()?.parse().ok()
}

/// Waits until a process has done all it had to do, and returns its processor time by then.
#[must_use]
pub fn settle(process: u32) -> Option<CpuTime> {
    let start = Instant::now();
    let mut last = CpuTime::of(process)?;
    loop {
        thread::sleep(STEP);
        let now = CpuTime::of(process)?;
        if now.since(&last) < STEP.mul_f64(AT_REST) || start.elapsed() > LONGEST {
            return Some(now);
        }
        last = now;
    }
}

/// The memory of a process in bytes: pages that it shares in proportion, where the system tells that.
#[must_use]
pub fn memory(process: u32) -> Option<(MemoryKind, u64)> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let in_rollup = || kib(&format!("/proc/{process}/smaps_rollup"), "Pss:");
    let in_status = || kib(&format!("/proc/{process}/status"), "VmRSS:");
    let pss = in_rollup().map(|bytes| (MemoryKind::Pss, bytes));
    pss.or_else(|| in_status().map(|bytes| (MemoryKind::Rss, bytes)))
}

/// The memory of all TCP sockets of this machine in bytes, where the system tells.
#[must_use]
pub fn kernel_memory() -> Option<u64> {
    const PAGE: u64 = 4096;
    if !cfg!(target_os = "linux") {
        return None;
    }
    let statistics = std::fs::read_to_string("/proc/net/sockstat").ok()?;
    let line = statistics.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let pages: u64 = line.split_once(" mem ")?.1.split(' ').next()?.parse().ok()?;
    Some(pages * PAGE)
}

fn kib(path: &str, field: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_threads_that_are_still_there_count() {
        let earlier = CpuTime(BTreeMap::from([(1, 100), (2, 50)]));
        let later = CpuTime(BTreeMap::from([(1, 130), (3, 7)]));
        assert_eq!(later.since(&earlier), Duration::from_nanos(37));
    }

    #[test]
    fn the_first_number_of_schedstat_is_nanoseconds() {
        assert_eq!(on_cpu("12345 67 8\n"), Some(12_345));
        assert_eq!(on_cpu(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_used_time_and_memory() {
        let process = std::process::id();
        assert!(CpuTime::of(process).is_some());
        assert!(memory(process).is_some_and(|(_, bytes)| bytes > 0));
        assert!(kernel_memory().is_some());
    }

    #[test]
    fn nothing_is_told_of_a_process_that_is_not_there() {
        assert_eq!(CpuTime::of(u32::MAX), None);
        assert_eq!(memory(u32::MAX), None);
    }
}
