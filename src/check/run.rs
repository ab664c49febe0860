//! Which checks apply, in which order they run, and what is said of a server that is not there.

use std::{collections::BTreeMap, time::Instant};

use super::{
    case::Case,
    checks::{Check, Scope},
    reach,
    subject::Subject,
    transport::Transport,
    verdict::{CheckReport, Fault, Outcome, Report, Verdict},
};

/// Somebody who watches a run.
pub trait Observer {
    /// A check begins, on this transport if it runs on each of them.
    fn begun(&self, check: &'static Check, transport: Option<Transport>);
    /// A property was judged.
    fn judged(&self, outcome: &Outcome);
}

/// Nothing can be checked; the sentence names cause and remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

/// Runs these checks.
///
/// # Errors
/// The server cannot be reached, or has none of what the profile describes.
pub async fn run(subject: &Subject, checks: &[&'static Check], observer: &dyn Observer) -> Result<Report, Unreachable> {
    let mut reports = Vec::new();
    let there = survey(subject, &mut reports).await?;
    for check in checks {
        reports.push(run_check(subject, check, &there, observer).await);
    }
    let (profile, seed) = (subject.profile.name.clone(), subject.settings.seed);
    Ok(Report { url: subject.origin.to_string(), profile, seed, checks: reports })
}

/// The transports that cannot be subscribed to, and why.
type Missing = BTreeMap<Transport, String>;

/// Watches what nobody wants to see: a survey in which all is well.
struct Nobody;

impl Observer for Nobody {
    fn begun(&self, _: &'static Check, _: Option<Transport>) {}
    fn judged(&self, _: &Outcome) {}
}

/// Tries every address once. What is missing is told in a report of its own.
async fn survey(subject: &Subject, reports: &mut Vec<CheckReport>) -> Result<Missing, Unreachable> {
    let begun = Instant::now();
    let transports = subject.transports();
    if transports.is_empty() {
        let says = format!("none of the transports asked for is in the profile {}", subject.profile.name);
        return Err(Unreachable(format!("{says}; choose others with --transports, or another --profile")));
    }
    let first = Case::new(subject, &reach::CHECK, None, &Nobody);
    if let Err(Fault::Violated(violation)) = reach::connect(&first).await {
        return Err(Unreachable(format!("{}; start the server, or give its address with --url", violation.says)));
    }
    let mut missing = Missing::new();
    let mut outcomes = Vec::new();
    for transport in transports.iter().map(|transport| Some(*transport)).chain([None]) {
        let case = Case::new(subject, &reach::CHECK, transport, &Nobody);
        (reach::CHECK.run)(&case).await;
        for outcome in case.into_outcomes() {
            let Verdict::Failed { says, .. } = &outcome.verdict else { continue };
            match transport {
                Some(transport) => drop(missing.insert(transport, says.clone())),
                None => subject.give_up_publishing(),
            }
            outcomes.push(outcome);
        }
    }
    if missing.len() == transports.len() {
        let says = missing.into_values().next().unwrap_or_default();
        return Err(Unreachable(format!(
            "nothing that the profile {} describes is at {}: {says}; --profile websocket, sse and long-poll describe \
             simple servers",
            subject.profile.name, subject.origin
        )));
    }
    if !outcomes.is_empty() {
        reports.push(CheckReport { name: reach::CHECK.name, took: begun.elapsed(), outcomes });
    }
    Ok(missing)
}

async fn run_check(
    subject: &Subject,
    check: &'static Check,
    missing: &Missing,
    observer: &dyn Observer,
) -> CheckReport {
    let begun = Instant::now();
    let mut outcomes = Vec::new();
    for transport in places(subject, check) {
        observer.begun(check, transport);
        let case = Case::new(subject, check, transport, observer);
        let undescribed = transport.filter(|transport| !subject.transports().contains(transport));
        let reason = match undescribed {
            Some(transport) => Some(format!(
                "the profile {} does not describe {transport}, or it was not asked for",
                subject.profile.name
            )),
            None => transport
                .filter(|transport| missing.contains_key(transport))
                .map(|transport| format!("{transport} cannot be subscribed to (see reach.subscribe)")),
        };
        if let Some(reason) = reason {
            case.skip_the_rest(&reason);
        } else {
            (check.run)(&case).await;
            case.skip_the_rest("the check ended before it");
        }
        outcomes.extend(case.into_outcomes());
    }
    CheckReport { name: check.name, took: begun.elapsed(), outcomes }
}

/// The transports that a check runs on, or none for a check that runs once. Of transports that are not there, one is
/// named, so that a report says why the check did not run.
fn places(subject: &Subject, check: &Check) -> Vec<Option<Transport>> {
    let Scope::Each(possible) = check.scope else { return vec![None] };
    let there = subject.transports();
    let places: Vec<_> =
        possible.iter().filter(|transport| there.contains(transport)).map(|found| Some(*found)).collect();
    if places.is_empty() { possible.iter().take(1).map(|found| Some(*found)).collect() } else { places }
}
