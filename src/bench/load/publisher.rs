//! Publishing without waiting: over a pool of connections with one request in flight on each, or over one connection.

use std::io;

use mio::{Registry, Token, event::Event};

use super::{
    connection::{Connection, Read},
    decode::{CursorIn, Decoder, Fault, Form, Heard},
    error::LoadError,
    payload::{Payload, Stamp},
    request::{MASK, Publishing, Way},
    shared::Shared,
    tally::{Tally, Traffic},
};
use crate::wire::websocket::{Opcode, masked_frame};

/// So many connections are opened in advance, and so many more whenever none is free.
const POOL_STEP: usize = 16;

/// More connections than these would only be another queue.
const LARGEST_POOL: usize = 1024;

/// Publishes for a crowd.
#[derive(Debug)]
pub struct Publisher {
    publishing: Publishing,
    /// The token of the first connection; those of the others follow.
    first_token: usize,
    lines: Vec<Line>,
    /// Which connections can take a message.
    free: Vec<usize>,
    /// How many connections are being opened.
    opening: usize,
    message: Vec<u8>,
    request: Vec<u8>,
    /// The numbers of messages that were answered since somebody asked.
    answered: Vec<u64>,
}

/// A connection on which messages are published.
#[derive(Debug)]
struct Line {
    connection: Option<Connection>,
    decoder: Decoder,
    state: State,
    /// The number of the message whose answer is awaited.
    sequence: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Opening,
    Free,
    /// An answer is awaited.
    Busy,
}

impl Publisher {
    /// A publisher whose connections bear the tokens from `first_token` on.
    pub fn new(publishing: Publishing, first_token: usize) -> Self {
        Self {
            publishing,
            first_token,
            lines: Vec::new(),
            free: Vec::new(),
            opening: 0,
            message: Vec::new(),
            request: Vec::new(),
            answered: Vec::new(),
        }
    }

    /// A fault with the address at which it happened.
    pub fn fault(&self, source: io::Error) -> LoadError {
        LoadError::Publish { address: self.publishing.address, source }
    }

    /// Opens the connections that are needed from the beginning.
    pub fn open(&mut self, registry: &Registry, traffic: &mut Traffic) -> io::Result<()> {
        let count = match self.publishing.way {
            Way::Post(_) => POOL_STEP,
            Way::Connection { .. } => 1,
            Way::Nobody => 0,
        };
        self.grow(count, registry, traffic)
    }

    fn grow(&mut self, by: usize, registry: &Registry, traffic: &mut Traffic) -> io::Result<()> {
        for _ in 0..by.min(LARGEST_POOL - self.lines.len()) {
            let form = match &self.publishing.way {
                Way::Post(_) => Form::Receipts,
                Way::Connection { .. } | Way::Nobody => Form::WebSocket,
            };
            let decoder = Decoder::new(form, CursorIn::Nothing);
            self.lines.push(Line { connection: None, decoder, state: State::Opening, sequence: 0 });
            self.connect(self.lines.len() - 1, registry, traffic)?;
        }
        Ok(())
    }

    fn connect(&mut self, number: usize, registry: &Registry, traffic: &mut Traffic) -> io::Result<()> {
        let mut connection = Connection::open(self.publishing.address, registry, Token(self.first_token + number))?;
        if let Way::Connection { opening, .. } = &self.publishing.way {
            connection.write(opening, traffic)?;
            traffic.request_bytes += opening.len() as u64;
        }
        let line = &mut self.lines[number];
        line.decoder.reset();
        line.connection = Some(connection);
        line.state = State::Opening;
        self.opening += 1;
        Ok(())
    }

    /// Whether a message could be published now.
    pub fn is_ready(&self) -> bool {
        !self.free.is_empty()
    }

    /// Whether everything that was published is answered, or on its way where there are no answers.
    pub fn is_settled(&self) -> bool {
        self.opening == 0 && self.free.len() == self.lines.len()
    }

    /// Whether the server says that it has a message.
    pub const fn is_answered(&self) -> bool {
        matches!(self.publishing.way, Way::Post(_))
    }

    /// Publishes a message, unless there is no connection free for it. Then more are opened. Over one connection it is
    /// sent by [`flush`](Self::flush), with others that are due.
    pub fn publish(
        &mut self,
        stamp: Stamp,
        payload: &Payload,
        registry: &Registry,
        tally: &mut Tally,
    ) -> io::Result<bool> {
        let Some(number) = self.free.pop() else {
            if self.opening == 0 && matches!(self.publishing.way, Way::Post(_)) {
                self.grow(POOL_STEP, registry, &mut tally.publishers)?;
            }
            return Ok(false);
        };
        let Line { connection: Some(connection), state, sequence, .. } = &mut self.lines[number] else {
            return Ok(false);
        };
        self.message.clear();
        payload.write(stamp, &mut self.message);
        let traffic = &mut tally.publishers;
        let written = match &self.publishing.way {
            Way::Post(pattern) => {
                self.request.clear();
                pattern.write(&self.message, &mut self.request);
                traffic.requests += 1;
                traffic.request_bytes += self.request.len() as u64;
                (*state, *sequence) = (State::Busy, stamp.sequence);
                connection.write(&self.request, traffic)
            }
            Way::Connection { frame, .. } => {
                frame.write(&self.message, &mut self.request);
                self.free.push(number);
                Ok(())
            }
            // It has no connections, so none was free.
            Way::Nobody => Ok(()),
        };
        if let Err(error) = written {
            self.lose(number, &error.to_string(), registry, tally)?;
        }
        Ok(true)
    }

