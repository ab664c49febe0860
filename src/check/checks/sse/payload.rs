//! What becomes of a payload: whatever it holds, it arrives as data and as nothing else (WHATWG HTML §9.2.6).

use super::{CHAPTER, profile};
use crate::check::{
    case::Case,
    checks::ask::has,
    publisher::Publisher,
    reader::{After, Heard, Message, Reader},
    subject::Channel,
    trace::escape,
    transport::Transport,
    verdict::{Fault, Proof, Property},
    wire::event_stream::{Part, Splitter},
};

pub static LINE_ENDS: Property = Property {
    id: "sse.line-ends",
    promise: "A payload's lines are data lines each, whether LF, CR or CRLF is between them (WHATWG HTML §9.2.6).",
    chapter: CHAPTER,
};

pub static SPACES: Property = Property {
    id: "sse.spaces",
    promise: "A payload keeps its leading spaces and its empty lines, though a receiver drops one space behind the colon \
              (WHATWG HTML §9.2.6).",
    chapter: CHAPTER,
};

pub static INJECTION: Property = Property {
    id: "sse.injection",
    promise: "A payload that looks like fields is data: it sets no id, no type and no retry, and begins no event (WHATWG \
              HTML §9.2.6).",
    chapter: CHAPTER,
};

/// The id that a payload tries to set.
const FORGED_ID: &str = "forged-id";

/// The type and the data of the event that a payload tries to begin.
const FORGED: &str = "forged-event";

/// The milliseconds before a reconnect that a payload tries to set.
const FORGED_RETRY: u64 = 4_815;

pub async fn run(case: &Case<'_>) {
    case.prove(&LINE_ENDS, line_ends(case)).await;
    case.prove(&SPACES, spaces(case)).await;
    case.prove(&INJECTION, injection(case)).await;
}

async fn line_ends(case: &Case<'_>) -> Proof {
    let mut ends = Ends::open(case).await?;
    for end in ["\n", "\r", "\r\n"] {
        ends.pass(case, |name| format!("{name}{end}second{end}third")).await?;
    }
    Ok(())
}

async fn spaces(case: &Case<'_>) -> Proof {
    let mut ends = Ends::open(case).await?;
    ends.pass(case, |name| format!("  {name}\n two\n\n\nfive")).await?;
    ends.pass(case, |name| format!("\n{name}")).await?;
    ends.pass(case, |name| format!("{name}: colon")).await.map(drop)
}

async fn injection(case: &Case<'_>) -> Proof {
    let mut ends = Ends::open(case).await?;
    for end in ["\n", "\r", "\r\n"] {
        let forged =
            format!("id: {FORGED_ID}{end}event: {FORGED}{end}retry: {FORGED_RETRY}{end}{end}data: {FORGED}{end}{end}");
        let message = ends.pass(case, |name| format!("{name}{end}{forged}")).await?;
        ends.has_nothing_of(&message)?;
    }
    // Behind them, a message that is none but itself: whatever was forged would stand before it.
    ends.pass(case, ToOwned::to_owned).await.map(drop)
}

/// Both ends of a channel.
struct Ends {
    channel: Channel,
    publisher: Publisher,
    reader: Reader,
    /// Whether a message is all of an event's data, in which every line end has become LF.
    is_bare: bool,
}

impl Ends {
    async fn open(case: &Case<'_>) -> Proof<Self> {
        let channel = case.subject.channel();
        let is_bare = profile(case)?.data.is_none();
        let reader = Reader::open(case, Transport::Sse, &channel, &After::End).await?;
        let publisher = Publisher::open(case, &channel).await?;
        Ok(Self { channel, publisher, reader, is_bare })
    }

    /// Publishes what `payload` makes of a message's name, and hears the same.
    async fn pass(&mut self, case: &Case<'_>, payload: impl Fn(&str) -> String) -> Proof<Message> {
        let name = self.channel.message();
        let payload = payload(&name);
        self.publisher.publish(&payload).await?;
        let expected = if self.is_bare { payload.replace("\r\n", "\n").replace('\r', "\n") } else { payload };
        let message = self.hear(case, &name, &expected).await?;
        if message.data == expected.as_bytes() {
            return Ok(message);
        }
        let shown = [message.data.as_slice(), expected.as_bytes()].map(escape);
        Err(self.violated(format!("\"{}\" was heard where \"{}\" was expected", shown[0], shown[1])))
    }

    /// The message with this name, before which nothing forged may come.
    async fn hear(&mut self, case: &Case<'_>, name: &str, expected: &str) -> Proof<Message> {
        case.waiting_for(format!("the message {name}"));
        let until = case.until();
        loop {
            match self.reader.next(until).await? {
                Heard::Message(message) if has(&message.data, name) => return Ok(message),
                Heard::Message(message) if has(&message.data, FORGED) => {
                    let says = format!("an event with \"{}\" was heard, which nobody published", escape(&message.data));
                    return Err(self.violated(says));
                }
                Heard::Message(_) | Heard::Alive | Heard::Other(_) => {}
                Heard::Gap { .. } => {
                    let says = format!("a gap came where \"{}\" was expected", escape(expected.as_bytes()));
                    return Err(self.violated(says));
                }
                Heard::End(stop) => {
                    let says = format!("{} where \"{}\" was expected", stop.says(), escape(expected.as_bytes()));
                    return Err(self.violated(says));
                }
                Heard::Late => {
                    let says = format!("nothing came where \"{}\" was expected", escape(expected.as_bytes()));
                    return Err(self.violated(says));
                }
            }
        }
    }

    /// The block of a message must have nothing of what its payload tried to set.
    fn has_nothing_of(&self, message: &Message) -> Proof {
        let mut splitter = Splitter::default();
        splitter.push(&message.raw);
        while let Some(part) = splitter.next() {
            let Part::Block(block) = part else { continue };
            let meaning = block.meaning();
            let is_forged = meaning.id.as_deref() == Some(FORGED_ID.as_bytes())
                || meaning.event.as_deref() == Some(FORGED.as_bytes())
                || meaning.retry == Some(FORGED_RETRY);
            if is_forged {
                let says = format!("the payload has set a field of \"{}\"", escape(&block.raw));
                return Err(self.violated(says));
            }
        }
        Ok(())
    }

    fn violated(&self, says: String) -> Fault {
        let lines: Vec<_> = self.reader.lines().into_iter().chain(self.publisher.lines()).collect();
        Fault::violated(says, lines)
    }
}
