//! What rounds say about each other: the only noise that counts here.
//!
//! The deliveries of one message are not independent of each other, nor is a moment of the next one; so a million
//! deliveries are no million observations. Rounds come closest: they are minutes apart, and in between something else was
//! measured. Each round gives one value, and everything below is said of a handful of such values, by rank. That needs no
//! assumption about their distribution, which on a busy machine has a long tail.

/// Below this coverage, nothing is said about differences. Five rounds reach 0.9375.
pub const LEAST_COVERAGE: f64 = 0.93;

/// An interval that holds the true median with a known probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The median of the values.
    pub median: f64,
    /// The k-th smallest value.
    pub low: f64,
    /// The k-th largest.
    pub high: f64,
    /// The probability. It depends on the number of values alone.
    pub coverage: f64,
}

impl Interval {
    /// The interval of the median, from at least two values.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let rank = rank(sorted.len());
        let (low, high) = (*sorted.get(rank - 1)?, *sorted.get(sorted.len().checked_sub(rank)?)?);
        (sorted.len() > 1).then(|| Self { median: median(&sorted), low, high, coverage: coverage(sorted.len()) })
    }

    /// Whether there are enough values to say anything with it.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.coverage >= LEAST_COVERAGE
    }
}

/// How probable it is that the interval of `n` values holds the true median.
#[must_use]
pub fn coverage(n: usize) -> f64 {
    coverage_at(n, rank(n))
}

/// Which value from either end is the interval's end: the innermost that still covers enough, and the outermost if none
/// does.
fn rank(n: usize) -> usize {
    (2..=n / 2).rev().find(|&rank| coverage_at(n, rank) >= LEAST_COVERAGE).unwrap_or(1)
}

/// Each value lies below the true median with probability ½. The interval misses it if fewer than `rank` lie on one of the
/// two sides.
fn coverage_at(n: usize, rank: usize) -> f64 {
    let mut ways = 1.0; // to choose i of n values
    let mut missed = 0.0;
    for i in 0..rank {
        missed += ways;
        ways *= number(n - i) / number(i + 1);
    }
    1.0 - 2.0 * missed * 0.5_f64.powi(i32::try_from(n).unwrap_or(i32::MAX))
}

#[allow(clippy::cast_precision_loss, reason = "rounds are counted in dozens")]
fn number(count: usize) -> f64 {
    count as f64
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[middle - 1], sorted[middle]) } else { sorted[middle] }
}

/// What one series of rounds says against another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// So many times as much: the interval of the ratio holds no 1.
    Times(Interval),
    /// The interval holds 1.
    NoDifference(Interval),
    /// Too few rounds, or a value of zero.
    CannotTell,
}

impl Verdict {
    /// Compares two series round by round, so that what disturbed a whole round disturbs neither side alone.
    ///
    /// Each pair holds the values of one round: what is looked at, and what it is compared with.
    #[must_use]
    pub fn of_pairs(pairs: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let pairs: Vec<_> = pairs.into_iter().collect();
        if pairs.iter().any(|&(value, reference)| value <= 0.0 || reference <= 0.0) {
            return Self::CannotTell;
        }
        match Interval::of(pairs.into_iter().map(|(value, reference)| value / reference)) {
            Some(ratio) if !ratio.is_sound() => Self::CannotTell,
            Some(ratio) if ratio.low <= 1.0 && ratio.high >= 1.0 => Self::NoDifference(ratio),
            Some(ratio) => Self::Times(ratio),
            None => Self::CannotTell,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-9, "{left} is not {right}");
    }

    #[test]
    fn coverage_is_that_of_the_sign_test() {
        close(coverage(2), 0.5);
        close(coverage(5), 0.9375);
        close(coverage(8), 1.0 - 2.0 / 256.0);
        // From nine on, one value at each end can be left out: 1 - 2 (1 + 9) / 512.
        close(coverage(9), 1.0 - 20.0 / 512.0);
        assert!((9..100).all(|n| coverage(n) >= LEAST_COVERAGE));
    }

    #[test]
    fn an_interval_of_few_values_reaches_from_the_smallest_to_the_largest() {
        let interval = Interval::of([3.0, 1.0, 5.0, 2.0, 4.0]).expect("values");
        assert_eq!((interval.low, interval.median, interval.high), (1.0, 3.0, 5.0));
        assert!(interval.is_sound());
    }

    #[test]
    fn one_outlier_of_nine_is_left_out_at_each_end() {
        let interval = Interval::of([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 1000.0]).expect("values");
        assert_eq!((interval.low, interval.median, interval.high), (1.0, 4.0, 7.0));
    }

    #[test]
    fn an_even_number_of_values_has_its_median_in_the_middle() {
        assert_eq!(Interval::of([1.0, 2.0, 4.0, 9.0]).expect("values").median, 3.0);
    }

    #[test]
    fn one_value_has_no_interval() {
        assert_eq!(Interval::of([1.0]), None);
        assert_eq!(Interval::of([]), None);
    }

    #[test]
    fn a_difference_is_one_that_every_round_shows() {
        let pairs = [(2.0, 1.0), (6.0, 2.0), (2.5, 1.0), (2.1, 1.0), (2.9, 1.0)];
        match Verdict::of_pairs(pairs) {
            Verdict::Times(ratio) => assert_eq!((ratio.low, ratio.median, ratio.high), (2.0, 2.5, 3.0)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rounds_that_disagree_show_no_difference() {
        let pairs = [(2.0, 1.0), (6.0, 2.0), (0.9, 1.0), (2.1, 1.0), (2.9, 1.0)];
        assert!(matches!(Verdict::of_pairs(pairs), Verdict::NoDifference(_)));
    }

    #[test]
    fn four_rounds_are_too_few() {
        assert_eq!(Verdict::of_pairs([(2.0, 1.0); 4]), Verdict::CannotTell);
        assert!(matches!(Verdict::of_pairs([(2.0, 1.0); 5]), Verdict::Times(_)));
    }

    #[test]
    fn nothing_is_so_many_times_zero() {
        assert_eq!(Verdict::of_pairs([(2.0, 0.0); 5]), Verdict::CannotTell);
    }
}
