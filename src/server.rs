//! The server: listeners, the app behind them, and an orderly end.

mod announce;
mod listen;
mod tls;

use std::{any::Any, io, sync::Arc, time::Duration};

use actix_web::{
    App, HttpServer,
    body::MessageBody,
    dev::{Extensions, ServerHandle, ServiceRequest, ServiceResponse},
    http::header,
    middleware::{Next, from_fn},
    rt::net::TcpStream,
    web,
};
use socket2::SockRef;
use thiserror::Error;
use tokio::{sync::watch, time::Instant};

use crate::{
    channel::{ChannelLimits, Hub, HubLimits, KeyLimits, PresenceLimits, Retention},
    config::Config,
    delivery::{Pace, Rings},
    guard::{self, BadOrigin, Connections, Guard, Origins, Rates},
    metrics::Metrics,
    site,
    transport::{self, Problem, State},
};

pub use listen::Listeners;

/// Descriptors that are not for clients: listeners, files, the runtime's own.
const RESERVED_DESCRIPTORS: u64 = 128;

/// Beyond the limit so many more connections are accepted by each worker, to be told why they are refused.
const REFUSED_AT_ONCE: usize = 64;

/// How long a socket stays open for the peer's half of the goodbye, and for what the peer still sends. Long enough for a
/// close frame to arrive, short enough for WebSocket clients that wait for the server's FIN (RFC 6455 §7.1.1).
const DISCONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// How many bytes the kernel holds for a peer that takes none. Left alone, Linux grows this to 4 MB.
const SEND_BUFFER: usize = 256 * 1024;

/// How often the hub is looked after.
const SWEEP: Duration = Duration::from_secs(1);

/// How many keys all channels together remember, as a multiple of what one may.
const KEYS_IN_ALL: usize = 4;

