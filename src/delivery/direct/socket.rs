//! A TCP stream that the framework drives until it is taken away from it.
//!
//! This relies on how actix-http's dispatcher goes about its work, which `tests/it/direct.rs` therefore watches: in each
//! turn it reads, lets the handler or the body go on, writes everything that it has, and flushes. So at a flush nothing is
//! left between the body and the socket. A stream that has been taken looks like one whose peer has closed, and the
//! dispatcher lets go of everything.

use std::{
    any::Any,
    cell::RefCell,
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
    request: RefCell<Request>,
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

/// What the framework has read since it last wrote: the head of a request, as far as it is one.
#[derive(Debug, Default)]
struct Request {
    bytes: Vec<u8>,
    is_too_long: bool,
}

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// Longer heads are not looked at. Browsers send half a kilobyte, and cookies at worst eight.
const MAX_HEAD: usize = 8 * 1024;

impl Request {
    fn read(&mut self, bytes: &[u8]) {
        self.is_too_long |= self.bytes.len() + bytes.len() > MAX_HEAD;
        if !self.is_too_long {
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.is_too_long = false;
    }

    /// Whether this is one head, and nothing behind it that would be lost.
    fn is_exactly_one_head(&self) -> bool {
        let first_end = self.bytes.windows(END_OF_HEAD.len()).position(|bytes| bytes == END_OF_HEAD);
        !self.is_too_long && first_end.is_some_and(|end| end + END_OF_HEAD.len() == self.bytes.len())
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
            request: RefCell::default(),
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
            && self.0.request.borrow().is_exactly_one_head();
        if may_leave {
            self.0.state.replace(State::Leaving);
        }
        may_leave
    }
    // ANCHOR_END: reserve

    /// The head of the request whose answer lets the socket leave, as it came.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        self.0.request.borrow().bytes.clone()
    }

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
        self.0.request.borrow_mut().read(bytes);
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
        exit.0.request.borrow_mut().clear();
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
        f.debug_struct("Exit").finish_non_exhaustive()
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
            (&[b'x'; MAX_HEAD + 1], false),
        ];
        for (bytes, may_leave) in cases {
            for step in [1, 2, 3, 7, MAX_HEAD] {
                let mut request = Request::default();
                bytes.chunks(step).for_each(|piece| request.read(piece));
                assert_eq!(request.is_exactly_one_head(), may_leave, "{} in pieces of {step}", bytes.escape_ascii());
            }
        }
    }
}
