//! The store: what is kept of connections, one [`Tape`] for each, within three bounds.
//!
//! Of a connection its first bytes are kept, so that a recording shows how something began. Where a link or the whole
//! store is full, the oldest connections that have ended are forgotten, each as a whole. If all are still open, nothing
//! more is kept of the one that asks for room.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::{
    items::{Close, Direction, Item, Open, Piece},
    tapped::TappedLink,
};
use crate::lab::{faults::ExchangeKind, links::LinkName};

/// How much is kept of one connection.
pub const CONNECTION_SHARE: usize = 256 * 1024;

/// How much is kept of one link.
pub const LINK_SHARE: usize = 2 * 1024 * 1024;

/// How many bytes of recordings are on their way at once to whoever has fetched them. One that is larger travels alone.
pub const MAX_UNDER_WAY: usize = 64 * 1024 * 1024;

/// What a piece costs beside its bytes, and a connection beside its pieces.
const PIECE_OVERHEAD: usize = 128;
const TAPE_OVERHEAD: usize = 512;

/// How many links one connection is recorded for. A browser's carries a few; a name costs memory.
const MAX_LINKS: usize = 32;

/// Everything that the lab has recorded.
#[derive(Debug)]
pub struct Tap {
    limit: usize,
    kept: AtomicUsize,
    forgotten: AtomicU64,
    connections: AtomicU64,
    exchanges: AtomicU64,
    rack: Mutex<Rack>,
    links: Mutex<HashMap<LinkName, Arc<TappedLink>>>,
    /// Room for what is on its way.
    under_way: Arc<Semaphore>,
}

/// The tapes by the number of their connection, hence the oldest first.
type Rack = BTreeMap<u64, Arc<Tape>>;

/// What is kept of one connection. One writes to it, and whoever wants to reads.
#[derive(Debug)]
pub struct Tape {
    /// How it began.
    pub open: Open,
    /// Whether there was room for it, so that it is in the store.
    pub is_kept: bool,
    has_ended: AtomicBool,
    reel: Mutex<Reel>,
}

#[derive(Debug, Default)]
struct Reel {
    parts: Vec<Part>,
    /// Each with the number of its part.
    pieces: Vec<(usize, Piece)>,
    close: Option<Close>,
}

/// What a connection has carried of one link, or without any.
#[derive(Debug)]
struct Part {
    link: Option<Arc<TappedLink>>,
    /// The kinds of exchange that have occurred, one bit each.
    kinds: u8,
    /// What it costs.
    kept: usize,
    pieces: u64,
    missing: Missing,
}

/// How many bytes at the end of a connection are not kept, not even as a length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Towards the server.
    pub up: u64,
    /// Towards the client.
    pub down: u64,
}

/// A part of a connection that an exchange belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Joined {
    /// The number of the part.
    pub part: usize,
    /// Whether it is new.
    pub is_new_part: bool,
    /// Whether no exchange of the kind was in it before.
    pub is_new_kind: bool,
}

/// What is kept of a link, or of all connections.
#[derive(Debug)]
pub struct Playback {
    /// Connection by connection, the oldest first.
    pub tracks: Vec<Track>,
    /// How many pieces were not kept, or were kept and have been forgotten.
    pub forgotten: u64,
}

/// What is kept of one connection, as far as it belongs to what was asked for.
#[derive(Debug)]
pub struct Track {
    /// How it began.
    pub open: Open,
    /// What it has carried.
    pub pieces: Vec<Piece>,
    /// How much more it has carried.
    pub missing: Missing,
    /// How it has ended, if it has.
    pub close: Option<Close>,
}

