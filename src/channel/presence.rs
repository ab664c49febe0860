//! Presence: who is here, beside the log and not part of it.
//!
//! Members are keyed by their client, so a reload or a hop between transports is one member, not two. Somebody who goes
//! away is kept for a grace, and only then has left. Changes go into a small ring of their own; a reader that falls off
//! it gets the whole list again.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::{
    event::{MemberInfo, PresenceEvent, Transport},
    message::{DisplayName, MemberId},
};

/// How many changes the ring keeps. A reader that misses more gets the list, which is shorter than so many changes.
const RING_CHANGES: usize = 256;

/// The bounds of one channel's presence.
#[derive(Clone, Copy, Debug)]
pub struct PresenceLimits {
    /// How long somebody is still here after the last connection has gone.
    pub grace: Duration,
    /// How many members are announced at most.
    pub members: usize,
}

/// Who is here, and the latest changes.
#[derive(Debug)]
pub struct Presence {
    members: HashMap<MemberId, Member>,
    changes: VecDeque<PresenceEvent>,
    /// The number of all changes so far; the newest in the ring has this number.
    version: u64,
    /// What pollers, who have no connection to remember it by, were last told.
    told: HashMap<MemberId, (u64, Instant)>,
    stays: u64,
    limits: PresenceLimits,
}

#[derive(Debug)]
struct Member {
    shown_as: DisplayName,
    transport: Transport,
    connections: usize,
    leaves_at: Option<Instant>,
    /// Which stay this is. A connection of an earlier one, that ends after the member has come back, ends nothing.
    stay: u64,
}

impl Presence {
    /// Returns an empty room.
    #[must_use]
    pub fn new(limits: PresenceLimits) -> Self {
        Self { members: HashMap::new(), changes: VecDeque::new(), version: 0, told: HashMap::new(), stays: 0, limits }
    }

    /// The number of changes so far.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Adds a connection of a member. Returns the number of the stay; beyond the limit there is none.
    pub fn enter(&mut self, id: MemberId, shown_as: DisplayName, transport: Transport) -> Option<u64> {
        if let Some(member) = self.members.get_mut(&id) {
            let renamed = member.shown_as != shown_as;
            member.connections += 1;
            member.leaves_at = None;
            member.shown_as = shown_as;
            member.transport = transport;
            let stay = member.stay;
            if renamed {
                self.announce_join(id);
            }
            return Some(stay);
        }
        if self.members.len() >= self.limits.members {
            return None;
        }
        self.stays += 1;
        let stay = self.stays;
        self.members.insert(id, Member { shown_as, transport, connections: 1, leaves_at: None, stay });
        self.announce_join(id);
        Some(stay)
    }

    /// Removes a connection of a member, who leaves when the grace is over and no other connection has come.
    pub fn exit(&mut self, id: MemberId, stay: u64, now: Instant) {
        if let Some(member) = self.members.get_mut(&id).filter(|member| member.stay == stay) {
            member.connections = member.connections.saturating_sub(1);
            if member.connections == 0 {
                member.leaves_at = Some(now + self.limits.grace);
            }
        }
    }

    /// Ends a member's stay at once, unless another connection holds it.
    pub fn leave(&mut self, id: MemberId) {
        if self.members.get(&id).is_some_and(|member| member.connections == 0) {
            self.remove(id);
        }
    }

    /// Ends a member's stay at once, whatever its connections, as it has asked for.
    pub fn leave_for_good(&mut self, id: MemberId) {
        self.remove(id);
    }

    /// Lets those leave whose grace is over. Returns whether anybody did.
    pub fn sweep(&mut self, now: Instant) -> bool {
        let due = |member: &Member| member.leaves_at.is_some_and(|at| at <= now);
        let gone: Vec<MemberId> = self.members.iter().filter(|(_, member)| due(member)).map(|(id, _)| *id).collect();
        for &id in &gone {
            self.remove(id);
        }
        let grace = self.limits.grace;
        self.told.retain(|_, (_, at)| now.saturating_duration_since(*at) <= grace);
        !gone.is_empty()
    }

    fn remove(&mut self, id: MemberId) {
        if let Some(member) = self.members.remove(&id) {
            let info = MemberInfo { member: id, shown_as: member.shown_as, transport: member.transport };
            let count = self.members.len();
            self.push(PresenceEvent::Leave { info, count });
        }
    }

    fn announce_join(&mut self, id: MemberId) {
        let count = self.members.len();
        if let Some(info) = self.info(id) {
            self.push(PresenceEvent::Join { info, count });
        }
    }

    fn info(&self, id: MemberId) -> Option<MemberInfo> {
        let member = self.members.get(&id)?;
        Some(MemberInfo { member: id, shown_as: member.shown_as.clone(), transport: member.transport })
    }

    fn push(&mut self, change: PresenceEvent) {
        if self.changes.len() == RING_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back(change);
        self.version += 1;
    }

    /// Everybody who is here.
    #[must_use]
    pub fn here(&self) -> PresenceEvent {
        let members = self.members();
        PresenceEvent::Here { count: members.len(), members }
    }

    /// Everybody who is here, in no particular order.
    #[must_use]
    pub fn members(&self) -> Vec<MemberInfo> {
        self.members.keys().filter_map(|&id| self.info(id)).collect()
    }

