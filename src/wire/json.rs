//! Events as JSON objects.
//!
//! ```text
//! {"message":{"id":"k3f9z1.42","at":1795248000000000,"content_type":"application/json","data":{"hello":1}}}
//! {"gap":{"after":"k3f9z1.2","resume":"k3f9z1.40","missed":38,"reason":"evicted"}}
//! ```

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

use crate::channel::{Data, Epoch, Event, Message};

/// Appends `{"message":{…}}`.
pub fn message_event(epoch: &Epoch, message: &Message, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"message\":");
    self::message(epoch, message, out);
    out.push(b'}');
}

/// Appends the inner object of a `message` event.
pub fn message(epoch: &Epoch, message: &Message, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":\"");
    cursor(epoch, message.offset, out);
    out.extend_from_slice(b"\",\"at\":");
    write(&message.at_us, out);
    if let Some(label) = &message.label {
        out.extend_from_slice(b",\"type\":");
        string(label.as_str(), out);
    }
    out.extend_from_slice(b",\"content_type\":");
    string(message.content_type.as_str(), out);
    out.extend_from_slice(b",\"data\":");
    match &message.data {
        // Embedded as they are, byte for byte.
        Data::Json(json) => out.extend_from_slice(json.as_bytes()),
        Data::Text(text) => string(text, out),
        Data::Binary(bytes) => {
            out.push(b'"');
            base64(bytes, out);
            out.extend_from_slice(b"\",\"encoding\":\"base64\"");
        }
    }
    out.push(b'}');
}

/// Appends `{"hello":{…}}`, `{"gap":{…}}` and so on.
pub fn event(event: &Event, out: &mut Vec<u8>) {
    write(event, out);
}

/// Appends the inner object of an event.
pub fn inner(event: &Event, out: &mut Vec<u8>) {
    match event {
        Event::Hello(hello) => write(hello, out),
        Event::Gap(gap) => write(gap, out),
        Event::Presence(presence) => write(presence, out),
        Event::Heartbeat(heartbeat) => write(heartbeat, out),
        Event::Goodbye(goodbye) => write(goodbye, out),
    }
}

/// Appends what `object` appends, and a line feed. JSON of ours holds none itself, so this is one line.
pub fn line(out: &mut Vec<u8>, object: impl FnOnce(&mut Vec<u8>)) {
    object(out);
    out.push(b'\n');
}

/// Appends bytes in base64 (RFC 4648 §4), with padding.
pub fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The space is exactly what the encoding needs, so this cannot fail.
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

/// Appends a cursor as it is printed. It consists of letters, digits, hyphens and a dot, so it needs no escape anywhere.
pub fn cursor(epoch: &Epoch, offset: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(epoch.as_str().as_bytes());
    out.push(b'.');
    write(&offset, out);
}

/// Appends a string. Most have nothing to escape, which is seen for many bytes at a time, and are copied as they are.
fn string(text: &str, out: &mut Vec<u8>) {
    if text.bytes().fold(false, |found, byte| found | must_be_escaped(byte)) {
        return write(text, out);
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// RFC 8259 §7: quotation mark, reverse solidus, and the control characters.
const fn must_be_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Serializing our own types into memory fails only if one of them is not JSON, which its tests would show.
fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::channel::{Cursor, Gap, GapReason, Heartbeat};
    use proptest::prelude::*;

    pub(crate) fn epoch() -> Epoch {
        "k3f9z1.1".parse::<Cursor>().expect("a good cursor").epoch
    }

    pub(crate) fn message_of(data: Data, content_type: &str, label: Option<&str>) -> Message {
        let label = label.map(|label| label.parse().expect("a good label"));
        Message {
            offset: 42,
            at_us: 1_795_248_000_000_001,
            label,
            content_type: content_type.into(),
            data,
            publisher: None,
        }
    }

    #[track_caller]
    fn check(data: Data, content_type: &str, label: Option<&str>, expected: &str) {
        let mut out = Vec::new();
        message_event(&epoch(), &message_of(data, content_type, label), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn messages_are_objects_of_these_bytes() {
        check(
            Data::Json("{\"a\":1.0}".into()),
            "application/json",
            None,
            r#"{"message":{"id":"k3f9z1.42","at":1795248000000001,"content_type":"application/json","data":{"a":1.0}}}"#,
        );
        check(
            Data::Text("say \"hi\"\r\n\u{7}é".into()),
            "text/plain",
            Some("chat.line"),
            r#"{"message":{"id":"k3f9z1.42","at":1795248000000001,"type":"chat.line","content_type":"text/plain","data":"say \"hi\"\r\n\u0007é"}}"#,
        );
        check(
            Data::Binary(vec![0, 255, 16].into()),
            "image/png",
            None,
            r#"{"message":{"id":"k3f9z1.42","at":1795248000000001,"content_type":"image/png","data":"AP8Q","encoding":"base64"}}"#,
        );
        check(
            Data::Binary(vec![].into()),
            "application/octet-stream",
            None,
            r#"{"message":{"id":"k3f9z1.42","at":1795248000000001,"content_type":"application/octet-stream","data":"","encoding":"base64"}}"#,
        );
    }

    #[test]
    fn other_events_are_objects_of_these_bytes() {
        let at = |offset| Cursor { epoch: epoch(), offset };
        let mut out = Vec::new();
        let gap = Gap { after: Some(at(2)), resume: at(40), missed: Some(38), reason: GapReason::Evicted };
        line(&mut out, |out| event(&Event::Gap(gap), out));
        let gap = Gap { after: None, resume: at(0), missed: None, reason: GapReason::Epoch };
        line(&mut out, |out| event(&Event::Gap(gap), out));
        line(&mut out, |out| event(&Event::Heartbeat(Heartbeat { cursor: at(7), head: at(9) }), out));
        assert_eq!(
            String::from_utf8_lossy(&out),
            "{\"gap\":{\"after\":\"k3f9z1.2\",\"resume\":\"k3f9z1.40\",\"missed\":38,\"reason\":\"evicted\"}}\n\
             {\"gap\":{\"after\":null,\"resume\":\"k3f9z1.0\",\"missed\":null,\"reason\":\"epoch\"}}\n\
             {\"heartbeat\":{\"cursor\":\"k3f9z1.7\",\"head\":\"k3f9z1.9\"}}\n"
        );
    }

    proptest! {
        #[test]
        fn any_text_and_any_bytes_come_back_and_stay_on_one_line(text in any::<String>(), bytes in any::<Vec<u8>>()) {
            for data in [Data::Text(text.clone().into()), Data::Binary(bytes.clone().into())] {
                let mut out = Vec::new();
                line(&mut out, |out| message_event(&epoch(), &message_of(data, "text/plain", None), out));
                prop_assert_eq!(out.iter().filter(|&&byte| byte == b'\n' || byte == b'\r').count(), 1);
                let object: serde_json::Value = serde_json::from_slice(&out).expect("it is JSON");
                let inner = &object["message"];
                let came_back = inner["data"].as_str().expect("a string");
                if inner["encoding"] == "base64" {
                    prop_assert_eq!(&STANDARD.decode(came_back).expect("base64"), &bytes);
                } else {
                    prop_assert_eq!(came_back, text.as_str());
                }
            }
        }
    }
}
