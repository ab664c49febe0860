//! Cuts: when an exchange is ended from outside, and how.

use std::time::Duration;

use tokio::time::Instant;

use super::{Ending, count::Counter};
use crate::lab::{
    faults::{self, Direction},
    links::Conditions,
};

/// What cuts one exchange.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    when: When,
    ending: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Never,
    /// After so many more bytes towards the client.
    Bytes(u64),
    /// After so many more messages towards the client.
    Messages(u64),
    At(Instant),
}

impl Cut {
    /// No cut.
    pub const NEVER: Self = Self { when: When::Never, ending: Ending::Fin };

    /// The cut of an exchange, which counts from when the exchange began or its faults were set, whichever is later.
    #[must_use]
    pub fn of(conditions: &Conditions, drawn: u64, began: Instant) -> Self {
        let Some(cut) = conditions.faults.cut else { return Self::NEVER };
        if cut.open_only && !conditions.came_later() {
            return Self::NEVER;
        }
        let when = match cut {
            faults::Cut { after_bytes: Some(_), .. } => When::Bytes(drawn),
            faults::Cut { after_messages: Some(_), .. } => When::Messages(drawn),
            _ => When::At(began.max(conditions.since) + Duration::from_millis(drawn)),
        };
        Self { when, ending: Ending::of(cut.how, cut.direction) }
    }

    /// How it ends.
    #[must_use]
    pub const fn ending(&self) -> Ending {
        self.ending
    }

    /// When it is cut, if time decides.
    #[must_use]
    pub fn at(&self) -> Option<Instant> {
        match self.when {
            When::At(moment) => Some(moment),
            When::Never | When::Bytes(_) | When::Messages(_) => None,
        }
    }

    /// How many of these bytes towards the client pass before the cut; `None` if it does not come.
    pub fn within_bytes(&mut self, bytes: usize) -> Option<usize> {
        let When::Bytes(left) = &mut self.when else { return None };
        let bytes = bytes as u64;
        if bytes >= *left {
            // No more than there are bytes, so it fits.
            return usize::try_from(*left).ok();
        }
        *left -= bytes;
        None
    }

    /// How many of these bytes of the body pass before the cut; `None` if it does not come. The last message is whole.
    pub fn within_messages(&mut self, body: &[u8], counter: &mut Counter) -> Option<usize> {
        let mut at = 0;
        loop {
            if self.when == When::Messages(0) {
                return Some(at);
            }
            at += counter.next_end(&body[at..])?;
            if let When::Messages(left) = &mut self.when {
                *left -= 1;
            }
        }
    }
}

/// What cuts an exchange on which nothing happens.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    limit: Option<Duration>,
    ending: Ending,
    last: Option<Instant>,
}

impl Idle {
    /// No cut.
    pub const NEVER: Self = Self { limit: None, ending: Ending::Fin, last: None };

    /// Begins to watch.
    #[must_use]
    pub fn of(conditions: &Conditions, now: Instant) -> Self {
        let idle = conditions.faults.idle;
        Self {
            limit: idle.map(|idle| Duration::from_millis(idle.after_ms)),
            ending: Ending::of(idle.map(|idle| idle.how).unwrap_or_default(), Direction::Both),
            last: Some(now),
        }
    }

    /// Notes that bytes have gone either way.
    pub const fn touch(&mut self, now: Instant) {
        self.last = Some(now);
    }

    /// When it is cut unless something happens.
    #[must_use]
    pub fn at(&self) -> Option<Instant> {
        self.limit.zip(self.last).map(|(limit, last)| last + limit)
    }

    /// How it ends.
    #[must_use]
    pub const fn ending(&self) -> Ending {
        self.ending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::lab::{faults::Faults, troubles::count::Content};

    fn conditions(json: &str) -> Conditions {
        let faults = Arc::new(Faults::parse(json.as_bytes()).expect("good faults"));
        Conditions { faults, ..Conditions::healthy() }
    }

    #[test]
    fn bytes_are_counted_to_the_last_one() {
        let mut cut = Cut::of(&conditions(r#"{"cut": {"after_bytes": 10, "how": "rst"}}"#), 10, Instant::now());
        assert_eq!(cut.within_bytes(4), None);
        assert_eq!(cut.within_bytes(5), None);
        assert_eq!(cut.within_bytes(9), Some(1));
        assert_eq!(cut.ending(), Ending::Reset);
    }

    #[test]
    fn nothing_passes_a_cut_after_nothing() {
        let mut cut = Cut::of(&conditions(r#"{"cut": {"after_bytes": 0}}"#), 0, Instant::now());
        assert_eq!(cut.within_bytes(1), Some(0));
        let mut cut = Cut::of(&conditions(r#"{"cut": {"after_messages": 0}}"#), 0, Instant::now());
        assert_eq!(cut.within_messages(b"a\n", &mut Counter::of(Content::Lines)), Some(0));
    }

    #[test]
    fn the_last_message_is_whole_and_nothing_follows_it() {
        let mut cut = Cut::of(&conditions(r#"{"cut": {"after_messages": 3}}"#), 3, Instant::now());
        let mut counter = Counter::of(Content::Lines);
        assert_eq!(cut.within_messages(b"one\ntw", &mut counter), None);
        assert_eq!(cut.within_messages(b"o\nthree\nfour\n", &mut counter), Some(b"o\nthree\n".len()));
        assert_eq!(cut.ending(), Ending::Fin);
    }

    #[test]
    fn time_counts_from_the_later_of_both() {
        let conditions = conditions(r#"{"cut": {"after_ms": 100, "how": "silence", "direction": "up"}}"#);
        let (set, later) = (conditions.since, conditions.since + Duration::from_secs(1));
        let after = Duration::from_millis(100);
        assert_eq!(Cut::of(&conditions, 100, set - Duration::from_millis(5)).at(), Some(set + after));
        let cut = Cut::of(&conditions, 100, later);
        assert_eq!(cut.at(), Some(later + after));
        assert_eq!(cut.ending(), Ending::Silence(Direction::Up));
    }

    #[test]
    fn a_cut_for_open_exchanges_spares_the_new_ones() {
        let mut conditions = conditions(r#"{"cut": {"after_ms": 0, "open_only": true}}"#);
        assert_eq!(Cut::of(&conditions, 0, Instant::now()).at(), None);
        conditions.ordinal = -1;
        assert!(Cut::of(&conditions, 0, Instant::now()).at().is_some());
    }

    #[test]
    fn whatever_happens_puts_the_idle_cut_off() {
        let now = Instant::now();
        let mut idle = Idle::of(&conditions(r#"{"idle": {"after_ms": 100, "how": "rst"}}"#), now);
        assert_eq!(idle.at(), Some(now + Duration::from_millis(100)));
        idle.touch(now + Duration::from_millis(70));
        assert_eq!(idle.at(), Some(now + Duration::from_millis(170)));
        assert_eq!(idle.ending(), Ending::Reset);
        assert_eq!(Idle::of(&Conditions::healthy(), now).at(), None);
    }
}
