//! The page of the lab against the lab: every fault and every preset of the code is on it, and every example works.

use std::{collections::BTreeSet, fs, path::Path};

use fallcast::lab::{faults::Faults, presets};
use serde_json::{Map, Value, json};

use crate::{directive, markdown::read, project, writes_the_book};

const PAGE: &str = "book/src/lab.md";
const PRESETS: &str = "measurements/presets.json";

/// A row of the page's tables of faults: what it is about, and what to write.
struct Row {
    field: String,
    example: String,
}

/// The rows whose second cell is JSON. A row whose first cell is empty goes on about the field above it.
fn rows() -> Vec<Row> {
    let page = read(Path::new(PAGE));
    let mut rows: Vec<Row> = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [_, field, example, ..] = cells[..] else { continue };
        if example.starts_with("{\"") {
            let field =
                if field.is_empty() { rows.last().expect("a row above").field.clone() } else { field.to_owned() };
            rows.push(Row { field, example: example.to_owned() });
        }
    }
    rows
}

/// The names of the fields of `Faults`, from its source, since a struct can't be asked.
fn fields() -> BTreeSet<String> {
    let mut read = |path: &Path| Ok(read(path));
    let page = Path::new("book/src/lab.md");
    let source = directive::expand(page, "{{#include ../../src/lab/faults.rs:faults}}", &mut read);
    let source = source.expect("the source has this region");
    let names = source.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": Option<"));
    names.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn every_fault_of_the_lab_is_on_its_page_and_no_other() {
    let on_the_page: BTreeSet<String> = rows().into_iter().map(|row| row.field).collect();
    assert_eq!(on_the_page, fields());
}

#[test]
fn every_example_of_a_fault_is_understood() {
    for Row { field, example } in rows() {
        let written: Map<String, Value> = serde_json::from_str(&example).expect(&example);
        assert!(written.contains_key(&field), "{example} is no example of {field}");
        Faults::parse(example.as_bytes()).unwrap_or_else(|fault| panic!("{example}: {fault}"));
    }
}

#[test]
fn every_preset_of_the_lab_is_on_its_page_in_the_labs_own_words() {
    let presets: Vec<Value> = presets::all().iter().map(shown).collect();
    if writes_the_book() {
        fs::write(project().join(PRESETS), format!("{:#}\n", json!(presets))).expect("the presets can be written");
    }
    let kept: Vec<Value> = serde_json::from_str(&read(Path::new(PRESETS))).expect("the presets are JSON");
    assert_eq!(kept, presets);

    let page = read(Path::new(PAGE));
    for preset in presets {
        let name = preset["name"].as_str().expect("a name");
        let figure = |part| format!("{{{{#figure ../../measurements/presets.json:/name={name}/{part}}}}}");
        let source = format!("Source: {}", figure("source"));
        for line in [format!("### {name}"), figure("imitates"), figure("faults"), source] {
            assert!(page.lines().any(|found| found == line), "this line is missing: {line}");
        }
    }
}

/// A preset as the page shows it: its faults written out, as somebody could write them without it.
fn shown(preset: &presets::Listed) -> Value {
    let mut preset = json!(preset);
    let faults = preset["faults"].as_object_mut().expect("faults are an object");
    faults.remove("preset");
    // With room for the page to break a line.
    let faults = json!(faults).to_string().replace("\":", "\": ").replace(",\"", ", \"");
    preset["faults"] = Value::String(faults);
    preset
}
