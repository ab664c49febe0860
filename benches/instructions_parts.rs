//! Runs the unit tests of the parts of `instructions`: what it starts, what it reads and what it prints.
//!
//! A bench target with a `main` of its own has no test harness, so this file gives the same modules one.

#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "the tests use the parts, not the program made of them")]
#[path = "instructions/mod.rs"]
mod instructions;
