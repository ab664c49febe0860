//! The relay: carries a client's requests to the server and the answers back, over links that misbehave.
//!
//! ```text
//!            up:   request ──────────────────────────────── pipe ── retry ──▶
//!   client                                                                    far: the server,
//!   line     down: ◀── pipe ── cut ── truncate ── buffering ── antivirus ──        or a middlebox
//! ```
//!
//! A connection carries one exchange after the other, each over the link that its request names. An exchange is one task
//! with two sockets and no lock; on a healthy link it reads, writes, and has no timer.

mod alarm;
mod answer;
mod body;
mod client;
mod down;
mod exchange;
mod far;
mod nagle;
mod request;
mod up;
pub mod words;

use std::{future::poll_fn, mem, net::SocketAddr, rc::Rc, sync::Arc, task::Poll, time::Duration};

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};

pub use answer::{Head, Part};
pub use client::Line;
pub use request::Request;

use client::Client;
use far::Far;
use request::BadRequest;

use super::{
    faults::ExchangeKind,
    links::{Exchange, Links},
    peers::Peers,
    tap::{Live, Recorder, Subject},
};
use crate::guard::Guard;

/// What all connections of a lab have in common.
#[derive(Debug)]
pub struct Context {
    /// Where the server is.
    pub upstream: SocketAddr,
    /// Who connects to it.
    pub peers: Peers,
    /// What is wrong where.
    pub links: Arc<Links>,
    /// Who is told what is recorded of it.
    pub live: Rc<Live>,
    /// The rules of the server, for what the lab answers itself.
    pub guard: Arc<Guard>,
    /// How long the head of a request may take.
    pub request_timeout: Duration,
}

/// What comes after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// The next one, on the same connection.
    Next,
    /// The end of the connection.
    Close,
    /// A reset.
    Reset,
    /// Nothing: the client has gone.
    Gone,
}

/// A client, and what belongs to its connection for longer than one exchange.
#[derive(Debug)]
struct Visit<L> {
    client: Client<L>,
    peer: SocketAddr,
    /// The connection to the server, when no exchange uses it.
    server: Option<Far>,
    /// Whether this is the connection's first exchange, which has TCP's handshake before it.
    is_first: bool,
    /// Whether small writes wait, as the exchange before has asked for.
    waits_for_acknowledgments: bool,
    context: Rc<Context>,
}

/// The answer to whoever comes when the lab is full.
#[must_use]
pub fn no_room() -> String {
    let detail = "the lab has as many connections as it may have (--max-lab-connections)";
    let answer = words::problem(503, "too-many-connections", "The lab has no room for this now", detail);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Serves one connection until it ends.
pub async fn serve<L: Line>(line: L, peer: SocketAddr, accepted_at: u64, context: Rc<Context>) {
    let recorder = context.recorder(&line, peer, accepted_at);
    let mut visit = Visit {
        client: Client::new(line, recorder),
        peer,
        server: None,
        is_first: true,
        waits_for_acknowledgments: false,
        context,
    };
    match visit.stay().await {
        After::Reset => visit.client.reset(),
        After::Next | After::Close => visit.client.finish().await,
        After::Gone => {}
    }
}

impl Context {
    /// What records a connection, if anything is recorded.
    fn recorder<L: Line>(&self, line: &L, client: SocketAddr, at: u64) -> Option<Recorder> {
        let tap = Arc::clone(self.links.tap()?);
        let server = line.socket().local_addr().ok()?.as_socket()?;
        Some(Recorder::open(tap, Rc::clone(&self.live), at, (client, server), L::IS_ENCRYPTED))
    }
}

/// What an exchange is to the recorder.
fn subject(request: &Request, exchange: &Exchange) -> Subject {
    if request.is_about_recording() {
        Subject::Recording
    } else {
        Subject::Recorded(exchange.kind(), exchange.tapped())
    }
}

impl<L: Line> Visit<L> {
    async fn stay(&mut self) -> After {
        loop {
            let request = match self.next_request().await {
                Ok(Some(request)) => request,
                Ok(None) => return After::Close,
                Err(fault) => {
                    // Whatever it was, it belongs to no link that anybody knows.
                    self.client.begin(|| Subject::Recorded(ExchangeKind::Other, None), u64::MAX);
                    return self.answer(fault.answer()).await;
                }
            };
            let exchange = match request.link() {
                Some(link) => self.context.links.attach(link, request.kind()),
                None => Exchange::healthy(request.kind()),
            };
            if mem::take(&mut self.waits_for_acknowledgments) {
                self.client.set_nodelay(true);
            }
            self.client.begin(|| subject(&request, &exchange), request.known_length());
            let after = if nagle::is_asked(&request) {
                self.answer_in_writes(&request).await
            } else {
                exchange::carry(self, request, exchange).await
            };
            match after {
                After::Next => self.is_first = false,
                after => {
                    self.client.claim_the_rest();
                    return after;
                }
            }
        }
    }

    /// The next request; `None` when either side has hung up between two requests.
    async fn next_request(&mut self) -> Result<Option<Request>, BadRequest> {
        // A connection on which nothing was ever asked is not kept; later, the server decides how long it is.
        let mut deadline = self.server.is_none().then(|| Instant::now() + self.context.request_timeout);
        loop {
            if let Some(request) = Request::read(&mut self.client.input)? {
                return Ok(Some(request));
            }
            if !self.client.input.is_empty() {
                deadline.get_or_insert_with(|| Instant::now() + self.context.request_timeout);
            }
            let is_open = tokio::select! {
                is_open = self.read_between_requests() => is_open,
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    return if self.client.input.is_empty() { Ok(None) } else { Err(BadRequest::TooSlow) };
                }
            };
            if !is_open {
                return Ok(None);
            }
        }
    }

    /// Reads more from the client, and watches the server meanwhile, which may end the connection. False at the end.
    async fn read_between_requests(&mut self) -> bool {
        poll_fn(|task| {
            if let Some(server) = &mut self.server
                && server.poll_read(task, 1).is_ready()
            {
                return Poll::Ready(false);
            }
            let room = self.client.room();
            self.client.poll_read(task, room).map(|read| matches!(read, Ok(1..)))
        })
        .await
    }

    async fn answer(&mut self, answer: Bytes) -> After {
        match self.client.answer(&answer).await {
            Ok(()) => After::Close,
            Err(_) => After::Gone,
        }
    }
}
