//! One channel: its log, its presence, and the two signals that tell readers that there is something new.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use thiserror::Error;
use tokio::sync::watch;

use super::{
    cursor::{After, Cursor, Epoch},
    event::{Gap, Transport},
    keys::{KeyLimits, Keys, Known},
    log::{Budget, Log, Retention},
    message::{ChannelName, IdempotencyKey, MemberId, Message, Publication},
    presence::{Presence, PresenceLimits},
};

/// The time as messages carry it: microseconds since 1970 by the server's clock.
#[must_use]
pub fn now_us() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since_1970.as_micros()).unwrap_or(u64::MAX)
}

/// The bounds of every channel of a hub.
#[derive(Debug)]
pub struct ChannelLimits {
    /// How much each log retains.
    pub retention: Retention,
    /// The bounds of presence.
    pub presence: PresenceLimits,
    /// The bounds of idempotency.
    pub keys: KeyLimits,
}

// ANCHOR: channel
/// A named stream of messages.
///
/// Nothing in here grows with the number of subscribers: a subscriber is a number that somebody else remembers.
#[derive(Debug)]
pub struct Channel {
    name: ChannelName,
    epoch: Epoch,
    /// Locked for short, never over an `.await`.
    state: Mutex<State>,
    /// Locked for short, never over an `.await`, and never together with `state`.
    presence: Mutex<Presence>,
    /// The newest offset: what every reader waits for.
    head: watch::Sender<u64>,
    /// The number of presence changes so far.
    presence_version: watch::Sender<u64>,
    /// How many subscribers there are now, by transport.
    subscribers: [AtomicUsize; Transport::ALL.len()],
    /// How many subscribers all channels have together.
    subscribers_of_hub: Arc<AtomicUsize>,
    /// The bytes of all logs together.
    budget: Arc<Budget>,
    /// When it was used last, in milliseconds since it was created; the clock on the wall may step.
    /// Whether it was used since somebody asked for how long it was not.
    is_used: AtomicBool,
    last_used_ms: AtomicU64,
    created: Instant,
    limits: Arc<ChannelLimits>,
}

#[derive(Debug)]
struct State {
    log: Log,
    keys: Keys,
}
// ANCHOR_END: channel

/// The result of a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The message's cursor.
    pub id: Cursor,
    /// Whether the key was known, so that nothing was appended now.
    pub repeated: bool,
    /// How many subscribers the channel has, more or less.
    pub subscribers: usize,
}

/// Why a publication was refused. Nothing was appended, and no key was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PublishError {
    /// Only the server itself publishes there.
    #[error(
        "on `crowd.live`, and on channels whose names begin with `tap.`, nobody but the server publishes: it tells there \
         how a demo's crowd fares, and what passes over a link of the lab"
    )]
    Reserved,
    /// The key stands for another publication.
    #[error("this key was used for another publication within its window")]
    KeyReused,
    /// No more keys can be remembered.
    #[error("too many idempotency keys are remembered; publish without a key or wait for the window to pass")]
    KeysFull,
    /// There is no room for another channel.
    #[error("there is no room for another channel")]
    ChannelsFull,
    /// All logs together are full, and nothing more can be evicted.
    #[error("the logs of all channels are full, and only each channel's newest message is left in them")]
    LogsFull,
}

impl Channel {
    /// Returns a channel with an empty log of a new epoch.
    pub(super) fn new(
        name: ChannelName,
        limits: Arc<ChannelLimits>,
        budget: Arc<Budget>,
        keys: Keys,
        subscribers_of_hub: Arc<AtomicUsize>,
    ) -> Self {
        let log = Log::new(limits.retention, Arc::clone(&budget));
        Self {
            name,
            epoch: log.epoch().clone(),
            presence: Mutex::new(Presence::new(limits.presence)),
            state: Mutex::new(State { log, keys }),
            head: watch::Sender::new(0),
            presence_version: watch::Sender::new(0),
            subscribers: Default::default(),
            subscribers_of_hub,
            budget,
            is_used: AtomicBool::new(false),
            last_used_ms: AtomicU64::new(0),
            created: Instant::now(),
            limits,
        }
    }

