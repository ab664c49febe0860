//! The two directives of the book's Markdown, each replaced by text of another file:
//!
//! ```text
//! {{#include ../../src/channel/log.rs:append}}          a region of the source, between its anchors
//! {{#figure ../../measurements/b.json:/ratio 2}}       a measured value, rounded to two decimals, or a list of lines
//! ```
//!
//! mdBook knows `include` too, but where the file or the anchor is missing it renders an empty block and says nothing.
//! Here every directive either yields text or is an error that names the chapter, the file and the anchor.

use std::{
    fmt,
    path::{Component, Path, PathBuf},
};

/// Reads the file at a path relative to the project.
pub type Read<'a> = dyn FnMut(&Path) -> Result<String, String> + 'a;

/// Why a chapter can't be built.
#[derive(Debug, PartialEq)]
pub struct Fault {
    /// The chapter's path in the project.
    pub chapter: PathBuf,
    /// The directive as it is written there.
    pub directive: String,
    /// What is wrong, naming the file and the anchor.
    pub reason: String,
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chapter, directive, reason } = self;
        write!(f, "{}: {{{{#{directive}}}}}: {reason}", chapter.display())
    }
}

/// Returns `markdown` with every directive replaced; `chapter` is its path in the project, which the directives' paths are relative to.
///
/// A directive behind a backslash is left to mdBook, which shows it as it is written.
pub fn expand(chapter: &Path, markdown: &str, read: &mut Read) -> Result<String, Fault> {
    let mut expanded = String::with_capacity(markdown.len());
    let mut rest = markdown;
    while let Some((before, directive, after)) = next_directive(rest) {
        expanded.push_str(before);
        let text = evaluate(chapter, directive, read).map_err(|reason| Fault {
            chapter: chapter.to_owned(),
            directive: directive.to_owned(),
            reason,
        })?;
        expanded.push_str(&text);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// Splits `text` around its first directive: what comes before it, what stands between `{{#` and `}}`, what comes after it.
fn next_directive(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(found) = text[from..].find("{{#") {
        let start = from + found;
        let inner = start + "{{#".len();
        if !text[..start].ends_with('\\') {
            let end = inner + text[inner..].find("}}")?;
            return Some((&text[..start], &text[inner..end], &text[end + "}}".len()..]));
        }
        from = inner;
    }
    None
}

/// The text that replaces `directive`.
fn evaluate(chapter: &Path, directive: &str, read: &mut Read) -> Result<String, String> {
    let mut words = directive.split_whitespace();
    let (Some(name), Some(target)) = (words.next(), words.next()) else {
        return Err("a directive is a name and a target".into());
    };
    let (path, place) = split_target(target);
    let path = beside(chapter, path);
    match name {
        "include" => region(&path, place, &read(&path)?),
        "figure" => crate::figure::value(&path, place, words.next(), &read(&path)?),
        _ => Err(format!("there is no directive `{name}`, only `include` and `figure`")),
    }
}

/// Splits `path:place`; the place is empty where the whole file is meant.
fn split_target(target: &str) -> (&str, &str) {
    target.split_once(':').unwrap_or((target, ""))
}

/// Resolves `path`, written in `chapter`, to a path in the project.
fn beside(chapter: &Path, path: &str) -> PathBuf {
    let mut resolved = chapter.parent().unwrap_or(Path::new("")).to_owned();
    for component in Path::new(path).components() {
        match component {
            Component::ParentDir => drop(resolved.pop()),
            Component::CurDir => {}
            other => resolved.push(other),
        }
    }
    resolved
}

/// The lines between `ANCHOR: anchor` and `ANCHOR_END: anchor`, moved to the left margin; all lines if `anchor` is empty.
fn region(path: &Path, anchor: &str, text: &str) -> Result<String, String> {
    if anchor.starts_with(|first: char| first.is_ascii_digit()) {
        return Err("line numbers drift with every edit: name an anchor".into());
    }
    let lines = if anchor.is_empty() { text.lines().collect() } else { between(path, anchor, text)? };
    let shown: Vec<&str> = lines.into_iter().filter(|line| !is_marker(line)).collect();
    if shown.iter().all(|line| line.trim().is_empty()) {
        return Err(format!("{} has nothing to show in the region `{anchor}`", path.display()));
    }
    Ok(dedent(&shown))
}

fn between<'a>(path: &Path, anchor: &str, text: &'a str) -> Result<Vec<&'a str>, String> {
    let lines: Vec<&str> = text.lines().collect();
    let start = only_marker(path, "ANCHOR:", anchor, &lines)?;
    let end = only_marker(path, "ANCHOR_END:", anchor, &lines)?;
    if end < start {
        return Err(format!("{} ends the region `{anchor}` before its start", path.display()));
    }
    Ok(lines[start + 1..end].to_vec())
}

/// The number of the one line that carries `keyword anchor`.
fn only_marker(path: &Path, keyword: &str, anchor: &str, lines: &[&str]) -> Result<usize, String> {
    let mut found = (0..lines.len()).filter(|&n| marker(lines[n], keyword) == Some(anchor));
    match (found.next(), found.next()) {
        (Some(line), None) => Ok(line),
        (None, _) => Err(format!("{} has no line `{keyword} {anchor}`", path.display())),
        (Some(_), Some(_)) => Err(format!("{} has more than one line `{keyword} {anchor}`", path.display())),
    }
}

/// The name that `line` gives to `keyword`, if it is such a line.
fn marker<'a>(line: &'a str, keyword: &str) -> Option<&'a str> {
    line.split_once(keyword).map(|(_, name)| name.trim())
}

fn is_marker(line: &str) -> bool {
    marker(line, "ANCHOR:").or(marker(line, "ANCHOR_END:")).is_some()
}

/// Removes the indentation that all lines have in common, so that a method stands at the margin as a function does.
fn dedent(lines: &[&str]) -> String {
    let indentation = |line: &&str| line.len() - line.trim_start().len();
    let common = lines.iter().filter(|line| !line.trim().is_empty()).map(indentation).min().unwrap_or(0);
    let moved: Vec<&str> = lines.iter().map(|line| line.get(common..).unwrap_or("")).collect();
    moved.join("\n")
}
