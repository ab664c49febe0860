//! One non-blocking connection: opening it, and what is to be written but does not fit yet.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    time::Duration,
};

use mio::{Interest, Registry, Token, event::Event, net::TcpStream};
use socket2::SockRef;

use super::tally::Traffic;

/// How many bytes may wait for a socket to take them. A socket that is so far behind is broken.
const MOST_WAITING: usize = 4 << 20;

/// A connection that is being opened, or open.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    is_open: bool,
    /// The peer has said its last. No other event will tell.
    is_ending: bool,
    outbox: Vec<u8>,
}

/// What became of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// So many bytes, and there may be more.
    Some(usize),
    /// So many bytes, and there are no more for now.
    Last(usize),
    /// The peer has ended the connection.
    End,
    /// Nothing is there.
    Nothing,
}

/// A read that does not fill its buffer has taken all there is, and the next bytes are announced anew (epoll(7), kqueue).
/// Elsewhere they are announced only after a read that finds nothing.
const SHORT_READ_IS_LAST: bool = cfg!(unix);

impl Connection {
    /// Begins to connect.
    pub fn open(address: SocketAddr, registry: &Registry, token: Token) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { stream, is_open: false, is_ending: false, outbox: Vec::new() })
    }

    /// Takes note of an event. Returns whether the connection is there now; what was to be written goes out then.
    pub fn attend(&mut self, event: &Event, traffic: &mut Traffic) -> io::Result<bool> {
        self.is_ending |= event.is_read_closed();
        if !self.is_open {
            if let Some(error) = self.stream.take_error()? {
                return Err(error);
            }
            match self.stream.peer_addr() {
                Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(false),
                outcome => outcome?,
            };
            self.is_open = true;
            traffic.connections += 1;
            self.stream.set_nodelay(true)?;
            // A socket is reset when it is dropped: ten thousand of them in TIME_WAIT would be in the way of the next
            // round.
            SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))?;
        }
        self.flush(traffic)?;
        Ok(true)
    }

    /// The port at this end.
    pub fn local_port(&self) -> Option<u16> {
        self.stream.local_addr().ok().map(|address| address.port())
    }

    /// Writes, now or when the socket takes it.
    pub fn write(&mut self, bytes: &[u8], traffic: &mut Traffic) -> io::Result<()> {
        let mut written = 0;
        if self.is_open && self.outbox.is_empty() {
            written = self.write_some(bytes, traffic)?;
        }
        if self.outbox.len() + bytes.len() - written > MOST_WAITING {
            return Err(io::Error::other("the server does not take what is sent to it"));
        }
        self.outbox.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    /// Whether everything was written.
    pub fn is_flushed(&self) -> bool {
        self.outbox.is_empty()
    }

    fn flush(&mut self, traffic: &mut Traffic) -> io::Result<()> {
        if !self.outbox.is_empty() {
            let outbox = std::mem::take(&mut self.outbox);
            let written = self.write_some(&outbox, traffic)?;
            self.outbox = outbox;
            self.outbox.drain(..written);
        }
        Ok(())
    }

    /// Writes as much as the socket takes.
    fn write_some(&mut self, bytes: &[u8], traffic: &mut Traffic) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() {
            match self.stream.write(&bytes[written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            traffic.writes += 1;
        }
        Ok(written)
    }

    /// Reads once.
    pub fn read(&mut self, buffer: &mut [u8], traffic: &mut Traffic) -> io::Result<Read> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Ok(Read::End),
                Ok(length) => {
                    traffic.reads += 1;
                    traffic.down_bytes += length as u64;
                    let is_last = SHORT_READ_IS_LAST && !self.is_ending && length < buffer.len();
                    return Ok(if is_last { Read::Last(length) } else { Read::Some(length) });
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Read::Nothing),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Lets the poll forget the connection.
    pub fn close(mut self, registry: &Registry) {
        // It fails only if the poll knows nothing of it, which is what it is for.
        let _ = registry.deregister(&mut self.stream);
    }
}
