//! `GET /examination/ws`: a WebSocket that says hello, is silent on purpose, and answers each text with that text.
//!
//! It sends no pings, since these would break the silence that it is about.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{CloseCode, CloseReason, Closed, Message, MessageStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_stream::StreamExt as _;

use crate::{
    guard::Action,
    transport::{Problem, Query, State, check_handshake},
};

use super::{
    Hall, millis,
    silence::{LONGEST, beat},
    speech::{Word, through_silence},
    tally::{Tally, nonce},
};

/// How large a frame of a client may be.
const MAX_FRAME: usize = 1024;

/// How long the client gets to close after the last word.
const FAREWELL: Duration = Duration::from_secs(5);

/// Opens the WebSocket.
///
/// # Errors
/// Refuses what is out of bounds, a handshake that is none, and one too many.
pub async fn open(
    request: HttpRequest,
    body: web::Payload,
    state: web::Data<State>,
    hall: web::Data<Hall>,
    tally: web::Data<Tally>,
) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::OpenWebSocket)?;
    let query = Query::read(request.query_string(), &["for", "beat", "nonce"])?;
    let silence = millis(&query, "for", 15_000, 0..=LONGEST)?;
    let beat = beat(&query)?;
    let handshake = check_handshake(&request);
    if query.get("nonce").is_some() {
        // A browser tells its page nothing of a handshake that failed; so it can ask what arrived here.
        tally.add(nonce(&query)?, handshake.is_err());
    }
    handshake?;
    if state.is_draining() {
        return Err(Problem::draining());
    }
    let place = hall.enter()?;
    let (answer, socket, messages) =
        actix_ws::handle(&request, body).map_err(|fault| Problem::bad_request("bad-handshake", fault))?;
    let visit = Visit { silence, beat, state, _place: place };
    actix_rt::spawn(visit.run(socket, messages.max_frame_size(MAX_FRAME)));
    Ok(answer)
}

/// One open WebSocket.
struct Visit {
    silence: Duration,
    beat: Option<Duration>,
    state: web::Data<State>,
    _place: OwnedSemaphorePermit,
}

impl Visit {
    async fn run(self, mut socket: actix_ws::Session, messages: MessageStream) {
        // The limit is also for a client that does not read, for which `talk` would wait.
        let limit = self.silence + FAREWELL;
        let _ = actix_rt::time::timeout(limit, self.talk(&mut socket, messages)).await;
        let code = if self.state.is_draining() { CloseCode::Restart } else { CloseCode::Normal };
        // It fails for a client that is gone.
        let _ = socket.close(Some(CloseReason { code, description: None })).await;
    }

    /// Says its words at their times, and answers, until the client leaves or the server does.
    async fn talk(&self, socket: &mut actix_ws::Session, mut messages: MessageStream) -> Result<(), Closed> {
        socket.text(Word::Piece(1, 0).to_json()).await?;
        for (pause, word) in through_silence(self.silence, self.beat) {
            let due = tokio::time::Instant::now() + pause;
            while let Ok(message) = tokio::time::timeout_at(due, messages.next()).await {
                match message {
                    Some(Ok(message)) => answer(socket, message).await?,
                    Some(Err(_)) | None => return Ok(()),
                }
            }
            socket.text(word.to_json()).await?;
        }
        while let Some(Ok(message)) = messages.next().await {
            answer(socket, message).await?;
        }
        Ok(())
    }
}

async fn answer(socket: &mut actix_ws::Session, message: Message) -> Result<(), Closed> {
    match message {
        Message::Text(text) => socket.text(text).await,
        Message::Ping(bytes) => socket.pong(&bytes).await,
        Message::Close(_) => Err(Closed),
        Message::Binary(_) | Message::Pong(_) | Message::Continuation(_) | Message::Nop => Ok(()),
    }
}
