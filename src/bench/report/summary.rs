//! What the rounds say together.

use serde::{Deserialize, Serialize};

use super::{Validity, distribution::Figures};

/// What the valid rounds of a cell say together.
///
/// Distributions are merged, value by value, before any percentile is read. Costs are divided when they are added up. The
/// interval of each figure comes from the rounds, each of which gives one value: see [`Estimate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// The numbers of the rounds that count.
    pub rounds: Vec<u32>,
    /// How probable it is that the interval of an [`Estimate`] holds the true median over rounds; absent for a single
    /// round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// Sums over these rounds.
    pub totals: Totals,
    /// Latency of all of them.
    pub latency: Figures,
    /// Time to the first message, likewise.
    pub first_message: Figures,
    /// Fan-out skew, likewise.
    pub skew: Figures,
    /// Time to the first new message after a cut, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Figures>,
    /// The median latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_p50_ns: Option<Estimate>,
    /// The 99th percentile of latency, if every round carries one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_p99_ns: Option<Estimate>,
    /// The median time to the first message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_message_p50_ns: Option<Estimate>,
    /// The median fan-out skew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew_p50_ns: Option<Estimate>,
    /// The median recovery time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_p50_ns: Option<Estimate>,
    /// Bytes per delivery, both ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_delivery: Option<Estimate>,
    /// Packets per delivery, both ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets_per_delivery: Option<Estimate>,
    /// The server's processor time per delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ns_per_delivery: Option<Estimate>,
    /// The server's memory per connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes_per_connection: Option<Estimate>,
    /// The kernel's memory per connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_bytes_per_connection: Option<Estimate>,
}

/// Sums over rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Messages published.
    pub messages: u64,
    /// Deliveries that this makes.
    pub expected: u64,
    /// Deliveries that took place.
    pub n: u64,
    /// Deliveries that did not.
    pub lost: u64,
    /// Deliveries of what was there already.
    pub repeated: u64,
    /// Deliveries that came after a message which was published when the server had said that it has this one. Two
    /// publications that are under way at once have no order.
    pub reordered: u64,
    /// Messages with wrong bytes.
    pub damaged: u64,
    /// Connections that had to be opened anew.
    pub reconnects: u64,
}

/// A figure with its interval over rounds.
///
/// The interval reaches from the k-th smallest value of a round to the k-th largest. It holds the true median with the
/// probability [`Summary::coverage`], whatever the distribution is: with five rounds k is 1, and the probability 94 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The figure, from all rounds together.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The highest rate at which a bound was kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ceiling {
    /// The name of the [`Target`](super::Target).
    pub target: String,
    /// As in a [`Cell`](super::Cell).
    pub transport: String,
    /// As in a [`Cell`](super::Cell).
    pub subscribers: u32,
    /// As in a [`Cell`](super::Cell).
    pub size_bytes: u32,
    /// As in a [`Cell`](super::Cell).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// The percentile that is bounded, from 0 to 1: 0.99.
    pub quantile: f64,
    /// Its bound.
    pub bound_ns: u64,
    /// The highest rate that kept it in a valid run, in messages per second. Absent if none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// The runs of the search, in order.
    pub steps: Vec<Step>,
}

/// One run of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Messages per second.
    pub rate: f64,
    /// Deliveries that took place.
    pub n: u64,
    /// Deliveries that did not.
    pub lost: u64,
    /// The percentile that is bounded, as it was here.
    pub quantile_ns: u64,
    /// Whether it kept the bound, and nothing was lost.
    pub held: bool,
    /// Whether it counts.
    pub validity: Validity,
}