/// What keeps a server from starting or running.
#[derive(Debug, Error)]
pub enum ServerError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another with --port or --host")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("cannot use the certificate: {0}")]
    Tls(String),
    /// An entry of the allow list is no origin.
    #[error("--allow-origin: {0}")]
    Origin(#[from] BadOrigin),
    /// Anything else that the system refuses.
    #[error("the server broke off: {0}")]
    Io(#[from] io::Error),
}

/// Runs a server until a signal ends it.
///
/// # Errors
/// Tells why it did not start or did not end well.
pub async fn run(config: Config) -> Result<(), ServerError> {
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let listeners = Listeners::bind(&config)?;
    let tls = tls::Identity::of(&config)?;
    let max_connections = max_connections(&config);
    let (drain, draining) = watch::channel(false);
    let state = state(&config, listeners.ports(), max_connections, draining)?;

    let app_state = state.clone();
    let app = move || {
        App::new()
            .app_data(web::Data::new(app_state.clone()))
            .wrap(from_fn(transport::hang_up_on_unread))
            .wrap(from_fn(around_every_request))
            .configure(transport::routes)
            .configure(site::routes)
            .default_service(web::to(transport::not_found))
    };
    let connections = Arc::clone(state.guard.connections());
    let stall = config.stall_timeout.0;
    let mut server = HttpServer::new(app)
        .workers(config.workers)
        // Without it small writes wait for the peer's delayed acknowledgment: 40 ms instead of 0.1.
        .tcp_nodelay(true)
        .keep_alive(config.keep_alive.0)
        .client_request_timeout(config.request_timeout.0)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        // A client that is gone must free its parked poll at once.
        .h1_allow_half_closed(false)
        // The limit is kept by `guard`, which says why; this one only keeps descriptors from running out.
        .max_connections(max_connections.div_ceil(config.workers) + REFUSED_AT_ONCE)
        .on_connect(move |io, data| accept(io, data, &connections, stall))
        .shutdown_timeout(0)
        .disable_signals();
    for listener in listeners.take_sockets()? {
        server = match &tls {
            Some(identity) => server.listen_rustls_0_23(listener, identity.config.clone())?,
            None => server.listen(listener)?,
        };
    }
    let server = server.run();
    // Before anybody learns that the server is up: a signal that comes from then on must find it listening.
    let signals = Signals::listen()?;
    announce::print(&config, &listeners, tls.as_ref());
    let sweeper = actix_rt::spawn(sweep(state.clone()));
    let ending = actix_rt::spawn(end(server.handle(), signals, state, drain, config.drain_time.0));
    server.await?;
    ending.abort();
    sweeper.abort();
    Ok(())
}

/// As many connections as the configuration says, or as there are descriptors for.
fn max_connections(config: &Config) -> usize {
    // The soft limit is often 1,024 for the sake of programs that use `select`; this one does not.
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    let most = usize::try_from(descriptors.saturating_sub(RESERVED_DESCRIPTORS)).unwrap_or(usize::MAX).max(1);
    match config.max_connections {
        0 => most,
        asked => {
            if asked > most {
                tracing::warn!(asked, most, "--max-connections is more than there are file descriptors for");
            }
            asked.min(most)
        }
    }
}

/// Builds what all workers share.
fn state(
    config: &Config,
    ports: Vec<u16>,
    max_connections: usize,
    draining: watch::Receiver<bool>,
) -> Result<State, ServerError> {
    let channel = ChannelLimits {
        retention: Retention { messages: config.log_messages, bytes: config.log_bytes.0, age: config.log_age.0 },
        presence: PresenceLimits { grace: config.presence_grace.0, members: config.max_members },
        keys: KeyLimits {
            window: config.key_window.0,
            per_channel: config.max_keys,
            in_all: config.max_keys.saturating_mul(KEYS_IN_ALL),
        },
    };
    let hub = Hub::new(HubLimits {
        channels: config.max_channels,
        expiry: config.channel_expiry.0,
        bytes_in_all: config.log_bytes_total.0,
        channel: Arc::new(channel),
    });
    let per_address = Some(config.max_connections_per_address).filter(|&max| max > 0);
    let connections = Arc::new(Connections::new(max_connections, per_address));
    let rates = Rates::new(Some(config.publish_rate).filter(|&rate| rate > 0));
    let origins = Origins::new(&config.allow_origin, ports)?;
    let loopback_only = config.host.iter().all(|host| guard::is_loopback_name(host));
    Ok(State {
        hub: Arc::new(hub),
        rings: Arc::new(Rings::default()),
        metrics: Arc::new(Metrics::default()),
        guard: Arc::new(Guard::new(origins, rates, config.allow_operators, loopback_only, connections)),
        draining,
        settings: settings(config),
    })
}

fn settings(config: &Config) -> transport::Settings {
    transport::Settings {
        pace: Pace {
            heartbeat: config.heartbeat.0,
            stall: config.stall_timeout.0,
            drain_lead: config.drain_time.0.mul_f64(DRAIN_LEAD),
            drain_spread: config.drain_time.0.mul_f64(DRAIN_SPREAD),
        },
        poll_hold: config.poll_hold.0,
        max_message: config.max_message_size.0,
        request_timeout: config.request_timeout.0,
        sse_retry: config.sse_retry.0,
    }
}

/// Runs for each connection when it is accepted.
fn accept(io: &dyn Any, data: &mut Extensions, connections: &Arc<Connections>, stall: Duration) {
    let Some((socket, is_tls)) = tcp_stream(io) else { return };
    data.insert(connections.admit(socket.peer_addr().ok().map(|peer| peer.ip())));
    let options = SockRef::from(socket);
    // What the system does not let us set stays as it is; the connection works all the same.
    let _ = options.set_send_buffer_size(SEND_BUFFER);
    let is_found_by_system = let_system_find_stalled_peer(&options, stall);
    // A stream of HTTP/2 may stall while its connection does not, which the system cannot see.
    if (is_tls || !is_found_by_system)
        && let Ok(handle) = options.try_clone()
    {
        data.insert(Handle(Arc::new(handle)));
    }
}

/// The TCP stream below, and whether there is TLS between.
fn tcp_stream(io: &dyn Any) -> Option<(&TcpStream, bool)> {
    let tls = || io.downcast_ref::<actix_tls::accept::rustls_0_23::TlsStream<TcpStream>>();
    let plain = io.downcast_ref::<TcpStream>().map(|stream| (stream, false));
    plain.or_else(|| tls().map(|stream| (stream.get_ref().0, true)))
}

/// Lets the system close a connection whose peer takes no bytes (RFC 5482). actix itself would wait for ever.
#[cfg(target_os = "linux")]
fn let_system_find_stalled_peer(socket: &SockRef<'_>, stall: Duration) -> bool {
    socket.set_tcp_user_timeout(Some(stall)).is_ok()
}

/// Elsewhere the worker's tick does it, for which it needs a handle of its own.
#[cfg(not(target_os = "linux"))]
const fn let_system_find_stalled_peer(_: &SockRef<'_>, _: Duration) -> bool {
    false
}

/// A second handle of a connection's socket, to hang up by.
#[derive(Clone, Debug)]
pub struct Handle(pub Arc<socket2::Socket>);

/// What happens to every request and every answer.
async fn around_every_request(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse, actix_web::Error> {
    let is_from_page = request.headers().contains_key(header::ORIGIN);
    let received = request.app_data::<web::Data<State>>().map_or(Ok(()), |state| state.receive(request.request()));
    let mut response = match received {
        Ok(()) => next.call(request).await?.map_into_boxed_body(),
        Err(problem) => request.error_response(problem),
    };
    let refused = response.response().error().and_then(|error| error.as_error::<Problem>()).map(Problem::kind);
    if (is_from_page || refused.is_some())
        && let Some(state) = response.request().app_data::<web::Data<State>>().cloned()
    {
        if let Some(kind) = refused {
            state.metrics.refusal(kind);
        }
        let request = response.request().clone();
        transport::add_headers(&state, &request, response.headers_mut());
    }
    Ok(response)
}

/// Looks after the hub and the rings, about once a second, until the server ends.
async fn sweep(state: State) {
    let mut interval = actix_rt::time::interval(SWEEP.min(state.settings.pace.heartbeat));
    loop {
        interval.tick().await;
        state.hub.sweep();
        state.rings.sweep();
    }
}

/// The shares of the drain time: first only readiness fails, then goodbyes are spread, and the rest is for stragglers.
const DRAIN_LEAD: f64 = 0.1;
const DRAIN_SPREAD: f64 = 0.6;
const DRAIN_UNTIL: f64 = 0.85;

// ANCHOR: end
/// Ends the server in order when a signal comes: readiness fails, subscribers are let go one by one, the process ends.
async fn end(
    server: ServerHandle,
    mut signals: Signals,
    state: State,
    drain: watch::Sender<bool>,
    drain_time: Duration,
) {
    signals.next().await;
    let began = Instant::now();
    tracing::info!(within = ?drain_time, "draining; another signal ends at once");
    drain.send_replace(true);
    tokio::select! {
        () = until_all_have_left(&state, drain_time) => {}
        () = signals.next() => {}
    }
    tracing::info!(after = ?began.elapsed(), subscribers = state.hub.subscribers(), "stopping");
    server.stop(false).await;
}
// ANCHOR_END: end

async fn until_all_have_left(state: &State, drain_time: Duration) {
    let lead = drain_time.mul_f64(DRAIN_LEAD);
    let last = Instant::now() + drain_time.mul_f64(DRAIN_UNTIL);
    tokio::time::sleep(lead).await;
    while state.hub.subscribers() > 0 && Instant::now() < last {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The last goodbyes are in the sockets' buffers, and clients have to answer a close frame.
    let farewell = DISCONNECT_TIMEOUT.min(drain_time.mul_f64(1.0 - DRAIN_UNTIL));
    tokio::time::sleep(farewell).await;
}

/// The signals that ask for an end.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The signals that ask for an end.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    const fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
