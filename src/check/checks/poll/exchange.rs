//! One poll and its answer.

use tokio::time::Instant;

use crate::check::{
    case::Case,
    publisher::Publisher,
    reader::{After, Asking, Heard, understand},
    subject::Channel,
    trace::LineNumber,
    transport::Transport,
    verdict::{Fault, Proof},
    wire::{
        http::{Answer, Head, Request, Unread, read_answer},
        line::Line,
    },
};

/// A channel that is polled.
pub struct Polled<'a, 'b> {
    case: &'a Case<'b>,
    asking: Asking,
    /// The message that [`Polled::begin`] has published.
    pub first: String,
    pub channel: Channel,
    pub publisher: Publisher,
}

/// A poll that was sent.
pub struct Open {
    pub line: Line,
    request: Request,
}

/// What an answer tells.
#[derive(Debug)]
pub struct Told {
    pub messages: Vec<String>,
    /// Where the next poll goes on, if the answer says so.
    pub next: Option<After>,
    pub line: LineNumber,
    pub head: Head,
}

/// What an answer may say when nothing came: no content, not modified, a request that took too long.
const EMPTY: [u16; 3] = [204, 304, 408];

impl<'a, 'b> Polled<'a, 'b> {
    /// A new channel, with a publisher.
    pub async fn new(case: &'a Case<'b>) -> Proof<Self> {
        let channel = case.subject.channel();
        let asking = Asking::new(case, Transport::LongPoll, &channel)?;
        let publisher = Publisher::open(case, &channel).await?;
        Ok(Self { case, asking, first: String::new(), channel, publisher })
    }

    /// The request for what is after this.
    pub fn request(&self, after: &After) -> Result<Request, Fault> {
        self.asking.request(after)
    }

    /// Sends a poll on a connection of its own.
    pub async fn send(&self, after: &After) -> Proof<Open> {
        self.send_request(self.request(after)?).await
    }

    /// Sends a poll with a further parameter, such as `wait=1`.
    pub async fn send_with(&self, after: &After, parameter: &str) -> Proof<Open> {
        let target = self.asking.target(after)?;
        let mark = if target.contains('?') { '&' } else { '?' };
        let request = Request::get(&format!("{target}{mark}{parameter}")).fields(self.asking.fields(after)?);
        self.send_request(request).await
    }

    async fn send_request(&self, request: Request) -> Proof<Open> {
        let mut line = Line::open(self.case.subject, &self.case.trace).await?;
        // A server that hangs up is noticed when its answer is read.
        let _ = line.send(&request.bytes(self.case.subject)).await;
        Ok(Open { line, request })
    }

    /// Polls, and waits for the answer.
    pub async fn poll(&self, after: &After) -> Proof<Told> {
        let mut open = self.send(after).await?;
        self.answer(&mut open).await
    }

    /// The answer to a poll, which must come.
    pub async fn answer(&self, open: &mut Open) -> Proof<Told> {
        let line = open.line.number();
        self.case.waiting_for(format!("the answer to {}", open.request.says()));
        match read_answer(&mut open.line, self.case.until()).await {
            Ok(answer) => self.understand(answer),
            Err(unread) => Err(open.request.unanswered(&unread, line)),
        }
    }

    /// What an answer says.
    pub fn understand(&self, answer: Answer) -> Proof<Told> {
        let line = answer.line;
        if answer.head.status != 200 && !EMPTY.contains(&answer.head.status) {
            let says = format!("a poll was answered with {} where 200 was expected", answer.head.says());
            return Err(Fault::violated(says, [line]));
        }
        let (told, position) = understand::answer(&self.asking.subscribe, &answer)
            .map_err(|why| Fault::violated(format!("a poll's answer is not what the profile says: {why}"), [line]))?;
        let mut next = position;
        let mut messages = Vec::new();
        for told in told {
            next = next.or(told.position);
            if let Heard::Message(message) = told.heard
                && self.channel.owns(&message.data)
            {
                messages.push(String::from_utf8_lossy(&message.data).into_owned());
            }
        }
        Ok(Told { messages, next: next.map(After::Cursor), line, head: answer.head })
    }

    /// Publishes a first message, and returns the position behind it.
    pub async fn begin(&mut self) -> Proof<After> {
        self.first = self.publish().await?;
        let told = self.poll(&After::Start).await?;
        let next = told.next.filter(|_| told.messages.contains(&self.first));
        next.ok_or_else(|| {
            let says = format!("a poll from the start told no position behind {}", self.first);
            Fault::violated(says, self.publisher.lines().into_iter().chain([told.line]).collect::<Vec<_>>())
        })
    }

    /// Publishes the next message, and returns it.
    pub async fn publish(&mut self) -> Proof<String> {
        let message = self.channel.message();
        self.publisher.publish(&message).await?;
        Ok(message)
    }
}

impl Open {
    /// The answer, if it comes in time.
    pub async fn read(&mut self, until: Instant) -> Result<Answer, Unread> {
        read_answer(&mut self.line, until).await
    }
}

impl Told {
    /// A violation that this answer shows.
    pub fn violated(&self, says: impl Into<String>) -> Fault {
        Fault::violated(says, [self.line])
    }

    /// The messages as they stand in a sentence.
    pub fn shown(&self) -> String {
        if self.messages.is_empty() { "no message".to_owned() } else { self.messages.join(", ") }
    }

    /// Exactly this message must have come.
    pub fn is(&self, message: &str) -> Proof {
        if self.messages == [message] {
            return Ok(());
        }
        Err(self.violated(format!("the answer holds {} where {message} was expected", self.shown())))
    }

    /// The position to go on from.
    pub fn next(&self) -> Proof<After> {
        self.next.clone().ok_or_else(|| self.violated("the answer tells no position to go on from"))
    }
}
