//! Measures what the lab costs a hundred healthy connections: `cargo bench --bench lab`.
//!
//! The method and a table of results are in `benches/README.md`. It reads CPU time from `/proc`, so on other systems it
//! says that it can't run there.

#[cfg(target_os = "linux")]
#[path = "lab/mod.rs"]
mod lab;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    lab::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("this benchmark reads CPU time from /proc: it runs on Linux only");
    std::process::ExitCode::FAILURE
}
