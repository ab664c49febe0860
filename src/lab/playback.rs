//! Playback: the addresses under which recordings are fetched, as JSON and as a capture.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};

use crate::{
    guard::Action,
    transport::{Problem, Query, State, readable},
};

use super::{
    Tap,
    control::{link_name, links, no_such_link},
    tap::{Playback, capture},
};

/// The addresses.
pub fn routes(app: &mut web::ServiceConfig) {
    app.service(readable("/lab/recording.json", everything_as_json))
        .service(readable("/lab/recording.pcapng", everything_as_capture))
        .service(readable("/lab/links/{link}/recording.json", link_as_json))
        .service(readable("/lab/links/{link}/recording.pcapng", link_as_capture));
}

/// Whoever knows the name of a link may see what it has carried.
async fn link_as_json(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let playback = of_link(&request, &state)?;
    Ok(json(playback.to_json(Some(&link_name(&request)?))))
}

async fn link_as_capture(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let playback = of_link(&request, &state)?;
    file(&playback, link_name(&request)?.as_str())
}

/// Everything, also what travels over no link, is for operators alone.
async fn everything_as_json(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    Ok(json(of_everything(&request, &state)?.to_json(None)))
}

async fn everything_as_capture(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    file(&of_everything(&request, &state)?, "lab")
}

fn of_link(request: &HttpRequest, state: &State) -> Result<Playback, Problem> {
    state.decide(request, Action::Read)?;
    Query::read(request.query_string(), &[])?;
    let name = link_name(request)?;
    tap(state)?.of_link(&name).ok_or_else(|| no_such_link(&name))
}

fn of_everything(request: &HttpRequest, state: &State) -> Result<Playback, Problem> {
    state.decide(request, Action::Operate)?;
    Query::read(request.query_string(), &[])?;
    Ok(tap(state)?.of_everything())
}

fn tap(state: &State) -> Result<&Tap, Problem> {
    let no_recording = || {
        let detail = "this lab records nothing (--lab-recording 0)";
        Problem::new(StatusCode::NOT_FOUND, "no-recording", "There is no recording", detail)
    };
    links(state)?.tap().map(|tap| &**tap).ok_or_else(no_recording)
}

fn json(text: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type("application/json")
        .body(text + "\n")
}

/// A capture, to be saved under a name. There is no registered media type for pcapng.
fn file(playback: &Playback, name: &str) -> Result<HttpResponse, Problem> {
    let bytes = capture(playback).map_err(|fault| {
        let detail = format_args!("the capture cannot be written: {fault}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no-capture", "There is no capture", detail)
    })?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // The name is one of a link, and needs no escape.
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.pcapng\"")))
        .content_type("application/octet-stream")
        .body(bytes))
}
