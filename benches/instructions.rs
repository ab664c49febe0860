//! Counts the instructions of a publication with Valgrind: `cargo bench --bench instructions`.
//!
//! What is counted and how to read it is in `benches/README.md`. On systems without Valgrind the benchmark says that it
//! can't run there.

// Cargo sets `cfg(test)` for every benchmark. Without a harness the unit tests are there, but nothing calls them;
// `instructions_parts.rs` does.
#[cfg(target_os = "linux")]
#[cfg_attr(test, allow(unused_imports, dead_code, reason = "see above"))]
#[path = "instructions/mod.rs"]
mod instructions;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    instructions::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("this benchmark runs fallcast under Valgrind's tool Callgrind: it runs on Linux only");
    std::process::ExitCode::FAILURE
}
