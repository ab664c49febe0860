//! WebSocket: a handshake over HTTP, then frames in both directions (RFC 6455).
//!
//! actix-ws parses the frames and writes the replies; a [gate](gate) in front of it looks at each frame first, and a
//! [body](body) merges the replies with the channel's events, which are encoded once for all subscribers.

mod body;
mod command;
mod conversation;
mod gate;
mod handshake;
mod intake;
mod line;
mod reader;
mod voice;

pub use handshake::check as check_handshake;
pub use intake::{Arrived, Intake, Violation};

use std::{cell::Cell, rc::Rc};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody as _},
    dev::Payload,
    http::{Method, header},
    web,
};

use crate::{
    channel::{ChannelName, Event, Transport},
    delivery::Boarding,
    guard::Action,
    wire::{self, Framing, websocket::CloseCode},
};

use super::{
    channel_name,
    problem::Problem,
    query::{Format, Wish},
    state::State,
    subscribe::{Opened, Stay, exit, hangup},
};

use body::FrameBody;
use conversation::Conversation;
use gate::Gate;
use line::Line;
use reader::Reader;
use voice::Voice;

/// What the two halves of a connection tell each other.
#[derive(Debug)]
struct Shared {
    /// When the peer was last heard of, in the worker's milliseconds.
    heard_at_ms: Cell<u64>,
    /// The rule that the peer broke, if it did.
    violation: Cell<Option<(CloseCode, &'static str)>>,
    /// The head of the channel when the reader sent a close frame.
    closing_after: Cell<Option<u64>>,
}

// ANCHOR: websocket
/// Opens a WebSocket on the channel that the address names.
///
/// # Errors
/// Refuses a handshake that is none, and whatever else a client without a page behind it can be told by a status.
pub async fn open(request: HttpRequest, body: web::Payload, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    if request.method() == Method::HEAD {
        return Err(handshake::upgrade_required("a WebSocket is opened with GET"));
    }
    handshake::check(&request)?;
    let opened = channel_name(&request)
        .and_then(|name| Ok((name, Wish::read(&request, Transport::Websocket)?)))
        .and_then(|(name, wish)| admit(&state, &request, &name, wish));
    upgrade(&request, body, &state, opened)
}
// ANCHOR_END: websocket

/// Opens a WebSocket on the lobby: what the tutorials' `new WebSocket("ws://localhost:8080")` expects of a server.
///
/// # Errors
/// As [`open`].
pub async fn open_lobby(
    request: HttpRequest,
    body: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    handshake::check(&request)?;
    let opened = "lobby"
        .parse()
        .map_err(Problem::from)
        .and_then(|lobby: ChannelName| admit(&state, &request, &lobby, Wish::of_a_tutorial()));
    upgrade(&request, body, &state, opened)
}

fn admit(state: &State, request: &HttpRequest, name: &ChannelName, wish: Wish) -> Result<Opened, Problem> {
    if state.is_draining() {
        return Err(Problem::draining());
    }
    Opened::new(state, request, name, wish, Transport::Websocket)
}

/// Switches protocols and starts both halves of the connection.
///
/// A page cannot see a status: whatever it is, `onclose` says 1006. So a page that must be turned away is let in and
/// told by a close code, but for a foreign origin, which is refused as RFC 6455 §4.2.2 asks for.
fn upgrade(
    request: &HttpRequest,
    body: web::Payload,
    state: &web::Data<State>,
    opened: Result<Opened, Problem>,
) -> Result<HttpResponse, Problem> {
    let has_page = request.headers().contains_key(header::ORIGIN);
    match opened {
        Ok(opened) => connect(request, body, state, &opened),
        Err(problem) if has_page && problem.kind() != "foreign-origin" => {
            state.metrics.refusal(problem.kind());
            turn_away(request, body, &problem)
        }
        Err(problem) => Err(problem),
    }
}

fn connect(
    request: &HttpRequest,
    body: web::Payload,
    state: &web::Data<State>,
    opened: &Opened,
) -> Result<HttpResponse, Problem> {
    let is_json = opened.wish.format == Format::Json;
    let framing = if is_json { Framing::WebSocketJson } else { Framing::WebSocketRaw };
    // `raw` cannot say where it is. The client has to ask for it, so a gap turns it away.
    if let Some(gap) = opened.gap.as_ref().filter(|_| !is_json) {
        return closed_at_once(request, body, CloseCode::Gap, &format!("gap {}", gap.resume));
    }
    let mut response = actix_http::ws::handshake(request.head()).map_err(|_| handshake::bad_key())?;
    let stay = opened.announce(state, request);
    let opening = opening(state, opened, framing);
    let voice = Voice::new(opened.start(&state.worker(), framing, opening, hangup(request)));
    let conversation = Conversation::new(state, opened, request);
    match exit(request) {
        Some(exit) => {
            let line = Line::new(voice, conversation, stay);
            let body = Boarding::new(exit, line, Line::boxed).boxed();
            response.message_body(body).map(HttpResponse::from).map_err(|_| handshake::bad_key())
        }
        None => stream(request, body, state, voice, conversation, stay),
    }
}

/// Delivers through the framework: actix-ws parses what comes, behind a gate, and a response body sends what goes.
fn stream(
    request: &HttpRequest,
    body: web::Payload,
    state: &State,
    voice: Voice,
    conversation: Conversation,
    stay: Option<Stay>,
) -> Result<HttpResponse, Problem> {
    let worker = state.worker();
    let shared = Rc::new(Shared {
        heard_at_ms: Cell::new(worker.now_ms()),
        violation: Cell::new(None),
        closing_after: Cell::new(None),
    });
    let limit = conversation.frame_limit();
    let gate = Gate::new(body.into_inner(), limit, Rc::clone(&shared), worker);
    let (response, session, messages) =
        actix_ws::handle(request, gated(request, gate)?).map_err(|_| handshake::bad_key())?;
    let messages = messages.max_frame_size(limit).aggregate_continuations().max_continuation_size(limit);
    let reader = Reader::new(conversation, session, Rc::clone(&shared), stay);
    actix_rt::spawn(reader.run(messages));
    Ok(response.map_body(|_, replies| BoxBody::new(FrameBody::new(voice, replies, shared))))
}

/// The first frames: in `json` the `hello`, and a gap if there is one.
fn opening(state: &State, opened: &Opened, framing: Framing) -> Vec<u8> {
    let mut opening = Vec::new();
    wire::encode_event(framing, &Event::Hello(opened.hello(state)), &mut opening);
    if let Some(gap) = &opened.gap {
        wire::encode_event(framing, &Event::Gap(gap.clone()), &mut opening);
    }
    opening
}

/// Hands the gate to actix-ws as if it were the request's own payload.
fn gated(request: &HttpRequest, gate: Gate) -> Result<web::Payload, Problem> {
    let mut payload: Payload = Payload::Stream { payload: Box::pin(gate) };
    // The extractor is the only way to make a `web::Payload`. It takes what it is given and cannot fail.
    web::Payload::from_request(request, &mut payload).into_inner().map_err(|fault| {
        let status = actix_web::http::StatusCode::INTERNAL_SERVER_ERROR;
        Problem::new(status, "internal", "The server is at fault", fault)
    })
}

fn turn_away(request: &HttpRequest, body: web::Payload, problem: &Problem) -> Result<HttpResponse, Problem> {
    let code = if problem.kind() == "draining" { CloseCode::Restart } else { problem.close_code() };
    closed_at_once(request, body, code, problem.detail())
}

/// Switches protocols only to say goodbye.
fn closed_at_once(
    request: &HttpRequest,
    body: web::Payload,
    code: CloseCode,
    reason: &str,
) -> Result<HttpResponse, Problem> {
    let (response, _, _) = actix_ws::handle(request, body).map_err(|_| handshake::bad_key())?;
    let mut close = Vec::new();
    wire::websocket::close_frame(code, reason, &mut close);
    let once = tokio_stream::once(Ok::<_, std::convert::Infallible>(bytes::Bytes::from(close)));
    Ok(response.map_body(|_, _| BoxBody::new(actix_web::body::BodyStream::new(once))))
}

/// Whether a caller may publish on a socket that is open.
fn may_publish(state: &State, caller: &crate::guard::Caller<'_>) -> Result<(), Problem> {
    Ok(state.guard.decide(caller, Action::PublishOnOpenSocket)?)
}
