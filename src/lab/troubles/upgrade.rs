//! Middleboxes that do not let a WebSocket's handshake through.

use bytes::Bytes;

use crate::lab::{
    faults::Upgrade,
    relay::{Request, words},
};

/// What becomes of a handshake.
#[derive(Debug)]
pub enum Met {
    /// The server gets the request, perhaps without what asks for the upgrade.
    Passes,
    /// The middlebox answers in the server's place, and the server hears nothing.
    Answered(Bytes),
}

/// Lets a request meet the middlebox. Only handshakes interest it.
pub fn meet(middlebox: Option<Upgrade>, request: &mut Request) -> Met {
    let (Some(middlebox), true) = (middlebox, request.is_handshake()) else { return Met::Passes };
    match middlebox {
        Upgrade::Strip => {
            request.strip(&["Upgrade", "Connection"]);
            Met::Passes
        }
        Upgrade::BadRequest => Met::Answered(words::proxy_page(400, "Bad Request", None)),
        Upgrade::Forbidden => Met::Answered(words::proxy_page(403, "Forbidden", None)),
        Upgrade::Mute => Met::Answered(accepted(request.key().unwrap_or_default())),
    }
}

/// The server's half of the handshake, so right that every client believes it (RFC 6455 §4.2.2).
fn accepted(key: &str) -> Bytes {
    let accept = actix_http::ws::hash_key(key.as_bytes());
    let accept = String::from_utf8_lossy(&accept);
    let lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        &format!("Sec-WebSocket-Accept: {accept}"),
    ];
    Bytes::from(lines.join("\r\n") + "\r\n\r\n")
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    const HANDSHAKE: &str = "GET /channels/a/ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    fn request(text: &str) -> Request {
        let request = Request::read(&mut BytesMut::from(text));
        request.expect("a good request").expect("a whole request")
    }

    fn answer(middlebox: Upgrade) -> String {
        match meet(Some(middlebox), &mut request(HANDSHAKE)) {
            Met::Answered(answer) => String::from_utf8_lossy(&answer).into_owned(),
            Met::Passes => panic!("it passes {middlebox:?}"),
        }
    }

    #[test]
    fn what_asks_for_the_upgrade_is_stripped() {
        let mut request = request(HANDSHAKE);
        assert!(matches!(meet(Some(Upgrade::Strip), &mut request), Met::Passes));
        let expected = "GET /channels/a/ws HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        assert_eq!(request.to_bytes(), expected);
    }

    #[test]
    fn a_mute_middlebox_accepts_as_the_server_would() {
        // The key and its answer are the example of RFC 6455 §1.3.
        assert!(answer(Upgrade::Mute).contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    }

    #[test]
    fn a_refusal_is_the_proxys_own() {
        for (middlebox, status) in [(Upgrade::BadRequest, "400 Bad Request"), (Upgrade::Forbidden, "403 Forbidden")] {
            let answer = answer(middlebox);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
            assert!(answer.contains("text/html"), "{answer}");
        }
    }

    #[test]
    fn other_requests_are_no_business_of_a_middlebox() {
        let mut request = request("GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n");
        let before = request.to_bytes();
        assert!(matches!(meet(Some(Upgrade::Strip), &mut request), Met::Passes));
        assert_eq!(request.to_bytes(), before);
    }
}
