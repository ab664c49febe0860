//! Items: what happened on the wire, as it is told. Live and stored, it is told in the same words.
//!
//! ```text
//! {"open":  {"connection": 7, "at": …, "client": "127.0.0.1:53122", "server": "127.0.0.1:8081", "tls": false}}
//! {"piece": {"connection": 7, "at": …, "exchange": 12, "kind": "sse", "direction": "up", "length": 2, "bytes": "aGk="}}
//! {"close": {"connection": 7, "at": …, "how": "fin"}}
//! ```

use std::net::SocketAddr;

use base64::{display::Base64Display, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Serialize, Serializer};

use crate::lab::faults::ExchangeKind;

/// Something that happened on the wire. All times are microseconds since 1970, as in messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Item {
    /// A client has connected.
    Open(Open),
    /// Some bytes have passed.
    Piece(Piece),
    /// A connection has ended.
    Close(Close),
}

/// A client has connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Open {
    /// The connection's number in the lab.
    pub connection: u64,
    /// When it was accepted.
    pub at: u64,
    /// The client's end.
    pub client: SocketAddr,
    /// The lab's end.
    pub server: SocketAddr,
    /// Whether the bytes were encrypted on the wire. They are recorded as they were before or after.
    pub tls: bool,
}

/// What one read or one write at the socket has carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// The connection's number in the lab.
    pub connection: u64,
    /// When the bytes passed.
    pub at: u64,
    /// The number in the lab of the exchange that they belong to.
    pub exchange: u64,
    /// The kind of that exchange.
    pub kind: ExchangeKind,
    /// Which way they went.
    pub direction: Direction,
    /// How many bytes they were.
    pub length: usize,
    /// As many of them as were kept, from the first on.
    #[serde(serialize_with = "base64")]
    pub bytes: Bytes,
}

/// A connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Close {
    /// The connection's number in the lab.
    pub connection: u64,
    /// When the lab ended it, or noticed its end.
    pub at: u64,
    /// Who ended it, and how.
    pub how: How,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Towards the server.
    Up,
    /// Towards the client.
    Down,
}

/// Who ended a connection, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// The lab, in order.
    Fin,
    /// The lab, by a reset.
    Reset,
    /// The client.
    Client,
}

impl Item {
    /// When it happened.
    #[must_use]
    pub const fn at(&self) -> u64 {
        match self {
            Self::Open(open) => open.at,
            Self::Piece(piece) => piece.at,
            Self::Close(close) => close.at,
        }
    }
}

fn base64<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Base64Display::new(bytes, &STANDARD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(item: &Item, expected: &str) {
        assert_eq!(serde_json::to_string(item).expect("items are JSON"), expected);
    }

    #[test]
    fn items_are_told_in_json() {
        let (client, server) = ("127.0.0.1:53122".parse(), "[::1]:8081".parse());
        let (client, server) = (client.expect("an address"), server.expect("an address"));
        check(
            &Item::Open(Open { connection: 7, at: 1, client, server, tls: false }),
            r#"{"open":{"connection":7,"at":1,"client":"127.0.0.1:53122","server":"[::1]:8081","tls":false}}"#,
        );
        let piece = Piece {
            connection: 7,
            at: 2,
            exchange: 12,
            kind: ExchangeKind::WebSocket,
            direction: Direction::Up,
            length: 3,
            bytes: Bytes::from_static(b"hi"),
        };
        check(
            &Item::Piece(piece),
            r#"{"piece":{"connection":7,"at":2,"exchange":12,"kind":"websocket","direction":"up","length":3,"bytes":"aGk="}}"#,
        );
        check(
            &Item::Close(Close { connection: 7, at: 3, how: How::Reset }),
            r#"{"close":{"connection":7,"at":3,"how":"reset"}}"#,
        );
    }
}
