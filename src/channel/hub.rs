//! The hub: all channels by name. They are created on first use, expire when idle, and are bounded in number.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    channel::{Channel, ChannelLimits, PublishError, Published},
    keys::{self, KeyCount, Keys},
    log::{Budget, MESSAGE_OVERHEAD},
    message::{ChannelName, ClientName, MemberId, Publication},
};

/// When all logs together are full, they are emptied down to seven eighths of the bound, so that the search for the
/// oldest messages is paid once for many publications.
const SHED_SHARE: usize = 8;

/// The bounds of a hub.
#[derive(Debug)]
pub struct HubLimits {
    /// How many channels there are at most.
    pub channels: usize,
    /// After how long without a reader and a publication a channel expires.
    pub expiry: Duration,
    /// The bytes of all logs together.
    pub bytes_in_all: usize,
    /// The bounds of each channel.
    pub channel: Arc<ChannelLimits>,
}

/// All channels of one server.
#[derive(Debug)]
pub struct Hub {
    channels: RwLock<HashMap<ChannelName, Arc<Channel>>>,
    budget: Arc<Budget>,
    keys: KeyCount,
    subscribers: Arc<AtomicUsize>,
    /// Random, so that nobody can compute a client's secret from its public name.
    hasher: RandomState,
    limits: HubLimits,
}

/// How long nobody may have used a channel without messages before a new one may take its place.
const UNUSED: Duration = Duration::from_mins(10);

/// For how long after the last reader has gone a channel counts as read: whoever polls is away between two polls.
const BETWEEN_POLLS: Duration = Duration::from_secs(5);

/// A channel that was asked for once and never used: when there is no room, it gives way to a new one.
fn longest_unused(channels: &HashMap<ChannelName, Arc<Channel>>) -> Option<ChannelName> {
    let unused = channels.values().filter(|channel| channel.is_empty() && channel.is_expired(UNUSED));
    unused.max_by_key(|channel| channel.idle()).map(|channel| channel.name().clone())
}

/// There is no room for another channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no room for another channel")]
pub struct ChannelsFull;

impl Hub {
    /// Returns a hub without channels.
    #[must_use]
    pub fn new(limits: HubLimits) -> Self {
        Self {
            channels: RwLock::default(),
            budget: Arc::new(Budget::new(limits.bytes_in_all)),
            keys: KeyCount::default(),
            subscribers: Arc::default(),
            hasher: RandomState::new(),
            limits,
        }
    }

    /// Returns the channel of that name, which is created if it does not exist.
    ///
    /// # Errors
    /// Refuses when the channel is new and there are as many as there may be.
    pub fn channel(&self, name: &ChannelName) -> Result<Arc<Channel>, ChannelsFull> {
        if let Some(channel) = self.find(name) {
            return Ok(channel);
        }
        let mut channels = self.channels.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(name) {
            channel.touch();
            return Ok(Arc::clone(channel));
        }
        if channels.len() >= self.limits.channels {
            let replaceable = longest_unused(&channels).ok_or(ChannelsFull)?;
            channels.remove(&replaceable);
        }
        let keys = Keys::new(Arc::clone(&self.keys));
        let limits = Arc::clone(&self.limits.channel);
        let (budget, subscribers) = (Arc::clone(&self.budget), Arc::clone(&self.subscribers));
        let channel = Arc::new(Channel::new(name.clone(), limits, budget, keys, subscribers));
        channels.insert(name.clone(), Arc::clone(&channel));
        Ok(channel)
    }

