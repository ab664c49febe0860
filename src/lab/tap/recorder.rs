//! The recorder: hears of every byte of one connection, and says to which exchange and which link it belongs.
//!
//! A request names its link in its head, and the head is there only when it has been read. So what a client sends waits
//! for its exchange, and what it sends ahead of its turn waits for the next one. Where a body of chunks ends, the relay
//! learns when it takes the chunks apart, so they wait for that.

use std::{collections::VecDeque, io::IoSlice, mem, net::SocketAddr, rc::Rc, sync::Arc};

use bytes::{Bytes, BytesMut};

use super::{
    items::{Close, Direction, How, Item, Piece},
    live::Live,
    store::{self, Tap, Tape},
    tapped::TappedLink,
};
use crate::{channel::now_us, lab::faults::ExchangeKind};

/// In how many pieces at most is kept what waits for its exchange. Who sends byte after byte makes the last one longer.
const MAX_AHEAD: usize = 64;

/// Records one connection. Dropping it says that the client has gone, unless something else was said before.
#[derive(Debug)]
pub struct Recorder {
    tap: Arc<Tap>,
    live: Rc<Live>,
    tape: Arc<Tape>,
    /// What the bytes belong to now.
    exchange: Option<Current>,
    /// What the client has sent, and nobody knows yet for which exchange.
    ahead: VecDeque<(u64, Vec<u8>)>,
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
    /// How many more bytes from the client belong to it.
    left: u64,
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
        Self { tap, live, tape, exchange: None, ahead: VecDeque::new(), used, clock: at, has_ended: false }
    }

    /// Begins an exchange to which the client's next bytes belong, as far as their number is known.
    pub fn begin(&mut self, subject: Subject, length: u64) {
        self.take_what_came_ahead();
        let account = match subject {
            Subject::Recorded(kind, link) => self.account(kind, link),
            Subject::Recording => None,
        };
        self.exchange = Some(Current { account, left: length });
        self.take_what_came_ahead();
    }

    /// So many more bytes turn out to belong to this exchange. A piece is told when all of it is known to do so.
    pub fn claim(&mut self, length: usize) {
        let Some(exchange) = &mut self.exchange else { return };
        exchange.left = exchange.left.saturating_add(length as u64);
        while let Some((at, bytes)) = self.take_whole_piece() {
            self.take_from_client(at, &bytes);
        }
    }

    /// Whatever the client sends from now on belongs to this exchange, for no other follows.
    pub fn claim_the_rest(&mut self) {
        if let Some(exchange) = &mut self.exchange {
            exchange.left = u64::MAX;
        }
        self.take_what_came_ahead();
    }

    /// Hears what one read has brought.
    pub fn read(&mut self, bytes: &[u8]) {
        let at = self.now();
        if self.ahead.is_empty() { self.take_from_client(at, bytes) } else { self.keep_ahead(at, bytes) }
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
        self.take_what_came_ahead();
        if !self.ahead.is_empty() {
            // No head has come to its end, so nobody knows what it was.
            self.begin(Subject::Recorded(ExchangeKind::Other, None), u64::MAX);
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
            self.take_from_client(at, &bytes);
        }
    }

    /// Takes the first piece that waits, if all of it belongs to the exchange.
    fn take_whole_piece(&mut self) -> Option<(u64, Vec<u8>)> {
        let left = self.exchange.as_ref()?.left;
        let (_, first) = self.ahead.front()?;
        if first.len() as u64 <= left { self.ahead.pop_front() } else { None }
    }

    fn keep_ahead(&mut self, at: u64, bytes: &[u8]) {
        let is_full = self.ahead.len() == MAX_AHEAD;
        match self.ahead.back_mut().filter(|_| is_full) {
            Some((_, last)) => last.extend_from_slice(bytes),
            None => self.ahead.push_back((at, bytes.to_vec())),
        }
    }

    fn take_from_client(&mut self, at: u64, bytes: &[u8]) {
        let left = self.exchange.as_ref().map_or(0, |exchange| exchange.left);
        let (own, others) = bytes.split_at(usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len()));
        if let Some(exchange) = &mut self.exchange {
            exchange.left -= own.len() as u64;
        }
        if !own.is_empty() {
            self.record(Direction::Up, at, own.len(), || Bytes::copy_from_slice(own));
        }
        if !others.is_empty() {
            self.keep_ahead(at, others);
        }
    }

    /// Counts, keeps and tells a piece. Its bytes are copied only if somebody wants them.
    ///
    /// It is told when it is kept already, so whoever subscribes and then fetches what is kept misses nothing between.
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
        let fitting = store::fitting(self.used);
        if fitting.is_none() && !link.is_some_and(|link| self.live.is_heard(link)) {
            return self.leave_out(part, link, direction, length);
        }
        let connection = self.tape.open.connection;
        let piece = Piece { connection, at, exchange: number, kind, direction, length, bytes: bytes() };
        let kept = fitting.map(|fitting| beginning(&piece.bytes, fitting));
        match kept.filter(|kept| self.tap.reserve(store::cost(kept), link)) {
            Some(kept) => {
                let is_cut = kept.len() < length;
                self.used = if is_cut { store::CONNECTION_SHARE } else { self.used + store::cost(&kept) };
                self.tape.keep(part, Piece { bytes: kept, ..piece.clone() });
            }
            None => self.leave_out(part, link, direction, length),
        }
        if let Some(link) = link {
            self.live.tell(link, Item::Piece(piece));
        }
    }

    /// Does without a piece, and from then on without all that come: what is kept is a beginning without holes.
    fn leave_out(&mut self, part: usize, link: Option<&TappedLink>, direction: Direction, length: usize) {
        self.used = store::CONNECTION_SHARE;
        self.tape.miss(part, direction, length);
        self.tap.leave_out(link);
    }
}

