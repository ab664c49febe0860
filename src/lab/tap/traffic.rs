//! Traffic: how much of each kind has gone over a link. It is counted whether or not the bytes are kept.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::items::Direction;
use crate::lab::faults::ExchangeKind;

/// What fits into one TCP segment on a line that carries packets of 1,500 bytes, as Ethernet does.
pub const SEGMENT: u16 = 1460;

/// The counters of one link, one set for each kind of exchange.
#[derive(Debug, Default)]
pub struct Counters([Kind; ExchangeKind::ALL.len()]);

#[derive(Debug, Default)]
struct Kind {
    exchanges: AtomicU64,
    connections: AtomicU64,
    up: Way,
    down: Way,
}

#[derive(Debug, Default)]
struct Way {
    bytes: AtomicU64,
    packets: AtomicU64,
}

impl Counters {
    /// Counts an exchange, and the connection that carries it if this is the first of its kind there.
    pub fn begin(&self, kind: ExchangeKind, is_first_on_connection: bool) {
        let kind = &self.0[kind as usize];
        kind.exchanges.fetch_add(1, Relaxed);
        kind.connections.fetch_add(u64::from(is_first_on_connection), Relaxed);
    }

    /// Counts what one read or write has carried.
    pub fn carry(&self, kind: ExchangeKind, direction: Direction, length: usize) {
        let kind = &self.0[kind as usize];
        let way = match direction {
            Direction::Up => &kind.up,
            Direction::Down => &kind.down,
        };
        way.bytes.fetch_add(length as u64, Relaxed);
        way.packets.fetch_add(length.div_ceil(SEGMENT.into()) as u64, Relaxed);
    }

    /// How much it has been so far.
    #[must_use]
    pub fn read(&self) -> Traffic {
        let kinds = ExchangeKind::ALL.into_iter().map(|kind| (kind, self.0[kind as usize].read()));
        Traffic(kinds.filter(|(_, count)| count.exchanges > 0).collect())
    }
}

impl Kind {
    fn read(&self) -> Count {
        Count {
            exchanges: self.exchanges.load(Relaxed),
            connections: self.connections.load(Relaxed),
            up: self.up.read(),
            down: self.down.read(),
        }
    }
}

impl Way {
    fn read(&self) -> Amount {
        Amount { bytes: self.bytes.load(Relaxed), packets: self.packets.load(Relaxed) }
    }
}

/// How much has gone over a link, by kinds of exchange. A kind that has not occurred is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic(Vec<(ExchangeKind, Count)>);

impl Serialize for Traffic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (kind, count) in &self.0 {
            map.serialize_entry(kind, count)?;
        }
        map.end()
    }
}

/// How much of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Requests with their answers.
    exchanges: u64,
    /// Connections that carried any of them.
    connections: u64,
    up: Amount,
    down: Amount,
}

/// How much in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Amount {
    bytes: u64,
    /// How many TCP segments the reads and writes need at least. Acknowledgments, which carry nothing, do not count.
    packets: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_counted_from_its_first_exchange_on() {
        let counters = Counters::default();
        assert_eq!(serde_json::to_string(&counters.read()).expect("JSON"), "{}");

        counters.begin(ExchangeKind::Poll, true);
        counters.carry(ExchangeKind::Poll, Direction::Up, 10);
        counters.carry(ExchangeKind::Poll, Direction::Down, SEGMENT.into());
        counters.begin(ExchangeKind::Poll, false);
        counters.carry(ExchangeKind::Poll, Direction::Down, usize::from(SEGMENT) + 1);

        assert_eq!(
            serde_json::to_string(&counters.read()).expect("JSON"),
            concat!(
                r#"{"poll":{"exchanges":2,"connections":1,"#,
                r#""up":{"bytes":10,"packets":1},"down":{"bytes":2921,"packets":3}}}"#
            )
        );
    }
}