    /// Sends what was published over one connection, all of it in one write if there is room.
    pub fn flush(&mut self, registry: &Registry, tally: &mut Tally) -> io::Result<()> {
        let Way::Connection { .. } = &self.publishing.way else { return Ok(()) };
        let Some(Line { connection: Some(connection), state, .. }) = self.lines.first_mut() else { return Ok(()) };
        if self.request.is_empty() {
            return Ok(());
        }
        let traffic = &mut tally.publishers;
        traffic.frame_bytes += self.request.len() as u64;
        let written = connection.write(&self.request, traffic);
        self.request.clear();
        if !connection.is_flushed() {
            *state = State::Busy;
            self.free.clear();
        }
        written.or_else(|error| self.lose(0, &error.to_string(), registry, tally))
    }

    /// The number of the connection with this token, if it is one of these.
    pub fn number_of(&self, token: Token) -> Option<usize> {
        token.0.checked_sub(self.first_token).filter(|&number| number < self.lines.len())
    }

    /// Does what can be done now that a connection is ready.
    pub fn ready(&mut self, number: usize, event: &Event, shared: &mut Shared) -> io::Result<()> {
        let Shared { buffer, tally, .. } = shared;
        let outcome = self.attend(number, event, buffer, tally);
        let now_ns = shared.clock.now_ns();
        self.answered.drain(..).for_each(|sequence| shared.flights.accept(sequence, now_ns));
        let Shared { registry, tally, .. } = shared;
        match outcome {
            Ok(true) => Ok(()),
            Ok(false) => self.connect_again(number, registry, tally),
            Err(words) => self.lose(number, &words, registry, tally),
        }
    }

    /// Returns whether the connection goes on.
    fn attend(&mut self, number: usize, event: &Event, buffer: &mut [u8], tally: &mut Tally) -> Result<bool, String> {
        let line = &mut self.lines[number];
        let Some(connection) = &mut line.connection else { return Ok(true) };
        let traffic = &mut tally.publishers;
        if !connection.attend(event, traffic).map_err(|error| error.to_string())? {
            return Ok(true);
        }
        let waits_for_upgrade = matches!(self.publishing.way, Way::Connection { is_websocket: true, .. });
        let becomes_free = match line.state {
            State::Opening => !waits_for_upgrade,
            State::Busy => matches!(self.publishing.way, Way::Connection { .. }) && connection.is_flushed(),
            State::Free => false,
        };
        if becomes_free {
            self.set_free(number);
        }
        if event.is_readable() || event.is_read_closed() { self.read(number, buffer, tally) } else { Ok(true) }
    }

    fn read(&mut self, number: usize, buffer: &mut [u8], tally: &mut Tally) -> Result<bool, String> {
        loop {
            let line = &mut self.lines[number];
            let Some(connection) = &mut line.connection else { return Ok(true) };
            let traffic = &mut tally.publishers;
            let (length, is_last) = match connection.read(buffer, traffic).map_err(|error| error.to_string())? {
                Read::Some(length) => (length, false),
                Read::Last(length) => (length, true),
                Read::Nothing => return Ok(true),
                Read::End if line.state == State::Busy => return Err("the server closed the connection".to_owned()),
                Read::End => return Ok(false),
            };
            let mut news = News::default();
            let outcome = line.decoder.feed(&buffer[..length], &mut |heard| news.hear(&heard, traffic));
            if !news.pongs.is_empty() {
                traffic.frame_bytes += news.pongs.len() as u64;
                connection.write(&news.pongs, traffic).map_err(|error| error.to_string())?;
            }
            if news.is_answered {
                self.answered.push(line.sequence);
            }
            if news.is_upgraded || (news.is_answered && !news.closes) {
                self.set_free(number);
            }
            match outcome {
                Err(fault @ Fault::Refused { .. }) => return Err(format!("a publication was refused: {fault}")),
                Err(fault) => return Err(fault.to_string()),
                Ok(()) if news.closes => return Ok(false),
                Ok(()) if is_last => return Ok(true),
                Ok(()) => {}
            }
        }
    }

    fn set_free(&mut self, number: usize) {
        let state = std::mem::replace(&mut self.lines[number].state, State::Free);
        self.opening -= usize::from(state == State::Opening);
        if state != State::Free {
            self.free.push(number);
        }
    }

    /// A connection broke. What was on its way over it may or may not have arrived, so it is not sent again.
    fn lose(&mut self, number: usize, words: &str, registry: &Registry, tally: &mut Tally) -> io::Result<()> {
        if self.lines[number].state == State::Opening {
            return Err(io::Error::other(words.to_owned()));
        }
        tally.refused += u64::from(self.lines[number].state == State::Busy);
        tally.fault(|| words.to_owned());
        self.connect_again(number, registry, tally)
    }

    fn connect_again(&mut self, number: usize, registry: &Registry, tally: &mut Tally) -> io::Result<()> {
        self.free.retain(|&free| free != number);
        if let Some(connection) = self.lines[number].connection.take() {
            connection.close(registry);
        }
        self.connect(number, registry, &mut tally.publishers)
    }
}

/// What a read has brought.
#[derive(Default)]
struct News {
    is_upgraded: bool,
    is_answered: bool,
    closes: bool,
    /// Answers to pings, framed.
    pongs: Vec<u8>,
}

impl News {
    fn hear(&mut self, heard: &Heard<'_>, traffic: &mut Traffic) {
        match heard {
            Heard::Head(length) => traffic.head_bytes += *length as u64,
            Heard::Accepted => self.is_upgraded = true,
            Heard::Answered { closes } => {
                self.is_answered = true;
                self.closes |= closes;
            }
            Heard::Ping(payload) => masked_frame(Opcode::Pong, MASK, payload, &mut self.pongs),
            Heard::Text(_) | Heard::Cursor(_) | Heard::Retry(_) => {}
        }
    }
}
