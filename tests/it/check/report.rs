//! `fallcast check` as a shell runs it, and what its report says.

use std::{collections::BTreeSet, net::SocketAddr};

use serde::Deserialize;

use crate::harness::process::command;

/// What is left to chance is the same in every run.
const SEED: &str = "7";

/// What all checks have found.
#[derive(Debug, Deserialize)]
pub struct Report {
    #[serde(rename = "check_report")]
    pub version: u32,
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
    pub checks: Vec<Check>,
}

/// What one check has found.
#[derive(Debug, Deserialize)]
pub struct Check {
    pub name: String,
    pub properties: Vec<Property>,
}

/// A property, and what has become of it.
#[derive(Debug, Deserialize)]
pub struct Property {
    pub id: String,
    pub transport: Option<String>,
    pub verdict: String,
    pub promise: String,
    /// What was seen, or why nobody looked.
    #[serde(default)]
    pub says: Option<String>,
    pub chapter: String,
}

/// What the servers of these tests promise beyond the profile of fallcast: heartbeats that a check can wait for, and a log
/// that it can fill.
const PROMISES: [&str; 8] = [
    "--set",
    "websocket.heartbeat-ms=1000",
    "--set",
    "sse.heartbeat-ms=1000",
    "--set",
    "stream.heartbeat-ms=1000",
    "--set",
    "retention-messages=1000",
];

/// And what the reference server promises: a log that is small, so that not much must be published past a slow reader.
pub const OF_REFERENCE: [&str; 2] = ["--set", "retention-bytes=4194304"];

/// Checks a server. The exit code must say the same as the report.
pub fn check(address: SocketAddr, arguments: &[&str]) -> Report {
    let url = format!("http://{address}");
    let output = command()
        .args(["check", "--url", &url, "--json", "--seed", SEED])
        .args(PROMISES)
        .args(arguments)
        .output()
        .expect("the binary runs to its end");
    let notices = String::from_utf8_lossy(&output.stderr);
    let report: Report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?} leave no report: {error}; {notices}"));
    assert_eq!(report.version, 1, "the form of the report");
    assert_eq!(output.status.code(), Some(i32::from(report.failed > 0)), "{arguments:?}: {notices}");
    report
}

/// What is broken.
#[derive(Debug, Default)]
pub struct Violations {
    /// The ids of the properties.
    pub properties: BTreeSet<String>,
    /// What was seen, on each transport.
    pub sentences: Vec<String>,
}

impl Violations {
    /// The names of the checks that have found something, which are the first parts of ids.
    pub fn checks(&self) -> impl Iterator<Item = &str> {
        self.properties.iter().filter_map(|id| Some(id.split_once('.')?.0))
    }

    /// These and others.
    pub fn and(mut self, others: Self) -> Self {
        self.properties.extend(others.properties);
        self.sentences.extend(others.sentences);
        self
    }
}

impl Report {
    /// What is broken.
    pub fn violations(&self) -> Violations {
        let failed = self.properties().filter(|property| property.verdict == "failed");
        Violations { properties: failed.map(|property| property.id.clone()).collect(), sentences: self.complaints() }
    }

    /// What was seen of each broken property, in sentences.
    pub fn complaints(&self) -> Vec<String> {
        let failed = self.properties().filter(|property| property.verdict == "failed");
        let sentence = |property: &Property| {
            let transport = property.transport.as_deref().unwrap_or("all transports");
            format!("{} on {transport}: {}", property.id, property.says.as_deref().unwrap_or("nothing is said"))
        };
        failed.map(sentence).collect()
    }

    /// All properties, in the order of the report.
    pub fn properties(&self) -> impl Iterator<Item = &Property> {
        self.checks.iter().flat_map(|check| &check.properties)
    }

    /// Asserts that nothing is broken, and that so many properties were looked at, since a report on nothing is clean, too.
    #[track_caller]
    pub fn assert_clean(&self, least: usize) {
        assert_eq!(self.complaints(), Vec::<String>::new());
        assert!(self.passed >= least, "only {} properties were proved, {} were skipped", self.passed, self.skipped);
    }
}
