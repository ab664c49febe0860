//! An event stream as it comes, without what a subscriber makes of it.

use tokio::time::Instant;

use super::head;
use crate::check::{
    case::Case,
    checks::ask::{address, has},
    reader::After,
    subject::Channel,
    trace::LineNumber,
    transport::Transport,
    verdict::{Fault, Proof},
    wire::{
        event_stream::{Block, Part, Splitter},
        http::{BodyReader, Head, Request, Unread, read_head},
        line::{Line, Stop},
    },
};

/// An event stream.
pub struct Stream {
    line: Line,
    body: BodyReader,
    splitter: Splitter,
    /// The head of the answer.
    pub head: Head,
}

/// Asks for a stream as an `EventSource` does, with further fields; the answer is not awaited.
pub async fn ask(case: &Case<'_>, channel: &Channel, after: &After, fields: &[String]) -> Proof<Line> {
    let (target, further) = address(case, Transport::Sse, channel, after)?;
    let request = Request::get(&target).fields(further).fields(fields.iter().cloned());
    let has_accept = case.subject.settings.headers.iter().any(|field| is_accept(field))
        || super::profile(case)?.headers.iter().any(|field| is_accept(field));
    let request = if has_accept { request } else { request.field("Accept: text/event-stream") };
    let mut line = Line::open(case.subject, &case.trace).await?;
    let number = line.number();
    let sent = line.send(&request.bytes(case.subject)).await;
    sent.map_err(|stop| Fault::violated(format!("{} while it was asked for a stream", stop.says()), [number]))?;
    Ok(line)
}

fn is_accept(field: &str) -> bool {
    field.split_once(':').is_some_and(|(name, _)| name.eq_ignore_ascii_case("accept"))
}

impl Stream {
    /// Opens a stream whose head is good, and waits for no more than that.
    ///
    /// # Errors
    /// It does not open; the property that is broken is one of the head's.
    pub async fn open(case: &Case<'_>, channel: &Channel, after: &After, fields: &[String]) -> Proof<Self> {
        let mut line = ask(case, channel, after, fields).await?;
        case.waiting_for("the head of the stream");
        let number = line.number();
        let head = read_head(&mut line, case.until()).await.map_err(|unread| {
            let says = format!("{} where the head of a stream was expected", unread.says());
            Fault::violated(says, [number]).of(&head::OPENS)
        })?;
        Self::of(line, head)
    }

    /// The stream behind a head.
    ///
    /// # Errors
    /// The head is that of something else.
    pub fn of(line: Line, head: Head) -> Proof<Self> {
        let number = line.number();
        head::judge_type(&head).map_err(|says| Fault::violated(says, [number]).of(&head::TYPE))?;
        let body = head.body().map_err(|unread| Fault::violated(unread.says(), [number]).of(&head::ENDLESS))?;
        Ok(Self { line, body, splitter: Splitter::default(), head })
    }

    /// Its connection.
    pub fn number(&self) -> LineNumber {
        self.line.number()
    }

    /// The next block or comment.
    ///
    /// # Errors
    /// None comes in time, or the body is broken.
    pub async fn part(&mut self, until: Instant) -> Result<Part, Unread> {
        loop {
            if let Some(part) = self.splitter.next() {
                return Ok(part);
            }
            match self.body.next(&mut self.line, until).await? {
                Some(bytes) => self.splitter.push(&bytes),
                None => return Err(Unread::Stopped(Stop::End)),
            }
        }
    }

    /// The first block whose bytes hold this, and what came before it.
    ///
    /// # Errors
    /// The stream stops before.
    pub async fn block_with(&mut self, case: &Case<'_>, text: &str) -> Result<(Block, Vec<Part>), Unread> {
        case.waiting_for(format!("a block with {text}"));
        let until = case.until();
        let mut before = Vec::new();
        loop {
            match self.part(until).await? {
                Part::Block(block) if has(&block.raw, text) => {
                    return Ok((block, before));
                }
                part => before.push(part),
            }
        }
    }

    /// A violation that this connection shows.
    pub fn violated(&self, says: impl Into<String>) -> Fault {
        Fault::violated(says, [self.number()])
    }

    /// What has come of a block that is not complete.
    pub fn rest(&self) -> &[u8] {
        self.splitter.rest()
    }
}
