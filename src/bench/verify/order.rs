//! Whether rounds were made as the method asks for: all of them, in turns, and counted only if they count.

use std::collections::BTreeSet;

use crate::bench::{
    metric::exact,
    report::{Cell, Report, Round},
    statistics::FEWEST,
    validity::{BUSIEST, LATEST, LATEST_SHARE},
    words,
};

use super::{Check, agreement::rounds as all_rounds};

pub fn rounds(report: &Report) -> Check {
    let mut check = Check::that("every cell has all its rounds");
    let complete: Vec<u32> = (1..=report.settings.rounds).collect();
    for cell in &report.cells {
        let there: Vec<u32> = cell.rounds.iter().map(|round| round.round).collect();
        let begins = complete.starts_with(&there);
        check.unless(begins && (report.made.interrupted || there == complete), || {
            format!("{} has the rounds {there:?}, but {} were to be made", cell.id, report.settings.rounds)
        });
    }
    let few = report.cells.iter().filter(|cell| cell.valid_rounds().count() < FEWEST).count();
    check.note(
        few > 0,
        &format!("{} with fewer than three valid rounds: they carry no comparison", words::counted(few as u64, "cell")),
    );
    check
}

pub fn rotation(report: &Report) -> Check {
    let mut check = Check::that("cells took turns: the order changed from round to round, and was kept");
    let order = &report.settings.order;
    let ids: BTreeSet<&str> = report.cells.iter().map(|cell| cell.id.as_str()).collect();
    for (round, places) in order.iter().enumerate() {
        let named: BTreeSet<&str> = places.iter().map(String::as_str).collect();
        check.unless(named == ids && places.len() == ids.len(), || {
            format!("the order of round {} does not name each cell once", round + 1)
        });
    }
    check.unless(order.len() == report.settings.rounds as usize, || {
        format!("there are {} orders for {} rounds", order.len(), report.settings.rounds)
    });
    let mut distinct: Vec<&Vec<String>> = order.iter().collect();
    distinct.sort();
    distinct.dedup();
    check.unless(distinct.len() >= order.len().min(ids.len()), || {
        format!("{} cells in {} rounds had only {} orders", ids.len(), order.len(), distinct.len())
    });
    for (cell, round) in all_rounds(report) {
        let planned = order
            .get(round.round.wrapping_sub(1) as usize)
            .and_then(|places| places.get(round.place.wrapping_sub(1) as usize));
        check.unless(planned == Some(&cell.id), || {
            format!("{}, round {}: it was not planned at place {}", cell.id, round.round, round.place)
        });
    }
    check.faults.extend(out_of_turn(report));
    check
}

/// Rounds that began before one that was planned before them.
fn out_of_turn(report: &Report) -> Vec<String> {
    let mut began: Vec<(&Cell, &Round)> = all_rounds(report).collect();
    began.sort_by(|(_, one), (_, other)| one.started_s.total_cmp(&other.started_s));
    began
        .windows(2)
        .filter(|pair| (pair[0].1.round, pair[0].1.place) >= (pair[1].1.round, pair[1].1.place))
        .map(|pair| {
            let ((_, before), (cell, after)) = (pair[0], pair[1]);
            format!(
                "{}, round {}, place {}: it began after round {}, place {}",
                cell.id, after.round, after.place, before.round, before.place
            )
        })
        .collect()
}

pub fn validity(report: &Report) -> Check {
    let mut check =
        Check::of_rounds("rounds that do not count say why, and are in no summary", report, |cell, round, faults| {
            if round.validity.valid && !round.validity.reasons.is_empty() {
                faults.push(format!("it counts in spite of this: {}", round.validity.reasons.join(" ")));
            }
            if round.validity.valid {
                faults.extend(bottleneck(round));
            }
            if !round.validity.valid && round.validity.reasons.is_empty() {
                faults.push("it does not count, and does not say why".to_owned());
            }
            let is_counted = cell.summary.as_ref().is_some_and(|summary| summary.rounds.contains(&round.round));
            if is_counted && !round.validity.valid {
                faults.push("it does not count, but it is in the summary".to_owned());
            }
        });
    let invalid = all_rounds(report).filter(|(_, round)| !round.validity.valid).count();
    check.note(invalid > 0, &format!("{invalid} rounds do not count"));
    check
}

/// Why the generator was what was slow, if it was: by the same rules by which the round was judged.
fn bottleneck(round: &Round) -> Option<String> {
    let busy = round.generator.cpu.filter(|&cpu| cpu > BUSIEST);
    if let Some(cpu) = busy {
        return Some(format!("it counts, but the generator used {:.0} % of its core", cpu * 100.0));
    }
    let [lag, latency] = [&round.generator.lag, &round.latency]
        .map(|distribution| distribution.decode().map(|histogram| exact(histogram.value_at_quantile(0.99))));
    let (lag, latency) = (lag.ok()?, latency.ok()?);
    let most = (LATEST.as_secs_f64() * 1e9).max(latency * LATEST_SHARE);
    // The rule is applied to whole nanoseconds.
    (lag > most + 1.0)
        .then(|| format!("it counts, but one message in a hundred was published {:.1} ms late", lag / 1e6))
}
