//! The addresses: what may be asked for, starting an experiment, and stopping it.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use bytes::Bytes;
use serde::Serialize;

use crate::{
    channel::CROWD_CHANNEL,
    guard::Action,
    transport::{Problem, Query, State},
};

use super::{
    experiments::{Experiments, Limits, Newest},
    order::Order,
};

/// How many bytes an order has at most. The longest that makes sense has a hundred.
const MAX_BODY: usize = 4096;

/// What there is to know before anything is started.
#[derive(Serialize)]
struct Offer {
    limits: Limits,
    /// Whether whoever asks may start an experiment, and stop one.
    may_start: bool,
    channel: &'static str,
    /// The newest one, if there was any.
    experiment: Option<Newest>,
}

/// Tells what may be asked for, and what goes on.
///
/// # Errors
/// Refuses over a connection too many.
pub async fn offer(
    request: HttpRequest,
    state: web::Data<State>,
    experiments: web::Data<Experiments>,
) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Read)?;
    Query::read(request.query_string(), &[])?;
    let may_start = state.decide(&request, Action::Operate).is_ok();
    let (limits, experiment) = (experiments.limits(), experiments.newest());
    Ok(json_answer(StatusCode::OK, &Offer { limits, may_start, channel: CROWD_CHANNEL, experiment }))
}

/// Starts an experiment.
///
/// # Errors
/// Refuses whoever is no operator, what is out of bounds, and a second one.
pub async fn start(
    request: HttpRequest,
    body: web::Payload,
    state: web::Data<State>,
    experiments: web::Data<Experiments>,
) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Operate)?;
    Query::read(request.query_string(), &[])?;
    let body = read(body, &state).await?;
    if state.is_draining() {
        return Err(Problem::draining());
    }
    let limits = experiments.limits();
    if limits.subscribers == 0 {
        let detail = "this server has no crowds, or no file descriptors to spare; see --crowd-subscribers";
        return Err(Problem::new(StatusCode::NOT_FOUND, "no-crowd", "There are no crowds", detail));
    }
    let order = Order::parse(&body, &limits)?;
    Ok(json_answer(StatusCode::CREATED, &experiments.start(order)?))
}

/// Stops the experiment that runs.
///
/// # Errors
/// Refuses whoever is no operator, and if none runs.
pub async fn stop(
    request: HttpRequest,
    state: web::Data<State>,
    experiments: web::Data<Experiments>,
) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Operate)?;
    Query::read(request.query_string(), &[])?;
    if experiments.stop() {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::not_found("no experiment runs; POST /crowd starts one"))
    }
}

/// Reads a body, but neither more of it nor for longer than an order can take.
async fn read(body: web::Payload, state: &State) -> Result<Bytes, Problem> {
    let limit_of_time = state.settings.request_timeout;
    match actix_rt::time::timeout(limit_of_time, body.to_bytes_limited(MAX_BODY)).await {
        Ok(Ok(Ok(bytes))) => Ok(bytes),
        Ok(Ok(Err(fault))) => Err(Problem::bad_request("bad-body", format_args!("the body broke off: {fault}"))),
        Ok(Err(_)) => {
            let detail = format_args!("an order has at most {MAX_BODY} bytes");
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            Err(Problem::new(status, "too-large", "The order is too large", detail).closing())
        }
        Err(_) => Err(Problem::too_slow(limit_of_time)),
    }
}

fn json_answer(status: StatusCode, document: &impl Serialize) -> HttpResponse {
    let text = serde_json::to_string(document).unwrap_or_default();
    HttpResponse::build(status)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type("application/json")
        .body(text + "\n")
}
