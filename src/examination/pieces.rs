//! `GET /examination/pieces`: a stream of small pieces, each with the time at which it was sent. Whoever holds them back
//! is betrayed by the times at which they arrive.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, http::header::HeaderName, web};

use crate::{
    guard::Action,
    transport::{Problem, Query, State},
};

use super::{
    Hall, flag, millis, number,
    speech::{Form, Speech, Word},
};

/// How many pieces are sent at most.
const MOST_PIECES: u64 = 64;

/// How many bytes a piece has at most.
const MOST_BYTES: u64 = 4096;

/// How many milliseconds are between two pieces at most.
const LONGEST_PAUSE: u64 = 1000;

/// Streams pieces.
///
/// # Errors
/// Refuses what is out of bounds, and one too many.
pub async fn open(
    request: HttpRequest,
    state: web::Data<State>,
    hall: web::Data<Hall>,
) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Read)?;
    let query = Query::read(request.query_string(), &["as", "count", "every", "bytes", "plain"])?;
    let form = Form::read(&query)?;
    let count = number(&query, "count", 6, 1..=MOST_PIECES)?;
    let every = millis(&query, "every", 150, 1..=LONGEST_PAUSE)?;
    let bytes = number(&query, "bytes", 64, 1..=MOST_BYTES)?;
    let is_plain = flag(&query, "plain")?;
    if state.is_draining() {
        return Err(Problem::draining());
    }
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let words = (1..=count).map(|piece| (pause_before(piece, every), Word::Piece(piece, bytes))).collect();
    // The end is one more thing that could set the last piece free, so it has a time of its own.
    let speech = Speech { form, words, pause: every * 3 };
    let mut answer = speech.answer(&request, &state, hall.enter()?);
    if is_plain {
        answer.headers_mut().remove(HeaderName::from_static("x-accel-buffering"));
    }
    Ok(answer)
}

/// Pauses differ, so that what is late by a fixed time can be told from what waits for the next piece.
fn pause_before(piece: u64, every: Duration) -> Duration {
    match piece {
        1 => Duration::ZERO,
        _ if piece.is_multiple_of(2) => every,
        _ => every * 2,
    }
}
