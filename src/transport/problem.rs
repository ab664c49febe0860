//! Refusals over HTTP: RFC 9457 problem documents. The one place where a fault becomes a status.

use std::{fmt, time::Duration};

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use serde_json::json;

use crate::{
    channel::{BadData, BadName, ChannelsFull, MalformedCursor, PublishError},
    demos::{BadOrder, NotStarted},
    guard::Refusal,
    lab::{BadFaults, BadLinkName, LinkError},
    wire::websocket::CloseCode,
};

/// A fault as it is told to a client: `type` for programs, `title` and `detail` for people.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: String,
    retry_after: Option<Duration>,
    headers: Vec<(header::HeaderName, &'static str)>,
    closes: bool,
}

impl Problem {
    /// Returns a problem. `kind` is its short name in the `type` and in the metrics.
    #[must_use]
    pub fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl fmt::Display) -> Self {
        Self { status, kind, title, detail: detail.to_string(), retry_after: None, headers: Vec::new(), closes: false }
    }

    /// A parameter, header or body that cannot be understood.
    #[must_use]
    pub fn bad_request(kind: &'static str, detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, kind, "The request cannot be understood", detail)
    }

    /// There is nothing at this address.
    #[must_use]
    pub fn not_found(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is nothing here", detail)
    }

    /// A message beyond the limit.
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        let detail = format_args!("a message has at most {limit} bytes (--max-message-size)");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The message is too large", detail)
    }

    /// A body that does not arrive.
    #[must_use]
    pub fn too_slow(limit: Duration) -> Self {
        let detail = format_args!("the body did not arrive within {limit:?} (--request-timeout)");
        Self::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "The request took too long", detail).closing()
    }

    /// A kind of body that is not taken.
    #[must_use]
    pub fn unsupported(detail: impl fmt::Display) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "This kind of body is not taken",
            detail,
        )
    }

    /// The server has no room now.
    #[must_use]
    pub fn overloaded(kind: &'static str, detail: impl fmt::Display) -> Self {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, kind, "The server has no room for this now", detail);
        problem.retry_after(Duration::from_secs(2))
    }

    /// The server drains.
    #[must_use]
    pub fn draining() -> Self {
        Self::overloaded("draining", "the server is shutting down; come back in a moment").closing()
    }

    /// Tells when to come back.
    #[must_use]
    pub const fn retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// Lets the answer end the connection, over which nothing good is to be expected.
    #[must_use]
    pub const fn closing(mut self) -> Self {
        self.closes = true;
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: header::HeaderName, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The problem's short name.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, for people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The problem document.
    #[must_use]
    pub fn document(&self) -> serde_json::Value {
        json!({
            "type": format!("urn:fallcast:problem:{}", self.kind),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        })
    }

    // ANCHOR: close_code
    /// The close code for a browser's WebSocket, to which every status would look the same (1006).
    #[must_use]
    pub const fn close_code(&self) -> CloseCode {
        match self.status {
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => CloseCode::NotAllowed,
            StatusCode::TOO_MANY_REQUESTS => CloseCode::TooMany,
            StatusCode::SERVICE_UNAVAILABLE => CloseCode::TryAgainLater,
            StatusCode::PAYLOAD_TOO_LARGE => CloseCode::TooBig,
            _ => CloseCode::BadRequest,
        }
    }
    // ANCHOR_END: close_code
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if self.closes {
            response.force_close();
        }
        if let Some(after) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, after.as_secs_f64().ceil().max(1.0).to_string()));
        }
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), *value));
        }
        response.content_type("application/problem+json").body(format!("{}\n", self.document()))
    }
}

impl From<MalformedCursor> for Problem {
    fn from(fault: MalformedCursor) -> Self {
        Self::bad_request("malformed-cursor", format_args!("`after` is no cursor, `start` or `end`: {fault}"))
    }
}

impl From<BadName> for Problem {
    fn from(fault: BadName) -> Self {
        Self::bad_request("bad-parameter", fault)
    }
}

impl From<BadData> for Problem {
    fn from(fault: BadData) -> Self {
        let kind = match fault {
            BadData::NotUtf8 { .. } => "not-utf-8",
            BadData::NotJson(_) => "not-json",
        };
        Self::bad_request(kind, fault)
    }
}

impl From<ChannelsFull> for Problem {
    fn from(fault: ChannelsFull) -> Self {
        Self::overloaded("channels-full", format_args!("{fault} (--max-channels)"))
    }
}

impl From<PublishError> for Problem {
    fn from(fault: PublishError) -> Self {
        match fault {
            PublishError::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "key-reused",
                "The key stands for another publication",
                fault,
            ),
            PublishError::KeysFull => {
                let problem =
                    Self::new(StatusCode::TOO_MANY_REQUESTS, "keys-full", "Too many keys are remembered", fault);
                problem.retry_after(Duration::from_secs(10))
            }
            PublishError::Reserved => {
                Self::new(StatusCode::FORBIDDEN, "reserved-channel", "This is not allowed", fault)
            }
            PublishError::ChannelsFull => ChannelsFull.into(),
            PublishError::LogsFull => Self::overloaded("logs-full", format_args!("{fault} (--log-bytes-total)")),
        }
    }
}

impl From<BadLinkName> for Problem {
    fn from(fault: BadLinkName) -> Self {
        Self::bad_request("bad-link-name", fault)
    }
}

impl From<BadFaults> for Problem {
    fn from(fault: BadFaults) -> Self {
        Self::bad_request("bad-faults", fault)
    }
}

impl From<LinkError> for Problem {
    fn from(fault: LinkError) -> Self {
        match fault {
            LinkError::NotYours => Self::new(StatusCode::FORBIDDEN, "not-your-link", "This is not your link", fault),
            LinkError::Full => Self::overloaded("links-full", fault),
        }
    }
}

impl From<BadOrder> for Problem {
    fn from(fault: BadOrder) -> Self {
        Self::bad_request("bad-order", fault)
    }
}

impl From<NotStarted> for Problem {
    fn from(fault: NotStarted) -> Self {
        match fault {
            NotStarted::Busy(_) => Self::new(StatusCode::CONFLICT, "busy", "An experiment runs", fault),
            NotStarted::Channel(fault) => fault.into(),
            NotStarted::NoRoom | NotStarted::Thread(_) => Self::overloaded("no-room", fault),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let title = "This is not allowed";
        match refusal {
            Refusal::ForeignOrigin => Self::new(StatusCode::FORBIDDEN, "foreign-origin", title, refusal),
            Refusal::UnknownPeer => Self::new(StatusCode::FORBIDDEN, "unknown-peer", title, refusal),
            Refusal::NotAnOperator => Self::new(StatusCode::FORBIDDEN, "not-an-operator", title, refusal),
            Refusal::TooManyConnections => Self::overloaded("too-many-connections", refusal),
            Refusal::TooManyOnConnection => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-on-connection", "Too many subscriptions", refusal)
                    .retry_after(Duration::from_secs(5))
            }
            Refusal::TooManyPerAddress => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-per-address", "Too many connections", refusal)
                    .retry_after(Duration::from_secs(5))
            }
            Refusal::TooFast { retry_after } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too-fast", "Too many publications", refusal)
                    .retry_after(retry_after)
            }
        }
    }
}
