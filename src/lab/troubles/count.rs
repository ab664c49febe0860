//! Counting messages: where in an answer's body one ends, in each of the four framings.
//!
//! A counter follows the body from its first byte, however the bytes are cut into pieces, and so it is in step whenever
//! somebody begins to count.

/// What an answer's body is made of, as far as messages go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// Frames of a WebSocket.
    Frames,
    /// Server-sent events.
    Events,
    /// Lines.
    Lines,
    /// A poll's answer: one JSON object with a list of events.
    Batch,
    /// Something without messages.
    #[default]
    Opaque,
}

impl Content {
    /// Whether the body has no end of its own.
    #[must_use]
    pub const fn is_endless(self) -> bool {
        matches!(self, Self::Frames | Self::Events | Self::Lines)
    }
}

/// Finds the ends of messages.
#[derive(Clone, Debug)]
pub enum Counter {
    /// Data frames of a WebSocket that end a message.
    Frames(Frames),
    /// Events with data.
    Events(EventScanner),
    /// Lines.
    Lines,
    /// Events in the list of a poll's answer.
    Batch(Batch),
    /// There are none.
    Nothing,
}

impl Counter {
    /// Returns a counter that stands before the first byte.
    #[must_use]
    pub fn of(content: Content) -> Self {
        match content {
            Content::Frames => Self::Frames(Frames::default()),
            Content::Events => Self::Events(EventScanner::default()),
            Content::Lines => Self::Lines,
            Content::Batch => Self::Batch(Batch::default()),
            Content::Opaque => Self::Nothing,
        }
    }

    /// Follows the bytes to the first end of a message, and returns how many that took. `None` if no message ends in
    /// them; then all of them have been followed.
    pub fn next_end(&mut self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Frames(frames) => frames.next_end(bytes),
            Self::Events(scanner) => next_event_with_data(scanner, bytes),
            Self::Lines => bytes.iter().position(|&byte| byte == b'\n').map(|at| at + 1),
            Self::Batch(batch) => bytes.iter().position(|&byte| batch.ends_event(byte)).map(|at| at + 1),
            Self::Nothing => None,
        }
    }
}

fn next_event_with_data(scanner: &mut EventScanner, bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some((taken, mark)) = scanner.next(&bytes[at..]) {
        at += taken;
        if mark == (Mark::Ends { has_data: true }) {
            return Some(at);
        }
    }
    None
}

/// What lies between two bytes of an event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// An event begins with the next byte. Comments do not begin one.
    Begins,
    /// An event has ended with its blank line.
    Ends {
        /// Whether it had a line of data; without one, receivers drop it.
        has_data: bool,
    },
}

/// Finds events in an event stream (WHATWG HTML §9.2.6).
#[derive(Clone, Copy, Debug, Default)]
pub struct EventScanner {
    line: Line,
    is_in_event: bool,
    has_data: bool,
    is_after_cr: bool,
}

/// How far a line has been read.
#[derive(Clone, Copy, Debug, Default)]
enum Line {
    /// Nothing of it.
    #[default]
    Start,
    /// So many bytes, and they could be the field `data`.
    Data(usize),
    /// It is clear what it is.
    Known,
}

const DATA: &[u8; 4] = b"data";

impl EventScanner {
    /// Follows the bytes to the next mark, and returns how many there are before it. `None` if there is none.
    pub fn next(&mut self, bytes: &[u8]) -> Option<(usize, Mark)> {
        for (at, &byte) in bytes.iter().enumerate() {
            let is_second_half = std::mem::take(&mut self.is_after_cr) && byte == b'\n';
            match byte {
                _ if is_second_half => {}
                b'\r' | b'\n' => {
                    self.is_after_cr = byte == b'\r';
                    if let Some(mark) = self.end_line() {
                        return Some((at + 1, mark));
                    }
                }
                _ if self.begins_event(byte) => {
                    self.is_in_event = true;
                    return Some((at, Mark::Begins));
                }
                _ => self.within_line(byte),
            }
        }
        None
    }

