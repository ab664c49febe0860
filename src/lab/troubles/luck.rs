//! Luck: everything about an exchange that is left to chance, drawn at once.
//!
//! The draws depend on the link's seed and on which exchange this is, and on nothing else: the same seed gives the same
//! run. Each draw has dice of its own, so that one fault more or less does not change the luck of the others.

use fastrand::Rng;

use crate::lab::{
    faults::{Probability, Range},
    links::Conditions,
};

/// What was drawn for one exchange.
#[derive(Clone, Debug)]
pub struct Luck {
    /// Whether the request is sent twice.
    pub is_duplicated: bool,
    /// Whether a poll's answer is truncated.
    pub is_truncated: bool,
    /// Whether the answer is lost.
    pub loses_answer: bool,
    /// After how many bytes, messages or milliseconds the exchange is cut, if it is.
    pub cut_after: u64,
    /// For the jitter of what goes up.
    pub up: Rng,
    /// For the jitter of what comes down.
    pub down: Rng,
}

impl Luck {
    /// Draws for an exchange.
    #[must_use]
    pub fn of(conditions: &Conditions) -> Self {
        let faults = &conditions.faults;
        let seed = u64::from(faults.seed.unwrap_or_default()) << 32;
        let mut dice = Rng::with_seed(seed.wrapping_add_signed(conditions.ordinal));
        let mut happens = |probability: Option<Probability>| {
            let drawn = dice.f64();
            probability.is_some_and(|Probability(probability)| drawn < probability)
        };
        let (is_duplicated, is_truncated, loses_answer) =
            (happens(faults.duplicate), happens(faults.truncate), happens(faults.drop_answer));
        let mut forked = || dice.fork();
        let (mut for_cut, up, down) = (forked(), forked(), forked());
        let range = faults.cut.and_then(|cut| cut.after_bytes.or(cut.after_messages).or(cut.after_ms));
        let cut_after = range.map_or(0, |Range { min, max }| for_cut.u64(min..=max));
        Self { is_duplicated, is_truncated, loses_answer, cut_after, up, down }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::lab::faults::Faults;

    fn drawn(json: &str, ordinals: std::ops::Range<i64>) -> Vec<(bool, bool, u64)> {
        let faults = Arc::new(Faults::parse(json.as_bytes()).expect("good faults"));
        ordinals
            .map(|ordinal| Conditions { faults: Arc::clone(&faults), ordinal, ..Conditions::healthy() })
            .map(|conditions| Luck::of(&conditions))
            .map(|luck| (luck.is_duplicated, luck.loses_answer, luck.cut_after))
            .collect()
    }

    const HALF: &str = r#"{"seed": 7, "duplicate": 0.5, "drop_answer": 0.5, "cut": {"after_bytes": [10, 1000]}}"#;

    #[test]
    fn the_same_seed_gives_the_same_run_and_another_seed_another() {
        assert_eq!(drawn(HALF, -5..50), drawn(HALF, -5..50));
        assert_ne!(drawn(HALF, 0..50), drawn(&HALF.replace("7,", "8,"), 0..50));
    }

    #[test]
    fn what_is_drawn_has_the_probability_and_range_that_were_asked_for() {
        let drawn = drawn(HALF, 0..1000);
        let duplicated = drawn.iter().filter(|(is_duplicated, ..)| *is_duplicated).count();
        assert!((400..600).contains(&duplicated), "{duplicated} of 1000");
        assert!(drawn.iter().all(|(.., cut_after)| (10..=1000).contains(cut_after)));
        assert!(drawn.iter().any(|(.., cut_after)| *cut_after > 500) && drawn.iter().any(|(.., cut)| *cut < 500));
    }

    #[test]
    fn zero_is_never_and_one_is_always() {
        assert!(drawn(r#"{"duplicate": 0, "drop_answer": 1}"#, 0..100).iter().all(|drawn| *drawn == (false, true, 0)));
    }

    #[test]
    fn one_fault_more_does_not_change_the_luck_of_the_others() {
        let without: Vec<_> =
            drawn(r#"{"seed": 7, "drop_answer": 0.5}"#, 0..100).into_iter().map(|drawn| drawn.1).collect();
        let with: Vec<_> = drawn(HALF, 0..100).into_iter().map(|drawn| drawn.1).collect();
        assert_eq!(without, with);
    }
}
