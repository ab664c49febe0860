//! Observations: what was seen of the way to a server, before anybody says what it means.
//!
//! The command fills them in over its own sockets, the page `/doctor` over those of its browser, as far as it can see. All
//! times are in milliseconds by the clock of whoever looks, unless it is said otherwise.

use serde::{Deserialize, Serialize};

/// Everything that was seen. What was not looked at is missing.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Observations {
    /// Who looked.
    pub seen_from: SeenFrom,
    /// The address that was examined.
    pub url: String,
    /// What the server says of itself; `None` if it does not answer as a fallcast server does.
    pub offer: Option<Offer>,
    /// When nothing got through for a while.
    pub outages: Vec<Outage>,
    /// Questions whose connections broke each time, with the fault.
    pub unanswered: Vec<String>,
    /// The two clocks, and the way between them.
    pub clock: Option<Clock>,
    /// What became of a request and its answer.
    pub way: Option<Way>,
    /// What became of a WebSocket's handshake.
    pub upgrade: Option<Upgrade>,
    /// What became of streams.
    pub pieces: Vec<Pieces>,
    /// What became of silent connections.
    pub idle: Option<Idle>,
    /// How many streams are possible at a time.
    pub streams: Option<Streams>,
    /// Whether requests arrive as often as they are sent.
    pub duplicates: Option<Duplicates>,
    /// How long a message takes, by transport.
    pub latency: Vec<Latency>,
    /// What the server's machine has for a class.
    pub room: Option<Room>,
}

/// Who looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeenFrom {
    /// The command, which sees every byte.
    #[default]
    CommandLine,
    /// A page, which sees what its browser shows it.
    Browser,
}

/// What a server says of itself.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Offer {
    /// How often it breaks the silence of a subscription.
    pub heartbeat_ms: f64,
    /// How long it holds a poll at most.
    pub poll_hold_ms: f64,
    /// Whether it shows whoever asks what room there is.
    #[serde(default)]
    pub may_see_room: bool,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It did not, for as long as anybody looked.
    Lived,
    /// In order, by FIN.
    Fin,
    /// By RST.
    Reset,
    /// It did not end, but nothing came through any more.
    Silence,
    /// Somehow; a page is not told.
    Ended,
    /// Another answer came than the one that was asked for.
    Answered,
    /// It never began.
    NotOpened,
}

/// A time in which nothing got through.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Outage {
    /// When it began, counted from the beginning of the examination.
    pub after_ms: f64,
    /// How long it lasted.
    pub lasted_ms: f64,
    /// What became of connections meanwhile.
    pub how: End,
}

/// The server's clock beside the own one (Cristian's method), and the round trips that were needed to tell.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Clock {
    /// How far the server's clock is ahead.
    pub offset_ms: f64,
    /// By how much that may be wrong: half of the smallest round trip.
    pub bound_ms: f64,
    /// The smallest round trip.
    pub round_trip_ms: f64,
    /// The round trip in the middle.
    pub median_ms: f64,
    /// How many exchanges there were.
    pub exchanges: u32,
}

/// What became of a request and its answer.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Way {
    /// The version of the answer.
    pub version_here: Option<String>,
    /// The version of the request when it arrived.
    pub version_there: Option<String>,
    /// What TLS agreed upon when HTTP/2 was offered.
    pub negotiated: Option<String>,
    /// The own address of the connection.
    pub address_here: Option<String>,
    /// The address from which the server says that the request came.
    pub address_there: Option<String>,
    /// The fields of the request when it was sent; of a page, those that it set itself.
    pub requested: Vec<(String, String)>,
    /// The fields of the request when it arrived. Not every value is told.
    pub arrived: Vec<(String, Option<String>)>,
    /// Fields of the answer when it was sent.
    pub sent: Vec<(String, String)>,
    /// All fields of the answer when it was received.
    pub received: Vec<(String, String)>,
    /// What became of an answer's coding when compression was allowed; empty is none.
    pub coding: Option<String>,
    /// What a request that is no HTTP was answered.
    pub complaint: Option<Complaint>,
}

/// The answer of whoever complains first about a request that is no HTTP.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Complaint {
    /// Its field `Server`.
    pub server: Option<String>,
    /// The beginning of its body.
    pub body: String,
}

/// What became of a WebSocket's handshake.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Upgrade {
    /// What happened.
    pub outcome: Handshake,
    /// The status of an answer that was no upgrade.
    #[serde(default)]
    pub status: Option<u16>,
    /// The field `Server` of such an answer.
    #[serde(default)]
    pub server: Option<String>,
    /// The beginning of its body.
    #[serde(default)]
    pub body: String,
    /// How long it took until the first message, or until it was clear that none comes.
    pub took_ms: f64,
}

