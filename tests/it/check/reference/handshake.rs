//! The handshake of a WebSocket (RFC 6455 §4.2).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest;

use super::{
    Fault, Server,
    http::{Refusal, Request, head},
};

/// What every server adds to the key (RFC 6455 §1.3).
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Checks the client's half, and returns the server's.
///
/// # Errors
/// Tells what is missing or wrong.
pub fn answer(server: &Server, request: &Request) -> Result<Vec<u8>, Refusal> {
    if request.version == 0 {
        return Err(Refusal::new(400, "a WebSocket is opened with HTTP/1.1"));
    }
    let is_refused = server.has(Fault::TokensMatter) && request.header("Upgrade") != Some("websocket");
    if is_refused || !request.lists("Upgrade", "websocket") || !request.lists("Connection", "upgrade") {
        return Err(Refusal::new(426, "this address speaks WebSocket"));
    }
    if request.header("Sec-WebSocket-Version") != Some("13") && !server.has(Fault::AnyVersion) {
        return Err(Refusal::new(426, "the version of WebSocket is 13"));
    }
    let key = request.header("Sec-WebSocket-Key").unwrap_or_default();
    if !STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16) {
        return Err(Refusal::new(400, "`Sec-WebSocket-Key` is 16 bytes in base64"));
    }
    let mut headers = vec![
        ("Connection", "Upgrade".to_owned()),
        ("Upgrade", "websocket".to_owned()),
        ("Sec-WebSocket-Accept", accept(if server.has(Fault::AcceptWrong) { "" } else { key })),
    ];
    if server.has(Fault::ExtensionUnasked) {
        headers.push(("Sec-WebSocket-Extensions", "permessage-deflate".to_owned()));
    }
    Ok(head(101, &headers))
}

/// The proof that the server has understood the key.
fn accept(key: &str) -> String {
    STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{MAGIC}").as_bytes()))
}
