//! What a server of this design should reach, to be shown next to what it does.

use super::{
    cell::Cell,
    contender::{DIRECT, LIMIT, STREAMING},
    summary::Quantity::{
        self, BytesPerDelivery, ConnectsPerSecond, CpuNsPerDelivery, DeliveriesPerSecond, MemoryPerConnection, P50Us,
        P99Us,
    },
};
use crate::fanout::options::Transport::{self, LongPoll, Sse, WebSocket};

/// A bound on a quantity of fallcast in one cell.
pub struct Target {
    pub contender: &'static str,
    pub cell: Cell,
    pub quantity: Quantity,
    pub bound: Bound,
    /// Whose value is the unit; `None` if the bound is a value itself.
    pub unit: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(bound) => value <= bound,
            Self::AtLeast(bound) => value >= bound,
        }
    }
}

/// Shorthand for the tables below: who, transport, subscribers, bytes, quantity, bound, unit.
type Line = (&'static str, Transport, u32, u32, Quantity, Bound, Option<&'static str>);

use Bound::{AtLeast, AtMost};

const BUN: &str = "bun";
const NCHAN: &str = "nchan";
const NODE: &str = "node";
const SOCKET_IO: &str = "socket.io";
const UWEBSOCKETS: &str = "uwebsockets";

