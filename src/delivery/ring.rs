//! Rings: a channel's events as bytes, ready to send, in one framing.
//!
//! A ring begins with its first reader and is fed from the channel's log, once for all subscribers of that framing on all
//! workers. Its bytes are contiguous within a segment, and an index leads from an offset to its place. They count in the
//! log's bound, and what the log has evicted is dropped from the front.
//!
//! Whoever reads history from before the ring's time gets it encoded slice by slice. Were it kept, a reader of the whole
//! history would push the oldest part of it out of the log.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use crate::{
    channel::{Channel, MemberId, Message},
    wire::Framing,
};

use super::segment::{MAX_SLICE, Segment, Slice};

/// How many messages are taken from the log under one lock.
const BATCH: usize = 256;

// ANCHOR: ring
/// The encoded events of one channel in one framing.
#[derive(Debug)]
pub struct Ring {
    framing: Framing,
    channel: Arc<Channel>,
    /// Locked for short, never over an `.await`. The channel's lock is taken inside of it, never the other way round.
    segments: Mutex<Segments>,
}

#[derive(Debug, Default)]
struct Segments {
    list: VecDeque<Segment>,
    /// The first offset that is not encoded yet; 0 until the first reader comes.
    next: u64,
}
// ANCHOR_END: ring

impl Ring {
    fn new(framing: Framing, channel: Arc<Channel>) -> Self {
        Self { framing, channel, segments: Mutex::default() }
    }

    /// The ring's framing.
    #[must_use]
    pub const fn framing(&self) -> Framing {
        self.framing
    }

    // ANCHOR: take
    /// Takes what lies after `position`, at most [`MAX_SLICE`] bytes of it but at least one event.
    ///
    /// Events that `excluded` published are left out; a slice ends before them, and the next begins behind. Also returns
    /// who published the events of the slice.
    pub fn take(&self, position: u64, excluded: Option<MemberId>) -> (Slice, Vec<MemberId>) {
        let mut segments = self.lock();
        self.catch_up(&mut segments);
        if position + 1 < segments.front() {
            drop(segments);
            return self.take_history(position, excluded);
        }
        let mut position = position;
        while let Some((segment, index)) = segments.find(position + 1) {
            if !segment.is_by(index, excluded) {
                return segment.take(index, excluded);
            }
            position += 1;
        }
        (Slice::Nothing(position), Vec::new())
    }
    // ANCHOR_END: take

    /// Encodes a slice of messages from before the ring's time, for this reader alone.
    fn take_history(&self, position: u64, excluded: Option<MemberId>) -> (Slice, Vec<MemberId>) {
        let (messages, start) = self.channel.messages_after(position, BATCH);
        if position < start {
            return (Slice::Gap, Vec::new());
        }
        let is_own = |message: &&Arc<Message>| excluded.is_some() && message.publisher == excluded;
        let own = messages.iter().take_while(is_own).count();
        let position = position + own as u64;
        let mut slice = Segment::new(position + 1);
        for message in messages.iter().skip(own).take_while(|message| !is_own(message)) {
            slice.push(self.framing, self.channel.epoch(), message);
            if slice.size() > MAX_SLICE {
                break;
            }
        }
        slice.seal();
        if slice.is_empty() { (Slice::Nothing(position), Vec::new()) } else { slice.take(0, excluded) }
    }

    // ANCHOR: catch_up
    /// Encodes what has been published since the last time, and drops what the log has evicted.
    fn catch_up(&self, segments: &mut Segments) {
        if segments.next == 0 {
            segments.next = self.channel.head() + 1;
        }
        loop {
            let (messages, start) = self.channel.messages_after(segments.next - 1, BATCH);
            if segments.next <= start {
                // The log was faster. Readers in between have a gap.
                segments.next = start + 1;
            }
            let is_complete = messages.len() < BATCH;
            let copies: Vec<_> = messages.iter().map(|message| self.encode(segments, message)).collect();
            let start = if copies.is_empty() { start } else { self.channel.charge(copies.into_iter()) };
            self.drop_surplus(segments, start);
            if is_complete {
                return;
            }
        }
    }
    // ANCHOR_END: catch_up

    /// Appends one message to the last segment. Returns what it weighs.
    fn encode(&self, segments: &mut Segments, message: &Message) -> (u64, usize) {
        let segment = segments.open(message.offset);
        let size = segment.push(self.framing, self.channel.epoch(), message);
        segments.next = message.offset + 1;
        (message.offset, size)
    }

    /// Drops surplus. Called now and then, for rings that nobody takes from.
    pub fn trim(&self) {
        self.drop_surplus(&mut self.lock(), self.channel.start());
    }

