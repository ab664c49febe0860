//! Medians and ranges of a few samples, and of the ratios of two contenders.

use serde::{Deserialize, Serialize};

use super::server::Contender;

/// The middle of some samples, and how far they reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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
        let median =
            if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) };
        Some(Self { median, min, max })
    }
}

/// Both contenders, and the ratio of fallcast to the bare one.
#[derive(Debug, PartialEq, Serialize)]
pub struct Comparison {
    pub bare: Summary,
    pub fallcast: Summary,
    pub ratio: Summary,
}

impl Comparison {
    /// Compares values that are in the order of their pairs. The ratio is taken within each pair: what slowed down one
    /// of the two has probably slowed down the other.
    pub fn of(values: impl IntoIterator<Item = (Contender, f64)>) -> Option<Self> {
        let (mut bare, mut fallcast) = (Vec::new(), Vec::new());
        for (contender, value) in values {
            match contender {
                Contender::Bare => bare.push(value),
                Contender::Fallcast => fallcast.push(value),
            }
        }
        let ratios: Vec<f64> = fallcast.iter().zip(&bare).map(|(measured, reference)| measured / reference).collect();
        Some(Self { bare: Summary::of(bare)?, fallcast: Summary::of(fallcast)?, ratio: Summary::of(ratios)? })
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
        let (bare, fallcast) = (Contender::Bare, Contender::Fallcast);
        let values = [(bare, 1.0), (fallcast, 2.0), (bare, 10.0), (fallcast, 30.0), (bare, 4.0), (fallcast, 4.0)];
        let comparison = Comparison::of(values).expect("values of both");
        assert_eq!(comparison.ratio, Summary { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(comparison.bare, Summary { median: 4.0, min: 1.0, max: 10.0 });
        assert_eq!(Comparison::of([(bare, 1.0)]), None);
    }
}
