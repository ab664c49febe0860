//! A TCP stream that the framework drives until it is taken away from it.
//!
//! This relies on how actix-http's dispatcher goes about its work, which `tests/it/direct.rs` therefore watches: in each
//! turn it reads, lets the handler or the body go on, writes everything that it has, and flushes. So at a flush nothing is
//! left between the body and the socket. A stream that has been taken looks like one whose peer has closed, and the
//! dispatcher lets go of everything.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    fmt, io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Occupant, Stage};

/// Brings a socket back to the framework that it came from.
pub type Homecoming = Rc<dyn Fn(Socket)>;

/// A TCP stream in the hands of the framework.
pub struct Socket {
    stream: Option<TcpStream>,
    /// What was read before the socket came back, and is for the framework to read first.
    read_before: Vec<u8>,
    exit: Exit,
}

/// The way out of the framework for one socket; a cheap clone of one handle.
#[derive(Clone)]
pub struct Exit(Rc<Way>);

struct Way {
    stage: Option<Rc<Stage>>,
    home: Homecoming,
    /// What belongs to the connection, wherever it is: who it is, and its place in the count.
    luggage: RefCell<Option<Rc<dyn Any>>>,
    state: RefCell<State>,
    request: Cell<Heads>,
}

/// How far a socket is on its way out.
enum State {
    Inside,
    /// Nothing more is read for the framework: what comes now is for the occupant.
    Leaving,
    /// The occupant is there. The socket goes to it with the next flush.
    Ready(Box<dyn Occupant>),
    Outside,
}

/// What the framework has read since it last wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Heads {
    /// How many request heads have ended.
    ended: usize,
    /// How many bytes of the end of a head, `\r\n\r\n`, came last.
    matched: usize,
}

const END_OF_HEAD: &[u8; 4] = b"\r\n\r\n";

impl Heads {
    fn read(mut self, bytes: &[u8]) -> Self {
        for &byte in bytes {
            if self.matched == END_OF_HEAD.len() {
                self.matched = 0;
            }
            // The end begins with CR, so a CR out of place may begin it anew.
            self.matched = match byte {
                expected if expected == END_OF_HEAD[self.matched] => self.matched + 1,
                b'\r' => 1,
                _ => 0,
            };
            self.ended += usize::from(self.matched == END_OF_HEAD.len());
        }
        self
    }

    /// Whether what was read is one head, and nothing behind it that would be lost.
    fn is_exactly_one(self) -> bool {
        self.ended == 1 && self.matched == END_OF_HEAD.len()
    }
}

impl Socket {
    /// Wraps a stream. With a stage it can leave the framework, and by `home` it comes back.
    #[must_use]
    pub fn new(stream: TcpStream, stage: Option<Rc<Stage>>, home: Homecoming) -> Self {
        Self::carrying(stream, Vec::new(), stage, home, None)
    }

    /// Wraps a stream that comes back.
    pub(super) fn carrying(
        stream: TcpStream,
        read_before: Vec<u8>,
        stage: Option<Rc<Stage>>,
        home: Homecoming,
        luggage: Option<Rc<dyn Any>>,
    ) -> Self {
        let way = Way {
            stage,
            home,
            luggage: RefCell::new(luggage),
            state: RefCell::new(State::Inside),
            request: Cell::default(),
        };
        Self { stream: Some(stream), read_before, exit: Exit(Rc::new(way)) }
    }

    /// The stream, unless it has been taken.
    #[must_use]
    pub const fn stream(&self) -> Option<&TcpStream> {
        self.stream.as_ref()
    }

    /// The way out.
    #[must_use]
    pub const fn exit(&self) -> &Exit {
        &self.exit
    }

