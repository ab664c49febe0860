//! Server-sent events: one response that never ends (WHATWG HTML §9.2).

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    body::{self, MessageBody},
    http::{ConnectionType, Method, StatusCode, Version, header},
    web,
};

use crate::{
    channel::{Event, GoodbyeReason, Transport},
    delivery::{self, Boarding, Chunked, EventBody},
    wire::{self, Framing, sse},
};

use super::{
    channel_name,
    problem::Problem,
    query::{Format, Wish},
    state::State,
    subscribe::{Opened, exit, hangup},
};

// ANCHOR: sse
/// Opens an event stream.
///
/// # Errors
/// Returns what must never be retried. Everything else is said in an event stream, since to an `EventSource` any status
/// but 200 is the end.
pub async fn open(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let name = channel_name(&request)?;
    let wish = Wish::read(&request, Transport::Sse)?;
    if request.method() == Method::HEAD {
        return Ok(endless(&request, sse::CONTENT_TYPE, body::None::new()));
    }
    let framing = if wish.format == Format::Json { Framing::SseJson } else { Framing::SseRaw };
    if state.is_draining() {
        return Ok(turned_away(framing, GoodbyeReason::Draining));
    }
    let opened = match Opened::new(&state, &request, &name, wish, Transport::Sse) {
        Ok(opened) => opened,
        Err(problem) if is_temporary(&problem) => {
            state.metrics.refusal(problem.kind());
            return Ok(turned_away(framing, GoodbyeReason::Overloaded));
        }
        Err(problem) => return Err(problem),
    };
    let mut opening = Vec::new();
    sse::opening(jittered(state.settings.sse_retry), opened.hello(&state), &mut opening);
    if let Some(gap) = &opened.gap {
        wire::encode_event(framing, &Event::Gap(gap.clone()), &mut opening);
    }
    let stay = opened.announce(&state, &request);
    let subscription = opened.start(&state.worker(), framing, opening, hangup(&request));
    Ok(deliver(&request, sse::CONTENT_TYPE, EventBody::new(subscription, stay)))
}
// ANCHOR_END: sse

fn is_temporary(problem: &Problem) -> bool {
    matches!(problem.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
}

/// A stream that ends at once and tells when to come back.
fn turned_away(framing: Framing, reason: GoodbyeReason) -> HttpResponse {
    head(sse::CONTENT_TYPE).force_close().body(delivery::farewell(framing, delivery::goodbye(reason)))
}

/// A quarter more or less, so that those who were cut off together don't come back together.
fn jittered(retry: Duration) -> Duration {
    retry.mul_f64(0.75 + fastrand::f64() * 0.5)
}

/// A response that carries events until the subscription ends: by the socket itself if it may leave the framework.
pub fn deliver(request: &HttpRequest, content_type: &'static str, events: EventBody) -> HttpResponse {
    match exit(request) {
        Some(exit) => endless(request, content_type, Boarding::new(exit, events, Chunked::boxed)),
        None => endless(request, content_type, events),
    }
}

/// A response that has no end of its own. HEAD gets it without a body, and so without a length.
pub fn endless(request: &HttpRequest, content_type: &'static str, body: impl MessageBody + 'static) -> HttpResponse {
    let mut response = head(content_type).body(body);
    if request.version() < Version::HTTP_11 {
        // HTTP/1.0 knows no chunks; there a body ends when its connection does (RFC 9112 §6.1).
        response.head_mut().no_chunking(true);
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    response
}

/// The head of a response that is delivered piece by piece, with what keeps others from holding the pieces back.
fn head(content_type: &'static str) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .content_type(content_type)
        // `no-transform` forbids a proxy to compress, which would mean to buffer (RFC 9111 §5.2.2.6).
        .insert_header((header::CACHE_CONTROL, "no-store, no-transform"))
        // nginx passes on at once what it would otherwise collect in 4 or 8 KiB pages.
        .insert_header(("X-Accel-Buffering", "no"));
    response
}
