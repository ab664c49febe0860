//! The figures that are compared: what each is, how a round gives one, and how several rounds give one together.

use hdrhistogram::Histogram;

use super::{
    histogram,
    report::{Cell, Distribution, Estimate, MemoryUse, Round, Summary},
    statistics::Interval,
    words::{self, Units},
};

/// A figure that every round gives once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// The median latency.
    LatencyP50,
    /// The 99th percentile of latency.
    LatencyP99,
    /// The median time to the first message.
    FirstMessage,
    /// The median fan-out skew.
    Skew,
    /// The median time to the first new message after a cut.
    Recovery,
    /// Bytes per delivery, both ways.
    Bytes,
    /// Packets per delivery, both ways.
    Packets,
    /// The server's processor time per delivery.
    Cpu,
    /// The server's memory per connection.
    Memory,
    /// The kernel's memory per connection.
    Kernel,
}

/// How a round gives the figure.
enum Way {
    /// A percentile of a distribution.
    Percentile(for<'a> fn(&'a Round) -> Option<&'a Distribution>, f64),
    /// A quotient, whose parts are added up over rounds before they are divided.
    Quotient(fn(&Cell, &Round) -> Option<(f64, f64)>),
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::LatencyP50,
        Self::LatencyP99,
        Self::FirstMessage,
        Self::Skew,
        Self::Recovery,
        Self::Bytes,
        Self::Packets,
        Self::Cpu,
        Self::Memory,
        Self::Kernel,
    ];

    /// What it is called in `report.json`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::LatencyP50 => "latency_p50_ns",
            Self::LatencyP99 => "latency_p99_ns",
            Self::FirstMessage => "first_message_p50_ns",
            Self::Skew => "skew_p50_ns",
            Self::Recovery => "recovery_p50_ns",
            Self::Bytes => "bytes_per_delivery",
            Self::Packets => "packets_per_delivery",
            Self::Cpu => "cpu_ns_per_delivery",
            Self::Memory => "memory_bytes_per_connection",
            Self::Kernel => "kernel_bytes_per_connection",
        }
    }

    /// What it is called in a sentence.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LatencyP50 => "median latency",
            Self::LatencyP99 => "99th percentile of latency",
            Self::FirstMessage => "time to the first message",
            Self::Skew => "fan-out skew",
            Self::Recovery => "recovery after a cut",
            Self::Bytes => "bytes per delivery",
            Self::Packets => "packets per delivery",
            Self::Cpu => "server CPU per delivery",
            Self::Memory => "server memory per connection",
            Self::Kernel => "kernel memory per connection",
        }
    }

    /// The units in which it is told.
    #[must_use]
    pub fn units(self) -> Units {
        match self {
            Self::Bytes | Self::Memory | Self::Kernel => words::BYTES,
            Self::Packets => words::COUNT,
            _ => words::TIME,
        }
    }

    /// The figure of one round.
    #[must_use]
    pub fn of_round(self, cell: &Cell, round: &Round) -> Option<f64> {
        match self.way() {
            Way::Percentile(distribution, quantile) => {
                let figures = distribution(round)?.figures;
                let value = if quantile < 0.9 { figures.p50_ns } else { figures.p99_ns };
                value.map(exact)
            }
            Way::Quotient(parts) => parts(cell, round).and_then(quotient),
        }
    }

    /// The figure of several rounds together, with its interval. Each of them has to give one.
    #[must_use]
    pub fn of_rounds(self, cell: &Cell, rounds: &[&Round]) -> Option<Estimate> {
        let values: Vec<f64> = rounds.iter().map(|round| self.of_round(cell, round)).collect::<Option<_>>()?;
        let value = match self.way() {
            Way::Percentile(distribution, quantile) => {
                let merged = merged(rounds.iter().filter_map(|round| distribution(round)));
                (!merged.is_empty()).then(|| exact(merged.value_at_quantile(quantile)))
            }
            Way::Quotient(parts) => quotient(sum(rounds.iter().filter_map(|round| parts(cell, round)))),
        }?;
        let interval = Interval::of(values);
        let (low, high) = interval.map_or((value, value), |interval| (interval.low, interval.high));
        Some(Estimate { value, low, high })
    }

    /// The figure in a summary.
    #[must_use]
    pub fn of_summary(self, summary: &Summary) -> Option<Estimate> {
        match self {
            Self::LatencyP50 => summary.latency_p50_ns,
            Self::LatencyP99 => summary.latency_p99_ns,
            Self::FirstMessage => summary.first_message_p50_ns,
            Self::Skew => summary.skew_p50_ns,
            Self::Recovery => summary.recovery_p50_ns,
            Self::Bytes => summary.bytes_per_delivery,
            Self::Packets => summary.packets_per_delivery,
            Self::Cpu => summary.cpu_ns_per_delivery,
            Self::Memory => summary.memory_bytes_per_connection,
            Self::Kernel => summary.kernel_bytes_per_connection,
        }
    }

    fn way(self) -> Way {
        match self {
            Self::LatencyP50 => Way::Percentile(|round| Some(&round.latency), 0.5),
            Self::LatencyP99 => Way::Percentile(|round| Some(&round.latency), 0.99),
            Self::FirstMessage => Way::Percentile(|round| Some(&round.first_message), 0.5),
            Self::Skew => Way::Percentile(|round| Some(&round.skew), 0.5),
            Self::Recovery => Way::Percentile(|round| round.recovery.as_ref().map(|recovery| &recovery.time), 0.5),
            Self::Bytes => Way::Quotient(|_, round| Some((exact(round.bytes.sum()), exact(round.n)))),
            Self::Packets => Way::Quotient(|_, round| {
                round.packets.map(|packets| (exact(total([packets.down, packets.up])), exact(round.n)))
            }),
            Self::Cpu => Way::Quotient(|_, round| Some((exact(round.server?.cpu_ns?), exact(round.n)))),
            Self::Memory => Way::Quotient(|cell, round| Some(per_connection(cell, round.server?.memory?))),
            Self::Kernel => Way::Quotient(|cell, round| Some(per_connection(cell, round.server?.kernel?))),
        }
    }
}

/// All values of several distributions. What cannot be read is left out here, and found by `verify`.
#[must_use]
pub fn merged<'a>(distributions: impl IntoIterator<Item = &'a Distribution>) -> Histogram<u64> {
    let mut all = histogram::new();
    for histogram in distributions.into_iter().filter_map(|distribution| distribution.decode().ok()) {
        // It cannot fail for histograms that this program has written: their bounds are the same.
        let _ = all.add(histogram);
    }
    all
}

fn per_connection(cell: &Cell, memory: MemoryUse) -> (f64, f64) {
    (exact(memory.with_bytes) - exact(memory.without_bytes), f64::from(cell.subscribers))
}

fn quotient((dividend, divisor): (f64, f64)) -> Option<f64> {
    (divisor > 0.0).then(|| dividend / divisor)
}

fn sum(parts: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    parts.fold((0.0, 0.0), |(dividend, divisor), part| (dividend + part.0, divisor + part.1))
}

/// The sum of counts. A report that was made up may hold counts that no sum can hold.
#[must_use]
pub fn total(counts: impl IntoIterator<Item = u64>) -> u64 {
    counts.into_iter().fold(0, u64::saturating_add)
}

/// Counts and times as numbers to calculate with: exact up to 2^53, which is 104 days in nanoseconds.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "see above")]
pub fn exact(count: u64) -> f64 {
    count as f64
}
