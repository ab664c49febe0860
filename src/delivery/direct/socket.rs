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
    intake: RefCell<Intake>,
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

// ANCHOR: intake
/// What the framework has read, request by request. It reads ahead, and what it has read is lost when the socket leaves. So
/// a socket may leave only if everything that was read belongs to the request that is being answered.
#[derive(Debug, Default)]
struct Intake {
    /// What was read and belongs to no request that has begun, as far as it may be a head.
    ahead: Vec<u8>,
    /// How much more there is of it.
    beyond: u64,
    /// The head of the request that began last.
    head: Vec<u8>,
    /// How much of its body is still to come.
    body: u64,
    /// The count is lost for good: a head was too long, or a body did not say its length.
    is_lost: bool,
}
// ANCHOR_END: intake

/// Longer heads are not looked at. Browsers send half a kilobyte, and cookies at worst eight.
const MAX_HEAD: usize = 8 * 1024;

impl Intake {
    fn read(&mut self, bytes: &[u8]) {
        if self.is_lost {
            return;
        }
        let of_body = usize::try_from(self.body).unwrap_or(usize::MAX).min(bytes.len());
        self.body -= of_body as u64;
        let ahead = &bytes[of_body..];
        let kept = ahead.len().min(MAX_HEAD - self.ahead.len());
        self.ahead.extend_from_slice(&ahead[..kept]);
        self.beyond += (ahead.len() - kept) as u64;
    }

    /// A request begins: its head is taken out of what was read, and as much as has come of its body.
    fn begin(&mut self, body: Option<u64>) {
        let (Some(end), Some(body)) = (end_of_head(&self.ahead), body) else { return self.lose() };
        let mut behind = self.ahead.split_off(end);
        self.head = std::mem::take(&mut self.ahead);
        let arrived = behind.len() as u64 + self.beyond;
        if body >= arrived {
            (self.body, self.beyond) = (body - arrived, 0);
        } else if self.beyond == 0 {
            behind.drain(..usize::try_from(body).unwrap_or(behind.len()));
            self.ahead = behind;
        } else {
            self.lose();
        }
    }

    fn lose(&mut self) {
        *self = Self { is_lost: true, ..Self::default() };
    }

    /// Whether nothing would be lost if the socket left now.
    fn is_all_begun(&self) -> bool {
        !self.is_lost && !self.head.is_empty() && self.ahead.is_empty() && self.body == 0
    }
}

/// Where the first head ends. The framework takes bare line feeds for line ends as well.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let lines = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(end, _)| end + 1);
    lines.into_iter().find_map(|line| match bytes[line..] {
        [b'\n', ..] => Some(line + 1),
        [b'\r', b'\n', ..] => Some(line + 2),
        _ => None,
    })
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
            intake: RefCell::default(),
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
            && self.0.intake.borrow().is_all_begun();
        if may_leave {
            self.0.state.replace(State::Leaving);
        }
        may_leave
    }
    // ANCHOR_END: reserve

    /// The head of the request whose answer lets the socket leave, as it came.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        self.0.intake.borrow().head.clone()
    }

    /// Notes that the next of the requests that were read is being answered. `body` is the length of its body, if it says
    /// one; what comes in chunks does not.
    ///
    /// Whoever does not call this for every request, in their order, keeps the socket inside.
    pub fn begin(&self, body: Option<u64>) {
        self.0.intake.borrow_mut().begin(body);
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
        if self.0.stage.is_some() {
            self.0.intake.borrow_mut().read(bytes);
        }
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
        match &mut self.stream {
            Some(stream) => Pin::new(stream).poll_write(context, bytes),
            None => Poll::Ready(Ok(bytes.len())),
        }
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

    /// What is read in pieces of any size, and then begins; whether the socket may leave then, and how much is ahead.
    #[track_caller]
    fn check(bytes: &[u8], bodies: &[Option<u64>], may_leave: bool) {
        for step in [1, 2, 3, 7, 50_000] {
            let mut intake = Intake::default();
            bytes.chunks(step).for_each(|piece| intake.read(piece));
            for body in bodies {
                intake.begin(*body);
            }
            assert_eq!(intake.is_all_begun(), may_leave, "{} in pieces of {step}", bytes.escape_ascii());
        }
    }

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn a_socket_may_leave_when_all_that_was_read_has_begun() {
        check(b"", &[], false);
        check(GET, &[], false);
        check(GET, &[Some(0)], true);
        check(b"GET / HTTP/1.1\nHost: a\n\n", &[Some(0)], true);
        check(b"GET / HTTP/1.1\n\n", &[Some(0)], true);
        check(&[GET, b"x"].concat(), &[Some(0)], false);
        check(&[GET, GET].concat(), &[Some(0)], false);
        check(&[b"GET / HTTP/1.1\nHost: a\n\n", GET].concat(), &[Some(0)], false);
        check(&[GET, GET].concat(), &[Some(0), Some(0)], true);
        check(&[GET, b"body"].concat(), &[Some(3)], false);
        check(&[GET, b"body"].concat(), &[Some(4)], true);
        check(&[GET, b"body"].concat(), &[Some(5)], false);
        check(&[GET, b"body", GET].concat(), &[Some(4), Some(0)], true);
    }

    #[test]
    fn a_count_that_is_lost_keeps_the_socket_inside_for_good() {
        check(&[b'x'; MAX_HEAD + 1], &[Some(0)], false);
        check(&[GET, b"4\r\nbody\r\n0\r\n\r\n"].concat(), &[None], false);
        let mut intake = Intake::default();
        intake.read(GET);
        intake.begin(None);
        intake.read(GET);
        intake.begin(Some(0));
        assert!(!intake.is_all_begun());
    }

    #[test]
    fn a_large_body_is_counted_and_not_kept() {
        let large = vec![b'x'; 10 * MAX_HEAD];
        check(&[GET, &large].concat(), &[Some(large.len() as u64)], true);
        check(&[GET, &large, GET].concat(), &[Some(large.len() as u64)], false);
        let mut intake = Intake::default();
        intake.read(&[GET, &large].concat());
        assert_eq!(intake.ahead.len(), MAX_HEAD);
        intake.begin(Some(2 * large.len() as u64));
        assert_eq!((intake.ahead.len(), intake.body), (0, large.len() as u64));
        intake.read(&large);
        assert!(intake.is_all_begun());
    }
}
