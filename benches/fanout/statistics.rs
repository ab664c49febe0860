//! Medians and ranges of a few samples.

use serde::Serialize;

/// The middle of some samples, and how far they reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Summary {
    /// Summarizes the samples; `None` if there are none.
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) };
        Some(Self { median, min, max })
    }

    /// Summarizes the ratios of samples that were taken together, one after the other, so that what slowed down one
    /// has slowed down the other.
    pub fn of_ratios(pairs: impl IntoIterator<Item = (f64, f64)>) -> Option<Self> {
        Self::of(pairs.into_iter().map(|(measured, reference)| measured / reference))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(samples: &[f64], median: f64, min: f64, max: f64) {
        assert_eq!(Summary::of(samples.iter().copied()), Some(Summary { median, min, max }));
    }

    #[test]
    fn the_median_is_the_middle_sample_or_between_the_two() {
        check(&[3.0], 3.0, 3.0, 3.0);
        check(&[9.0, 1.0, 2.0], 2.0, 1.0, 9.0);
        check(&[4.0, 1.0, 2.0, 9.0], 3.0, 1.0, 9.0);
        assert_eq!(Summary::of([]), None);
    }

    #[test]
    fn ratios_are_taken_within_pairs() {
        let summary = Summary::of_ratios([(2.0, 1.0), (30.0, 10.0), (4.0, 4.0)]);
        assert_eq!(summary, Some(Summary { median: 2.0, min: 1.0, max: 3.0 }));
    }
}