    /// Lets the stream go to its occupant if there is one.
    fn leave(&mut self, context: &Context<'_>) {
        let way = &self.exit.0;
        if !matches!(*way.state.borrow(), State::Ready(_)) {
            return;
        }
        let (State::Ready(occupant), Some(stream), Some(stage)) =
            (way.state.replace(State::Outside), self.stream.take(), &way.stage)
        else {
            return;
        };
        // If it cannot be taken out of the runtime, it is closed, and the client comes back.
        if let Ok(stream) = stream.into_std() {
            stage.take_in(stream, occupant, Rc::clone(&way.home), way.luggage.take());
        }
        // The dispatcher is to see the end of the stream, and go.
        context.waker().wake_by_ref();
    }
}

impl Exit {
    // ANCHOR: reserve
    /// Announces that the socket is going to leave. From then on the framework reads nothing more of it.
    ///
    /// It may not if the framework has read beyond the head of the request, or if this server has no stage.
    #[must_use]
    pub fn reserve(&self) -> bool {
        let may_leave = self.0.stage.is_some()
            && matches!(*self.0.state.borrow(), State::Inside)
            && self.0.request.get().is_exactly_one();
        if may_leave {
            self.0.state.replace(State::Leaving);
        }
        may_leave
    }
    // ANCHOR_END: reserve

    /// Takes the announcement back: the socket stays, and the framework reads its next request.
    pub fn stay(&self) {
        self.0.state.replace(State::Inside);
    }

    /// Lets the socket leave, with the next flush. What is written before goes out before.
    pub fn leave_to(&self, occupant: Box<dyn Occupant>) {
        self.0.state.replace(State::Ready(occupant));
    }

    /// What belongs to the connection.
    #[must_use]
    pub fn luggage<T: 'static>(&self) -> Option<Rc<T>> {
        self.0.luggage.borrow().clone()?.downcast().ok()
    }

    /// Gives the connection something to carry along, out and back.
    pub fn carry(&self, luggage: Rc<dyn Any>) {
        self.0.luggage.replace(Some(luggage));
    }

    fn is_inside(&self) -> bool {
        matches!(*self.0.state.borrow(), State::Inside)
    }

    fn has_read(&self, bytes: &[u8]) {
        self.0.request.set(self.0.request.get().read(bytes));
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, read_before, exit } = &mut *self;
        // Taken: this is how the end of a stream looks.
        let Some(stream) = stream else { return Poll::Ready(Ok(())) };
        if !exit.is_inside() {
            return Poll::Pending;
        }
        if !read_before.is_empty() {
            let taken = read_before.len().min(buffer.remaining());
            exit.has_read(&read_before[..taken]);
            buffer.put_slice(&read_before[..taken]);
            read_before.drain(..taken);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let result = Pin::new(stream).poll_read(context, buffer);
        exit.has_read(&buffer.filled()[before..]);
        result
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { stream, exit, .. } = &mut *self;
        let Some(stream) = stream else { return Poll::Ready(Ok(bytes.len())) };
        // An answer begins. What is read from here on belongs to the next request.
        exit.0.request.set(Heads::default());
        Pin::new(stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.leave(context);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Some(stream) => Pin::new(stream).poll_shutdown(context),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl fmt::Debug for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exit").field("request", &self.0.request.get()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exactly_one_head_lets_a_socket_leave_however_it_arrives() {
        let cases: [(&[u8], bool); 8] = [
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
            (b"GET / HTTP/1.1\r\n\r\r\n\r\n", true),
            (b"", false),
            (b"GET / HTTP/1.1\r\n", false),
            (b"GET / HTTP/1.1\r\n\r\nx", false),
            (b"GET / HTTP/1.1\r\n\r\n\r\n", false),
            (b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", false),
            (b"GET / HTTP/1.1\r\n\r\n\r\n\r\n", false),
        ];
        for (bytes, may_leave) in cases {
            for step in 1..=bytes.len().max(1) {
                let heads = bytes.chunks(step).fold(Heads::default(), |heads, piece| heads.read(piece));
                assert_eq!(
                    heads.is_exactly_one(),
                    may_leave,
                    "{:?} in pieces of {step}",
                    bytes.escape_ascii().to_string()
                );
            }
        }
    }
}