/// What may happen to a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handshake {
    /// Messages go both ways.
    Passed,
    /// It reached the server without its `Upgrade`.
    Stripped,
    /// Something between answered in the server's place.
    Refused,
    /// The server itself refused.
    RefusedByServer,
    /// It was accepted, and nothing comes.
    Mute,
    /// It was accepted and messages come, but what is sent does not arrive.
    OneWay,
    /// The connection ended without an answer.
    Dropped,
    /// There was no answer.
    Unanswered,
}

/// A stream of pieces.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Pieces {
    /// What the stream was for.
    pub of: Stream,
    /// The coding of the answer.
    #[serde(default)]
    pub coding: Option<String>,
    /// How many pieces were sent.
    pub expected: u64,
    /// How many bytes each has, framing included.
    pub bytes: f64,
    /// When which was sent and when it arrived, counted from the request.
    pub seen: Vec<(f64, f64)>,
    /// When the answer ended, or when nobody waited any longer.
    pub ended_ms: f64,
    /// Whether it ended as it should.
    pub is_whole: bool,
}

/// What a stream of pieces was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Server-sent events.
    Events,
    /// Lines of JSON.
    Lines,
    /// Events that do not ask proxies to pass them on.
    Plain,
    /// Large events, to see how many bytes are held.
    Fill,
    /// Large events that do not ask proxies to pass them on.
    FillPlain,
}

/// What became of silent connections.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Idle {
    /// How long they were silent at most.
    pub patience_ms: f64,
    /// The connections.
    pub lines: Vec<IdleLine>,
}

/// One connection on which nothing was said, or little.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct IdleLine {
    /// What kind of connection.
    pub kind: LineKind,
    /// How often the server broke the silence, if it did.
    #[serde(default)]
    pub beat_ms: Option<f64>,
    /// How it ended.
    pub end: End,
    /// The status, if something else answered.
    #[serde(default)]
    pub status: Option<u16>,
    /// How long it had been silent when it ended.
    pub silent_ms: f64,
}

/// A kind of connection that can be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineKind {
    /// A WebSocket.
    Websocket,
    /// An answer without an end.
    Stream,
    /// An answer that does not begin.
    Poll,
}

/// How many streams are possible at a time.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Streams {
    /// How many were opened.
    pub asked: u32,
    /// How many began before any of them ended.
    pub at_once: u32,
    /// How many began at all.
    pub in_all: u32,
}

/// Whether requests arrive as often as they are sent.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Duplicates {
    /// How many were sent.
    pub sent: u32,
    /// How many arrived.
    pub arrived: u32,
}

/// How long a message takes from its publication until it is back.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Latency {
    /// The transport.
    pub transport: Transport,
    /// The times.
    pub times_ms: Vec<f64>,
    /// How many did not come back in time.
    pub lost: u32,
    /// How long each was waited for.
    pub patience_ms: f64,
}

/// A transport, in the order in which they are preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// WebSocket.
    Websocket,
    /// Server-sent events.
    Sse,
    /// Lines of JSON.
    Stream,
    /// Long-polling.
    LongPoll,
}

impl Transport {
    /// All of them, the best first.
    pub const ALL: [Self; 4] = [Self::Websocket, Self::Sse, Self::Stream, Self::LongPoll];

    /// Its name in a sentence.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Websocket => "WebSocket",
            Self::Sse => "server-sent events",
            Self::Stream => "the HTTP stream",
            Self::LongPoll => "long-polling",
        }
    }
}

/// What the server's machine has for a class.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Room {
    /// The limit of descriptors that holds.
    pub soft_descriptors: Option<u64>,
    /// The limit up to which it can be raised without privileges.
    pub hard_descriptors: Option<u64>,
    /// What `--max-connections` says; 0 is as many as there are descriptors for.
    pub asked_for: usize,
    /// How many connections there may be.
    pub max_connections: usize,
    /// How many there are.
    pub open_connections: usize,
    /// Processor cores.
    pub cores: usize,
    /// The server's threads.
    pub workers: usize,
    /// Whether it listens for others than this machine.
    pub is_public: bool,
    /// The addresses by which others can reach it.
    pub urls: Vec<String>,
    /// A firewall that says of itself that it is on.
    pub firewall: Option<String>,
    /// Those of the addresses at which nobody answers, even from this machine.
    pub deaf_urls: Vec<String>,
    /// The addresses of this machine in its networks.
    pub networks: Vec<String>,
}