    fn begins_event(&self, byte: u8) -> bool {
        matches!(self.line, Line::Start) && !self.is_in_event && byte != b':'
    }

    fn within_line(&mut self, byte: u8) {
        self.line = match self.line {
            Line::Start if byte == DATA[0] => Line::Data(1),
            Line::Data(matched) if DATA.get(matched) == Some(&byte) => Line::Data(matched + 1),
            Line::Data(4) if byte == b':' => {
                self.has_data = true;
                Line::Known
            }
            Line::Start | Line::Data(_) | Line::Known => Line::Known,
        };
    }

    fn end_line(&mut self) -> Option<Mark> {
        match std::mem::take(&mut self.line) {
            Line::Start if self.is_in_event => {
                self.is_in_event = false;
                Some(Mark::Ends { has_data: std::mem::take(&mut self.has_data) })
            }
            // A line that is nothing but the field's name is an empty line of data.
            Line::Data(4) => {
                self.has_data = true;
                None
            }
            Line::Start | Line::Data(_) | Line::Known => None,
        }
    }
}

/// Finds the ends of messages among WebSocket frames (RFC 6455 §5.2).
#[derive(Clone, Debug, Default)]
pub struct Frames {
    /// The head of the frame that has begun, as far as it is there.
    head: Vec<u8>,
    /// How much of its payload is still to come, once the head is complete.
    payload: Option<u64>,
}

impl Frames {
    fn next_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            while self.payload.is_none() {
                self.head.push(*bytes.get(at)?);
                at += 1;
                self.payload = payload_of(&self.head);
            }
            let left = self.payload.unwrap_or(0);
            let there = (bytes.len() - at) as u64;
            if left > there {
                self.payload = Some(left - there);
                return None;
            }
            // No more than there are bytes, so it fits.
            at += usize::try_from(left).unwrap_or(usize::MAX);
            self.payload = None;
            if ends_message(&std::mem::take(&mut self.head)) {
                return Some(at);
            }
        }
    }
}

/// The size of the payload, if the head is complete.
fn payload_of(head: &[u8]) -> Option<u64> {
    let [_, second, rest @ ..] = head else { return None };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let (payload, size) = match second & 0x7F {
        126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
        127 => (u64::from_be_bytes(*rest.first_chunk()?), 8),
        short => (u64::from(short), 0),
    };
    (rest.len() == size + mask).then_some(payload)
}

/// Whether a frame is the last of a message: a final one that is not about the connection itself.
fn ends_message(head: &[u8]) -> bool {
    head.first().is_some_and(|first| first & 0x80 != 0 && first & 0x08 == 0)
}

/// Finds the events in a poll's answer: the objects in a list in an object.
#[derive(Clone, Copy, Debug, Default)]
pub struct Batch {
    depth: u32,
    is_in_string: bool,
    is_escaped: bool,
}

impl Batch {
    /// How deep an event lies: in the answer, and there in the list.
    const LIST: u32 = 2;

