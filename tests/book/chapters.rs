//! Rules for the chapters as they are written.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{
    directive,
    markdown::{Chapter, chapters, read},
    project,
};

/// The longest Rust block that a chapter may hold of its own. Longer ones come from the compiled source.
const LONGEST_OWN_RUST: usize = 5;

#[test]
fn every_directive_finds_something_to_show() {
    for Chapter { path, text } in chapters() {
        let mut read = |path: &Path| {
            fs::read_to_string(project().join(path)).map_err(|error| format!("{}: {error}", path.display()))
        };
        directive::expand(&path, &text, &mut read).unwrap_or_else(|fault| panic!("{fault}"));
    }
}

#[test]
fn rust_comes_from_the_compiled_source() {
    for chapter in chapters() {
        for block in chapter.blocks().iter().filter(|block| is_rust(&block.info)) {
            let lines = chapter.lines(block);
            let included = lines.iter().all(|line| line.starts_with("{{#include ../../"));
            let place = format!("{}:{}", chapter.path.display(), block.first);
            assert!(included || lines.len() <= LONGEST_OWN_RUST, "{place}: include this from the source");
        }
    }
}

#[test]
fn a_piece_of_source_stands_under_the_name_of_its_file() {
    for chapter in chapters() {
        let text: Vec<&str> = chapter.text.lines().collect();
        for block in chapter.blocks().iter().filter(|block| is_rust(&block.info)) {
            let included = chapter.lines(block).first().and_then(|line| line.strip_prefix("{{#include ../../"));
            let Some((file, _)) = included.and_then(|target| target.split_once(':')) else { continue };
            let above = block.first.checked_sub(3).map(|line| text[line]);
            let place = format!("{}:{}", chapter.path.display(), block.first);
            assert_eq!(above, Some(format!(r#"<p class="file">{file}</p>"#).as_str()), "{place}");
        }
    }
}

fn is_rust(info: &str) -> bool {
    matches!(info.split(',').next(), Some("rust" | "rs"))
}

#[test]
fn the_summary_lists_every_chapter_once() {
    let summary = read(Path::new("book/src/SUMMARY.md"));
    for chapter in chapters() {
        let file = chapter.path.file_name().expect("a chapter has a name").to_string_lossy().into_owned();
        assert_eq!(summary.matches(&format!("({file})")).count(), 1, "{file}");
    }
}

#[test]
fn every_file_of_the_project_that_the_text_names_is_there() {
    const FOLDERS: [&str; 6] = ["src/", "book/", "build/", "benches/", "client/", "tests/"];
    for chapter in chapters() {
        for span in code_spans(&chapter.text) {
            if FOLDERS.iter().any(|folder| span.starts_with(folder)) {
                assert!(project().join(span).exists(), "{}: `{span}` is not there", chapter.path.display());
            }
        }
    }
}

/// What stands between single backticks. Fences leave empty spans, which name nothing.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[test]
fn no_paragraph_is_printed_twice() {
    const SHORT: usize = 60;
    let mut seen = BTreeMap::new();
    for Chapter { path, text } in chapters() {
        for paragraph in text.split("\n\n").filter(|paragraph| paragraph.len() > SHORT) {
            if let Some(before) = seen.insert(paragraph.to_owned(), path.clone()) {
                panic!("{} repeats {}: {paragraph}", path.display(), before.display());
            }
        }
    }
}
