//! How long a message takes on each transport.

use super::{
    Finding, Mark,
    culprits::LONG_MS,
    words::{list, time},
};
use crate::doctor::observations::{Latency, Observations};

/// How long it takes.
pub fn find(o: &Observations) -> Option<Finding> {
    if o.latency.is_empty() {
        return None;
    }
    let (arrive, lost): (Vec<&Latency>, Vec<_>) = o.latency.iter().partition(|latency| !latency.times_ms.is_empty());
    let times: Vec<String> =
        arrive.iter().map(|latency| format!("{} {}", time(median(&latency.times_ms)), over(latency))).collect();
    let mut sentences = Vec::new();
    if !times.is_empty() {
        sentences.push(format!("From its publication until it is back, a message takes {}.", list(&times)));
    }
    if !lost.is_empty() {
        let names: Vec<String> = lost.iter().map(|latency| over(latency)).collect();
        let patience = lost.iter().map(|latency| latency.patience_ms).fold(0.0, f64::max);
        sentences.push(format!("Within {} nothing came back {}.", time(patience), list(&names)));
    }
    let is_slow = o.clock.is_some_and(|clock| clock.round_trip_ms >= LONG_MS);
    let mark = match (lost.is_empty(), is_slow) {
        (false, _) => Mark::Fault,
        (true, true) => Mark::Notice,
        (true, false) => Mark::Well,
    };
    let finding = Finding::new("latency", "How long a message takes", mark, sentences.join(" "));
    Some(match mark {
        Mark::Fault => finding.means("What opens is not what delivers: only messages count."),
        Mark::Notice => finding
            .means("The way itself is long; each round trip counts. Long-polling needs one more for each answer.")
            .remedy("Use a transport that stays open, and publish over the WebSocket that is open already."),
        Mark::Well | Mark::Unknown => finding,
    })
}

fn over(latency: &Latency) -> String {
    format!("over {}", latency.transport.name())
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
