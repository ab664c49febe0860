//! The fan-out benchmark, from the command line to the table.
//!
//! One process is the load generator; it starts the server under test and the bare sender as children, one after the
//! other. Suggested reading order: [`sample`] (what happens to one server), [`bare_sender`] (what it is compared
//! with), [`audience`] (who listens), [`report`] (what comes out).

mod audience;
mod bare_post;
pub mod bare_sender;
pub mod dialect;
pub mod framing;
pub mod machine;
pub mod options;
mod payload;
mod posting;
mod process;
mod publisher;
mod report;
pub mod sample;
pub mod schedule;
pub mod server;
pub mod statistics;
pub mod subject;
pub mod table;
mod tally;
mod targets;
pub mod workload;

use std::process::ExitCode;

use clap::Parser as _;

use self::{
    machine::Cores,
    options::{Arguments, Plan, Role, Transport},
    report::Report,
    sample::Sample,
    server::{Contender, Server},
    subject::Subject,
};

/// The benchmark only reports its errors, so one opaque type is enough.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Runs one of the two comparison servers or, without a subcommand, the measurement.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.role {
        Some(Role::BareSender) => bare_sender::serve(),
        Some(Role::BarePost) => bare_post::serve(),
        None => measure(&arguments.plan),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fanout: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures everything that the plan asks for, writes the samples to a file and the table to standard output.
fn measure(plan: &Plan) -> Result<()> {
    machine::raise_descriptor_limit(plan.largest_audience())?;
    let cores = Cores::choose()?;
    cores.pin_generator()?;
    let mut report = Report::new(plan);
    for &transport in &plan.transports {
        for &subscribers in &plan.subscribers {
            interleave(plan, |pair, contender| {
                let what = format!("{transport} × {subscribers}, pair {pair}, {contender}");
                let sample = take_sample(plan, &cores, contender, transport, subscribers);
                let sample = sample.map_err(|error| format!("{what}: {error}"))?;
                eprintln!("{what}: {sample}");
                report.fan_out(pair, contender, transport, subscribers, sample);
                Ok(())
            })?;
        }
    }
    if !plan.skip_posts {
        interleave(plan, |pair, contender| {
            let what = format!("POST, pair {pair}, {contender}");
            let sample = posting::Sample::take(plan, &cores, contender);
            let sample = sample.map_err(|error| format!("{what}: {error}"))?;
            eprintln!("{what}: {sample}");
            report.posts(pair, contender, sample);
            Ok(())
        })?;
    }
    report.summarize();
    report.save(&plan.results)?;
    println!("{}", table::render(&report)?);
    Ok(())
}

fn take_sample(
    plan: &Plan,
    cores: &Cores,
    contender: Contender,
    transport: Transport,
    subscribers: u32,
) -> Result<Sample> {
    let workload = plan.workload(subscribers);
    let mut subject = match contender {
        Contender::Bare => Subject::bare(cores, transport, &workload)?,
        Contender::Fallcast => {
            let server = Server::fallcast(plan.server.as_deref(), &[], cores)?;
            Subject::fallcast(server, transport, &workload)
        }
    };
    // Where the bare sender has no saturated state, there is nothing to compare with.
    subject.window = subject.window.filter(|_| transport != Transport::LongPoll);
    Sample::take(&workload, subject)
}

/// Measures bare, fallcast, bare, fallcast …, so that whatever else the machine does meanwhile hits both of a pair.
fn interleave(plan: &Plan, mut measure: impl FnMut(usize, Contender) -> Result<()>) -> Result<()> {
    for pair in 1..=plan.pairs.into() {
        for contender in [Contender::Bare, Contender::Fallcast] {
            measure(pair, contender)?;
        }
    }
    Ok(())
}
