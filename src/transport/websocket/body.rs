//! The server's half of an open WebSocket: events from the channel, merged with replies to the client.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;
use tokio_stream::Stream as _;

use super::Shared;
use crate::{
    channel::{Event, Goodbye},
    delivery::{Next, Subscription, Worker},
    wire::{
        Framing,
        websocket::{CloseCode, Opcode, close_frame, frame},
    },
};

/// Everything that the server sends on one WebSocket.
pub struct FrameBody {
    subscription: Subscription,
    /// What actix-ws sends for the reader: pongs, answers to commands, the close frame.
    replies: BoxBody,
    shared: Rc<Shared>,
    worker: Rc<Worker>,
    is_over: bool,
}

impl FrameBody {
    pub fn new(subscription: Subscription, replies: BoxBody, shared: Rc<Shared>, worker: Rc<Worker>) -> Self {
        Self { subscription, replies, shared, worker, is_over: false }
    }

    /// Whether the peer has been silent for two heartbeats, though it was pinged at each.
    fn is_peer_gone(&self) -> bool {
        let silence = self.worker.now_ms().saturating_sub(self.shared.heard_at_ms.get());
        silence > 2 * super::super::subscribe::millis(self.worker.pace().heartbeat)
    }

    /// Whether a close frame is among the replies and must wait for messages that were published before it. The client's
    /// own last message may be among them, and the client may wait for it.
    fn is_behind_the_close(&self) -> bool {
        self.shared.closing_after.get().is_some_and(|last| self.subscription.position() < last)
    }

    fn encode(&mut self, next: Next) -> Option<Bytes> {
        let is_raw = self.subscription.framing() == Framing::WebSocketRaw;
        match next {
            Next::Bytes(bytes) | Next::Presence(bytes) => Some(bytes),
            Next::Gap(gap) if is_raw => Some(self.close(CloseCode::Gap, &format!("gap {}", gap.resume))),
            Next::Gap(gap) => Some(self.subscription.encode(&Event::Gap(gap))),
            Next::Heartbeat(_) if self.is_peer_gone() => {
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

    fn farewell(&mut self, goodbye: Goodbye) -> Bytes {
        let reason = format!("the server restarts; come back in {} ms", goodbye.reconnect_ms);
        let mut out = self.subscription.encode(&Event::Goodbye(goodbye)).to_vec();
        out.extend_from_slice(&self.close(CloseCode::Restart, &reason));
        out.into()
    }

    /// After a close frame nothing is sent, and the server ends the TCP connection (RFC 6455 §5.5.1, §7.1.1).
    fn close(&mut self, code: CloseCode, reason: &str) -> Bytes {
        self.is_over = true;
        let mut out = Vec::new();
        close_frame(code, reason, &mut out);
        out.into()
    }
}

// ANCHOR: merge
impl MessageBody for FrameBody {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        // Between frames, replies come first: a pong that waits behind a flood of messages comes too late.
        if !self.subscription.is_within_event() && !self.is_behind_the_close() {
            match Pin::new(&mut self.replies).poll_next(context) {
                Poll::Ready(Some(reply)) => return Poll::Ready(Some(reply)),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {}
            }
        }
        let next = ready!(Pin::new(&mut self.subscription).poll_next(context));
        Poll::Ready(next.and_then(|next| self.encode(next)).map(Ok))
    }
}
// ANCHOR_END: merge
