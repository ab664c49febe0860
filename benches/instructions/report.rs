//! What comes out: a table, and a file with every run.

use std::{fs, path::Path as FilePath, time::SystemTime};

use serde::Serialize;

use super::{
    Result,
    fixture::size_name,
    machine::Description,
    path::{Count, Path},
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/measurements/instructions.json");

/// Everything that was counted. `benches/README.md` describes the fields.
#[derive(Serialize)]
pub struct Report {
    version: u32,
    date: String,
    command: &'static str,
    machine: Description,
    valgrind: String,
    pub counts: Vec<Count>,
}

impl Report {
    /// A report without counts.
    pub fn begin(valgrind: String) -> Self {
        Self {
            version: 1,
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            command: "cargo bench --bench instructions",
            machine: Description::gather(),
            valgrind,
            counts: Vec::new(),
        }
    }

    /// The counts as a Markdown table.
    pub fn table(&self) -> String {
        let rows: String = self.counts.iter().map(line).collect();
        let more = self.one_more_subscriber().map(grouped);
        let more = more.map(|more| format!("| … of which for each further subscription | 64 B | **{more}** |\n"));
        let more = more.unwrap_or_default();
        format!("| for each message | payload | instructions (min–max) |\n| --- | ---: | ---: |\n{rows}{more}")
    }

    fn one_more_subscriber(&self) -> Option<f64> {
        let median = |path| self.counts.iter().find(|count| count.path == path).map(Count::median);
        Some((median(Path::FanOut100)? - median(Path::FanOut1)?) / 99.0)
    }

    /// Writes everything to the file.
    pub fn save(&self) -> Result<()> {
        fs::create_dir_all(FilePath::new(FILE).with_file_name(""))?;
        Ok(fs::write(FILE, serde_json::to_string_pretty(self)? + "\n")?)
    }
}

fn line(count: &Count) -> String {
    let (low, high) = count.range();
    let (title, size) = (count.path.title(), size_name(count.size));
    let [median, low, high] = [count.median(), low, high].map(grouped);
    format!("| {title} | {size} | **{median}** ({low}–{high}) |\n")
}

/// A whole number with commas between its thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        assert_eq!([0.4, 999.0, 1000.0, 1_234_567.0].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn the_table_has_a_row_for_each_count_and_what_one_more_subscriber_takes() {
        let count = |path, runs: &[f64]| Count { path, size: 64, messages: 10, runs: runs.to_vec() };
        let mut report = Report::begin("valgrind-3".to_owned());
        report.counts.push(count(Path::FanOut1, &[1.0, 100.0, 101.0]));
        assert_eq!(report.table().lines().count(), 3);
        report.counts.push(count(Path::FanOut100, &[9_900.0, 10_000.0, 10_100.0]));
        let table = report.table();
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[3].ends_with("| 64 B | **10,000** (9,900–10,100) |"), "{table}");
        assert!(lines[4].ends_with("| **100** |"), "{table}");
    }
}
