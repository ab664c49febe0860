//! What the kernel knows about a process: the CPU time of its threads and its share of the memory.

use std::{collections::BTreeMap, fs, time::Duration};

use super::Result;

/// The CPU time that each thread of a process has used so far.
///
/// `/proc/PID/task/TID/schedstat` counts nanoseconds, where `stat` counts ticks of 10 ms. It includes the time that the
/// kernel works on behalf of a thread, so also what a `send` costs on the way through TCP.
pub struct CpuTime(BTreeMap<u32, u64>);

impl CpuTime {
    pub fn of(process: u32) -> Result<Self> {
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{process}/task"))? {
            let task = entry?;
            let thread = task.file_name().to_string_lossy().parse()?;
            // A thread that ends between the listing and the reading is left out, like one that has ended before.
            if let Ok(statistics) = fs::read_to_string(task.path().join("schedstat")) {
                threads.insert(thread, on_cpu(&statistics)?);
            }
        }
        Ok(Self(threads))
    }

    /// The time used between an earlier reading and this one, over all threads that are still there.
    pub fn since(&self, earlier: &Self) -> Duration {
        let used = self.0.iter().map(|(thread, now)| now - earlier.0.get(thread).unwrap_or(&0));
        Duration::from_nanos(used.sum())
    }
}

/// The first of the three numbers is the time on a processor, in nanoseconds.
fn on_cpu(schedstat: &str) -> Result<u64> {
    Ok(schedstat.split(' ').next().unwrap_or_default().parse()?)
}

/// Memory of a process in bytes, pages that it shares counted in proportion (PSS).
pub fn memory(process: u32) -> Result<f64> {
    let path = format!("/proc/{process}/smaps_rollup");
    let rollup = fs::read_to_string(&path)?;
    let kib: Option<f64> =
        rollup.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse().ok());
    Ok(kib.ok_or_else(|| format!("{path} has no line for PSS"))? * 1024.0)
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
    fn this_process_has_used_time_and_memory() {
        let process = std::process::id();
        assert!(!CpuTime::of(process).expect("readable tasks").0.is_empty());
        assert!(memory(process).expect("a readable rollup") > 0.0);
        assert_eq!(on_cpu("12345 67 8\n").expect("three numbers"), 12_345);
    }
}
