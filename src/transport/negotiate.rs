//! One address for all transports: what a client sends tells which one it wants.

use actix_web::{
    HttpRequest, HttpResponse,
    guard::{self, Guard, GuardContext},
    http::header::{self, HeaderMap, HeaderValue},
    web,
};

use crate::site;

use super::{long_poll, problem::Problem, sse, state::State, stream, websocket};

/// What a client wants at a channel's own address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    WebSocket,
    Sse,
    Stream,
    Page,
    LongPoll,
}

// ANCHOR: negotiate
/// Serves a channel at its own address, over the transport that the request asks for.
///
/// # Errors
/// Returns what the transport returns.
pub async fn open(request: HttpRequest, body: web::Payload, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let answer = match wanted(request.headers()) {
        Wanted::WebSocket => return websocket::open(request, body, state).await,
        Wanted::Sse => sse::open(request, state).await,
        Wanted::Stream => stream::open(request, state).await,
        Wanted::LongPoll => long_poll::answer(request, state).await,
        Wanted::Page => super::channel_name(&request).map(|_| site::channel_page(&request)),
    };
    answer.map(|mut response| {
        // Caches must not mix the answers up.
        response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept"));
        response
    })
}

fn wanted(headers: &HeaderMap) -> Wanted {
    if is_websocket(headers) {
        return Wanted::WebSocket;
    }
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let known = accept.split(',').filter_map(|range| Some((served_as(range)?, weight(range))));
    // Of equal weights the first wins.
    let best = known.reduce(|best, other| if other.1 > best.1 { other } else { best });
    best.filter(|(_, weight)| *weight > 0.0).map_or(Wanted::LongPoll, |(wanted, _)| wanted)
}
// ANCHOR_END: negotiate

fn served_as(range: &str) -> Option<Wanted> {
    match range.split(';').next()?.trim().to_ascii_lowercase().as_str() {
        "text/event-stream" => Some(Wanted::Sse),
        "application/x-ndjson" => Some(Wanted::Stream),
        "text/html" => Some(Wanted::Page),
        "application/json" => Some(Wanted::LongPoll),
        _ => None,
    }
}

/// How much a media range is wanted: 1 unless `q` says otherwise (RFC 9110 §12.4.2).
fn weight(range: &str) -> f32 {
    let q = range.split(';').skip(1).find_map(|parameter| parameter.trim().strip_prefix("q="));
    q.map_or(1.0, |q| q.parse().unwrap_or(0.0))
}

/// Whether `Upgrade` asks for WebSocket and for nothing else. Who would take another protocol as well (RFC 9110 §7.8) is
/// answered over HTTP.
pub fn is_websocket(headers: &HeaderMap) -> bool {
    let mut protocols = headers.get_all(header::UPGRADE).flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    let is_named = |protocol: &[u8]| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket");
    protocols.next().is_some_and(is_named) && protocols.next().is_none()
}

/// Whether the transport that a request is for tells a refusal in a way of its own, since its clients cannot see a status
/// or would give up for good.
pub fn tells_refusals_itself(request: &HttpRequest) -> bool {
    request.path().ends_with("/sse") || matches!(wanted(request.headers()), Wanted::Sse | Wanted::WebSocket)
}

/// A route guard that lets only requests for a WebSocket pass.
pub fn wants_websocket() -> impl Guard {
    guard::fn_guard(|context: &GuardContext<'_>| is_websocket(&context.head().headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: header::HeaderName, value: &'static str, expected: Wanted) {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        assert_eq!(wanted(&headers), expected, "{value}");
    }

    #[test]
    fn another_protocol_in_a_header_of_its_own_counts_too() {
        let mut headers = HeaderMap::new();
        headers.append(header::UPGRADE, HeaderValue::from_static("websocket"));
        assert!(is_websocket(&headers));
        headers.append(header::UPGRADE, HeaderValue::from_static("h2c"));
        assert!(!is_websocket(&headers));
    }

    #[test]
    fn the_transport_is_chosen_by_upgrade_and_accept() {
        assert_eq!(wanted(&HeaderMap::new()), Wanted::LongPoll);
        check(header::UPGRADE, "WebSocket", Wanted::WebSocket);
        check(header::UPGRADE, "h2c, websocket", Wanted::LongPoll);
        check(header::UPGRADE, "websocket,", Wanted::LongPoll);
        check(header::UPGRADE, "h2c", Wanted::LongPoll);
        check(header::ACCEPT, "*/*", Wanted::LongPoll);
        check(header::ACCEPT, "application/json", Wanted::LongPoll);
        check(header::ACCEPT, "text/event-stream", Wanted::Sse);
        check(header::ACCEPT, "application/x-ndjson, */*;q=0.1", Wanted::Stream);
        check(header::ACCEPT, "text/event-stream;q=0.1, application/json;q=0.9", Wanted::LongPoll);
        check(header::ACCEPT, "text/event-stream;q=0", Wanted::LongPoll);
        check(header::ACCEPT, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Wanted::Page);
    }
}
