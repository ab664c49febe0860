//! What a reconnect is told (WHATWG HTML §9.2.4): ids that say where one was, and a stream that goes on from there.

use super::{CHAPTER, profile, stream::Stream};
use crate::check::{
    case::Case,
    checks::ask,
    profile::Place,
    publisher::Publisher,
    reader::After,
    subject::Channel,
    template::AFTER,
    trace::escape,
    verdict::{Fault, Proof, Property},
    wire::event_stream::{Block, Part},
};

pub static IDS: Property = Property {
    id: "sse.ids",
    promise: "Each message has an id, which a browser sends back when it reconnects (WHATWG HTML §9.2.4).",
    chapter: CHAPTER,
};

pub static REPLAY_IDS: Property = Property {
    id: "sse.replay-ids",
    promise: "A message that is replayed has its id as well: the next break may come during the replay (WHATWG HTML \
              §9.2.4).",
    chapter: CHAPTER,
};

pub static REPLAY_EQUAL: Property = Property {
    id: "sse.replay-equal",
    promise: "A message that is replayed is the one that was sent live: the same id, type and data, and where the profile \
              says so, the same bytes.",
    chapter: CHAPTER,
};

pub static LAST_EVENT_ID: Property = Property {
    id: "sse.last-event-id",
    promise: "Who sends Last-Event-ID hears what came after it, and that alone (WHATWG HTML §9.2.4).",
    chapter: CHAPTER,
};

pub static HEADER_WINS: Property = Property {
    id: "sse.header-wins",
    promise: "Last-Event-ID wins over a cursor in the address, since a browser repeats the address unchanged when it \
              reconnects (WHATWG HTML §9.2.3).",
    chapter: CHAPTER,
};

/// So many messages are published; a subscriber comes back behind the first of them.
const MESSAGES: usize = 3;

pub async fn run(case: &Case<'_>) {
    case.prove(&IDS, ids(case)).await;
    case.prove_all(&[&LAST_EVENT_ID, &REPLAY_IDS, &REPLAY_EQUAL], replay(case)).await;
    case.prove(&HEADER_WINS, header_wins(case)).await;
}

/// The header can be sent back only where ids are cursors.
fn needs_ids(case: &Case<'_>) -> Proof {
    if profile(case)?.id == Some(Place::EventId) {
        return Ok(());
    }
    Err(Fault::skipped("the profile gives events no cursor (sse.id = \"event-id\")"))
}

async fn ids(case: &Case<'_>) -> Proof {
    needs_ids(case)?;
    let live = Live::hear(case).await?;
    let mut seen = Vec::new();
    for block in &live.blocks {
        match block.meaning().id.filter(|id| !id.is_empty()) {
            None => return Err(live.stream.violated(format!("the message \"{}\" has no id", escape(&block.raw)))),
            Some(id) if seen.contains(&id) => {
                return Err(live.stream.violated(format!("two messages have the id \"{}\"", escape(&id))));
            }
            Some(id) => seen.push(id),
        }
    }
    Ok(())
}

async fn replay(case: &Case<'_>) -> Proof {
    needs_ids(case)?;
    let live = Live::hear(case).await?;
    let field = format!("Last-Event-ID: {}", live.first_id()?);
    let stream = Stream::open(case, &live.channel, &After::End, &[field]).await?;
    live.judge_rest(case, stream, &LAST_EVENT_ID).await
}

/// The address asks for everything, as it did when the page was new; the header asks for what is after the first.
async fn header_wins(case: &Case<'_>) -> Proof {
    needs_ids(case)?;
    let sse = profile(case)?;
    if sse.start.is_none() || !sse.path.has(AFTER) {
        return Err(Fault::skipped("the profile has no cursor in the address (sse.start, and {after} in sse.path)"));
    }
    let live = Live::hear(case).await?;
    let field = format!("Last-Event-ID: {}", live.first_id()?);
    let stream = Stream::open(case, &live.channel, &After::Start, &[field]).await?;
    live.judge_rest(case, stream, &HEADER_WINS).await
}

/// Messages that were heard live.
struct Live {
    channel: Channel,
    names: Vec<String>,
    blocks: Vec<Block>,
    stream: Stream,
}

impl Live {
    async fn hear(case: &Case<'_>) -> Proof<Self> {
        let channel = case.subject.channel();
        let mut stream = Stream::open(case, &channel, &After::End, &[]).await?;
        let mut publisher = Publisher::open(case, &channel).await?;
        let names = channel.messages(MESSAGES);
        let mut blocks = Vec::new();
        for name in &names {
            publisher.publish(format!("{name} of\nthe first stream")).await?;
            let found = stream.block_with(case, name).await;
            let (block, _) = found.map_err(|unread| missing(&stream, &unread.says(), name))?;
            blocks.push(block);
        }
        Ok(Self { channel, names, blocks, stream })
    }

    /// The id of the first message.
    fn first_id(&self) -> Proof<String> {
        let id = self.blocks.first().and_then(|block| block.meaning().id).filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| Fault::skipped("messages have no id; see sse.ids"))?;
        Ok(String::from_utf8_lossy(&id).into_owned())
    }

    /// Judges a stream that begins behind the first message. Where it does not, `goes_on` is broken.
    async fn judge_rest(&self, case: &Case<'_>, mut stream: Stream, goes_on: &'static Property) -> Proof {
        for (name, live) in self.names.iter().zip(&self.blocks).skip(1) {
            let found = stream.block_with(case, name).await;
            let (replayed, before) = found.map_err(|unread| missing(&stream, &unread.says(), name).of(goes_on))?;
            let is_before = |other: &&String| *other != name && before.iter().any(|part| has(part, other));
            if let Some(again) = self.names.iter().find(is_before) {
                let says = format!("{again} came, though only what is after {} was asked for", self.names[0]);
                return Err(self.violated(&stream, says).of(goes_on));
            }
            self.judge_replayed(case, live, &replayed, &stream)?;
        }
        Ok(())
    }

    fn judge_replayed(&self, case: &Case<'_>, live: &Block, replayed: &Block, stream: &Stream) -> Proof {
        let [shown_live, shown] = [live, replayed].map(|block| escape(&block.raw));
        if live.meaning().id.is_some() && replayed.meaning().id.is_none() {
            let says = format!("the replayed message is \"{shown}\", without an id");
            return Err(self.violated(stream, says).of(&REPLAY_IDS));
        }
        let has_other_bytes = case.subject.profile.same_bytes && live.raw != replayed.raw;
        if has_other_bytes || live.meaning() != replayed.meaning() {
            let says = format!("\"{shown}\" was replayed where \"{shown_live}\" was sent live");
            return Err(self.violated(stream, says).of(&REPLAY_EQUAL));
        }
        Ok(())
    }

    /// A violation that shows on both connections.
    fn violated(&self, stream: &Stream, says: String) -> Fault {
        Fault::violated(says, [self.stream.number(), stream.number()])
    }
}

fn missing(stream: &Stream, stopped: &str, name: &str) -> Fault {
    stream.violated(format!("{stopped} where the message {name} was expected"))
}

/// Whether a part has this name, with what stands behind it in the messages of this file.
fn has(part: &Part, name: &str) -> bool {
    ask::has(part.bytes(), &format!("{name} of"))
}
