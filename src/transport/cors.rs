//! CORS (WHATWG Fetch §3.2): what a page of another origin may read, and the answers to what browsers ask beforehand.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderMap, HeaderValue},
};

use crate::guard::Standing;

use super::state::State;

/// Every request header that is understood. `Last-Event-ID` is here for clients that read SSE with `fetch`.
const HEADERS: &str = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Prefer, X-Fallcast-Client";

/// What a page may read of an answer, beside what every page may.
const EXPOSED: &str = "Link, Preference-Applied, Retry-After";

/// Answers `OPTIONS`: with every method and header that is understood.
#[must_use]
pub fn methods(understood: &'static str) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ALLOW, understood))
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, understood))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, "7200"))
        .finish()
}

/// Adds the headers that let a page of an allowed origin read the answer. Any other page gets none.
pub fn add_headers(state: &State, request: &HttpRequest, headers: &mut HeaderMap) {
    if !request.headers().contains_key(header::ORIGIN) {
        return;
    }
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Standing::Listed(origin) = state.caller(request).standing
        && let Ok(origin) = HeaderValue::from_str(origin)
    {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}
