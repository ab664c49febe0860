//! Figures and names as people read them: in the table, in findings, in the messages of `verify`.

use super::report::{Cell, Estimate};

/// A unit and its smaller and larger relatives; each with the number of base units it holds, largest first.
pub type Units = &'static [(f64, &'static str)];

/// Nanoseconds.
pub const TIME: Units = &[(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")];

/// Bytes.
pub const BYTES: Units = &[(1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")];

/// What has no unit.
pub const COUNT: Units = &[(1.0, "")];

/// A figure with its unit: `310 µs`.
#[must_use]
pub fn figure(value: f64, units: Units) -> String {
    let (size, unit) = unit_of(value, units);
    format!("{} {unit}", digits(value / size)).trim_end().to_owned()
}

/// A figure with its interval: `310 (295–342) µs`. An interval that is no wider than the digits shown is left out.
#[must_use]
pub fn estimate(estimate: &Estimate, units: Units) -> String {
    let (size, unit) = unit_of(estimate.value, units);
    let decimals = decimals(estimate.value / size);
    let [value, low, high] = [estimate.value, estimate.low, estimate.high].map(|value| fixed(value / size, decimals));
    let range = if low == high { String::new() } else { format!(" ({low}–{high})") };
    format!("{value}{range} {unit}").trim_end().to_owned()
}

/// A ratio with its interval: `3.12 (2.94–3.35)`. Close to 1 it has one digit more.
#[must_use]
pub fn ratio(median: f64, low: f64, high: f64) -> String {
    let decimals = if (0.9..1.1).contains(&median) { 3 } else { decimals(median) };
    let [median, low, high] = [median, low, high].map(|value| fixed(value, decimals));
    if low == high { median } else { format!("{median} ({low}–{high})") }
}

/// A whole number, its digits in groups of three: `1,234,567`.
#[must_use]
pub fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// `1 round`, `2 rounds`.
#[must_use]
pub fn counted(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A transport, as a sentence names it.
#[must_use]
pub fn transport(name: &str) -> String {
    match name.split_once('=') {
        Some(("short-poll", period)) => format!("short-polling every {period}"),
        _ => match name {
            "websocket" => "WebSocket",
            "sse" => "SSE",
            "long-poll" => "long-polling",
            other => other,
        }
        .to_owned(),
    }
}

/// The load of a cell: `1,000 subscribers, 50/s, 64 B, by lab:mobile-3g`.
#[must_use]
pub fn load(cell: &Cell) -> String {
    let Cell { subscribers, rate, size_bytes, via, .. } = cell;
    let via = via.as_ref().map_or_else(String::new, |via| format!(", by {via}"));
    format!(
        "{}, {}/s, {} B{via}",
        counted((*subscribers).into(), "subscriber"),
        digits(*rate),
        count((*size_bytes).into())
    )
}

/// The first letter as a capital.
#[must_use]
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `a`, `a and b`, `a, b and c`.
#[must_use]
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn unit_of(value: f64, units: Units) -> (f64, &'static str) {
    let smallest = units.last().copied().unwrap_or((1.0, ""));
    // 999.6 would be shown as 1000 of the smaller unit.
    units.iter().copied().find(|(size, _)| value.abs() >= size * 0.9995).unwrap_or(smallest)
}

/// Three digits are more than most benchmarks can justify.
fn digits(value: f64) -> String {
    let whole = value.fract() == 0.0;
    fixed(value, if whole { 0 } else { decimals(value) })
}

fn decimals(value: f64) -> usize {
    match value.abs() {
        value if value >= 99.95 || value == 0.0 => 0,
        value if value >= 9.995 => 1,
        _ => 2,
    }
}

fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.split_once('.') {
        Some((whole, part)) => format!("{}.{part}", grouped(whole)),
        None => grouped(&text),
    }
}

fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap_or("")).collect();
    format!("{sign}{}", groups.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit_that_suits_them() {
        for (value, text) in [
            (0.0, "0 ns"),
            (999.0, "999 ns"),
            (310_400.0, "310 µs"),
            (999_600.0, "1.00 ms"),
            (12_340_000.0, "12.3 ms"),
            (1_000_000_000.0, "1 s"),
        ] {
            assert_eq!(figure(value, TIME), text);
        }
        assert_eq!(figure(-10_600.0, BYTES), "-10.6 kB");
        assert_eq!(figure(1234.0, COUNT), "1,234");
    }

    #[test]
    fn an_interval_shares_the_unit_of_its_figure() {
        let wide = Estimate { value: 310_000.0, low: 95_000.0, high: 1_342_000.0 };
        assert_eq!(estimate(&wide, TIME), "310 (95–1,342) µs");
        let zero = Estimate { value: 0.0, low: 0.0, high: 0.0 };
        assert_eq!(estimate(&zero, BYTES), "0 B");
        let none = Estimate { value: 72.0, low: 72.0, high: 72.0 };
        assert_eq!(estimate(&none, BYTES), "72.0 B");
    }

    #[test]
    fn a_small_difference_is_not_rounded_away() {
        assert_eq!(ratio(1.004, 1.002, 1.009), "1.004 (1.002–1.009)");
        assert_eq!(ratio(3.123, 2.94, 3.352), "3.12 (2.94–3.35)");
        assert_eq!(ratio(12.0, 12.0, 12.0), "12.0");
    }

    #[test]
    fn lists_read_like_sentences() {
        let [a, b, c] = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(list(std::slice::from_ref(&a)), "a");
        assert_eq!(list(&[a.clone(), b.clone()]), "a and b");
        assert_eq!(list(&[a, b, c]), "a, b and c");
        assert_eq!(sentence("median latency"), "Median latency");
    }

    #[test]
    fn transports_have_names() {
        assert_eq!(transport("short-poll=500ms"), "short-polling every 500ms");
        assert_eq!(transport("websocket"), "WebSocket");
        assert_eq!(transport("stream"), "stream");
    }
}
