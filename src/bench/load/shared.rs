//! What subscribers and publisher have in common while a crowd works.

use std::io;

use mio::{Poll, Registry};

use super::{account::Books, clock::Clock, flights::Flights, payload::Payload, tally::Tally};

/// Large enough for all that a socket is likely to hold, small enough to stay in the processor's cache.
const BUFFER: usize = 64 << 10;

/// What all parts of a crowd work with.
#[derive(Debug)]
pub struct Shared {
    /// The one clock.
    pub clock: Clock,
    /// Where sockets are registered.
    pub registry: Registry,
    /// What messages look like.
    pub payload: Payload,
    /// What is counted.
    pub tally: Tally,
    /// Who has which message.
    pub flights: Flights,
    /// The number of the first message of this phase.
    pub first: u64,
    /// The number of the next message.
    pub next: u64,
    /// When this phase began.
    pub start_ns: u64,
    /// When the clock was last looked at.
    pub now_ns: u64,
    /// What is read from a socket.
    pub buffer: Box<[u8]>,
    /// What is written to one.
    pub scratch: Vec<u8>,
}

impl Shared {
    pub fn new(poll: &Poll, payload: Payload) -> io::Result<Self> {
        Ok(Self {
            clock: Clock::start(),
            registry: poll.registry().try_clone()?,
            payload,
            tally: Tally::new(std::time::Duration::ZERO),
            flights: Flights::default(),
            first: 0,
            next: 0,
            start_ns: 0,
            now_ns: 0,
            buffer: vec![0; BUFFER].into(),
            scratch: Vec::new(),
        })
    }

    /// Looks at the clock.
    pub fn look_at_clock(&mut self) -> u64 {
        self.now_ns = self.clock.now_ns();
        self.now_ns
    }

    /// The books, and beside them the bytes to be booked and room for replies.
    pub fn books(&mut self) -> (Books<'_>, &[u8], &mut Vec<u8>) {
        let Self { payload, tally, flights, first, next, start_ns, now_ns, buffer, scratch, .. } = self;
        let books = Books { payload, tally, flights, first: *first, next: *next, start_ns: *start_ns, now_ns: *now_ns };
        (books, buffer, scratch)
    }
}
