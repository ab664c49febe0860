//! Answers: taken apart into a head, data and an end, which is what the troubles on the way down work with.

use bytes::{Bytes, BytesMut};
use httparse::{EMPTY_HEADER, Status};
use thiserror::Error;

use super::{
    body::{BadChunk, Body, Piece},
    request::{Fields, MAX_FIELDS, MAX_HEAD},
};
use crate::lab::troubles::count::Content;

/// A part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The head. Interim answers (RFC 9110 §15.2) come before it, as heads without bodies.
    Head(Head),
    /// Bytes of the body, without their framing.
    Data(Bytes),
    /// The answer is complete.
    End,
}

impl Part {
    /// How many bytes it takes in a buffer.
    #[must_use]
    pub const fn size(&self) -> usize {
        match self {
            Self::Head(head) => head.bytes.len(),
            Self::Data(bytes) => bytes.len(),
            Self::End => 0,
        }
    }
}

/// The head of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// As it was written.
    pub bytes: Bytes,
    /// Its status.
    pub status: u16,
    /// The body that follows.
    pub body: Body,
    /// What the body is made of.
    pub content: Content,
    /// Whether it asks proxies not to hold it: `X-Accel-Buffering: no`.
    pub asks_to_pass: bool,
    /// Whether the connection outlives it.
    pub is_persistent: bool,
}

impl Head {
    /// Whether another head follows. The switch to another protocol is no interim answer in that sense.
    #[must_use]
    pub const fn is_interim(&self) -> bool {
        matches!(self.status, 100 | 102..=199)
    }

    fn read(input: &mut BytesMut, is_to_head: bool) -> Result<Option<Self>, BadAnswer> {
        let mut headers = [EMPTY_HEADER; MAX_FIELDS];
        let mut parsed = httparse::Response::new(&mut headers);
        let size = match parsed.parse(input).map_err(|_| BadAnswer)? {
            Status::Complete(size) => size,
            Status::Partial if input.len() < MAX_HEAD => return Ok(None),
            Status::Partial => return Err(BadAnswer),
        };
        let (status, version) = (parsed.code.unwrap_or_default(), parsed.version.unwrap_or_default());
        let fields = Fields(parsed.headers);
        let body = match status {
            101 => Body::Endless,
            100..=199 | 204 | 304 => Body::Empty,
            _ if is_to_head => Body::Empty,
            _ => fields.body(Body::Endless).ok_or(BadAnswer)?,
        };
        let mut head = Self {
            bytes: Bytes::new(),
            status,
            body,
            content: if status == 101 { Content::Frames } else { content(&fields.text("Content-Type")) },
            asks_to_pass: fields.lists("X-Accel-Buffering", "no"),
            is_persistent: fields.is_persistent(version) && body != Body::Endless,
        };
        head.bytes = input.split_to(size).freeze();
        Ok(Some(head))
    }
}

fn content(media_type: &str) -> Content {
    match media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "text/event-stream" => Content::Events,
        "application/x-ndjson" => Content::Lines,
        "application/json" => Content::Batch,
        _ => Content::Opaque,
    }
}

/// What the server has sent is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the server's answer cannot be understood")]
pub struct BadAnswer;

impl From<BadChunk> for BadAnswer {
    fn from(_: BadChunk) -> Self {
        Self
    }
}

/// Reads one answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    stage: Stage,
    is_to_head: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Head,
    Body(Body),
    Done,
}

impl Answer {
    /// Begins with an answer's first byte. The answer to HEAD has no body, whatever it says.
    #[must_use]
    pub const fn new(is_to_head: bool) -> Self {
        Self { stage: Stage::Head, is_to_head }
    }

