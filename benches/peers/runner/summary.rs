//! What the samples amount to: medians, and the ratios to the limit and to fallcast within pairs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    cell::Cell,
    contender::{DIRECT, LIMIT, STREAMING, rank},
    record::Entry,
};
use crate::fanout::{sample::Sample, statistics::Summary};

/// The share of its core from which on a process counts as busy all the time.
const BUSY: f64 = 0.9;

/// What a sample says about a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// With one message in flight.
    CpuNsPerDelivery,
    /// Saturated.
    DeliveriesPerSecond,
    /// At a low rate, in microseconds.
    P50Us,
    P99Us,
    /// Received by a subscriber, with one message in flight.
    BytesPerDelivery,
    /// Idle, in bytes (PSS).
    MemoryPerConnection,
    ConnectsPerSecond,
}

impl Quantity {
    const ALL: [Self; 7] = [
        Self::CpuNsPerDelivery,
        Self::DeliveriesPerSecond,
        Self::P50Us,
        Self::P99Us,
        Self::BytesPerDelivery,
        Self::MemoryPerConnection,
        Self::ConnectsPerSecond,
    ];

    fn of(self, sample: &Sample) -> Option<f64> {
        Some(match self {
            Self::CpuNsPerDelivery => sample.one_in_flight.server_cpu_ns_per_delivery,
            Self::DeliveriesPerSecond => sample.saturated.as_ref()?.deliveries_per_second,
            Self::P50Us => sample.latency.as_ref()?.p50_us,
            Self::P99Us => sample.latency.as_ref()?.p99_us,
            Self::BytesPerDelivery => sample.one_in_flight.received_bytes_per_delivery,
            Self::MemoryPerConnection => sample.memory_per_connection,
            Self::ConnectsPerSecond => sample.connects_per_second,
        })
    }
}

/// One contender in one cell.
#[derive(Clone, Serialize, Deserialize)]
pub struct Row {
    #[serde(flatten)]
    pub cell: Cell,
    pub contender: String,
    pub samples: usize,
    /// Why there are not more, each reason once.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub failures: Vec<String>,
    /// Saturated samples in which the load generator was busy all the time and the server was not: their rates are too
    /// low.
    pub generator_was_limit: usize,
    /// Saturated samples in which at times neither ran: the machine was busy with other things.
    pub disturbed: usize,
    pub quantities: BTreeMap<Quantity, Figures>,
}

/// A quantity, and how it compares.
#[derive(Clone, Serialize, Deserialize)]
pub struct Figures {
    #[serde(flatten)]
    pub value: Summary,
    /// This contender's value divided by that of each of the others that a reader compares with, pair by pair.
    pub ratio_to: BTreeMap<String, Summary>,
}

/// One row for each contender in each cell, in the order of the tables.
pub fn rows(samples: &[Entry]) -> Vec<Row> {
    let mut places: Vec<(Cell, &str)> = samples
        .iter()
        .map(|entry| (entry.cell, entry.contender.as_str()))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    places.sort_by_key(|&(cell, contender)| (cell, rank(contender)));
    places.into_iter().map(|(cell, contender)| row(samples, cell, contender)).collect()
}

fn row(samples: &[Entry], cell: Cell, contender: &str) -> Row {
    let in_cell: Vec<&Entry> = samples.iter().filter(|entry| entry.cell == cell).collect();
    let own: Vec<&Entry> = in_cell.iter().copied().filter(|entry| entry.contender == contender).collect();
    let saturated = || own.iter().filter_map(|entry| entry.sample()?.saturated.as_ref());
    let failures: BTreeSet<&str> = own.iter().filter_map(|entry| entry.failure()).collect();
    Row {
        cell,
        contender: contender.to_owned(),
        samples: own.iter().filter(|entry| entry.sample().is_some()).count(),
        failures: failures.into_iter().map(str::to_owned).collect(),
        generator_was_limit: saturated()
            .filter(|phase| phase.generator_load > BUSY && phase.server_load < BUSY)
            .count(),
        disturbed: saturated().filter(|phase| phase.generator_load + phase.server_load < BUSY).count(),
        quantities: Quantity::ALL
            .into_iter()
            .filter_map(|quantity| Some((quantity, figures(quantity, &in_cell, contender)?)))
            .collect(),
    }
}

fn figures(quantity: Quantity, in_cell: &[&Entry], contender: &str) -> Option<Figures> {
    let own = by_pair(quantity, in_cell, contender);
    let others: BTreeSet<&str> = in_cell.iter().map(|entry| entry.contender.as_str()).collect();
    // Fallcast is compared with everybody, everybody with the limit.
    let compared = others
        .into_iter()
        .filter(|&other| other != contender && (other == LIMIT || contender == DIRECT || contender == STREAMING));
    let ratio_to = compared.filter_map(|other| {
        let theirs = by_pair(quantity, in_cell, other);
        // What costs nothing is no measure: the limit holds no memory for a connection.
        let ratios = own.iter().filter_map(|(pair, value)| Some(value / theirs.get(pair)?).filter(|it| it.is_finite()));
        Some((other.to_owned(), Summary::of(ratios)?))
    });
    Some(Figures { value: Summary::of(own.values().copied())?, ratio_to: ratio_to.collect() })
}

fn by_pair(quantity: Quantity, in_cell: &[&Entry], contender: &str) -> BTreeMap<u16, f64> {
    let own = in_cell.iter().filter(|entry| entry.contender == contender);
    own.filter_map(|entry| Some((entry.pair, quantity.of(entry.sample()?)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::record::Outcome;

    fn entry(pair: u16, contender: &str, cpu: f64) -> Entry {
        let sample = format!(
            r#"{{"transport":"sse","subscribers":100,"payload":64,"pair":{pair},"contender":"{contender}",
            "connects_per_second":1,"memory_per_connection":1,"saturated":null,"one_in_flight":{{"deliveries":1,
            "seconds":1,"deliveries_per_second":1,"server_cpu_ns_per_delivery":{cpu},"received_bytes_per_delivery":1,
            "sent_bytes_per_delivery":0,"server_load":1,"generator_load":1}}}}"#
        );
        serde_json::from_str(&sample).expect("an entry of the results")
    }

    #[test]
    fn ratios_are_taken_within_pairs() {
        let mut samples =
            vec![entry(1, LIMIT, 1.0), entry(1, DIRECT, 2.0), entry(2, DIRECT, 30.0), entry(2, LIMIT, 10.0)];
        samples.push(Entry { outcome: Outcome::Failure { failure: "it hung".to_owned() }, ..entry(1, "nchan", 0.0) });
        let rows = rows(&samples);
        assert_eq!(rows.iter().map(|row| row.contender.as_str()).collect::<Vec<_>>(), [LIMIT, DIRECT, "nchan"]);
        let cpu = &rows[1].quantities[&Quantity::CpuNsPerDelivery];
        assert_eq!(cpu.value, Summary { median: 16.0, min: 2.0, max: 30.0 });
        assert_eq!(cpu.ratio_to[LIMIT], Summary { median: 2.5, min: 2.0, max: 3.0 });
        assert_eq!((rows[2].samples, rows[2].failures.as_slice()), (0, ["it hung".to_owned()].as_slice()));
        assert!(rows[2].quantities.is_empty());
    }
}
