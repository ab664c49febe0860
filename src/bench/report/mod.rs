//! `report.json`: everything that one run of the benchmark has measured, and everything that was said about it.
//!
//! The raw data are in each [`Round`]: counters, and histograms that can be decoded again. All other figures are computed
//! from them by [`Report::complete`], and [`verify`](super::verify) computes them once more. So this module owns the names
//! and units of the fields and nothing else. `book/src/report.md` explains them to readers; a test compares the two.
//!
//! Units are part of the names: `_ns` nanoseconds, `_ms` milliseconds, `_s` seconds, `_bytes` bytes. A share is a number
//! from 0 to 1. What the system does not tell is absent, never zero.

mod cell;
mod distribution;
mod provenance;
mod summary;

use serde::{Deserialize, Serialize};

pub use cell::{
    Bytes, Cell, Down, Freeze, Generator, MemoryKind, MemoryUse, PacketSource, Packets, Recovery, Round, ServerCost,
    Timeline, Up, Validity,
};
pub use distribution::{Distribution, Figures};
pub use provenance::{Clock, Loop, Machine, Made, Publish, Settings, Target};
pub use summary::{Ceiling, Estimate, Step, Summary, Totals};

/// What `format` says in every report.
pub const FORMAT: &str = "fallcast-bench";

/// The version of the format that this program writes, and the only one that it reads.
pub const VERSION: u32 = 1;

/// One run of the benchmark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Always [`FORMAT`].
    pub format: String,
    /// Always [`VERSION`].
    pub version: u32,
    /// What the run was to find out, in the words of whoever made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// What was expected before it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<String>,
    /// When and by what the report was made.
    pub made: Made,
    /// Where it was made.
    pub machine: Machine,
    /// What was asked for.
    pub settings: Settings,
    /// The servers that were measured.
    pub targets: Vec<Target>,
    /// What was measured, in the order in which it was asked for.
    pub cells: Vec<Cell>,
    /// The highest rates at which a bound was kept, if they were searched for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ceilings: Vec<Ceiling>,
    /// What the figures say, in sentences. Computed.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// What they cannot say. Computed.
    #[serde(default)]
    pub does_not_show: Vec<String>,
    /// A checksum over everything else, so that a change by accident is found: `sha256:` and 64 hexadecimal digits.
    /// Computed.
    #[serde(default)]
    pub checksum: String,
}

/// A sentence about what was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The load under which it was measured; absent if it is about several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<String>,
    /// The sentence.
    pub text: String,
    /// The ids of the cells that it is about; empty if it is about all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<String>,
}

impl Report {
    /// A report of what was asked for and of nothing measured yet.
    #[must_use]
    pub fn new(made: Made, machine: Machine, settings: Settings, targets: Vec<Target>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            question: None,
            prediction: None,
            made,
            machine,
            settings,
            targets,
            cells: Vec::new(),
            ceilings: Vec::new(),
            findings: Vec::new(),
            does_not_show: Vec::new(),
            checksum: String::new(),
        }
    }
}
