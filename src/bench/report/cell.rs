//! What was measured: cells, and in each of them rounds.

use serde::{Deserialize, Serialize};

use super::{distribution::Distribution, summary::Summary};

/// One transport under one load: what a line of the table shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// A name that is unique in the report and fit to be a file's: `fallcast.websocket.1000x50x64`.
    pub id: String,
    /// The name of the [`Target`](super::Target).
    pub target: String,
    /// `websocket`, `sse`, `long-poll`, `stream`, or `short-poll=500ms`.
    pub transport: String,
    /// How many subscribers there were.
    pub subscribers: u32,
    /// Messages per second, all together.
    pub rate: f64,
    /// The size of each message.
    pub size_bytes: u32,
    /// The way between subscribers and server, if it is not the direct one: `lab:mobile-3g`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// What was measured, in the order of time.
    pub rounds: Vec<Round>,
    /// What the valid rounds say together. Absent if none is valid. Computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// If none is valid: what all rounds say together. It counts for nothing, and is there to be looked at. Computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubtful: Option<Summary>,
}

impl Cell {
    /// What is known of the cell, whether it counts or not.
    #[must_use]
    pub const fn known(&self) -> Option<&Summary> {
        match &self.summary {
            Some(summary) => Some(summary),
            None => self.doubtful.as_ref(),
        }
    }
}

/// One measurement of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Round {
    /// Its number, from 1.
    pub round: u32,
    /// The cell's place in the order of this round, from 1.
    pub place: u32,
    /// When what counts began, from the beginning of the run.
    pub started_s: f64,
    /// Whether it counts.
    pub validity: Validity,
    /// Messages that were published.
    pub messages: u64,
    /// Deliveries that this makes: messages × subscribers.
    pub expected: u64,
    /// Deliveries that took place. Each is one value of `latency`; `n` + `lost` = `expected`.
    pub n: u64,
    /// Deliveries that did not take place, or only with damage.
    pub lost: u64,
    /// Deliveries of what the subscriber had already. They are in no histogram.
    pub repeated: u64,
    /// Deliveries that came after a message which was published when the server had said that it has this one. Two
    /// publications that are under way at once have no order.
    pub reordered: u64,
    /// Messages that arrived with other bytes than were published. They count as lost.
    pub damaged: u64,
    /// How often subscribers had to connect anew.
    pub reconnects: u64,
    /// From the planned time of a message to its arrival at a subscriber.
    pub latency: Distribution,
    /// From the call of connect to the first event, one value for each subscriber.
    pub first_message: Distribution,
    /// From a message's arrival at the first subscriber to its arrival at the last, one value for each message.
    pub skew: Distribution,
    /// Latency over time.
    pub timeline: Timeline,
    /// Bytes at the subscribers' sockets.
    pub bytes: Bytes,
    /// Packets there, where they can be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<Packets>,
    /// Requests of subscribers while it was measured.
    pub requests: u64,
    /// Connections that subscribers opened while it was measured.
    pub connections: u64,
    /// What it cost the server, where that can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerCost>,
    /// How the generator itself was doing.
    pub generator: Generator,
    /// What happened after some subscribers were cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
    /// When the server was stopped, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze: Option<Freeze>,
}

/// Whether a round counts. One in which the generator was what was slow says nothing about the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validity {
    /// Whether it counts.
    pub valid: bool,
    /// Why it does not: each a sentence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// What to do about it: each a sentence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advice: Vec<String>,
}

/// Latency over time: each column has one entry for each step, in order, by the planned time of the messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    /// The length of a step.
    pub step_ms: u32,
    /// Deliveries of the messages that were due in this step.
    pub n: Vec<u64>,
    /// Their median; `null` if there was none.
    pub p50_ns: Vec<Option<u64>>,
    /// Their 99th percentile; `null` if there were fewer than 1,000.
    pub p99_ns: Vec<Option<u64>>,
    /// The slowest of them.
    pub max_ns: Vec<Option<u64>>,
}

/// Bytes at the sockets of all subscribers while it was measured: what is below TCP is not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bytes {
    /// From the server.
    pub down: Down,
    /// To the server.
    pub up: Up,
}

/// Bytes from the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Down {
    /// The messages themselves.
    pub payload_bytes: u64,
    /// What carries them: frame heads, field names, ids, chunk sizes, envelopes, heartbeats.
    pub framing_bytes: u64,
    /// Status lines and header fields.
    pub header_bytes: u64,
}

/// Bytes to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Up {
    /// Request lines and header fields.
    pub request_bytes: u64,
    /// Frames: answers to pings.
    pub framing_bytes: u64,
}

/// Packets, or what comes closest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packets {
    /// What was counted.
    pub source: PacketSource,
    /// From the server.
    pub down: u64,
    /// To the server.
    pub up: u64,
}

/// What counted packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PacketSource {
    /// The kernel: TCP segments, acknowledgments included (Linux, `TCP_INFO`).
    Segments,
    /// The generator: its reads and writes. There are at least as many packets.
    Calls,
}

/// What a round cost the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerCost {
    /// Processor time of all its threads while it was measured, in the kernel and outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ns: Option<u64>,
    /// Its memory, without subscribers and with all of them connected and idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryUse>,
    /// What the kernel holds for its sockets, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<MemoryUse>,
}

/// Memory without subscribers, and with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryUse {
    /// What was read.
    pub kind: MemoryKind,
    /// Before the subscribers connected, when a few of another channel were there already.
    pub without_bytes: u64,
    /// When all were connected.
    pub with_bytes: u64,
}

/// What a [`MemoryUse`] was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryKind {
    /// Proportional set size (Linux, `smaps_rollup`).
    Pss,
    /// Resident set size.
    Rss,
    /// Socket buffers of the server's sockets alone.
    Sockets,
    /// Socket buffers of the whole machine, so of both ends.
    SocketsOfMachine,
}

/// How the generator itself was doing while it measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generator {
    /// Processor time of its thread, as a share of one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// From the planned time of a message to its publication.
    pub lag: Distribution,
    /// How long it took to read from all sockets that were ready, once.
    pub sweep: Distribution,
}

/// What happened after some subscribers were cut off, in a phase of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recovery {
    /// Connections that were cut.
    pub cut: u32,
    /// From the cut to the first new message, one value for each subscriber that came back.
    pub time: Distribution,
    /// Deliveries that the cut subscribers never got.
    pub lost: u64,
    /// Deliveries that they got twice.
    pub repeated: u64,
}

/// When the server was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// From the beginning of what counts.
    pub at_ms: u64,
    /// For how long.
    pub for_ms: u64,
}
