//! What all handlers share. It is built once, outside the app factory, which runs once for each worker.

use std::{rc::Rc, sync::Arc, time::Duration};

use actix_web::{HttpRequest, http::header};
use tokio::sync::watch;

use crate::{
    channel::Hub,
    delivery::{Pace, Rings, Worker},
    guard::{Action, Caller, Guard, Refusal, Ticket, Verdict},
    metrics::Metrics,
};

/// The server behind the handlers; a cheap clone of one handle.
#[derive(Clone, Debug)]
pub struct State {
    /// The channels.
    pub hub: Arc<Hub>,
    /// The encoded events.
    pub rings: Arc<Rings>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// The rules.
    pub guard: Arc<Guard>,
    /// Whether the server drains.
    pub draining: watch::Receiver<bool>,
    /// The times and sizes that handlers need.
    pub settings: Settings,
}

/// The part of the configuration that handlers need.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The times by which deliveries go.
    pub pace: Pace,
    /// How long a poll is held at most.
    pub poll_hold: Duration,
    /// How large a message may be, in bytes.
    pub max_message: usize,
    /// How long a request's body may take.
    pub request_timeout: Duration,
    /// How long a browser waits before it reconnects an event stream.
    pub sse_retry: Duration,
}

impl State {
    /// The worker of the thread that handles a request.
    #[must_use]
    pub fn worker(&self) -> Rc<Worker> {
        Worker::of_this_thread(&self.rings, &self.metrics, self.settings.pace, &self.draining)
    }

    /// Whether the server drains.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Decides whether whoever sent a request may do something.
    ///
    /// # Errors
    /// Tells why it may not.
    pub fn decide(&self, request: &HttpRequest, action: Action) -> Result<(), Refusal> {
        self.guard.decide(&self.caller(request), action)
    }

    /// Who sent a request.
    #[must_use]
    pub fn caller<'a>(&self, request: &'a HttpRequest) -> Caller<'a> {
        let origin = request.headers().get(header::ORIGIN).map(header::HeaderValue::as_bytes);
        Caller {
            standing: self.guard.origins().judge(origin, host(request)),
            address: request.peer_addr().map(|peer| peer.ip()),
            asked_for_loopback: host(request).is_some_and(is_loopback_name),
            connection: request.conn_data::<Ticket>().map_or(Verdict::Admitted, Ticket::verdict),
        }
    }
}

fn is_loopback_name(authority: &str) -> bool {
    let has_port = authority.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
    let host = has_port.map_or(authority, |(host, _)| host);
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The host that the request was sent to: a header in HTTP/1.1, part of the target in HTTP/2.
fn host(request: &HttpRequest) -> Option<&str> {
    let in_target = request.uri().authority().map(actix_web::http::uri::Authority::as_str);
    in_target.or_else(|| request.headers().get(header::HOST)?.to_str().ok())
}
