//! `POST /examination/verdict`: what a page has seen, judged by the same rules as what the command sees.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use bytes::Bytes;

use crate::{
    doctor::{Observations, Report},
    guard::Action,
    transport::{Problem, Query, State},
};

use super::json_answer;

/// How many bytes observations have at most. Those of a long examination have some ten thousand.
const MAX_BODY: usize = 64 * 1024;

/// Judges observations. Nothing of them is kept.
///
/// # Errors
/// Refuses what are no observations.
pub async fn judge(request: HttpRequest, body: web::Payload, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Read)?;
    Query::read(request.query_string(), &[])?;
    let body = read(body, &state).await?;
    let observations: Observations = serde_json::from_slice(&body).map_err(|fault| {
        Problem::bad_request("bad-observations", format_args!("these are no observations: {fault}"))
    })?;
    Ok(json_answer(&Report::of(&observations)))
}

/// Reads a body, but neither more of it nor for longer than observations can take.
async fn read(body: web::Payload, state: &State) -> Result<Bytes, Problem> {
    let limit_of_time = state.settings.request_timeout;
    match actix_rt::time::timeout(limit_of_time, body.to_bytes_limited(MAX_BODY)).await {
        Ok(Ok(Ok(bytes))) => Ok(bytes),
        Ok(Ok(Err(fault))) => Err(Problem::bad_request("bad-body", format_args!("the body broke off: {fault}"))),
        Ok(Err(_)) => {
            let detail = format_args!("observations have at most {MAX_BODY} bytes");
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            Err(Problem::new(status, "too-large", "These are too many observations", detail).closing())
        }
        Err(_) => Err(Problem::too_slow(limit_of_time)),
    }
}
