//! How subscribers come back whose connection has broken: when each tries again, and how many try at a time.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::bench::histogram;

use super::clock::nanoseconds;

/// When a subscriber connects again whose connection has broken or was refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Comeback {
    /// At a random moment soon, so that a measurement of something else goes on.
    Soon,
    /// Each time after so long.
    After(Duration),
    /// After so long, then after twice as long, and so on up to a longest pause.
    Doubling {
        /// The first pause.
        first: Duration,
        /// No pause is longer.
        longest: Duration,
        /// Whether a pause is drawn between nothing and that time ("full jitter"), instead of being that time.
        is_drawn: bool,
    },
    /// After as long as the server has said in the field `retry` of its event stream (WHATWG HTML §9.2.3), each time.
    AsTold {
        /// If it has said nothing.
        otherwise: Duration,
    },
}

/// How long somebody waits who comes back soon: a crowd should not come back as one.
const SOON_NS: std::ops::Range<u64> = 20_000_000..100_000_000;

impl Comeback {
    /// How long to wait after `failures` failures in a row, in nanoseconds. `told` is what the server has said.
    pub(super) fn pause_ns(self, failures: u32, told: Option<Duration>, luck: &mut fastrand::Rng) -> u64 {
        match self {
            Self::Soon => luck.u64(SOON_NS),
            Self::After(pause) => nanoseconds(pause),
            Self::AsTold { otherwise } => nanoseconds(told.unwrap_or(otherwise)),
            Self::Doubling { first, longest, is_drawn } => {
                let doubled = nanoseconds(first).saturating_mul(1 << failures.saturating_sub(1).min(40));
                let pause = doubled.min(nanoseconds(longest));
                if is_drawn { luck.u64(0..=pause) } else { pause }
            }
        }
    }
}

/// How subscribers were away and came back during a phase.
#[derive(Clone, Debug)]
pub struct Absences {
    /// How many are away now.
    pub away: u64,
    /// From the loss of a subscription to the next: one value for each that was lost and taken up again.
    pub length: Histogram<u64>,
    /// How many connections were tried in each step of the phase.
    pub attempts: Vec<u64>,
    /// How many subscriptions were taken up again in each step.
    pub returns: Vec<u64>,
}

impl Absences {
    /// The length of a step.
    pub const STEP: Duration = Duration::from_millis(100);

    /// Nobody is away, in a phase of this length.
    pub(super) fn over(duration: Duration) -> Self {
        let steps = nanoseconds(duration).div_ceil(nanoseconds(Self::STEP)).max(1);
        let steps = usize::try_from(steps).unwrap_or(1);
        Self { away: 0, length: histogram::new(), attempts: vec![0; steps], returns: vec![0; steps] }
    }

    /// Somebody tries to connect, so long after the beginning of the phase.
    pub(super) fn attempt(&mut self, since_start_ns: u64) {
        count(&mut self.attempts, since_start_ns);
    }

    /// Somebody is away from now on.
    pub(super) fn leave(&mut self) {
        self.away += 1;
    }

    /// Somebody is back who was away for so long.
    pub(super) fn come_back(&mut self, since_start_ns: u64, away_ns: u64) {
        // Who has left in an earlier phase was not counted in this one.
        self.away = self.away.saturating_sub(1);
        self.length.saturating_record(away_ns);
        count(&mut self.returns, since_start_ns);
    }
}

/// Counts in the step of a time; what is later than the last step counts there.
fn count(steps: &mut [u64], since_start_ns: u64) {
    let position = usize::try_from(since_start_ns / nanoseconds(Absences::STEP)).unwrap_or(usize::MAX);
    let position = position.min(steps.len().saturating_sub(1));
    if let Some(step) = steps.get_mut(position) {
        *step += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pauses_ms(comeback: Comeback, told: Option<Duration>) -> Vec<u64> {
        let mut luck = fastrand::Rng::with_seed(1);
        (1..=5).map(|failures| comeback.pause_ns(failures, told, &mut luck) / 1_000_000).collect()
    }

    #[test]
    fn pauses_are_as_long_as_their_rule_says() {
        let doubling = Comeback::Doubling { first: SECOND, longest: 8 * SECOND, is_drawn: false };
        assert_eq!(pauses_ms(Comeback::After(SECOND), None), [1000; 5]);
        assert_eq!(pauses_ms(doubling, None), [1000, 2000, 4000, 8000, 8000]);
        let told = Comeback::AsTold { otherwise: 3 * SECOND };
        assert_eq!(pauses_ms(told, Some(Duration::from_millis(1750))), [1750; 5]);
        assert_eq!(pauses_ms(told, None), [3000; 5]);
        assert!(pauses_ms(Comeback::Soon, None).iter().all(|pause| (20..100).contains(pause)));
    }

    #[test]
    fn with_jitter_a_pause_is_anything_up_to_the_one_without() {
        let drawn = Comeback::Doubling { first: SECOND, longest: 8 * SECOND, is_drawn: true };
        let mut luck = fastrand::Rng::with_seed(1);
        let mut pauses: Vec<u64> = (0..1000).map(|_| drawn.pause_ns(2, None, &mut luck)).collect();
        pauses.sort_unstable();
        assert!(pauses[999] <= 2_000_000_000);
        assert!(pauses[100] < 400_000_000 && pauses[900] > 1_600_000_000, "all over the range");
    }

    #[test]
    fn a_long_row_of_failures_overflows_nothing() {
        let doubling = Comeback::Doubling { first: SECOND, longest: 8 * SECOND, is_drawn: false };
        assert_eq!(doubling.pause_ns(u32::MAX, None, &mut fastrand::Rng::with_seed(1)), 8_000_000_000);
    }

    #[test]
    fn attempts_count_in_the_step_in_which_they_are_made() {
        let mut absences = Absences::over(Duration::from_millis(250));
        for at_ms in [0, 99, 100, 249, 7_000] {
            absences.attempt(at_ms * 1_000_000);
        }
        absences.leave();
        absences.come_back(150_000_000, 1_000);
        assert_eq!((absences.attempts, absences.returns), (vec![2, 1, 2], vec![0, 1, 0]));
        assert_eq!((absences.away, absences.length.len()), (0, 1));
    }
}
