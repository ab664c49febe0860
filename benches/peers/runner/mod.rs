//! The comparison with other servers, from the command line to the tables.
//!
//! Suggested reading order: [`cell`] (what is measured), [`contender`] (who takes part), [`record`] (what is kept),
//! [`summary`] (what it amounts to), [`target`] (what it should amount to). What happens to one server is in
//! `fanout/sample.rs`.

mod cell;
mod contender;
mod digest;
mod options;
mod record;
mod summary;
mod table;
mod target;

use std::process::ExitCode;

use clap::Parser as _;

use self::{
    cell::Cell,
    contender::Contender,
    options::{Arguments, Plan, Role},
    record::{Entry, Outcome, Record},
};
use crate::fanout::{
    Result, bare_sender,
    machine::{self, Cores},
    sample::Sample,
};

/// A contender that has failed this often in a cell is not asked again there.
const MOST_FAILURES: usize = 2;

/// Runs the measurement, or what a subcommand asks for.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.role {
        Some(Role::BareSender) => bare_sender::serve(),
        Some(Role::Table { results, write: false }) => show(&results),
        Some(Role::Table { results, write: true }) => write(&results),
        None => measure(&arguments.plan),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn show(results: &std::path::Path) -> Result<()> {
    println!("{}", table::render(&Record::load(results)?)?);
    Ok(())
}

/// Puts the tables where they are read.
fn write(results: &std::path::Path) -> Result<()> {
    let record = Record::load(results)?;
    record.save(results)?;
    std::fs::write(results.with_extension("md"), table::render(&record)?)?;
    let readme = std::fs::read_to_string(digest::README)?;
    std::fs::write(digest::README, digest::put_into(&readme, &digest::render(&record)?)?)?;
    Ok(())
}

/// Measures all cells, once for each pair: a run that is ended early has something about each of them.
fn measure(plan: &Plan) -> Result<()> {
    let cells = plan.cells();
    let contenders = contender::all(plan)?;
    machine::raise_descriptor_limit(cells.iter().map(|cell| cell.subscribers).max().unwrap_or(0))?;
    let cores = Cores::choose()?;
    cores.pin_generator()?;
    let part = plan.part();
    let mut record = Record::new(plan, &contenders);
    if plan.resume {
        record.resume(&part)?;
    }
    for pair in 1..=plan.most_pairs() {
        for cell in cells.iter().filter(|&&cell| pair <= plan.pairs_of(cell)) {
            for contender in in_turn(&contenders, pair).filter(|contender| contender.serves(cell.transport)) {
                if record.has(cell, pair, &contender.id) || record.failures(cell, &contender.id) >= MOST_FAILURES {
                    continue;
                }
                let outcome = take(plan, &cores, *cell, contender);
                eprintln!("{cell}, pair {pair}, {}: {outcome}", contender.id);
                record.add(Entry { cell: *cell, pair, contender: contender.id.clone(), outcome });
                record.save(&part)?;
            }
        }
    }
    record.finish();
    record.save(&plan.results())?;
    std::fs::remove_file(part)?;
    println!("{}", table::render(&record)?);
    Ok(())
}

/// Everybody, each pair beginning with somebody else.
fn in_turn(contenders: &[Contender], pair: u16) -> impl Iterator<Item = &Contender> {
    let skip = usize::from(pair) % contenders.len().max(1);
    contenders.iter().cycle().skip(skip).take(contenders.len())
}

/// A contender that can't take a cell is no reason not to measure the others.
fn take(plan: &Plan, cores: &Cores, cell: Cell, contender: &Contender) -> Outcome {
    let workload = plan.workload(cell);
    let sample = contender.start(cores, cell.transport, &workload).and_then(|subject| Sample::take(&workload, subject));
    match sample {
        Ok(sample) => Outcome::Sample(Box::new(sample)),
        Err(error) => Outcome::Failure { failure: error.to_string() },
    }
}
