//! The stage: the sockets of one worker that have left the framework, and the loop that serves them.
//!
//! All sockets are in one epoll instance, edge-triggered for both directions, so a connection costs two system calls in
//! its life beside its reads and writes. The instance itself is readable for the worker's runtime when anything happened.
//!
//! Two things call a seat up: news from the fan-out, and the system. Both only put its number into a queue. The loop
//! takes numbers in slices and lets the runtime do other things in between, so that whoever comes late in a large crowd
//! gets with one `send` what has been published meanwhile.

use std::{
    any::Any,
    cell::RefCell,
    collections::VecDeque,
    fmt,
    io::{self, ErrorKind, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    os::fd::{AsRawFd, RawFd},
    rc::{Rc, Weak},
    sync::Arc,
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use mio::{Interest, Token, event::Event};
use slab::Slab;
use tokio::{
    io::{Interest as Readiness, unix::AsyncFd},
    sync::Notify,
    time::Instant,
};

use crate::{
    delivery::{Clock, Whom},
    metrics::Metrics,
};

use super::{Homecoming, Occupant, Seat, Socket, Turn};

/// How many seats are served before the runtime gets its turn.
const SLICE: usize = 128;

/// For how many of them the worker's clock stands still: some tens of microseconds.
const SEATS_AT_ONE_TIME: usize = 16;

/// How many events are taken from the system at a time.
const EVENTS: usize = 1024;

/// How much is read at a time, and how often in one turn, before others get theirs.
const READ_SIZE: usize = 16 * 1024;
const READS: usize = 4;

/// How often is sent to one peer in one turn, before others get theirs. One that takes whatever comes, with a long history
/// before it, would have the worker for itself.
const SENDS: usize = 16;

/// How long a peer has to end its half after the server has ended its own. As long as the framework gives it.
const LINGER: Duration = Duration::from_millis(500);

/// The sockets of one worker.
pub struct Stage {
    poller: AsyncFd<Poller>,
    registry: mio::Registry,
    places: RefCell<Slab<Place>>,
    called: RefCell<Called>,
    call: Notify,
    /// Those whose half has ended, by the time until which they wait for the peer's.
    lingering: RefCell<VecDeque<(Instant, Seat)>>,
    scratch: RefCell<Box<[u8]>>,
    metrics: Arc<Metrics>,
    clock: Rc<Clock>,
    me: Weak<Self>,
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("poller", &self.poller).finish_non_exhaustive()
    }
}

/// The seats that are to be served, each of them once, however often it was called up.
#[derive(Debug, Default)]
struct Called {
    queue: VecDeque<Seat>,
    /// By number, whether a seat is in the queue.
    is_in: Vec<bool>,
}

impl Called {
    /// Returns whether the seat is the first, so that nobody knows yet that there are any.
    fn push(&mut self, seat: Seat) -> bool {
        if self.is_in.len() <= seat.number() {
            self.is_in.resize(seat.number() + 1, false);
        }
        let is_first = self.queue.is_empty();
        if !std::mem::replace(&mut self.is_in[seat.number()], true) {
            self.queue.push_back(seat);
        }
        is_first
    }

    fn pop(&mut self) -> Option<Seat> {
        let seat = self.queue.pop_front()?;
        self.is_in[seat.number()] = false;
        Some(seat)
    }
}

/// The system's list of sockets at which something happened.
#[derive(Debug)]
struct Poller {
    poll: RefCell<mio::Poll>,
    descriptor: RawFd,
}

impl AsRawFd for Poller {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor
    }
}

// ANCHOR: place
/// One connection.
struct Place {
    socket: mio::net::TcpStream,
    occupant: Box<dyn Occupant>,
    /// What the system has not taken yet.
    unsent: Bytes,
    /// The system has taken all it can hold, and says so when there is room.
    is_full: bool,
    incoming: Incoming,
    home: Homecoming,
    luggage: Option<Rc<dyn Any>>,
}
// ANCHOR_END: place

/// What the system has for a connection to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Incoming {
    /// Nothing; when something comes, there is an event.
    Nothing,
    /// Bytes, perhaps.
    Bytes,
    /// The end of the peer's half, and perhaps bytes before it. No further event will come.
    End,
}

/// What becomes of a connection after it was served.
enum Outcome {
    Stays,
    /// Stays, and could go on at once.
    Again,
    Lingers,
    Goes,
    GoesHome(Vec<u8>),
}

