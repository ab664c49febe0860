//! Streaming delivery: a response body that yields what lies between the subscriber's position and the head.
//!
//! It serves SSE and the stream, over any HTTP version and with or without TLS. WebSocket has a body of its own, for it
//! also answers what the client sends. What such a body yields can also go to a socket without the framework between.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use tokio_stream::Stream as _;

use crate::{
    channel::{Event, Goodbye},
    wire::{self, Framing, sse},
};

use super::{
    direct::{Occupant, Turn},
    fanout::Whom,
    subscription::{Next, Subscription},
};

/// How much a peer may send that is not asked for. A client that has an endless response has nothing more to ask.
const MAX_UNASKED: usize = 64 * 1024;

/// The endless body of an SSE or stream response.
#[derive(Debug)]
pub struct EventBody {
    subscription: Subscription,
    /// What has to live as long as the response does.
    _attached: Box<dyn std::fmt::Debug>,
    /// How much the peer has sent that nobody asked for.
    unasked: usize,
}

impl EventBody {
    /// Returns the body of a subscription. `attached` is dropped together with it.
    #[must_use]
    pub fn new(subscription: Subscription, attached: impl std::fmt::Debug + 'static) -> Self {
        Self { subscription, _attached: Box::new(attached), unasked: 0 }
    }

    fn encode(&self, next: Next) -> Bytes {
        match next {
            Next::Bytes(bytes) | Next::Presence(bytes) => bytes,
            Next::Gap(gap) => self.subscription.encode(&Event::Gap(gap)),
            Next::Heartbeat(heartbeat) => self.subscription.encode(&Event::Heartbeat(heartbeat)),
            Next::Goodbye(goodbye) => farewell(self.subscription.framing(), goodbye),
        }
    }
}

/// The last bytes of a stream. On SSE they also tell the browser, which reconnects by itself, when to do so.
#[must_use]
pub fn farewell(framing: Framing, goodbye: Goodbye) -> Bytes {
    let mut out = Vec::new();
    if matches!(framing, Framing::SseRaw | Framing::SseJson) {
        sse::retry_line(Duration::from_millis(goodbye.reconnect_ms), &mut out);
    }
    wire::encode_event(framing, &Event::Goodbye(goodbye), &mut out);
    out.into()
}

impl MessageBody for EventBody {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let next = ready!(Pin::new(&mut self.subscription).poll_next(context));
        Poll::Ready(next.map(|next| Ok(self.encode(next))))
    }
}

impl Occupant for EventBody {
    fn next(&mut self, whom: Whom<'_>) -> Turn {
        if self.unasked > MAX_UNASKED {
            return Turn::Drop;
        }
        match self.subscription.next_for(whom) {
            Poll::Ready(Some(next)) => Turn::Send(self.encode(next)),
            Poll::Ready(None) => Turn::End,
            Poll::Pending => Turn::Wait,
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.unasked = self.unasked.saturating_add(bytes.len());
    }
}
