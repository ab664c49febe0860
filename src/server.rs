//! The server: listeners, the app behind them, and an orderly end.

mod accept;
mod announce;
mod lab;
mod listen;
mod tls;
mod workers;

use std::{io, sync::Arc, time::Duration};

use actix_web::{
    App,
    body::MessageBody,
    dev::{Server, ServerHandle, ServiceRequest, ServiceResponse},
    http::header::{self, HeaderMap},
    middleware::{Next, from_fn},
    web,
};
use thiserror::Error;
use tokio::{sync::watch, time::Instant};

use crate::{
    channel::{ChannelLimits, Hub, HubLimits, KeyLimits, PresenceLimits, Retention},
    config::Config,
    delivery::{Exit, Pace, Rings},
    demos::{self, Demos},
    examination::Examination,
    guard::{self, BadOrigin, Connections, Guard, Origins, Rates},
    lab::Desk,
    metrics::Metrics,
    site,
    transport::{self, Problem, State},
};

pub use accept::{Handle, InnerDoor, Peer};
pub use announce::lan_addresses;
pub use listen::Listeners;

use accept::Reception;
use lab::Lab;
use tls::Identity;
use workers::Workers;

/// Descriptors that are not for clients: listeners, files, the runtime's own.
const RESERVED_DESCRIPTORS: u64 = 128;

/// Beyond the limit so many more connections are accepted by each worker, to be told why they are refused.
const REFUSED_AT_ONCE: usize = 64;

/// How long a socket stays open for the peer's half of the goodbye, and for what the peer still sends. Long enough for a
/// close frame to arrive, short enough for WebSocket clients that wait for the server's FIN (RFC 6455 §7.1.1).
const DISCONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// How often what expires is looked after.
const SWEEP: Duration = Duration::from_secs(1);

/// How many keys all channels together remember, as a multiple of what one may.
const KEYS_IN_ALL: usize = 4;

/// What keeps a server from starting or running.
#[derive(Debug, Error)]
pub enum ServerError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another with {flag} or --host")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
        /// The setting of its port.
        flag: &'static str,
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
    let listeners = Listeners::bind(&config.host, config.port, "--port")?;
    let lab = Lab::of(&config)?;
    let tls = tls::Identity::of(&config)?;
    let room = Room::of(&config, lab.is_some());
    let (drain, draining) = watch::channel(false);
    let ports = [listeners.ports(), lab.as_ref().map(Lab::ports).unwrap_or_default()].concat();
    let state = state(&config, ports, lab.as_ref().map(Lab::desk), room.connections, draining)?;

    let server = start(&config, &state, &listeners, tls.as_ref(), lab.as_ref().map(Lab::inner_door))?;
    // It ends when this is dropped, which is after everybody has been let go.
    let _house = lab.as_ref().map(|lab| lab.open(&config, &state, tls.as_ref(), room.lab)).transpose()?;
    // Before anybody learns that the server is up: a signal that comes from then on must find it listening.
    let signals = Signals::listen()?;
    announce::print(&config, &listeners, lab.as_ref(), tls.as_ref());
    let sweeper = actix_rt::spawn(sweep(state.clone()));
    let ending = actix_rt::spawn(end(server.handle(), signals, state, drain, config.drain_time.0));
    server.await?;
    ending.abort();
    sweeper.abort();
    Ok(())
}

/// Starts the workers, with an app behind every listener.
fn start(
    config: &Config,
    state: &State,
    listeners: &Listeners,
    tls: Option<&Identity>,
    inner_door: Option<&InnerDoor>,
) -> io::Result<Server> {
    let (app_state, demos) = (state.clone(), Demos::begin(config, state));
    let examination = Examination::begin(config, state, announce::urls(listeners, tls), listeners.are_public());
    let app = move || {
        App::new()
            .app_data(web::Data::new(app_state.clone()))
            .wrap(from_fn(transport::hang_up_on_unread))
            .wrap(from_fn(around_every_request))
            .configure(transport::routes)
            .configure(crate::lab::routes)
            .configure(|app| demos.routes(app))
            .configure(|app| examination.routes(app))
            .configure(site::routes)
            .default_service(web::to(transport::not_found))
    };
    let reception = Reception::new(state.guard.connections(), config.stall_timeout.0, inner_door);
    let mut workers = Workers::new(config, state, reception, app);
    for listener in listeners.take_sockets()? {
        workers = match tls {
            Some(identity) => workers.listen_tls(listener, identity)?,
            None => workers.listen(listener)?,
        };
    }
    if let Some(door) = inner_door {
        workers = workers.listen(door.take_socket()?)?;
    }
    Ok(workers.run())
}

/// How many connections there are descriptors for.
struct Room {
    connections: usize,
    lab: usize,
}

/// Of so many descriptors, the lab takes at most one.
const SHARE_OF_LAB: usize = 4;

/// Descriptors of a connection to the lab, beside that of the server's connection behind it.
const DESCRIPTORS_IN_LAB: usize = 2;

impl Room {
    /// As many connections as the configuration says, or as there are descriptors for.
    fn of(config: &Config, has_lab: bool) -> Self {
        // The soft limit is often 1,024 for the sake of programs that use `select`; this one does not.
        let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024).saturating_sub(RESERVED_DESCRIPTORS);
        let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
        let for_lab = descriptors / SHARE_OF_LAB / DESCRIPTORS_IN_LAB;
        let lab = if has_lab { bounded("--max-lab-connections", config.max_lab_connections, for_lab) } else { 0 };
        let most = (descriptors - lab * DESCRIPTORS_IN_LAB).max(1);
        let connections = match config.max_connections {
            0 => most,
            asked => bounded("--max-connections", asked, most),
        };
        Self { connections, lab }
    }
}

fn bounded(flag: &'static str, asked: usize, most: usize) -> usize {
    if asked > most {
        tracing::warn!(asked, most, "{flag} is more than there are file descriptors for");
    }
    asked.min(most)
}

/// Builds what all workers share.
fn state(
    config: &Config,
    ports: Vec<u16>,
    lab: Option<Desk>,
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
        lab,
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
        keep_alive: config.keep_alive.0,
        max_message: config.max_message_size.0,
        request_timeout: config.request_timeout.0,
        sse_retry: config.sse_retry.0,
    }
}

/// What happens to every request and every answer.
async fn around_every_request(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse, actix_web::Error> {
    if let Some(exit) = request.conn_data::<Exit>() {
        exit.begin(length_of_body(request.headers()));
    }
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
        if !demos::keeps_to_itself(request.path()) {
            transport::add_headers(&state, &request, response.headers_mut());
        }
    }
    Ok(response)
}

/// How long a request's body is, unless it comes in chunks, which only their reader can count.
fn length_of_body(headers: &HeaderMap) -> Option<u64> {
    match headers.get(header::CONTENT_LENGTH) {
        _ if headers.contains_key(header::TRANSFER_ENCODING) => None,
        Some(length) => length.to_str().ok()?.trim().parse().ok(),
        None => Some(0),
    }
}

/// Looks after the hub, the rings and the lab's links, about once a second, until the server ends.
async fn sweep(state: State) {
    let mut interval = actix_rt::time::interval(SWEEP.min(state.settings.pace.heartbeat));
    loop {
        interval.tick().await;
        state.hub.sweep();
        state.rings.sweep();
        if let Some(lab) = &state.lab {
            lab.links.sweep();
        }
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
