//! What rounds say about each other: the only noise that counts here.
//!
//! The deliveries of one message are not independent of each other, nor is a moment of the next one; so a million
//! deliveries are no million observations. Rounds come closest: they are minutes apart, and in between something else was
//! measured. Each round gives one value, and everything below is said of a handful of such values.
//!
//! A figure has an [`Interval`] by ranks, which needs no assumption about its distribution: on a busy machine that has a
//! long tail. Two figures are compared by the [`Ratio`] of their rounds.

use serde::Serialize;

/// How much an interval has to cover before its ends are drawn in. Five rounds reach 0.9375 with their extremes.
pub const LEAST_COVERAGE: f64 = 0.93;

/// An interval that holds the true median with a known probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The k-th smallest value, where k follows from their number.
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
        (sorted.len() > 1).then(|| Self { low, high, coverage: coverage(sorted.len()) })
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

/// Fewer rounds than this say nothing about differences.
pub const FEWEST: usize = 3;

/// Two-sided 99 % points of Student's t distribution, for 1, 2, 3, … degrees of freedom; the last one serves for more, too.
const STUDENT_99: [f64; 20] = [
    63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169, 3.106, 3.055, 3.012, 2.977, 2.947, 2.921,
    2.898, 2.878, 2.861, 2.845,
];

/// So many times as much, with a 99 % interval.
///
/// It is Student's, over the logarithms of the ratios of the rounds: a ratio that is half in one round and double in the
/// next is 1 on the whole. One comparison of equals in a hundred shows a difference by chance; by ranks, five rounds could
/// not do better than one in sixteen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// The geometric mean of the rounds' ratios.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Whether the interval holds no 1.
    pub differs: bool,
}

impl Ratio {
    /// Compares two series round by round, so that what disturbed a whole round disturbs neither side alone.
    ///
    /// Each pair holds the values of one round: what is looked at, and what it is compared with. Nothing is said of fewer
    /// than [`FEWEST`] rounds, or of values that are not above zero.
    #[must_use]
    pub fn of_pairs(pairs: impl IntoIterator<Item = (f64, f64)>) -> Option<Self> {
        let pairs: Vec<_> = pairs.into_iter().collect();
        if pairs.len() < FEWEST || pairs.iter().any(|&(value, reference)| value <= 0.0 || reference <= 0.0) {
            return None;
        }
        let logarithms: Vec<f64> = pairs.into_iter().map(|(value, reference)| (value / reference).ln()).collect();
        let n = number(logarithms.len());
        let mean = logarithms.iter().sum::<f64>() / n;
        let variance = logarithms.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let student = STUDENT_99[(logarithms.len() - 2).min(STUDENT_99.len() - 1)];
        let half = student * (variance / n).sqrt();
        // Equal values differ in their last bits when they are divided.
        let differs = mean.abs() > half + 1e-9;
        Some(Self { value: mean.exp(), low: (mean - half).exp(), high: (mean + half).exp(), differs })
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
        assert_eq!((interval.low, interval.high), (1.0, 5.0));
        close(interval.coverage, 0.9375);
    }

    #[test]
    fn one_outlier_of_nine_is_left_out_at_each_end() {
        let interval = Interval::of([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 1000.0]).expect("values");
        assert_eq!((interval.low, interval.high), (1.0, 7.0));
    }

    #[test]
    fn one_value_has_no_interval() {
        assert_eq!(Interval::of([1.0]), None);
        assert_eq!(Interval::of([]), None);
    }

    #[test]
    fn the_interval_of_a_ratio_is_students() {
        // Logarithms to the base of 2: 0, 1, 2, 1, 1. Their mean is 1, their standard deviation √½.
        let pairs = [(1.0, 1.0), (2.0, 1.0), (8.0, 2.0), (2.0, 1.0), (10.0, 5.0)];
        let ratio = Ratio::of_pairs(pairs).expect("five rounds");
        let half = 4.604 * (0.5_f64 / 5.0).sqrt();
        close(ratio.value, 2.0);
        close(ratio.low, (1.0 - half).exp2());
        close(ratio.high, (1.0 + half).exp2());
        assert!(!ratio.differs, "1 lies within");
    }

    #[test]
    fn a_difference_is_an_interval_without_1() {
        let differs =
            |values: [f64; 5]| Ratio::of_pairs(values.map(|value| (value, 1.0))).expect("five rounds").differs;
        assert!(differs([1.9, 2.1, 2.0, 2.2, 1.8]));
        assert!(differs([0.5; 5]));
        assert!(!differs([0.98, 1.04, 1.01, 0.97, 1.02]));
        assert!(!differs([1.0; 5]));
        assert!(!differs([2.0, 2.0, 2.0, 2.0, 0.2]), "one round that disagrees may be chance");
    }

    #[test]
    fn comparisons_of_equals_show_a_difference_once_in_a_hundred() {
        let mut rng = fastrand::Rng::with_seed(1);
        // Nearly normal: the sum of twelve numbers from 0 to 1.
        let mut noise = || (0.1 * ((0..12).map(|_| rng.f64()).sum::<f64>() - 6.0)).exp();
        let trials = 20_000;
        let wrong = (0..trials)
            .filter(|_| {
                let rounds: [(f64, f64); 5] = std::array::from_fn(|_| (noise(), noise()));
                Ratio::of_pairs(rounds).is_some_and(|ratio| ratio.differs)
            })
            .count();
        assert!((120..=280).contains(&wrong), "{wrong} of {trials}");
    }

    #[test]
    fn two_rounds_are_too_few() {
        assert_eq!(Ratio::of_pairs([(2.0, 1.0); 2]), None);
        assert!(Ratio::of_pairs([(2.0, 1.0); 3]).is_some());
    }

    #[test]
    fn nothing_is_so_many_times_zero() {
        assert_eq!(Ratio::of_pairs([(2.0, 0.0), (2.0, 1.0), (2.0, 1.0)]), None);
    }
}
