//! What a request looks like from here: `/examination`, `/examination/request`, `/examination/clock`.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde_json::{Value, json};

use crate::{
    channel::now_us,
    guard::{Action, random_secret},
    transport::{Problem, Query, State},
};

use super::json_answer;

/// The fields whose values are told back. Of all others only the names are: a proxy may have put a secret into one of its
/// own, and whoever asks need not be the one whom it is about.
const TOLD: [&str; 24] = [
    "accept",
    "accept-encoding",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "forwarded",
    "host",
    "idempotency-key",
    "if-none-match",
    "last-event-id",
    "origin",
    "pragma",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    "x-examination",
];

/// How many fields are told.
const MOST_FIELDS: usize = 100;

/// Tells what this server is, and by which times it goes.
///
/// # Errors
/// Refuses over a connection too many.
pub async fn offer(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Read)?;
    Query::read(request.query_string(), &[])?;
    let may_see_room = state.decide(&request, Action::Operate).is_ok();
    Ok(json_answer(&json!({
        "examination": 1,
        "server": "fallcast",
        "heartbeat_ms": millis(state.settings.pace.heartbeat),
        "poll_hold_ms": millis(state.settings.poll_hold),
        "may_see_room": may_see_room,
    })))
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Tells the request as it arrived, and the fields that the answer has when it leaves.
///
/// # Errors
/// Refuses over a connection too many.
pub async fn request(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Read)?;
    Query::read(request.query_string(), &[])?;
    let secret = random_secret();
    let sent = [
        ("etag", format!("\"{secret}\"")),
        ("link", format!("<./request?_={secret}>; rel=\"next\"")),
        ("x-examination", secret),
    ];
    let fields: Vec<Value> =
        request.headers().iter().take(MOST_FIELDS).map(|(name, value)| told(name, value)).collect();
    let mut answer = json_answer(&json!({
        "version": format!("{:?}", request.version()),
        "peer": state.peer(&request).map(|peer| peer.to_string()),
        "fields": fields,
        "sent": sent,
    }));
    for (name, value) in sent {
        // They are made of letters and digits.
        if let Ok(value) = header::HeaderValue::from_str(&value) {
            answer.headers_mut().insert(header::HeaderName::from_static(name), value);
        }
    }
    Ok(answer)
}

/// A field, with its value if that is harmless.
fn told(name: &header::HeaderName, value: &header::HeaderValue) -> Value {
    let value = value.to_str().ok().filter(|_| TOLD.contains(&name.as_str()));
    json!([name.as_str(), value])
}

/// Tells when the request arrived, and when the answer left.
///
/// # Errors
/// Refuses over a connection too many.
pub async fn clock(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let received_us = now_us();
    state.decide(&request, Action::Read)?;
    Query::read(request.query_string(), &[])?;
    Ok(json_answer(&json!({ "received_us": received_us, "sent_us": now_us() })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_told_back() {
        for (name, value, expected) in [
            ("cookie", "session=1", Value::Null),
            ("authorization", "Bearer 1", Value::Null),
            ("x-forwarded-access-token", "1", Value::Null),
            ("via", "1.1 squid", json!("1.1 squid")),
        ] {
            let name = header::HeaderName::from_static(name);
            let field = told(&name, &header::HeaderValue::from_static(value));
            assert_eq!(field, json!([name.as_str(), expected]));
        }
    }
}
