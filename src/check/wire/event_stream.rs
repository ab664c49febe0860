//! Event streams (WHATWG HTML §9.2): each block exactly as it came, and what it means.

use bytes::{Bytes, BytesMut};

/// What stands in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A comment between blocks, with its line end.
    Comment(Bytes),
    /// Lines up to an empty one.
    Block(Block),
}

/// Lines up to an empty one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its bytes, with the empty line.
    pub raw: Bytes,
}

impl Part {
    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        match self {
            Self::Comment(raw) | Self::Block(Block { raw }) => raw,
        }
    }
}

/// What a block means (HTML §9.2.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// The last `id`, if there is one without NUL.
    pub id: Option<Vec<u8>>,
    /// The last `event`.
    pub event: Option<Vec<u8>>,
    /// The `data` lines joined with LF; `None` if there is none, and then nothing is dispatched.
    pub data: Option<Vec<u8>>,
    /// The last `retry` of digits alone.
    pub retry: Option<u64>,
}

impl Block {
    /// Its lines without their ends, and without the empty one.
    #[must_use]
    pub fn lines(&self) -> Vec<&[u8]> {
        let mut rest = &self.raw[..];
        let mut lines = Vec::new();
        while let Some((line, behind)) = split_line(rest) {
            if !line.is_empty() {
                lines.push(line);
            }
            rest = behind;
        }
        lines
    }

    /// Its fields, as name and value, without the space behind the colon. A comment has an empty name.
    #[must_use]
    pub fn fields(&self) -> Vec<(&[u8], &[u8])> {
        self.lines().into_iter().map(field_of).collect()
    }

    /// What a receiver makes of it.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        let mut meaning = Meaning::default();
        for (name, value) in self.fields() {
            match name {
                b"id" if !value.contains(&0) => meaning.id = Some(value.to_vec()),
                b"event" => meaning.event = Some(value.to_vec()),
                b"data" => match &mut meaning.data {
                    None => meaning.data = Some(value.to_vec()),
                    Some(data) => {
                        data.push(b'\n');
                        data.extend_from_slice(value);
                    }
                },
                b"retry" if value.iter().all(u8::is_ascii_digit) => {
                    meaning.retry = str::from_utf8(value).ok().and_then(|digits| digits.parse().ok()).or(meaning.retry);
                }
                _ => {}
            }
        }
        meaning
    }
}

/// The line at the front, and what follows its end: LF, CR, or CRLF. `None` if there is no end.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr2(b'\n', b'\r', bytes)?;
    let width = if bytes[end..].starts_with(b"\r\n") { 2 } else { 1 };
    Some((&bytes[..end], &bytes[end + width..]))
}

fn field_of(line: &[u8]) -> (&[u8], &[u8]) {
    let Some(colon) = memchr::memchr(b':', line) else { return (line, b"") };
    let value = &line[colon + 1..];
    (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
}

/// The byte order mark, which may stand at the beginning of a stream (HTML §9.2.5).
const MARK: &[u8] = "\u{FEFF}".as_bytes();

/// Takes a stream apart.
#[derive(Debug, Default)]
pub struct Splitter {
    buffer: BytesMut,
    has_begun: bool,
    /// The last byte that was taken is a CR, whose LF may be yet to come.
    ends_in_cr: bool,
}

impl Splitter {
    /// Adds what has come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete part.
    pub fn next(&mut self) -> Option<Part> {
        self.pass_over_mark();
        self.pass_over_line_feed();
        if self.buffer.first() == Some(&b':') {
            let (_, rest) = split_line(&self.buffer)?;
            let length = self.buffer.len() - rest.len();
            return Some(Part::Comment(self.take(length)));
        }
        let length = self.length_of_block()?;
        Some(Part::Block(Block { raw: self.take(length) }))
    }

    fn length_of_block(&self) -> Option<usize> {
        let mut rest = &self.buffer[..];
        loop {
            let (line, behind) = split_line(rest)?;
            rest = behind;
            if line.is_empty() {
                return Some(self.buffer.len() - rest.len());
            }
        }
    }

    fn take(&mut self, length: usize) -> Bytes {
        self.has_begun = true;
        let taken = self.buffer.split_to(length).freeze();
        self.ends_in_cr = taken.last() == Some(&b'\r');
        taken
    }

    fn pass_over_mark(&mut self) {
        if !self.has_begun && self.buffer.starts_with(MARK) {
            self.take(MARK.len());
        }
    }

    fn pass_over_line_feed(&mut self) {
        if self.ends_in_cr && self.buffer.first() == Some(&b'\n') {
            self.take(1);
        }
    }

    /// What has come of a part that is not complete.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        &self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a stream that comes in pieces which are cut at `cut`.
    fn parts(stream: &str, cut: usize) -> Vec<Part> {
        let mut splitter = Splitter::default();
        let mut parts = Vec::new();
        for piece in [&stream.as_bytes()[..cut], &stream.as_bytes()[cut..]] {
            splitter.push(piece);
            parts.extend(std::iter::from_fn(|| splitter.next()));
        }
        parts
    }

    fn block(text: &str) -> Block {
        Block { raw: Bytes::copy_from_slice(text.as_bytes()) }
    }

    #[test]
    fn a_stream_is_taken_apart_wherever_it_is_cut() {
        let stream = "\u{FEFF}:hi\nid: 1\r\ndata: a\r\n\r\n: beat\n\ndata: b\rdata\r\r";
        let comment = |text: &'static str| Part::Comment(Bytes::from_static(text.as_bytes()));
        let expected = [
            comment(":hi\n"),
            Part::Block(block("id: 1\r\ndata: a\r\n\r\n")),
            comment(": beat\n"),
            Part::Block(block("\n")),
            Part::Block(block("data: b\rdata\r\r")),
        ];
        for cut in 0..=stream.len() {
            let found = parts(stream, cut);
            // A CRLF that is cut in two is a CR, and an LF that belongs to nothing.
            let meanings = |parts: &[Part]| -> Vec<Option<Meaning>> {
                parts
                    .iter()
                    .map(|part| if let Part::Block(block) = part { Some(block.meaning()) } else { None })
                    .collect()
            };
            assert_eq!(meanings(&found), meanings(&expected), "cut at {cut}");
        }
        assert_eq!(parts(stream, 0), expected);
    }

    #[test]
    fn what_a_block_means_is_what_a_browser_makes_of_it() {
        let meaning =
            block("event: x\nid: 7\ndata:  a\ndata\ndata:b\nretry: 10\nretry: 1s\nid: \0\n:c\nother: d\n\n").meaning();
        assert_eq!(meaning.event.as_deref(), Some(&b"x"[..]));
        assert_eq!(meaning.id.as_deref(), Some(&b"7"[..]));
        assert_eq!(meaning.data.as_deref(), Some(&b" a\n\nb"[..]));
        assert_eq!(meaning.retry, Some(10));
        assert_eq!(block("id: 7\n\n").meaning().data, None);
        assert_eq!(block("data:\n\n").meaning().data, Some(Vec::new()));
    }

    #[test]
    fn what_is_not_complete_is_kept() {
        let mut splitter = Splitter::default();
        splitter.push(b"data: a\n");
        assert_eq!(splitter.next(), None);
        assert_eq!(splitter.rest(), b"data: a\n");
        splitter.push(b"\n");
        assert_eq!(splitter.next(), Some(Part::Block(block("data: a\n\n"))));
    }
}
