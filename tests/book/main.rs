//! What the book promises its readers: the code is the program's, the output is real, every link leads somewhere.
//!
//! The commands in the book run against a real server, through `sh`, `curl` and `hexdump`. When the server's output
//! has changed on purpose, `FALLCAST_BOOK=write cargo test --test book` writes the new output into the chapters, and
//! the new counts of bytes and the lab's presets beside them.

mod bytes;
mod chapters;
mod console;
mod directives;
mod lab;
mod markdown;
mod names;
#[cfg(feature = "book")]
mod pages;
#[cfg(not(feature = "book"))]
mod placeholder;
mod server;
mod terminal;
mod transcripts;

#[path = "../../build/directive.rs"]
mod directive;
#[path = "../../build/figure.rs"]
mod figure;

use std::{env, path::Path};

/// The folder of the project.
fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether what differs is to be written into the book, rather than reported.
fn writes_the_book() -> bool {
    env::var("FALLCAST_BOOK").is_ok_and(|value| value == "write")
}