    fn ends_event(&mut self, byte: u8) -> bool {
        if self.is_in_string {
            let is_end = byte == b'"' && !self.is_escaped;
            self.is_escaped = byte == b'\\' && !self.is_escaped;
            self.is_in_string = !is_end;
            return false;
        }
        match byte {
            b'"' => self.is_in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        byte == b'}' && self.depth == Self::LIST
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Where messages end, when the body comes in pieces of a size.
    fn ends(content: Content, body: &[u8], piece: usize) -> Vec<usize> {
        let (mut counter, mut ends, mut before) = (Counter::of(content), Vec::new(), 0);
        for piece in body.chunks(piece) {
            let mut at = 0;
            while let Some(taken) = counter.next_end(&piece[at..]) {
                at += taken;
                ends.push(before + at);
            }
            before += piece.len();
        }
        ends
    }

    /// The messages are what ends with each of these parts.
    #[track_caller]
    fn check(content: Content, parts: &[(&[u8], bool)]) {
        let body: Vec<u8> = parts.concat_bytes();
        let mut expected = Vec::new();
        parts.iter().fold(0, |before, (part, is_message)| {
            let end = before + part.len();
            expected.extend(is_message.then_some(end));
            end
        });
        for piece in [1, 2, 3, 7, body.len()] {
            assert_eq!(ends(content, &body, piece), expected, "in pieces of {piece}");
        }
    }

    trait ConcatBytes {
        fn concat_bytes(&self) -> Vec<u8>;
    }

    impl ConcatBytes for [(&[u8], bool)] {
        fn concat_bytes(&self) -> Vec<u8> {
            self.iter().flat_map(|(part, _)| part.iter().copied()).collect()
        }
    }

    #[test]
    fn an_event_with_data_is_a_message() {
        check(
            Content::Events,
            &[
                (b"retry: 1\nevent: hello\nid: a.0\ndata: {}\n\n", true),
                (b": heartbeat\n\n", false),
                (b"data: a\ndata: b\n\n", true),
                (b"id: a.1\n\n", false),
                (b"data\n\n", true),
                (b"database: x\n\n", false),
                (b"\n\n", false),
                (b": data: x\ndata:\r\n\r", true),
                (b"\ndata: x\r\r", true),
                (b"data: unfinished\n", false),
            ],
        );
    }

    #[test]
    fn a_line_is_a_message() {
        check(Content::Lines, &[(b"{\"a\":1}\n", true), (b"\n", true), (b"{\"b\"", false)]);
    }

    #[test]
    fn a_data_frame_that_is_final_is_a_message() {
        let long = [&[0x81, 126, 1, 0][..], &[7; 256]].concat();
        let longer = [vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], vec![7; 65_536]].concat();
        check(
            Content::Frames,
            &[
                (&[0x81, 5, 1, 2, 3, 4, 5], true),
                (&[0x89, 0], false),
                (&[0x82, 0], true),
                (&[0x01, 2, 9, 9], false),
                (&[0x8A, 1, 9], false),
                (&[0x80, 1, 9], true),
                (&long, true),
                (&[0x81, 0x81, 1, 2, 3, 4, 9], true),
                (&longer, true),
                (&[0x88, 2, 3, 232], false),
                (&[0x81, 9, 1], false),
            ],
        );
    }

    #[test]
    fn an_object_in_the_list_of_a_polls_answer_is_a_message() {
        check(
            Content::Batch,
            &[
                (b"{\"cursor\":\"a.2\",\"events\":[{\"message\":{\"id\":\"a.1\",\"data\":{\"x\":[{}]}}}", true),
                (b",{\"message\":{\"data\":\"}]\\\"}\\\\\"}}", true),
                (b"],\"more\":false}", false),
            ],
        );
    }

    #[test]
    fn what_has_no_messages_has_none() {
        check(Content::Opaque, &[(b"data: a\n\n{}", false)]);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(body in proptest::collection::vec(0..=255_u8, 0..400), piece in 1..50_usize) {
            for content in [Content::Frames, Content::Events, Content::Lines, Content::Batch] {
                prop_assert_eq!(ends(content, &body, piece), ends(content, &body, body.len().max(1)));
            }
        }

        #[test]
        fn frames_of_the_servers_own_encoder_are_counted(sizes in proptest::collection::vec(0..70_000_usize, 1..6)) {
            use crate::wire::websocket::{Opcode, frame};
            let (mut body, mut expected) = (Vec::new(), Vec::new());
            for size in sizes {
                frame(Opcode::Text, &vec![b'x'; size], &mut body);
                expected.push(body.len());
                frame(Opcode::Ping, b"", &mut body);
            }
            prop_assert_eq!(ends(Content::Frames, &body, 1000), expected);
        }
    }
}
