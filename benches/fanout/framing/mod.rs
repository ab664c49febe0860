//! Streaming parsers for what a subscriber receives.
//!
//! Each format is a function that takes whole units off the front of some bytes and says how many bytes it has used.
//! A [`Carry`] keeps the rest until more arrives, so nothing is copied but the one unit that a read cuts in two.

mod chunked;
mod event_stream;
mod head;
mod poll;
pub mod websocket;

pub use self::head::Head;
use super::{Result, options::Transport};

/// What a subscriber finds in the bytes it receives.
#[derive(Debug, PartialEq)]
pub enum Received<'a> {
    /// The server has accepted the subscription.
    Subscribed,
    /// The payload of a message.
    Message(&'a [u8]),
    /// A long-poll is answered, all its messages were reported, and this is the cursor to ask with next.
    Answered(&'a str),
}

/// Everything a parser reports goes to one of these.
trait Sink: FnMut(Received<'_>) -> Result<()> {}
impl<F: FnMut(Received<'_>) -> Result<()>> Sink for F {}

/// Turns the bytes of one connection into what they mean, however they are cut into reads.
pub struct Decoder {
    transport: Transport,
    subscribed: bool,
    units: Carry,
    /// The events of an event stream may be cut anew at the borders of chunks.
    events: Carry,
}

impl Decoder {
    pub fn new(transport: Transport) -> Self {
        Self { transport, subscribed: false, units: Carry::default(), events: Carry::default() }
    }

    /// Reports everything that is complete with these bytes.
    ///
    /// # Errors
    /// Fails if the server refuses, closes, reports a gap or breaks the format, or if `sink` fails.
    pub fn feed(&mut self, bytes: &[u8], mut sink: impl FnMut(Received<'_>) -> Result<()>) -> Result<()> {
        let Self { transport, subscribed, units, events } = self;
        units.feed(bytes, |bytes| match transport {
            Transport::WebSocket => after_head(subscribed, bytes, 101, &mut sink, websocket::parse),
            Transport::Sse => after_head(subscribed, bytes, 200, &mut sink, |bytes, sink| {
                chunked::parse(bytes, |part| events.feed(part, |bytes| event_stream::parse(bytes, sink)))
            }),
            Transport::LongPoll => poll::parse(bytes, &mut sink),
        })
    }
}

/// Takes the response head off first, then leaves everything to `parse`.
fn after_head<S: Sink>(
    subscribed: &mut bool,
    bytes: &[u8],
    status: u16,
    sink: &mut S,
    parse: impl FnOnce(&[u8], &mut S) -> Result<usize>,
) -> Result<usize> {
    let mut head_length = 0;
    if !*subscribed {
        let Some(head) = Head::parse(bytes)? else { return Ok(0) };
        head.expect(status)?;
        head_length = head.length;
        *subscribed = true;
        sink(Received::Subscribed)?;
    }
    Ok(head_length + parse(&bytes[head_length..], sink)?)
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
    fn check(transport: Transport, stream: &[u8], expected: &[Received<'_>]) {
        let expected: Vec<String> = expected.iter().map(|received| format!("{received:?}")).collect();
        for cut in 0..stream.len() {
            let mut decoder = Decoder::new(transport);
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
        check(
            Transport::WebSocket,
            stream,
            &[Received::Subscribed, Received::Message(b"hi"), Received::Message(b"abc")],
        );
    }

    #[test]
    fn events_are_found_wherever_the_chunks_are_cut() {
        let stream = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            2e\r\nretry: 1\nevent: hello\nid: a.1\ndata: {}\n\nid: a.\r\n\
            1E\r\n2\ndata: two\n\n: beat\n\ndata: thr\r\n4\r\nee\n\n\r\n";
        check(Transport::Sse, stream, &[Received::Subscribed, Received::Message(b"two"), Received::Message(b"three")]);
    }

    #[test]
    fn poll_answers_give_their_messages_and_the_next_cursor() {
        let hello = r#"{"cursor":"a.1","events":[{"hello":{"protocol":1}}],"more":false}"#;
        let two = r#"{"cursor":"a.3","events":[{"message":{"id":"a.2","data":"x"}},{"message":{"id":"a.3","data":"y"}}],"more":false}"#;
        let answer = |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        check(
            Transport::LongPoll,
            (answer(hello) + &answer(two)).as_bytes(),
            &[Received::Answered("a.1"), Received::Message(b"x"), Received::Message(b"y"), Received::Answered("a.3")],
        );
    }

    #[track_caller]
    fn check_refused(transport: Transport, stream: &str, reason: &str) {
        let error = Decoder::new(transport).feed(stream.as_bytes(), |_| Ok(())).expect_err("a refusal").to_string();
        assert!(error.contains(reason), "{error}");
    }

    #[test]
    fn what_ends_or_breaks_a_subscription_is_an_error() {
        let upgraded = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
        let streaming = "HTTP/1.1 200 OK\r\n\r\n";
        check_refused(Transport::WebSocket, "HTTP/1.1 503 Service Unavailable\r\n\r\n", "503");
        check_refused(Transport::WebSocket, &format!("{upgraded}\u{8}\u{2}hi"), "fragment");
        check_refused(Transport::Sse, &format!("{streaming}1a\r\nevent: gap\ndata: {{\"a\":1}}\n\n\r\n"), "gap");
        check_refused(Transport::Sse, &format!("{streaming}0\r\n\r\n"), "ended");
        check_refused(Transport::LongPoll, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "cursor");
    }

    #[test]
    fn a_close_frame_is_an_error_that_names_code_and_reason() {
        let stream = b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x88\x09\x10\x05gap a.7";
        let error = Decoder::new(Transport::WebSocket).feed(stream, |_| Ok(())).expect_err("a close frame");
        assert_eq!(error.to_string(), "the server closed with 4101 \"gap a.7\"");
    }
}
