//! When each message was due, and how long after that it arrived.
//!
//! Latency is counted from the planned moment, not from the one at which the load generator got round to sending: a
//! server that holds up its publisher would otherwise hold up the clock as well.

use std::time::{Duration, Instant};

use serde::Serialize;

/// Equidistant messages, and the latencies of their deliveries so far.
pub struct Schedule {
    start: Instant,
    interval: Duration,
    /// The number of the first message.
    first: usize,
    nanoseconds: Vec<u64>,
}

/// The distribution of the latencies, over all deliveries.
#[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
pub struct Latency {
    pub messages: u32,
    pub deliveries: usize,
    pub p50_us: f64,
    pub p99_us: f64,
    pub max_us: f64,
}

impl Schedule {
    /// Plans the messages from number `first` on.
    pub fn new(start: Instant, interval: Duration, first: usize, deliveries: usize) -> Self {
        Self { start, interval, first, nanoseconds: Vec::with_capacity(deliveries) }
    }

    /// When message number `sequence` is due.
    pub fn due(&self, sequence: usize) -> Instant {
        let intervals = u32::try_from(sequence.saturating_sub(self.first)).unwrap_or(u32::MAX);
        self.start + self.interval * intervals
    }

    /// Books an arrival.
    pub fn arrived(&mut self, sequence: usize, now: Instant) {
        let latency = now.saturating_duration_since(self.due(sequence));
        self.nanoseconds.push(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Sums up; `None` if nothing has arrived.
    pub fn latency(mut self, messages: u32) -> Option<Latency> {
        self.nanoseconds.sort_unstable();
        let microseconds = |nanoseconds: u64| Duration::from_nanos(nanoseconds).as_secs_f64() * 1e6;
        let deliveries = self.nanoseconds.len();
        // The smallest value that a share of all values doesn't exceed.
        let percentile = |percent: usize| {
            Some(microseconds(*self.nanoseconds.get((deliveries * percent).div_ceil(100).checked_sub(1)?)?))
        };
        Some(Latency {
            messages,
            deliveries,
            p50_us: percentile(50)?,
            p99_us: percentile(99)?,
            max_us: percentile(100)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_counted_from_the_planned_moment() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, Duration::from_millis(10), 5, 4);
        assert_eq!(schedule.due(7), start + Duration::from_millis(20));
        for (sequence, milliseconds) in [(5, 1), (6, 12), (6, 13), (7, 24)] {
            schedule.arrived(sequence, start + Duration::from_millis(milliseconds));
        }
        let latency = schedule.latency(3).expect("four deliveries");
        let expected = Latency { messages: 3, deliveries: 4, p50_us: 2000.0, p99_us: 4000.0, max_us: 4000.0 };
        assert_eq!(latency, expected);
        assert_eq!(Schedule::new(start, Duration::ZERO, 1, 0).latency(0), None);
    }
}