    /// Takes the next part off the input; `None` if more has to come first, or nothing comes any more.
    ///
    /// # Errors
    /// Returns a fault if this is no answer.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Part>, BadAnswer> {
        match &mut self.stage {
            Stage::Head => {
                let head = Head::read(input, self.is_to_head)?;
                if let Some(head) = head.as_ref().filter(|head| !head.is_interim()) {
                    self.stage = Stage::Body(head.body);
                }
                Ok(head.map(Part::Head))
            }
            Stage::Body(body) => match body.next(input, usize::MAX)? {
                Some(Piece::Data(bytes)) => Ok(Some(Part::Data(bytes))),
                Some(Piece::End) => Ok(Some(self.end())),
                None => Ok(None),
            },
            Stage::Done => Ok(None),
        }
    }

    /// Notes that the server has hung up, and returns the end of the answer if that is how it ends.
    pub fn hung_up(&mut self) -> Option<Part> {
        (self.stage == Stage::Body(Body::Endless)).then(|| self.end())
    }

    /// Begins again with another answer to the same request.
    #[must_use]
    pub const fn again(self) -> Self {
        Self::new(self.is_to_head)
    }

    /// Whether nothing of the answer has come yet.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.stage == Stage::Head
    }

    const fn end(&mut self) -> Part {
        self.stage = Stage::Done;
        Part::End
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The parts of an answer that comes in steps; adjacent data are one part. The head's bytes are left out.
    fn parts(wire: &str, is_to_head: bool, step: usize) -> Vec<Part> {
        let (mut answer, mut input, mut parts) = (Answer::new(is_to_head), BytesMut::new(), Vec::new());
        for bytes in wire.as_bytes().chunks(step) {
            input.extend_from_slice(bytes);
            while let Some(part) = answer.next(&mut input).expect("an answer") {
                match (part, parts.last_mut()) {
                    (Part::Data(more), Some(Part::Data(before))) => *before = [before.clone(), more].concat().into(),
                    (Part::Head(head), _) => parts.push(Part::Head(Head { bytes: Bytes::new(), ..head })),
                    (part, _) => parts.push(part),
                }
            }
        }
        parts
    }

    #[track_caller]
    fn check(wire: &str, is_to_head: bool, expected: &[Part]) {
        for step in [1, 5, wire.len()] {
            assert_eq!(parts(wire, is_to_head, step), expected, "{wire:?} in steps of {step}");
        }
    }

    fn head(status: u16, body: Body, content: Content) -> Part {
        Part::Head(Head { status, body, content, is_persistent: body != Body::Endless, ..Head::default() })
    }

    fn data(text: &'static str) -> Part {
        Part::Data(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn every_answer_ends_where_it_should() {
        let opaque = Content::Opaque;
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP",
            false,
            &[head(200, Body::Length(3), opaque), data("abc"), Part::End],
        );
        check("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", true, &[head(200, Body::Empty, opaque), Part::End]);
        check("HTTP/1.1 204 No\r\n\r\nHTTP", false, &[head(204, Body::Empty, opaque), Part::End]);
        check("HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n", false, &[head(304, Body::Empty, opaque), Part::End]);
        check("HTTP/1.1 200 OK\r\n\r\nabc", false, &[head(200, Body::Endless, opaque), data("abc")]);
        check(
            "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n",
            false,
            &[head(100, Body::Empty, opaque), head(201, Body::Length(0), opaque), Part::End],
        );
        check(
            "HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n\u{1}x",
            false,
            &[head(101, Body::Endless, Content::Frames), data("\u{1}x")],
        );
        let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n1\r\na\r\n0\r\n\r\n";
        check(chunks, false, &[head(200, Body::CHUNKED, Content::Events), data("a"), Part::End]);
    }

    #[test]
    fn the_content_is_told_by_its_type() {
        assert_eq!(content("application/x-ndjson"), Content::Lines);
        assert_eq!(content("Application/JSON; charset=utf-8"), Content::Batch);
        assert_eq!(content("text/html"), Content::Opaque);
    }

    #[test]
    fn a_hung_up_server_completes_only_a_body_that_ends_like_that() {
        let hung_up = |wire: &str| {
            let (mut answer, mut input) = (Answer::new(false), BytesMut::from(wire));
            while answer.next(&mut input).expect("an answer").is_some() {}
            answer.hung_up()
        };
        assert_eq!(hung_up("HTTP/1.1 200 OK\r\n\r\nabc"), Some(Part::End));
        assert_eq!(hung_up("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"), None);
        assert_eq!(hung_up("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na"), None);
        assert_eq!(hung_up(""), None);
    }

    #[test]
    fn asking_not_to_be_held_is_noticed() {
        let (mut answer, mut input) =
            (Answer::new(false), BytesMut::from("HTTP/1.1 200 OK\r\nX-Accel-Buffering: no\r\n\r\n"));
        assert!(matches!(answer.next(&mut input), Ok(Some(Part::Head(Head { asks_to_pass: true, .. })))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let (mut answer, mut input) = (Answer::new(false), BytesMut::from(bytes.as_slice()));
            while let Ok(Some(_)) = answer.next(&mut input) {}
        }
    }
}
