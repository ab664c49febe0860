//! What operators ask: the channels, whether the server lives and is ready, and the metrics.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use prometheus_client::{encoding::text, registry::Registry};
use serde_json::{Value, json};

use crate::{
    channel::{Channel, Transport},
    guard::Action,
};

use super::{problem::Problem, state::State};

/// Lists the channels with their heads and subscribers.
///
/// # Errors
/// Refuses whoever is no operator.
pub async fn channels(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Operate)?;
    let mut channels = state.hub.all();
    channels.sort_by(|a, b| a.name().cmp(b.name()));
    let channels: Vec<Value> = channels.iter().map(|channel| describe(channel)).collect();
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type("application/json")
        .body(format!("{}\n", json!({ "channels": channels }))))
}

fn describe(channel: &Channel) -> Value {
    let subscribers: serde_json::Map<String, Value> =
        Transport::ALL.into_iter().map(|of| (of.as_str().to_owned(), channel.subscribers(of).into())).collect();
    json!({
        "channel": channel.name().as_str(),
        "start": channel.cursor(channel.start()),
        "head": channel.cursor(channel.head()),
        "bytes": channel.bytes(),
        "subscribers": subscribers,
    })
}

/// Whether the process lives: if this answers, it does.
pub async fn health() -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).body("ok\n")
}

/// Whether to send more clients here. It fails first when the server drains.
///
/// # Errors
/// Refuses while the server drains.
pub async fn readiness(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    if state.is_draining() { Err(Problem::draining()) } else { Ok(health().await) }
}

/// The metrics as Prometheus text.
///
/// # Errors
/// Refuses whoever is no operator.
pub async fn metrics(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Operate)?;
    let all = state.hub.all();
    let subscribers = Transport::ALL.map(|of| all.iter().map(|channel| channel.subscribers(of)).sum());
    state.metrics.set_hub(all.len(), state.hub.bytes(), subscribers);
    state.metrics.set_connections(state.guard.connections().open());
    let mut registry = Registry::default();
    registry.register_collector(Box::new(std::sync::Arc::clone(&state.metrics)));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = text::encode(&mut text, &registry);
    Ok(HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(text))
}
