//! What the server says on a WebSocket: the channel's events as frames, with pings between them and a close at the end.

use bytes::Bytes;

use crate::{
    channel::{Event, Goodbye},
    delivery::{Next, Subscription},
    transport::subscribe::millis,
    wire::{
        Framing,
        websocket::{CloseCode, Opcode, close_frame, frame},
    },
};

/// A subscription, and the words for what comes of it.
#[derive(Debug)]
pub struct Voice {
    /// Where the subscriber is.
    pub subscription: Subscription,
    /// Whether everything is said.
    pub is_over: bool,
}

impl Voice {
    /// Returns the voice of a subscription.
    pub const fn new(subscription: Subscription) -> Self {
        Self { subscription, is_over: false }
    }

    /// The frames for what comes next; none if the peer is gone, after which nothing is said.
    ///
    /// `heard_at_ms` is when the peer was last heard of, in the worker's milliseconds.
    pub fn frames(&mut self, next: Next, heard_at_ms: u64) -> Option<Bytes> {
        let is_raw = self.subscription.framing() == Framing::WebSocketRaw;
        match next {
            Next::Bytes(bytes) | Next::Presence(bytes) => Some(bytes),
            Next::Gap(gap) if is_raw => Some(self.close(CloseCode::Gap, &format!("gap {}", gap.resume))),
            Next::Gap(gap) => Some(self.subscription.encode(&Event::Gap(gap))),
            Next::Heartbeat(_) if self.is_peer_gone(heard_at_ms) => {
                self.is_over = true;
                None
            }
            // A page cannot see a ping, so in `json` it also gets an event.
            Next::Heartbeat(heartbeat) => {
                let mut out = Vec::new();
                frame(Opcode::Ping, b"", &mut out);
                out.extend_from_slice(&self.subscription.encode(&Event::Heartbeat(heartbeat)));
                Some(out.into())
            }
            Next::Goodbye(goodbye) => Some(self.farewell(goodbye)),
        }
    }

    /// Whether the peer has been silent for two heartbeats, though it was pinged at each.
    fn is_peer_gone(&self, heard_at_ms: u64) -> bool {
        let worker = self.subscription.worker();
        worker.now_ms().saturating_sub(heard_at_ms) > 2 * millis(worker.pace().heartbeat)
    }

    fn farewell(&mut self, goodbye: Goodbye) -> Bytes {
        let reason = format!("the server restarts; come back in {} ms", goodbye.reconnect_ms);
        let mut out = self.subscription.encode(&Event::Goodbye(goodbye)).to_vec();
        out.extend_from_slice(&self.close(CloseCode::Restart, &reason));
        out.into()
    }

    /// After a close frame nothing is sent, and the server ends the TCP connection (RFC 6455 §5.5.1, §7.1.1).
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Bytes {
        self.is_over = true;
        let mut out = Vec::new();
        close_frame(code, reason, &mut out);
        out.into()
    }
}
