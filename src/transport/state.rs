//! What all handlers share. It is built once, outside the app factory, which runs once for each worker.

use std::{net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest,
    http::{StatusCode, header},
};
use tokio::sync::watch;

use crate::{
    channel::Hub,
    delivery::{Pace, Rings, Worker},
    guard::{self, Action, Caller, Guard, Refusal, Ticket, Verdict},
    lab::Desk,
    metrics::Metrics,
    server::Peer,
};

use super::{negotiate, problem::Problem};

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
    /// The lab, if there is one.
    pub lab: Option<Desk>,
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
    /// How long a connection may be without a request.
    pub keep_alive: Duration,
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

    /// Refuses what no handler has to look at: a request from nobody knows whom, one for another host, and one over a
    /// connection too many, unless its transport must say so in another way.
    ///
    /// # Errors
    /// Tells why the request goes no further.
    pub fn receive(&self, request: &HttpRequest) -> Result<(), Problem> {
        if self.peer(request).is_none() {
            return Err(Problem::from(Refusal::UnknownPeer).closing());
        }
        if self.guard.is_misdirected(host(request)) {
            return Err(misdirected());
        }
        // Health is not a matter of how many ask.
        if request.path() == "/healthz" || negotiate::tells_refusals_itself(request) {
            return Ok(());
        }
        Guard::admitted(verdict(request)).map_err(|refusal| Problem::from(refusal).closing())
    }

    /// The address of whoever sent a request; behind a proxy, the proxy's, but behind the lab, the client's.
    #[must_use]
    pub fn peer(&self, request: &HttpRequest) -> Option<SocketAddr> {
        request.conn_data::<Peer>().and_then(|peer| peer.0)
    }

    /// The server's other ports, under the name by which a request reached this one: what its pages may speak to.
    #[must_use]
    pub fn siblings(&self, request: &HttpRequest) -> Vec<String> {
        host(request).map(|host| self.guard.origins().siblings(host)).unwrap_or_default()
    }

    /// The server's ports under other names of this machine, if a request reached it by one of those names.
    #[must_use]
    pub fn counterparts(&self, request: &HttpRequest) -> Vec<String> {
        host(request).map(|host| self.guard.origins().counterparts(host)).unwrap_or_default()
    }

    /// Who sent a request.
    #[must_use]
    pub fn caller<'a>(&self, request: &'a HttpRequest) -> Caller<'a> {
        let origin = request.headers().get(header::ORIGIN).map(header::HeaderValue::as_bytes);
        Caller {
            standing: self.guard.origins().judge(origin, host(request)),
            address: self.peer(request).map(|peer| peer.ip()),
            asked_for_loopback: host(request).is_some_and(guard::is_loopback_name),
            connection: verdict(request),
        }
    }
}

fn verdict(request: &HttpRequest) -> Verdict {
    request.conn_data::<Ticket>().map_or(Verdict::Admitted, Ticket::verdict)
}

/// The request is for a host that this server is not (RFC 9110 §15.5.20).
fn misdirected() -> Problem {
    let detail = "this server listens on loopback only and does not answer for the `Host` asked for; \
                  behind a proxy, start it with --allow-origin and the proxy's origin";
    Problem::new(StatusCode::MISDIRECTED_REQUEST, "misdirected", "This is another host", detail)
}

/// The host that the request was sent to: a header in HTTP/1.1, part of the target in HTTP/2.
fn host(request: &HttpRequest) -> Option<&str> {
    let in_target = request.uri().authority().map(actix_web::http::uri::Authority::as_str);
    in_target.or_else(|| request.headers().get(header::HOST)?.to_str().ok())
}
