//! Streaming parsers for what a subscriber receives.
//!
//! Each format is a function that takes whole units off the front of some bytes and says how many bytes it has used.
//! A [`Carry`] keeps the rest until more arrives, so nothing is copied but the one unit that a read cuts in two.

mod chunked;
mod event_stream;
mod head;
pub mod nchan;
mod poll;
pub mod socket_io;
pub mod websocket;

use serde::Deserialize;

pub use self::head::Head;
use super::Result;

/// How messages are wrapped on their way to a subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Framing {
    /// WebSocket frames, a message in each.
    #[serde(rename = "websocket")]
    WebSocket,
    /// Socket.IO in WebSocket frames.
    #[serde(rename = "socket.io")]
    SocketIo,
    /// Server-sent events.
    #[serde(rename = "events")]
    EventStream,
    /// Answers to polls that are JSON, with cursor and data.
    #[serde(rename = "json")]
    JsonPoll,
    /// Answers to polls as Nchan gives them.
    #[serde(rename = "nchan")]
    NchanPoll,
    /// Answers to polls that hold packets of Socket.IO.
    #[serde(rename = "socket.io-poll")]
    SocketIoPoll,
}

impl Framing {
    /// The status that an endless answer begins with; polls are answered with one response after the other.
    fn status(self) -> Option<u16> {
        match self {
            Self::WebSocket | Self::SocketIo => Some(101),
            Self::EventStream => Some(200),
            Self::JsonPoll | Self::NchanPoll | Self::SocketIoPoll => None,
        }
    }
}

