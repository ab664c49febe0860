//! Whether the counters agree with each other and with the histograms.

use crate::bench::{
    metric::{exact, total},
    report::{Loop, Report, Round},
};

use super::Check;

/// A histogram keeps three significant figures, and the timeline has histograms of its own: so much may lie between the
/// two.
const PRECISION: f64 = 0.002;

/// So far may the number of messages be from what rate and duration ask for: the first and the last may lie on the edge.
const EDGE: f64 = 2.0;

pub fn deliveries(report: &Report) -> Check {
    Check::of_rounds("N is messages × subscribers, without what was lost", report, |cell, round, faults| {
        let expected = round.messages.checked_mul(cell.subscribers.into());
        if expected != Some(round.expected) {
            let (messages, subscribers) = (round.messages, cell.subscribers);
            faults.push(format!("expected is {}, but {messages} × {subscribers} were due", round.expected));
        }
        if round.n.checked_add(round.lost) != Some(round.expected) {
            faults.push(format!("n {} and lost {} are not expected {}", round.n, round.lost, round.expected));
        }
        if round.damaged > round.lost {
            faults.push(format!("damaged {} count as lost, but lost is {}", round.damaged, round.lost));
        }
        if round.reordered > round.n {
            faults.push(format!("reordered {} is more than n {}", round.reordered, round.n));
        }
    })
}

pub fn distributions(report: &Report) -> Check {
    Check::of_rounds("every histogram holds as many values as were counted", report, |cell, round, faults| {
        let mut equal = |name: &str, n: u64, expected: u64, what: &str| {
            if n != expected {
                faults.push(format!("{name} holds {n} values, but there were {expected} {what}"));
            }
        };
        equal("latency", round.latency.figures.n, round.n, "deliveries");
        equal("generator.lag", round.generator.lag.figures.n, round.messages, "messages");
        let mut at_most = |name: &str, n: u64, most: u64, what: &str| {
            if n > most {
                faults.push(format!("{name} holds {n} values, but there were {most} {what}"));
            }
        };
        at_most("skew", round.skew.figures.n, round.messages, "messages");
        at_most("first_message", round.first_message.figures.n, cell.subscribers.into(), "subscribers");
        if let Some(recovery) = &round.recovery {
            at_most("recovery.time", recovery.time.figures.n, recovery.cut.into(), "cut connections");
            at_most("recovery.cut", recovery.cut.into(), cell.subscribers.into(), "subscribers");
        }
    })
}

pub fn timelines(report: &Report) -> Check {
    Check::of_rounds("timelines hold the same deliveries", report, |_, round, faults| {
        let timeline = &round.timeline;
        let steps = timeline.n.len();
        if [timeline.p50_ns.len(), timeline.p99_ns.len(), timeline.max_ns.len()] != [steps; 3] {
            return faults.push("its columns are not equally long".to_owned());
        }
        let sum = total(timeline.n.iter().copied());
        if sum != round.n {
            faults.push(format!("it holds {sum} deliveries, but n is {}", round.n));
        }
        let slowest = timeline.max_ns.iter().flatten().max().copied();
        if !is_near(slowest, round.latency.figures.max_ns) {
            faults
                .push(format!("its slowest is {slowest:?}, but that of latency is {:?}", round.latency.figures.max_ns));
        }
        for step in 0..steps {
            step_fault(round, step).map(|fault| faults.push(format!("step {step}: {fault}"))).unwrap_or_default();
        }
    })
}

fn step_fault(round: &Round, step: usize) -> Option<&'static str> {
    let timeline = &round.timeline;
    let (n, p50, p99, max) = (timeline.n[step], timeline.p50_ns[step], timeline.p99_ns[step], timeline.max_ns[step]);
    match () {
        () if p50.is_some() != (n > 0) || max.is_some() != (n > 0) => {
            Some("median and maximum are there if n is not 0")
        }
        () if p99.is_some() && n < 1_000 => Some("fewer than 1,000 deliveries carry no 99th percentile"),
        () if p50 > max || p99.is_some_and(|p99| Some(p99) > max || Some(p99) < p50) => {
            Some("median, 99th percentile and maximum do not follow each other")
        }
        () => None,
    }
}

pub fn bytes(report: &Report) -> Check {
    Check::of_rounds("bytes suffice for what was delivered", report, |cell, round, faults| {
        let least = total([round.n, round.repeated]).saturating_mul(cell.size_bytes.into());
        if round.bytes.down.payload_bytes < least {
            faults.push(format!(
                "payload_bytes is {}, but {} deliveries of {} bytes are {least}",
                round.bytes.down.payload_bytes,
                total([round.n, round.repeated]),
                cell.size_bytes
            ));
        }
        if round.packets.is_some_and(|packets| packets.down == 0) && round.n > 0 {
            faults.push("no packet came, but messages did".to_owned());
        }
    })
}

pub fn schedule(report: &Report) -> Check {
    let statement = "as many messages were published as rate and duration ask for";
    if report.settings.loop_ == Loop::Closed {
        let mut check = Check::that(statement);
        check.note(true, "a closed loop has no schedule");
        return check;
    }
    Check::of_rounds(statement, report, |cell, round, faults| {
        let planned = cell.rate * report.settings.duration_s;
        if (exact(round.messages) - planned).abs() > EDGE {
            faults.push(format!("messages is {}, but {planned} were due", round.messages));
        }
    })
}

fn is_near(one: Option<u64>, other: Option<u64>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => exact(one.abs_diff(other)) <= PRECISION * exact(one.max(other)),
        (one, other) => one == other,
    }
}
