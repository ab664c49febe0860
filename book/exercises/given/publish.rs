//! Publishing by POST, and refusing.

use actix_web::{
    HttpRequest, HttpResponse, Route,
    http::{StatusCode, header},
    web::{Data, Path, PayloadConfig, ServiceConfig, post},
};
use serde::Serialize;

use crate::channel::{Channel, Channels};

/// Where publications go, and the part of the address that all transports have in common.
pub const ADDRESS: &str = "/channels/{channel}";

/// Bytes of a message that a publisher may send.
pub const LARGEST_MESSAGE: usize = 64 * 1024;

/// Whether a page of this origin may speak to the server under this name: the fields `Origin` and `Host` of a request.
pub type IsWelcome = fn(origin: Option<&str>, host: &str) -> bool;

/// The answer to a publication.
#[derive(Serialize)]
pub struct Published {
    /// The cursor of the message.
    pub id: String,
}

/// Adds publishing to a server whose channels are a log.
pub fn configure(config: &mut ServiceConfig, is_welcome: IsWelcome) {
    config.app_data(PayloadConfig::new(LARGEST_MESSAGE)).route(ADDRESS, publish(is_welcome));
}

fn publish(is_welcome: IsWelcome) -> Route {
    post().to(
        move |request: HttpRequest, name: Path<String>, text: String, channels: Data<Channels<Channel>>| async move {
            if !welcomes(is_welcome, &request) {
                return foreign();
            }
            let Some(channel) = channels.get(&name) else { return too_many_channels() };
            let number = channel.publish(&text);
            HttpResponse::Created().json(Published { id: channel.cursor(number) })
        },
    )
}

/// Whether this request comes from a page that may.
#[must_use]
pub fn welcomes(is_welcome: IsWelcome, request: &HttpRequest) -> bool {
    let field = |name| request.headers().get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    is_welcome(field(header::ORIGIN), field(header::HOST).unwrap_or_default())
}

/// The answer to a page of another site.
#[must_use]
pub fn foreign() -> HttpResponse {
    refused(StatusCode::FORBIDDEN, "this server does not speak to pages of that origin")
}

/// The answer to whoever asks for one channel more.
#[must_use]
pub fn too_many_channels() -> HttpResponse {
    refused(StatusCode::SERVICE_UNAVAILABLE, "there are too many channels; start the server anew")
}

/// The answer to a cursor that nobody can read.
#[must_use]
pub fn bad_cursor() -> HttpResponse {
    refused(StatusCode::BAD_REQUEST, "`after` is no cursor; send one that this server has given, or `start`, or `end`")
}

fn refused(status: StatusCode, reason: &'static str) -> HttpResponse {
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(reason)
}
