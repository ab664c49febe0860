//! A comparison in a terminal.

use std::fmt::Write as _;

use crate::bench::{metric::Metric, table::NOTHING, words};

use super::{Comparison, Line};

/// The comparison as lines of text: the machines, a table for each load and metric, and what they say.
#[must_use]
pub fn render(comparison: &Comparison) -> String {
    let mut text = String::new();
    for machine in &comparison.machines {
        let _ = writeln!(text, "{}: {}, {}, {}", machine.name, machine.processor, machine.os, machine.at);
    }
    text.push('\n');
    bullets(&mut text, "Not made in the same way", &comparison.caveats);
    bullets(&mut text, "Measured on one machine only", &comparison.alone);
    for (at, cell) in comparison.cells.iter().enumerate() {
        let load = cell.load.as_str();
        if comparison.cells[..at].iter().any(|before| before.load == load) {
            continue;
        }
        let _ = writeln!(text, "{load}\n");
        for metric in super::COMPARED {
            text.push_str(&of_metric(comparison, load, metric));
        }
        let findings = comparison.findings.iter().filter(|finding| finding.load.as_deref() == Some(load));
        bullets(&mut text, "Findings", &findings.map(|finding| finding.text.clone()).collect::<Vec<_>>());
    }
    text
}

/// Names, then for each machine the figure, then for each machine the ratio to the reference.
fn of_metric(comparison: &Comparison, load: &str, metric: Metric) -> String {
    let lines: Vec<(&str, &Line)> =
        comparison.lines(load, metric).map(|(cell, line)| (cell.name.as_str(), line)).collect();
    if lines.is_empty() {
        return String::new();
    }
    let names = || comparison.machines.iter().map(|machine| machine.name.clone());
    let mut rows = vec![
        std::iter::once(metric.name().to_owned())
            .chain(names())
            .chain(names().map(|name| format!("× on {name}")))
            .collect::<Vec<_>>(),
    ];
    rows.extend(lines.iter().map(|(name, line)| {
        let values = line.values.iter().map(|value| {
            value.as_ref().map_or_else(|| NOTHING.to_owned(), |value| words::estimate(value, metric.units()))
        });
        let ratios = line.ratios.iter().map(|ratio| match ratio {
            Some(ratio) if ratio.differs => words::ratio(ratio.value, ratio.low, ratio.high),
            Some(_) => "no difference".to_owned(),
            None => NOTHING.to_owned(),
        });
        std::iter::once((*name).to_owned()).chain(values).chain(ratios).collect()
    }));
    format!("{}\n", crate::bench::table::columns(&rows))
}

fn bullets(text: &mut String, title: &str, sentences: &[String]) {
    if !sentences.is_empty() {
        let _ = writeln!(text, "{title}");
        for sentence in sentences {
            let _ = writeln!(text, "  - {sentence}");
        }
        text.push('\n');
    }
}
