//! The highest rate at which a bound holds: doubled until it does not, then halved into the interval.

use std::{str::FromStr, time::Duration};

use super::{
    load::{Tally, nanoseconds},
    metric::exact,
    report::Step,
    validity,
    words::{self, TIME},
};

/// A bound for a percentile of latency: `p99<50ms`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The percentile, from 0 to 1.
    pub quantile: f64,
    /// What it has to stay below or at.
    pub bound_ns: u64,
}

/// How exactly the highest rate is found: the lowest that fails is at most so many times the highest that holds.
const EXACT: f64 = 1.1;

/// More steps than these are not taken. Twenty doublings are a million times the first rate.
const MOST_STEPS: usize = 30;

/// How many steps a search takes, about.
pub const STEPS_ABOUT: u32 = 9;

/// Rates are not searched below this.
const SLOWEST: f64 = 1.0;

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("{text:?} is no bound; write p50<2ms, p90<10ms, p99<50ms or p99.9<1s");
        let (name, time) = text.split_once('<').ok_or_else(fault)?;
        let quantile = match name.trim() {
            "p50" => 0.5,
            "p90" => 0.9,
            "p99" => 0.99,
            "p99.9" => 0.999,
            _ => return Err(fault()),
        };
        let bound = humantime::parse_duration(time.trim()).ok().filter(|bound| !bound.is_zero()).ok_or_else(fault)?;
        Ok(Self { quantile, bound_ns: nanoseconds(bound) })
    }
}

/// A search on its way.
#[derive(Debug)]
pub struct Search {
    bound: Bound,
    next: Option<f64>,
    /// The highest rate that has held, and the lowest that has not.
    held: Option<f64>,
    failed: Option<f64>,
    steps: Vec<Step>,
}

impl Search {
    /// A search that begins with this rate.
    #[must_use]
    pub fn new(bound: Bound, first: f64) -> Self {
        Self { bound, next: Some(first), held: None, failed: None, steps: Vec::new() }
    }

    /// The rate to try next; `None` when the search is over.
    #[must_use]
    pub fn next_rate(&self) -> Option<f64> {
        self.next
    }

    /// Takes in what a try has brought, and says it in words.
    pub fn take(&mut self, tally: &Tally) -> String {
        let Some(rate) = self.next else { return String::new() };
        let validity = validity::judge_against(tally, Duration::from_nanos(self.bound.bound_ns));
        let quantile_ns = tally.latency.value_at_quantile(self.bound.quantile);
        let held = validity.valid && tally.lost == 0 && tally.deliveries > 0 && quantile_ns <= self.bound.bound_ns;
        let why = match &validity.reasons[..] {
            [] if tally.lost > 0 => format!("{} lost", tally.lost),
            [] => String::new(),
            reasons => reasons.join(" "),
        };
        self.steps.push(Step { rate, n: tally.deliveries, lost: tally.lost, quantile_ns, held, validity });
        self.go_on(rate, held);
        let found = words::figure(exact(quantile_ns), TIME);
        let words = format!("{rate}/s: {found}, {}", if held { "holds" } else { "does not hold" });
        if why.is_empty() { words } else { format!("{words} ({why})") }
    }

    fn go_on(&mut self, rate: f64, held: bool) {
        if held {
            self.held = Some(rate);
        } else {
            self.failed = Some(rate);
        }
        let next = match (self.held, self.failed) {
            (Some(held), None) => Some(held * 2.0),
            (None, Some(failed)) => Some(failed / 2.0),
            // In the middle by ratio, as rates are told.
            (Some(held), Some(failed)) => Some((held * failed).sqrt()).filter(|_| failed / held > EXACT),
            (None, None) => None,
        };
        self.next = next.map(rounded).filter(|&next| {
            next >= SLOWEST
                && self.steps.len() < MOST_STEPS
                && self.steps.iter().all(|step| (step.rate - next).abs() > f64::EPSILON)
        });
    }

