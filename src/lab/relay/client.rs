//! The client's end: every byte from a client and to a client passes through [`Client`], and so does every ending.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::lab::tap::{Recorder, Subject, items::How};

/// How many bytes are read at once at most, from a client or the server.
pub(super) const READ: usize = 8 * 1024;

/// How much of what a client sends ahead is kept for it: a request's head, and room for what comes with it.
const MAX_INPUT: usize = super::request::MAX_HEAD + READ;

/// How long a client gets to take the last bytes and to close its own half.
const FAREWELL: Duration = Duration::from_secs(1);

/// A client's connection, plain or with TLS.
pub trait Line: AsyncRead + AsyncWrite + Unpin + 'static {
    /// The socket below, for endings that only TCP knows.
    fn socket(&self) -> SockRef<'_>;

    /// Whether it is encrypted.
    const IS_ENCRYPTED: bool;
}

impl Line for TcpStream {
    const IS_ENCRYPTED: bool = false;

    fn socket(&self) -> SockRef<'_> {
        SockRef::from(self)
    }
}

impl Line for tokio_rustls::server::TlsStream<TcpStream> {
    const IS_ENCRYPTED: bool = true;

    fn socket(&self) -> SockRef<'_> {
        SockRef::from(self.get_ref().0)
    }
}

/// A client.
#[derive(Debug)]
pub struct Client<L> {
    line: L,
    /// What has come from it and was not used yet.
    pub input: BytesMut,
    has_ended: bool,
    /// Hears of everything, if anybody is to know.
    recorder: Option<Recorder>,
}

impl<L: Line> Client<L> {
    /// Returns a client that has not said anything yet.
    #[must_use]
    pub fn new(line: L, recorder: Option<Recorder>) -> Self {
        Self { line, input: BytesMut::new(), has_ended: false, recorder }
    }

    /// Begins an exchange to which the next bytes belong, as far as their number is known.
    pub fn begin(&mut self, subject: impl FnOnce() -> Subject, length: u64) {
        if let Some(recorder) = &mut self.recorder {
            recorder.begin(subject(), length);
        }
    }

    /// So many more bytes turn out to belong to the exchange that has begun last.
    pub fn claim(&mut self, length: usize) {
        if let Some(recorder) = &mut self.recorder {
            recorder.claim(length);
        }
    }

    /// Whatever comes from now on belongs to the exchange that has begun last.
    pub fn claim_the_rest(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.claim_the_rest();
        }
    }

    /// Whether it has closed its half.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// How many more bytes its input takes.
    #[must_use]
    pub fn room(&self) -> usize {
        if self.has_ended { 0 } else { MAX_INPUT.saturating_sub(self.input.len()) }
    }

    /// Reads at most so many bytes into the input, and returns how many came. None is the end.
    ///
    /// # Errors
    /// Fails when the connection has broken.
    pub fn poll_read(&mut self, context: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        let read = poll_read(&mut self.line, &mut self.input, context, most);
        if let (Some(recorder), Poll::Ready(Ok(count @ 1..))) = (&mut self.recorder, &read) {
            recorder.read(&self.input[self.input.len() - count..]);
        }
        self.has_ended |= matches!(read, Poll::Ready(Ok(0) | Err(_)));
        read
    }

    /// Writes some bytes and returns how many.
    ///
    /// # Errors
    /// Fails when the connection has broken.
    pub fn poll_write(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.line).poll_write_vectored(context, slices);
        if let (Some(recorder), Poll::Ready(Ok(count @ 1..))) = (&mut self.recorder, &written) {
            recorder.wrote(slices, *count);
        }
        written
    }

    /// Sees to it that what was written is on its way, and not waiting in a layer between.
    ///
    /// # Errors
    /// Fails when the connection has broken.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_flush(context)
    }

    /// Writes an answer of the lab's own.
    ///
    /// # Errors
    /// Fails when the connection has broken.
    pub async fn answer(&mut self, answer: &[u8]) -> io::Result<()> {
        let mut left = answer;
        while !left.is_empty() {
            let written = poll_fn(|context| self.poll_write(context, &[IoSlice::new(left)])).await?;
            left = &left[written..];
        }
        poll_fn(|context| self.poll_flush(context)).await
    }

    /// Ends the connection in order.
    ///
    /// It reads on until the client has ended its half, too, for a socket that is closed with something unread is reset,
    /// and what was sent last may be lost with it.
    pub async fn finish(mut self) {
        let how = if self.has_ended { How::Client } else { How::Fin };
        self.record_end(how);
        let farewell = async {
            self.line.shutdown().await?;
            while self.line.read_buf(&mut self.input).await? > 0 {
                self.input.clear();
            }
            io::Result::Ok(())
        };
        // Whoever does not take it goes without.
        let _ = timeout(FAREWELL, farewell).await;
    }

    /// Ends the connection by a reset.
    pub fn reset(mut self) {
        self.record_end(How::Reset);
        // With no time to linger, closing is a reset. Where the system does not know that, it is an end all the same.
        let _ = self.line.socket().set_linger(Some(Duration::ZERO));
    }

    /// Lets small writes go at once, or wait until what was sent before has arrived (RFC 896).
    pub fn set_nodelay(&self, nodelay: bool) {
        // A socket that cannot is one that has broken, which the next write will tell.
        let _ = self.line.socket().set_tcp_nodelay(nodelay);
    }

    fn record_end(&mut self, how: How) {
        if let Some(recorder) = &mut self.recorder {
            recorder.end(how);
        }
    }
}

/// Reads at most so many bytes.
pub(super) fn poll_read(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    context: &mut Context<'_>,
    most: usize,
) -> Poll<io::Result<usize>> {
    use bytes::BufMut as _;
    let most = most.min(READ);
    input.reserve(most);
    let mut room = input.limit(most);
    // The future keeps nothing between two calls, so a new one does as well as the one before.
    let read: Pin<&mut _> = pin!(stream.read_buf(&mut room));
    read.poll(context)
}
