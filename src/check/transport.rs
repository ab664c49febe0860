//! The ways in which messages come to a subscriber.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// A transport, by the name that it has on the command line and in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// WebSocket (RFC 6455).
    WebSocket,
    /// Server-sent events (WHATWG HTML §9.2).
    Sse,
    /// A request that is held until there is something to say (RFC 6202 §2).
    LongPoll,
    /// An endless answer, one JSON text a line.
    Stream,
}

impl Transport {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 4] = [Self::WebSocket, Self::Sse, Self::LongPoll, Self::Stream];

    /// Its name, which is also its table in a profile.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Sse => "sse",
            Self::LongPoll => "long-poll",
            Self::Stream => "stream",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Serialize for Transport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// There is no such transport.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no transport; there are websocket, sse, long-poll and stream")]
pub struct UnknownTransport(String);

impl FromStr for Transport {
    type Err = UnknownTransport;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|transport| transport.name() == text)
            .ok_or_else(|| UnknownTransport(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for transport in Transport::ALL {
            assert_eq!(transport.name().parse(), Ok(transport));
        }
        let fault = "socket".parse::<Transport>().expect_err("no transport");
        assert_eq!(fault.to_string(), "\"socket\" is no transport; there are websocket, sse, long-poll and stream");
    }
}
