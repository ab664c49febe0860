//! A distribution of times: percentiles as far as the number of values carries them, and the histogram itself.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::bench::histogram;

/// How many values have to lie beyond a percentile before it says something.
pub const BEYOND: u64 = 10;

/// What may be said of a number of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// How many values there are.
    pub n: u64,
    /// The smallest of them; this and what follows is absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_ns: Option<u64>,
    /// The median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ns: Option<u64>,
    /// The 90th percentile, from 100 values on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p90_ns: Option<u64>,
    /// The 99th percentile, from 1,000 values on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ns: Option<u64>,
    /// The 99.9th percentile, from 10,000 values on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p999_ns: Option<u64>,
    /// The largest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ns: Option<u64>,
}

impl Figures {
    /// What may be said of the values in `histogram`, which are nanoseconds.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let n = histogram.len();
        if n == 0 {
            return Self::default();
        }
        // `one_in` of all values lies beyond the percentile.
        let carried = |one_in: u64| {
            let quantile = 1.0 - 1.0 / f64::from(u32::try_from(one_in).unwrap_or(u32::MAX));
            (n >= one_in * BEYOND).then(|| histogram.value_at_quantile(quantile))
        };
        Self {
            n,
            min_ns: Some(histogram.min()),
            p50_ns: Some(histogram.value_at_quantile(0.5)),
            p90_ns: carried(10),
            p99_ns: carried(100),
            p999_ns: carried(1_000),
            max_ns: Some(histogram.max()),
        }
    }
}

/// What may be said of a number of values, with the histogram that says everything about them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// What may be said.
    #[serde(flatten)]
    pub figures: Figures,
    /// All values, as `HdrHistogram` writes them: V2, compressed, in base64. Three significant figures, in nanoseconds.
    pub histogram: String,
}

impl Distribution {
    /// The distribution of the values in `histogram`, which are nanoseconds.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Self {
        Self { figures: Figures::of(histogram), histogram: histogram::encode(histogram) }
    }

    /// The histogram.
    ///
    /// # Errors
    /// Fails if `histogram` is not what [`histogram::encode`] writes.
    pub fn decode(&self) -> Result<Histogram<u64>, histogram::Unreadable> {
        histogram::decode(&self.histogram)
    }
}