    /// The channel of that name, if it exists. It is marked as used while the map is locked, so it cannot expire between.
    #[must_use]
    pub fn find(&self, name: &ChannelName) -> Option<Arc<Channel>> {
        let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner);
        let channel = channels.get(name)?;
        channel.touch();
        Some(Arc::clone(channel))
    }

    // ANCHOR: hub_publish
    /// Publishes to a channel and returns when the message is appended and numbered.
    ///
    /// It is `async` because the engine that numbers messages may be another process; the one in here answers at once.
    ///
    /// # Errors
    /// Tells why nothing was appended.
    #[expect(clippy::unused_async, reason = "the engine of a cluster will be asked over a socket")]
    pub async fn publish(&self, name: &ChannelName, mut publication: Publication) -> Result<Published, PublishError> {
        if name.is_reserved() {
            return Err(PublishError::Reserved);
        }
        let channel = self.channel(name).map_err(|ChannelsFull| PublishError::ChannelsFull)?;
        let weight = publication.data.len() + MESSAGE_OVERHEAD;
        let digest = publication.key.as_ref().map(|_| keys::digest(&publication, &self.hasher));
        let key = publication.key.take().zip(digest);
        if self.budget.excess(weight) > 0 {
            // A repetition needs no room.
            if let Some(result) = key.as_ref().and_then(|(key, digest)| channel.find_key(key, *digest)) {
                return result;
            }
            self.make_room(&channel, weight)?;
        }
        let publisher = publication.client.as_ref().map(|client| self.member(client));
        channel.append(publication, publisher, key)
    }
    // ANCHOR_END: hub_publish

    /// Whether somebody reads a channel, or has done so a moment ago: between two polls nobody is there. Asking creates
    /// no channel and keeps none from expiring.
    #[must_use]
    pub fn is_read(&self, name: &ChannelName) -> bool {
        self.read_channel(name).is_some()
    }

    /// Appends a publication of the server's own to a channel that somebody reads. Elsewhere, and without room, it is lost.
    pub fn publish_to_readers(&self, name: &ChannelName, publication: Publication) {
        let Some(channel) = self.read_channel(name) else { return };
        if self.make_room(&channel, publication.data.len() + MESSAGE_OVERHEAD).is_ok() {
            // It fails for keys alone, and what the server tells has none.
            let _ = channel.append(publication, None, None);
        }
    }

    fn read_channel(&self, name: &ChannelName) -> Option<Arc<Channel>> {
        let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner);
        let is_read = |channel: &&Arc<Channel>| channel.subscribers_in_all() > 0 || channel.idle() < BETWEEN_POLLS;
        channels.get(name).filter(is_read).map(Arc::clone)
    }

    /// The public name of a client.
    #[must_use]
    pub fn member(&self, client: &ClientName) -> MemberId {
        MemberId(self.hasher.hash_one(client.as_str()))
    }

    /// Evicts the oldest messages of all channels until `more` bytes fit into the common bound.
    fn make_room(&self, into: &Channel, more: usize) -> Result<(), PublishError> {
        if self.budget.excess(more) == 0 {
            return Ok(());
        }
        self.shed(more + self.budget.limit() / SHED_SHARE);
        // The append evicts what the channel itself holds. Encoded copies don't count here: they give way by themselves.
        if self.budget.excess(more) > into.message_bytes() { Err(PublishError::LogsFull) } else { Ok(()) }
    }

    /// Evicts messages, the oldest of all channels first, until `room` bytes are free or each log has only its newest.
    fn shed(&self, room: usize) {
        let mut by_age: Vec<(u64, Arc<Channel>)> =
            self.all().into_iter().filter_map(|channel| channel.oldest_evictable().map(|at| (at, channel))).collect();
        // A heap of the ends of all logs: take the oldest, put its successor back.
        by_age.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        while self.budget.excess(room) > 0 {
            let Some((_, channel)) = by_age.pop() else { return };
            let next = by_age.last().map_or(u64::MAX, |(at, _)| *at);
            while self.budget.excess(room) > 0 && channel.oldest_evictable().is_some_and(|at| at <= next) {
                channel.evict_oldest();
            }
            if let Some(at) = channel.oldest_evictable() {
                let place = by_age.partition_point(|(other, _)| *other > at);
                by_age.insert(place, (at, channel));
            }
        }
    }

    /// All channels, in no particular order.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Channel>> {
        self.channels.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// How many subscribers all channels have together.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.subscribers.load(Ordering::Relaxed)
    }

    /// The bytes of all logs together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.budget.used()
    }

    /// The bounds.
    #[must_use]
    pub const fn limits(&self) -> &HubLimits {
        &self.limits
    }

    /// Does what time asks for. Called about once a second.
    pub fn sweep(&self) {
        let now = Instant::now();
        self.all().iter().for_each(|channel| channel.sweep(now));
        let expiry = self.limits.expiry;
        let mut channels = self.channels.write().unwrap_or_else(PoisonError::into_inner);
        // Freeing a log takes a while; it is done when the map is unlocked again.
        let expired: Vec<Arc<Channel>> =
            channels.extract_if(|_, channel| channel.is_expired(expiry)).map(|(_, channel)| channel).collect();
        drop(channels);
        drop(expired);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{After, ContentType, Data, KeyLimits, PresenceLimits, Retention};

    fn hub(channels: usize, bytes_in_all: usize, expiry: Duration) -> Hub {
        let channel = ChannelLimits {
            retention: Retention { messages: 100, bytes: 1 << 20, age: Duration::ZERO },
            presence: PresenceLimits { grace: Duration::ZERO, members: 10 },
            keys: KeyLimits { window: Duration::from_mins(1), per_channel: 10, in_all: 10 },
        };
        Hub::new(HubLimits { channels, expiry, bytes_in_all, channel: Arc::new(channel) })
    }

    fn name(text: &str) -> ChannelName {
        text.parse().expect("a good name")
    }

    fn text(size: usize, key: Option<&str>) -> Publication {
        let data = Data::Text("x".repeat(size).into());
        let key = key.map(|key| key.parse().expect("a good key"));
        Publication { label: None, content_type: ContentType::Text, data, client: None, key }
    }

    #[tokio::test]
    async fn channels_are_created_on_first_use_and_bounded_in_number() {
        let hub = hub(2, 1 << 20, Duration::from_mins(10));
        assert!(hub.channel(&name("a")).is_ok());
        assert!(hub.publish(&name("b"), text(1, None)).await.is_ok());
        assert_eq!(hub.channel(&name("c")).err(), Some(ChannelsFull));
        assert!(hub.channel(&name("a")).is_ok());
    }

    #[tokio::test]
    async fn an_expired_channel_comes_back_with_another_epoch() {
        let hub = hub(2, 1 << 20, Duration::ZERO);
        let old = hub.publish(&name("a"), text(1, None)).await.expect("there is room").id;
        hub.sweep();
        let channel = hub.channel(&name("a")).expect("there is room");
        assert!(channel.locate(&After::Cursor(old)).is_err());
    }

    #[tokio::test]
    async fn a_channel_with_a_reader_does_not_expire() {
        let hub = hub(2, 1 << 20, Duration::ZERO);
        let channel = hub.channel(&name("a")).expect("there is room");
        let reader = channel.count_in(crate::channel::Transport::Sse);
        hub.sweep();
        assert_eq!(hub.all().len(), 1);
        drop(reader);
        hub.sweep();
        assert_eq!(hub.all().len(), 0);
    }

    #[tokio::test]
    async fn the_oldest_messages_of_all_channels_make_room_and_each_newest_stays() {
        let hub = hub(10, 20_000, Duration::from_mins(10));
        for round in 0..20 {
            hub.publish(&name(if round % 2 == 0 { "a" } else { "b" }), text(1_000, None)).await.expect("room is made");
        }
        hub.publish(&name("c"), text(10_000, None)).await.expect("room is made");
        assert!(hub.bytes() <= 20_000, "{} bytes", hub.bytes());
        for channel in hub.all() {
            assert!(channel.head() > channel.start(), "{} lost its newest message", channel.name());
        }
        let refused = hub.publish(&name("d"), text(19_000, None)).await;
        assert_eq!(refused, Err(PublishError::LogsFull));
    }

    #[tokio::test]
    async fn to_a_reserved_channel_only_the_server_publishes_and_only_to_readers() {
        let hub = hub(10, 1 << 20, Duration::ZERO);
        let tap = name("tap.a");
        assert_eq!(hub.publish(&tap, text(1, None)).await, Err(PublishError::Reserved));
        hub.publish_to_readers(&tap, text(1, None));
        assert!(!hub.is_read(&tap));
        assert!(hub.all().is_empty(), "neither has created it");

        let channel = hub.channel(&tap).expect("there is room");
        let reader = channel.count_in(crate::channel::Transport::Sse);
        hub.publish_to_readers(&tap, text(1, None));
        assert_eq!((channel.head(), hub.is_read(&tap)), (1, true));

        drop(reader);
        hub.sweep();
        hub.publish_to_readers(&tap, text(1, None));
        assert!(hub.all().is_empty(), "nor kept it");
    }

    #[tokio::test]
    async fn a_repeated_key_gives_the_first_result_and_appends_nothing() {
        let hub = hub(10, 1 << 20, Duration::from_mins(10));
        let first = hub.publish(&name("a"), text(1, Some("k"))).await.expect("new");
        let again = hub.publish(&name("a"), text(1, Some("k"))).await.expect("known");
        assert_eq!((first.id.clone(), true), (again.id, again.repeated));
        assert_eq!(hub.publish(&name("a"), text(2, Some("k"))).await, Err(PublishError::KeyReused));
        let elsewhere = hub.publish(&name("b"), text(2, Some("k"))).await.expect("another channel");
        assert!(!elsewhere.repeated);
        assert_eq!(first.id.offset, 1);
    }
}