const LINES: [Line; 54] = [
    (DIRECT, WebSocket, 1_000, 64, CpuNsPerDelivery, AtMost(1.10), Some(LIMIT)),
    (DIRECT, WebSocket, 1_000, 64, CpuNsPerDelivery, AtMost(1.00), Some(BUN)),
    (DIRECT, WebSocket, 1_000, 64, CpuNsPerDelivery, AtMost(1.00), Some(UWEBSOCKETS)),
    (DIRECT, WebSocket, 1_000, 64, CpuNsPerDelivery, AtMost(0.75), Some(NCHAN)),
    (DIRECT, WebSocket, 1_000, 64, CpuNsPerDelivery, AtMost(0.60), Some(NODE)),
    (DIRECT, WebSocket, 1_000, 64, CpuNsPerDelivery, AtMost(0.45), Some(SOCKET_IO)),
    (STREAMING, WebSocket, 1_000, 64, CpuNsPerDelivery, AtMost(1.5), Some(LIMIT)),
    (STREAMING, WebSocket, 1_000, 64, CpuNsPerDelivery, AtMost(1.0), Some(NCHAN)),
    (STREAMING, WebSocket, 1_000, 64, CpuNsPerDelivery, AtMost(0.8), Some(NODE)),
    (DIRECT, WebSocket, 1_000, 64, DeliveriesPerSecond, AtLeast(1.4), Some(BUN)),
    (DIRECT, WebSocket, 1_000, 64, DeliveriesPerSecond, AtLeast(3.0), Some(UWEBSOCKETS)),
    (DIRECT, WebSocket, 1_000, 64, DeliveriesPerSecond, AtLeast(18.0), Some(NCHAN)),
    (DIRECT, WebSocket, 1_000, 64, DeliveriesPerSecond, AtLeast(45.0), Some(NODE)),
    (STREAMING, WebSocket, 1_000, 64, DeliveriesPerSecond, AtLeast(1.2), Some(BUN)),
    (STREAMING, WebSocket, 1_000, 64, DeliveriesPerSecond, AtLeast(10.0), Some(NCHAN)),
    (DIRECT, WebSocket, 1_000, 1_024, DeliveriesPerSecond, AtLeast(1.1), Some(BUN)),
    (DIRECT, WebSocket, 1_000, 16_384, CpuNsPerDelivery, AtMost(1.1), Some(LIMIT)),
    (DIRECT, WebSocket, 1_000, 16_384, DeliveriesPerSecond, AtLeast(1.8), Some(BUN)),
    (STREAMING, WebSocket, 1_000, 1_024, DeliveriesPerSecond, AtLeast(0.6), Some(BUN)),
    (STREAMING, WebSocket, 1_000, 16_384, DeliveriesPerSecond, AtLeast(0.6), Some(BUN)),
    (DIRECT, Sse, 1_000, 64, CpuNsPerDelivery, AtMost(1.05), Some(LIMIT)),
    (DIRECT, Sse, 1_000, 64, CpuNsPerDelivery, AtMost(0.6), Some(NCHAN)),
    (DIRECT, Sse, 1_000, 64, DeliveriesPerSecond, AtLeast(30.0), Some(NCHAN)),
    (STREAMING, Sse, 1_000, 64, CpuNsPerDelivery, AtMost(1.2), Some(LIMIT)),
    (STREAMING, Sse, 1_000, 64, DeliveriesPerSecond, AtLeast(30.0), Some(NCHAN)),
    (DIRECT, LongPoll, 1_000, 64, CpuNsPerDelivery, AtMost(1.0), Some(LIMIT)),
    (DIRECT, LongPoll, 1_000, 64, CpuNsPerDelivery, AtMost(0.5), Some(NCHAN)),
    (DIRECT, LongPoll, 1_000, 64, DeliveriesPerSecond, AtLeast(15.0), Some(NCHAN)),
    (DIRECT, LongPoll, 1_000, 64, BytesPerDelivery, AtMost(0.5), Some(NCHAN)),
    (STREAMING, LongPoll, 1_000, 64, CpuNsPerDelivery, AtMost(0.6), Some(SOCKET_IO)),
    (STREAMING, LongPoll, 1_000, 64, DeliveriesPerSecond, AtLeast(10.0), Some(NCHAN)),
    (DIRECT, WebSocket, 10_000, 64, CpuNsPerDelivery, AtMost(1.35), Some(LIMIT)),
    (DIRECT, Sse, 10_000, 64, CpuNsPerDelivery, AtMost(1.35), Some(LIMIT)),
    (DIRECT, LongPoll, 10_000, 64, CpuNsPerDelivery, AtMost(1.35), Some(LIMIT)),
    (DIRECT, WebSocket, 10_000, 64, CpuNsPerDelivery, AtMost(1.0), Some(BUN)),
    (DIRECT, Sse, 10_000, 64, CpuNsPerDelivery, AtMost(1.0), Some(BUN)),
    (STREAMING, WebSocket, 10_000, 64, CpuNsPerDelivery, AtMost(1.0), Some(NCHAN)),
    (STREAMING, Sse, 10_000, 64, CpuNsPerDelivery, AtMost(1.0), Some(NCHAN)),
    (STREAMING, LongPoll, 10_000, 64, CpuNsPerDelivery, AtMost(1.0), Some(NCHAN)),
    (DIRECT, WebSocket, 10_000, 64, MemoryPerConnection, AtMost(600.0), None),
    (DIRECT, Sse, 10_000, 64, MemoryPerConnection, AtMost(600.0), None),
    (DIRECT, LongPoll, 10_000, 64, MemoryPerConnection, AtMost(600.0), None),
    (STREAMING, WebSocket, 10_000, 64, MemoryPerConnection, AtMost(11_000.0), None),
    (STREAMING, Sse, 10_000, 64, MemoryPerConnection, AtMost(11_000.0), None),
    (STREAMING, LongPoll, 10_000, 64, MemoryPerConnection, AtMost(17_000.0), None),
    (DIRECT, WebSocket, 10_000, 64, ConnectsPerSecond, AtLeast(0.6), Some(NCHAN)),
    (DIRECT, WebSocket, 10_000, 64, ConnectsPerSecond, AtLeast(3.0), Some(NODE)),
    (STREAMING, WebSocket, 10_000, 64, ConnectsPerSecond, AtLeast(0.6), Some(NCHAN)),
    (DIRECT, WebSocket, 1_000, 64, P50Us, AtMost(1.15), Some(LIMIT)),
    (DIRECT, WebSocket, 1_000, 64, P99Us, AtMost(1.4), Some(LIMIT)),
    (DIRECT, Sse, 1_000, 64, P50Us, AtMost(1.15), Some(LIMIT)),
    (DIRECT, Sse, 1_000, 64, P99Us, AtMost(1.4), Some(LIMIT)),
    (STREAMING, WebSocket, 1_000, 64, P50Us, AtMost(1.4), Some(LIMIT)),
    (STREAMING, WebSocket, 1_000, 64, P99Us, AtMost(1.7), Some(LIMIT)),
];

/// All targets.
pub fn all() -> impl Iterator<Item = Target> {
    LINES.into_iter().map(|(contender, transport, subscribers, payload, quantity, bound, unit)| Target {
        contender,
        cell: Cell { transport, subscribers, payload },
        quantity,
        bound,
        unit,
    })
}
