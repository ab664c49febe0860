//! The machine: its processor cores, its descriptor limit, and what to say about it next to a result.

use std::{fs, process::Command};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

use super::Result;

/// Descriptors that a process needs beside its subscribers' sockets.
const SPARE_DESCRIPTORS: u64 = 64;

/// Raises this process's descriptor limit, which the servers inherit, so that all subscribers fit.
pub fn raise_descriptor_limit(subscribers: u32) -> Result<()> {
    let needed = u64::from(subscribers) + SPARE_DESCRIPTORS;
    let limit = rlimit::increase_nofile_limit(u64::MAX)?;
    if limit < needed {
        return Err(
            format!("{subscribers} subscribers need {needed} file descriptors, but the limit is {limit}").into()
        );
    }
    Ok(())
}

/// Which core the server has to itself, and which the load generator.
pub struct Cores {
    server: usize,
    generator: usize,
}

impl Cores {
    /// Takes the first two cores that this process may use.
    pub fn choose() -> Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        match (cores.next(), cores.next()) {
            (Some(server), Some(generator)) => Ok(Self { server, generator }),
            _ => Err("server and load generator need a core each, but this process may use only one".into()),
        }
    }

    /// Moves this process to the generator's core.
    pub fn pin_generator(&self) -> Result<()> {
        pin_to(self.generator)
    }

    /// Calls `start` on the server's core. A child that it starts inherits the core, with every thread it will ever
    /// have.
    pub fn on_server_core<T>(&self, start: impl FnOnce() -> T) -> Result<T> {
        pin_to(self.server)?;
        let started = start();
        self.pin_generator()?;
        Ok(started)
    }
}

fn pin_to(core: usize) -> Result<()> {
    let mut only = CpuSet::new();
    only.set(core);
    Ok(sched_setaffinity(None, &only)?)
}

/// Everything about the machine and the programs that a reader needs to judge a result.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    pub processor: String,
    pub cores: usize,
    pub memory_gib: u64,
    pub kernel: String,
    pub rustc: String,
    pub commit: String,
}

impl Description {
    /// Asks `/proc`, the compiler and git. What can't be found out is called unknown: it is no reason not to measure.
    pub fn gather() -> Self {
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib: u64 = field(&memory, "MemTotal").and_then(|value| value.split(' ').next()?.parse().ok()).unwrap_or(0);
        Self {
            processor: field(&processors, "model name").unwrap_or("unknown").to_owned(),
            cores: processors.lines().filter(|line| line.starts_with("processor")).count(),
            memory_gib: (kib + (1 << 19)) >> 20,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            rustc: first_line(Command::new("rustc").arg("--version")),
            commit: first_line(Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"])),
        }
    }
}

/// The value of the first `name : value` line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':')).map(str::trim)
}

fn first_line(command: &mut Command) -> String {
    let output = command.output().ok().filter(|output| output.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "model\t\t: 17\nmodel name\t: AMD EPYC\n";
        assert_eq!(field(text, "model name"), Some("AMD EPYC"));
        assert_eq!(field(text, "model"), Some("17"));
        assert_eq!(field(text, "stepping"), None);
    }
}
