//! The machine, and its clock: what a reader has to know next to a figure.

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use super::report::{Clock, Machine};

/// How many steps of the clock are looked at to find the smallest.
const READINGS: usize = 2_000;

/// Asks the system. What cannot be found out is called unknown, or is absent: it is no reason not to measure.
#[must_use]
pub fn describe() -> Machine {
    Machine {
        processor: processor().unwrap_or_else(|| format!("unknown {}", std::env::consts::ARCH)),
        cores: thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: memory(),
        os: std::env::consts::OS.to_owned(),
        kernel: kernel(),
        clock: Clock { source: clock_source(), resolution_ns: resolution_ns() },
    }
}

fn processor() -> Option<String> {
    if cfg!(windows) {
        return std::env::var("PROCESSOR_IDENTIFIER").ok();
    }
    let listed = fs::read_to_string("/proc/cpuinfo").ok();
    listed.and_then(|list| field(&list, "model name")).or_else(|| sysctl("machdep.cpu.brand_string"))
}

fn memory() -> Option<u64> {
    let listed = fs::read_to_string("/proc/meminfo").ok().and_then(|list| field(&list, "MemTotal"));
    let kib: Option<u64> = listed.and_then(|value| value.strip_suffix("kB")?.trim().parse().ok());
    kib.map(|kib| kib * 1024).or_else(|| sysctl("hw.memsize")?.parse().ok())
}

/// The value of the first `name : value` line.
fn field(text: &str, name: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'))?;
    Some(value.trim().to_owned())
}

/// What macOS says of itself.
fn sysctl(name: &str) -> Option<String> {
    let output = Command::new("sysctl").args(["-n", name]).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it is not told")]
fn kernel() -> Option<String> {
    Some(rustix::system::uname().release().to_string_lossy().into_owned())
}

#[cfg(not(unix))]
fn kernel() -> Option<String> {
    None
}

/// The clock behind `Instant`.
fn clock_source() -> String {
    let name = if cfg!(windows) { "QueryPerformanceCounter" } else { "CLOCK_MONOTONIC" };
    let device = fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    device.map_or_else(|_| name.to_owned(), |device| format!("{name} ({})", device.trim()))
}

/// The smallest step between two readings that is seen.
fn resolution_ns() -> u64 {
    let steps = (0..READINGS).map(|_| {
        let start = Instant::now();
        let mut step = Duration::ZERO;
        while step.is_zero() {
            step = start.elapsed();
        }
        step
    });
    steps.min().map_or(1, super::load::nanoseconds).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "model\t\t: 17\nmodel name\t: AMD EPYC\n";
        assert_eq!(field(text, "model name").as_deref(), Some("AMD EPYC"));
        assert_eq!(field(text, "model").as_deref(), Some("17"));
        assert_eq!(field(text, "stepping"), None);
    }

    #[test]
    fn every_machine_has_a_processor_and_a_clock() {
        let machine = describe();
        assert!(!machine.processor.is_empty() && machine.cores > 0 && machine.clock.resolution_ns > 0, "{machine:?}");
    }
}