impl Stage {
    /// Builds the stage of this thread, and lets its loop run for as long as the stage lives.
    ///
    /// # Errors
    /// Fails if the system has no descriptors left.
    pub fn build(metrics: &Arc<Metrics>, clock: &Rc<Clock>) -> io::Result<Rc<Self>> {
        let poll = mio::Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let poller = Poller { descriptor: poll.as_raw_fd(), poll: RefCell::new(poll) };
        #[expect(
            deprecated,
            reason = "its successor is unsafe for types whose descriptor may change; a poller's does not"
        )]
        let poller = AsyncFd::with_interest(poller, Readiness::READABLE)?;
        let stage = Rc::new_cyclic(|me| Self {
            poller,
            registry,
            places: RefCell::default(),
            called: RefCell::default(),
            call: Notify::new(),
            lingering: RefCell::default(),
            scratch: RefCell::new(vec![0; READ_SIZE].into()),
            metrics: Arc::clone(metrics),
            clock: Rc::clone(clock),
            me: Weak::clone(me),
        });
        actix_rt::spawn(run(Rc::clone(&stage)));
        Ok(stage)
    }

    /// Puts a seat into the queue.
    pub(in crate::delivery) fn call_up(&self, seat: Seat) {
        if self.called.borrow_mut().push(seat) {
            self.call.notify_one();
        }
    }

    /// Takes a socket in, and lets its occupant begin.
    pub(super) fn take_in(
        &self,
        stream: TcpStream,
        occupant: Box<dyn Occupant>,
        home: Homecoming,
        luggage: Option<Rc<dyn Any>>,
    ) {
        let socket = mio::net::TcpStream::from_std(stream);
        let place = Place {
            socket,
            occupant,
            unsent: Bytes::new(),
            is_full: false,
            // Bytes that came before the socket was here raise an event as well.
            incoming: Incoming::Nothing,
            home,
            luggage,
        };
        let number = self.places.borrow_mut().insert(place);
        self.metrics.connection_left_framework();
        let registered = {
            let mut places = self.places.borrow_mut();
            let interest = Interest::READABLE | Interest::WRITABLE;
            places.get_mut(number).map(|place| self.registry.register(&mut place.socket, Token(number), interest))
        };
        match registered {
            Some(Ok(())) => self.call_up(Seat::of(number)),
            // Without events nobody would ever learn that the peer has gone. The client comes back.
            _ => self.let_go(Seat::of(number)),
        }
    }

    /// Notes what the system has to say, and calls up whom it concerns. Returns whether that was all.
    fn hear_events(&self, events: &mut mio::Events) -> bool {
        let polled = self.poller.get_ref().poll.borrow_mut().poll(events, Some(Duration::ZERO));
        if let Err(error) = polled {
            // Whatever else it was, it comes again with the next event.
            return error.kind() != ErrorKind::Interrupted;
        }
        let mut places = self.places.borrow_mut();
        let mut called = self.called.borrow_mut();
        let mut count = 0;
        for event in events.iter() {
            count += 1;
            let Some(place) = places.get_mut(event.token().0) else { continue };
            place.incoming = place.incoming.max(incoming(event));
            place.is_full &= !event.is_writable() && !event.is_error();
            called.push(Seat::of(event.token().0));
        }
        count < EVENTS
    }

    // ANCHOR: serve
    /// Serves the seats at the front of the queue. Returns whether there are more.
    fn serve_slice(&self) -> bool {
        for served in 0..SLICE {
            let Some(seat) = self.called.borrow_mut().pop() else { break };
            if served % SEATS_AT_ONE_TIME == 0 {
                self.clock.stop();
            }
            self.serve(seat);
        }
        self.clock.go_on();
        !self.called.borrow().queue.is_empty()
    }

    fn serve(&self, seat: Seat) {
        let outcome = match self.places.borrow_mut().get_mut(seat.number()) {
            Some(place) => place.act(seat, &mut self.scratch.borrow_mut()),
            None => Outcome::Stays,
        };
        match outcome {
            Outcome::Stays => {}
            Outcome::Again => self.call_up(seat),
            Outcome::Lingers => self.linger(seat),
            Outcome::Goes => self.let_go(seat),
            Outcome::GoesHome(read) => self.send_home(seat, read),
        }
    }
    // ANCHOR_END: serve

    /// Takes a connection off the stage. It is dropped when nothing is borrowed any more, for much hangs on it.
    fn remove(&self, seat: Seat) -> Option<Place> {
        let mut place = self.places.borrow_mut().try_remove(seat.number())?;
        self.metrics.connection_left_stage();
        // A socket that is closed is deregistered by that.
        let _ = self.registry.deregister(&mut place.socket);
        Some(place)
    }

    fn let_go(&self, seat: Seat) {
        drop(self.remove(seat));
    }

    /// Ends the server's half, and leaves the peer a moment to end its own. A socket that is closed while bytes of the
    /// peer's are unread is reset, and the goodbye may be lost with it.
    fn linger(&self, seat: Seat) {
        let end = Instant::now() + LINGER;
        let occupant = {
            let mut places = self.places.borrow_mut();
            let Some(place) = places.get_mut(seat.number()) else { return };
            // If the peer has hung up already, there is nobody to wait for, which the next read will show.
            let _ = place.socket.shutdown(Shutdown::Write);
            std::mem::replace(&mut place.occupant, Box::new(Lingering { end }))
        };
        // The subscription ends here.
        drop(occupant);
        self.lingering.borrow_mut().push_back((end, seat));
        self.call_up(seat);
    }

    /// When the first of those who linger has to go.
    fn next_end(&self) -> Option<Instant> {
        self.lingering.borrow().front().map(|(end, _)| *end)
    }

    /// Calls up those whose time is over. Whoever has the seat by then knows its own time.
    fn end_lingering(&self) {
        let now = Instant::now();
        while self.next_end().is_some_and(|end| end <= now) {
            if let Some((_, seat)) = self.lingering.borrow_mut().pop_front() {
                self.call_up(seat);
            }
        }
    }

    /// Gives a socket back to the framework, which reads first what was read here.
    fn send_home(&self, seat: Seat, read: Vec<u8>) {
        let Some(place) = self.remove(seat) else { return };
        let Place { socket, occupant, home, luggage, .. } = place;
        drop(occupant);
        if let Ok(stream) = actix_rt::net::TcpStream::from_std(TcpStream::from(socket)) {
            home(Socket::carrying(stream, read, self.me.upgrade(), Rc::clone(&home), luggage));
        }
    }
}

