//! What happens to a connection when it is accepted: it is counted, its socket is set up, and its peer is found out.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::{dev::Extensions, rt::net::TcpStream};
use socket2::SockRef;

use crate::{
    delivery::Socket,
    guard::{Connections, Ticket},
    lab::Peers,
};

/// How many bytes the kernel holds for a peer that takes none. Left alone, Linux grows this to 4 MB.
const SEND_BUFFER: usize = 256 * 1024;

/// Who is at the other end of a connection; nobody, if the connection came in by the inner door without the lab.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub Option<SocketAddr>);

/// A second handle of a connection's socket, to hang up by.
#[derive(Clone, Debug)]
pub struct Handle(pub Arc<socket2::Socket>);

/// The listener that only the lab may come in by. It is on loopback, and speaks plain HTTP.
#[derive(Debug)]
pub struct InnerDoor {
    listener: TcpListener,
    address: SocketAddr,
    peers: Peers,
}

impl InnerDoor {
    /// Opens the door, on a free port.
    ///
    /// # Errors
    /// Fails if the system has no port left.
    pub fn open() -> io::Result<Self> {
        let listener = super::listen::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        Ok(Self { address: listener.local_addr()?, listener, peers: Peers::default() })
    }

    /// Where the door is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Those who come in by it.
    #[must_use]
    pub const fn peers(&self) -> &Peers {
        &self.peers
    }

    /// A handle of the socket, for the server to accept from.
    ///
    /// # Errors
    /// Fails if the system refuses another handle.
    pub fn take_socket(&self) -> io::Result<TcpListener> {
        self.listener.try_clone()
    }
}

/// Takes connections in.
#[derive(Debug)]
pub struct Reception {
    connections: Arc<Connections>,
    stall: Duration,
    inner_door: Option<(SocketAddr, Peers)>,
}

impl Reception {
    /// Returns a reception that counts in `connections`, and hangs up on peers that take nothing for `stall`.
    #[must_use]
    pub fn new(connections: &Arc<Connections>, stall: Duration, inner_door: Option<&InnerDoor>) -> Self {
        let inner_door = inner_door.map(|door| (door.address, door.peers.clone()));
        Self { connections: Arc::clone(connections), stall, inner_door }
    }

    /// Runs for each plain connection when it is accepted, and when it comes back from a stage.
    pub fn take_in(&self, socket: &Socket, data: &mut Extensions) {
        let exit = socket.exit();
        data.insert(exit.clone());
        if let Some(ticket) = exit.luggage::<Ticket>() {
            show(&ticket, data);
        } else if let Some(stream) = socket.stream() {
            let ticket = self.admit(stream);
            show(&ticket, data);
            exit.carry(Rc::new(ticket));
            let options = SockRef::from(stream);
            if !set_up(&options, self.stall) {
                insert_handle(&options, data);
            }
        }
    }

    /// Runs for each TLS connection when it is accepted.
    pub fn take_in_tls(&self, stream: &TlsStream<TcpStream>, data: &mut Extensions) {
        let stream = stream.get_ref().0;
        show(&self.admit(stream), data);
        let options = SockRef::from(stream);
        set_up(&options, self.stall);
        // A stream of HTTP/2 may stall while its connection does not, which the system cannot see.
        insert_handle(&options, data);
    }

    fn admit(&self, stream: &TcpStream) -> Ticket {
        self.connections.admit(self.peer_of(stream))
    }

    // ANCHOR: peer
    /// The true peer: for a connection of the lab's, the client for whom the lab opened it.
    fn peer_of(&self, socket: &TcpStream) -> Option<SocketAddr> {
        let peer = socket.peer_addr().ok()?;
        match &self.inner_door {
            Some((door, peers)) if socket.local_addr().ok()? == *door => peers.true_peer(peer),
            _ => Some(peer),
        }
    }
    // ANCHOR_END: peer
}

fn show(ticket: &Ticket, data: &mut Extensions) {
    data.insert(Peer(ticket.peer()));
    data.insert(ticket.clone());
}

fn insert_handle(options: &SockRef<'_>, data: &mut Extensions) {
    if let Ok(handle) = options.try_clone() {
        data.insert(Handle(Arc::new(handle)));
    }
}

/// Sets a client's socket up. Returns whether the system will close it when its peer takes no bytes.
pub(super) fn set_up(socket: &SockRef<'_>, stall: Duration) -> bool {
    // What the system does not let us set stays as it is; the connection works all the same.
    // Without this, small writes wait for the peer's delayed acknowledgment: 40 ms instead of 0.1.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    let_system_find_stalled_peer(socket, stall)
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use socket2::{Domain, Socket, Type};

    use super::*;

    #[test]
    fn a_socket_that_is_set_up_gives_up_peers_that_take_nothing() -> io::Result<()> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let stall = Duration::from_secs(7);

        assert!(set_up(&SockRef::from(&socket), stall), "the system finds them");

        assert_eq!(socket.tcp_user_timeout()?, Some(stall));
        Ok(())
    }
}
