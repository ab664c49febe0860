//! What observations mean. Nothing is asked here, and nothing is waited for: observations in, sentences out, so that the
//! command and the page say the same.
//!
//! Each question has a module that makes a [`Finding`] of what was seen. [`culprits`] puts what was seen together, for one
//! middlebox shows in several questions, and [`verdict`] chooses a transport.

mod clock;
mod compression;
mod culprits;
mod duplicates;
mod fields;
mod flush;
mod holding;
mod idle;
mod latency;
mod line;
mod names;
mod room;
mod streams;
mod upgrade;
mod verdict;
mod way;
mod words;

use serde::Serialize;

use super::observations::Observations;

pub use culprits::{Culprit, Kind};
pub use holding::{Holding, holding_of};
pub use verdict::Verdict;

/// How things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// As they should.
    Well,
    /// It could not be found out.
    Unknown,
    /// There is something to know, but nothing is in the way.
    Notice,
    /// Something is in the way.
    Fault,
}

/// One question, answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The question's short name.
    pub question: &'static str,
    /// What it was about.
    pub title: &'static str,
    /// How things stand.
    pub mark: Mark,
    /// What was seen.
    pub seen: String,
    /// What that means.
    pub means: String,
    /// What to do about it; empty if there is nothing to do.
    pub remedy: String,
}

impl Finding {
    fn new(question: &'static str, title: &'static str, mark: Mark, seen: impl Into<String>) -> Self {
        Self { question, title, mark, seen: seen.into(), means: String::new(), remedy: String::new() }
    }

    fn means(mut self, means: impl Into<String>) -> Self {
        self.means = means.into();
        self
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }
}

/// Everything that observations mean.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What to do.
    pub verdict: Verdict,
    /// The questions that were answered, in the order in which they are shown.
    pub findings: Vec<Finding>,
}

/// The questions, in the order in which they are shown.
const QUESTIONS: [fn(&Observations) -> Option<Finding>; 12] = [
    line::find,
    way::find,
    upgrade::find,
    flush::find,
    idle::find,
    fields::find,
    compression::find,
    streams::find,
    duplicates::find,
    latency::find,
    clock::find,
    room::find,
];

impl Report {
    /// Judges observations.
    #[must_use]
    pub fn of(observations: &Observations) -> Self {
        let findings: Vec<_> = QUESTIONS.iter().filter_map(|find| find(observations)).collect();
        Self { verdict: Verdict::of(observations, &findings), findings }
    }

    /// Whether something is in the way.
    #[must_use]
    pub fn has_fault(&self) -> bool {
        self.findings.iter().any(|finding| finding.mark == Mark::Fault)
    }
}
