//! Control: the lab's addresses on the main port, by which links are set, shown and healed.

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use bytes::Bytes;
use serde::Serialize;

use crate::{
    guard::Action,
    transport::{Problem, Query, State, method_not_allowed, methods, readable},
};

use super::{
    faults::Faults,
    links::{Authority, LinkName, LinkView, Links, Put},
    playback, presets,
};

/// How many bytes a set of faults has at most. The longest that makes sense has a few hundred.
const MAX_BODY: usize = 64 * 1024;

/// What can be done with a link.
const METHODS: &str = "GET, HEAD, PUT, DELETE, OPTIONS";

/// What the addresses need to know of a lab.
#[derive(Clone, Debug)]
pub struct Desk {
    /// The port by which the lab is reached.
    pub port: u16,
    /// Its links.
    pub links: Arc<Links>,
}

/// The addresses.
pub fn routes(app: &mut web::ServiceConfig) {
    app.configure(playback::routes);
    app.service(readable("/lab", overview)).service(readable("/lab/nagle", ask_the_lab));
    app.service(readable("/lab/links", list)).service(
        web::resource("/lab/links/{link}")
            .route(web::put().to(put))
            .route(web::get().to(show))
            .route(web::head().to(show))
            .route(web::delete().to(heal))
            .route(web::method(actix_web::http::Method::OPTIONS).to(async || methods(METHODS)))
            .default_service(web::to(|| method_not_allowed(METHODS))),
    );
}

/// The lab, for whoever looks for it. Unlike `json!`, a struct is written in the order in which it is read here.
#[derive(Serialize)]
struct Overview {
    /// None without a lab.
    port: Option<u16>,
    presets: Vec<presets::Listed>,
}

/// How the lab is reached, if there is one, and what it can imitate.
async fn overview(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Read)?;
    Query::read(request.query_string(), &[])?;
    let port = state.lab.as_ref().map(|lab| lab.port);
    Ok(json_answer(StatusCode::OK, &Overview { port, presets: presets::all() }))
}

/// What the lab answers itself comes here only without it.
async fn ask_the_lab(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    links(&state)?;
    let port = state.lab.as_ref().map_or(0, |lab| lab.port);
    Err(Problem::not_found(format_args!("the lab answers this itself, on its own port, {port}")))
}

#[derive(Serialize)]
struct All {
    links: Vec<LinkView>,
}

/// All links. Whose they are is nobody's business, so only operators see them.
async fn list(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Operate)?;
    Query::read(request.query_string(), &[])?;
    Ok(json_answer(StatusCode::OK, &All { links: links(&state)?.all() }))
}

async fn show(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Read)?;
    Query::read(request.query_string(), &[])?;
    let name = link_name(&request)?;
    let view = links(&state)?.show(&name).ok_or_else(|| no_such_link(&name))?;
    Ok(json_answer(StatusCode::OK, &view))
}

/// What is answered to whoever has set faults.
#[derive(Serialize)]
struct Changed {
    link: LinkName,
    /// Only for whoever has created the link, and only once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    faults: Arc<Faults>,
}

// ANCHOR: put
/// Sets a link's faults. Whoever creates the link is given its secret.
async fn put(request: HttpRequest, body: web::Payload, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::ChangeLink)?;
    let links = links(&state)?;
    let name = link_name(&request)?;
    let given = secret(&request)?;
    let faults = Faults::parse(&read(body, state.settings.request_timeout).await?)?;
    let (status, secret) = match links.put(&name, faults, authority(&state, &request, given.as_deref()))? {
        Put::Created { secret } => (StatusCode::CREATED, Some(secret)),
        Put::Changed => (StatusCode::OK, None),
    };
    // As they are now: with a seed, if none was asked for.
    let faults = links.show(&name).ok_or_else(|| no_such_link(&name))?.faults;
    Ok(json_answer(status, &Changed { link: name, secret, faults }))
}
// ANCHOR_END: put

async fn heal(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::ChangeLink)?;
    let name = link_name(&request)?;
    let given = secret(&request)?;
    if links(&state)?.heal(&name, authority(&state, &request, given.as_deref()))? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(no_such_link(&name))
    }
}

/// The lab's links.
///
/// # Errors
/// Tells that there is no lab.
pub(super) fn links(state: &State) -> Result<&Links, Problem> {
    let no_lab = || {
        let detail = "this server runs without a lab; start it with --lab-port auto";
        Problem::new(StatusCode::NOT_FOUND, "no-lab", "There is no lab", detail)
    };
    state.lab.as_ref().map(|lab| &*lab.links).ok_or_else(no_lab)
}

/// The link that the address names.
///
/// # Errors
/// Tells that this is no name.
pub(super) fn link_name(request: &HttpRequest) -> Result<LinkName, Problem> {
    Ok(request.match_info().get("link").unwrap_or_default().parse()?)
}

/// There is no link of this name.
pub(super) fn no_such_link(name: &LinkName) -> Problem {
    Problem::not_found(format_args!("nobody has created the link {name}; PUT its faults here to do so"))
}

/// Operators need no secret, so that a class can be helped.
fn authority<'a>(state: &State, request: &HttpRequest, secret: Option<&'a str>) -> Authority<'a> {
    if state.decide(request, Action::Operate).is_ok() { Authority::Operator } else { Authority::Secret(secret) }
}

/// The secret, from `Authorization: Bearer` or, to spare pages a header, from the address; if both, then the same.
fn secret(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let query = Query::read(request.query_string(), &["secret"])?;
    let in_query = query.get("secret").map(str::to_owned);
    let in_header = match request.headers().get(header::AUTHORIZATION) {
        Some(value) => Some(bearer(value).ok_or_else(|| {
            let detail = "a link's secret is sent as `Authorization: Bearer SECRET`, or as `?secret=SECRET`";
            Problem::bad_request("bad-authorization", detail)
        })?),
        None => None,
    };
    match (in_header, in_query) {
        (Some(in_header), Some(in_query)) if in_header != in_query => {
            let detail = "the header `Authorization` and the parameter `secret` differ; send one of them";
            Err(Problem::bad_request("bad-parameter", detail))
        }
        (in_header, in_query) => Ok(in_header.or(in_query)),
    }
}

/// The token of RFC 6750 §2.1. The scheme's name may be in any case (RFC 9110 §11.1).
fn bearer(value: &header::HeaderValue) -> Option<String> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

/// Reads a body, but neither more of it nor for longer than a set of faults can take.
async fn read(body: web::Payload, limit_of_time: Duration) -> Result<Bytes, Problem> {
    match actix_rt::time::timeout(limit_of_time, body.to_bytes_limited(MAX_BODY)).await {
        Ok(Ok(Ok(bytes))) => Ok(bytes),
        Ok(Ok(Err(fault))) => Err(Problem::bad_request("bad-body", format_args!("the body broke off: {fault}"))),
        Ok(Err(_)) => {
            let detail = format_args!("a set of faults has at most {MAX_BODY} bytes");
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            Err(Problem::new(status, "too-large", "The set of faults is too large", detail).closing())
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
