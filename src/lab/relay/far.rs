//! The far end of an exchange: the server, or a middlebox that answers in its place.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWrite;

use super::client;
use crate::lab::peers::{Peers, RelayedStream};

/// The receive buffer of a connection whose server is to meet a slow reader.
const NARROW: usize = 4 * 1024;

/// The far end.
#[derive(Debug)]
pub struct Far {
    end: End,
    /// What has come from it and was not used yet.
    pub input: BytesMut,
    has_ended: bool,
    is_narrow: bool,
    is_reused: bool,
}

#[derive(Debug)]
enum End {
    Server(RelayedStream),
    /// Answers to the first byte that it gets, if it has not done so yet, and never again.
    Middlebox(Option<Bytes>),
}

impl Far {
    /// Connects to the server on behalf of a client, perhaps with a small receive buffer.
    ///
    /// # Errors
    /// Fails if the server cannot be reached.
    pub async fn connect(peers: &Peers, server: SocketAddr, client: SocketAddr, is_narrow: bool) -> io::Result<Self> {
        let stream = peers.connect(server, client, is_narrow.then_some(NARROW)).await?;
        Ok(Self { is_narrow, ..Self::new(End::Server(stream)) })
    }

    /// A middlebox that answers whatever it is asked.
    #[must_use]
    pub fn middlebox(answer: Bytes) -> Self {
        Self::new(End::Middlebox(Some(answer)))
    }

    fn new(end: End) -> Self {
        Self { end, input: BytesMut::new(), has_ended: false, is_narrow: false, is_reused: false }
    }

    /// The same connection, for another exchange.
    #[must_use]
    pub fn reused(self) -> Self {
        Self { is_reused: true, ..self }
    }

    /// Whether it has carried an exchange before.
    #[must_use]
    pub const fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// Whether it is the server.
    #[must_use]
    pub const fn is_server(&self) -> bool {
        matches!(self.end, End::Server(_))
    }

    /// Whether the receive buffer is small.
    #[must_use]
    pub const fn is_narrow(&self) -> bool {
        self.is_narrow
    }

    /// Whether it has closed its half.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Reads at most so many bytes into the input, and returns how many came. None is the end.
    ///
    /// # Errors
    /// Fails when the connection has broken.
    pub fn poll_read(&mut self, context: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        let End::Server(stream) = &mut self.end else { return Poll::Pending };
        let read = client::poll_read(stream, &mut self.input, context, most);
        self.has_ended |= matches!(read, Poll::Ready(Ok(0) | Err(_)));
        read
    }

    /// Closes the client's half.
    ///
    /// # Errors
    /// Fails when the connection has broken, and where there is no server to tell.
    pub fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.end {
            End::Server(stream) => Pin::new(stream).poll_shutdown(context),
            End::Middlebox(_) => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Writes some bytes and returns how many.
    ///
    /// # Errors
    /// Fails when the connection has broken.
    pub fn poll_write(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match &mut self.end {
            End::Server(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            End::Middlebox(answer) => {
                self.input.extend(answer.take().unwrap_or_default());
                Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
            }
        }
    }
}
