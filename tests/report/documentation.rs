//! The book describes every field of a report, and no other.

use std::{collections::BTreeSet, fs};

use fallcast::bench::report::{Ceiling, Step};
use serde_json::Value;

use super::sample::Plan;

/// Objects that the book describes once, under this heading, and that appear in many places.
const SHARED: [(&str, &str); 4] = [
    ("Distributions", "/cells/0/rounds/0/latency"),
    ("Estimates", "/cells/0/summary/latency_p50_ns"),
    ("Whether something counts", "/cells/0/rounds/0/validity"),
    ("Figures", "/cells/0/summary/latency"),
];

/// A report that has every field.
fn complete() -> Value {
    let plan = Plan {
        is_frozen: true,
        // Enough deliveries for every percentile, and a round that does not count.
        subscribers: vec![200],
        invalid: vec![(0, 1)],
        ..Plan::default()
    };
    let mut report = plan.report();
    report.made.rustc = Some("rustc 1.91".to_owned());
    report.targets[0].server_args = vec!["--heartbeat=1s".to_owned()];
    report.cells.iter_mut().for_each(|cell| cell.via = Some("lab:mobile-3g".to_owned()));
    let validity = report.cells[0].rounds[0].validity.clone();
    let step = Step { rate: 100.0, n: 1, lost: 0, quantile_ns: 1, held: false, validity };
    report.ceilings = vec![Ceiling {
        target: "fallcast".to_owned(),
        transport: "sse".to_owned(),
        subscribers: 1,
        size_bytes: 64,
        via: Some("lab:mobile-3g".to_owned()),
        quantile: 0.99,
        bound_ns: 1,
        rate: Some(1.0),
        steps: vec![step],
    }];
    report.complete();
    serde_json::to_value(report).expect("a report is JSON")
}

/// The fields that there are, named as the book names them: `cells[].rounds[].n`.
fn fields(report: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(report, "", &mut found);
    for (heading, place) in SHARED {
        let shared = report.pointer(place).and_then(Value::as_object).expect(place);
        // Figures are distributions without their histogram.
        if heading != "Figures" {
            found.extend(shared.keys().map(|field| format!("{heading}.{field}")));
        }
    }
    found
}

fn walk(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    let is_shared = ["max_ns", "low", "valid"].iter().any(|field| value.get(field).is_some_and(|it| !it.is_array()));
    match value {
        Value::Object(fields) if !is_shared && !path.ends_with(".templates") => {
            let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
            fields.iter().for_each(|(name, value)| walk(value, &format!("{prefix}{name}"), found));
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                walk(item, &format!("{path}[]"), found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

/// The fields that the book has in its tables, each with what its heading names before it.
fn described() -> BTreeSet<String> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/book/src/report.md")).expect("the page");
    let mut heading = "";
    let mut found = BTreeSet::new();
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            let code = title.strip_prefix('`').and_then(|title| title.split_once('`'));
            heading = code.map_or(title, |(code, _)| code);
        }
        if let Some((field, _)) = line.strip_prefix("| `").and_then(|row| row.split_once('`')) {
            found.insert(if heading == "report" { field.to_owned() } else { format!("{heading}.{field}") });
        }
    }
    found
}

#[test]
fn the_book_describes_every_field_and_no_other() {
    let (there, told) = (fields(&complete()), described());
    let missing: Vec<_> = there.difference(&told).collect();
    let invented: Vec<_> = told.difference(&there).collect();
    assert!(missing.is_empty() && invented.is_empty(), "missing {missing:#?}, invented {invented:#?}");
}
