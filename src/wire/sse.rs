//! Server-sent events (WHATWG HTML §9.2).
//!
//! An event is a block of lines that ends with an empty one:
//!
//! ```text
//! id: k3f9z1.42
//! data: first line
//! data: second line
//!
//! ```
//!
//! Nobody can smuggle a line in: ids are cursors, types are [`Label`](crate::channel::Label)s or our own names, and data
//! are split at CR, LF and CRLF, so that each line of them is behind a `data: ` of its own.

use std::time::Duration;

use crate::channel::{Cursor, Data, Epoch, Event, Hello, Message};

use super::json;

/// The media type of an event stream.
pub const CONTENT_TYPE: &str = "text/event-stream";

/// Appends a message in `raw` format: `id:`, the label as `event:`, and the payload's lines.
pub fn raw_message(epoch: &Epoch, message: &Message, out: &mut Vec<u8>) {
    id(epoch, message.offset, out);
    match &message.data {
        Data::Json(text) | Data::Text(text) => {
            if let Some(label) = &message.label {
                field("event", label.as_str().as_bytes(), out);
            }
            data_lines(text.as_bytes(), out);
        }
        // SSE carries text only, so bytes come as base64, and their event type says so.
        Data::Binary(bytes) => {
            field("event", b"binary", out);
            out.extend_from_slice(b"data: ");
            json::base64(bytes, out);
            out.push(b'\n');
        }
    }
    out.push(b'\n');
}

/// Appends a message in `json` format: the event's name, its cursor, and the object on one line.
pub fn json_message(epoch: &Epoch, message: &Message, out: &mut Vec<u8>) {
    field("event", b"message", out);
    id(epoch, message.offset, out);
    out.extend_from_slice(b"data: ");
    json::message(epoch, message, out);
    out.extend_from_slice(b"\n\n");
}

/// Appends any other event: its name, the cursor that a reconnect shall send, and the object on one line.
pub fn event(event: &Event, out: &mut Vec<u8>) {
    field("event", event.name().as_bytes(), out);
    if let Some(cursor) = cursor_of(event) {
        id(&cursor.epoch, cursor.offset, out);
    }
    out.extend_from_slice(b"data: ");
    json::inner(event, out);
    out.extend_from_slice(b"\n\n");
}

/// Appends the first block of a stream: how long to wait before a reconnect, and the `hello`.
///
/// `retry:` is never alone in its block, because two client libraries make an event of any block at all.
pub fn opening(retry: Duration, hello: Hello, out: &mut Vec<u8>) {
    retry_line(retry, out);
    event(&Event::Hello(hello), out);
}

/// Appends the line that sets how long to wait before a reconnect.
pub fn retry_line(retry: Duration, out: &mut Vec<u8>) {
    field("retry", retry.as_millis().to_string().as_bytes(), out);
}

/// The position of a reader who has seen this event, where the event moves it.
const fn cursor_of(event: &Event) -> Option<&Cursor> {
    match event {
        Event::Hello(hello) => hello.cursor.as_ref(),
        Event::Gap(gap) => Some(&gap.resume),
        Event::Presence(_) | Event::Heartbeat(_) | Event::Goodbye(_) => None,
    }
}

fn id(epoch: &Epoch, offset: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"id: ");
    json::cursor(epoch, offset, out);
    out.push(b'\n');
}

fn field(name: &'static str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.push(b'\n');
}

// ANCHOR: data_lines
/// Appends the payload as `data:` lines. The receiver joins them with LF, whatever separated them (HTML §9.2.6).
fn data_lines(payload: &[u8], out: &mut Vec<u8>) {
    let mut rest = payload;
    loop {
        let end = memchr::memchr2(b'\n', b'\r', rest);
        field("data", &rest[..end.unwrap_or(rest.len())], out);
        let Some(end) = end else { return };
        let crlf = rest[end..].starts_with(b"\r\n");
        rest = &rest[end + if crlf { 2 } else { 1 }..];
    }
}
// ANCHOR_END: data_lines

#[cfg(test)]
mod tests {
    use super::super::json::tests::{epoch, message_of};
    use super::*;
    use crate::channel::{Gap, GapReason, Goodbye, GoodbyeReason, Heartbeat};
    use proptest::prelude::*;

