//! Socket.IO, protocol 5 on Engine.IO 4: packets of text, one in a WebSocket frame or several in the answer to a poll.
//!
//! A packet begins with digits for its kind. `0` opens the session, `2` is a ping, which `3` answers, and `4` carries
//! Socket.IO, where `40` joins the namespace and `42["m","…"]` is the event `m`. `../../peers/README.md` shows a
//! whole session.

use super::{Received, Sink, websocket};
use crate::fanout::Result;

/// The packet that joins the namespace.
const JOIN: &str = "40";

/// What separates packets in the answer to a poll.
const SEPARATOR: char = '\x1e';

/// The answer to a packet that was posted.
const POSTED: &str = "ok";

const EVENT: &str = r#"42["m",""#;
const EVENT_END: &str = r#""]"#;

/// The packet that publishes a payload. None of those of the benchmark has to be escaped.
pub fn event(payload: &[u8]) -> Vec<u8> {
    [EVENT.as_bytes(), payload, EVENT_END.as_bytes()].concat()
}

/// Reports what a WebSocket frame holds.
pub fn frame(payload: &[u8], sink: &mut impl Sink) -> Result<()> {
    match packet(std::str::from_utf8(payload)?)? {
        Packet::Open(_) => sink(Received::Owed(&websocket::client_text(JOIN.as_bytes()))),
        Packet::Joined => sink(Received::Subscribed),
        Packet::Event(payload) => sink(Received::Message(payload.as_bytes())),
    }
}

/// Reports what the answer to a poll holds. `session` is what the next one has to name.
pub fn answer(body: &str, session: &mut String, sink: &mut impl Sink) -> Result<()> {
    if body == POSTED {
        return sink(Received::Answered(session));
    }
    for text in body.split(SEPARATOR) {
        match packet(text)? {
            Packet::Open(id) => {
                id.clone_into(session);
                // The answer to this is the next one, and then it is time to poll.
                return sink(Received::Owed(post(session, JOIN).as_bytes()));
            }
            Packet::Joined => sink(Received::Subscribed)?,
            Packet::Event(payload) => sink(Received::Message(payload.as_bytes()))?,
        }
    }
    sink(Received::Answered(session))
}

enum Packet<'a> {
    /// The session's name.
    Open(&'a str),
    Joined,
    /// The payload of an event.
    Event(&'a str),
}

fn packet(text: &str) -> Result<Packet<'_>> {
    if let Some(payload) = text.strip_prefix(EVENT).and_then(|rest| rest.strip_suffix(EVENT_END)) {
        return Ok(Packet::Event(payload));
    }
    if text.starts_with(JOIN) {
        return Ok(Packet::Joined);
    }
    let id = text.strip_prefix(r#"0{"sid":""#).and_then(|rest| rest.split('"').next());
    id.map(Packet::Open).ok_or_else(|| format!("the server sent an unknown packet: {text}").into())
}

fn post(session: &str, packet: &str) -> String {
    let length = packet.len();
    format!(
        "POST /socket.io/?EIO=4&transport=polling&sid={session} HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {length}\r\n\r\n{packet}"
    )
}
