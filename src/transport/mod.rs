//! The transports: HTTP in, and a position in a channel's log behind each.
//!
//! Put two of the files side by side, and you see only what differs on the wire.

mod cors;
mod long_poll;
mod negotiate;
mod operators;
mod presence;
mod problem;
mod publish;
mod query;
mod sse;
mod state;
mod stream;
mod subscribe;
mod unread;
mod websocket;

pub use cors::{add_headers, methods};
pub use problem::Problem;
pub use query::Query;
pub use sse::endless;
pub use state::{Settings, State};
pub use unread::hang_up_on_unread;
pub use websocket::{Arrived, Intake, Violation, check_handshake};

use actix_web::{
    HttpRequest, HttpResponse, Route,
    http::{Method, StatusCode, header},
    web,
};

use crate::channel::ChannelName;

// ANCHOR: routes
/// The addresses of the protocol.
pub fn routes(app: &mut web::ServiceConfig) {
    // Addresses are tried in this order; publishing comes first because it comes most often.
    app.service(
        web::resource("/channels/{channel}")
            .route(web::post().to(publish::post))
            .route(web::get().to(negotiate::open))
            .route(web::head().to(negotiate::open))
            .route(options("GET, HEAD, POST, OPTIONS"))
            .default_service(refusing("GET, HEAD, POST, OPTIONS")),
    )
    .service(readable("/channels/{channel}/poll", long_poll::answer))
    .service(readable("/channels/{channel}/ws", websocket::open))
    .service(readable("/channels/{channel}/sse", sse::open))
    .service(readable("/channels/{channel}/stream", stream::open))
    .service(readable("/channels/{channel}/presence", presence::list))
    .service(writable("/channels/{channel}/leave", presence::leave))
    .service(readable("/channels", operators::channels))
    .service(readable("/healthz", operators::health))
    .service(readable("/readyz", operators::readiness))
    .service(readable("/metrics", operators::metrics));
    // What the tutorials connect to, so that their snippets work as they are.
    for address in ["/", "/chat", "/socket", "/socketserver"] {
        app.route(address, web::get().guard(negotiate::wants_websocket()).to(websocket::open_lobby));
    }
}
// ANCHOR_END: routes

/// A resource that is read with GET, and asked about with HEAD and OPTIONS.
pub fn readable<F, Args>(address: &str, handler: F) -> actix_web::Resource
where
    F: actix_web::Handler<Args> + Clone,
    Args: actix_web::FromRequest + 'static,
    F::Output: actix_web::Responder + 'static,
{
    web::resource(address)
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .route(options("GET, HEAD, OPTIONS"))
        .default_service(refusing("GET, HEAD, OPTIONS"))
}

/// A resource that is only posted to.
pub fn writable<F, Args>(address: &str, handler: F) -> actix_web::Resource
where
    F: actix_web::Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: actix_web::Responder + 'static,
{
    web::resource(address)
        .route(web::post().to(handler))
        .route(options("POST, OPTIONS"))
        .default_service(refusing("POST, OPTIONS"))
}

fn options(understood: &'static str) -> Route {
    web::method(Method::OPTIONS).to(move || std::future::ready(methods(understood)))
}

fn refusing(understood: &'static str) -> Route {
    web::to(move || method_not_allowed(understood))
}

/// Refuses a method, and names those that are taken.
pub fn method_not_allowed(allowed: &'static str) -> std::future::Ready<Result<HttpResponse, Problem>> {
    let detail = format_args!("this address takes {allowed}");
    let problem =
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "This method is not taken", detail);
    std::future::ready(Err(problem.with_header(header::ALLOW, allowed)))
}

/// The answer at an address that leads nowhere.
///
/// # Errors
/// Always returns a problem.
pub async fn not_found(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Err(Problem::not_found(format_args!("{} leads nowhere; the addresses are listed at /", request.path())))
}

/// The channel that the address names.
fn channel_name(request: &HttpRequest) -> Result<ChannelName, Problem> {
    let name = request.match_info().get("channel").unwrap_or_default();
    name.parse().map_err(|fault| Problem::bad_request("bad-channel-name", fault))
}
