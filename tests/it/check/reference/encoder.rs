//! From events to bytes: JSON objects, and the frames of a WebSocket. Blocks of an event stream have a module of their
//! own.

use std::rc::Rc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{
    Fault, Server,
    channel::{Channel, Message, now},
    event::{Event, Kind, Transport, kind},
    frame,
    wish::{Format, Wish, cursor},
};

/// From events to bytes, for one subscription.
pub struct Encoder {
    pub server: Rc<Server>,
    pub channel: Rc<Channel>,
    pub transport: Transport,
    pub format: Format,
    pub client: String,
}

impl Encoder {
    pub fn new(server: &Rc<Server>, channel: &Rc<Channel>, wish: &Wish) -> Self {
        let client = wish.client.clone().unwrap_or_else(|| format!("{:032x}", fastrand::u128(..)));
        let (server, channel) = (Rc::clone(server), Rc::clone(channel));
        Self { server, channel, transport: wish.transport, format: wish.format, client }
    }

    /// The bytes of an event: a frame, a block or a line. Empty for what the framing cannot say.
    pub fn encode(&self, event: &Event) -> Vec<u8> {
        match (self.transport, self.format) {
            (Transport::WebSocket, Format::Raw) => self.bare_frame(event),
            (Transport::WebSocket, Format::Json) => self.text_frame(event),
            (Transport::Sse, _) => self.block(event),
            (Transport::LongPoll | Transport::Stream, _) => (self.line(event) + "\n").into_bytes(),
        }
    }

    /// The cursor of a position, as this transport prints it.
    pub fn cursor(&self, offset: u64) -> String {
        cursor(&self.server, &self.channel, self.transport, offset)
    }

    /// `{"message":{…}}`.
    pub fn line(&self, event: &Event) -> String {
        format!("{{\"{}\":{}}}", event.name(), self.object(event))
    }

    /// The inner object.
    pub fn object(&self, event: &Event) -> String {
        let limits = self.server.limits;
        match event {
            Event::Hello(position) => json!({
                "protocol": 1,
                "cursor": position,
                "head": self.cursor(self.channel.log.borrow().head()),
                "client": self.client,
                "member": "nobody",
                "transport": self.transport.name(),
                "heartbeat_ms": u64::try_from(limits.heartbeat.as_millis()).unwrap_or(u64::MAX),
                "key_window_ms": 300_000,
            })
            .to_string(),
            Event::Message(message, replayed) => self.message(message, *replayed),
            Event::Gap(gap) => json!({
                "after": gap.after,
                "resume": self.cursor(gap.resume),
                "missed": gap.missed,
                "reason": gap.reason,
            })
            .to_string(),
            Event::Heartbeat(position) => {
                let head = self.channel.log.borrow().head();
                json!({ "cursor": self.cursor(*position), "head": self.cursor(head) }).to_string()
            }
        }
    }

    /// The inner object of a message.
    pub fn message(&self, message: &Message, replayed: bool) -> String {
        let publication = &message.publication;
        let at = if replayed && self.server.has(Fault::ReplayDiffers) { now() } else { message.at };
        let label = publication.label.as_ref().map(|label| format!(",\"type\":{}", json!(label))).unwrap_or_default();
        let data = match kind(&publication.content_type) {
            Kind::Json => String::from_utf8_lossy(&publication.data).into_owned(),
            Kind::Text => json!(self.text(&publication.data)).to_string(),
            Kind::Bytes => format!("\"{}\",\"encoding\":\"base64\"", STANDARD.encode(&publication.data)),
        };
        let padding =
            if self.server.has(Fault::Padding) { format!(",\"padding\":\"{PADDING}\"") } else { String::new() };
        format!(
            "{{\"id\":\"{}\",\"at\":{at}{label},\"content_type\":{},\"data\":{data}{padding}}}",
            self.cursor(message.offset),
            json!(publication.content_type),
        )
    }

    /// Text as it is delivered.
    pub fn text(&self, data: &[u8]) -> String {
        if self.server.has(Fault::TextIsLatin1) {
            return data.iter().map(|&byte| char::from(byte)).collect();
        }
        String::from_utf8_lossy(data).into_owned()
    }

    /// Whether nothing may follow an event: a raw WebSocket can tell a gap only by closing.
    pub fn ends_with(&self, event: &Event) -> bool {
        matches!((self.transport, self.format, event), (Transport::WebSocket, Format::Raw, Event::Gap(_)))
    }

    /// A frame for each event, and a ping with each heartbeat, since a page cannot see pings.
    fn text_frame(&self, event: &Event) -> Vec<u8> {
        let mut frames = frame::encode(&self.server, frame::TEXT, self.line(event).as_bytes());
        if let Event::Heartbeat(_) = event {
            frames.extend(frame::encode(&self.server, frame::PING, b""));
        }
        frames
    }

    /// A raw WebSocket carries payloads and nothing else. What must be said is said by control frames.
    fn bare_frame(&self, event: &Event) -> Vec<u8> {
        let message = match event {
            Event::Message(message, _) => message,
            Event::Hello(_) => return Vec::new(),
            Event::Heartbeat(_) => return frame::encode(&self.server, frame::PING, b""),
            Event::Gap(gap) => {
                let reason = format!("gap {}", self.cursor(gap.resume));
                return frame::encode_close(&self.server, 4101, &reason);
            }
        };
        let publication = &message.publication;
        match kind(&publication.content_type) {
            Kind::Bytes => frame::encode(&self.server, frame::BINARY, &publication.data),
            Kind::Json | Kind::Text => {
                frame::encode(&self.server, frame::TEXT, self.text(&publication.data).as_bytes())
            }
        }
    }
}

/// What stands in for a framework that sends its own headers with each message.
pub const PADDING: &str = match std::str::from_utf8(&[b'.'; 1024]) {
    Ok(dots) => dots,
    Err(_) => "",
};
