//! Measures the parts of a delivery one by one, without sockets: `cargo bench --bench micro`.
//!
//! What it answers and how to read it is in `benches/README.md`.

// Cargo sets `cfg(test)` for every benchmark. Without a harness the unit tests are there, but nothing calls them;
// `micro_parts.rs` does.
#[cfg_attr(test, allow(unused_imports, dead_code, reason = "see above"))]
#[path = "micro/mod.rs"]
mod micro;

fn main() -> std::process::ExitCode {
    micro::main()
}