fn incoming(event: &Event) -> Incoming {
    if event.is_read_closed() || event.is_error() {
        Incoming::End
    } else if event.is_readable() {
        Incoming::Bytes
    } else {
        Incoming::Nothing
    }
}

impl Place {
    fn act(&mut self, seat: Seat, scratch: &mut [u8]) -> Outcome {
        if self.read(scratch).is_err() {
            return Outcome::Goes;
        }
        let outcome = self.speak(seat);
        let has_more_to_hear = self.incoming != Incoming::Nothing && self.occupant.is_listening();
        if matches!(outcome, Outcome::Stays) && has_more_to_hear { Outcome::Again } else { outcome }
    }

    /// Reads what there is, for a few reads at most. An error is the end, as is that of the stream: whoever has ended its
    /// half wants nothing more.
    fn read(&mut self, scratch: &mut [u8]) -> io::Result<()> {
        for _ in 0..READS {
            if self.incoming == Incoming::Nothing || !self.occupant.is_listening() {
                return Ok(());
            }
            match self.socket.read(scratch) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.occupant.hear(&scratch[..count]);
                    // Less than there was room for was all there is; of what comes later there is an event.
                    if count < scratch.len() && self.incoming == Incoming::Bytes {
                        self.incoming = Incoming::Nothing;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.incoming = Incoming::Nothing,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    // ANCHOR: speak
    /// Sends what the occupant has to say, until it has no more, the system takes no more, or it has been enough for now.
    fn speak(&mut self, seat: Seat) -> Outcome {
        for _ in 0..SENDS {
            if self.send().is_err() {
                return Outcome::Goes;
            }
            if !self.unsent.is_empty() {
                return Outcome::Stays;
            }
            match self.occupant.next(Whom::Seat(seat)) {
                Turn::Send(bytes) => self.unsent = bytes,
                Turn::Wait => return Outcome::Stays,
                Turn::End => return Outcome::Lingers,
                Turn::Drop => return Outcome::Goes,
                Turn::GiveBack(read) => return Outcome::GoesHome(read),
            }
        }
        Outcome::Again
    }

    fn send(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() && !self.is_full {
            match self.socket.write(&self.unsent) {
                Ok(count) => self.unsent.advance(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_full = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.unsent.is_empty() {
            // An empty handle of a slice would keep its whole segment.
            self.unsent = Bytes::new();
        }
        Ok(())
    }
    // ANCHOR_END: speak
}

/// Whoever has said goodbye and waits for the peer to hang up.
#[derive(Debug)]
struct Lingering {
    /// When it waits no longer.
    end: Instant,
}

impl Occupant for Lingering {
    fn next(&mut self, _: Whom<'_>) -> Turn {
        if Instant::now() < self.end { Turn::Wait } else { Turn::Drop }
    }

    fn hear(&mut self, _: &[u8]) {}
}

/// Lets everybody go when the worker's runtime ends. What hangs on a connection needs the runtime to be let go, and the
/// stage itself lives as long as the thread.
struct Curtain<'a>(&'a Stage);

impl Drop for Curtain<'_> {
    fn drop(&mut self) {
        drop(self.0.places.take());
    }
}

/// Serves the stage until its worker ends.
async fn run(stage: Rc<Stage>) {
    let _curtain = Curtain(&stage);
    let mut events = mio::Events::with_capacity(EVENTS);
    let mut has_more = false;
    loop {
        if has_more {
            actix_rt::task::yield_now().await;
        }
        tokio::select! {
            biased;
            readiness = stage.poller.readable() => {
                while !stage.hear_events(&mut events) {}
                // Only now may the runtime look again. What happens from here on raises a new edge.
                if let Ok(mut readiness) = readiness {
                    readiness.clear_ready();
                }
            }
            () = stage.call.notified(), if !has_more => {}
            () = until(stage.next_end()), if !has_more => {}
            () = std::future::ready(()), if has_more => {}
        }
        has_more = stage.serve_slice();
        stage.end_lingering();
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}
