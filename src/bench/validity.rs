//! When a round does not count: the generator was what was slow, or what was asked for did not happen.

use std::time::Duration;

use super::{
    load::{Tally, nanoseconds},
    report::Validity,
};

/// A generator that uses more of its core than this has no time left to be punctual.
pub const BUSIEST: f64 = 0.9;

/// How late the slowest hundredth of the messages may be published, at least.
pub const LATEST: Duration = Duration::from_millis(1);

/// How late they may be as a share of the slowest hundredth of the latencies, if that is more: a delay that is not seen in
/// what is measured does no harm.
pub const LATEST_SHARE: f64 = 0.05;

/// Says whether what was counted counts.
#[must_use]
pub fn judge(tally: &Tally) -> Validity {
    judge_against(tally, Duration::ZERO)
}

/// Says whether what was counted counts where only a bound matters: lateness that is little against it does no harm.
#[must_use]
pub fn judge_against(tally: &Tally, bound: Duration) -> Validity {
    let (mut reasons, mut advice) = (Vec::new(), Vec::new());
    let mut because = |reason: String, remedy: &str| {
        reasons.push(reason);
        if !advice.contains(&remedy.to_owned()) {
            advice.push(remedy.to_owned());
        }
    };
    if let Some(share) = cpu_share(tally)
        && share > BUSIEST
    {
        because(
            format!("The generator used {:.0} % of its core, so it was the bottleneck.", share * 100.0),
            "Take fewer subscribers or a lower rate.",
        );
    }
    let (lag_ns, most_ns) = (tally.lag.value_at_quantile(0.99), latest_ns(tally, bound));
    if lag_ns > most_ns {
        because(
            format!(
                "One in a hundred messages was published {:.1} ms late or later; {:.1} ms are allowed here.{}",
                milliseconds(lag_ns),
                milliseconds(most_ns),
                waits(tally)
            ),
            "Close other programs, or take fewer subscribers or a lower rate.",
        );
    }
    if tally.refused > 0 {
        because(
            format!("{} of {} publications were not accepted: {}.", tally.refused, tally.messages, words(tally)),
            "Look at the server's limits and its log.",
        );
    }
    if tally.deliveries == 0 {
        because(
            "Nothing arrived.".to_owned(),
            "Check that subscribers and publisher use the same channel, and that the server keeps the message whole.",
        );
    }
    Validity { valid: reasons.is_empty(), reasons, advice }
}

/// What of the lateness was not the generator's own.
fn waits(tally: &Tally) -> String {
    match tally.pool_waits {
        0 => String::new(),
        waits => format!(" {waits} of {} waited for a connection to publish on.", tally.messages),
    }
}

/// The share of a core that the generator's thread used.
#[must_use]
pub fn cpu_share(tally: &Tally) -> Option<f64> {
    let took = tally.took.as_secs_f64();
    tally.cpu.filter(|_| took > 0.0).map(|cpu| cpu.as_secs_f64() / took)
}

fn latest_ns(tally: &Tally, bound: Duration) -> u64 {
    let slow = Duration::from_nanos(tally.latency.value_at_quantile(0.99)).max(bound);
    nanoseconds(LATEST.max(slow.mul_f64(LATEST_SHARE)))
}

fn milliseconds(ns: u64) -> f64 {
    Duration::from_nanos(ns).as_secs_f64() * 1e3
}

fn words(tally: &Tally) -> String {
    if tally.faults.is_empty() { "the server did not say why".to_owned() } else { tally.faults.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A phase of a second in which 100 messages were published 0.1 ms late and delivered after 2 ms.
    fn good() -> Tally {
        let mut tally = Tally::new(Duration::from_secs(1));
        tally.took = Duration::from_secs(1);
        tally.cpu = Some(Duration::from_millis(300));
        (tally.messages, tally.deliveries) = (100, 100);
        for _ in 0..100 {
            tally.lag.saturating_record(100_000);
            tally.latency.saturating_record(2_000_000);
        }
        tally
    }

    #[test]
    fn a_punctual_round_counts() {
        assert_eq!(judge(&good()), Validity { valid: true, reasons: Vec::new(), advice: Vec::new() });
    }

    #[track_caller]
    fn check_invalid(change: impl FnOnce(&mut Tally), reason: &str) {
        let mut tally = good();
        change(&mut tally);
        let Validity { valid, reasons, advice } = judge(&tally);
        assert!(!valid && reasons.len() == 1 && !advice.is_empty(), "{reasons:?}");
        assert!(reasons[0].contains(reason), "{reasons:?}");
    }

    #[test]
    fn a_generator_that_was_the_bottleneck_does_not_count() {
        check_invalid(|tally| tally.cpu = Some(Duration::from_millis(910)), "91 % of its core");
        check_invalid(|tally| (0..5).for_each(|_| tally.lag.saturating_record(1_500_000)), "1.5 ms late");
    }

    #[test]
    fn what_the_server_refused_was_not_measured() {
        let refuse = |tally: &mut Tally| {
            tally.refused = 3;
            tally.fault(|| "a publication was refused: the server answered 429".to_owned());
        };
        check_invalid(refuse, "3 of 100 publications were not accepted: a publication was refused");
        check_invalid(|tally| tally.deliveries = 0, "Nothing arrived");
    }

    #[test]
    fn lateness_that_latency_hides_does_no_harm() {
        let mut tally = good();
        (0..5).for_each(|_| tally.lag.saturating_record(1_500_000));
        (0..5).for_each(|_| tally.latency.saturating_record(40_000_000));
        assert!(judge(&tally).valid, "5 % of 40 ms are 2 ms");
    }
}
