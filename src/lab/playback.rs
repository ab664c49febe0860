//! Playback: the addresses under which recordings are fetched, as JSON and as a capture.
//!
//! A recording is put together in memory, and stays there until its reader has taken it. So all that are on their way at
//! once share a bound.

use std::{convert::Infallible, iter};

use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    http::{StatusCode, header},
    web,
};
use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    guard::Action,
    transport::{Problem, Query, State, readable},
};

use super::{
    Tap,
    control::{link_name, links, no_such_link},
    tap::{Playback, capture, store::MAX_UNDER_WAY},
};

/// How many bytes of a recording are handed over at once.
const PART: usize = 32 * 1024;

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
    json(&state, playback.to_json(Some(&link_name(&request)?)))
}

async fn link_as_capture(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let playback = of_link(&request, &state)?;
    file(&state, &playback, link_name(&request)?.as_str())
}

/// Everything, also what travels over no link, is for operators alone.
async fn everything_as_json(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    json(&state, of_everything(&request, &state)?.to_json(None))
}

async fn everything_as_capture(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    file(&state, &of_everything(&request, &state)?, "lab")
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

fn json(state: &State, text: String) -> Result<HttpResponse, Problem> {
    let bytes = Bytes::from(text + "\n");
    let place = place(state, bytes.len())?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type("application/json")
        .body(in_parts(bytes, place)))
}

/// A capture, to be saved under a name. There is no registered media type for pcapng.
fn file(state: &State, playback: &Playback, name: &str) -> Result<HttpResponse, Problem> {
    let bytes = capture(playback).map_err(|fault| {
        let detail = format_args!("the capture cannot be written: {fault}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no-capture", "There is no capture", detail)
    })?;
    let place = place(state, bytes.len())?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // The name is one of a link, and needs no escape.
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.pcapng\"")))
        .content_type("application/octet-stream")
        .body(in_parts(bytes.into(), place)))
}

/// Room for so many bytes among all that are on their way.
fn place(state: &State, length: usize) -> Result<OwnedSemaphorePermit, Problem> {
    let full = |_| Problem::overloaded("recordings-full", "too many recordings are being fetched at once");
    let room = u32::try_from(length.min(MAX_UNDER_WAY)).unwrap_or(u32::MAX);
    tap(state)?.under_way().try_acquire_many_owned(room).map_err(full)
}

/// A body that gives its place back when its last part is taken.
fn in_parts(
    mut left: Bytes,
    place: OwnedSemaphorePermit,
) -> SizedStream<impl tokio_stream::Stream<Item = Result<Bytes, Infallible>> + 'static> {
    let length = left.len() as u64;
    let next = move || {
        let _until_then = &place;
        (!left.is_empty()).then(|| Ok(left.split_to(left.len().min(PART))))
    };
    SizedStream::new(length, tokio_stream::iter(iter::from_fn(next)))
}
