//! The body of a response whose socket is about to leave the framework.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;

use crate::delivery::Whom;

use super::{Exit, Occupant, Turn};

// ANCHOR: boarding
/// Yields what an occupant has to say at once, so that it goes out with the head, and then lets it have the socket.
#[derive(Debug)]
pub struct Boarding<O> {
    exit: Exit,
    occupant: Option<O>,
    on_stage: fn(O) -> Box<dyn Occupant>,
}

impl<O: Occupant> Boarding<O> {
    /// Returns the body. On the stage the occupant is what `on_stage` makes of it: there it frames its bytes itself.
    #[must_use]
    pub fn new(exit: Exit, occupant: O, on_stage: fn(O) -> Box<dyn Occupant>) -> Self {
        Self { exit, occupant: Some(occupant), on_stage }
    }
}

impl<O: Occupant + Unpin> MessageBody for Boarding<O> {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        // Once the occupant has gone, so has the socket; the framework is about to find out.
        let Some(occupant) = &mut self.occupant else { return Poll::Pending };
        match occupant.next(Whom::Task(context.waker())) {
            Turn::Send(bytes) => Poll::Ready(Some(Ok(bytes))),
            Turn::End | Turn::Drop | Turn::GiveBack(_) => {
                self.exit.stay();
                Poll::Ready(None)
            }
            Turn::Wait => {
                let (exit, on_stage) = (self.exit.clone(), self.on_stage);
                if let Some(occupant) = self.occupant.take() {
                    exit.leave_to(on_stage(occupant));
                }
                Poll::Pending
            }
        }
    }
}
// ANCHOR_END: boarding
