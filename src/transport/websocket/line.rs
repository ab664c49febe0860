//! An open WebSocket that has left the framework: both halves of it, over a socket of its own.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use bytestring::ByteString;

use super::{
    conversation::{Conversation, Fault, Said},
    intake::{Arrived, Intake},
    reader::is_meant,
    voice::Voice,
};
use crate::{
    delivery::{Occupant, Seat, Turn, Whom},
    transport::subscribe::Stay,
    wire::websocket::{CloseCode, Opcode, close_echo, close_frame, frame},
};

/// How many replies wait at most. A peer that sends pings and takes no pongs is not listened to any more.
const MAX_REPLIES: usize = 32;

/// What a message leads to: an answer, or the end.
type Outcome = Result<Option<String>, Fault>;

/// Both halves of a WebSocket.
#[derive(Debug)]
pub struct Line {
    voice: Voice,
    conversation: Rc<Conversation>,
    stay: Option<Stay>,
    /// How large a message may be.
    limit: usize,
    /// What has arrived and is not a whole frame yet. A connection that is silent keeps no buffer for it.
    intake: Option<Box<Intake>>,
    /// Complete frames, to be sent between events.
    replies: VecDeque<Bytes>,
    /// The publication that is under way, if it could not be done at once. Nothing is read meanwhile, so that the client's
    /// messages keep their order.
    pending: Option<Rc<RefCell<Option<Outcome>>>>,
    closing: Option<Closing>,
    heard_at_ms: u64,
    seat: Option<Seat>,
}

/// A close frame that is to be sent.
#[derive(Debug)]
struct Closing {
    frame: Bytes,
    /// The head of the channel when it was decided. What was published before goes before; the client's own last message
    /// may be among it, and the client may wait for it.
    after: u64,
}

impl Line {
    /// Returns the line of a subscription.
    pub fn new(voice: Voice, conversation: Conversation, stay: Option<Stay>, limit: usize) -> Self {
        Self {
            heard_at_ms: voice.subscription.worker().now_ms(),
            voice,
            conversation: Rc::new(conversation),
            stay,
            limit,
            intake: None,
            replies: VecDeque::new(),
            pending: None,
            closing: None,
            seat: None,
        }
    }

    /// Moves the line onto a stage.
    pub fn boxed(self) -> Box<dyn Occupant> {
        Box::new(self)
    }

    // ANCHOR: work
    /// Takes whole frames out of what has arrived, for as long as it may.
    fn work(&mut self) {
        let Some(mut intake) = self.intake.take() else { return };
        while self.is_taking() {
            match intake.next() {
                Ok(Some(arrived)) => {
                    self.heard_at_ms = self.voice.subscription.worker().now_ms();
                    self.take(arrived);
                }
                Ok(None) => break,
                Err((code, rule)) => self.fail(code, rule),
            }
        }
        // After a close frame nothing counts (RFC 6455 §5.5.1).
        if self.closing.is_none() && !intake.is_at_rest() {
            self.intake = Some(intake);
        }
    }

    fn is_taking(&self) -> bool {
        self.closing.is_none() && self.pending.is_none() && self.replies.len() < MAX_REPLIES
    }

    fn take(&mut self, arrived: Arrived) {
        match arrived.opcode {
            Opcode::Ping => self.reply(Opcode::Pong, &arrived.payload),
            // That it came is all there is to know.
            Opcode::Pong => {}
            Opcode::Close => {
                let code = arrived.payload.first_chunk().map(|&code| u16::from_be_bytes(code));
                if let Some(stay) = self.stay.take_if(|_| is_meant(code)) {
                    stay.end();
                }
                self.close(|out| close_echo(code, out));
            }
            Opcode::Binary | Opcode::Continuation => self.obey(Said::Binary(arrived.payload)),
            // The intake has checked that it is UTF-8.
            Opcode::Text => self.obey(Said::Text(ByteString::try_from(arrived.payload).unwrap_or_default())),
        }
    }
    // ANCHOR_END: work

    /// Publishes. In the memory of this process that is done at once; if it takes longer, a task waits for it.
    fn obey(&mut self, said: Said) {
        let conversation = Rc::clone(&self.conversation);
        let mut work: Pin<Box<dyn Future<Output = Outcome>>> = Box::pin(async move { conversation.obey(said).await });
        match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => self.settle(outcome),
            Poll::Pending => {
                let slot = Rc::new(RefCell::new(None));
                self.pending = Some(Rc::clone(&slot));
                let (worker, seat) = (Rc::clone(self.voice.subscription.worker()), self.seat);
                actix_rt::spawn(async move {
                    slot.replace(Some(work.await));
                    seat.into_iter().for_each(|seat| worker.call_up(seat));
                });
            }
        }
    }

    fn settle(&mut self, outcome: Outcome) {
        match outcome {
            Ok(Some(answer)) => self.reply(Opcode::Text, answer.as_bytes()),
            Ok(None) => {}
            Err(Fault(code, detail)) => self.fail(code, &detail),
        }
    }

    fn reply(&mut self, opcode: Opcode, payload: &[u8]) {
        let mut out = Vec::new();
        frame(opcode, payload, &mut out);
        self.replies.push_back(out.into());
    }

    fn fail(&mut self, code: CloseCode, reason: &str) {
        self.close(|out| close_frame(code, reason, out));
    }

    fn close(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::new();
        write(&mut out);
        self.closing = Some(Closing { frame: out.into(), after: self.conversation.channel().head() });
    }

    /// What goes between two events: replies, and at the end the close frame.
    fn next_reply(&mut self) -> Option<Bytes> {
        let is_behind = |closing: &Closing| self.voice.subscription.position() < closing.after;
        if self.voice.subscription.is_within_event() || self.closing.as_ref().is_some_and(is_behind) {
            return None;
        }
        self.replies.pop_front().or_else(|| {
            let closing = self.closing.take()?;
            self.voice.is_over = true;
            Some(closing.frame)
        })
    }
}

impl Occupant for Line {
    fn next(&mut self, whom: Whom<'_>) -> Turn {
        if let Whom::Seat(seat) = whom {
            self.seat = Some(seat);
        }
        if let Some(outcome) = self.pending.as_ref().and_then(|slot| slot.take()) {
            self.pending = None;
            self.settle(outcome);
        }
        self.work();
        if self.voice.is_over {
            return Turn::End;
        }
        if let Some(reply) = self.next_reply() {
            return Turn::Send(reply);
        }
        match self.voice.subscription.next_for(whom) {
            Poll::Ready(Some(next)) => self.voice.frames(next, self.heard_at_ms).map_or(Turn::End, Turn::Send),
            Poll::Ready(None) => Turn::End,
            Poll::Pending => Turn::Wait,
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        if self.closing.is_none() && !self.voice.is_over {
            let intake = self.intake.get_or_insert_with(|| Box::new(Intake::new(self.limit)));
            intake.push(bytes);
            self.work();
        }
    }

    fn is_listening(&self) -> bool {
        self.is_taking() || self.closing.is_some() || self.voice.is_over
    }
}
