//! Connection limits: how many in all, and how many from one address.
//!
//! A connection is counted when it is accepted and until it ends, whatever it carries. One beyond the limit is accepted
//! too, for a refusal that says why helps more than a time-out; its requests are answered with the refusal.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// What was decided about a connection when it was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be used.
    Admitted,
    /// There are too many in all.
    TooMany,
    /// There are too many from its address.
    TooManyFromAddress,
}

/// The connections now open.
#[derive(Debug)]
pub struct Connections {
    open: AtomicUsize,
    /// Descriptors that are in use for something else and so missing for connections.
    lent: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
    max: usize,
    max_per_address: Option<usize>,
}

impl Connections {
    /// Returns a count of none.
    #[must_use]
    pub fn new(max: usize, max_per_address: Option<usize>) -> Self {
        Self {
            open: AtomicUsize::new(0),
            lent: AtomicUsize::new(0),
            by_address: Mutex::default(),
            max,
            max_per_address,
        }
    }

    /// How many connections there may be, and how many subscriptions over them.
    #[must_use]
    pub const fn max(&self) -> usize {
        self.max
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// How many more connections there may be now.
    #[must_use]
    pub fn free(&self) -> usize {
        self.max.saturating_sub(self.open() + self.lent.load(Ordering::Relaxed))
    }

    /// Lends the room of so many connections to something else, for as long as the loan lives; `None` if there is less.
    #[must_use]
    pub fn lend(self: &Arc<Self>, count: usize) -> Option<Loan> {
        let lent = self.lent.fetch_add(count, Ordering::Relaxed) + count;
        let loan = Loan { connections: Arc::clone(self), count };
        (self.open() + lent <= self.max).then_some(loan)
    }

    /// Counts a connection in for as long as the ticket lives.
    #[must_use]
    pub fn admit(self: &Arc<Self>, peer: Option<SocketAddr>) -> Ticket {
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        // Without a limit for each address nobody pays for the map.
        let counted = peer.filter(|_| self.max_per_address.is_some());
        let from_address = counted.map_or(0, |peer| self.count(peer.ip()));
        let verdict = if open + self.lent.load(Ordering::Relaxed) > self.max {
            Verdict::TooMany
        } else if self.max_per_address.is_some_and(|max| from_address > max) {
            Verdict::TooManyFromAddress
        } else {
            Verdict::Admitted
        };
        Ticket(Arc::new(Admission { connections: Arc::clone(self), peer, verdict, places: AtomicUsize::new(0) }))
    }

    fn count(&self, address: IpAddr) -> usize {
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_address.entry(address).or_default();
        *count += 1;
        *count
    }

    fn leave(&self, address: IpAddr) {
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&address);
            }
        }
    }
}

/// Room of connections that something else uses. Dropping it gives the room back.
#[derive(Debug)]
pub struct Loan {
    connections: Arc<Connections>,
    count: usize,
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.connections.lent.fetch_sub(self.count, Ordering::Relaxed);
    }
}

/// A connection counted in; a cheap clone of one handle. Dropping the last counts the connection out.
#[derive(Clone, Debug)]
pub struct Ticket(Arc<Admission>);

#[derive(Debug)]
struct Admission {
    connections: Arc<Connections>,
    peer: Option<SocketAddr>,
    verdict: Verdict,
    /// How many subscriptions the connection carries.
    places: AtomicUsize,
}

/// How many subscriptions one connection carries at most. Over HTTP/1.1 it is one, over HTTP/2 as many as it has streams.
const PLACES: usize = 256;

/// A subscription's place on its connection, held for as long as the subscription lives.
#[derive(Debug)]
pub struct Place(Arc<Admission>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.places.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ticket {
    /// Takes a place for one more subscription, if there is one left.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        let is_left = self.0.places.fetch_add(1, Ordering::Relaxed) < PLACES;
        // Dropped, it gives back what was taken too much.
        let place = Place(Arc::clone(&self.0));
        is_left.then_some(place)
    }

    /// Who is at the other end, if anybody knows.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.0.peer
    }

    /// What was decided.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.0.verdict
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.connections.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(peer) = self.peer.filter(|_| self.connections.max_per_address.is_some()) {
            self.connections.leave(peer.ip());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_bounded_in_all_and_by_address_and_room_comes_back() {
        let [ada, bob]: [SocketAddr; 2] = [([10, 0, 0, 1], 1).into(), ([10, 0, 0, 2], 1).into()];
        let connections = Arc::new(Connections::new(3, Some(2)));
        let first = connections.admit(Some(ada));
        let second = connections.admit(Some(ada));
        assert_eq!(connections.admit(Some(ada)).verdict(), Verdict::TooManyFromAddress);
        let third = connections.admit(Some(bob));
        assert_eq!([&first, &second, &third].map(Ticket::verdict), [Verdict::Admitted; 3]);
        assert_eq!(connections.admit(Some(bob)).verdict(), Verdict::TooMany);
        drop(first);
        assert_eq!(connections.admit(Some(ada)).verdict(), Verdict::Admitted);
        drop((second, third));
        assert_eq!((connections.open(), connections.by_address.lock().expect("whole").len()), (0, 0));
    }
}
