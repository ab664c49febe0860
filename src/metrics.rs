//! Counters and one histogram, cheap enough to be in the path of every message.
//!
//! Each worker counts in a shard of its own, so that no two cores fight for a cache line; a scrape adds the shards up.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use crate::channel::{GapReason, Transport, now_us};

/// More shards than most machines have workers; workers beyond share.
const SHARDS: usize = 32;

const TRANSPORTS: usize = Transport::ALL.len();

/// The upper bounds of the latency buckets in microseconds, evenly spaced on a logarithmic axis.
const BUCKETS_US: [u64; 17] = [
    20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
    2_000_000, 5_000_000,
];

/// The counters of one worker, on cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    events: [AtomicU64; TRANSPORTS],
    bytes: [AtomicU64; TRANSPORTS],
    latency: [Histogram; TRANSPORTS],
}

#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; BUCKETS_US.len() + 1],
    sum_us: AtomicU64,
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    shards: Vec<Shard>,
    subscribers: [AtomicUsize; TRANSPORTS],
    gaps: [[AtomicU64; GapReason::ALL.len()]; TRANSPORTS],
    published: AtomicU64,
    connections: AtomicUsize,
    direct: AtomicUsize,
    refusals: Mutex<BTreeMap<&'static str, u64>>,
    channels: AtomicUsize,
    log_bytes: AtomicUsize,
}

thread_local! {
    static SHARD: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS
    };
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            subscribers: Default::default(),
            gaps: Default::default(),
            published: AtomicU64::default(),
            connections: AtomicUsize::default(),
            direct: AtomicUsize::default(),
            refusals: Mutex::default(),
            channels: AtomicUsize::default(),
            log_bytes: AtomicUsize::default(),
        }
    }
}

impl Metrics {
    fn shard(&self) -> &Shard {
        &self.shards[SHARD.with(|index| *index)]
    }

    /// Counts events handed to a transport.
    pub fn events(&self, transport: Transport, count: usize) {
        self.shard().events[transport as usize].fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Counts bytes handed to a transport.
    pub fn bytes(&self, transport: Transport, count: usize) {
        self.shard().bytes[transport as usize].fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Records how long the oldest message of a write waited between its append and the write.
    pub fn publish_to_write(&self, transport: Transport, appended_at_us: u64) {
        let waited = now_us().saturating_sub(appended_at_us);
        let histogram = &self.shard().latency[transport as usize];
        let bucket = BUCKETS_US.partition_point(|&bound| bound < waited);
        histogram.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        histogram.sum_us.fetch_add(waited, Ordering::Relaxed);
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

    fn sum(&self, of: impl Fn(&Shard) -> &AtomicU64) -> u64 {
        self.shards.iter().map(|shard| of(shard).load(Ordering::Relaxed)).sum()
    }

    fn encode_latency(&self, encoder: &mut MetricEncoder<'_>, transport: Transport) -> fmt::Result {
        let of = transport as usize;
        let bounds = BUCKETS_US.iter().map(|&us| micros(us)).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds
            .enumerate()
            .map(|(index, bound)| (bound, self.sum(|shard| &shard.latency[of].buckets[index])))
            .collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = micros(self.sum(|shard| &shard.latency[of].sum_us));
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
        let by_transport = |of: fn(&Shard) -> &[AtomicU64; TRANSPORTS]| {
            Transport::ALL.map(|transport| {
                (transport.as_str(), ConstCounter::new(self.sum(|shard| &of(shard)[transport as usize])))
            })
        };
        let events = ("fallcast_events", "Messages handed to subscribers", MetricType::Counter);
        family(encoder, events, "transport", by_transport(|shard| &shard.events))?;
        let bytes = ("fallcast_bytes", "Bytes of events handed to subscribers", MetricType::Counter);
        family(encoder, bytes, "transport", by_transport(|shard| &shard.bytes))?;
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
