//! What comes out: every sample, and the medians of the paired ratios.

use std::{fs, path::Path, time::SystemTime};

use serde::Serialize;

use super::{
    Result,
    machine::Description,
    options::{Plan, Transport},
    posting,
    sample::Sample,
    server::Contender,
    statistics::{Comparison, Summary},
};

/// The share of its core from which on a process counts as busy all the time.
const BUSY: f64 = 0.9;

/// Everything that was measured. `benches/README.md` describes the fields.
#[derive(Serialize)]
pub struct Report {
    /// When the run began, in UTC.
    pub date: String,
    pub command: String,
    pub machine: Description,
    pub plan: Plan,
    pub summary: Vec<Row>,
    pub posts_summary: Option<PostRow>,
    samples: Vec<FanOut>,
    posts: Vec<Posts>,
}

/// A sample, and what it is a sample of.
#[derive(Serialize)]
struct FanOut {
    transport: Transport,
    subscribers: u32,
    pair: usize,
    contender: Contender,
    #[serde(flatten)]
    sample: Sample,
}

#[derive(Serialize)]
struct Posts {
    pair: usize,
    contender: Contender,
    #[serde(flatten)]
    sample: posting::Sample,
}

/// The samples of one audience, summarized.
#[derive(Serialize)]
pub struct Row {
    pub transport: Transport,
    pub subscribers: u32,
    /// With one message in flight.
    pub server_cpu_ns_per_delivery: Comparison,
    /// Saturated; `None` for long-polls.
    pub deliveries_per_second: Option<Comparison>,
    pub connects_per_second: Comparison,
    /// Fallcast's only: the bare sender's few bytes are no measure of anything.
    pub memory_per_connection: Summary,
}

/// The samples of publishing with no subscriber, summarized.
#[derive(Serialize)]
pub struct PostRow {
    pub messages_per_second: Comparison,
    pub server_cpu_ns_per_message: Comparison,
}

/// How many saturated samples there are, and how many of them say little about the server.
#[derive(Default)]
pub struct Doubts {
    pub all: usize,
    /// The load generator was busy all the time, and the server was not.
    pub limited: usize,
    /// At times neither ran. But one of the two always has something to do, so the machine was busy with other things.
    pub disturbed: usize,
}

impl Report {
    pub fn new(plan: &Plan) -> Self {
        Self {
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            command: command(),
            machine: Description::gather(),
            plan: plan.clone(),
            summary: Vec::new(),
            posts_summary: None,
            samples: Vec::new(),
            posts: Vec::new(),
        }
    }

    pub fn fan_out(
        &mut self,
        pair: usize,
        contender: Contender,
        transport: Transport,
        subscribers: u32,
        sample: Sample,
    ) {
        self.samples.push(FanOut { transport, subscribers, pair, contender, sample });
    }

    pub fn posts(&mut self, pair: usize, contender: Contender, sample: posting::Sample) {
        self.posts.push(Posts { pair, contender, sample });
    }

    /// Computes the medians, once all samples are there.
    pub fn summarize(&mut self) {
        let Plan { transports, subscribers, .. } = &self.plan;
        let cells = transports.iter().flat_map(|&transport| subscribers.iter().map(move |&count| (transport, count)));
        self.summary = cells.filter_map(|(transport, count)| self.row(transport, count)).collect();
        self.posts_summary = self.post_row();
    }

    fn row(&self, transport: Transport, subscribers: u32) -> Option<Row> {
        let cell: Vec<&FanOut> =
            self.samples.iter().filter(|of| of.transport == transport && of.subscribers == subscribers).collect();
        let compare = |value: &dyn Fn(&Sample) -> Option<f64>| {
            Comparison::of(cell.iter().filter_map(|of| Some((of.contender, value(&of.sample)?))))
        };
        Some(Row {
            transport,
            subscribers,
            server_cpu_ns_per_delivery: compare(&|sample| Some(sample.one_in_flight.server_cpu_ns_per_delivery))?,
            deliveries_per_second: compare(&|sample| {
                sample.saturated.as_ref().map(|phase| phase.deliveries_per_second)
            }),
            connects_per_second: compare(&|sample| Some(sample.connects_per_second))?,
            memory_per_connection: compare(&|sample| Some(sample.memory_per_connection))?.fallcast,
        })
    }

    fn post_row(&self) -> Option<PostRow> {
        let compare = |value: fn(&posting::Sample) -> f64| {
            Comparison::of(self.posts.iter().map(|of| (of.contender, value(&of.sample))))
        };
        Some(PostRow {
            messages_per_second: compare(|sample| sample.messages_per_second)?,
            server_cpu_ns_per_message: compare(|sample| sample.server_cpu_ns_per_message)?,
        })
    }

    /// Counts the saturated samples that say little about the server.
    pub fn doubts(&self) -> Doubts {
        let saturated = self.samples.iter().filter_map(|of| of.sample.saturated.as_ref());
        saturated.fold(Doubts::default(), |mut doubts, phase| {
            doubts.all += 1;
            doubts.limited += usize::from(phase.generator_load > BUSY && phase.server_load < BUSY);
            doubts.disturbed += usize::from(phase.generator_load + phase.server_load < BUSY);
            doubts
        })
    }

    /// Writes everything to a file.
    pub fn save(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(path, serde_json::to_string_pretty(self)? + "\n")?)
    }
}

/// The command line that repeats this run.
fn command() -> String {
    let mut command = "cargo bench --bench fanout".to_owned();
    let mut separator = " -- ";
    for argument in std::env::args().skip(1).filter(|argument| argument != "--bench") {
        command += separator;
        command += &argument;
        separator = " ";
    }
    command
}
