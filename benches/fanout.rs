//! Measures what a delivery costs: `cargo bench --bench fanout -- --help`.
//!
//! The method and a table of results are in `benches/README.md`. Everything below reads `/proc` and waits on epoll, so
//! on other systems the benchmark says that it can't run there.

// Cargo sets `cfg(test)` for every benchmark. Without a harness the unit tests are there, but nothing calls them;
// `fanout_parts.rs` does.
#[cfg(target_os = "linux")]
#[cfg_attr(test, allow(unused_imports, dead_code, reason = "see above"))]
#[path = "fanout/mod.rs"]
mod fanout;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    fanout::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("this benchmark reads CPU time and memory from /proc and waits on epoll: it runs on Linux only");
    std::process::ExitCode::FAILURE
}
