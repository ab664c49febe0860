//! A connection: TCP, a buffer of what has come, and a record of both directions in the trace.

use std::{io, net::SocketAddr, time::Duration};

use bytes::{Bytes, BytesMut};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout_at},
};

use crate::check::{
    subject::Subject,
    trace::{LineNumber, Trace, Who},
    verdict::Fault,
};

/// One read takes so much at most.
const READ: usize = 64 << 10;

/// Nothing that a server sends in one piece is larger.
const LARGEST_BUFFER: usize = 80 << 20;

/// Why nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The server has closed its side.
    End,
    /// The connection was reset, or broke.
    Reset,
    /// Nothing came in time.
    Late,
}

impl Stop {
    /// What has happened, for the middle of a sentence: `the server …`.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::End => "the server closed the connection",
            Self::Reset => "the server reset the connection",
            Self::Late => "nothing more came",
        }
    }
}

/// A connection to the server under test.
#[derive(Debug)]
pub struct Line {
    stream: TcpStream,
    number: LineNumber,
    trace: Trace,
    buffer: BytesMut,
    stopped: Option<Stop>,
    patience: Duration,
}

impl Line {
    /// Connects.
    ///
    /// # Errors
    /// The server takes no connection.
    pub async fn open(subject: &Subject, trace: &Trace) -> Result<Self, Fault> {
        let number = trace.new_line();
        let patience = subject.patience();
        let connecting = timeout_at(Instant::now() + patience, connect(subject.origin.address)).await;
        let stream = connecting.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|error| {
            trace.note(number, format!("no connection: {error}"));
            Fault::violated(format!("{} takes no connection: {error}", subject.origin), [number])
        })?;
        let (trace, buffer) = (trace.clone(), BytesMut::new());
        Ok(Self { stream, number, trace, buffer, stopped: None, patience })
    }

    /// Its number in the trace.
    #[must_use]
    pub const fn number(&self) -> LineNumber {
        self.number
    }

    /// The trace that it writes into.
    #[must_use]
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The socket, for options.
    #[must_use]
    pub fn socket(&self) -> SockRef<'_> {
        SockRef::from(&self.stream)
    }

    /// Sends all of this.
    ///
    /// # Errors
    /// The server has ended the connection, or does not take it.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.trace.record(self.number, Who::Client, bytes);
        match timeout_at(Instant::now() + self.patience, self.stream.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            // What the server has said before can still be read.
            Ok(Err(_)) => Err(Stop::Reset),
            Err(_) => Err(Stop::Late),
        }
    }

    /// Waits until more has come than [`Line::peek`] shows.
    ///
    /// # Errors
    /// Nothing more comes, or not in time.
    pub async fn fill(&mut self, until: Instant) -> Result<(), Stop> {
        if let Some(stopped) = self.stopped {
            return Err(stopped);
        }
        if self.buffer.len() > LARGEST_BUFFER {
            self.trace.note(self.number, "what has come is larger than anything that makes sense here");
            return self.stop(Stop::Reset);
        }
        let before = self.buffer.len();
        self.buffer.reserve(READ);
        match timeout_at(until, self.stream.read_buf(&mut self.buffer)).await {
            Err(_) => Err(Stop::Late),
            Ok(Ok(0)) => self.stop(Stop::End),
            Ok(Err(_)) => self.stop(Stop::Reset),
            Ok(Ok(_)) => {
                self.trace.record(self.number, Who::Server, &self.buffer[before..]);
                Ok(())
            }
        }
    }

    fn stop(&mut self, stop: Stop) -> Result<(), Stop> {
        self.trace.note(self.number, stop.says());
        self.stopped = Some(stop);
        Err(stop)
    }

    /// Reads what has come already, without waiting, and forgets it: for a connection that is only written to.
    pub fn drain(&mut self) {
        let mut spare = [0; 4096];
        while matches!(self.stream.try_read(&mut spare), Ok(1..)) {}
    }

    /// Whether the server is known to have ended the connection. Does not wait.
    pub fn is_stopped(&mut self) -> bool {
        if self.stopped.is_none() && self.buffer.len() < READ {
            let before = self.buffer.len();
            self.buffer.reserve(READ);
            match self.stream.try_read_buf(&mut self.buffer) {
                Ok(0) => self.stopped = Some(Stop::End),
                Ok(_) => self.trace.record(self.number, Who::Server, &self.buffer[before..]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => self.stopped = Some(Stop::Reset),
            }
        }
        self.stopped.is_some()
    }

    /// What has come and was not taken yet.
    #[must_use]
    pub fn peek(&self) -> &[u8] {
        &self.buffer
    }

    /// Takes so many bytes from the front, or all if there are fewer.
    pub fn take(&mut self, count: usize) -> Bytes {
        self.buffer.split_to(count.min(self.buffer.len())).freeze()
    }

    /// Ends the own side (FIN). The server can still send.
    pub async fn finish(&mut self) {
        self.trace.note(self.number, "the client ends its side (FIN)");
        // If it is gone, it is ended.
        let _ = self.stream.shutdown().await;
    }

    /// Breaks the connection off (RST), as a peer does that vanishes.
    pub fn reset(self) {
        self.trace.note(self.number, "the client resets the connection (RST)");
        // Without the option, dropping the socket sends FIN, which also ends the connection.
        let _ = self.socket().set_linger(Some(Duration::ZERO));
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
