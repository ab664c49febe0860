//! Runs the unit tests of the benchmark's own parts: its parsers, its bookkeeping and its statistics.
//!
//! A bench target with a `main` of its own has no test harness, so this file gives the same modules one.

#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "the tests use the parts, not the program made of them")]
#[path = "fanout/mod.rs"]
mod fanout;

#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "see above")]
#[path = "peers/runner/mod.rs"]
mod runner;
