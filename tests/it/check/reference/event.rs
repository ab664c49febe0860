//! The events of a subscription, whatever carries them.

use std::rc::Rc;

use super::channel::Message;

/// A way to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    WebSocket,
    Sse,
    LongPoll,
    Stream,
}

impl Transport {
    /// The name in `hello`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Sse => "sse",
            Self::LongPoll => "long-poll",
            Self::Stream => "stream",
        }
    }
}

/// Continuity is broken.
#[derive(Clone, Debug)]
pub struct Gap {
    /// Where the client was, if that could be read.
    pub after: Option<String>,
    /// Where it is now.
    pub resume: u64,
    /// How many messages there were in between, if anybody knows.
    pub missed: Option<u64>,
    pub reason: &'static str,
}

/// What a subscription yields.
pub enum Event {
    /// The position that was asked for, if it could be read.
    Hello(Option<String>),
    /// A message, and whether it was there before the subscription.
    Message(Rc<Message>, bool),
    Gap(Gap),
    /// The subscriber's position.
    Heartbeat(u64),
}

impl Event {
    /// The name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Message(..) => "message",
            Self::Gap(_) => "gap",
            Self::Heartbeat(_) => "heartbeat",
        }
    }
}

/// What the data of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Json,
    Text,
    Bytes,
}

/// The kind that goes with a content type without parameters.
pub fn kind(content_type: &str) -> Kind {
    if content_type == "application/json" || content_type.ends_with("+json") {
        Kind::Json
    } else if content_type.starts_with("text/") {
        Kind::Text
    } else {
        Kind::Bytes
    }
}
