//! `GET /demos/vitals`: what the server's process takes, for the demo that draws its memory while a reader is slow.
//!
//! Anybody may ask, unlike for the metrics, which only operators see: these are four sums over the whole process, with no
//! name of a channel or a client among them, and forty phones are to draw them.

use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use memory_stats::memory_stats;
use serde::Serialize;

use crate::{
    guard::Action,
    transport::{Problem, Query, State},
};

/// When the server started.
#[derive(Clone, Copy, Debug)]
pub struct Started(pub Instant);

/// The figures, in the order in which they are written.
#[derive(Serialize)]
struct Vitals {
    /// The memory that the process occupies; none where the system does not tell.
    resident_bytes: Option<usize>,
    /// The bytes of all channels' logs, as they count against `--log-bytes-total`.
    log_bytes: usize,
    subscribers: usize,
    uptime_ms: u128,
}

/// Answers with the figures.
///
/// # Errors
/// Refuses over a connection too many.
pub async fn show(
    request: HttpRequest,
    state: web::Data<State>,
    started: web::Data<Started>,
) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Read)?;
    Query::read(request.query_string(), &[])?;
    let vitals = Vitals {
        resident_bytes: memory_stats().map(|memory| memory.physical_mem),
        log_bytes: state.hub.bytes(),
        subscribers: state.hub.subscribers(),
        uptime_ms: started.0.elapsed().as_millis(),
    };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(vitals))
}
