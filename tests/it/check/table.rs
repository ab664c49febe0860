//! What a run writes and the book shows: kept in `tests/check/`, and compared with each later run.

use std::{env, fmt::Write as _, fs, path::Path};

/// Compares a text with the one that is kept, or writes it if `FALLCAST_TABLES` is `write`.
#[track_caller]
pub fn keep(file: &str, text: &str) {
    keep_as(file, text, str::to_owned);
}

/// Like [`keep`], but for what differs from run to run: times, the names of channels, and ports.
#[track_caller]
pub fn keep_alike(file: &str, text: &str) {
    keep_as(file, text, without_numbers);
}

/// Like [`keep`], but for rows whose last cell depends on chance.
#[track_caller]
pub fn keep_but_for_last_cells(file: &str, text: &str) {
    keep_as(file, text, without_last_cells);
}

#[track_caller]
fn keep_as(file: &str, text: &str, form: fn(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check").join(file);
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let (was, is) = (form(&kept), form(text));
    if was == is {
        return;
    }
    if env::var("FALLCAST_TABLES").is_ok_and(|value| value == "write") {
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("the folder can be made");
        fs::write(&path, text).expect("the text can be written");
        return;
    }
    let difference = difference(&was, &is);
    panic!("tests/check/{file} is stale; FALLCAST_TABLES=write writes it, if this was meant:\n{difference}");
}

/// The text with a `#` for each word that has a digit in it, and one space for many.
fn without_numbers(text: &str) -> String {
    let is_inside = |letter: char| letter.is_ascii_alphanumeric();
    let mut words: Vec<String> = Vec::new();
    for part in text.split_inclusive(|letter| !is_inside(letter)) {
        let word = part.trim_end_matches(|letter| !is_inside(letter));
        let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
        words.push(if has_digit { part.replacen(word, "#", 1) } else { part.to_owned() });
    }
    words.concat().lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

/// Rows of a table without their last cells.
fn without_last_cells(text: &str) -> String {
    let row =
        |line: &str| line.trim_end_matches(" |").rsplit_once(" | ").map_or(line, |(row, _)| row).to_owned() + "\n";
    text.lines().map(row).collect()
}

/// The lines that are in one of the texts alone.
fn difference(was: &str, is: &str) -> String {
    let mut difference = String::new();
    for (sign, of, other) in [('-', was, is), ('+', is, was)] {
        for line in of.lines().filter(|line| !other.lines().any(|there| there == *line)) {
            let _ = writeln!(difference, "{sign} {line}");
        }
    }
    difference
}

/// A row of Markdown. What stands in a cell must not end it.
pub fn row<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// Ids as code, one behind the other.
pub fn code<'a>(ids: impl IntoIterator<Item = &'a String>) -> String {
    ids.into_iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_row_loses_its_last_cell_and_no_other() {
    assert_eq!(without_last_cells("| a | b, c | `d`, `e` |\n| f | g | h |\n"), "| a | b, c\n| f | g\n");
}

#[test]
fn what_differs_from_run_to_run_is_left_out_of_the_comparison() {
    let (one, other) = ("  7 ms  #1  GET /c/check2a1/ws\n", " 12 ms #10  GET /c/check9zz/ws\n");
    assert_eq!(without_numbers(one), without_numbers(other));
    assert_eq!(without_numbers(one), "# ms ## GET /c/#/ws\n");
    assert_ne!(without_numbers("a pong"), without_numbers("no pong"));
}