    /// What a reader that knows everything up to `version` has to be told: changes, or the list if it fell off the ring.
    #[must_use]
    pub fn since(&self, version: Option<u64>) -> Vec<PresenceEvent> {
        let behind = version.map_or(u64::MAX, |version| self.version.saturating_sub(version));
        match usize::try_from(behind) {
            Ok(behind) if behind <= self.changes.len() => {
                self.changes.range(self.changes.len() - behind..).cloned().collect()
            }
            _ => vec![self.here()],
        }
    }

    /// The version that a poller was last told, if it is still remembered. To ask is to be remembered longer.
    pub fn told_to_poller(&mut self, id: MemberId, now: Instant) -> Option<u64> {
        let (version, at) = self.told.get_mut(&id)?;
        *at = now;
        Some(*version)
    }

    /// The full list for a poller, who is remembered as told.
    pub fn tell_poller(&mut self, id: MemberId, now: Instant) -> PresenceEvent {
        // Beyond the limit a poller is told again each time: a longer answer, never a wrong one.
        if self.told.contains_key(&id) || self.told.len() < self.limits.members {
            self.told.insert(id, (self.version, now));
        }
        self.here()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> Presence {
        Presence::new(PresenceLimits { grace: Duration::from_secs(30), members: 2 })
    }

    fn name(text: &str) -> DisplayName {
        text.parse().expect("a good name")
    }

    fn actions(events: &[PresenceEvent]) -> Vec<&'static str> {
        let action = |event: &PresenceEvent| match event {
            PresenceEvent::Here { .. } => "here",
            PresenceEvent::Join { .. } => "join",
            PresenceEvent::Leave { .. } => "leave",
        };
        events.iter().map(action).collect()
    }

    #[test]
    fn a_hop_makes_nobody_flap_and_who_stays_away_has_left() {
        let (mut room, start) = (room(), Instant::now());
        room.enter(MemberId(1), name("Ada"), Transport::Websocket);
        room.exit(MemberId(1), 1, start);
        room.enter(MemberId(1), name("Ada"), Transport::Sse);
        assert!(!room.sweep(start + Duration::from_mins(1)));
        assert_eq!(actions(&room.since(Some(0))), ["join"]);
        room.exit(MemberId(1), 1, start);
        assert!(!room.sweep(start + Duration::from_secs(29)));
        assert!(room.sweep(start + Duration::from_secs(30)));
        assert_eq!(actions(&room.since(Some(0))), ["join", "leave"]);
    }

    #[test]
    fn leaving_at_once_waits_for_the_other_tab() {
        let mut room = room();
        room.enter(MemberId(1), name("Ada"), Transport::Websocket);
        room.enter(MemberId(1), name("Ada"), Transport::Websocket);
        room.exit(MemberId(1), 1, Instant::now());
        room.leave(MemberId(1));
        assert_eq!(actions(&room.since(Some(0))), ["join"]);
    }

    #[test]
    fn a_connection_that_outlives_its_stay_does_not_end_the_next_one() {
        let (mut room, start) = (room(), Instant::now());
        room.enter(MemberId(1), name("Ada"), Transport::Sse);
        room.leave_for_good(MemberId(1));
        room.enter(MemberId(1), name("Ada"), Transport::Sse);
        room.exit(MemberId(1), 1, start);
        assert!(!room.sweep(start + Duration::from_mins(1)));
    }

    #[test]
    fn who_falls_off_the_ring_gets_the_list() {
        let mut room = room();
        for _ in 0..RING_CHANGES {
            room.enter(MemberId(1), name("Ada"), Transport::Sse);
            room.leave_for_good(MemberId(1));
        }
        assert_eq!(actions(&room.since(Some(0))), ["here"]);
        assert_eq!(actions(&room.since(None)), ["here"]);
        assert_eq!(room.since(Some(room.version())).len(), 0);
    }

    #[test]
    fn a_poller_is_remembered_for_as_long_as_it_polls() {
        let (mut room, start) = (room(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(room.told_to_poller(MemberId(1), start), None);
        room.tell_poller(MemberId(1), start);
        room.sweep(after(30));
        assert_eq!(room.told_to_poller(MemberId(1), after(30)), Some(0));
        room.sweep(after(60));
        assert_eq!(room.told_to_poller(MemberId(1), after(60)), Some(0));
        room.sweep(after(91));
        assert_eq!(room.told_to_poller(MemberId(1), after(91)), None);
    }

    #[test]
    fn pollers_beyond_the_limit_are_not_remembered_and_those_within_learn_of_every_change() {
        let (mut room, now) = (room(), Instant::now());
        for id in 1..=3 {
            room.tell_poller(MemberId(id), now);
        }
        assert_eq!(room.told_to_poller(MemberId(3), now), None);
        room.enter(MemberId(1), name("Ada"), Transport::LongPoll);
        assert_eq!(room.told_to_poller(MemberId(2), now), Some(0));
        room.tell_poller(MemberId(2), now);
        assert_eq!(room.told_to_poller(MemberId(2), now), Some(room.version()));
    }

    #[test]
    fn members_are_bounded() {
        let mut room = room();
        assert!(room.enter(MemberId(1), name("Ada"), Transport::Sse).is_some());
        assert!(room.enter(MemberId(2), name("Bob"), Transport::Sse).is_some());
        assert!(room.enter(MemberId(3), name("Eve"), Transport::Sse).is_none());
    }
}
