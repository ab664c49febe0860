//! Compares fallcast with other servers: `benches/peers/run --help`.
//!
//! The method is in `benches/peers/README.md`, the load generator in `fanout/`.

// Cargo sets `cfg(test)` for every benchmark. Without a harness the unit tests are there, but nothing calls them;
// `fanout_parts.rs` does.
#[cfg(target_os = "linux")]
#[allow(dead_code, unused_imports, reason = "this benchmark has a report of its own, and see above")]
#[path = "fanout/mod.rs"]
mod fanout;

#[cfg(target_os = "linux")]
#[cfg_attr(test, allow(unused_imports, dead_code, reason = "see above"))]
#[path = "peers/runner/mod.rs"]
mod runner;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    runner::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("this benchmark reads CPU time and memory from /proc and waits on epoll: it runs on Linux only");
    std::process::ExitCode::FAILURE
}
