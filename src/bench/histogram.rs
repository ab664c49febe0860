//! Histograms of times, in nanoseconds: how they are made, and how they are written down.
//!
//! They are `HdrHistogram`s with three significant figures, so each value is kept to a thousandth of itself, and their size
//! does not depend on how many values there are. They are merged, never averaged.

use std::io::{self, Read as _, Write};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::read::ZlibDecoder;
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer, Serializer as _, V2DeflateSerializer},
};
use thiserror::Error;

use super::metric::exact;

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
/// Fails if `text` is anything else. What it claims to hold is not believed: nothing is allocated for it beyond what a
/// histogram of these bounds can need.
pub fn decode(text: &str) -> Result<Histogram<u64>, Unreadable> {
    let unreadable = |fault: &dyn ToString| Unreadable(fault.to_string());
    let compressed = BASE64_STANDARD.decode(text).map_err(|fault| unreadable(&fault))?;
    // Two numbers of four bytes come before what is compressed: a cookie, and the length of the rest.
    let (head, body) = compressed.split_at_checked(8).ok_or_else(|| unreadable(&"it is too short"))?;
    if head[..4] != COMPRESSED {
        return Err(unreadable(&"it is not compressed in version 2"));
    }
    let mut plain = Vec::new();
    ZlibDecoder::new(body).take(LARGEST).read_to_end(&mut plain).map_err(|fault| unreadable(&fault))?;
    // The length of the counts stands behind the cookie, and the counts behind forty bytes.
    let length = plain.get(4..8).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    if length.is_none_or(|length| plain.len() != 40 + length as usize) {
        return Err(unreadable(&"its length is not what it says"));
    }
    let histogram: Histogram<u64> =
        Deserializer::new().deserialize(&mut plain.as_slice()).map_err(|fault| unreadable(&fault))?;
    let bounds = (histogram.low(), histogram.high(), histogram.sigfig());
    if bounds != (1, LONGEST_NS, SIGNIFICANT_FIGURES) || histogram.len() > MOST {
        return Err(unreadable(&"it has other bounds than a nanosecond, an hour and three figures"));
    }
    Ok(histogram)
}

/// What a compressed histogram of version 2 begins with.
const COMPRESSED: [u8; 4] = [0x1c, 0x84, 0x93, 0x14];

/// Each of the 33,792 counts takes at most nine bytes.
const LARGEST: u64 = 40 + 9 * 33_792;

/// More values than that cannot be counted exactly where numbers are floating.
const MOST: u64 = 1 << 53;

/// Steps between two percentiles of which the second leaves half as many values beyond it.
const STEPS_PER_HALVING: u32 = 5;

/// Writes the table of percentiles that tools for `HdrHistogram` read (`.hgrm`), in milliseconds.
///
/// # Errors
/// Fails if `out` does.
pub fn write_percentiles(histogram: &Histogram<u64>, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{:>14} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)")?;
    let mut count = 0;
    for step in histogram.iter_quantiles(STEPS_PER_HALVING) {
        count += step.count_since_last_iteration();
        let (value, quantile) = (milliseconds(step.value_iterated_to()), step.quantile_iterated_to());
        write!(out, "{value:14.6} {quantile:2.12} {count:10}")?;
        if quantile < 1.0 {
            write!(out, " {:14.2}", 1.0 / (1.0 - quantile))?;
        }
        out.write_all(b"\n")?;
    }
    let (mean, deviation, max) = (histogram.mean() / 1e6, histogram.stdev() / 1e6, milliseconds(histogram.max()));
    writeln!(out, "#[Mean    = {mean:14.6}, StdDeviation   = {deviation:14.6}]")?;
    writeln!(out, "#[Max     = {max:14.6}, Total count    = {:14}]", histogram.len())?;
    writeln!(out, "#[Buckets = {:14}, SubBuckets     = {SUB_BUCKETS:14}]", histogram.buckets())
}

/// Into how many parts three significant figures divide a bucket, for the last line of that table.
const SUB_BUCKETS: u32 = 2048;

fn milliseconds(nanoseconds: u64) -> f64 {
    exact(nanoseconds) / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(values: impl IntoIterator<Item = u64>) -> Histogram<u64> {
        let mut histogram = new();
        values.into_iter().for_each(|value| histogram.saturating_record(value));
        histogram
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        let histogram = times((1..2_000).map(|step| step * step * 997));
        let read = decode(&encode(&histogram)).expect("a histogram");
        assert_eq!(read, histogram);
        assert_eq!((read.min(), read.max()), (histogram.min(), histogram.max()));
    }

    #[test]
    fn an_empty_histogram_can_be_read_again() {
        assert!(decode(&encode(&new())).expect("a histogram").is_empty());
    }

    #[test]
    fn three_figures_of_each_value_are_kept() {
        for value in [1, 999, 123_456, 9_876_543_210, LONGEST_NS] {
            let kept = times([value]).max();
            assert!(kept.abs_diff(value) <= value / 1_000, "{value} became {kept}");
        }
    }

    #[test]
    fn what_is_no_histogram_is_refused() {
        for text in ["", "?", "AAAA", "HISTFAAAACl4nJNpmSz", "HIST//////l4nJNpmSz"] {
            decode(text).expect_err(text);
        }
        let other = Histogram::new_with_bounds(1, 1_000_000, 2).expect("good bounds");
        decode(&encode(&other)).expect_err("it has other bounds");
    }

    #[test]
    fn more_than_a_histogram_can_hold_is_not_unpacked() {
        let mut packed = COMPRESSED.to_vec();
        packed.extend([0; 4]);
        let mut encoder = flate2::write::ZlibEncoder::new(packed, flate2::Compression::fast());
        encoder.write_all(&vec![0; 1 << 24]).expect("memory takes all");
        let bomb = BASE64_STANDARD.encode(encoder.finish().expect("memory takes all"));
        decode(&bomb).expect_err("it is sixteen megabytes large");
    }

    #[test]
    fn the_table_of_percentiles_ends_with_all_values() {
        let mut table = Vec::new();
        write_percentiles(&times((1..=1_000).map(|step| step * 1_000_000)), &mut table).expect("memory takes all");
        let table = String::from_utf8(table).expect("text");
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]);
        assert!(
            lines.iter().any(|line| line[..].starts_with(&["500.170751", "0.500000000000", "500", "2.00"])),
            "{table}"
        );
        assert!(lines.iter().any(|line| line[..] == ["1000.341503", "1.000000000000", "1000"]), "{table}");
        assert!(table.contains("Total count    =           1000]"), "{table}");
    }
}
