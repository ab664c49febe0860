//! What the kernel knows about a server: the CPU time of its threads and its share of the memory. A server is a process
//! with its descendants, since some of them, like nginx, do their work in children.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

use super::Result;

/// The CPU time that each thread of a server has used so far.
///
/// `/proc/PID/task/TID/schedstat` counts nanoseconds, where `stat` counts ticks of 10 ms. It includes the time that the
/// kernel works on behalf of a thread, so also what a `send` costs on the way through TCP.
pub struct CpuTime(BTreeMap<u32, u64>);

impl CpuTime {
    pub fn of(process: u32) -> Result<Self> {
        let mut threads = Self::of_one(process)?;
        for child in descendants(process)? {
            // A child that ends between the listing and the reading is left out.
            threads.0.extend(Self::of_one(child).map(|threads| threads.0).unwrap_or_default());
        }
        Ok(threads)
    }

    /// Of this process alone: the servers are its children.
    pub fn of_this_process() -> Result<Self> {
        Self::of_one(std::process::id())
    }

    fn of_one(process: u32) -> Result<Self> {
        let mut threads = BTreeMap::new();
        for (thread, folder) in tasks(process)? {
            // A thread that ends between the listing and the reading is left out, like one that has ended before.
            if let Ok(statistics) = fs::read_to_string(folder.join("schedstat")) {
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

/// Memory of a server in bytes, pages that are shared counted in proportion (PSS).
pub fn memory(process: u32) -> Result<f64> {
    // As above, a child may have ended by now.
    let children: f64 = descendants(process)?.into_iter().filter_map(|child| memory_of_one(child).ok()).sum();
    Ok(memory_of_one(process)? + children)
}

fn memory_of_one(process: u32) -> Result<f64> {
    let path = format!("/proc/{process}/smaps_rollup");
    let rollup = fs::read_to_string(&path)?;
    let kib: Option<f64> =
        rollup.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse().ok());
    Ok(kib.ok_or_else(|| format!("{path} has no line for PSS"))? * 1024.0)
}

/// Ends a server at once.
pub fn kill(process: u32) {
    let children = descendants(process).unwrap_or_default();
    for member in children.into_iter().chain([process]).filter_map(|member| Pid::from_raw(member.try_into().ok()?)) {
        // It fails only if the process has ended before, which is what this is for.
        let _ = kill_process(member, Signal::KILL);
    }
}

/// All children of a process, their children, and so on.
fn descendants(process: u32) -> Result<Vec<u32>> {
    let mut found = children(process)?;
    let mut next = 0;
    while let Some(&child) = found.get(next) {
        found.extend(children(child).unwrap_or_default());
        next += 1;
    }
    Ok(found)
}

fn children(process: u32) -> Result<Vec<u32>> {
    let tasks = tasks(process)?.into_iter();
    let lists = tasks.map(|(_, folder)| fs::read_to_string(folder.join("children")).unwrap_or_default());
    Ok(lists
        .flat_map(|list| list.split_whitespace().filter_map(|child| child.parse().ok()).collect::<Vec<_>>())
        .collect())
}

/// The threads of a process, and their folders.
fn tasks(process: u32) -> Result<Vec<(u32, PathBuf)>> {
    let entries = fs::read_dir(format!("/proc/{process}/task"))?;
    entries
        .map(|entry| {
            let folder = entry?.path();
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok((name.parse()?, folder))
        })
        .collect()
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

    #[test]
    fn children_belong_to_a_process() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("a child");
        let found = descendants(std::process::id()).expect("readable tasks");
        child.kill().and_then(|()| child.wait().map(drop)).expect("the end of the child");
        assert!(found.contains(&child.id()), "{found:?}");
    }
}
