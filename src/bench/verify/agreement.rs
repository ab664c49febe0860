//! Whether what is computed is what the raw data say.

use serde_json::{Map, Value};

use crate::bench::{
    findings,
    report::{Cell, Distribution, Figures, Report, Round},
};

use super::Check;

/// Two computations of one quotient may differ in their last bits.
const PRECISION: f64 = 1e-9;

/// The distributions of a round, with their names.
pub fn distributions(round: &Round) -> Vec<(&'static str, &Distribution)> {
    let recovery = round.recovery.as_ref().map(|recovery| ("recovery.time", &recovery.time));
    let mut all = vec![
        ("latency", &round.latency),
        ("first_message", &round.first_message),
        ("skew", &round.skew),
        ("generator.lag", &round.generator.lag),
        ("generator.sweep", &round.generator.sweep),
    ];
    all.extend(recovery);
    all
}

pub fn histograms(report: &Report) -> Check {
    Check::of_rounds("all histograms can be read", report, |_, round, faults| {
        for (name, distribution) in distributions(round) {
            if let Err(fault) = distribution.decode() {
                faults.push(format!("{name}: {fault}"));
            }
        }
    })
}

pub fn percentiles(report: &Report) -> Check {
    let statement = "percentiles are those of the histograms, and go as far as N carries them";
    Check::of_rounds(statement, report, |_, round, faults| {
        for (name, distribution) in distributions(round) {
            if let Ok(histogram) = distribution.decode() {
                differences(name, &distribution.figures, &Figures::of(&histogram), faults);
            }
        }
    })
}

pub fn summaries(report: &Report) -> Check {
    let mut check = Check::that("summaries are those of the valid rounds, merged");
    for cell in &report.cells {
        let mut faults = Vec::new();
        let mut anew = cell.clone();
        anew.summarize();
        differences("summary", &cell.summary, &anew.summary, &mut faults);
        differences("doubtful", &cell.doubtful, &anew.doubtful, &mut faults);
        check.faults.extend(faults.into_iter().map(|fault| format!("{}: {fault}", cell.id)));
    }
    check
}

pub fn ceilings(report: &Report) -> Check {
    let mut check = Check::that("highest rates are those that kept their bound");
    for ceiling in &report.ceilings {
        let who = format!("{} with {} subscribers", ceiling.transport, ceiling.subscribers);
        for step in &ceiling.steps {
            let kept = step.validity.valid && step.lost == 0 && step.n > 0 && step.quantile_ns <= ceiling.bound_ns;
            check.unless(step.held == kept, || {
                format!("{who}, {}/s: held is {}, but its figures say {kept}", step.rate, step.held)
            });
        }
        let held = ceiling.steps.iter().filter(|step| step.held).map(|step| step.rate);
        let highest = held.fold(None, |highest: Option<f64>, rate| Some(highest.map_or(rate, |it| it.max(rate))));
        check.unless(ceiling.rate == highest, || {
            format!("{who}: the rate is {:?}, but the highest that held is {highest:?}", ceiling.rate)
        });
    }
    check
}

pub fn sentences(report: &Report) -> Check {
    let mut check = Check::that("findings, and what they do not show, follow from the figures");
    if report.made.fallcast != env!("CARGO_PKG_VERSION") {
        // Another version may say the same in other words.
        check.note(true, &format!("not compared, since version {} has written them", report.made.fallcast));
        return check;
    }
    let findings = findings::of(report);
    for finding in &report.findings {
        check.unless(findings.contains(finding), || format!("this does not follow: {}", finding.text));
    }
    for finding in findings.iter().filter(|finding| !report.findings.contains(finding)) {
        check.faults.push(format!("this is missing: {}", finding.text));
    }
    for limit in findings::not_shown(report) {
        check.unless(report.does_not_show.contains(&limit), || format!("this is missing: {limit}"));
    }
    check
}

/// Notes every field in which `written` is not what was `computed`.
fn differences(
    name: &str,
    written: &impl serde::Serialize,
    computed: &impl serde::Serialize,
    faults: &mut Vec<String>,
) {
    let [written, computed] =
        [serde_json::to_value(written), serde_json::to_value(computed)].map(Result::unwrap_or_default);
    compare(name, &written, &computed, faults);
}

fn compare(name: &str, written: &Value, computed: &Value, faults: &mut Vec<String>) {
    match (written, computed) {
        (Value::Object(written), Value::Object(computed)) => compare_fields(name, written, computed, faults),
        (Value::Number(one), Value::Number(other)) if is_close(one.as_f64(), other.as_f64()) => {}
        (written, computed) if written == computed => {}
        (Value::Null, computed) => faults.push(format!("{name} is missing: it is {computed}")),
        (written, Value::Null) => faults.push(format!("{name} is {written}, but nothing carries it")),
        (written, computed) => faults.push(format!("{name} is {written}, but the raw data say {computed}")),
    }
}

fn compare_fields(name: &str, written: &Map<String, Value>, computed: &Map<String, Value>, faults: &mut Vec<String>) {
    let additional = written.keys().filter(|field| !computed.contains_key(*field));
    for field in computed.keys().chain(additional) {
        let of = |fields: &Map<String, Value>| fields.get(field).cloned().unwrap_or_default();
        compare(&format!("{name}.{field}"), &of(written), &of(computed), faults);
    }
}

fn is_close(one: Option<f64>, other: Option<f64>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if (one - other).abs() <= PRECISION * one.abs().max(other.abs()))
}

/// The rounds of a report with their cells.
pub fn rounds(report: &Report) -> impl Iterator<Item = (&Cell, &Round)> {
    report.cells.iter().flat_map(|cell| cell.rounds.iter().map(move |round| (cell, round)))
}
