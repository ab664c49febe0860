//! True peers: who is behind each connection that the lab opens to its own server.
//!
//! To the server such a connection comes from loopback, and whoever comes from there is an operator. So the lab says
//! beforehand for whom it connects, and the server takes nobody in over its inner door of whom it has not been told.

use std::{
    collections::HashMap,
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpSocket, TcpStream},
};

/// From how many addresses the lab connects. A connection that has ended keeps its port for a minute, and one address
/// has some 28,000 of them. Elsewhere than on Linux a machine has one loopback address unless it is given more.
const SOURCES: u8 = if cfg!(target_os = "linux") { 64 } else { 1 };

/// The clients of all relayed connections, by the address from which the lab connects for them.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    clients: Arc<Mutex<HashMap<SocketAddr, SocketAddr>>>,
    /// Whose turn it is of the addresses.
    turn: Arc<AtomicU8>,
}

impl Peers {
    /// Connects to the server for a client, whose address the server can ask for before it sees the connection.
    ///
    /// A small `receive_buffer` makes the server meet a peer that takes its bytes slowly.
    ///
    /// # Errors
    /// Fails if the system has no socket or port left, or the server does not listen.
    pub async fn connect(
        &self,
        upstream: SocketAddr,
        client: SocketAddr,
        receive_buffer: Option<usize>,
    ) -> io::Result<RelayedStream> {
        // Whatever the system thinks of the others, the last one is there.
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let sources = [source(turn), source(turn.wrapping_add(1)), Ipv4Addr::LOCALHOST];
        self.connect_from(&sources, upstream, client, receive_buffer).await
    }

    /// Connects from the first address that has a port left.
    async fn connect_from(
        &self,
        sources: &[Ipv4Addr],
        upstream: SocketAddr,
        client: SocketAddr,
        receive_buffer: Option<usize>,
    ) -> io::Result<RelayedStream> {
        let mut fault = io::Error::from(ErrorKind::AddrNotAvailable);
        for &source in sources {
            match self.try_from(source, upstream, client, receive_buffer).await {
                Err(no_port) if matches!(no_port.kind(), ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable) => {
                    fault = no_port;
                }
                done => return done,
            }
        }
        Err(fault)
    }

    async fn try_from(
        &self,
        source: Ipv4Addr,
        upstream: SocketAddr,
        client: SocketAddr,
        receive_buffer: Option<usize>,
    ) -> io::Result<RelayedStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        if let Some(size) = receive_buffer {
            // Before the connection is there, so that the window is never larger.
            socket.set_recv_buffer_size(size)?;
        }
        // Not with SO_REUSEADDR: who comes from an address is known only as long as no two connections share it.
        socket.bind(&SocketAddr::from((source, 0)).into())?;
        let socket = TcpSocket::from_std_stream(socket.into());
        let registration = self.register(socket.local_addr()?, client);
        let stream = socket.connect(upstream).await?;
        stream.set_nodelay(true)?;
        Ok(RelayedStream { _registration: registration, stream })
    }

    /// The client for whom a connection was opened, if the lab opened it.
    #[must_use]
    pub fn true_peer(&self, of: SocketAddr) -> Option<SocketAddr> {
        self.lock().get(&of).copied()
    }

    fn register(&self, local: SocketAddr, client: SocketAddr) -> Registration {
        self.lock().insert(local, client);
        Registration { peers: self.clone(), local }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, SocketAddr>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address whose turn it is.
const fn source(turn: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, 1 + turn % SOURCES)
}

/// A connection that is known to the server. Dropping it takes the knowledge back, for its port may become another's.
#[derive(Debug)]
struct Registration {
    peers: Peers,
    local: SocketAddr,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.peers.lock().remove(&self.local);
    }
}

/// A connection from the lab to its server, on behalf of a client.
#[derive(Debug)]
pub struct RelayedStream {
    // Before the stream: the port is not free for anybody else as long as the socket is open.
    _registration: Registration,
    stream: TcpStream,
}

impl RelayedStream {
    /// The connection itself, for options of its socket.
    #[must_use]
    pub const fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

impl AsyncRead for RelayedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for RelayedStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use std::{collections::HashSet, net::IpAddr};

    use tokio::{io::AsyncWriteExt as _, net::TcpListener};

    use super::*;

    #[tokio::test]
    async fn a_connection_is_known_before_it_is_accepted_and_forgotten_when_it_ends() -> io::Result<()> {
        let (peers, client) = (Peers::default(), SocketAddr::from(([192, 0, 2, 7], 5000)));
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;

        let mut relayed = peers.connect(server.local_addr()?, client, Some(4096)).await?;
        relayed.write_all(b"x").await?;
        let (_accepted, from) = server.accept().await?;

        assert_eq!(relayed.stream().local_addr()?, from);
        assert_eq!(peers.true_peer(from), Some(client));
        drop(relayed);
        assert_eq!(peers.true_peer(from), None);
        Ok(())
    }

    #[tokio::test]
    async fn an_address_without_a_port_is_passed_over() -> io::Result<()> {
        let (peers, client) = (Peers::default(), SocketAddr::from(([192, 0, 2, 7], 5000)));
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        // This one is nobody's (RFC 5737), and has none.
        let nowhere = Ipv4Addr::new(192, 0, 2, 1);

        let fault = peers.connect_from(&[nowhere], server.local_addr()?, client, None).await.err();
        let _relayed = peers.connect_from(&[nowhere, Ipv4Addr::LOCALHOST], server.local_addr()?, client, None).await?;

        assert_eq!(fault.map(|fault| fault.kind()), Some(ErrorKind::AddrNotAvailable));
        assert_eq!(peers.true_peer(server.accept().await?.1), Some(client));
        Ok(())
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn no_address_alone_gives_its_ports() -> io::Result<()> {
        let (peers, client) = (Peers::default(), SocketAddr::from(([192, 0, 2, 7], 5000)));
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let mut sources = HashSet::new();
        for _ in 0..SOURCES {
            let _relayed = peers.connect(server.local_addr()?, client, None).await?;
            sources.insert(server.accept().await?.1.ip());
        }
        assert_eq!(sources.len(), usize::from(SOURCES), "{sources:?}");
        assert!(sources.iter().all(IpAddr::is_loopback), "{sources:?}");
        Ok(())
    }

    #[tokio::test]
    async fn a_connection_that_fails_is_forgotten() -> io::Result<()> {
        let (peers, client) = (Peers::default(), SocketAddr::from(([192, 0, 2, 7], 5000)));
        let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?;

        assert!(peers.connect(nobody, client, None).await.is_err());

        assert!(peers.lock().is_empty());
        Ok(())
    }
}
