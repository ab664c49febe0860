//! Connection limits: how many in all, and how many from one address.
//!
//! A connection is counted when it is accepted and until it ends, whatever it carries. One beyond the limit is accepted
//! too, for a refusal that says why helps more than a time-out; its requests are answered with the refusal.

use std::{
    collections::HashMap,
    net::IpAddr,
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
    by_address: Mutex<HashMap<IpAddr, usize>>,
    max: usize,
    max_per_address: Option<usize>,
}

impl Connections {
    /// Returns a count of none.
    #[must_use]
    pub fn new(max: usize, max_per_address: Option<usize>) -> Self {
        Self { open: AtomicUsize::new(0), by_address: Mutex::default(), max, max_per_address }
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

    /// Counts a connection in for as long as the ticket lives.
    #[must_use]
    pub fn admit(self: &Arc<Self>, address: Option<IpAddr>) -> Ticket {
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        // Without a limit for each address nobody pays for the map.
        let address = address.filter(|_| self.max_per_address.is_some());
        let from_address = address.map_or(0, |address| self.count(address));
        let verdict = if open > self.max {
            Verdict::TooMany
        } else if self.max_per_address.is_some_and(|max| from_address > max) {
            Verdict::TooManyFromAddress
        } else {
            Verdict::Admitted
        };
        Ticket(Arc::new(Admission { connections: Arc::clone(self), address, verdict, places: Arc::default() }))
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

/// A connection counted in; a cheap clone of one handle. Dropping the last counts the connection out.
#[derive(Clone, Debug)]
pub struct Ticket(Arc<Admission>);

#[derive(Debug)]
struct Admission {
    connections: Arc<Connections>,
    address: Option<IpAddr>,
    verdict: Verdict,
    /// Counts the subscriptions that the connection carries, by the handles of this.
    places: Arc<Place>,
}

/// How many subscriptions one connection carries at most. Over HTTP/1.1 it is one, over HTTP/2 as many as it has streams.
const PLACES: usize = 256;

/// A subscription's place on its connection, held for as long as the subscription lives.
#[derive(Debug, Default)]
pub struct Place;

impl Ticket {
    /// Takes a place for one more subscription, if there is one left.
    #[must_use]
    pub fn place(&self) -> Option<Arc<Place>> {
        (Arc::strong_count(&self.0.places) <= PLACES).then(|| Arc::clone(&self.0.places))
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
        if let Some(address) = self.address {
            self.connections.leave(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_bounded_in_all_and_by_address_and_room_comes_back() {
        let [ada, bob]: [IpAddr; 2] = [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
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
