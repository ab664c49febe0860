//! The lab's house: a thread with a door. It accepts connections, speaks TLS if the server does, and hands them over to
//! the relay.
//!
//! The thread has a runtime of its own, so whatever a link does to its bytes, the server's workers do not notice. For the
//! same reason nobody waits for the thread: it ends when its [`House`] is dropped, and if it should fall over, the server
//! goes on without a lab.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use rustls::ServerConfig;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    runtime::{Builder, Runtime},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::{JoinError, JoinSet, LocalSet, spawn_local},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{Links, Peers, relay, tap::Live};
use crate::{
    channel::{Hub, now_us},
    guard::{Connections, Guard, Refusal, Ticket, Verdict},
};

/// Beyond the limit so many more connections are accepted, to be told why they are refused.
const REFUSED_AT_ONCE: usize = 64;

/// How long a refused client gets to take the refusal.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long to wait when the system refuses to hand over a connection. It mostly lacks descriptors, and gets some back.
const PAUSE: Duration = Duration::from_millis(500);

/// Sets a socket up. Returns whether the system finds out by itself that its peer takes no bytes any more.
pub type SetUp = fn(&SockRef<'_>, Duration) -> bool;

/// Everything that a lab needs.
#[derive(Debug)]
pub struct Plan {
    /// Where it listens.
    pub listeners: Vec<TcpListener>,
    /// How it speaks TLS, if it does.
    pub tls: Option<ServerConfig>,
    /// How many connections it carries.
    pub max_connections: usize,
    /// How many of them may come from one address.
    pub max_per_address: Option<usize>,
    /// What the server does to the socket of every client, with the time for which one may take no bytes.
    pub set_up: (SetUp, Duration),
    /// How long a TLS handshake may take, and a request's head.
    pub request_timeout: Duration,
    /// Where its server is.
    pub upstream: SocketAddr,
    /// Who learns for whom it connects there.
    pub peers: Peers,
    /// What is wrong where.
    pub links: Arc<Links>,
    /// Where it tells what passes.
    pub hub: Arc<Hub>,
    /// The rules of the server.
    pub guard: Arc<Guard>,
}

/// A lab that is open. Dropping it closes the lab.
#[derive(Debug)]
pub struct House(#[expect(dead_code, reason = "it speaks by being dropped")] oneshot::Sender<()>);

impl House {
    /// Opens the lab on a thread of its own.
    ///
    /// # Errors
    /// Fails if the system has no thread or descriptor left.
    pub fn open(plan: Plan) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (house, closed) = oneshot::channel();
        thread::Builder::new().name("lab".to_owned()).spawn(move || live(&runtime, plan, closed))?;
        Ok(Self(house))
    }
}

fn live(runtime: &Runtime, plan: Plan, closed: oneshot::Receiver<()>) {
    let life = AssertUnwindSafe(|| LocalSet::new().block_on(runtime, Door::open(plan, closed)));
    match catch_unwind(life) {
        Ok(Ok(())) => {}
        Ok(Err(fault)) => tracing::error!(%fault, "the lab is closed; the server goes on without it"),
        Err(_) => tracing::error!("the lab fell over; the server goes on without it"),
    }
}

/// What every connection goes through.
struct Door {
    room: Arc<Connections>,
    /// For those who are refused.
    hall: Arc<Semaphore>,
    set_up: (SetUp, Duration),
    tls: Option<TlsAcceptor>,
    handshake: Duration,
    relay: Rc<relay::Context>,
}

impl Door {
    /// Takes connections in until the house is closed.
    async fn open(plan: Plan, mut closed: oneshot::Receiver<()>) -> io::Result<()> {
        let mut arrivals = arrivals(plan.listeners)?;
        let live = Rc::new(Live::new(plan.hub));
        spawn_local(Rc::clone(&live).publish());
        let door = Rc::new(Self {
            room: Arc::new(Connections::new(plan.max_connections, plan.max_per_address)),
            hall: Arc::new(Semaphore::new(REFUSED_AT_ONCE)),
            set_up: plan.set_up,
            tls: plan.tls.map(acceptor),
            handshake: plan.request_timeout,
            relay: Rc::new(relay::Context {
                upstream: plan.upstream,
                peers: plan.peers,
                links: plan.links,
                live,
                guard: plan.guard,
                request_timeout: plan.request_timeout,
            }),
        });
        let mut visits = JoinSet::new();
        loop {
            tokio::select! {
                _ = &mut closed => return Ok(()),
                Some(ended) = visits.join_next() => tell_panic(ended),
                Some((socket, client)) = arrivals.recv() => {
                    if let Some(place) = door.admit(client) {
                        visits.spawn_local(Rc::clone(&door).take_in(socket, client, place));
                    }
                }
            }
        }
    }

    /// Finds a place for a client. Without one, it is not even told why.
    fn admit(&self, client: SocketAddr) -> Option<Place> {
        let ticket = self.room.admit(Some(client));
        let verdict = ticket.verdict();
        if verdict == Verdict::Admitted {
            return Some(Place::InRoom(ticket));
        }
        // Those who are refused do not count, or else one address alone would fill the room.
        let permit = Arc::clone(&self.hall).try_acquire_owned().ok()?;
        Some(Place::InHall(permit, verdict))
    }

    async fn take_in(self: Rc<Self>, socket: TcpStream, client: SocketAddr, place: Place) {
        let (accepted_at, (set_up, stall)) = (now_us(), self.set_up);
        set_up(&SockRef::from(&socket), stall);
        // Without it small writes wait for the peer's delayed acknowledgment. The connection works without, too.
        let _ = socket.set_nodelay(true);
        let Some(acceptor) = &self.tls else { return self.serve(socket, client, accepted_at, place).await };
        match timeout(self.handshake, acceptor.accept(socket)).await {
            Ok(Ok(line)) => self.serve(line, client, accepted_at, place).await,
            Ok(Err(fault)) => tracing::debug!(%client, %fault, "no TLS with the lab"),
            Err(_) => tracing::debug!(%client, "a TLS handshake with the lab took too long"),
        }
    }

    async fn serve(&self, line: impl relay::Line, client: SocketAddr, accepted_at: u64, place: Place) {
        match place {
            Place::InRoom(_ticket) => relay::serve(line, client, accepted_at, Rc::clone(&self.relay)).await,
            // Whoever does not take the refusal goes without.
            Place::InHall(_permit, verdict) => drop(timeout(FAREWELL, refuse(line, verdict)).await),
        }
    }
}

/// Where a client is, for as long as it is there.
enum Place {
    /// Among those who are served.
    InRoom(Ticket),
    /// Among those who are told why they are not.
    InHall(OwnedSemaphorePermit, Verdict),
}

/// What all listeners accept. One that has no connection to hand over does not keep the others waiting.
fn arrivals(listeners: Vec<TcpListener>) -> io::Result<mpsc::Receiver<(TcpStream, SocketAddr)>> {
    let (sender, arrivals) = mpsc::channel(1);
    for listener in listeners {
        spawn_local(accept(tokio::net::TcpListener::from_std(listener)?, sender.clone()));
    }
    Ok(arrivals)
}

async fn accept(listener: tokio::net::TcpListener, arrivals: mpsc::Sender<(TcpStream, SocketAddr)>) {
    loop {
        match listener.accept().await {
            Ok(arrival) => {
                if arrivals.send(arrival).await.is_err() {
                    return;
                }
            }
            Err(fault) => {
                tracing::warn!(%fault, "the lab cannot accept a connection");
                sleep(PAUSE).await;
            }
        }
    }
}

/// TLS with the server's own certificate. The lab speaks HTTP/1.1 alone, and says so before a browser chooses HTTP/2.
fn acceptor(mut config: ServerConfig) -> TlsAcceptor {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// A panic ends the connection that it is about, and nothing else.
fn tell_panic(ended: Result<(), JoinError>) {
    if let Err(fault) = ended
        && fault.is_panic()
    {
        tracing::error!(%fault, "a connection to the lab fell over");
    }
}

/// Tells a client why it is not served, and reads on until it has understood: a socket that is closed with something
/// unread is reset, and the refusal may be lost with it.
async fn refuse(mut line: impl AsyncRead + AsyncWrite + Unpin, verdict: Verdict) -> io::Result<()> {
    line.write_all(&refusal(verdict)).await?;
    line.shutdown().await?;
    let mut unread = [0; 1024];
    while line.read(&mut unread).await? > 0 {}
    Ok(())
}

/// Why a client is not served.
fn refusal(verdict: Verdict) -> Bytes {
    match verdict {
        Verdict::TooManyFromAddress => {
            let detail = Refusal::TooManyPerAddress.to_string();
            relay::words::problem(429, "too-many-per-address", "Too many connections", &detail)
        }
        Verdict::TooMany | Verdict::Admitted => Bytes::from(relay::no_room()),
    }
}
