//! What a subscription yields: one model of events that every transport frames in its own way.
//!
//! The fields are those of the protocol page; their names here are their names on the wire.

use serde::Serialize;

use super::{
    cursor::Cursor,
    message::{ClientName, DisplayName, MemberId},
};

/// The version of the protocol, told in every `hello`.
pub const PROTOCOL_VERSION: u8 = 1;

/// Every event except `message`, whose encoding is shared between subscribers and made by `wire` from the log.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The first event of a subscription.
    Hello(Hello),
    /// Continuity is broken.
    Gap(Gap),
    /// Somebody came or left, or the full list of who is here.
    Presence(PresenceEvent),
    /// A proof of life.
    Heartbeat(Heartbeat),
    /// The server lets go of this subscription.
    Goodbye(Goodbye),
}

impl Event {
    /// The event's name on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Gap(_) => "gap",
            Self::Presence(_) => "presence",
            Self::Heartbeat(_) => "heartbeat",
            Self::Goodbye(_) => "goodbye",
        }
    }
}

/// The transports, under their names on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// WebSocket (RFC 6455).
    Websocket,
    /// Server-sent events (WHATWG HTML §9.2).
    Sse,
    /// Long-polling (RFC 6202 §2).
    LongPoll,
    /// Newline-delimited JSON over one endless response.
    Stream,
}

impl Transport {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 4] = [Self::Websocket, Self::Sse, Self::LongPoll, Self::Stream];

    /// The transport's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Websocket => "websocket",
            Self::Sse => "sse",
            Self::LongPoll => "long-poll",
            Self::Stream => "stream",
        }
    }
}

/// The subscription exists from here on.
#[derive(Clone, Debug, Serialize)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`].
    pub protocol: u8,
    /// The position asked for, with `start` and `end` resolved.
    pub cursor: Option<Cursor>,
    /// The head of the channel when the subscription began, so that a client can see whether the rest is held back.
    pub head: Cursor,
    /// The client's secret name, its own or one that the server made.
    #[serde(serialize_with = "reveal")]
    pub client: ClientName,
    /// The client's public name.
    pub member: MemberId,
    /// The transport that carries the subscription.
    pub transport: Transport,
    /// How long the server is silent at most, in milliseconds.
    pub heartbeat_ms: u64,
    /// How long an idempotency key is remembered, in milliseconds.
    pub key_window_ms: u64,
}

/// The one place where the secret goes out: to the client that it belongs to.
fn reveal<S: serde::Serializer>(client: &ClientName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(client.as_str())
}

/// Why continuity is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// The messages after the position asked for are no longer retained.
    Evicted,
    /// The position belongs to another log, lies ahead of this one, or cannot be read.
    Epoch,
    /// The subscriber fell off the log while it was connected.
    Slow,
}

impl GapReason {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 3] = [Self::Evicted, Self::Epoch, Self::Slow];

    /// The reason's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Evicted => "evicted",
            Self::Epoch => "epoch",
            Self::Slow => "slow",
        }
    }
}

/// Continuity is broken: the next event is the one after `resume`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The position that could not be continued; null when it could not be read.
    pub after: Option<Cursor>,
    /// The client's position from now on, even if it is smaller.
    pub resume: Cursor,
    /// How many messages are lost; null when nobody can know.
    pub missed: Option<u64>,
    /// Why.
    pub reason: GapReason,
}

/// A change of who is here, or the whole list.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum PresenceEvent {
    /// Everybody who is here.
    Here {
        /// The members, in no particular order.
        members: Vec<MemberInfo>,
        /// How many members are here.
        count: usize,
    },
    /// Somebody came, or goes by another name now.
    Join {
        /// Who.
        #[serde(flatten)]
        info: MemberInfo,
        /// How many members are here.
        count: usize,
    },
    /// Somebody left.
    Leave {
        /// Who.
        #[serde(flatten)]
        info: MemberInfo,
        /// How many members are here.
        count: usize,
    },
}

/// One member as the others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberInfo {
    /// The public name.
    pub member: MemberId,
    /// The name that it asked to be shown under.
    #[serde(rename = "as")]
    pub shown_as: DisplayName,
    /// The transport that it came by last.
    pub transport: Transport,
}

/// A proof of life that lets a client see for itself that it is behind.
#[derive(Clone, Debug, Serialize)]
pub struct Heartbeat {
    /// This subscription's position.
    pub cursor: Cursor,
    /// The newest position of the log.
    pub head: Cursor,
}

/// The server lets go: come back, to any node.
#[derive(Clone, Debug, Serialize)]
pub struct Goodbye {
    /// Why.
    pub reason: GoodbyeReason,
    /// When to come back, in milliseconds from now, jittered by the server.
    pub reconnect_ms: u64,
}

/// Why the server lets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GoodbyeReason {
    /// The server shuts down or restarts.
    Draining,
    /// The server has no room for this subscription now.
    Overloaded,
}
