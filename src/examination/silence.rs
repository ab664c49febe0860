//! `GET /examination/silence`: an answer that is silent on purpose. Whoever cuts what is silent shows when and how.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, http::Method, web};

use crate::{
    guard::Action,
    transport::{Problem, Query, State},
};

use super::{
    Hall, flag, json_answer, millis,
    speech::{Form, Speech, Word, through_silence},
};

/// The longest silence, in ms. Few middleboxes wait for longer, and nobody at a terminal does.
pub const LONGEST: u64 = 10 * 60 * 1000;

/// The shortest pause between two beats, in ms.
const SHORTEST_BEAT: u64 = 200;

/// Opens an answer that is silent.
///
/// # Errors
/// Refuses what is out of bounds, and one too many.
pub async fn open(
    request: HttpRequest,
    state: web::Data<State>,
    hall: web::Data<Hall>,
) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Read)?;
    let query = Query::read(request.query_string(), &["as", "for", "beat", "late"])?;
    let form = Form::read(&query)?;
    let silence = millis(&query, "for", 15_000, 0..=LONGEST)?;
    let beat = beat(&query)?;
    let is_late = flag(&query, "late")?;
    if state.is_draining() {
        return Err(Problem::draining());
    }
    let place = hall.enter()?;
    if is_late {
        if request.method() != Method::HEAD {
            let mut draining = state.draining.clone();
            // When the client goes away, this future is dropped.
            let _ = actix_rt::time::timeout(silence, draining.wait_for(|&is_draining| is_draining)).await;
        }
        drop(place);
        return Ok(json_answer(&serde_json::json!({ "awake": true })));
    }
    let hello = (Duration::ZERO, Word::Piece(1, 0));
    let words = [vec![hello], through_silence(silence, beat)].concat();
    Ok(Speech { form, words, pause: Duration::ZERO }.answer(&request, &state, place))
}

/// How often a request wants the silence to be broken, if at all.
pub fn beat(query: &Query<'_>) -> Result<Option<Duration>, Problem> {
    if matches!(query.get("beat"), None | Some("0")) {
        return Ok(None);
    }
    millis(query, "beat", 0, SHORTEST_BEAT..=LONGEST).map(Some)
}
