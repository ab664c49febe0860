//! What a phase has brought: deliveries with their times, and everything that passed the sockets.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::bench::histogram;

use super::{clock::nanoseconds, comeback::Absences};

/// How many different faults are remembered by their words.
const FAULTS_KEPT: usize = 5;

/// What a phase has brought.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Messages that were published.
    pub messages: u64,
    /// Publications that the server did not accept.
    pub refused: u64,
    /// Deliveries that this should make: messages × subscribers.
    pub expected: u64,
    /// Messages that arrived at a subscriber for the first time.
    pub deliveries: u64,
    /// Deliveries that did not take place until the phase was over.
    pub lost: u64,
    /// Messages that arrived at a subscriber that had them.
    pub repeated: u64,
    /// Messages that arrived behind one that was published when the server had them already.
    pub reordered: u64,
    /// What began like a message and was none.
    pub damaged: u64,
    /// How often a subscriber connected again after its connection had broken.
    pub reconnects: u64,
    /// From the planned time of a message, or in a window from its publication, to its arrival: one value a delivery.
    pub latency: Histogram<u64>,
    /// From the first subscriber to the last: one value for each message that everybody has got.
    pub skew: Histogram<u64>,
    /// From the planned time of a message to its publication.
    pub lag: Histogram<u64>,
    /// From a cut to the first new message: one value for each subscriber that was cut off and came back.
    pub recovery: Histogram<u64>,
    /// Deliveries that were lost or repeated at subscribers that were cut off.
    pub cut: CutTally,
    /// How subscribers lost their connections and came back.
    pub absences: Absences,
    /// How long it took to read from all sockets that were ready at a time.
    pub sweep: Histogram<u64>,
    /// Latency over time.
    pub timeline: Timeline,
    /// What passed the subscribers' sockets.
    pub subscribers: Traffic,
    /// What passed the publishers' sockets.
    pub publishers: Traffic,
    /// How long the phase took, until the last delivery was in.
    pub took: Duration,
    /// How long messages were published.
    pub published_for: Duration,
    /// Processor time of the generator's thread, where the system tells.
    pub cpu: Option<Duration>,
    /// Publications that had to wait because all connections to publish on were in use, or being opened.
    pub pool_waits: u64,
    /// What went wrong with connections, in the words of the first few.
    pub faults: Vec<String>,
    /// Whether somebody ended the phase before its time.
    pub interrupted: bool,
}

/// What was lost and repeated at subscribers that were cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CutTally {
    /// Connections that were cut.
    pub connections: u32,
    /// Deliveries that did not take place.
    pub lost: u64,
    /// Deliveries of what was there already.
    pub repeated: u64,
}

/// What passed some sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that came.
    pub down_bytes: u64,
    /// Bytes of them in heads of answers.
    pub head_bytes: u64,
    /// Bytes that went in requests.
    pub request_bytes: u64,
    /// Bytes that went in frames.
    pub frame_bytes: u64,
    /// Reads that brought something.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
    /// Requests.
    pub requests: u64,
    /// Connections that were opened.
    pub connections: u64,
}

impl Tally {
    /// Empty books for a phase of this length.
    #[must_use]
    pub fn new(duration: Duration) -> Self {
        Self {
            messages: 0,
            refused: 0,
            expected: 0,
            deliveries: 0,
            lost: 0,
            repeated: 0,
            reordered: 0,
            damaged: 0,
            reconnects: 0,
            latency: histogram::new(),
            skew: histogram::new(),
            lag: histogram::new(),
            recovery: histogram::new(),
            cut: CutTally::default(),
            absences: Absences::over(duration),
            sweep: histogram::new(),
            timeline: Timeline::over(duration),
            subscribers: Traffic::default(),
            publishers: Traffic::default(),
            took: Duration::ZERO,
            published_for: Duration::ZERO,
            cpu: None,
            pool_waits: 0,
            faults: Vec::new(),
            interrupted: false,
        }
    }

    /// Remembers what went wrong.
    pub fn fault(&mut self, words: impl FnOnce() -> String) {
        if self.faults.len() < FAULTS_KEPT {
            let words = words();
            if !self.faults.contains(&words) {
                self.faults.push(words);
            }
        }
    }
}

/// Latency over time, by the planned times of the messages.
#[derive(Clone, Debug)]
pub struct Timeline {
    step_ns: u64,
    steps: Vec<Histogram<u32>>,
}

/// A timeline has about so many steps.
const STEPS: u32 = 40;

const SHORTEST_STEP: Duration = Duration::from_millis(100);

impl Timeline {
    fn over(duration: Duration) -> Self {
        let step = Duration::from_millis(u64::try_from((duration / STEPS).as_millis()).unwrap_or(u64::MAX));
        let step_ns = nanoseconds(step.max(SHORTEST_STEP));
        let count = nanoseconds(duration).div_ceil(step_ns).max(1);
        let empty = Histogram::new_with_bounds(1, histogram::LONGEST_NS, histogram::SIGNIFICANT_FIGURES);
        let steps = empty.map(|empty| vec![empty; usize::try_from(count).unwrap_or(1)]).unwrap_or_default();
        Self { step_ns, steps }
    }

    /// The length of a step.
    #[must_use]
    pub const fn step(&self) -> Duration {
        Duration::from_nanos(self.step_ns)
    }

    /// The latencies of the messages that were due in each step, in nanoseconds.
    #[must_use]
    pub fn steps(&self) -> &[Histogram<u32>] {
        &self.steps
    }

    /// Books a delivery. What is due after the last step counts to the last.
    pub(super) fn record(&mut self, due_since_start_ns: u64, latency_ns: u64) {
        let position = usize::try_from(due_since_start_ns / self.step_ns).unwrap_or(usize::MAX);
        let position = position.min(self.steps.len().saturating_sub(1));
        if let Some(step) = self.steps.get_mut(position) {
            step.saturating_record(latency_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_count_to_the_step_in_which_their_message_was_due() {
        let mut timeline = Timeline::over(Duration::from_secs(8));
        assert_eq!((timeline.step(), timeline.steps().len()), (Duration::from_millis(200), 40));
        for (due_ms, latency_ms) in [(0, 1), (199, 2), (200, 3), (7_999, 4), (8_500, 5)] {
            timeline.record(due_ms * 1_000_000, latency_ms * 1_000_000);
        }
        let counts: Vec<u64> = timeline.steps().iter().map(Histogram::len).collect();
        assert_eq!((counts[0], counts[1], counts[39]), (2, 1, 2));
        assert_eq!(counts.iter().sum::<u64>(), 5);
    }

    #[test]
    fn a_short_phase_has_few_steps_and_at_least_one() {
        assert_eq!(Timeline::over(Duration::from_millis(250)).steps().len(), 3);
        assert_eq!(Timeline::over(Duration::ZERO).steps().len(), 1);
    }

    #[test]
    fn the_same_fault_is_told_once() {
        let mut tally = Tally::new(Duration::ZERO);
        (0..20).for_each(|number| tally.fault(|| format!("fault {}", number % 3)));
        assert_eq!(tally.faults, ["fault 0", "fault 1", "fault 2"]);
        (0..20).for_each(|number| tally.fault(|| format!("other {number}")));
        assert_eq!(tally.faults.len(), FAULTS_KEPT);
    }
}
