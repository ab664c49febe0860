//! Whether a report can be believed, as far as the report itself can tell.
//!
//! Everything that is computed is computed once more from the raw data, and the raw data have to agree with each other. A
//! figure that was changed by hand is found twice: by the checksum, and where it no longer agrees with the rest. Whoever
//! invents a whole report, histograms included, is not found by arithmetic; that is what a second machine is for.

mod agreement;
mod counts;
mod order;
mod origin;

use std::fmt;

use serde_json::Value;

use super::{
    checksum,
    report::{Cell, FORMAT, Report, Round, VERSION},
    words,
};

/// How many faults of a check are listed.
const LISTED: usize = 5;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What has to be so: a short statement.
    pub statement: &'static str,
    /// Where it is not so; empty if it holds.
    pub faults: Vec<String>,
    /// What a reader should know, though nothing is wrong.
    pub notes: Vec<String>,
}

/// All that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// In the order of looking. If a report cannot be read, only the first few.
    pub checks: Vec<Check>,
}

impl Verification {
    /// Looks at a `report.json`.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let (report, mut checks) = match read(text) {
            Ok(read) => read,
            Err(check) => return Self { checks: vec![check] },
        };
        checks.extend([
            origin::provenance(&report),
            origin::cells(&report),
            agreement::histograms(&report),
            agreement::percentiles(&report),
            counts::deliveries(&report),
            counts::distributions(&report),
            counts::timelines(&report),
            counts::bytes(&report),
            counts::schedule(&report),
            order::rounds(&report),
            order::rotation(&report),
            order::validity(&report),
            agreement::summaries(&report),
            agreement::ceilings(&report),
            agreement::sentences(&report),
        ]);
        Self { checks }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.checks.iter().all(|check| check.faults.is_empty())
    }
}

/// Reads a report. What cannot be understood cannot be checked any further.
fn read(text: &str) -> Result<(Report, Vec<Check>), Check> {
    let mut schema = Check::that("it is a report of version 1, with all fields and no others");
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(fault) => return Err(schema.with(format!("it is not JSON: {fault}"))),
    };
    let (format, version) = (&value["format"], &value["version"]);
    if format != FORMAT {
        return Err(schema.with(format!("format is {format}, but a report says \"{FORMAT}\"")));
    }
    if version != VERSION {
        return Err(
            schema.with(format!("version is {version}; this program reads {VERSION}: use the one that made it"))
        );
    }
    // Where something is wrong is known only while the text itself is read.
    let report: Report = match serde_json::from_str(text) {
        Ok(report) => report,
        Err(fault) => return Err(schema.with(fault.to_string())),
    };
    // Parts that are flattened into others take fields that they do not know.
    let written = serde_json::to_value(&report).unwrap_or_default();
    schema.unless(checksum::of_value(&written) == checksum::of_value(&value), || {
        "it has fields that no report has".to_owned()
    });
    let mut sum = Check::that("nothing was changed since it was written (checksum)");
    let actual = checksum::of_value(&value);
    sum.unless(report.checksum == actual, || format!("the checksum of what is there is {actual}"));
    Ok((report, vec![schema, sum]))
}

impl Check {
    /// A check that holds, until a fault is found.
    fn that(statement: &'static str) -> Self {
        Self { statement, faults: Vec::new(), notes: Vec::new() }
    }

    fn with(mut self, fault: String) -> Self {
        self.faults.push(fault);
        self
    }

    fn unless(&mut self, is_so: bool, fault: impl FnOnce() -> String) {
        if !is_so {
            self.faults.push(fault());
        }
    }

    fn note(&mut self, is_so: bool, note: &str) {
        if is_so {
            self.notes.push(note.to_owned());
        }
    }

    /// Looks at each round. What `look` reports is said of this round.
    fn of_rounds(statement: &'static str, report: &Report, look: impl Fn(&Cell, &Round, &mut Vec<String>)) -> Self {
        let mut check = Self::that(statement);
        for cell in &report.cells {
            for round in &cell.rounds {
                let mut faults = Vec::new();
                look(cell, round, &mut faults);
                check
                    .faults
                    .extend(faults.into_iter().map(|fault| format!("{}, round {}: {fault}", cell.id, round.round)));
            }
        }
        check
    }
}

/// Each check with its mark.
impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check { statement, faults, notes } in &self.checks {
            writeln!(f, "{} {statement}", if faults.is_empty() { '✓' } else { '✗' })?;
            for fault in faults.iter().take(LISTED) {
                writeln!(f, "    {fault}")?;
            }
            if faults.len() > LISTED {
                writeln!(f, "    and {} more", words::count((faults.len() - LISTED) as u64))?;
            }
            for note in notes {
                writeln!(f, "    note: {note}")?;
            }
        }
        Ok(())
    }
}
