//! What is kept: everything about the machine and the contenders, every sample, and every failure.

use std::{fmt, fmt::Write as _, fs, path::Path, time::SystemTime};

use serde::{Deserialize, Serialize};

use super::{
    cell::Cell,
    contender::Contender,
    options::{Plan, WINDOW},
    summary::{self, Row},
};
use crate::fanout::{Result, machine::Description, sample::Sample};

/// The version of this format.
const SCHEMA: u32 = 1;

/// The file of results. `benches/peers/README.md` describes the fields.
#[derive(Serialize, Deserialize)]
pub struct Record {
    schema: u32,
    #[serde(flatten)]
    pub origin: Origin,
    /// When the run began, in UTC; of a run that was resumed, when it first began.
    pub date: String,
    /// When the last sample was taken; `None` if some are missing.
    pub finished: Option<String>,
    pub contenders: Vec<Participant>,
    /// Computed from the samples, whenever they are read.
    #[serde(skip_deserializing)]
    pub summary: Vec<Row>,
    #[serde(skip_serializing)]
    pub samples: Vec<Entry>,
}

/// What has to be the same for samples to be compared.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    pub command: String,
    pub machine: Description,
    pub method: Method,
}

/// What a reader needs to know about how it was done.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Method {
    pub phase_seconds: f64,
    /// Messages in flight in the saturated phase, at most.
    pub window: u32,
    pub workers: u32,
    pub cores: String,
    pub ratios: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Participant {
    pub id: String,
    pub name: String,
    pub version: String,
    pub fairness: Vec<String>,
}

/// One sample, and what it is a sample of.
#[derive(Clone, Serialize, Deserialize)]
pub struct Entry {
    #[serde(flatten)]
    pub cell: Cell,
    pub pair: u16,
    pub contender: String,
    #[serde(flatten)]
    pub outcome: Outcome,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    Sample(Box<Sample>),
    /// Why there is none.
    Failure {
        failure: String,
    },
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sample(sample) => sample.fmt(formatter),
            Self::Failure { failure } => write!(formatter, "FAILED: {failure}"),
        }
    }
}

impl Entry {
    pub fn sample(&self) -> Option<&Sample> {
        match &self.outcome {
            Outcome::Sample(sample) => Some(sample),
            Outcome::Failure { .. } => None,
        }
    }

    pub fn failure(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Sample(_) => None,
            Outcome::Failure { failure } => Some(failure),
        }
    }
}

impl Record {
    pub fn new(plan: &Plan, contenders: &[Contender]) -> Self {
        let method = Method {
            phase_seconds: plan.phase().as_secs_f64(),
            window: WINDOW,
            workers: 1,
            cores: "the server has the first core, the load generator the second; all is loopback".to_owned(),
            ratios: "taken within a pair: samples of one cell that follow each other; the table shows medians"
                .to_owned(),
        };
        let contenders = contenders.iter().map(|Contender { id, name, version, fairness, .. }| Participant {
            id: id.clone(),
            name: name.clone(),
            version: version.clone(),
            fairness: fairness.clone(),
        });
        Self {
            schema: SCHEMA,
            origin: Origin { command: command(), machine: Description::gather(), method },
            date: now(),
            finished: None,
            contenders: contenders.collect(),
            summary: Vec::new(),
            samples: Vec::new(),
        }
    }

    /// Reads a file of results.
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut record: Self = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        if record.schema != SCHEMA {
            return Err(format!("{} has the format {}, not {SCHEMA}", path.display(), record.schema).into());
        }
        if record.finished.is_some() {
            record.summary = summary::rows(&record.samples);
        }
        Ok(record)
    }

    /// Takes over what an earlier run has measured; nothing, if there was none.
    pub fn resume(&mut self, path: &Path) -> Result<()> {
        if !path.exists() {
            return Ok(());
        }
        let earlier = Self::load(path)?;
        if earlier.origin != self.origin {
            return Err(format!(
                "{} was measured with other options, of another commit or on another machine: begin anew, without --resume",
                path.display()
            )
            .into());
        }
        self.date = earlier.date;
        self.samples = earlier.samples;
        Ok(())
    }

    /// Whether there is a sample, or a failure, already.
    pub fn has(&self, cell: &Cell, pair: u16, contender: &str) -> bool {
        self.of(cell, contender).any(|entry| entry.pair == pair)
    }

    /// How often a contender has failed in a cell.
    pub fn failures(&self, cell: &Cell, contender: &str) -> usize {
        self.of(cell, contender).filter(|entry| entry.failure().is_some()).count()
    }

    fn of(&self, cell: &Cell, contender: &str) -> impl Iterator<Item = &Entry> {
        self.samples.iter().filter(move |entry| entry.cell == *cell && entry.contender == contender)
    }

    pub fn add(&mut self, entry: Entry) {
        self.samples.push(entry);
    }

    /// Sums up, once all samples are there.
    pub fn finish(&mut self) {
        self.finished = Some(now());
        self.summary = summary::rows(&self.samples);
    }

    /// Writes everything to a file, each sample on a line of its own.
    pub fn save(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut text = serde_json::to_string_pretty(self)?;
        text.truncate(text.trim_end_matches(['\n', '}']).len());
        text.push_str(",\n  \"samples\": [");
        for (number, entry) in self.samples.iter().enumerate() {
            let separator = if number == 0 { "" } else { "," };
            write!(text, "{separator}\n    {}", serde_json::to_string(entry)?)?;
        }
        text.push_str("\n  ]\n}\n");
        Ok(fs::write(path, text)?)
    }
}

fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// The command line that repeats this run. To resume it is to repeat it.
fn command() -> String {
    let arguments = std::env::args().skip(1).filter(|argument| argument != "--bench" && argument != "--resume");
    arguments.fold("benches/peers/run".to_owned(), |command, argument| command + " " + &argument)
}
