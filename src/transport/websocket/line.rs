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
    heard_at_ms: u64,
    seat: Option<Seat>,
    /// What is not finished yet. A connection that is silent has nothing of it, and no room for it.
    talk: Option<Box<Talk>>,
}

/// What a client's words have led to, and what of them is half here.
#[derive(Debug)]
struct Talk {
    intake: Intake,
    /// Complete frames, to be sent between events.
    replies: VecDeque<Bytes>,
    /// The publication that is under way, if it could not be done at once. Nothing is read meanwhile, so that the client's
    /// messages keep their order.
    pending: Option<Rc<RefCell<Option<Outcome>>>>,
    closing: Option<Closing>,
}

/// A close frame that is to be sent.
#[derive(Debug)]
struct Closing {
    frame: Bytes,
    /// The head of the channel when it was decided. What was published before goes before; the client's own last message
    /// may be among it, and the client may wait for it.
    after: u64,
}

impl Talk {
    fn may_take(&self) -> bool {
        self.closing.is_none() && self.pending.is_none() && self.replies.len() < MAX_REPLIES
    }

    fn is_over(&self) -> bool {
        self.may_take() && self.replies.is_empty() && self.intake.is_at_rest()
    }

    fn reply(&mut self, opcode: Opcode, payload: &[u8]) {
        let mut out = Vec::new();
        frame(opcode, payload, &mut out);
        self.replies.push_back(out.into());
    }
}

impl Line {
    /// Returns the line of a subscription.
    pub fn new(voice: Voice, conversation: Conversation, stay: Option<Stay>) -> Self {
        Self {
            heard_at_ms: voice.subscription.worker().now_ms(),
            voice,
            conversation: Rc::new(conversation),
            stay,
            seat: None,
            talk: None,
        }
    }

    /// Moves the line onto a stage.
    pub fn boxed(self) -> Box<dyn Occupant> {
        Box::new(self)
    }

    // ANCHOR: work
    /// Takes whole frames out of what has arrived, for as long as it may.
    fn work(&mut self, talk: &mut Talk) {
        while talk.may_take() {
            match talk.intake.pop() {
                Ok(Some(arrived)) => {
                    self.heard_at_ms = self.voice.subscription.worker().now_ms();
                    self.take(arrived, talk);
                }
                Ok(None) => return,
                Err((code, rule)) => self.fail(code, rule, talk),
            }
        }
    }

    fn take(&mut self, arrived: Arrived, talk: &mut Talk) {
        match arrived.opcode {
            Opcode::Ping => talk.reply(Opcode::Pong, &arrived.payload),
            // That it came is all there is to know.
            Opcode::Pong => {}
            Opcode::Close => {
                let code = arrived.payload.first_chunk().map(|&code| u16::from_be_bytes(code));
                if let Some(stay) = self.stay.take_if(|_| is_meant(code)) {
                    stay.end();
                }
                self.close(talk, |out| close_echo(code, out));
            }
            Opcode::Binary | Opcode::Continuation => self.obey(Said::Binary(arrived.payload), talk),
            // The intake has checked that it is UTF-8.
            Opcode::Text => self.obey(Said::Text(ByteString::try_from(arrived.payload).unwrap_or_default()), talk),
        }
    }
    // ANCHOR_END: work

    /// Publishes. In the memory of this process that is done at once; if it takes longer, a task waits for it.
    fn obey(&self, said: Said, talk: &mut Talk) {
        let conversation = Rc::clone(&self.conversation);
        let mut work: Pin<Box<dyn Future<Output = Outcome>>> = Box::pin(async move { conversation.obey(said).await });
        match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => self.settle(outcome, talk),
            Poll::Pending => {
                let slot = Rc::new(RefCell::new(None));
                talk.pending = Some(Rc::clone(&slot));
                let (worker, seat) = (Rc::clone(self.voice.subscription.worker()), self.seat);
                actix_rt::spawn(async move {
                    slot.replace(Some(work.await));
                    if let Some(seat) = seat {
                        worker.call_up(seat);
                    }
                });
            }
        }
    }

    fn settle(&self, outcome: Outcome, talk: &mut Talk) {
        match outcome {
            Ok(Some(answer)) => talk.reply(Opcode::Text, answer.as_bytes()),
            Ok(None) => {}
            Err(Fault(code, detail)) => self.fail(code, &detail, talk),
        }
    }

    fn fail(&self, code: CloseCode, reason: &str, talk: &mut Talk) {
        self.close(talk, |out| close_frame(code, reason, out));
    }

    fn close(&self, talk: &mut Talk, write: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::new();
        write(&mut out);
        // After a close frame nothing counts (RFC 6455 §5.5.1).
        talk.intake.clear();
        talk.closing = Some(Closing { frame: out.into(), after: self.voice.subscription.channel().head() });
    }

    /// Goes on with what is unfinished. Returns what is to be sent between two events: replies, and at last the close
    /// frame.
    fn go_on(&mut self) -> Option<Bytes> {
        let mut talk = self.talk.take()?;
        if let Some(outcome) = talk.pending.as_ref().and_then(|slot| slot.take()) {
            talk.pending = None;
            self.settle(outcome, &mut talk);
        }
        self.work(&mut talk);
        let reply = self.next_reply(&mut talk);
        if !talk.is_over() {
            self.talk = Some(talk);
        }
        reply
    }

    fn next_reply(&mut self, talk: &mut Talk) -> Option<Bytes> {
        let subscription = &self.voice.subscription;
        let is_behind = talk.closing.as_ref().is_some_and(|closing| subscription.position() < closing.after);
        if subscription.is_within_event() || is_behind {
            return None;
        }
        talk.replies.pop_front().or_else(|| {
            let closing = talk.closing.take()?;
            self.voice.is_over = true;
            Some(closing.frame)
        })
    }
}

impl Occupant for Line {
    fn next(&mut self, whom: Whom<'_>) -> Turn {
        if self.voice.is_over {
            return Turn::End;
        }
        if let Whom::Seat(seat) = whom {
            self.seat = Some(seat);
        }
        if let Some(reply) = self.go_on() {
            return Turn::Send(reply);
        }
        match self.voice.subscription.next_for(whom) {
            Poll::Ready(Some(next)) => self.voice.frames(next, self.heard_at_ms).map_or(Turn::End, Turn::Send),
            Poll::Ready(None) => Turn::End,
            // Meanwhile it may have passed over messages of the client's own, which a close frame has waited for.
            Poll::Pending => self.go_on().map_or(Turn::Wait, Turn::Send),
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        if self.voice.is_over {
            return;
        }
        let mut talk = self.talk.take().unwrap_or_else(|| {
            let intake = Intake::new(self.conversation.frame_limit());
            Box::new(Talk { intake, replies: VecDeque::new(), pending: None, closing: None })
        });
        if talk.closing.is_none() {
            talk.intake.push(bytes);
            self.work(&mut talk);
        }
        if !talk.is_over() {
            self.talk = Some(talk);
        }
    }

    fn is_listening(&self) -> bool {
        self.talk.as_ref().is_none_or(|talk| talk.may_take() || talk.closing.is_some())
    }
}