/// What a subscriber finds in the bytes it receives.
#[derive(Debug, PartialEq)]
pub enum Received<'a> {
    /// The server has accepted the subscription.
    Subscribed,
    /// The payload of a message.
    Message(&'a [u8]),
    /// A long-poll is answered, all its messages were reported, and this is the cursor to ask with next.
    Answered(&'a str),
    /// Before it goes on, the server wants to have these bytes.
    Owed(&'a [u8]),
}

/// Everything a parser reports goes to one of these.
pub trait Sink: FnMut(Received<'_>) -> Result<()> {}
impl<F: FnMut(Received<'_>) -> Result<()>> Sink for F {}

/// Turns the bytes of one connection into what they mean, however they are cut into reads.
pub struct Decoder {
    framing: Framing,
    /// The first response head is read.
    begun: bool,
    units: Carry,
    stream: Stream,
    /// The cursor or the name of the session, where the answers to polls don't spell it out.
    cursor: String,
}

/// The body of an event stream.
#[derive(Default)]
struct Stream {
    chunked: bool,
    /// The events may be cut anew at the borders of chunks.
    events: Carry,
}

impl Decoder {
    pub fn new(framing: Framing) -> Self {
        Self { framing, begun: false, units: Carry::default(), stream: Stream::default(), cursor: String::new() }
    }

    /// Reports everything that is complete with these bytes.
    ///
    /// # Errors
    /// Fails if the server refuses, closes, reports a gap or breaks the format, or if `sink` fails.
    pub fn feed(&mut self, bytes: &[u8], mut sink: impl FnMut(Received<'_>) -> Result<()>) -> Result<()> {
        let Self { framing, begun, units, stream, cursor } = self;
        units.feed(bytes, |bytes| {
            let start = match framing.status() {
                Some(status) if !*begun => {
                    let Some(head) = Head::parse(bytes)? else { return Ok(0) };
                    head.expect(status)?;
                    *begun = true;
                    stream.chunked = head.is_chunked();
                    if *framing != Framing::SocketIo {
                        sink(Received::Subscribed)?;
                    }
                    head.length
                }
                _ => 0,
            };
            let bytes = &bytes[start..];
            let used = match framing {
                Framing::WebSocket => websocket::parse(bytes, |payload| sink(Received::Message(payload)))?,
                Framing::SocketIo => websocket::parse(bytes, |payload| socket_io::frame(payload, &mut sink))?,
                Framing::EventStream => stream.parse(bytes, &mut sink)?,
                Framing::JsonPoll | Framing::NchanPoll | Framing::SocketIoPoll => {
                    poll::responses(bytes, |head, body| {
                        // Socket.IO says itself when it has accepted.
                        if !*begun && *framing != Framing::SocketIoPoll {
                            sink(Received::Subscribed)?;
                        }
                        *begun = true;
                        match framing {
                            Framing::NchanPoll => nchan::answer(head, body, cursor, &mut sink),
                            Framing::SocketIoPoll => socket_io::answer(body, cursor, &mut sink),
                            _ => poll::json(body, &mut sink),
                        }
                    })?
                }
            };
            Ok(start + used)
        })
    }
}

impl Stream {
    fn parse(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<usize> {
        if !self.chunked {
            return event_stream::parse(bytes, sink);
        }
        chunked::parse(bytes, |part| self.events.feed(part, |bytes| event_stream::parse(bytes, sink)))
    }
}

/// The bytes of a unit that is not complete yet.
#[derive(Default)]
struct Carry(Vec<u8>);

impl Carry {
    /// Gives `parse` what was left over together with the new bytes, and keeps what it doesn't use.
    fn feed(&mut self, bytes: &[u8], parse: impl FnOnce(&[u8]) -> Result<usize>) -> Result<()> {
        if self.0.is_empty() {
            let used = parse(bytes)?;
            self.0.extend_from_slice(&bytes[used..]);
        } else {
            self.0.extend_from_slice(bytes);
            let used = parse(&self.0)?;
            self.0.drain(..used);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a stream whole, then cut in two at every position, and expects the same each time.
    #[track_caller]
    fn check(framing: Framing, stream: &[u8], expected: &[Received<'_>]) {
        let expected: Vec<String> = expected.iter().map(|received| format!("{received:?}")).collect();
        for cut in 0..stream.len() {
            let mut decoder = Decoder::new(framing);
            let mut found = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                let outcome = decoder.feed(part, |received| {
                    found.push(format!("{received:?}"));
                    Ok(())
                });
                outcome.expect("a well-formed stream");
            }
            assert_eq!(found, expected, "cut at {cut}");
        }
    }

    #[test]
    fn websocket_frames_follow_the_upgrade() {
        let stream =
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi\x89\x00\x82\x7e\x00\x03abc";
        check(Framing::WebSocket, stream, &[Received::Subscribed, Received::Message(b"hi"), Received::Message(b"abc")]);
    }

    #[test]
    fn events_are_found_wherever_the_chunks_are_cut() {
        let stream = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            2e\r\nretry: 1\nevent: hello\nid: a.1\ndata: {}\n\nid: a.\r\n\
            1E\r\n2\ndata: two\n\n: beat\n\ndata: thr\r\n4\r\nee\n\n\r\n";
        check(
            Framing::EventStream,
            stream,
            &[Received::Subscribed, Received::Message(b"two"), Received::Message(b"three")],
        );
    }

    #[test]
    fn poll_answers_give_their_messages_and_the_next_cursor() {
        let hello = r#"{"cursor":"a.1","events":[{"hello":{"protocol":1}}],"more":false}"#;
        let two = r#"{"cursor":"a.3","events":[{"message":{"id":"a.2","data":"x"}},{"message":{"id":"a.3","data":"y"}}],"more":false}"#;
        let answer = |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        check(
            Framing::JsonPoll,
            (answer(hello) + &answer(two)).as_bytes(),
            &[
                Received::Subscribed,
                Received::Answered("a.1"),
                Received::Message(b"x"),
                Received::Message(b"y"),
                Received::Answered("a.3"),
            ],
        );
    }

    #[test]
    fn events_are_found_in_a_body_without_chunks() {
        let stream = b"HTTP/1.1 200 OK\r\n\r\n: hi\n\nid: 1\ndata: one\n\ndata: two\nid: 2\n\n";
        check(
            Framing::EventStream,
            stream,
            &[Received::Subscribed, Received::Message(b"one"), Received::Message(b"two")],
        );
    }

    #[test]
    fn nchan_gives_a_message_and_the_cursor_in_two_fields() {
        let answer = |tag: u8, body: &str| {
            let length = body.len();
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nLast-Modified: now\r\nEtag: {tag}\r\n\r\n{body}")
        };
        check(
            Framing::NchanPoll,
            (answer(0, "opening") + &answer(1, "one") + &answer(2, "two")).as_bytes(),
            &[
                Received::Subscribed,
                Received::Answered("If-Modified-Since: now\r\nIf-None-Match: 0\r\n"),
                Received::Message(b"one"),
                Received::Answered("If-Modified-Since: now\r\nIf-None-Match: 1\r\n"),
                Received::Message(b"two"),
                Received::Answered("If-Modified-Since: now\r\nIf-None-Match: 2\r\n"),
            ],
        );
    }

    #[test]
    fn socket_io_is_joined_before_events_arrive() {
        let mut stream = b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec();
        for packet in [r#"0{"sid":"S","upgrades":[]}"#, r#"40{"sid":"T"}"#, r#"42["m","one"]"#] {
            stream.extend(websocket::server_text(packet.as_bytes()));
        }
        let join = websocket::client_text(b"40");
        check(Framing::SocketIo, &stream, &[Received::Owed(&join), Received::Subscribed, Received::Message(b"one")]);
    }

    #[test]
    fn socket_io_puts_several_packets_into_an_answer() {
        let answer = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let bodies =
            [r#"0{"sid":"S","upgrades":[]}"#, "ok", r#"40{"sid":"T"}"#, "42[\"m\",\"one\"]\x1e42[\"m\",\"two\"]"];
        let post = "POST /socket.io/?EIO=4&transport=polling&sid=S HTTP/1.1\r\nHost: localhost\r\n\
            Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 2\r\n\r\n40";
        check(
            Framing::SocketIoPoll,
            bodies.map(answer).concat().as_bytes(),
            &[
                Received::Owed(post.as_bytes()),
                Received::Answered("S"),
                Received::Subscribed,
                Received::Answered("S"),
                Received::Message(b"one"),
                Received::Message(b"two"),
                Received::Answered("S"),
            ],
        );
    }

    #[track_caller]
    fn check_refused(framing: Framing, stream: &str, reason: &str) {
        let error = Decoder::new(framing).feed(stream.as_bytes(), |_| Ok(())).expect_err("a refusal").to_string();
        assert!(error.contains(reason), "{error}");
    }

    #[test]
    fn what_ends_or_breaks_a_subscription_is_an_error() {
        let upgraded = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
        let streaming = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        check_refused(Framing::WebSocket, "HTTP/1.1 503 Service Unavailable\r\n\r\n", "503");
        check_refused(Framing::WebSocket, &format!("{upgraded}\u{8}\u{2}hi"), "fragment");
        check_refused(Framing::EventStream, &format!("{streaming}1a\r\nevent: gap\ndata: {{\"a\":1}}\n\n\r\n"), "gap");
        check_refused(Framing::EventStream, &format!("{streaming}0\r\n\r\n"), "ended");
        check_refused(Framing::JsonPoll, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "cursor");
    }

    #[test]
    fn a_close_frame_is_an_error_that_names_code_and_reason() {
        let stream = b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x88\x09\x10\x05gap a.7";
        let error = Decoder::new(Framing::WebSocket).feed(stream, |_| Ok(())).expect_err("a close frame");
        assert_eq!(error.to_string(), "the server closed with 4101 \"gap a.7\"");
    }
}
