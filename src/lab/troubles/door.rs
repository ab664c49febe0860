//! The door: whether a new exchange gets in at all.

use std::time::Duration;

use tokio::time::Instant;

use crate::lab::links::Conditions;

/// What happens to an exchange that wants to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// It may.
    Open,
    /// Its connection is reset.
    Refuses,
    /// A proxy answers that the server is not available, for so long.
    Unavailable(Duration),
}

impl Door {
    /// The door as a new exchange finds it.
    #[must_use]
    pub fn of(conditions: &Conditions, now: Instant) -> Self {
        let passed = now.saturating_duration_since(conditions.since);
        let left = |period: Option<u64>| {
            period.map(|period| Duration::from_millis(period).saturating_sub(passed)).filter(|left| !left.is_zero())
        };
        if left(conditions.faults.refuse_ms).is_some() {
            return Self::Refuses;
        }
        left(conditions.faults.unavailable_ms).map_or(Self::Open, Self::Unavailable)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::lab::faults::Faults;

    #[track_caller]
    fn check(json: &str, after_ms: u64, expected: Door) {
        let faults = Arc::new(Faults::parse(json.as_bytes()).expect("good faults"));
        let conditions = Conditions { faults, ..Conditions::healthy() };
        assert_eq!(Door::of(&conditions, conditions.since + Duration::from_millis(after_ms)), expected, "{json}");
    }

    #[test]
    fn the_door_is_closed_for_a_time_only() {
        check("{}", 0, Door::Open);
        check(r#"{"refuse_ms": 100}"#, 99, Door::Refuses);
        check(r#"{"refuse_ms": 100}"#, 100, Door::Open);
        check(r#"{"unavailable_ms": 100}"#, 40, Door::Unavailable(Duration::from_millis(60)));
        check(r#"{"unavailable_ms": 100}"#, 100, Door::Open);
    }

    #[test]
    fn who_is_refused_hears_nothing_of_availability() {
        check(r#"{"unavailable_ms": 100, "refuse_ms": 50}"#, 10, Door::Refuses);
        check(r#"{"unavailable_ms": 100, "refuse_ms": 50}"#, 60, Door::Unavailable(Duration::from_millis(40)));
    }
}
