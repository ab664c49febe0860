//! The gate: looks at the raw bytes of a WebSocket before the frame parser of actix-ws does.
//!
//! The parser behind it keeps a whole frame in memory before it checks its size, returns an error before the good messages
//! that came with it, checks UTF-8 only when a message is complete, and keeps each fragment in memory of its own, so that a
//! message of one-byte fragments takes hundreds of times its size. So the gate lets one complete message or control frame
//! through at a time, and what breaks a rule not at all.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_web::{dev::Payload, error::PayloadError};
use bytes::Bytes;
use tokio_stream::Stream;

use super::{
    Shared,
    intake::{Arrived, Intake, Violation},
};
use crate::{delivery::Worker, wire::websocket};

/// A request's payload that consists of good frames only.
pub struct Gate {
    payload: Payload,
    shared: Rc<Shared>,
    worker: Rc<Worker>,
    intake: Intake,
    /// Whether a frame was let through in this turn. The parser reads until there is nothing more, so it gets nothing
    /// more until it has handed on the message.
    let_through: bool,
    is_closed: bool,
}

impl Gate {
    /// Returns a gate for messages of at most `max_message` bytes.
    pub fn new(payload: Payload, max_message: usize, shared: Rc<Shared>, worker: Rc<Worker>) -> Self {
        let intake = Intake::new(max_message);
        Self { payload, shared, worker, intake, let_through: false, is_closed: false }
    }

    fn close(&mut self, violation: Option<Violation>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        self.is_closed = true;
        self.intake.clear();
        if violation.is_some() {
            self.shared.violation.set(violation);
        }
        Poll::Ready(None)
    }
}

impl Stream for Gate {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.let_through) {
            return Poll::Pending;
        }
        if self.is_closed {
            return Poll::Ready(None);
        }
        loop {
            match self.intake.pop() {
                Ok(Some(arrived)) => {
                    // A frame that never gets complete is no sign of life.
                    self.shared.heard_at_ms.set(self.worker.now_ms());
                    self.is_closed = arrived.is_last();
                    self.let_through = true;
                    return Poll::Ready(Some(Ok(as_frame(&arrived))));
                }
                Ok(None) => {}
                Err(violation) => return self.close(Some(violation)),
            }
            match ready!(Pin::new(&mut self.payload).poll_next(context)) {
                Some(Ok(bytes)) => self.intake.push(&bytes),
                Some(Err(_)) | None => return self.close(None),
            }
        }
    }
}

/// What has arrived, as if it had come in one frame. Its mask is zero, which changes nothing.
fn as_frame(arrived: &Arrived) -> Bytes {
    let mut frame = Vec::with_capacity(arrived.payload.len() + 14);
    websocket::masked_frame(arrived.opcode, [0; 4], &arrived.payload, &mut frame);
    frame.into()
}
