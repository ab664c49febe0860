//! Reads server-sent events from a stream of bytes (WHATWG HTML §9.2.6 "Interpreting an event stream").
//!
//! Bytes in, items out, in chunks of any size; it knows neither HTTP nor what the events mean. It is the decoder to the
//! encoder in `wire::sse`, and it is tested with the same table as the browser client's parser.

use std::{borrow::Cow, time::Duration};

use super::error::EventTooLarge;

/// What a stream yields.
#[derive(Debug, PartialEq, Eq)]
pub enum SseItem {
    /// A block with data, ended by a blank line.
    Event {
        /// The event's type, `message` unless the block names another.
        name: String,
        /// The data lines, joined by line feeds.
        data: String,
    },
    /// A valid `retry:` field: how long to wait before connecting anew.
    Retry(Duration),
}

/// An incremental parser.
#[derive(Debug)]
pub struct SseParser {
    line: Vec<u8>,
    /// A carriage return ended the last line: a line feed right after it belongs to it.
    after_carriage_return: bool,
    /// No line has ended yet, so a byte order mark may still come.
    is_at_start: bool,
    name: String,
    data: String,
    id: String,
    last_event_id: String,
    limit: usize,
}

impl SseParser {
    /// Creates a parser for lines and data of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            line: Vec::new(),
            after_carriage_return: false,
            is_at_start: true,
            name: String::new(),
            data: String::new(),
            id: String::new(),
            last_event_id: String::new(),
            limit,
        }
    }

    /// What a browser would send as `Last-Event-ID`: the `id:` of the last block that was complete, even without data.
    #[cfg(test)]
    fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// Takes the next chunk and returns what it completes. A block that the end of the stream cuts off never is.
    ///
    /// # Errors
    /// A line or an event's data is longer than the limit.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<Vec<SseItem>, EventTooLarge> {
        let mut items = Vec::new();
        for &byte in chunk {
            let follows_carriage_return = std::mem::take(&mut self.after_carriage_return);
            match byte {
                // CRLF is one line end, not two, even if the chunk was cut in between.
                b'\n' if follows_carriage_return => {}
                b'\n' => items.extend(self.end_line()?),
                b'\r' => {
                    self.after_carriage_return = true;
                    items.extend(self.end_line()?);
                }
                _ => self.append(byte)?,
            }
        }
        Ok(items)
    }

    fn append(&mut self, byte: u8) -> Result<(), EventTooLarge> {
        self.line.push(byte);
        self.check_size(self.line.len())
    }

    fn check_size(&self, size: usize) -> Result<(), EventTooLarge> {
        if size > self.limit { Err(EventTooLarge { limit: self.limit }) } else { Ok(()) }
    }

    fn end_line(&mut self) -> Result<Option<SseItem>, EventTooLarge> {
        let bytes = std::mem::take(&mut self.line);
        let line = self.decode(&bytes);
        if line.is_empty() {
            return Ok(self.dispatch());
        }
        let (field, value) = split_field(&line);
        let item = self.process(field, value);
        self.check_size(self.data.len())?;
        Ok(item)
    }

    /// Decodes UTF-8 with replacement characters, as "UTF-8 decode" does, and drops one leading byte order mark.
    fn decode<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, str> {
        let may_have_mark = std::mem::take(&mut self.is_at_start);
        let text = match bytes.strip_prefix("\u{FEFF}".as_bytes()) {
            Some(rest) if may_have_mark => rest,
            _ => bytes,
        };
        String::from_utf8_lossy(text)
    }

    /// Does what the standard calls "process the field". A comment has an empty field name and is ignored like any
    /// other name that is not in the list.
    fn process(&mut self, field: &str, value: &str) -> Option<SseItem> {
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            "retry" => return parse_retry(value),
            _ => {}
        }
        None
    }

    /// Does what the standard calls "dispatch the event".
    fn dispatch(&mut self) -> Option<SseItem> {
        self.last_event_id.clone_from(&self.id);
        let name = std::mem::take(&mut self.name);
        let mut data = std::mem::take(&mut self.data);
        // Every `data` line left a line feed behind. Without one there was no data, and so there is no event.
        data.pop()?;
        let name = if name.is_empty() { "message".to_owned() } else { name };
        Some(SseItem::Event { name, data })
    }
}

/// Splits at the first colon and removes one space after it; a line without a colon is a field with an empty value.
fn split_field(line: &str) -> (&str, &str) {
    let (field, value) = line.split_once(':').unwrap_or((line, ""));
    (field, value.strip_prefix(' ').unwrap_or(value))
}

