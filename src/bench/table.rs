//! A report in a terminal.

use std::fmt::Write as _;

use super::{
    findings,
    metric::{Metric, exact},
    report::{Cell, Estimate, Figures, Report},
    words::{self, TIME},
};

/// Where a figure would stand that the rounds do not carry, or the system does not tell.
pub const NOTHING: &str = "–";

/// The report as lines of text: for each load its latencies and its costs, then the findings and their limits.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    for (at, cell) in report.cells.iter().enumerate() {
        if report.cells[..at].iter().any(|before| before.has_load_of(cell)) {
            continue;
        }
        let cells: Vec<&Cell> = report.cells.iter().filter(|other| other.has_load_of(cell)).collect();
        let load = words::load(cell);
        let _ = write!(text, "{load}\n\n{}\n{}\n", latencies(report, &cells), costs(report, &cells));
        paragraph(&mut text, "", &findings_of(report, Some(&load)));
    }
    paragraph(&mut text, "Findings", &findings_of(report, None));
    let limits: Vec<&str> = report.does_not_show.iter().map(String::as_str).collect();
    paragraph(&mut text, "What this does not show", &limits);
    text
}

fn findings_of<'a>(report: &'a Report, load: Option<&str>) -> Vec<&'a str> {
    let findings = report.findings.iter().filter(|finding| finding.load.as_deref() == load);
    findings.map(|finding| finding.text.as_str()).collect()
}

fn paragraph(text: &mut String, title: &str, sentences: &[&str]) {
    if !sentences.is_empty() {
        if !title.is_empty() {
            let _ = writeln!(text, "{title}");
        }
        for sentence in sentences {
            let _ = writeln!(text, "  - {sentence}");
        }
        text.push('\n');
    }
}

fn latencies(report: &Report, cells: &[&Cell]) -> String {
    let mut rows =
        vec![["latency", "p50", "p90", "p99", "p99.9", "max", "N", "lost/rep./reord.", "rounds"].map(str::to_owned)];
    rows.extend(cells.iter().map(|cell| {
        let summary = cell.known();
        let latency = summary.map(|summary| summary.latency).unwrap_or_default();
        let Figures { n, p90_ns, p999_ns, max_ns, .. } = latency;
        let totals = summary.map(|summary| summary.totals).unwrap_or_default();
        [
            name(report, cell),
            estimate(cell, Metric::LatencyP50),
            time(p90_ns),
            // Its interval needs a thousand deliveries in every round; the figure itself needs them in all together.
            or_else(estimate(cell, Metric::LatencyP99), || time(latency.p99_ns)),
            time(p999_ns),
            time(max_ns),
            words::count(n),
            format!("{}/{}/{}", totals.lost, totals.repeated, totals.reordered),
            format!("{}/{}", cell.valid_rounds().count(), cell.rounds.len()),
        ]
    }));
    columns(&rows)
}

fn costs(report: &Report, cells: &[&Cell]) -> String {
    const METRICS: [Metric; 7] = [
        Metric::Bytes,
        Metric::Packets,
        Metric::Cpu,
        Metric::Memory,
        Metric::Kernel,
        Metric::FirstMessage,
        Metric::Recovery,
    ];
    let mut rows = vec![
        [
            "cost",
            "bytes/delivery",
            "packets",
            "CPU/delivery",
            "memory/conn.",
            "kernel/conn.",
            "1st message",
            "recovery",
        ]
        .map(str::to_owned),
    ];
    rows.extend(cells.iter().map(|cell| {
        let [bytes, packets, cpu, memory, kernel, first, recovery] = METRICS.map(|metric| estimate(cell, metric));
        [name(report, cell), bytes, packets, cpu, memory, kernel, first, recovery]
    }));
    columns(&rows)
}

/// Figures of rounds that do not count are there to be looked at, and marked.
fn name(report: &Report, cell: &Cell) -> String {
    let name = findings::name(report, cell);
    if cell.doubtful.is_some() { format!("{name} (does not count)") } else { name }
}

fn estimate(cell: &Cell, metric: Metric) -> String {
    let found: Option<Estimate> = cell.known().and_then(|summary| metric.of_summary(summary));
    found.map_or_else(|| NOTHING.to_owned(), |found| words::estimate(&found, metric.units()))
}

fn time(value: Option<u64>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| words::figure(exact(value), TIME))
}

fn or_else(text: String, other: impl FnOnce() -> String) -> String {
    if text == NOTHING { other() } else { text }
}

/// Rows of equal width: names to the left, figures to the right. The first row is underlined.
#[must_use]
pub fn columns<Row: AsRef<[String]>>(rows: &[Row]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.as_ref().len()), 0);
        for (width, cell) in widths.iter_mut().zip(row.as_ref()) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        for (column, (cell, &width)) in row.as_ref().iter().zip(&widths).enumerate() {
            let _ = if column == 0 { write!(text, "  {cell:<width$}") } else { write!(text, "   {cell:>width$}") };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        if at == 0 {
            let line = widths.iter().sum::<usize>() + 3 * widths.len().saturating_sub(1);
            let _ = writeln!(text, "  {}", "─".repeat(line));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_left_and_figures_right() {
        let rows = [["a", "figure"], ["name", "1 µs"]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), "  a      figure\n  ─────────────\n  name     1 µs\n");
    }
}
