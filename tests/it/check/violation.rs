//! What a violation looks like in a terminal, as the book shows it.

use super::{
    reference::{Fault, Limits, ReferenceServer},
    table,
};
use crate::harness::process::command;

#[test]
fn the_book_shows_a_violation_as_a_terminal_does() {
    let server = ReferenceServer::start(Some(Fault::KeyTakesAnything), Limits::default());
    let url = format!("http://{}", server.address());
    let output = command().args(["check", "publish", "--quiet", "--url", &url]).output().expect("the binary runs");
    let text = String::from_utf8(output.stdout).expect("the report is text");
    let text = text.replace(&server.address().to_string(), "localhost:8080");
    let shown: Vec<&str> = text.lines().filter(|line| !is_good(line)).collect();
    table::keep_alike("violation.txt", &(shown.join("\n") + "\n"));
}

/// A line about a property that holds, or that was not looked at.
fn is_good(line: &str) -> bool {
    ["✓", "–"].iter().any(|mark| line.trim_start().starts_with(mark))
}