impl Tap {
    /// A store without anything in it. It keeps so many bytes at most.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            kept: AtomicUsize::new(0),
            forgotten: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            exchanges: AtomicU64::new(0),
            rack: Mutex::default(),
            links: Mutex::default(),
            under_way: Arc::new(Semaphore::new(MAX_UNDER_WAY)),
        }
    }

    /// Room for the bytes of recordings that are on their way, [`MAX_UNDER_WAY`] in all.
    #[must_use]
    pub fn under_way(&self) -> Arc<Semaphore> {
        Arc::clone(&self.under_way)
    }

    /// The tapped link of this name.
    pub fn link(&self, name: &LinkName) -> Option<Arc<TappedLink>> {
        let mut links = self.lock_links();
        if let Some(link) = links.get(name) {
            return Some(Arc::clone(link));
        }
        let link = Arc::new(TappedLink::of(name)?);
        links.insert(name.clone(), Arc::clone(&link));
        Some(link)
    }

    /// Forgets the links that are gone and of which nothing is kept.
    pub fn sweep(&self) {
        self.lock_links().retain(|_, link| Arc::strong_count(link) > 1);
    }

    /// Begins to record a connection. It counts, and finds room, like a piece.
    pub(super) fn open(&self, at: u64, client: SocketAddr, server: SocketAddr, tls: bool) -> Arc<Tape> {
        let connection = self.connections.fetch_add(1, Relaxed) + 1;
        let open = Open { connection, at, client, server, tls };
        let is_kept = self.reserve(TAPE_OVERHEAD, None);
        let tape = Arc::new(Tape { open, is_kept, has_ended: AtomicBool::new(false), reel: Mutex::default() });
        if is_kept {
            self.lock_rack().insert(connection, Arc::clone(&tape));
        }
        tape
    }

    /// The number of the next exchange.
    pub(super) fn number_exchange(&self) -> u64 {
        self.exchanges.fetch_add(1, Relaxed) + 1
    }

    /// Notes that something is not kept.
    pub(super) fn leave_out(&self, link: Option<&TappedLink>) {
        self.forgotten.fetch_add(1, Relaxed);
        if let Some(link) = link {
            link.forgotten.fetch_add(1, Relaxed);
        }
    }

    /// Makes room for so many bytes, of a piece or a tape. False if there is none.
    pub(super) fn reserve(&self, bytes: usize, link: Option<&TappedLink>) -> bool {
        if let Some(link) = link
            && !self.make_room_for_link(link, bytes)
        {
            return false;
        }
        while self.kept.load(Relaxed) + bytes > self.limit {
            let mut rack = self.lock_rack();
            let Some(oldest) = rack.values().find(|tape| tape.has_ended()).map(|tape| tape.open.connection) else {
                return false;
            };
            self.forget(&mut rack, oldest);
        }
        self.kept.fetch_add(bytes, Relaxed);
        if let Some(link) = link {
            link.kept.fetch_add(bytes, Relaxed);
        }
        true
    }

    fn make_room_for_link(&self, link: &TappedLink, bytes: usize) -> bool {
        while link.kept.load(Relaxed) + bytes > LINK_SHARE {
            let mut rack = self.lock_rack();
            let has_ended = |number: &&u64| rack.get(number).is_some_and(|tape| tape.has_ended());
            let Some(oldest) = link.tapes().iter().find(has_ended).copied() else { return false };
            self.forget(&mut rack, oldest);
        }
        true
    }

    /// Forgets a connection as a whole, with whatever other links it has carried.
    fn forget(&self, rack: &mut Rack, number: u64) {
        let Some(tape) = rack.remove(&number) else { return };
        let reel = tape.lock();
        let mut kept = TAPE_OVERHEAD;
        for part in &reel.parts {
            kept += part.kept;
            self.forgotten.fetch_add(part.pieces, Relaxed);
            if let Some(link) = &part.link {
                link.kept.fetch_sub(part.kept, Relaxed);
                link.forgotten.fetch_add(part.pieces, Relaxed);
                link.tapes().remove(&number);
            }
        }
        self.kept.fetch_sub(kept, Relaxed);
    }

    /// What is kept of a link. `None` if there is no such link.
    #[must_use]
    pub fn of_link(&self, name: &LinkName) -> Option<Playback> {
        let link = self.lock_links().get(name).map(Arc::clone)?;
        let tapes: Vec<_> = {
            let rack = self.lock_rack();
            let numbers = link.tapes();
            numbers.iter().filter_map(|number| rack.get(number).map(Arc::clone)).collect()
        };
        let is_this = |part: &Part| part.link.as_ref().is_some_and(|other| Arc::ptr_eq(other, &link));
        let tracks = tapes.iter().map(|tape| tape.play(is_this)).collect();
        Some(Playback { tracks, forgotten: link.forgotten.load(Relaxed) })
    }

    /// What is kept of all connections, also of what they carried over no link.
    #[must_use]
    pub fn of_everything(&self) -> Playback {
        let tapes: Vec<_> = self.lock_rack().values().map(Arc::clone).collect();
        let tracks = tapes.iter().map(|tape| tape.play(|_| true)).collect();
        Playback { tracks, forgotten: self.forgotten.load(Relaxed) }
    }

    fn lock_rack(&self) -> MutexGuard<'_, Rack> {
        self.rack.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_links(&self) -> MutexGuard<'_, HashMap<LinkName, Arc<TappedLink>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tape {
    /// Lets the connection carry a link, or something without any. `None` if it has carried too many already.
    pub(super) fn join(&self, link: Option<&Arc<TappedLink>>, kind: ExchangeKind) -> Option<Joined> {
        let mut reel = self.lock();
        let is_this = |part: &Part| part.link.as_ref().map(Arc::as_ptr) == link.map(Arc::as_ptr);
        let known = reel.parts.iter().position(is_this);
        if known.is_none() && reel.parts.len() == MAX_LINKS {
            return None;
        }
        let part = known.unwrap_or_else(|| {
            let link = link.cloned();
            if let Some(link) = &link
                && self.is_kept
            {
                link.tapes().insert(self.open.connection);
            }
            reel.parts.push(Part { link, kinds: 0, kept: 0, pieces: 0, missing: Missing::default() });
            reel.parts.len() - 1
        });
        let (kinds, bit) = (&mut reel.parts[part].kinds, 1 << kind as u8);
        let is_new_kind = *kinds & bit == 0;
        *kinds |= bit;
        Some(Joined { part, is_new_part: known.is_none(), is_new_kind })
    }

    /// Keeps a piece, for which there is room.
    pub(super) fn keep(&self, part: usize, piece: Piece) {
        let mut reel = self.lock();
        reel.parts[part].kept += cost(&piece.bytes);
        reel.parts[part].pieces += 1;
        reel.pieces.push((part, piece));
    }

    /// Notes that a piece is not kept.
    pub(super) fn miss(&self, part: usize, direction: Direction, length: usize) {
        let missing = &mut self.lock().parts[part].missing;
        *match direction {
            Direction::Up => &mut missing.up,
            Direction::Down => &mut missing.down,
        } += length as u64;
    }

    /// Notes the end, and returns the links that have to hear of it.
    pub(super) fn end(&self, close: Close) -> Vec<Arc<TappedLink>> {
        let mut reel = self.lock();
        reel.close = Some(close);
        self.has_ended.store(true, Relaxed);
        reel.parts.iter().filter_map(|part| part.link.clone()).collect()
    }

    fn has_ended(&self) -> bool {
        self.has_ended.load(Relaxed)
    }

    fn play(&self, is_asked_for: impl Fn(&Part) -> bool) -> Track {
        let reel = self.lock();
        let is_asked_for: Vec<bool> = reel.parts.iter().map(is_asked_for).collect();
        let mut missing = Missing::default();
        for (part, _) in reel.parts.iter().zip(&is_asked_for).filter(|(_, is_asked_for)| **is_asked_for) {
            missing.up += part.missing.up;
            missing.down += part.missing.down;
        }
        let pieces = reel.pieces.iter().filter(|(part, _)| is_asked_for[*part]);
        let mut pieces: Vec<Piece> = pieces.map(|(_, piece)| piece.clone()).collect();
        // What a client has sent ahead of its turn was kept when its turn came.
        pieces.sort_by_key(|piece| piece.at);
        Track { open: self.open, pieces, missing, close: reel.close }
    }

    fn lock(&self) -> MutexGuard<'_, Reel> {
        self.reel.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a piece with so many bytes costs.
