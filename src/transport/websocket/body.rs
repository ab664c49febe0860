//! The server's half of an open WebSocket as a response body: events from the channel, merged with replies to the client.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;
use tokio_stream::Stream as _;

use super::{Shared, voice::Voice};

/// Everything that the server sends on one WebSocket.
pub struct FrameBody {
    voice: Voice,
    /// What actix-ws sends for the reader: pongs, answers to commands, the close frame.
    replies: BoxBody,
    shared: Rc<Shared>,
}

impl FrameBody {
    pub const fn new(voice: Voice, replies: BoxBody, shared: Rc<Shared>) -> Self {
        Self { voice, replies, shared }
    }

    /// Whether a close frame is among the replies and must wait for messages that were published before it. The client's
    /// own last message may be among them, and the client may wait for it.
    fn is_behind_the_close(&self) -> bool {
        self.shared.closing_after.get().is_some_and(|last| self.voice.subscription.position() < last)
    }

    fn poll_reply(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Box<dyn std::error::Error>>>> {
        if self.voice.subscription.is_within_event() || self.is_behind_the_close() {
            return Poll::Pending;
        }
        Pin::new(&mut self.replies).poll_next(context)
    }
}

// ANCHOR: merge
impl MessageBody for FrameBody {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.voice.is_over {
            return Poll::Ready(None);
        }
        let is_behind = self.is_behind_the_close();
        // Between frames, replies come first: a pong that waits behind a flood of messages comes too late.
        if let Poll::Ready(reply) = self.poll_reply(context) {
            return Poll::Ready(reply);
        }
        match Pin::new(&mut self.voice.subscription).poll_next(context) {
            Poll::Ready(next) => {
                let heard_at_ms = self.shared.heard_at_ms.get();
                Poll::Ready(next.and_then(|next| self.voice.frames(next, heard_at_ms)).map(Ok))
            }
            // Meanwhile it may have passed over messages of the client's own, which a close frame has waited for.
            Poll::Pending if is_behind => self.poll_reply(context),
            Poll::Pending => Poll::Pending,
        }
    }
}
// ANCHOR_END: merge
