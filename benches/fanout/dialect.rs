//! How one server wants to be talked to: what its subscribers ask for, and how messages are published to it.

use std::net::SocketAddr;

use super::{framing::Framing, options::Transport};

/// Stands for the cursor in what a long-poll asks for next.
const AFTER: &str = "{after}";

/// How to subscribe, and to go on subscribing.
pub struct Dialect {
    pub framing: Framing,
    first: String,
    /// What is before the cursor in later requests, and what is behind.
    next: (String, String),
}

impl Dialect {
    /// Takes the paths of the first request and, for long-polls, of later ones, where `{after}` is the cursor.
    pub fn new(framing: Framing, address: SocketAddr, first: &str, next: &str) -> Self {
        let next = match framing {
            // Its cursor is not in the path, but lines of the head.
            Framing::NchanPoll => format!("GET {next} HTTP/1.1\r\nHost: {address}\r\n{AFTER}\r\n"),
            _ => get(address, next, ""),
        };
        let (before, behind) = next.split_once(AFTER).unwrap_or((&next, ""));
        let first = match framing {
            Framing::WebSocket | Framing::SocketIo => upgrade_request(address, first),
            Framing::EventStream => get(address, first, "Accept: text/event-stream\r\n"),
            Framing::JsonPoll | Framing::NchanPoll | Framing::SocketIoPoll => get(address, first, ""),
        };
        Self { framing, first, next: (before.to_owned(), behind.to_owned()) }
    }

    /// Fallcast's own, which the bare sender understands as well.
    pub fn fallcast(transport: Transport, address: SocketAddr) -> Self {
        let (framing, endpoint) = match transport {
            Transport::WebSocket => (Framing::WebSocket, "ws"),
            Transport::Sse => (Framing::EventStream, "sse"),
            Transport::LongPoll => (Framing::JsonPoll, "poll"),
        };
        let path = format!("/channels/bench/{endpoint}");
        Self::new(framing, address, &path, &format!("{path}?after={AFTER}"))
    }

    /// The request that subscribes.
    pub fn first(&self) -> &[u8] {
        self.first.as_bytes()
    }

    /// The request for what comes after a cursor.
    pub fn next(&self, cursor: &str) -> Vec<u8> {
        let (before, behind) = &self.next;
        [before, cursor, behind].concat().into_bytes()
    }
}

/// How messages reach a server.
pub enum Publishing {
    /// As frames that are ready to go out on this transport: the bare sender's way.
    ReadyFrames(Transport),
    /// Over one WebSocket.
    WebSocket {
        /// The request that opens it.
        request: String,
        framing: Framing,
        /// The server says something to each message.
        answers: bool,
    },
}

impl Publishing {
    /// As a client of fallcast that doesn't want to hear itself.
    pub fn fallcast(address: SocketAddr) -> Self {
        let request = upgrade_request(address, "/channels/bench/ws?echo=0");
        Self::WebSocket { request, framing: Framing::WebSocket, answers: false }
    }
}

fn get(address: SocketAddr, path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{fields}\r\n")
}

/// The request for a WebSocket. The key is the one of RFC 6455 §1.3.
pub fn upgrade_request(address: SocketAddr, path: &str) -> String {
    let fields = "Upgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    get(address, path, fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_put_into_the_path_or_into_the_head() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let json = Dialect::new(Framing::JsonPoll, address, "/p", "/p?after={after}&x=1");
        assert_eq!(json.first(), b"GET /p HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n");
        assert_eq!(json.next("a.1"), b"GET /p?after=a.1&x=1 HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n");
        let nchan = Dialect::new(Framing::NchanPoll, address, "/p", "/p");
        assert_eq!(
            nchan.next("If-None-Match: 1\r\n"),
            b"GET /p HTTP/1.1\r\nHost: 127.0.0.1:80\r\nIf-None-Match: 1\r\n\r\n"
        );
    }
}
