//! Provides in `$OUT_DIR` what `src/site/` embeds beside the files of the source.
//!
//! - `book/`: with the feature `book` the book, rendered by mdBook; without it, one page that says how to get the book.
//! - `plotly.min.js.gz`: the library that draws the charts of the demos.

#[cfg(feature = "book")]
#[path = "build/book.rs"]
mod book;
#[cfg(not(feature = "book"))]
#[path = "build/placeholder.rs"]
mod book;
#[cfg(feature = "book")]
#[path = "build/directive.rs"]
mod directive;
#[cfg(feature = "book")]
#[path = "build/figure.rs"]
mod figure;
#[path = "build/plotly.rs"]
mod plotly_js;

use std::{
    env,
    path::PathBuf,
    process::{Command, ExitCode},
};

fn main() -> ExitCode {
    // Cargo sees when an embedded file changes; only this tells it that one has come or gone.
    println!("cargo::rerun-if-changed=demos");
    println!("cargo::rustc-env=FALLCAST_RUSTC={}", compiler());
    let (project, out) = (folder("CARGO_MANIFEST_DIR"), folder("OUT_DIR"));
    let mut faults = Vec::new();
    faults.extend(book::provide(&project, &out).err().map(|error| format!("{error:#}")));
    faults.extend(plotly_js::provide(&out).err().map(|error| error.to_string()));
    for fault in &faults {
        report(fault);
    }
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The compiler, for reports of the benchmark.
fn compiler() -> String {
    let output = env::var_os("RUSTC").and_then(|rustc| Command::new(rustc).arg("--version").output().ok());
    output.map_or_else(String::new, |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The folder that cargo names in the environment variable `name`.
fn folder(name: &str) -> PathBuf {
    PathBuf::from(env::var_os(name).expect("cargo sets this variable for every build script"))
}

/// Shows a fault and its causes as errors of the build; cargo reads one line each.
fn report(fault: &str) {
    for line in fault.lines() {
        println!("cargo::error={line}");
    }
}
