//! Streaming parsers for what a subscriber receives.
//!
//! A read gives any number of bytes, cut anywhere. What is complete is parsed where it lies in the read buffer; only the
//! unit that a read cuts in two (a frame, an event, a line, an answer) is kept until the rest arrives.

pub(crate) mod body;
mod carry;
mod event_stream;
mod head;
mod lines;
mod websocket;

use std::time::Duration;

use thiserror::Error;

use self::{
    body::{Body, Piece},
    carry::Carry,
    head::Head,
};

pub use head::FIELDS_AT_MOST;

/// How many bytes an incomplete unit may have. The largest message that can be asked for is a quarter of it.
pub const LARGEST_UNIT: usize = 64 << 20;

/// How many bytes the head of an answer may have.
const LARGEST_HEAD: usize = 64 << 10;

/// What a subscriber finds in the bytes it receives.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// An answer's head of so many bytes.
    Head(usize),
    /// The endless answer that was asked for has begun.
    Accepted,
    /// Text that may hold messages: a frame's payload, an event's data, a line, an answer's body.
    Text(&'a [u8]),
    /// The position to go on from. Told once for all that a read has brought.
    Cursor(&'a [u8]),
    /// How long to wait before coming back when the event stream breaks.
    Retry(Duration),
    /// A poll is answered, and everything in the answer was reported.
    Answered {
        /// Whether the server closes the connection after this answer.
        closes: bool,
    },
    /// A ping with this payload, which wants to come back.
    Ping(&'a [u8]),
}

/// Why a subscription cannot go on over its connection.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The answer is not the one that was asked for.
    #[error("the server answered {status} {reason}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its reason phrase.
        reason: String,
    },
    /// A close frame.
    #[error("the server closed the WebSocket with {code} {reason:?}")]
    Closed {
        /// The close code; 1005 stands for none (RFC 6455 §7.1.5).
        code: u16,
        /// What the server says about it.
        reason: String,
    },
    /// The endless answer is over.
    #[error("the server ended its answer")]
    Ended,
    /// The bytes are not what this transport sends.
    #[error("the server sent {0}")]
    Broken(&'static str),
}

/// In which form messages arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Frames (RFC 6455 §5) after `101 Switching Protocols`.
    WebSocket,
    /// Events (WHATWG HTML §9.2) in an endless answer.
    EventStream,
    /// One message a line in an endless answer.
    Lines,
    /// Any number of messages in each of many answers.
    Answers,
    /// Answers that say no more than that a request was granted.
    Receipts,
}

impl Form {
    /// Whether there is one answer without an end, rather than many with one.
    #[must_use]
    pub const fn is_endless(self) -> bool {
        matches!(self, Self::WebSocket | Self::EventStream | Self::Lines)
    }
}

/// Where the position stands from which a subscription can be resumed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CursorIn {
    /// There is none.
    #[default]
    Nothing,
    /// The `id` of an event.
    EventId,
    /// The first member of this name in each JSON text.
    Member(String),
    /// `Last-Modified` and `ETag`. The cursor is the two fields of a request that send them back (RFC 9110 §13.1).
    Validators,
}

/// Turns the bytes of one connection into what they mean, however they are cut into reads.
#[derive(Debug)]
pub struct Decoder {
    form: Form,
    cursor_in: CursorIn,
    stage: Stage,
    head: Carry,
    unit: Carry,
    /// The fragments of a WebSocket message so far (RFC 6455 §5.4).
    fragments: Vec<u8>,
}

#[derive(Debug)]
enum Stage {
    Head,
    Frames,
    Body { body: Body, closes: bool },
}

impl Decoder {
    /// A decoder for a new connection.
    #[must_use]
    pub fn new(form: Form, cursor_in: CursorIn) -> Self {
        Self {
            form,
            cursor_in,
            stage: Stage::Head,
            head: Carry::at_most(LARGEST_HEAD),
            unit: Carry::at_most(LARGEST_UNIT),
            fragments: Vec::new(),
        }
    }

    /// Forgets the former connection, but keeps its memory for the next.
    pub fn reset(&mut self) {
        self.stage = Stage::Head;
        self.head.clear();
        self.unit.clear();
        self.fragments.clear();
    }

