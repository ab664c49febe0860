//! Histograms of times, in nanoseconds: how they are made, and how they are written down.
//!
//! They are `HdrHistogram`s with three significant figures, so each value is kept to a thousandth of itself, and their size
//! does not depend on how many values there are. They are merged, never averaged.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer, Serializer as _, V2DeflateSerializer},
};
use thiserror::Error;

/// The longest time that is told apart from longer ones: an hour.
pub const LONGEST_NS: u64 = 3_600_000_000_000;

/// How many decimal digits of a value are kept.
pub const SIGNIFICANT_FIGURES: u8 = 3;

/// A histogram is not what this program writes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the histogram cannot be read: {0}")]
pub struct Unreadable(String);

/// An empty histogram for times from a nanosecond to an hour.
///
/// Record with `saturating_record`: what is longer than an hour counts as an hour.
///
/// # Panics
/// Never: the bounds are constants that `HdrHistogram` accepts.
#[must_use]
pub fn new() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, SIGNIFICANT_FIGURES).expect("these bounds are good")
}

/// Writes a histogram as V2, compressed, in base64: what other implementations of `HdrHistogram` read, too.
///
/// # Panics
/// Never: writing to memory does not fail.
#[must_use]
pub fn encode(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).expect("memory takes all bytes");
    BASE64_STANDARD.encode(bytes)
}

/// Reads what [`encode`] has written.
///
/// # Errors
/// Fails if `text` is anything else.
pub fn decode(text: &str) -> Result<Histogram<u64>, Unreadable> {
    let bytes = BASE64_STANDARD.decode(text).map_err(|fault| Unreadable(fault.to_string()))?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|fault| Unreadable(fault.to_string()))
}
