//! Segments: encoded events, one behind the other, and an index that leads from an offset to its place.

use bytes::Bytes;

use crate::{
    channel::{Epoch, MemberId, Message},
    wire::{self, Framing},
};

/// A segment that has reached this size is sealed, and the next begins.
const SEGMENT_BYTES: usize = 64 * 1024;

/// How many bytes one slice holds at most, unless a single event is larger.
///
/// It is as much as actix-http takes into its write buffer before it asks the socket, so more would only wait there.
pub const MAX_SLICE: usize = 32 * 1024;

// ANCHOR: segment
/// Encoded events with consecutive offsets, one behind the other.
#[derive(Debug)]
pub struct Segment {
    pub first: u64,
    places: Vec<Place>,
    bytes: Stored,
}

/// What the ring remembers of one event.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Where its bytes end in the segment.
    end: usize,
    publisher: Option<MemberId>,
    at_us: u64,
}

#[derive(Debug)]
enum Stored {
    /// Still growing; readers get copies.
    Open(Vec<u8>),
    /// Full; readers share it.
    Sealed(Bytes),
}
// ANCHOR_END: segment

/// What a reader takes from a ring.
#[derive(Clone, Debug)]
pub enum Slice {
    /// Encoded events.
    Events(Taken),
    /// Nothing up to this position that the reader wants to have.
    Nothing(u64),
    /// The position has fallen off the log.
    Gap,
}

/// Encoded events, and where the reader stands once it has them.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The bytes, whole events only.
    pub bytes: Bytes,
    /// The position behind the last event.
    pub up_to: u64,
    /// How many events the bytes hold.
    pub events: usize,
    /// When the first of them was appended.
    pub oldest_at_us: u64,
}

impl Segment {
    pub const fn new(first: u64) -> Self {
        Self { first, places: Vec::new(), bytes: Stored::Open(Vec::new()) }
    }

    /// How many events there are.
    pub const fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is no event.
    pub const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many bytes the events have together.
    pub fn size(&self) -> usize {
        self.places.last().map_or(0, |last| last.end)
    }

    pub fn is_by(&self, index: usize, publisher: Option<MemberId>) -> bool {
        publisher.is_some() && self.places[index].publisher == publisher
    }

    pub fn last(&self) -> u64 {
        self.first + self.places.len() as u64 - 1
    }

    pub fn is_open_for(&self, offset: u64) -> bool {
        let room = matches!(&self.bytes, Stored::Open(bytes) if bytes.len() < SEGMENT_BYTES);
        room && self.first + self.places.len() as u64 == offset
    }

    pub fn push(&mut self, framing: Framing, epoch: &Epoch, message: &Message) -> usize {
        let Stored::Open(bytes) = &mut self.bytes else { return 0 };
        let before = bytes.len();
        wire::encode_message(framing, epoch, message, bytes);
        self.places.push(Place { end: bytes.len(), publisher: message.publisher, at_us: message.at_us });
        bytes.len() - before + size_of::<Place>()
    }

    pub fn seal(&mut self) {
        if let Stored::Open(bytes) = &mut self.bytes {
            // It has grown by doubling, so almost half of it may be room that nobody will need.
            bytes.shrink_to_fit();
            self.bytes = Stored::Sealed(std::mem::take(bytes).into());
        }
    }

    fn begin_of(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |before| self.places[before].end)
    }

    /// The events from `index` on: as many as fit, and none that `excluded` published. And who published them.
    pub fn take(&self, index: usize, excluded: Option<MemberId>) -> (Slice, Vec<MemberId>) {
        let begin = self.begin_of(index);
        let fits = |next: usize| self.places[next].end - begin <= MAX_SLICE && !self.is_by(next, excluded);
        let end = (index + 1..self.places.len()).find(|&next| !fits(next)).unwrap_or(self.places.len());
        let taken = &self.places[index..end];
        let bytes = match &self.bytes {
            Stored::Open(bytes) => Bytes::copy_from_slice(&bytes[begin..self.places[end - 1].end]),
            Stored::Sealed(bytes) => bytes.slice(begin..self.places[end - 1].end),
        };
        let mut publishers: Vec<MemberId> = taken.iter().filter_map(|place| place.publisher).collect();
        publishers.sort_unstable();
        publishers.dedup();
        let up_to = self.first + end as u64 - 1;
        let events = Taken { bytes, up_to, events: taken.len(), oldest_at_us: taken[0].at_us };
        (Slice::Events(events), publishers)
    }

    /// What each event weighs, by offset.
    pub fn weights(&self) -> impl Iterator<Item = (u64, usize)> {
        (0..self.places.len()).map(|index| {
            let size = self.places[index].end - self.begin_of(index);
            (self.first + index as u64, size + size_of::<Place>())
        })
    }
}
