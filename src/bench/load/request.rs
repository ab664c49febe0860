//! What subscribers and publishers send: prepared once, with a place for what differs.

use std::{fmt, net::SocketAddr};

use super::{decode::CursorIn, transport::Transport};
use crate::wire::websocket::{Opcode, masked_frame};

/// Bytes with one place that is filled in each time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    before: Vec<u8>,
    /// What follows the place, if there is one.
    behind: Option<Vec<u8>>,
}

impl Pattern {
    /// Text in which the first `place`, such as `{after}`, is to be filled in. Without one, nothing is.
    #[must_use]
    pub fn new(text: &str, place: &str) -> Self {
        match text.split_once(place) {
            Some((before, behind)) => Self { before: before.into(), behind: Some(behind.into()) },
            None => Self { before: text.into(), behind: None },
        }
    }

    /// Appends the bytes, with `filling` in its place.
    pub fn write(&self, filling: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before);
        if let Some(behind) = &self.behind {
            out.extend_from_slice(filling);
            out.extend_from_slice(behind);
        }
    }
}

/// How a crowd subscribes.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Where to connect.
    pub address: SocketAddr,
    /// By which transport.
    pub transport: Transport,
    /// The whole request, with a place for the cursor.
    pub request: Pattern,
    /// The cursor that asks for everything that the channel has, if the server knows one. With it, the time to the first
    /// message is that of a message that was there before.
    pub from_start: Option<String>,
    /// The cursor that asks for nothing but what comes.
    pub from_end: String,
    /// Where the cursor to go on from is found.
    pub cursor_in: CursorIn,
    /// WebSocket messages to send first.
    pub greetings: Vec<String>,
    /// WebSocket messages that are answered, and with what: heartbeats of protocols on top of WebSocket.
    pub replies: Vec<(String, String)>,
}

/// How messages are published.
#[derive(Debug)]
pub struct Publishing {
    /// Where to connect.
    pub address: SocketAddr,
    /// In which way.
    pub way: Way,
}

/// The ways to publish.
#[derive(Debug)]
pub enum Way {
    /// Nothing is published: the subscribers are all there is to see.
    Nobody,
    /// One request for each message, over connections that are kept. The pattern is the whole request; its body has
    /// the size that its head declares.
    Post(Pattern),
    /// All messages over one connection.
    Connection {
        /// What is sent first.
        opening: Vec<u8>,
        /// Whether to wait for `101 Switching Protocols` behind it.
        is_websocket: bool,
        /// How a message is framed.
        frame: Frame,
    },
}

/// Appends a message in its frame.
pub struct Frame(Box<Framer>);

/// A function of a message and the bytes that its frame is appended to.
type Framer = dyn Fn(&[u8], &mut Vec<u8>) + Send;

impl Frame {
    /// Frames messages by a function of message and output.
    #[must_use]
    pub fn by(frame: impl Fn(&[u8], &mut Vec<u8>) + Send + 'static) -> Self {
        Self(Box::new(frame))
    }

    /// Masked WebSocket frames around a pattern.
    #[must_use]
    pub fn websocket(pattern: Pattern) -> Self {
        Self::by(move |message, out| {
            let mut text = Vec::with_capacity(message.len() + 64);
            pattern.write(message, &mut text);
            masked_frame(Opcode::Text, MASK, &text, out);
        })
    }

    pub(super) fn write(&self, message: &[u8], out: &mut Vec<u8>) {
        (self.0)(message, out);
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Frame")
    }
}

/// The mask of every frame. A client that talks to strangers draws a new one for each (RFC 6455 §5.3); what the server
/// has to do is the same.
pub const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// The fields that ask for a WebSocket. The key is the one of RFC 6455 §1.3: nothing depends on its being secret.
pub const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> String {
        let mut out = Vec::new();
        Pattern::new(text, "{after}").write(b"a.7", &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_place_in_a_pattern_is_filled_if_there_is_one() {
        assert_eq!(filled("GET /?after={after} HTTP/1.1"), "GET /?after=a.7 HTTP/1.1");
        assert_eq!(filled("{after}"), "a.7");
        assert_eq!(filled("GET / HTTP/1.1"), "GET / HTTP/1.1");
    }

    /// The masked "Hello" of RFC 6455 §5.7.
    #[test]
    fn a_message_over_a_websocket_is_the_frame_of_the_rfc() {
        let mut out = Vec::new();
        Frame::websocket(Pattern::new("{data}", "{data}")).write(b"Hello", &mut out);
        assert_eq!(out, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }
}
