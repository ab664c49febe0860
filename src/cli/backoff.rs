//! How long to wait before the next attempt: exponential back-off with full jitter.
//!
//! Pure arithmetic: the caller brings the randomness and does the waiting.
//!
//! When a server restarts, all of its subscribers lose their connections in the same instant. If each came back after
//! the same delay, they would knock it down again together. So each waits for a random part of a window ("full
//! jitter"), and the window doubles with every failure in a row.

use std::time::Duration;

/// The window after the first failure.
const FIRST_WINDOW: Duration = Duration::from_secs(1);

/// The window never grows beyond this, so that nobody waits for minutes after the server is back.
const LAST_WINDOW: Duration = Duration::from_secs(30);

/// What the other side, or the kind of failure, says about the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Nothing: back off as usual.
    BackOff,
    /// Not before this time has passed (`Retry-After`, or `reconnect_ms` of a `goodbye`).
    NotBefore(Duration),
    /// Come back at once (WebSocket close codes 4200–4299).
    AtOnce,
}

/// Counts the failures in a row and says how long to wait after each.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    failures: u32,
    reconnection_time: Duration,
}

impl Backoff {
    /// Takes the `retry:` field of an SSE stream, which holds until the next one (HTML §9.2.6).
    pub fn set_reconnection_time(&mut self, time: Duration) {
        self.reconnection_time = time;
    }

    /// Forgets the failures: the other side has proven to be alive.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Counts one more failure and returns how long to wait now; `fraction` is a random number from 0 up to 1.
    ///
    /// A time that the server names is a lower bound, and the jitter comes on top: a `Retry-After` is the same for
    /// everybody who was refused.
    pub fn failed(&mut self, advice: Advice, fraction: f64) -> Duration {
        let is_first = self.failures == 0;
        let jitter = self.window().mul_f64(fraction);
        self.failures = self.failures.saturating_add(1);
        match advice {
            // Only once: a server that sends everybody away again and again must not be hammered.
            Advice::AtOnce if is_first => Duration::ZERO,
            Advice::AtOnce | Advice::BackOff => self.reconnection_time.saturating_add(jitter),
            Advice::NotBefore(time) => time.max(self.reconnection_time).saturating_add(jitter),
        }
    }

    fn window(&self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.failures);
        FIRST_WINDOW.saturating_mul(doubled).min(LAST_WINDOW)
    }
}

/// Says a wait in words, as the end of a sentence.
#[must_use]
pub fn when(wait: Duration) -> String {
    if wait.is_zero() { "at once".to_owned() } else { format!("in {wait:.1?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALMOST_ONE: f64 = 0.999_999_999;

    fn millis(duration: Duration) -> u128 {
        // Rounds, since the largest fraction is a little less than 1.
        (duration + Duration::from_micros(500)).as_millis()
    }

    #[track_caller]
    fn check(backoff: &mut Backoff, advice: Advice, fraction: f64, expected_ms: u128) {
        assert_eq!(millis(backoff.failed(advice, fraction)), expected_ms);
    }

    #[test]
    fn the_window_doubles_up_to_thirty_seconds() {
        let mut backoff = Backoff::default();
        for expected_ms in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            check(&mut backoff, Advice::BackOff, ALMOST_ONE, expected_ms);
        }
    }

    #[test]
    fn the_jitter_is_full() {
        check(&mut Backoff::default(), Advice::BackOff, 0.0, 0);
        check(&mut Backoff::default(), Advice::BackOff, 0.25, 250);
        check(&mut Backoff::default(), Advice::BackOff, 0.5, 500);
    }

    #[test]
    fn a_success_starts_over() {
        let mut backoff = Backoff::default();
        check(&mut backoff, Advice::BackOff, 0.5, 500);
        check(&mut backoff, Advice::BackOff, 0.5, 1_000);
        backoff.succeeded();
        check(&mut backoff, Advice::BackOff, 0.5, 500);
    }

    #[test]
    fn a_time_named_by_the_server_is_a_lower_bound_with_jitter_on_top() {
        let mut backoff = Backoff::default();
        let advice = Advice::NotBefore(Duration::from_secs(5));
        check(&mut backoff, advice, 0.0, 5_000);
        check(&mut backoff, advice, 0.5, 6_000);
    }

    #[test]
    fn the_reconnection_time_is_added_until_it_changes() {
        let mut backoff = Backoff::default();
        backoff.set_reconnection_time(Duration::from_secs(3));
        check(&mut backoff, Advice::BackOff, 0.0, 3_000);
        check(&mut backoff, Advice::BackOff, 0.5, 4_000);
        check(&mut backoff, Advice::NotBefore(Duration::from_secs(2)), 0.0, 3_000);
        backoff.set_reconnection_time(Duration::ZERO);
        check(&mut backoff, Advice::BackOff, 0.0, 0);
    }

    #[test]
    fn at_once_means_at_once_but_not_twice_in_a_row() {
        let mut backoff = Backoff::default();
        check(&mut backoff, Advice::AtOnce, 0.5, 0);
        check(&mut backoff, Advice::AtOnce, 0.5, 1_000);
    }

    #[test]
    fn a_wait_reads_as_the_end_of_a_sentence() {
        assert_eq!(when(Duration::ZERO), "at once");
        assert_eq!(when(Duration::from_millis(1_250)), "in 1.2s");
    }

    #[test]
    fn no_number_of_failures_overflows() {
        let mut backoff = Backoff { failures: u32::MAX, reconnection_time: Duration::MAX };
        assert_eq!(backoff.failed(Advice::BackOff, 1.0), Duration::MAX);
        assert_eq!(backoff.failed(Advice::NotBefore(Duration::MAX), 1.0), Duration::MAX);
    }
}