    /// Reports everything that is complete with these bytes.
    ///
    /// # Errors
    /// The server refuses, ends the subscription, or sends what this form does not have. What came before was reported.
    pub fn feed(&mut self, mut bytes: &[u8], sink: &mut impl FnMut(Heard<'_>)) -> Result<(), Fault> {
        while !bytes.is_empty() {
            bytes = match &mut self.stage {
                Stage::Head => self.feed_head(bytes, sink)?,
                Stage::Frames => {
                    let Self { unit, fragments, cursor_in, .. } = self;
                    unit.feed(bytes, |bytes| websocket::parse(bytes, fragments, cursor_in, sink))?;
                    &[]
                }
                Stage::Body { .. } => self.feed_body(bytes, sink)?,
            }
        }
        Ok(())
    }

    /// Reports what the end of the connection completes: the body of an answer that has no other end.
    ///
    /// # Errors
    /// An endless answer has no end.
    pub fn end(&mut self, sink: &mut impl FnMut(Heard<'_>)) -> Result<(), Fault> {
        match &self.stage {
            Stage::Body { body, .. } if !self.form.is_endless() && body.ends_with_connection() => {
                self.finish_answer(true, sink);
                Ok(())
            }
            _ => Err(Fault::Ended),
        }
    }

    /// Takes a head, or what there is of it, and returns what stands behind it.
    fn feed_head<'a>(&mut self, bytes: &'a [u8], sink: &mut impl FnMut(Heard<'_>)) -> Result<&'a [u8], Fault> {
        let Self { form, cursor_in, stage, head: carry, .. } = self;
        let mut used_of_bytes = bytes.len();
        let carried = carry.len();
        carry.feed(bytes, |bytes| {
            let Some(head) = Head::parse(bytes)? else { return Ok(0) };
            head.check(*form)?;
            sink(Heard::Head(head.length));
            if *cursor_in == CursorIn::Validators {
                head.validators(sink);
            }
            if form.is_endless() {
                sink(Heard::Accepted);
            }
            *stage = match form {
                Form::WebSocket => Stage::Frames,
                _ => Stage::Body { body: head.body()?, closes: head.closes },
            };
            used_of_bytes = head.length - carried;
            // What follows the head is not the head's to keep.
            Ok(bytes.len())
        })?;
        if matches!(&self.stage, Stage::Body { body, .. } if body.is_empty()) {
            self.finish_body(sink)?;
        }
        Ok(&bytes[used_of_bytes..])
    }

    /// Takes as much of a body as there is in one piece, and returns what stands behind it.
    fn feed_body<'a>(&mut self, bytes: &'a [u8], sink: &mut impl FnMut(Heard<'_>)) -> Result<&'a [u8], Fault> {
        let Self { form, cursor_in, stage: Stage::Body { body, .. }, unit, .. } = self else { return Ok(bytes) };
        let (piece, rest) = body.take(bytes)?;
        let is_end = matches!(piece, Piece::End);
        match (piece, form) {
            (Piece::Data(data), Form::EventStream) => {
                unit.feed(data, |bytes| Ok(event_stream::parse(bytes, cursor_in, sink)))?;
            }
            (Piece::Data(data), Form::Lines) => unit.feed(data, |bytes| Ok(lines::parse(bytes, cursor_in, sink)))?,
            (Piece::Data(data), _) if unit.len() == 0 && body.is_empty() => report_answer(data, cursor_in, sink),
            (Piece::Data(data), _) => unit.feed(data, |_| Ok(0))?,
            (Piece::Nothing | Piece::End, _) => {}
        }
        if is_end || body.is_empty() {
            self.finish_body(sink)?;
        }
        Ok(rest)
    }

    fn finish_body(&mut self, sink: &mut impl FnMut(Heard<'_>)) -> Result<(), Fault> {
        let Stage::Body { closes, .. } = self.stage else { return Ok(()) };
        if self.form.is_endless() {
            return Err(Fault::Ended);
        }
        self.finish_answer(closes, sink);
        Ok(())
    }

    fn finish_answer(&mut self, closes: bool, sink: &mut impl FnMut(Heard<'_>)) {
        if self.unit.len() > 0 {
            report_answer(self.unit.bytes(), &self.cursor_in, sink);
            self.unit.clear();
        }
        self.stage = Stage::Head;
        sink(Heard::Answered { closes });
    }
}

/// Reports a whole answer: what it holds, and where to go on.
fn report_answer(body: &[u8], cursor_in: &CursorIn, sink: &mut impl FnMut(Heard<'_>)) {
    sink(Heard::Text(body));
    if let Some(cursor) = cursor_in.member_of(body) {
        sink(Heard::Cursor(cursor));
    }
}

impl CursorIn {
    /// The value of the member that holds the cursor: a string without escapes, or a number.
    ///
    /// Ten thousand answers a second cannot all be parsed as JSON, so the text is searched for the member's name.
    fn member_of<'a>(&self, json: &'a [u8]) -> Option<&'a [u8]> {
        let Self::Member(name) = self else { return None };
        let mut rest = json;
        loop {
            let start = memchr::memmem::find(rest, name.as_bytes())?;
            let (before, behind) = (&rest[..start], &rest[start + name.len()..]);
            match behind.strip_prefix(b"\":") {
                Some(value) if before.ends_with(b"\"") => return Some(value_at_front(value)),
                _ => rest = behind,
            }
        }
    }
}

fn value_at_front(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii_start();
    let (value, is_end): (_, fn(&u8) -> bool) = match value.strip_prefix(b"\"") {
        Some(string) => (string, |byte| *byte == b'"'),
        None => (value, |byte| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace()),
    };
    let end = value.iter().position(is_end).unwrap_or(value.len());
    &value[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a stream whole, cut in two at every position, and byte by byte, and expects the same each time.
    #[track_caller]
    fn check(form: Form, cursor_in: &CursorIn, stream: &[u8], expected: &[&str]) {
        for cut in 0..stream.len() {
            assert_eq!(heard(form, cursor_in, [&stream[..cut], &stream[cut..]]), expected, "cut at {cut}");
        }
        assert_eq!(heard(form, cursor_in, stream.chunks(1)), expected, "byte by byte");
    }

    /// What is heard, without the sizes of heads, and of cursors only the last: a cut may tell more of them.
    fn heard<'a>(form: Form, cursor_in: &CursorIn, parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let mut decoder = Decoder::new(form, cursor_in.clone());
        let (mut all, mut cursor) = (Vec::new(), None);
        for part in parts {
            let outcome = decoder.feed(part, &mut |heard| match heard {
                Heard::Head(_) => {}
                Heard::Accepted => all.push("accepted".to_owned()),
                Heard::Text(text) => all.push(format!("text {}", text.escape_ascii())),
                Heard::Retry(pause) => all.push(format!("retry {pause:?}")),
                Heard::Cursor(at) => cursor = Some(at.escape_ascii().to_string()),
                Heard::Answered { closes } => all.push(format!("answered{}", if closes { ", closes" } else { "" })),
                Heard::Ping(payload) => all.push(format!("ping {}", payload.escape_ascii())),
            });
            if let Err(fault) = outcome {
                all.push(fault.to_string());
                break;
            }
        }
        all.extend(cursor.map(|cursor| format!("cursor {cursor}")));
        all
    }

    const UPGRADED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    fn after(head: &str, bytes: &[u8]) -> Vec<u8> {
        [head.as_bytes(), bytes].concat()
    }

    #[test]
    fn frames_follow_the_upgrade() {
        let frames = b"\x81\x02hi\x89\x01p\x8a\x00\x82\x7e\x00\x03abc\x81\x00";
        check(
            Form::WebSocket,
            &CursorIn::Nothing,
            &after(UPGRADED, frames),
            &["accepted", "text hi", "ping p", "text abc", "text "],
        );
    }

    #[test]
    fn the_fragments_of_a_message_are_put_together_around_control_frames() {
        let frames = b"\x01\x03one\x89\x00\x00\x04, tw\x80\x01o\x81\x01x";
        check(
            Form::WebSocket,
            &CursorIn::Nothing,
            &after(UPGRADED, frames),
            &["accepted", "ping ", "text one, two", "text x"],
        );
    }

    #[test]
    fn long_frames_are_read_by_their_length_of_eight_bytes() {
        let mut stream = after(UPGRADED, b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x01");
        stream.resize(stream.len() + 65_537, b'z');
        let all = heard(Form::WebSocket, &CursorIn::Nothing, stream.chunks(1000));
        assert_eq!(all[1].len(), "text ".len() + 65_537);
    }

    #[test]
    fn the_cursor_of_a_frame_is_a_member_of_its_json() {
        let frames = b"\x81\x1b{\"message\":{\"id\":\"a.17\",1}}\x81\x02ok";
        check(
            Form::WebSocket,
            &CursorIn::Member("id".to_owned()),
            &after(UPGRADED, frames),
            &["accepted", r#"text {\"message\":{\"id\":\"a.17\",1}}"#, "text ok", "cursor a.17"],
        );
    }

    #[test]
    fn what_breaks_or_ends_a_websocket_is_told_with_the_servers_words() {
        for (frames, fault) in [
            (&b"\x88\x09\x10\x05gap a.7"[..], r#"the server closed the WebSocket with 4101 "gap a.7""#),
            (b"\x88\x00", r#"the server closed the WebSocket with 1005 """#),
            (b"\xc1\x01x", "the server sent a frame with a reserved bit, though no extension was asked for"),
            (b"\x81\x81", "the server sent a masked frame (RFC 6455 §5.1)"),
            (b"\x83\x00", "the server sent a frame with a reserved opcode"),
            (b"\x80\x00", "the server sent a continuation of nothing"),
            (b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "the server sent more than 64 MiB in one piece"),
        ] {
            check(Form::WebSocket, &CursorIn::Nothing, &after(UPGRADED, frames), &["accepted", fault]);
        }
    }

    #[test]
    fn events_are_found_wherever_the_chunks_are_cut() {
        let body = b"2e\r\nretry: 1\nevent: hello\nid: a.1\ndata: {}\n\nid: a.\r\n\
            1E;x=y\r\n2\ndata: two\n\n: beat\n\ndata: thr\r\n4\r\nee\n\n\r\n";
        check(
            Form::EventStream,
            &CursorIn::EventId,
            &after(CHUNKED, body),
            &["accepted", "retry 1ms", "text {}\\n", "text two\\n", "text three\\n", "cursor a.2"],
        );
    }

    #[test]
    fn lines_of_an_event_stream_end_in_every_way_that_the_standard_knows() {
        for end in ["\n", "\r\n", "\r"] {
            let body = ["id:1", "data:x", "data: y", "", "data", ""].map(|line| format!("{line}{end}")).concat();
            let stream = after("HTTP/1.1 200 OK\r\n\r\n", body.as_bytes());
            let text = format!("text x{end}data: y{end}").escape_debug().to_string();
            check(Form::EventStream, &CursorIn::EventId, &stream, &["accepted", &text, "cursor 1"]);
        }
    }

    #[test]
    fn each_line_of_a_stream_is_a_text() {
        let body = b"14\r\n{\"hello\":{}}\n{\"messa\r\n1c\r\nge\":{\"id\":\"a.2\",\"data\":1}}\n\n\r\n";
        check(
            Form::Lines,
            &CursorIn::Member("id".to_owned()),
            &after(CHUNKED, body),
            &["accepted", r#"text {\"hello\":{}}"#, r#"text {\"message\":{\"id\":\"a.2\",\"data\":1}}"#, "cursor a.2"],
        );
    }

    #[test]
    fn answers_give_their_body_and_the_next_cursor() {
        let first = "HTTP/1.1 200 OK\r\ncontent-length: 28\r\n\r\n{\"cursor\":\"a.1\",\"events\":[]}";
        let second = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            9\r\n{\"cursor\"\r\n8\r\n:\"a.3\"}\n\r\n0\r\nTrailer: x\r\n\r\n";
        let third = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
        check(
            Form::Answers,
            &CursorIn::Member("cursor".to_owned()),
            [first, second, third].concat().as_bytes(),
            &[
                r#"text {\"cursor\":\"a.1\",\"events\":[]}"#,
                "answered",
                r#"text {\"cursor\":\"a.3\"}\n"#,
                "answered",
                "answered, closes",
                "cursor a.3",
            ],
        );
    }

    #[test]
    fn the_validators_of_an_answer_come_back_as_fields_of_the_next_request() {
        let answer = "HTTP/1.1 200 OK\r\nETag: \"0\"\r\nLast-Modified: Sat, 21 Nov 2026 12:00:00 GMT\r\n\
            Content-Length: 2\r\n\r\nhi";
        check(
            Form::Answers,
            &CursorIn::Validators,
            answer.as_bytes(),
            &[
                "text hi",
                "answered",
                r#"cursor If-Modified-Since: Sat, 21 Nov 2026 12:00:00 GMT\r\nIf-None-Match: \"0\"\r\n"#,
            ],
        );
    }

    #[test]
    fn an_answer_may_end_with_its_connection_and_an_endless_one_may_not() {
        let mut answers = Decoder::new(Form::Answers, CursorIn::Nothing);
        let mut all = Vec::new();
        answers.feed(b"HTTP/1.0 200 OK\r\n\r\nhi", &mut |_| {}).expect("an answer");
        answers.end(&mut |heard| all.push(format!("{heard:?}"))).expect("its end");
        assert_eq!(all, [r"Text([104, 105])", "Answered { closes: true }"]);
        assert_eq!(answers.end(&mut |_| {}), Err(Fault::Ended), "between two answers");

        let mut stream = Decoder::new(Form::Lines, CursorIn::Nothing);
        stream.feed(b"HTTP/1.0 200 OK\r\n\r\nhi\n", &mut |_| {}).expect("a line");
        assert_eq!(stream.end(&mut |_| {}), Err(Fault::Ended));
    }

    #[test]
    fn what_refuses_ends_or_breaks_an_answer_is_a_fault() {
        for (form, stream, fault) in [
            (Form::WebSocket, "HTTP/1.1 200 OK\r\n\r\n", "the server answered 200 OK"),
            (
                Form::EventStream,
                "HTTP/1.1 503 Service Unavailable\r\n\r\n",
                "the server answered 503 Service Unavailable",
            ),
            (Form::Answers, "HTTP/1.1 404 Not Found\r\n\r\n", "the server answered 404 Not Found"),
            (Form::Lines, "SSH-2.0-OpenSSH\r\n", "the server sent what is not HTTP/1"),
            (
                Form::Answers,
                "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
                "the server sent a Content-Length that is no number",
            ),
        ] {
            check(form, &CursorIn::Nothing, stream.as_bytes(), &[fault]);
        }
        check(
            Form::Lines,
            &CursorIn::Nothing,
            &after(CHUNKED, b"0\r\n\r\n"),
            &["accepted", "the server ended its answer"],
        );
        check(
            Form::Lines,
            &CursorIn::Nothing,
            &after(CHUNKED, b"zz\r\n"),
            &["accepted", "the server sent a bad chunk"],
        );
        check(
            Form::Lines,
            &CursorIn::Nothing,
            &after(CHUNKED, b"1\r\nab"),
            &["accepted", "the server sent a bad chunk"],
        );
    }

    #[test]
    fn a_head_without_an_end_is_not_kept_for_ever() {
        let mut decoder = Decoder::new(Form::Lines, CursorIn::Nothing);
        decoder.feed(b"HTTP/1.1 200 OK\r\nX: ", &mut |_| {}).expect("a head begins");
        let outcome = (0..LARGEST_HEAD).try_for_each(|_| decoder.feed(b"x", &mut |_| {}));
        assert!(matches!(outcome, Err(Fault::Broken(_))), "{outcome:?}");
    }

    #[test]
    fn a_decoder_that_was_reset_knows_nothing_of_the_former_connection() {
        let mut decoder = Decoder::new(Form::WebSocket, CursorIn::Nothing);
        decoder.feed(&after(UPGRADED, b"\x01\x03one\x81\x05he"), &mut |_| {}).expect("half a frame");
        decoder.reset();
        let mut texts = Vec::new();
        let stream = after(UPGRADED, b"\x81\x02hi");
        let outcome = decoder.feed(&stream, &mut |heard| {
            if let Heard::Text(text) = heard {
                texts.push(text.to_vec());
            }
        });
        outcome.expect("a whole frame");
        assert_eq!(texts, [b"hi"]);
    }
}
