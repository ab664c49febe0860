//! From events to bytes: pure functions without sockets, clocks or state, one module for each protocol.
//!
//! An event is encoded at most once for each [`Framing`], and its bytes are the same whether it is sent live or replayed.

pub mod json;
pub mod sse;
pub mod websocket;

use crate::channel::{Epoch, Event, Message};

// ANCHOR: framing
/// The forms in which events go over the wire: a protocol's framing and a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// WebSocket, the payload alone in a text or binary frame.
    WebSocketRaw,
    /// WebSocket, a text frame with a JSON object for each event.
    WebSocketJson,
    /// SSE, the payload as `data:` lines.
    SseRaw,
    /// SSE, the event as a JSON object in one `data:` line.
    SseJson,
    /// A JSON object on a line of its own; long-polling turns the line ends into commas.
    JsonLines,
}
// ANCHOR_END: framing

// ANCHOR: encode_message
/// Appends a message to `out`, complete with its framing.
pub fn encode_message(framing: Framing, epoch: &Epoch, message: &Message, out: &mut Vec<u8>) {
    match framing {
        Framing::WebSocketRaw => websocket::raw_message(message, out),
        Framing::WebSocketJson => websocket::text_frame(out, |out| json::message_event(epoch, message, out)),
        Framing::SseRaw => sse::raw_message(epoch, message, out),
        Framing::SseJson => sse::json_message(epoch, message, out),
        Framing::JsonLines => json::line(out, |out| json::message_event(epoch, message, out)),
    }
}
// ANCHOR_END: encode_message

/// Appends any other event to `out`, complete with its framing.
///
/// `raw` on WebSocket carries no events, so there nothing is appended; what must be said is said by close codes.
pub fn encode_event(framing: Framing, event: &Event, out: &mut Vec<u8>) {
    match framing {
        Framing::WebSocketRaw => {}
        Framing::WebSocketJson => websocket::text_frame(out, |out| json::event(event, out)),
        Framing::SseRaw => match event {
            // A comment: it keeps the connection alive and is invisible to a page (WHATWG HTML §9.2.7).
            Event::Heartbeat(_) => out.extend_from_slice(b":\n"),
            event => sse::event(event, out),
        },
        Framing::SseJson => sse::event(event, out),
        Framing::JsonLines => json::line(out, |out| json::event(event, out)),
    }
}
