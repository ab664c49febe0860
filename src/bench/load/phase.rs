//! What a crowd is to do: how many messages, when, and who is cut off meanwhile.

use std::time::Duration;

use super::tally::Tally;

/// When messages are published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// So many a second by a fixed schedule, whatever the server does.
    Rate(f64),
    /// As soon as fewer than so many are on their way to somebody. This waits for the server, so its latencies say only
    /// how it is when nobody else waits.
    Window(usize),
    /// At most so many a second, and not before everybody has the one before. A load generator that waits for answers
    /// does this; whatever holds the server up is then met by one message instead of by all that were due meanwhile.
    Closed(f64),
}

/// A stretch of time in which messages are published, and the wait until all have arrived.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// When messages are published.
    pub pace: Pace,
    /// For how long.
    pub duration: Duration,
    /// Who is cut off, if anybody.
    pub cut: Option<Cut>,
    /// How long to wait for what does not come. It is lost then.
    pub patience: Duration,
}

/// Connections that are broken in the middle of a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// When, from the beginning of the phase.
    pub after: Duration,
    /// One in so many subscribers is cut off.
    pub one_in: usize,
}

/// A phase on its way.
#[derive(Debug)]
pub struct Glance<'a> {
    /// How long it has taken so far.
    pub elapsed: Duration,
    /// What it has brought so far.
    pub tally: &'a Tally,
    /// How many messages not everybody has yet.
    pub in_flight: usize,
}

impl Phase {
    /// How long to wait for what does not come, unless asked otherwise.
    pub const PATIENCE: Duration = Duration::from_secs(3);

    /// A phase of this pace and length.
    #[must_use]
    pub const fn new(pace: Pace, duration: Duration) -> Self {
        Self { pace, duration, cut: None, patience: Self::PATIENCE }
    }

    /// How many messages there are, where that is known.
    pub(super) fn messages(&self) -> Option<u64> {
        match self.pace {
            // The number is small and positive: a plan is bounded before it is followed.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            Pace::Rate(rate) => Some(((rate * self.duration.as_secs_f64()).round() as u64).max(1)),
            Pace::Window(_) | Pace::Closed(_) => None,
        }
    }

    /// The time of so many intervals between messages. In a window there are none.
    pub(super) fn intervals_ns(&self, count: u64) -> u64 {
        match self.pace {
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            Pace::Rate(rate) | Pace::Closed(rate) => (count as f64 * 1e9 / rate).round() as u64,
            Pace::Window(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_due_at_equal_intervals_that_do_not_add_up_errors() {
        let phase = Phase::new(Pace::Rate(3.0), Duration::from_secs(1000));
        assert_eq!(phase.messages(), Some(3000));
        assert_eq!(
            [0, 1, 2, 3, 3000].map(|number| phase.intervals_ns(number)),
            [0, 333_333_333, 666_666_667, 1_000_000_000, 1_000_000_000_000]
        );
    }

    #[test]
    fn a_phase_has_at_least_one_message() {
        assert_eq!(Phase::new(Pace::Rate(0.1), Duration::from_secs(1)).messages(), Some(1));
    }
}
