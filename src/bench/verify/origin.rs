//! Where a report says it comes from.

use std::collections::BTreeSet;

use crate::bench::report::{Loop, Report};

use super::Check;

pub fn provenance(report: &Report) -> Check {
    let mut check = Check::that("it says when, where and by what it was made");
    let Report { made, machine, settings, .. } = report;
    check.unless(humantime::parse_rfc3339(&made.at).is_ok(), || format!("made.at is no time in UTC: {}", made.at));
    check.unless(made.took_s > 0.0, || "made.took_s is not above zero".to_owned());
    check.unless(!made.command.is_empty(), || "made.command is empty".to_owned());
    check.unless(!made.fallcast.is_empty(), || "made.fallcast is empty".to_owned());
    check.unless(!machine.processor.is_empty(), || "machine.processor is empty".to_owned());
    check.unless(machine.cores > 0, || "machine.cores is zero".to_owned());
    check.unless(!machine.clock.source.is_empty(), || "machine.clock.source is empty".to_owned());
    check.unless(machine.clock.resolution_ns > 0, || "machine.clock.resolution_ns is zero".to_owned());
    check.unless(settings.duration_s > 0.0, || "settings.duration_s is not above zero".to_owned());
    let measured = report.cells.iter().flat_map(|cell| &cell.rounds).map(|round| round.started_s);
    let latest = measured.fold(0.0, f64::max);
    check.unless(latest <= made.took_s, || {
        format!("a round began after {latest} s, but the whole run took {} s", made.took_s)
    });
    check.note(made.commit.is_none(), "the commit is not known; the version has to do");
    check.note(made.debug, "it was made by a debug build: its times and costs say little");
    check.note(made.interrupted, "the run was interrupted");
    check.note(settings.loop_ == Loop::Closed, "the loop was closed: its latencies are too good");
    check.note(report.question.is_none(), "it answers no question (--question)");
    check.note(report.prediction.is_none(), "nothing was predicted (--prediction)");
    check
}

pub fn cells(report: &Report) -> Check {
    let mut check = Check::that("each cell is there once, and its target is described");
    let mut ids = BTreeSet::new();
    for cell in &report.cells {
        check.unless(ids.insert(&cell.id), || format!("{} is there twice", cell.id));
        check.unless(report.targets.iter().any(|target| target.name == cell.target), || {
            format!("{}: there is no target {}", cell.id, cell.target)
        });
        check.unless(cell.subscribers > 0 && cell.rate > 0.0 && cell.size_bytes > 0, || {
            format!("{}: subscribers, rate and size have to be above zero", cell.id)
        });
    }
    check.unless(!report.cells.is_empty() || !report.ceilings.is_empty(), || "nothing was measured".to_owned());
    check
}
