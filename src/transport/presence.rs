//! Presence over HTTP: who is here, and the way out for a page that is closed.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde_json::json;

use crate::{
    channel::{ClientName, Presence},
    guard::Action,
};

use super::{channel_name, problem::Problem, query::Query, state::State};

/// Lists who is here.
///
/// # Errors
/// Tells why there is no list.
pub async fn list(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let name = channel_name(&request)?;
    state.decide(&request, Action::Read)?;
    Query::read(request.query_string(), &[])?;
    // To look must not create a channel: nobody is in one that does not exist.
    let members = state.hub.find(&name).map_or_else(Vec::new, |channel| channel.read_presence(Presence::members));
    let count = members.len();
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type("application/json")
        .body(format!("{}\n", json!({ "members": members, "count": count }))))
}

/// Ends a member's stay at once. A page that is closed says so with `navigator.sendBeacon`, which can only POST.
///
/// # Errors
/// Tells why nobody left.
pub async fn leave(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let name = channel_name(&request)?;
    state.decide(&request, Action::Publish)?;
    let query = Query::read(request.query_string(), &["client"])?;
    let client: ClientName = query
        .parse("client")?
        .ok_or_else(|| Problem::bad_request("bad-parameter", "`client` is missing: it says who leaves"))?;
    let member = state.hub.member(&client);
    if let Some(channel) = state.hub.find(&name) {
        channel.change_presence(|room| room.leave_for_good(member));
    }
    Ok(HttpResponse::NoContent().finish())
}