/// ASCII digits only: `parse` alone would also take a plus sign.
fn parse_retry(value: &str) -> Option<SseItem> {
    if !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    value.parse().ok().map(Duration::from_millis).map(SseItem::Retry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        channel::{ContentType, Cursor, Data, Epoch, Message},
        wire::sse,
    };
    use base64::prelude::{BASE64_STANDARD, Engine};
    use proptest::prelude::*;
    use serde::Deserialize;

    const TABLE: &str = include_str!("../../tests/tables/event-stream.json");

    #[derive(Deserialize)]
    struct Table {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        #[serde(flatten)]
        stream: Stream,
        items: Vec<ExpectedItem>,
        last_event_id: String,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Stream {
        Stream(String),
        Base64(String),
    }

    impl Stream {
        fn into_bytes(self) -> Vec<u8> {
            match self {
                Self::Stream(text) => text.into_bytes(),
                Self::Base64(text) => BASE64_STANDARD.decode(text).expect("the table has valid base64"),
            }
        }
    }

    /// The table also knows the id of each event. This parser tells one id, after the last of them.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum ExpectedItem {
        Event { event: String, data: String },
        Retry { retry: u64 },
    }

    impl From<ExpectedItem> for SseItem {
        fn from(expected: ExpectedItem) -> Self {
            match expected {
                ExpectedItem::Event { event: name, data } => Self::Event { name, data },
                ExpectedItem::Retry { retry } => Self::Retry(Duration::from_millis(retry)),
            }
        }
    }

    fn parse(chunks: &[&[u8]]) -> (Vec<SseItem>, String) {
        let mut parser = SseParser::new(1000);
        let mut items = Vec::new();
        for chunk in chunks {
            items.extend(parser.feed(chunk).expect("all lines are short"));
        }
        (items, parser.last_event_id().to_owned())
    }

    /// Checks the outcome of `stream`, given in one piece, byte by byte, and cut in two at every place.
    fn check(name: &str, stream: &[u8], expected: &(Vec<SseItem>, String)) {
        assert_eq!(&parse(&[stream]), expected, "{name}: in one piece");
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(&parse(&bytes), expected, "{name}: byte by byte");
        for cut in 0..stream.len() {
            let (first, second) = stream.split_at(cut);
            assert_eq!(&parse(&[first, second]), expected, "{name}: cut at {cut}");
        }
    }

    #[test]
    fn streams_mean_what_the_table_says() {
        let table: Table = serde_json::from_str(TABLE).expect("the table is well-formed");
        assert!(!table.cases.is_empty());
        for Case { name, stream, items, last_event_id } in table.cases {
            let items = items.into_iter().map(SseItem::from).collect();
            check(&name, &stream.into_bytes(), &(items, last_event_id));
        }
    }

    #[test]
    fn a_retry_that_no_clock_can_count_is_ignored() {
        assert_eq!(parse(&[b"retry: 99999999999999999999999\n"]).0, []);
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let too_large = Err(EventTooLarge { limit: 8 });
        assert_eq!(SseParser::new(8).feed(b"data:1234"), too_large);
        assert_eq!(SseParser::new(8).feed(b"data:12\ndata:34\ndata:56\n"), too_large);
        assert_eq!(SseParser::new(8).feed(b"data:123\n\ndata:456\n\n").map(|items| items.len()), Ok(2));
    }

    /// Encodes a text message as the server does.
    fn encode(epoch: &Epoch, text: &str) -> Vec<u8> {
        let message = Message {
            offset: 42,
            at_us: 0,
            label: None,
            content_type: ContentType::Text,
            data: Data::Text(text.into()),
            publisher: None,
        };
        let mut bytes = Vec::new();
        sse::raw_message(epoch, &message, &mut bytes);
        bytes
    }

    proptest! {
        #[test]
        fn what_the_server_encodes_arrives_with_every_line_break_as_a_line_feed(text in "[ a:\r\n\u{FEFF}…]{0,20}") {
            let epoch = Epoch::random();
            let (items, id) = parse(&[&encode(&epoch, &text)]);
            let joined = text.replace("\r\n", "\n").replace('\r', "\n");
            prop_assert_eq!(items, [SseItem::Event { name: "message".to_owned(), data: joined }]);
            prop_assert_eq!(id, Cursor { epoch, offset: 42 }.to_string());
        }

        #[test]
        fn no_bytes_make_the_parser_panic_and_chunking_never_matters(
            text in "[:\r\n a\u{FEFF}]{0,20}(data: x\r?\n?){0,3}", cut in 0_usize..40
        ) {
            let bytes = text.as_bytes();
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(parse(&[first, second]), parse(&[bytes]));
        }
    }
}
