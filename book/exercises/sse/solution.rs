//! Server-sent events: what one message looks like in the stream.

// ANCHOR: hole
/// Writes one message as an event (WHATWG HTML §9.2.5 and §9.2.6).
///
/// - `id`: its cursor, which a browser sends back when it reconnects.
/// - `text`: what was published, byte for byte.
#[must_use]
pub fn event(id: &str, text: &str) -> String {
    // The standard ends a line at CRLF, at CR and at LF. So a line of the text must not be able to end ours.
    let text = text.replace("\r\n", "\n");
    let lines = text.split(['\r', '\n']).map(|line| format!("data: {line}\n"));
    format!("id: {id}\n{}\n", lines.collect::<String>())
}
// ANCHOR_END: hole
