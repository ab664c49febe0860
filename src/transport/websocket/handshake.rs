//! The client's half of the handshake (RFC 6455 §4.2.1), each fault with a status of its own.

use actix_web::{
    HttpRequest,
    http::{StatusCode, Version, header},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::transport::problem::Problem;

/// Checks a request for a WebSocket.
///
/// # Errors
/// Names the part that is missing or wrong.
pub fn check(request: &HttpRequest) -> Result<(), Problem> {
    if request.version() != Version::HTTP_11 {
        return Err(bad_handshake("a WebSocket is opened with HTTP/1.1 (RFC 6455 §4.2.1)"));
    }
    if !lists(request, header::UPGRADE, "websocket") {
        return Err(upgrade_required("`Upgrade: websocket` is missing"));
    }
    if !lists(request, header::CONNECTION, "upgrade") {
        return Err(upgrade_required("`Connection: Upgrade` is missing"));
    }
    match request.headers().get(header::SEC_WEBSOCKET_VERSION).map(header::HeaderValue::as_bytes) {
        Some(b"13") => {}
        Some(_) => return Err(upgrade_required("`Sec-WebSocket-Version` is not 13")),
        None => return Err(bad_handshake("`Sec-WebSocket-Version: 13` is missing")),
    }
    let mut keys = request.headers().get_all(header::SEC_WEBSOCKET_KEY);
    match (keys.next().and_then(|key| STANDARD.decode(key.as_bytes()).ok()), keys.next()) {
        (Some(key), None) if key.len() == 16 => Ok(()),
        _ => Err(bad_key()),
    }
}

/// Whether a header's list holds a token, in any case (RFC 9110 §5.6.1).
fn lists(request: &HttpRequest, name: header::HeaderName, token: &str) -> bool {
    request
        .headers()
        .get_all(name)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(token))
}

/// The client has to ask for another protocol, or for another version of it (RFC 6455 §4.4).
pub fn upgrade_required(detail: &str) -> Problem {
    let problem = Problem::new(
        StatusCode::UPGRADE_REQUIRED,
        "upgrade-required",
        "This address speaks WebSocket",
        format_args!("{detail}; ask with `Upgrade: websocket`, `Connection: Upgrade` and `Sec-WebSocket-Version: 13`"),
    );
    problem.with_header(header::SEC_WEBSOCKET_VERSION, "13").with_header(header::UPGRADE, "websocket")
}

/// The key is missing, given twice, or not 16 bytes in base64 (RFC 6455 §4.2.1, item 5).
pub fn bad_key() -> Problem {
    bad_handshake("`Sec-WebSocket-Key` must be given once and be 16 bytes in base64")
}

fn bad_handshake(detail: &str) -> Problem {
    Problem::bad_request("bad-handshake", detail)
}
