//! The directives themselves, by table.

use std::path::Path;

use crate::directive::expand;

const SOURCE: &str = "\
// ANCHOR: outer
impl Thing {
    // ANCHOR: inner
    fn inner() {
        1
    }
    // ANCHOR_END: inner
}
// ANCHOR_END: outer
// ANCHOR: nothing

// ANCHOR_END: nothing
// ANCHOR: twice
// ANCHOR: twice
// ANCHOR: open
// ANCHOR_END: backwards
// ANCHOR: backwards
";

const RESULTS: &str = r#"{
    "machine": "two cores", "rate": 5320000, "ratios": [1.5708], "none": null,
    "log": ["0.1 ms  try", "0.9 ms  alive"], "nothing": [],
    "cells": [
        {"transport": "sse", "subscribers": 100, "cpu": 1},
        {"transport": "sse", "subscribers": 1000, "cpu": 2},
        {"transport": "websocket", "subscribers": 100, "cpu": 3}
    ]
}"#;

fn expand_with_samples(markdown: &str) -> Result<String, String> {
    let mut read = |path: &Path| match path.to_str() {
        Some("book/src/a.rs") => Ok(SOURCE.to_owned()),
        Some("measurements/b.json") => Ok(RESULTS.to_owned()),
        Some("measurements/broken.json") => Ok("{".to_owned()),
        _ => Err(format!("{} is not there", path.display())),
    };
    expand(Path::new("book/src/chapter.md"), markdown, &mut read).map_err(|fault| fault.to_string())
}

#[track_caller]
fn shows(markdown: &str, expected: &str) {
    assert_eq!(expand_with_samples(markdown).as_deref(), Ok(expected));
}

#[track_caller]
fn fails(markdown: &str, reason: &str) {
    let fault = expand_with_samples(markdown).expect_err("this must not be built");
    assert!(fault.starts_with("book/src/chapter.md: {{#"), "{fault} names the chapter and the directive");
    assert!(fault.contains(reason), "{fault} says {reason}");
}

#[test]
fn a_region_is_shown_at_the_margin_and_without_markers() {
    shows("{{#include a.rs:inner}}", "fn inner() {\n    1\n}");

    shows("{{#include a.rs:outer}}", "impl Thing {\n    fn inner() {\n        1\n    }\n}");
}

#[test]
fn text_around_directives_stays_as_it_is() {
    shows("a {{#figure ../../measurements/b.json:/machine}} b {{ c }} {{#", "a two cores b {{ c }} {{#");
    shows(r"\{{#include a.rs:missing}} is left to mdBook", r"\{{#include a.rs:missing}} is left to mdBook");
}

#[test]
fn an_include_that_shows_nothing_is_an_error() {
    fails("{{#include c.rs:inner}}", "book/src/c.rs is not there");
    fails("{{#include a.rs:missing}}", "book/src/a.rs has no line `ANCHOR: missing`");
    fails("{{#include a.rs:open}}", "book/src/a.rs has no line `ANCHOR_END: open`");
    fails("{{#include a.rs:twice}}", "book/src/a.rs has more than one line `ANCHOR: twice`");
    fails("{{#include a.rs:backwards}}", "ends the region `backwards` before its start");
    fails("{{#include a.rs:nothing}}", "book/src/a.rs has nothing to show in the region `nothing`");
    fails("{{#include a.rs:3:5}}", "line numbers drift");
}

#[test]
fn a_misspelled_directive_is_an_error() {
    fails("{{#inlcude a.rs:inner}}", "there is no directive `inlcude`");
    fails("{{#include}}", "a directive is a name and a target");
}

#[test]
fn figures_are_read_from_the_results() {
    shows("{{#figure ../../measurements/b.json:/rate}}", "5,320,000");
    shows("{{#figure ../../measurements/b.json:/rate 1}}", "5,320,000.0");
    shows("{{#figure ../../measurements/b.json:/ratios/0 2}}", "1.57");
    shows("{{#figure ../../measurements/b.json:/ratios/0 0}}", "2");
}

#[test]
fn a_figure_is_chosen_from_a_list_by_what_it_is_about() {
    shows("{{#figure ../../measurements/b.json:/cells/transport=websocket/cpu}}", "3");
    shows("{{#figure ../../measurements/b.json:/cells/transport=sse,subscribers=1000/cpu}}", "2");
    fails("{{#figure ../../measurements/b.json:/cells/transport=sse/cpu}}", "has nothing at");
    fails("{{#figure ../../measurements/b.json:/cells/transport=poll/cpu}}", "has nothing at");
}

#[test]
fn a_list_of_texts_is_shown_as_lines() {
    shows("{{#figure ../../measurements/b.json:/log}}", "0.1 ms  try\n0.9 ms  alive");
    shows("{{#figure ../../measurements/b.json:/log/1}}", "0.9 ms  alive");
    fails("{{#figure ../../measurements/b.json:/nothing}}", "/nothing in measurements/b.json is neither");
    fails("{{#figure ../../measurements/b.json:/cells}}", "/cells in measurements/b.json is neither");
    fails("{{#figure ../../measurements/b.json:/log 1}}", "/log in measurements/b.json is neither");
}

#[test]
fn a_figure_that_is_not_there_is_an_error() {
    fails("{{#figure ../../measurements/c.json:/rate}}", "measurements/c.json is not there");
    fails("{{#figure ../../measurements/b.json:/speed}}", "measurements/b.json has nothing at /speed");
    fails("{{#figure ../../measurements/b.json:/none}}", "/none in measurements/b.json is neither");
    fails("{{#figure ../../measurements/b.json:/ratios/0}}", "say how many decimals to show");
    fails("{{#figure ../../measurements/b.json:/ratios/0 x}}", "`x` is not a number of decimals");
    fails("{{#figure ../../measurements/broken.json:/rate}}", "measurements/broken.json is not JSON");
}
