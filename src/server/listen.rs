//! Listeners: on which addresses the server is reached.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::config::Config;

use super::ServerError;

/// How many connections may wait to be accepted. A class that joins at once must not be turned away.
const BACKLOG: i32 = 4096;

/// The sockets that are listened on.
#[derive(Debug)]
pub struct Listeners {
    sockets: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    flag: &'static str,
}

impl Listeners {
    /// Listens on every host of the list; without one, on both loopback addresses. The flag is what to change if that
    /// fails.
    ///
    /// # Errors
    /// Names the address that cannot be listened on.
    pub fn bind(hosts: &[String], port: u16, flag: &'static str) -> Result<Self, ServerError> {
        let mut listeners = Self { sockets: Vec::new(), addresses: Vec::new(), flag };
        if hosts.is_empty() {
            listeners.add(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
            // The same port on both, even if the system chose it. A machine may have no IPv6; that is no fault.
            let port = listeners.addresses[0].port();
            if let Err(fault) = listeners.add(SocketAddr::from((Ipv6Addr::LOCALHOST, port))) {
                tracing::debug!(%fault, "no IPv6 loopback");
            }
            return Ok(listeners);
        }
        for host in hosts {
            for address in listeners.resolve(host, port)? {
                let port = listeners.addresses.first().filter(|_| port == 0).map_or(port, SocketAddr::port);
                listeners.add(SocketAddr::new(address.ip(), port))?;
            }
        }
        Ok(listeners)
    }

    fn add(&mut self, address: SocketAddr) -> Result<(), ServerError> {
        let listener = listen(address).map_err(|source| self.fault(address.to_string(), source))?;
        self.addresses.push(listener.local_addr()?);
        self.sockets.push(listener);
        Ok(())
    }

    fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ServerError> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let found = (bare, port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        found.map_err(|source| self.fault(format!("{host}:{port}"), source))
    }

    const fn fault(&self, address: String, source: io::Error) -> ServerError {
        ServerError::Listen { address, source, flag: self.flag }
    }

    /// The ports, each once.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        let mut ports: Vec<u16> = self.addresses.iter().map(SocketAddr::port).collect();
        ports.dedup();
        ports
    }

    /// The addresses.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether any of the addresses lets others than this machine in.
    #[must_use]
    pub fn are_public(&self) -> bool {
        self.addresses.iter().any(|address| Config::is_public(address.ip()))
    }

    /// Hands the sockets out, for the server to accept from.
    ///
    /// # Errors
    /// Fails if the system refuses another handle of a socket.
    pub fn take_sockets(&self) -> io::Result<Vec<TcpListener>> {
        self.sockets.iter().map(TcpListener::try_clone).collect()
    }
}

/// Listens on one address.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // Otherwise `::` would take IPv4 too, and `0.0.0.0` beside it would fail.
        socket.set_only_v6(true)?;
    }
    // On Windows the option means something else: another program could take the port over.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
