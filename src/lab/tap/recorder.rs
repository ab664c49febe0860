//! The recorder: hears of every byte of one connection, and says to which exchange and which link it belongs.
//!
//! A request names its link in its head, and the head is there only when it has been read. So what a client sends waits
//! for its exchange, and what it sends ahead of its turn waits for the next one.

use std::{io::IoSlice, mem, net::SocketAddr, rc::Rc, sync::Arc};

use bytes::{Bytes, BytesMut};

use super::{
    items::{Close, Direction, How, Item, Piece},
    live::Live,
    store::{self, Tap, Tape},
    tapped::TappedLink,
};
use crate::{channel::now_us, lab::faults::ExchangeKind};

/// Records one connection. Dropping it says that the client has gone, unless something else was said before.
#[derive(Debug)]
pub struct Recorder {
    tap: Arc<Tap>,
    live: Rc<Live>,
    tape: Arc<Tape>,
    /// What the bytes belong to now.
    exchange: Option<Current>,
    /// What the client has sent for an exchange that has not begun.
    ahead: Vec<(u64, Bytes)>,
    /// How much of the connection's share is used up. All of it, once something was not kept.
    used: usize,
    /// The time of what was heard last. The system's clock may step back, what happens may not.
    clock: u64,
    has_ended: bool,
}

/// What an exchange is to the recorder.
#[derive(Clone, Debug)]
pub enum Subject {
    /// It is recorded, for its link if it has one.
    Recorded(ExchangeKind, Option<Arc<TappedLink>>),
    /// It is about the recording itself: recorded, it would be told over itself for ever.
    Recording,
}

/// The exchange that bytes belong to now.
#[derive(Debug)]
struct Current {
    /// `None` if nobody is to know.
    account: Option<Account>,
    /// How many bytes of the request are still to come; `None` if whatever comes belongs to it.
    left: Option<usize>,
}

/// Where the bytes of an exchange go.
#[derive(Clone, Debug)]
struct Account {
    number: u64,
    kind: ExchangeKind,
    link: Option<Arc<TappedLink>>,
    part: usize,
}

impl Recorder {
    /// Begins with a connection that was accepted at a time.
    #[must_use]
    pub fn open(tap: Arc<Tap>, live: Rc<Live>, at: u64, ends: (SocketAddr, SocketAddr), tls: bool) -> Self {
        let tape = tap.open(at, ends.0, ends.1, tls);
        let used = if tape.is_kept { 0 } else { store::CONNECTION_SHARE };
        Self { tap, live, tape, exchange: None, ahead: Vec::new(), used, clock: at, has_ended: false }
    }

    /// Begins an exchange whose request has so many bytes, or nobody knows how many.
    pub fn begin(&mut self, subject: Subject, length: Option<usize>) {
        let account = match subject {
            Subject::Recorded(kind, link) => self.account(kind, link),
            Subject::Recording => None,
        };
        self.exchange = Some(Current { account, left: length });
        self.take_what_came_ahead();
    }

    /// Whatever the client sends from now on belongs to this exchange, for no other follows.
    pub fn claim_the_rest(&mut self) {
        if let Some(exchange) = &mut self.exchange {
            exchange.left = None;
        }
        self.take_what_came_ahead();
    }

    /// Hears what one read has brought.
    pub fn read(&mut self, bytes: &[u8]) {
        let at = self.now();
        self.take_from_client(at, Bytes::copy_from_slice(bytes));
    }

    /// Hears how much of the slices one write has taken.
    pub fn wrote(&mut self, slices: &[IoSlice<'_>], length: usize) {
        let at = self.now();
        self.record(Direction::Down, at, length, || {
            let mut bytes = BytesMut::with_capacity(length);
            for slice in slices {
                bytes.extend_from_slice(&slice[..slice.len().min(length - bytes.len())]);
            }
            bytes.freeze()
        });
    }

    /// Hears how the connection ends. What comes after that reaches nobody.
    pub fn end(&mut self, how: How) {
        if mem::replace(&mut self.has_ended, true) {
            return;
        }
        if !self.ahead.is_empty() {
            // No head has come to its end, so nobody knows what it was.
            self.begin(Subject::Recorded(ExchangeKind::Other, None), None);
        }
        let close = Close { connection: self.tape.open.connection, at: self.now(), how };
        for link in self.tape.end(close) {
            self.live.tell(&link, Item::Close(close));
        }
    }

    /// Opens an account for an exchange. It counts, and its link learns of the connection.
    fn account(&self, kind: ExchangeKind, link: Option<Arc<TappedLink>>) -> Option<Account> {
        let joined = self.tape.join(link.as_ref(), kind)?;
        if let Some(link) = &link {
            link.counters.begin(kind, joined.is_new_kind);
            if joined.is_new_part {
                self.live.tell(link, Item::Open(self.tape.open));
            }
        }
        Some(Account { number: self.tap.number_exchange(), kind, link, part: joined.part })
    }

    fn now(&mut self) -> u64 {
        self.clock = self.clock.max(now_us());
        self.clock
    }

    fn take_what_came_ahead(&mut self) {
        for (at, bytes) in mem::take(&mut self.ahead) {
            self.take_from_client(at, bytes);
        }
    }

    fn take_from_client(&mut self, at: u64, mut bytes: Bytes) {
        if self.has_ended {
            return;
        }
        let own = match &mut self.exchange {
            None => Bytes::new(),
            Some(Current { left: None, .. }) => mem::take(&mut bytes),
            Some(Current { left: Some(left), .. }) => {
                let own = bytes.split_to(bytes.len().min(*left));
                *left -= own.len();
                own
            }
        };
        if !own.is_empty() {
            self.record(Direction::Up, at, own.len(), || own);
        }
        if !bytes.is_empty() {
            self.ahead.push((at, bytes));
        }
    }

    /// Counts, keeps and tells a piece. Its bytes are copied only if somebody wants them.
    fn record(&mut self, direction: Direction, at: u64, length: usize, bytes: impl FnOnce() -> Bytes) {
        let Some(Account { number, kind, link, part }) =
            self.exchange.as_ref().and_then(|exchange| exchange.account.clone())
        else {
            return;
        };
        let link = link.as_deref();
        if let Some(link) = link {
            link.counters.carry(kind, direction, length);
        }
        let listener = link.filter(|link| self.live.is_heard(link));
        let fitting = store::fitting(self.used);
        if fitting.is_none() && listener.is_none() {
            return self.leave_out(part, link, direction, length);
        }
        let connection = self.tape.open.connection;
        let piece = Piece { connection, at, exchange: number, kind, direction, length, bytes: bytes() };
        if let Some(link) = listener {
            self.live.tell(link, Item::Piece(piece.clone()));
        }
        let kept = fitting.map(|fitting| piece.bytes.slice(..piece.bytes.len().min(fitting)));
        match kept.filter(|kept| self.tap.reserve(store::cost(kept), link)) {
            Some(kept) => {
                let is_cut = kept.len() < length;
                self.used = if is_cut { store::CONNECTION_SHARE } else { self.used + store::cost(&kept) };
                self.tape.keep(part, Piece { bytes: kept, ..piece });
            }
            None => self.leave_out(part, link, direction, length),
        }
    }

    /// Does without a piece, and from then on without all that come: what is kept is a beginning without holes.
    fn leave_out(&mut self, part: usize, link: Option<&TappedLink>, direction: Direction, length: usize) {
        self.used = store::CONNECTION_SHARE;
        self.tape.miss(part, direction, length);
        self.tap.leave_out(link);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.end(How::Client);
    }
}