    /// Drops what the log has evicted, which lies before `start`, and every full segment while all logs together are over
    /// their bound: a copy can be made again, a message cannot.
    fn drop_surplus(&self, segments: &mut Segments, start: u64) {
        segments.drop_evicted(start);
        if self.channel.is_over_budget() {
            let dropped = segments.drop_full();
            self.channel.discharge(dropped.iter().flat_map(Segment::weights));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Segments> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes of a ring that nobody reads any more no longer count.
impl Drop for Ring {
    fn drop(&mut self) {
        let segments = self.segments.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.channel.discharge(segments.list.iter().flat_map(Segment::weights));
    }
}

impl Segments {
    /// The first offset that the ring holds, or will hold.
    fn front(&self) -> u64 {
        self.list.front().map_or(self.next, |segment| segment.first)
    }

    /// The segment that holds the event with this offset, and the event's index in it.
    fn find(&self, offset: u64) -> Option<(&Segment, usize)> {
        let after = self.list.partition_point(|segment| segment.first <= offset);
        let segment = self.list.get(after.checked_sub(1)?)?;
        let index = usize::try_from(offset - segment.first).ok()?;
        (index < segment.len()).then_some((segment, index))
    }

    /// The segment that takes the event with this offset.
    fn open(&mut self, offset: u64) -> &mut Segment {
        let fits = self.list.back().is_some_and(|last| last.is_open_for(offset));
        if !fits {
            self.seal_last();
            self.list.push_back(Segment::new(offset));
        }
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    fn seal_last(&mut self) {
        if let Some(last) = self.list.back_mut() {
            last.seal();
        }
    }

    /// Takes out every segment but the one that grows.
    fn drop_full(&mut self) -> Vec<Segment> {
        let full = self.list.len().saturating_sub(1);
        self.list.drain(..full).collect()
    }

    /// Drops the segments in which every event has been evicted.
    fn drop_evicted(&mut self, start: u64) {
        while self.list.front().is_some_and(|segment| segment.last() <= start) {
            self.list.pop_front();
        }
    }
}

/// The rings in use. They live as long as somebody reads them.
#[derive(Debug, Default)]
pub struct Rings {
    /// By the channel's address and the framing; a ring keeps its channel alive, so an address is not used twice.
    by_channel: Mutex<HashMap<(usize, Framing), Weak<Ring>>>,
}

impl Rings {
    /// The ring of a channel in a framing, which is created if nobody reads it yet.
    #[must_use]
    pub fn of(&self, channel: &Arc<Channel>, framing: Framing) -> Arc<Ring> {
        let mut rings = self.lock();
        let key = (Arc::as_ptr(channel).addr(), framing);
        if let Some(ring) = rings.get(&key).and_then(Weak::upgrade) {
            return ring;
        }
        let ring = Arc::new(Ring::new(framing, Arc::clone(channel)));
        rings.insert(key, Arc::downgrade(&ring));
        ring
    }

    /// Drops from all rings what the logs have evicted, and forgets the rings that are gone.
    pub fn sweep(&self) {
        let alive: Vec<Arc<Ring>> = {
            let mut rings = self.lock();
            rings.retain(|_, ring| ring.strong_count() > 0);
            rings.values().filter_map(Weak::upgrade).collect()
        };
        for ring in alive {
            ring.trim();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(usize, Framing), Weak<Ring>>> {
        self.by_channel.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{
        ChannelLimits, ClientName, ContentType, Data, Hub, HubLimits, KeyLimits, MESSAGE_OVERHEAD, PresenceLimits,
        Publication, Retention,
    };
    use crate::wire;
    use proptest::prelude::*;
    use std::time::Duration;

    fn hub(messages: usize, bytes: usize) -> Hub {
        let channel = Arc::new(ChannelLimits {
            retention: Retention { messages, bytes, age: Duration::ZERO },
            presence: PresenceLimits { grace: Duration::ZERO, members: 10 },
            keys: KeyLimits { window: Duration::ZERO, per_channel: 0, in_all: 0 },
        });
        Hub::new(HubLimits { channels: 1, expiry: Duration::ZERO, bytes_in_all: usize::MAX / 2, channel })
    }

    fn publish(hub: &Hub, data: &str, client: Option<&ClientName>) {
        let data = Data::Text(data.into());
        let publication =
            Publication { label: None, content_type: ContentType::Text, data, client: client.cloned(), key: None };
        let name = "a".parse().expect("a good name");
        let published = actix_rt::System::new().block_on(hub.publish(&name, publication));
        published.expect("there is room");
    }

    fn channel(hub: &Hub) -> Arc<Channel> {
        hub.channel(&"a".parse().expect("a good name")).expect("there is room")
    }

    /// Everything that a reader at `position` gets, frame by frame, until nothing is left.
    fn read_all(ring: &Ring, mut position: u64, excluded: Option<MemberId>) -> (Vec<u8>, u64, bool) {
        let mut bytes = Vec::new();
        loop {
            match ring.take(position, excluded).0 {
                Slice::Events(taken) => {
                    bytes.extend_from_slice(&taken.bytes);
                    position = taken.up_to;
                }
                Slice::Nothing(up_to) => return (bytes, up_to, false),
                Slice::Gap => return (bytes, position, true),
            }
        }
    }

    fn frames(of: impl IntoIterator<Item = String>) -> Vec<u8> {
        let mut out = Vec::new();
        of.into_iter()
            .for_each(|text| wire::websocket::frame(wire::websocket::Opcode::Text, text.as_bytes(), &mut out));
        out
    }

    #[test]
    fn what_lies_between_a_position_and_the_head_is_one_slice() {
        let hub = hub(1000, 1 << 20);
        (1..=100).for_each(|number| publish(&hub, &number.to_string(), None));
        let ring = Rings::default().of(&channel(&hub), Framing::WebSocketRaw);
        let (Slice::Events(taken), _) = ring.take(0, None) else { panic!("there is something") };
        assert_eq!((taken.up_to, taken.events), (100, 100));
        assert_eq!(taken.bytes, frames((1..=100).map(|number| number.to_string())));
    }

    #[test]
    fn own_messages_are_left_out_and_still_advance_the_position() {
        let hub = hub(1000, 1 << 20);
        let me = ClientName::random();
        for (number, client) in [(1, Some(&me)), (2, None), (3, Some(&me)), (4, Some(&me)), (5, None), (6, Some(&me))] {
            publish(&hub, &number.to_string(), client);
        }
        let ring = Rings::default().of(&channel(&hub), Framing::WebSocketRaw);
        let (bytes, position, gap) = read_all(&ring, 0, Some(hub.member(&me)));
        assert_eq!((bytes, position, gap), (frames(["2".to_owned(), "5".to_owned()]), 6, false));
    }

    #[test]
    fn a_position_that_fell_off_is_a_gap_and_the_bytes_of_a_ring_count_only_while_it_is_read() {
        let hub = hub(10, 1 << 20);
        (1..=30).for_each(|number| publish(&hub, &number.to_string(), None));
        let plain = channel(&hub).bytes();
        let rings = Rings::default();
        let ring = rings.of(&channel(&hub), Framing::JsonLines);
        assert!(matches!(ring.take(5, None).0, Slice::Gap));
        assert!(!read_all(&ring, 20, None).2);
        assert_eq!(channel(&hub).bytes(), plain, "history is encoded for its reader and not kept");
        publish(&hub, "31", None);
        assert!(!read_all(&ring, 30, None).2);
        let (kept, copies) = (10 * (MESSAGE_OVERHEAD + 2), channel(&hub).bytes());
        assert!(copies > kept, "{copies}");
        assert!(Arc::ptr_eq(&ring, &rings.of(&channel(&hub), Framing::JsonLines)));
        drop(ring);
        assert_eq!(channel(&hub).bytes(), kept);
        assert!(plain <= kept);
    }

    #[test]
    fn reading_the_whole_history_evicts_none_of_it() {
        let hub = hub(1000, 400_000);
        (1..=300).for_each(|_| publish(&hub, &"x".repeat(1_000), None));
        let start = channel(&hub).start();
        let ring = Rings::default().of(&channel(&hub), Framing::SseJson);
        assert!(!read_all(&ring, start, None).2);
        assert_eq!(channel(&hub).start(), start);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// A ring against the simplest model of it: all frames, one behind the other.
        #[test]
        fn every_reader_gets_exactly_what_lies_after_its_position(
            steps in prop::collection::vec((0_usize..40_000, 0_u64..40), 1..24),
        ) {
            let hub = hub(1000, 1 << 24);
            let rings = Rings::default();
            let _reader = rings.of(&channel(&hub), Framing::WebSocketRaw);
            let mut published = Vec::new();
            for (size, position) in steps {
                published.push("x".repeat(size));
                publish(&hub, &"x".repeat(size), None);
                let position = position.min(published.len() as u64);
                let ring = rings.of(&channel(&hub), Framing::WebSocketRaw);
                let skip = usize::try_from(position).expect("small");
                let expected = frames(published[skip..].iter().cloned());
                prop_assert_eq!(read_all(&ring, position, None), (expected, published.len() as u64, false));
            }
        }
    }
}