    #[track_caller]
    fn raw(data: Data, label: Option<&str>, expected: &str) {
        let mut out = Vec::new();
        raw_message(&epoch(), &message_of(data, "text/plain", label), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    fn text(text: &str) -> Data {
        Data::Text(text.into())
    }

    /// The rows are the format tests of web-platform-tests `eventsource/`, seen from the sender's side.
    #[test]
    fn raw_messages_are_blocks_of_these_bytes() {
        raw(text("hello"), None, "id: k3f9z1.42\ndata: hello\n\n");
        raw(text("hello"), Some("chat.line"), "id: k3f9z1.42\nevent: chat.line\ndata: hello\n\n");
        raw(text(""), None, "id: k3f9z1.42\ndata: \n\n");
        raw(text("a\nb\rc\r\nd"), None, "id: k3f9z1.42\ndata: a\ndata: b\ndata: c\ndata: d\n\n");
        raw(text("a\n\n"), None, "id: k3f9z1.42\ndata: a\ndata: \ndata: \n\n");
        raw(text("\n\r"), None, "id: k3f9z1.42\ndata: \ndata: \ndata: \n\n");
        raw(text(" leading space"), None, "id: k3f9z1.42\ndata:  leading space\n\n");
        raw(text("\u{FEFF}bom"), None, "id: k3f9z1.42\ndata: \u{FEFF}bom\n\n");
        raw(Data::Json("{\"a\":1}".into()), None, "id: k3f9z1.42\ndata: {\"a\":1}\n\n");
        raw(Data::Binary(vec![1, 2].into()), None, "id: k3f9z1.42\nevent: binary\ndata: AQI=\n\n");
    }

    #[test]
    fn data_cannot_forge_a_field() {
        raw(
            text("x\n\nevent: gap\rid: k3f9z1.9\r\ndata: forged\n\n"),
            None,
            "id: k3f9z1.42\ndata: x\ndata: \ndata: event: gap\ndata: id: k3f9z1.9\ndata: data: forged\ndata: \ndata: \n\n",
        );
    }

    #[test]
    fn events_are_blocks_of_these_bytes() {
        let at = |offset| Cursor { epoch: epoch(), offset };
        let mut out = Vec::new();
        json_message(&epoch(), &message_of(text("a\nb"), "text/plain", Some("line")), &mut out);
        let gap = Gap { after: Some(at(2)), resume: at(40), missed: Some(38), reason: GapReason::Slow };
        event(&Event::Gap(gap), &mut out);
        event(&Event::Heartbeat(Heartbeat { cursor: at(7), head: at(9) }), &mut out);
        retry_line(Duration::from_secs(2), &mut out);
        event(&Event::Goodbye(Goodbye { reason: GoodbyeReason::Draining, reconnect_ms: 1234 }), &mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            "event: message\nid: k3f9z1.42\ndata: {\"id\":\"k3f9z1.42\",\"at\":1795248000000001,\"type\":\"line\",\
             \"content_type\":\"text/plain\",\"data\":\"a\\nb\"}\n\n\
             event: gap\nid: k3f9z1.40\ndata: {\"after\":\"k3f9z1.2\",\"resume\":\"k3f9z1.40\",\"missed\":38,\
             \"reason\":\"slow\"}\n\n\
             event: heartbeat\ndata: {\"cursor\":\"k3f9z1.7\",\"head\":\"k3f9z1.9\"}\n\n\
             retry: 2000\nevent: goodbye\ndata: {\"reason\":\"draining\",\"reconnect_ms\":1234}\n\n"
        );
    }

    /// A receiver as HTML §9.2.6 describes it: what it dispatches of a stream.
    fn receive(stream: &[u8]) -> Vec<(String, String)> {
        let stream = String::from_utf8(stream.to_vec()).expect("UTF-8");
        let (mut events, mut data, mut id) = (Vec::new(), None::<String>, String::new());
        for line in stream.replace("\r\n", "\n").replace('\r', "\n").split('\n') {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "" if line.is_empty() => events.extend(data.take().map(|data| (id.clone(), data))),
                "data" => data = Some(data.map_or_else(|| value.to_owned(), |data| data + "\n" + value)),
                "id" => value.clone_into(&mut id),
                _ => {}
            }
        }
        events
    }

    proptest! {
        #[test]
        fn any_text_is_one_event_with_its_own_id_and_lf_for_every_line_end(text in "[a:\\n\\r\\x00é ]{0,40}") {
            let mut out = Vec::new();
            raw_message(&epoch(), &message_of(Data::Text(text.clone().into()), "text/plain", None), &mut out);
            let expected = text.replace("\r\n", "\n").replace('\r', "\n");
            prop_assert_eq!(receive(&out), vec![("k3f9z1.42".to_owned(), expected)]);
        }
    }
}
