//! Counters and one histogram, cheap enough to be in the path of every message.
//!
//! Each worker counts in a tally of its own, so that no two cores fight for a cache line and none has to lock one; a
//! scrape adds the tallies up.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use crate::channel::{GapReason, Transport};

const TRANSPORTS: usize = Transport::ALL.len();

/// The upper bounds of the latency buckets in microseconds, evenly spaced on a logarithmic axis.
const BUCKETS_US: [u64; 17] = [
    20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
    2_000_000, 5_000_000,
];

/// A count that one thread adds to and any thread reads. With a single writer a plain load and store lose nothing, and
/// cost a tenth of an atomic addition.
#[derive(Debug, Default)]
struct Count(AtomicU64);

impl Count {
    fn add(&self, more: u64) {
        self.0.store(self.get().wrapping_add(more), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one worker counts, on cache lines of its own. Only that worker's thread may add to it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Tally {
    events: [Count; TRANSPORTS],
    bytes: [Count; TRANSPORTS],
    latency: [Histogram; TRANSPORTS],
}

#[derive(Debug, Default)]
struct Histogram {
    buckets: [Count; BUCKETS_US.len() + 1],
    sum_us: Count,
}

impl Tally {
    /// Counts events handed to a transport.
    pub fn events(&self, transport: Transport, count: usize) {
        self.events[transport as usize].add(count as u64);
    }

    /// Counts bytes handed to a transport.
    pub fn bytes(&self, transport: Transport, count: usize) {
        self.bytes[transport as usize].add(count as u64);
    }

    /// Records how long the oldest message of a write waited between its append and the write, in microseconds.
    pub fn publish_to_write(&self, transport: Transport, waited_us: u64) {
        let histogram = &self.latency[transport as usize];
        histogram.buckets[BUCKETS_US.partition_point(|&bound| bound < waited_us)].add(1);
        histogram.sum_us.add(waited_us);
    }
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Metrics {
    tallies: Mutex<Vec<Arc<Tally>>>,
    subscribers: [AtomicUsize; TRANSPORTS],
    gaps: [[AtomicU64; GapReason::ALL.len()]; TRANSPORTS],
    published: AtomicU64,
    connections: AtomicUsize,
    direct: AtomicUsize,
    refusals: Mutex<BTreeMap<&'static str, u64>>,
    channels: AtomicUsize,
    log_bytes: AtomicUsize,
}

impl Metrics {
    /// Returns a new tally, for a thread that begins to count.
    pub fn tally(&self) -> Arc<Tally> {
        let tally = Arc::new(Tally::default());
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&tally));
        tally
    }

    /// Counts a gap.
    pub fn gap(&self, transport: Transport, reason: GapReason) {
        self.gaps[transport as usize][reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a message appended.
    pub fn published(&self) {
        self.published.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request or connection that was refused.
    pub fn refusal(&self, reason: &'static str) {
        *self.refusals.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += 1;
    }

    /// Sets what is known of the hub.
    pub fn set_hub(&self, channels: usize, log_bytes: usize, subscribers: [usize; TRANSPORTS]) {
        self.channels.store(channels, Ordering::Relaxed);
        self.log_bytes.store(log_bytes, Ordering::Relaxed);
        for (gauge, count) in self.subscribers.iter().zip(subscribers) {
            gauge.store(count, Ordering::Relaxed);
        }
    }

    /// Sets how many connections are open.
    pub fn set_connections(&self, count: usize) {
        self.connections.store(count, Ordering::Relaxed);
    }

    /// Counts a connection in whose socket has left the framework.
    pub fn connection_left_framework(&self) {
        self.direct.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts it out again: it has ended, or come back.
    pub fn connection_left_stage(&self) {
        self.direct.fetch_sub(1, Ordering::Relaxed);
    }

    fn sum(&self, of: impl Fn(&Tally) -> &Count) -> u64 {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|tally| of(tally).get()).sum()
    }

    fn encode_latency(&self, encoder: &mut MetricEncoder<'_>, transport: Transport) -> fmt::Result {
        let of = transport as usize;
        let bounds = BUCKETS_US.iter().map(|&us| micros(us)).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds
            .enumerate()
            .map(|(index, bound)| (bound, self.sum(|tally| &tally.latency[of].buckets[index])))
            .collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = micros(self.sum(|tally| &tally.latency[of].sum_us));
        encoder.encode_histogram::<[(&str, &str); 0]>(sum, count, &buckets, None)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a sum of microseconds is exact up to 285 years")]
fn micros(us: u64) -> f64 {
    us as f64 / 1e6
}

/// Writes one metric with a label for each of its values.
fn family<T: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, kind): (&str, &str, MetricType),
    label: &'static str,
    values: impl IntoIterator<Item = (&'static str, T)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
    values.into_iter().try_for_each(|(value, of)| of.encode(metric.encode_family(&[(label, value)])?))
}

impl Metrics {
    fn encode_traffic(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let by_transport = |of: fn(&Tally) -> &[Count; TRANSPORTS]| {
            Transport::ALL.map(|transport| {
                (transport.as_str(), ConstCounter::new(self.sum(|tally| &of(tally)[transport as usize])))
            })
        };
        let events = ("fallcast_events", "Messages handed to subscribers", MetricType::Counter);
        family(encoder, events, "transport", by_transport(|tally| &tally.events))?;
        let bytes = ("fallcast_bytes", "Bytes of events handed to subscribers", MetricType::Counter);
        family(encoder, bytes, "transport", by_transport(|tally| &tally.bytes))?;
        let latency = "From the append of a message to its write, the oldest of each write, in seconds";
        let mut metric =
            encoder.encode_descriptor("fallcast_publish_to_write_seconds", latency, None, MetricType::Histogram)?;
        Transport::ALL.into_iter().try_for_each(|transport| {
            self.encode_latency(&mut metric.encode_family(&[("transport", transport.as_str())])?, transport)
        })
    }

    fn encode_state(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let gauge =
            |value: &AtomicUsize| ConstGauge::new(i64::try_from(value.load(Ordering::Relaxed)).unwrap_or(i64::MAX));
        let subscribers = ("fallcast_subscribers", "Subscribers now", MetricType::Gauge);
        let by_transport =
            Transport::ALL.map(|transport| (transport.as_str(), gauge(&self.subscribers[transport as usize])));
        family(encoder, subscribers, "transport", by_transport)?;
        for (name, help, value) in [
            ("fallcast_connections", "TCP connections now", &self.connections),
            ("fallcast_direct_connections", "TCP connections now that are delivered to directly", &self.direct),
            ("fallcast_channels", "Channels now", &self.channels),
            ("fallcast_log_bytes", "Bytes of all logs, encoded copies included", &self.log_bytes),
        ] {
            gauge(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        Ok(())
    }

    fn encode_faults(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let published = ConstCounter::new(self.published.load(Ordering::Relaxed));
        let help = "Messages appended to logs";
        published.encode(encoder.encode_descriptor("fallcast_published", help, None, MetricType::Counter)?)?;
        let help = "Gaps told to subscribers";
        let mut gaps = encoder.encode_descriptor("fallcast_gaps", help, None, MetricType::Counter)?;
        for (transport, reason) in Transport::ALL.iter().flat_map(|of| GapReason::ALL.map(|reason| (*of, reason))) {
            let count = self.gaps[transport as usize][reason as usize].load(Ordering::Relaxed);
            let labels = [("transport", transport.as_str()), ("reason", reason.as_str())];
            ConstCounter::new(count).encode(gaps.encode_family(&labels)?)?;
        }
        let refusals = ("fallcast_refusals", "Requests and connections refused", MetricType::Counter);
        let by_reason = self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone();
        family(
            encoder,
            refusals,
            "reason",
            by_reason.into_iter().map(|(reason, count)| (reason, ConstCounter::new(count))),
        )
    }
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_traffic(&mut encoder)?;
        self.encode_state(&mut encoder)?;
        self.encode_faults(&mut encoder)
    }
}
