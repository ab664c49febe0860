//! The client's half of the handshake (RFC 6455 §4.2.1), each fault with a status of its own.

use actix_web::{
    HttpRequest,
    http::{StatusCode, Version, header},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::transport::{negotiate, problem::Problem};

/// Checks a request for a WebSocket.
///
/// # Errors
/// Names the part that is missing or wrong.
pub fn check(request: &HttpRequest) -> Result<(), Problem> {
    if request.version() > Version::HTTP_11 {
        return Err(wrong_version());
    }
    // Before the version, for a proxy that does not pass `Upgrade` on often speaks HTTP/1.0 as well; this tells more.
    if !negotiate::is_websocket(request.headers()) {
        let detail = "`Upgrade` is not `websocket` and nothing else (a proxy may have taken it off)";
        return Err(upgrade_required(detail));
    }
    if request.version() != Version::HTTP_11 {
        return Err(wrong_version());
    }
    if !is_for_connection(request) {
        return Err(upgrade_required("`Connection: Upgrade` is missing"));
    }
    let mut versions = request.headers().get_all(header::SEC_WEBSOCKET_VERSION).map(header::HeaderValue::as_bytes);
    match (versions.next(), versions.next()) {
        (Some(b"13"), None) => {}
        (Some(_), None) => return Err(upgrade_required("`Sec-WebSocket-Version` is not 13")),
        _ => return Err(bad_handshake("`Sec-WebSocket-Version: 13` must be given once")),
    }
    let mut keys = request.headers().get_all(header::SEC_WEBSOCKET_KEY);
    match (keys.next().and_then(|key| STANDARD.decode(key.as_bytes()).ok()), keys.next()) {
        (Some(key), None) if key.len() == 16 => Ok(()),
        _ => Err(bad_key()),
    }
}

/// Whether `Connection` says that `Upgrade` is meant for this server, not for one behind it (RFC 9110 §7.8).
fn is_for_connection(request: &HttpRequest) -> bool {
    request
        .headers()
        .get_all(header::CONNECTION)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|option| option.trim().eq_ignore_ascii_case("upgrade"))
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

fn wrong_version() -> Problem {
    bad_handshake("a WebSocket is opened with HTTP/1.1 (RFC 6455 §4.2.1)")
}

fn bad_handshake(detail: &str) -> Problem {
    Problem::bad_request("bad-handshake", detail)
}