    /// The channel's name.
    #[must_use]
    pub const fn name(&self) -> &ChannelName {
        &self.name
    }

    /// The epoch of the channel's log.
    #[must_use]
    pub const fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// The cursor of a position in the channel's log.
    #[must_use]
    pub fn cursor(&self, offset: u64) -> Cursor {
        Cursor { epoch: self.epoch.clone(), offset }
    }

    /// The newest offset, and a way to wait for the next.
    #[must_use]
    pub fn watch_head(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// The newest offset.
    #[must_use]
    pub fn head(&self) -> u64 {
        *self.head.borrow()
    }

    /// The number of presence changes so far, and a way to wait for the next.
    #[must_use]
    pub fn watch_presence(&self) -> watch::Receiver<u64> {
        self.presence_version.subscribe()
    }

    /// What a key already stands for.
    pub(super) fn find_key(&self, key: &IdempotencyKey, digest: u64) -> Option<Result<Published, PublishError>> {
        let known = self.lock_state().keys.find(key, digest)?;
        Some(self.known_result(&known))
    }

    fn known_result(&self, known: &Known) -> Result<Published, PublishError> {
        match *known {
            Known::Same(offset) => Ok(self.published(offset, true)),
            Known::Other => Err(PublishError::KeyReused),
        }
    }

    // ANCHOR: publish
    /// Appends a publication and wakes whoever waits for it. Its key comes beside it, with the publication's digest.
    ///
    /// The key is looked up under the same lock, so of two concurrent duplicates the second finds the first.
    pub(super) fn append(
        &self,
        publication: Publication,
        publisher: Option<MemberId>,
        key: Option<(IdempotencyKey, u64)>,
    ) -> Result<Published, PublishError> {
        let mut state = self.lock_state();
        if let Some((key, digest)) = &key {
            if let Some(known) = state.keys.find(key, *digest) {
                return self.known_result(&known);
            }
            if !state.keys.has_room(&self.limits.keys) {
                return Err(PublishError::KeysFull);
            }
        }
        let offset = state.log.append(publication, now_us(), publisher);
        if let Some((key, digest)) = key {
            state.keys.remember(key, digest, offset, Instant::now());
        }
        drop(state);
        self.announce_head(offset);
        Ok(self.published(offset, false))
    }

    fn published(&self, offset: u64, repeated: bool) -> Published {
        Published { id: self.cursor(offset), repeated, subscribers: self.subscribers_in_all() }
    }

    /// Two publishers may come here in the other order than they appended; the head only moves forward.
    fn announce_head(&self, offset: u64) {
        self.head.send_if_modified(|head| {
            let newer = *head < offset;
            *head = offset.max(*head);
            newer
        });
    }
    // ANCHOR_END: publish

    /// Finds the position that a subscription asks for, or the gap that stands between.
    ///
    /// # Errors
    /// Returns the gap when continuity from there cannot be proven.
    pub fn locate(&self, after: &After) -> Result<u64, Gap> {
        self.lock_state().log.locate(after)
    }

    /// The gap of a subscriber that stood at `position` and fell off the log.
    #[must_use]
    pub fn slow_gap(&self, position: u64) -> Gap {
        self.lock_state().log.slow_gap(position)
    }

    /// The position before the oldest message retained.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.lock_state().log.start()
    }

    /// At most `limit` messages after `position`, oldest first, and the position before the oldest message retained.
    #[must_use]
    pub fn messages_after(&self, position: u64, limit: usize) -> (Vec<Arc<Message>>, u64) {
        let state = self.lock_state();
        (state.log.after(position).take(limit).cloned().collect(), state.log.start())
    }

    /// Counts encoded copies of messages, given by offset and size, in the log's byte bound. Returns the position before
    /// the oldest message retained then.
    pub fn charge(&self, copies: impl Iterator<Item = (u64, usize)>) -> u64 {
        let mut state = self.lock_state();
        copies.for_each(|(offset, bytes)| state.log.charge(offset, bytes));
        state.log.evict(now_us());
        state.log.start()
    }

    /// Takes encoded copies that are gone off the log's byte bound.
    pub fn discharge(&self, copies: impl Iterator<Item = (u64, usize)>) {
        let mut state = self.lock_state();
        copies.for_each(|(offset, bytes)| state.log.discharge(offset, bytes));
    }

