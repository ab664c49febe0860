//! A subscription by polling: one request after the other, each with the cursor of the answer before.

use std::collections::VecDeque;

use socket2::SockRef;
use tokio::time::Instant;

use super::{After, Asking, Heard, Told, Unheard, understand};
use crate::check::{
    case::Case,
    trace::LineNumber,
    verdict::Fault,
    wire::{
        http::{Answer, BodyReader, Head, Request, Unread, read_head},
        line::{Line, Stop},
    },
};

/// Polls on a connection that is kept, if the server keeps it.
#[derive(Debug)]
pub struct Poll {
    asking: Asking,
    line: Option<Line>,
    /// The request that has no complete answer yet, and how far the answer is.
    pending: Option<Pending>,
    /// Where to begin, until an answer tells a position.
    after: After,
    lines: Vec<LineNumber>,
}

#[derive(Debug)]
struct Pending {
    request: Request,
    /// Whether its connection has carried others before.
    is_reused: bool,
    head: Option<(Head, BodyReader)>,
    body: Vec<u8>,
}

impl Poll {
    /// Sends the first poll. If it has no cursor, its answer is waited for: it tells where to go on. A server may as well
    /// hold it; then it is heard of what comes by this very poll.
    pub async fn open(
        case: &Case<'_>,
        asking: Asking,
        after: &After,
        told: &mut VecDeque<Told>,
    ) -> Result<Self, Fault> {
        let mut poll = Self { asking, line: None, pending: None, after: after.clone(), lines: Vec::new() };
        poll.ask(None).await?;
        if matches!(after, After::Cursor(_)) {
            return Ok(poll);
        }
        case.waiting_for("the answer to the first poll");
        let until = case.within(poll.asking.grace(poll.asking.subscribe.first_poll_at_once));
        match poll.fetch(until, None, told).await {
            Ok(()) => {
                if *after == After::End {
                    forget_the_past(told);
                }
                Ok(poll)
            }
            Err(Unheard::Fault(fault)) => Err(fault),
            Err(Unheard::Stopped(Stop::Late)) => {
                case.subject.remember_silence(poll.asking.transport);
                Ok(poll)
            }
            Err(Unheard::Stopped(stop)) => {
                Err(Fault::violated(format!("the first poll has no answer: {}", stop.says()), poll.lines()))
            }
        }
    }

    /// The last connections that it has used.
    pub fn lines(&self) -> Vec<LineNumber> {
        self.lines[self.lines.len().saturating_sub(2)..].to_vec()
    }

    /// Sends the next poll, over the same connection if it can be.
    async fn ask(&mut self, cursor: Option<&str>) -> Result<(), Fault> {
        let after = cursor.map_or_else(|| self.after.clone(), |cursor| After::Cursor(cursor.to_owned()));
        let request = self.asking.request(&after)?;
        let is_new = self.line.as_mut().is_none_or(Line::is_stopped);
        if is_new {
            let line = Line::open(&self.asking.subject, &self.asking.trace).await?;
            self.lines.push(line.number());
            self.line = Some(line);
        }
        if let Some(line) = &mut self.line {
            // A server that has gone is noticed when its answer is read.
            let _ = line.send(&request.bytes(&self.asking.subject)).await;
        }
        self.pending = Some(Pending { request, is_reused: !is_new, head: None, body: Vec::new() });
        Ok(())
    }

    /// Polls unless a poll is open, waits for its answer, and adds what it tells.
    pub async fn fetch(
        &mut self,
        until: Instant,
        cursor: Option<&str>,
        told: &mut VecDeque<Told>,
    ) -> Result<(), Unheard> {
        if self.pending.is_none() {
            self.ask(cursor).await?;
        }
        let answer = match self.answer(until).await {
            // The server has let an idle connection go at the moment when it was used again. Asking twice does no harm.
            Err(Unheard::Stopped(Stop::End | Stop::Reset)) if self.can_ask_again() => {
                self.line = None;
                self.ask(cursor).await?;
                self.answer(until).await?
            }
            answer => answer?,
        };
        let refused = |says: String| Unheard::Fault(Fault::violated(says, [answer.line]));
        if !matches!(answer.head.status, 200 | 204 | 304 | 408) {
            let request = self.asking.request(&self.after)?;
            return Err(refused(format!(
                "{} is answered with {} instead of 200 OK",
                request.says(),
                answer.head.says()
            )));
        }
        let understood = understand::answer(&self.asking.subscribe, &answer);
        let (heard, position) =
            understood.map_err(|why| refused(format!("a poll's answer is not what the profile says: {why}")))?;
        if let Some(position) = position {
            self.after = After::Cursor(position);
        }
        told.extend(heard);
        Ok(())
    }

    fn can_ask_again(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.is_reused && pending.head.is_none())
    }

    /// The answer to the open poll. What has come of it is kept when the wait ends.
    async fn answer(&mut self, until: Instant) -> Result<Answer, Unheard> {
        let (Some(line), Some(pending)) = (&mut self.line, &mut self.pending) else {
            return Err(Stop::End.into());
        };
        let complete = pending.read(line, until).await;
        match complete {
            Ok(()) => {}
            Err(Unread::Stopped(stop)) => return Err(stop.into()),
            Err(unread) => return Err(pending.request.unanswered(&unread, line.number()).into()),
        }
        let number = line.number();
        let Some(Pending { head: Some((head, _)), body, .. }) = self.pending.take() else {
            return Err(Stop::End.into());
        };
        if head.closes() {
            self.line = None;
        }
        Ok(Answer { head, body: body.into(), line: number })
    }

    /// Its socket, if there is a connection.
    pub fn socket(&self) -> Option<SockRef<'_>> {
        self.line.as_ref().map(Line::socket)
    }

    /// Breaks it off.
    pub fn cut(self) {
        if let Some(line) = self.line {
            line.reset();
        }
    }
}

/// Keeps the position alone: whoever asked for the end wants nothing from before, but a server without a way to say so
/// may answer with all that there is.
fn forget_the_past(told: &mut VecDeque<Told>) {
    let position = told.drain(..).filter_map(|told| told.position).last();
    told.push_back(Told { heard: Heard::Alive, position });
}

impl Pending {
    async fn read(&mut self, line: &mut Line, until: Instant) -> Result<(), Unread> {
        if self.head.is_none() {
            let head = read_head(line, until).await?;
            let body = head.body()?;
            self.head = Some((head, body));
        }
        if let Some((_, body)) = &mut self.head {
            while let Some(data) = body.next(line, until).await? {
                self.body.extend_from_slice(&data);
            }
        }
        Ok(())
    }
}