    /// The highest rate that has held.
    #[must_use]
    pub fn highest(&self) -> Option<f64> {
        self.held
    }

    /// What was tried, in order.
    #[must_use]
    pub fn into_steps(self) -> Vec<Step> {
        self.steps
    }
}

/// Rates with three significant figures can be read, and typed again.
fn rounded(rate: f64) -> f64 {
    let magnitude = 10_f64.powf((2.0 - rate.log10().floor()).abs());
    if rate < 1000.0 { (rate * magnitude).round() / magnitude } else { (rate / magnitude).round() * magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Bound = Bound { quantile: 0.99, bound_ns: 50_000_000 };

    /// What a server brings that keeps the bound up to `limit` messages a second.
    fn tally(rate: f64, limit: f64) -> Tally {
        let mut tally = Tally::new(Duration::from_secs(1));
        tally.took = Duration::from_secs(1);
        (tally.messages, tally.deliveries) = (1000, 1000);
        let latency_ms = if rate <= limit { 5 } else { 500 };
        (0..1000).for_each(|_| tally.latency.saturating_record(latency_ms * 1_000_000));
        tally
    }

    fn search(first: f64, limit: f64) -> Search {
        let mut search = Search::new(BOUND, first);
        while let Some(rate) = search.next_rate() {
            search.take(&tally(rate, limit));
        }
        search
    }

    #[test]
    fn the_highest_rate_is_found_within_a_tenth_from_wherever_the_search_begins() {
        for limit in [3.0, 37.0, 50.0, 777.0, 123_456.0] {
            for first in [1.0, 50.0, 20_000.0] {
                let highest = search(first, limit).highest().expect("a rate that holds");
                assert!(highest <= limit && highest * 1.2 >= limit, "{highest} for {limit}, from {first}");
            }
        }
    }

    #[test]
    fn a_server_that_never_keeps_the_bound_has_no_highest_rate() {
        let search = search(50.0, 0.0);
        assert_eq!(search.highest(), None);
        assert!(search.into_steps().iter().all(|step| !step.held));
    }

    #[test]
    fn what_loses_messages_does_not_hold() {
        let mut search = Search::new(BOUND, 50.0);
        let mut lossy = tally(50.0, 100.0);
        lossy.lost = 1;
        assert_eq!(search.take(&lossy), "50/s: 5.00 ms, does not hold (1 lost)");
        assert_eq!(search.next_rate(), Some(25.0));
    }

    #[test]
    fn rates_have_three_figures_and_no_more() {
        for (rate, text) in [(6.812_345, "6.81"), (1.5, "1.5"), (0.123_456, "0.123"), (999.4, "999"), (1_234.5, "1230")]
        {
            assert_eq!(rounded(rate).to_string(), text);
        }
        assert_eq!(rounded(123_456.0).to_string(), "123000");
    }

    #[test]
    fn lateness_that_the_bound_forgives_does_no_harm() {
        let mut late = tally(50.0, 100.0);
        late.lag.saturating_record(2_000_000);
        assert_eq!(Search::new(BOUND, 50.0).take(&late), "50/s: 5.00 ms, holds", "2 ms are less than 5 % of 50 ms");
        late.lag.saturating_record(4_000_000);
        assert!(Search::new(BOUND, 50.0).take(&late).contains("does not hold (One in a hundred"));
    }

    #[test]
    fn a_bound_is_a_percentile_and_a_time() {
        assert_eq!("p99<50ms".parse(), Ok(BOUND));
        assert_eq!("p99.9 < 1s".parse(), Ok(Bound { quantile: 0.999, bound_ns: 1_000_000_000 }));
        for bad in ["", "p99", "p98<1s", "p99<", "p99<0s", "50ms"] {
            assert!(bad.parse::<Bound>().expect_err("no bound").contains("p99<50ms"), "{bad}");
        }
    }
}