    /// The bytes that the log holds, those of encoded copies included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lock_state().log.bytes()
    }

    /// Whether all logs together are over their bound, so that encoded copies have to give way.
    #[must_use]
    pub fn is_over_budget(&self) -> bool {
        self.budget.is_over()
    }

    pub(super) fn message_bytes(&self) -> usize {
        self.lock_state().log.message_bytes()
    }

    pub(super) fn oldest_evictable(&self) -> Option<u64> {
        self.lock_state().log.oldest_evictable()
    }

    pub(super) fn evict_oldest(&self) -> usize {
        self.lock_state().log.evict_oldest()
    }

    /// Does what time asks for: evicts old messages, forgets old keys, lets absent members leave.
    pub(super) fn sweep(&self, now: Instant) {
        let mut state = self.lock_state();
        state.log.evict(now_us());
        state.keys.expire(self.limits.keys.window, now);
        drop(state);
        self.change_presence(|presence| presence.sweep(now));
    }

    /// Runs `change` on who is here and tells the readers if something changed.
    pub fn change_presence<R>(&self, change: impl FnOnce(&mut Presence) -> R) -> R {
        let mut presence = self.lock_presence();
        let result = change(&mut presence);
        let version = presence.version();
        drop(presence);
        self.presence_version.send_if_modified(|known| {
            let newer = *known < version;
            *known = version.max(*known);
            newer
        });
        result
    }

    /// Runs `read` on who is here.
    pub fn read_presence<R>(&self, read: impl FnOnce(&Presence) -> R) -> R {
        read(&self.lock_presence())
    }

    /// Counts a subscriber in for as long as the guard lives.
    #[must_use]
    pub fn count_in(self: &Arc<Self>, transport: Transport) -> Counted {
        self.subscribers[transport as usize].fetch_add(1, Ordering::Relaxed);
        self.subscribers_of_hub.fetch_add(1, Ordering::Relaxed);
        Counted { channel: Arc::clone(self), transport }
    }

    /// How many subscribers a transport has now.
    #[must_use]
    pub fn subscribers(&self, transport: Transport) -> usize {
        self.subscribers[transport as usize].load(Ordering::Relaxed)
    }

    /// How many subscribers there are now over all transports.
    #[must_use]
    pub fn subscribers_in_all(&self) -> usize {
        Transport::ALL.iter().map(|&transport| self.subscribers(transport)).sum()
    }

    /// Marks the channel as used now, so that it does not expire. When that was, the next question after it notes: every
    /// poll comes by here, and to ask for the time would cost it more than all the rest of what is done for it here.
    pub(super) fn touch(&self) {
        // A line of memory that is only read stays with all cores.
        if !self.is_used.load(Ordering::Relaxed) {
            self.is_used.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn is_expired(&self, after: Duration) -> bool {
        self.subscribers_in_all() == 0 && self.idle() >= after
    }

    /// For how long nobody has used the channel, as far as is known: counted from the first question after its last use,
    /// and the sweep asks every second.
    pub(super) fn idle(&self) -> Duration {
        if self.is_used.swap(false, Ordering::Relaxed) {
            self.last_used_ms.store(self.age_ms(), Ordering::Relaxed);
        }
        Duration::from_millis(self.age_ms().saturating_sub(self.last_used_ms.load(Ordering::Relaxed)))
    }

    /// Whether the channel holds no message.
    pub(super) fn is_empty(&self) -> bool {
        self.head() == 0
    }

    fn age_ms(&self) -> u64 {
        u64::try_from(self.created.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A panic under the lock would have been a bug in here; the data are whole all the same, for no method panics midway.
    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_presence(&self) -> MutexGuard<'_, Presence> {
        self.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A subscriber counted in. Dropping it counts the subscriber out.
#[derive(Debug)]
pub struct Counted {
    channel: Arc<Channel>,
    transport: Transport,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.channel.subscribers[self.transport as usize].fetch_sub(1, Ordering::Relaxed);
        self.channel.subscribers_of_hub.fetch_sub(1, Ordering::Relaxed);
        self.channel.touch();
    }
}