pub(super) const fn cost(bytes: &Bytes) -> usize {
    bytes.len() + PIECE_OVERHEAD
}

/// How many bytes of the next piece fit into what is left of a connection's share. `None` if the piece itself does not.
pub(super) const fn fitting(used: usize) -> Option<usize> {
    CONNECTION_SHARE.checked_sub(used + PIECE_OVERHEAD)
}

/// A recording as it is written.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    wire: Vec<Item>,
    forgotten: u64,
}

impl Playback {
    /// The recording as JSON, with its items in the order of time.
    #[must_use]
    pub fn to_json(self, link: Option<&LinkName>) -> String {
        let forgotten = self.forgotten;
        let mut wire: Vec<Item> = self.tracks.into_iter().flat_map(Track::items).collect();
        wire.sort_by_key(Item::at);
        // Our own types are JSON; were they not, the tests would fail.
        serde_json::to_string(&Document { link: link.map(LinkName::as_str), wire, forgotten }).unwrap_or_default()
    }
}

impl Track {
    fn items(self) -> impl Iterator<Item = Item> {
        let open = std::iter::once(Item::Open(self.open));
        open.chain(self.pieces.into_iter().map(Item::Piece)).chain(self.close.map(Item::Close))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::tap::items::How;

    const NOBODY: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 1));

    fn name(text: &str) -> LinkName {
        text.parse().expect("a good name")
    }

    /// A connection that carries a piece of some size over a link, if there is room for it.
    fn carried(tap: &Tap, link: &str, size: usize) -> (Arc<Tape>, bool) {
        let (tape, link) = (tap.open(0, NOBODY, NOBODY, false), tap.link(&name(link)).expect("a link"));
        let joined = tape.join(Some(&link), ExchangeKind::Sse).expect("its first link");
        let (connection, bytes) = (tape.open.connection, Bytes::from(vec![0; size]));
        let is_kept = tap.reserve(cost(&bytes), Some(&link));
        if is_kept {
            let (kind, direction) = (ExchangeKind::Sse, Direction::Up);
            tape.keep(joined.part, Piece { connection, at: 0, exchange: 1, kind, direction, length: size, bytes });
        }
        (tape, is_kept)
    }

    fn ended(tape: &Tape) {
        tape.end(Close { connection: tape.open.connection, at: 0, how: How::Fin });
    }

    /// The connections that are kept of a link, and how many pieces are forgotten.
    fn kept(tap: &Tap, link: &str) -> (Vec<u64>, u64) {
        let playback = tap.of_link(&name(link)).expect("a link");
        (playback.tracks.iter().map(|track| track.open.connection).collect(), playback.forgotten)
    }

    #[test]
    fn of_a_link_that_is_full_the_oldest_connections_go_that_have_ended() {
        let tap = Tap::new(usize::MAX / 2);
        let (open, _) = carried(&tap, "a", 1024 * 1024);
        let (old, _) = carried(&tap, "a", 512 * 1024);
        let (other, _) = carried(&tap, "b", 512 * 1024);
        ended(&old);
        ended(&other);

        assert!(carried(&tap, "a", 1000 * 1024).1, "room was made");
        assert_eq!(kept(&tap, "a"), (vec![1, 4], 1));
        assert_eq!(kept(&tap, "b"), (vec![3], 0), "another link's connections stay");

        assert!(!carried(&tap, "a", 1024 * 1024).1, "all that are left are open");
        ended(&open);
        assert!(carried(&tap, "a", 1024 * 1024).1);
    }

    #[test]
    fn what_is_forgotten_gives_all_its_room_back() {
        let tap = Tap::new(10_000);
        for _ in 0..100 {
            let (tape, is_kept) = carried(&tap, "a", 8000);
            assert!(is_kept);
            ended(&tape);
        }
        assert_eq!(kept(&tap, "a"), (vec![100], 99));
        assert!(tap.kept.load(Relaxed) <= 10_000);
        assert_eq!(tap.link(&name("a")).map(|link| link.kept.load(Relaxed)), Some(8000 + PIECE_OVERHEAD));
    }

    #[test]
    fn a_connection_is_recorded_for_so_many_links() {
        let tap = Tap::new(usize::MAX / 2);
        let tape = tap.open(0, NOBODY, NOBODY, false);
        for number in 0..MAX_LINKS {
            let link = tap.link(&name(&number.to_string()));
            assert!(tape.join(link.as_ref(), ExchangeKind::Sse).is_some_and(|joined| joined.is_new_part));
        }
        assert!(tape.join(tap.link(&name("more")).as_ref(), ExchangeKind::Sse).is_none());
        let again = tape.join(tap.link(&name("0")).as_ref(), ExchangeKind::Poll).expect("it is known");
        assert_eq!((again.part, again.is_new_part, again.is_new_kind), (0, false, true));
    }

    #[test]
    fn a_link_is_known_as_long_as_anything_is_kept_of_it() {
        let tap = Tap::new(10_000);
        let (tape, _) = carried(&tap, "a", 10);
        ended(&tape);
        drop(tape);
        tap.sweep();
        assert!(tap.of_link(&name("a")).is_some());

        let (other, _) = carried(&tap, "b", 9000);
        tap.sweep();
        assert!(tap.of_link(&name("a")).is_none(), "its last connection had to go");
        drop(other);
    }
}
