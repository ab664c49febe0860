//! A subscription that is one endless answer: an event stream, or a stream of lines.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use socket2::SockRef;
use tokio::time::Instant;

use super::{After, Asking, Heard, Told, Unheard, understand};
use crate::check::{
    case::Case,
    trace::LineNumber,
    transport::Transport,
    verdict::Fault,
    wire::{
        event_stream::{Part, Splitter},
        http::{BodyReader, Unread, read_head},
        line::{Line, Stop},
    },
};

/// An endless answer and where it stands.
#[derive(Debug)]
pub struct Body {
    line: Line,
    data: BodyReader,
    asking: Asking,
    splitter: Split,
}

/// How the answer falls into parts.
#[derive(Debug)]
enum Split {
    Blocks(Splitter),
    Lines(BytesMut),
}

impl Body {
    /// Asks for it. Only the status is looked at.
    ///
    /// Where the server greets with a block or a line, it is waited for: from then on nothing is missed.
    pub async fn open(
        case: &Case<'_>,
        asking: Asking,
        after: &After,
        told: &mut VecDeque<Told>,
    ) -> Result<Self, Fault> {
        let request = asking.request(after)?;
        case.waiting_for(format!("the head of the answer to {}", request.says()));
        let mut line = Line::open(case.subject, &case.trace).await?;
        let _ = line.send(&request.bytes(case.subject)).await;
        let head = read_head(&mut line, case.until()).await;
        let unanswered = |unread: Unread| request.unanswered(&unread, line.number());
        let head = head.map_err(unanswered)?;
        if head.status != 200 {
            let says = format!("{} is answered with {} instead of 200 OK", request.says(), head.says());
            return Err(Fault::violated(says, [line.number()]));
        }
        let data = head.body().map_err(unanswered)?;
        let splitter = if asking.transport == Transport::Sse {
            Split::Blocks(Splitter::default())
        } else {
            Split::Lines(BytesMut::new())
        };
        let mut body = Self { line, data, asking, splitter };
        if body.asking.subscribe.hello.is_some() || body.asking.subscribe.cursor.is_some() {
            body.wait_for_greeting(case, told).await?;
        }
        Ok(body)
    }

    async fn wait_for_greeting(&mut self, case: &Case<'_>, told: &mut VecDeque<Told>) -> Result<(), Fault> {
        case.waiting_for(format!("what the server says first over {}", self.asking.transport));
        let until = case.within(self.asking.grace(true));
        while told.is_empty() {
            match self.fetch(until, told).await {
                Ok(()) => {}
                Err(Unheard::Fault(fault)) => return Err(fault),
                // Whoever reads on will find the same.
                Err(Unheard::Stopped(stop)) => {
                    if stop == Stop::Late {
                        case.subject.remember_silence(self.asking.transport);
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Its connection.
    pub const fn line(&self) -> LineNumber {
        self.line.number()
    }

    /// Waits for more of the answer, and adds what it tells.
    pub async fn fetch(&mut self, until: Instant, told: &mut VecDeque<Told>) -> Result<(), Unheard> {
        let data = match self.data.next(&mut self.line, until).await {
            Ok(Some(data)) => data,
            Ok(None) => return Err(Stop::End.into()),
            Err(Unread::Stopped(stop)) => return Err(stop.into()),
            Err(Unread::Broken(why)) => {
                return Err(Fault::violated(format!("the endless answer is broken: {why}"), [self.line()]).into());
            }
        };
        self.hear(&data, told).map_err(|why| {
            let says = format!("what came is not what the profile says: {why}");
            Fault::violated(says, [self.line()]).into()
        })
    }

    fn hear(&mut self, data: &Bytes, told: &mut VecDeque<Told>) -> Result<(), understand::Misunderstood> {
        let subscribe = &self.asking.subscribe;
        match &mut self.splitter {
            Split::Blocks(splitter) => {
                splitter.push(data);
                while let Some(part) = splitter.next() {
                    match part {
                        Part::Comment(_) => told.push_back(Told { heard: Heard::Alive, position: None }),
                        Part::Block(block) => told.extend(understand::block(subscribe, &block)?),
                    }
                }
            }
            Split::Lines(buffer) => {
                buffer.extend_from_slice(data);
                while let Some(end) = memchr::memchr(b'\n', buffer) {
                    let line = buffer.split_to(end + 1).freeze();
                    let text = line.trim_ascii();
                    if text.is_empty() {
                        told.push_back(Told { heard: Heard::Alive, position: None });
                    } else {
                        told.push_back(understand::text(subscribe, line.slice_ref(text))?);
                    }
                }
            }
        }
        Ok(())
    }

    /// Its socket.
    pub fn socket(&self) -> SockRef<'_> {
        self.line.socket()
    }

    /// Breaks it off.
    pub fn cut(self) {
        self.line.reset();
    }
}
