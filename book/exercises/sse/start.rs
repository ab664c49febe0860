//! Server-sent events: what one message looks like in the stream.

// ANCHOR: hole
/// Writes one message as an event (WHATWG HTML §9.2.5 and §9.2.6).
///
/// - `id`: its cursor, which a browser sends back when it reconnects.
/// - `text`: what was published, byte for byte.
#[must_use]
pub fn event(id: &str, text: &str) -> String {
    let _ = id;
    format!("data: {text}\n\n")
}
// ANCHOR_END: hole
