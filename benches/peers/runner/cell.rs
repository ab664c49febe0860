//! What is measured: one transport, one size of the audience, one size of the messages.

use std::{fmt, str::FromStr};

use clap::ValueEnum as _;
use serde::{Deserialize, Serialize};

use crate::fanout::options::Transport;

const TRANSPORTS: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::LongPoll];
const SUBSCRIBERS: [u32; 3] = [100, 1_000, 10_000];

/// Bytes of a message.
const PAYLOADS: [u32; 3] = [64, 1 << 10, 16 << 10];

/// A place in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    pub transport: Transport,
    pub subscribers: u32,
    /// Bytes of each message.
    pub payload: u32,
}

impl Cell {
    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        TRANSPORTS.into_iter().flat_map(|transport| {
            SUBSCRIBERS.into_iter().flat_map(move |subscribers| {
                PAYLOADS.into_iter().map(move |payload| Self { transport, subscribers, payload })
            })
        })
    }

    /// One of those that most is said about.
    pub fn is_main(self) -> bool {
        self.subscribers == 1_000 && self.payload == 64
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} × {}, {} B", self.transport, self.subscribers, self.payload)
    }
}

/// Some of the cells: `TRANSPORT/SUBSCRIBERS/BYTES`, where `*` is anything and what is left out is, too.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    transport: Option<Transport>,
    subscribers: Option<u32>,
    payload: Option<u32>,
}

impl Pattern {
    pub fn matches(&self, cell: Cell) -> bool {
        self.transport.is_none_or(|transport| transport == cell.transport)
            && self.subscribers.is_none_or(|subscribers| subscribers == cell.subscribers)
            && self.payload.is_none_or(|payload| payload == cell.payload)
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('/').map(|part| Some(part).filter(|&part| part != "*"));
        let mut next = || parts.next().flatten();
        let number = |part: Option<&str>| {
            part.map(|part| part.parse().map_err(|_| format!("{part:?} is no number"))).transpose()
        };
        let transport = next().map(|part| Transport::from_str(part, true)).transpose()?;
        let (subscribers, payload) = (number(next())?, number(next())?);
        let pattern = Self { transport, subscribers, payload };
        if Cell::all().any(|cell| pattern.matches(cell)) {
            Ok(pattern)
        } else {
            Err("there is no such cell".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, count: usize) {
        let pattern: Pattern = pattern.parse().expect("a pattern");
        assert_eq!(Cell::all().filter(|&cell| pattern.matches(cell)).count(), count);
    }

    #[test]
    fn a_pattern_chooses_by_the_parts_that_it_names() {
        check("*", 27);
        check("sse", 9);
        check("*/1000", 9);
        check("long-poll/*/64", 3);
        check("websocket/10000/16384", 1);
        "websocket/7".parse::<Pattern>().expect_err("no such audience");
        "carrier-pigeon".parse::<Pattern>().expect_err("no such transport");
    }
}