/// As many of the bytes as fit. If those are not all, they are copied, for a part would keep the whole in memory.
fn beginning(bytes: &Bytes, fitting: usize) -> Bytes {
    if bytes.len() <= fitting { bytes.clone() } else { Bytes::copy_from_slice(&bytes[..fitting]) }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.end(How::Client);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        channel::{ChannelLimits, Hub, HubLimits, KeyLimits, PresenceLimits, Retention},
        lab::{links::LinkName, tap::Playback},
    };

    fn hub() -> Arc<Hub> {
        let channel = ChannelLimits {
            retention: Retention { messages: 100, bytes: 1 << 20, age: Duration::ZERO },
            presence: PresenceLimits { grace: Duration::ZERO, members: 10 },
            keys: KeyLimits { window: Duration::from_mins(1), per_channel: 10, in_all: 10 },
        };
        let (channels, bytes_in_all, expiry) = (9, 1 << 20, Duration::from_mins(1));
        Arc::new(Hub::new(HubLimits { channels, expiry, bytes_in_all, channel: Arc::new(channel) }))
    }

    /// A connection, and everything that is recorded.
    fn connection() -> (Recorder, Arc<Tap>) {
        let (tap, live) = (Arc::new(Tap::new(1 << 20)), Rc::new(Live::new(hub())));
        let end = SocketAddr::from(([127, 0, 0, 1], 1));
        (Recorder::open(Arc::clone(&tap), live, 0, (end, end), false), tap)
    }

    fn name(text: &str) -> LinkName {
        text.parse().expect("a good name")
    }

    fn over(tap: &Tap, link: &str) -> Subject {
        Subject::Recorded(ExchangeKind::Other, tap.link(&name(link)))
    }

    /// The pieces that are kept.
    fn pieces(playback: &Playback) -> Vec<&[u8]> {
        playback.tracks.iter().flat_map(|track| &track.pieces).map(|piece| &*piece.bytes).collect()
    }

    #[track_caller]
    fn check(tap: &Tap, link: &str, expected: &[&[u8]]) {
        assert_eq!(pieces(&tap.of_link(&name(link)).expect("a link")), expected, "{link}");
    }

    #[test]
    fn who_sends_byte_after_byte_ahead_does_not_fill_the_memory_with_pieces() {
        let (mut recorder, tap) = connection();
        let sent: Vec<u8> = (0..10_000_u32).map(|index| index.to_le_bytes()[0]).collect();
        for byte in sent.chunks(1) {
            recorder.read(byte);
        }
        assert_eq!(recorder.ahead.len(), MAX_AHEAD);

        recorder.begin(over(&tap, "a"), sent.len() as u64);
        assert!(recorder.ahead.is_empty());
        assert_eq!(pieces(&tap.of_link(&name("a")).expect("a link")).concat(), sent);
    }

    #[test]
    fn what_is_claimed_is_told_by_whole_reads_and_the_rest_is_the_next_exchanges() {
        let (mut recorder, tap) = connection();
        recorder.read(b"head");
        recorder.begin(over(&tap, "a"), 4);
        recorder.read(b"chunk one, chunk ");
        recorder.read(b"two, next");
        recorder.claim(11);
        check(&tap, "a", &[b"head"]);
        recorder.claim(6);
        check(&tap, "a", &[b"head", b"chunk one, chunk "]);
        recorder.claim(5);
        recorder.begin(over(&tap, "b"), 4);
        check(&tap, "a", &[b"head", b"chunk one, chunk ", b"two, "]);
        check(&tap, "b", &[b"next"]);
    }

    #[test]
    fn what_belongs_to_no_exchange_at_the_end_is_kept_for_operators() {
        let (mut recorder, tap) = connection();
        recorder.read(b"head half");
        recorder.begin(over(&tap, "a"), 5);
        drop(recorder);
        check(&tap, "a", &[b"head "]);
        assert_eq!(pieces(&tap.of_everything()), [b"head ".as_slice(), b"half"]);
    }
}
