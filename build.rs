//! Provides `$OUT_DIR/book`, the folder that `src/site.rs` embeds and serves at `/book/`.
//!
//! With the feature `book` it holds the book, rendered by mdBook; without it, one page that says how to get the book.

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

use std::{env, path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    match book::provide(&folder("CARGO_MANIFEST_DIR"), &folder("OUT_DIR")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

/// The folder that cargo names in the environment variable `name`.
fn folder(name: &str) -> PathBuf {
    PathBuf::from(env::var_os(name).expect("cargo sets this variable for every build script"))
}

/// Shows `error` and its causes as errors of the build; cargo reads one line each.
fn report(error: &book::Error) {
    for line in format!("{error:#}").lines() {
        println!("cargo::error={line}");
    }
}
