//! A server of the tests that has every fault on demand, and none otherwise.
//!
//! It speaks as much of the protocol as `fallcast check` looks at, at the addresses of fallcast, and shares no code with
//! it: what finds nothing wrong here and everything wrong there was not made for one server. It is written to be read,
//! not to be fast: one thread, a task for each connection. Presence, negotiation and TLS are left out.

mod block;
mod channel;
mod encoder;
mod endless;
mod event;
mod fault;
mod frame;
mod handshake;
mod http;
mod outlet;
mod poll;
mod publish;
mod subscription;
mod websocket;
mod wish;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    net::SocketAddr,
    rc::Rc,
    thread,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Mutex, oneshot},
    task::{LocalSet, spawn_local},
    time::{Instant, Interval, interval_at, sleep},
};

pub use fault::Fault;

use channel::Channel;
use event::Transport;
use http::{Answer, Connection, Reader, Refusal, Request};
use wish::Format;

/// The bounds of the server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest message, in bytes.
    pub max_message: usize,
    /// A log retains so many messages,
    pub log_messages: usize,
    /// and so many bytes of data.
    pub log_bytes: usize,
    /// The longest silence.
    pub heartbeat: Duration,
    /// A poll is held for so long at most.
    pub hold: Duration,
    /// So many subscriptions at a time.
    pub seats: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message: 1024 * 1024,
            log_messages: 1000,
            log_bytes: 4 * 1024 * 1024,
            heartbeat: Duration::from_secs(1),
            hold: Duration::from_secs(25),
            seats: 100,
        }
    }
}

/// A running server, on a thread of its own until it is dropped.
pub struct ReferenceServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl ReferenceServer {
    /// Starts a server with one fault or with none, on a free port of the loopback interface.
    pub fn start(fault: Option<Fault>, limits: Limits) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("the socket can be set up");
        let address = listener.local_addr().expect("the listener is bound");
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || run(listener, fault, limits, stopped));
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for ReferenceServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        // Whether the thread panicked is of no interest any more: its clients have seen it.
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

fn run(listener: std::net::TcpListener, fault: Option<Fault>, limits: Limits, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::from_std(listener).expect("the listener is set up");
        let server = Rc::new(Server::new(fault, limits));
        tokio::select! {
            () = accept(&listener, &server) => {}
            _ = stopped => {}
        }
    });
}

async fn accept(listener: &TcpListener, server: &Rc<Server>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(spawn_local(converse(Rc::clone(server), stream))),
            // No descriptor is free; one will be.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

/// What all connections share.
pub struct Server {
    pub limits: Limits,
    fault: Option<Fault>,
    channels: RefCell<HashMap<String, Rc<Channel>>>,
    /// How many are subscribed now.
    seats: Cell<usize>,
    /// How many connections there have been.
    connections: Cell<usize>,
    door: Mutex<()>,
}

impl Server {
    fn new(fault: Option<Fault>, limits: Limits) -> Self {
        Self {
            limits,
            fault,
            channels: RefCell::default(),
            seats: Cell::new(0),
            connections: Cell::new(0),
            door: Mutex::default(),
        }
    }

    /// Whether this is the fault of this server.
    pub fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn channel(&self, name: &str) -> Rc<Channel> {
        let mut channels = self.channels.borrow_mut();
        Rc::clone(channels.entry(name.to_owned()).or_insert_with(|| Rc::new(Channel::new(self.limits))))
    }

    /// The largest message of a WebSocket, in bytes. In `json` a byte may come as `\u00XX`.
    pub fn largest_frame(&self, format: Format) -> u64 {
        let max_message = self.limits.max_message as u64;
        match format {
            _ if self.has(Fault::AnySize) => u64::MAX,
            Format::Raw => max_message,
            Format::Json => max_message * 6 + 4096,
        }
    }

    /// When the next heartbeats are due.
    pub fn beat(&self) -> Interval {
        interval_at(Instant::now() + self.limits.heartbeat, self.limits.heartbeat)
    }

    /// What a faulty server does before it lets a subscriber in.
    pub async fn admit(&self) {
        if self.has(Fault::HandshakesQueue) {
            let _turn = self.door.lock().await;
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// What a faulty server does when a subscriber has gone.
    pub fn farewell(&self, reader: &Reader) {
        if reader.is_broken && self.has(Fault::ConnectionsLeak) {
            self.seats.set(self.seats.get() + 1);
        }
    }

    /// A seat for a subscriber, free again when it is dropped.
    ///
    /// # Errors
    /// Refuses when there is none.
    pub fn seat(self: &Rc<Self>) -> Result<Seat, Refusal> {
        if self.seats.get() >= self.limits.seats {
            return Err(Refusal::new(503, "there are too many subscribers"));
        }
        self.seats.set(self.seats.get() + 1);
        Ok(Seat(Rc::clone(self)))
    }
}

/// One of a bounded number of subscribers.
pub struct Seat(Rc<Server>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.seats.set(self.0.seats.get() - 1);
    }
}

/// Answers the requests of a connection until it ends, or becomes a subscription.
async fn converse(server: Rc<Server>, stream: TcpStream) {
    // Without it an answer may wait for the acknowledgment of the one before. Where it is refused, it is slower.
    let _ = stream.set_nodelay(true);
    let mut connection = Connection::new(stream, server.connections.replace(server.connections.get() + 1));
    while let Some(request) = connection.request().await {
        let answer = match answer(&server, &request, &mut connection).await {
            Ok(Some(answer)) => answer,
            Ok(None) => return,
            Err(refusal) => refusal.answer(),
        };
        if !connection.writer.write(&answer.to_bytes()).await || request.is_last() {
            return;
        }
        if server.has(Fault::PipelinedLost) {
            connection.reader.unread.clear();
        }
    }
}

/// The answer to a request; none if the connection is used up.
async fn answer(
    server: &Rc<Server>,
    request: &Request,
    connection: &mut Connection,
) -> Result<Option<Answer>, Refusal> {
    let Some((channel, door)) = address(&request.path) else {
        return Err(Refusal::new(404, "there is nothing at this address"));
    };
    let channel = server.channel(channel);
    if door.is_empty() && request.method == "POST" {
        return publish::post(server, &channel, request, connection).await;
    }
    if request.method != "GET" {
        return Err(Refusal::new(405, "a subscription is a GET, a publication a POST"));
    }
    if request.is_foreign() && !(door == "ws" && server.has(Fault::ForeignOriginConnects)) {
        return Err(publish::FOREIGN);
    }
    match door {
        "ws" => websocket::serve(server, &channel, request, connection).await.map(|()| None),
        "sse" => endless::serve(server, &channel, request, connection, Transport::Sse).await.map(|()| None),
        "stream" => endless::serve(server, &channel, request, connection, Transport::Stream).await.map(|()| None),
        "poll" => poll::answer(server, &channel, request, &mut connection.reader).await,
        _ => Err(Refusal::new(404, "the doors are ws, sse, poll and stream")),
    }
}

/// The channel's name and what follows it.
fn address(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/channels/")?;
    let (channel, door) = rest.split_once('/').unwrap_or((rest, ""));
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    let is_good = (1..=64).contains(&channel.len()) && channel.bytes().all(is_name) && !matches!(channel, "." | "..");
    is_good.then_some((channel, door))
}
