//! The micro-benchmarks, from the command line to the table.
//!
//! Suggested reading order: [`fixture`] (what is measured on), the topics in the order of a message's path
//! ([`intake`], [`append`], [`encode`], [`read_after`], [`fan_out`], [`cursor`], [`frame_head`]), and [`report`].

mod append;
mod audience;
mod cursor;
mod encode;
mod fan_out;
mod fixture;
mod frame_head;
mod intake;
#[cfg(target_os = "linux")]
#[path = "../fanout/machine.rs"]
#[allow(dead_code, reason = "cores are chosen, and the parts are tested, by `fanout` alone")]
mod machine;
mod read_after;
mod report;

use std::{
    process::ExitCode,
    time::{Duration, SystemTime},
};

use criterion::Criterion;

/// The benchmark only reports its errors, so one opaque type is enough.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const WARM_UP: Duration = Duration::from_millis(500);
const MEASUREMENT: Duration = Duration::from_secs(2);
const SAMPLES: usize = 50;

/// A group of benchmarks, and the question that they answer.
struct Topic {
    group: &'static str,
    question: &'static str,
    run: fn(&mut Criterion),
}

/// All topics, in the order of a message's path.
const TOPICS: [Topic; 7] =
    [intake::TOPIC, append::TOPIC, encode::TOPIC, read_after::TOPIC, fan_out::TOPIC, cursor::TOPIC, frame_head::TOPIC];

/// Measures, and prints the results as Markdown.
pub fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("micro: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<()> {
    let started = SystemTime::now();
    let settings = Criterion::default().warm_up_time(WARM_UP).measurement_time(MEASUREMENT).sample_size(SAMPLES);
    let mut criterion = settings.configure_from_args();
    for topic in &TOPICS {
        (topic.run)(&mut criterion);
    }
    report::conclude(started)
}
