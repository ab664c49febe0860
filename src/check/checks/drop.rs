//! `drop`: whoever has missed what is no longer kept is told so.

use super::{Check, Running, Scope, sequence};
use crate::check::{
    case::Case,
    publisher::Publisher,
    reader::{After, Heard, Reader},
    subject::Channel,
    transport::Transport,
    verdict::{Fault, Proof, Property},
};

const CHAPTER: &str = "/book/protocol.html#slow-subscribers";

static TOLD: Property = Property {
    id: "drop.told",
    promise: "A subscriber whose position is no longer kept is told of the gap before it hears the next message.",
    chapter: CHAPTER,
};

static THEN_COMPLETE: Property = Property {
    id: "drop.then-complete",
    promise: "After the gap comes everything that is still kept, in order and without another hole.",
    chapter: CHAPTER,
};

/// See the module.
pub static CHECK: Check = Check {
    name: "drop",
    about: "whoever has missed what is no longer kept is told so",
    scope: Scope::Each(&Transport::ALL),
    properties: &[&TOLD, &THEN_COMPLETE],
    run,
};

fn run<'a>(case: &'a Case<'a>) -> Running<'a> {
    Box::pin(async move {
        case.prove_all(&[&TOLD, &THEN_COMPLETE], evicted(case)).await;
    })
}

/// Past what is kept, so that there is something missing wherever the server rounds.
const BEYOND: u64 = 20;

/// How to fill a channel beyond what it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Filling {
    messages: u64,
    size: usize,
}

/// No message of the filling is larger.
const LARGEST: usize = 256 << 10;

/// No check fills a channel with more messages.
const MOST: u64 = 50_000;

impl Filling {
    /// The way with the fewest messages: many small ones past a limit of messages, or a few large ones past a limit of
    /// bytes.
    fn of(retention_messages: Option<u64>, retention_bytes: Option<u64>, max_bytes: Option<usize>) -> Option<Self> {
        let size = LARGEST.min(max_bytes.unwrap_or(LARGEST));
        let by_messages = retention_messages.map(|limit| Self { messages: limit + BEYOND, size: 0 });
        let by_bytes = retention_bytes.map(|limit| {
            // A quarter more, for whatever a server counts as bytes of a message.
            Self { messages: limit.div_ceil(size.max(1) as u64) * 5 / 4 + BEYOND, size }
        });
        by_messages.into_iter().chain(by_bytes).min_by_key(|filling| filling.messages)
    }

    /// A message of this filling: its name, and what makes it large.
    fn message(self, name: &str) -> String {
        let padding = self.size.saturating_sub(name.len() + 1);
        if padding == 0 { name.to_owned() } else { format!("{name} {}", "x".repeat(padding)) }
    }
}

/// The name of a message, without what makes it large.
fn name_of(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data);
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn filling(case: &Case<'_>) -> Proof<Filling> {
    let profile = &case.subject.profile;
    let subscribe = profile.subscribe(case.transport());
    if !subscribe.is_some_and(|subscribe| subscribe.gap.is_some() && subscribe.can_resume()) {
        return Err(Fault::skipped(format!("the profile names no `gap` in [{}]", case.transport())));
    }
    let max_bytes = profile.publish.as_ref().and_then(|publish| publish.max_bytes);
    let filling = Filling::of(profile.retention_messages, profile.retention_bytes, max_bytes);
    let filling = filling.ok_or_else(|| {
        Fault::skipped("the profile names neither `retention-messages` nor `retention-bytes`: how much a channel keeps")
    })?;
    if filling.messages > MOST {
        return Err(Fault::skipped(format!(
            "it would take {} messages to fill a channel; start the server with less, and --set retention-messages=…",
            filling.messages
        )));
    }
    Ok(filling)
}

async fn evicted(case: &Case<'_>) -> Proof {
    let filling = filling(case)?;
    let channel = case.subject.channel();
    let mut publisher = Publisher::open(case, &channel).await?;
    let cursor = first_position(case, &channel, &mut publisher).await?;
    let names = channel.messages(usize::try_from(filling.messages).unwrap_or(usize::MAX));
    case.waiting_for(format!("the server to take {} messages, which fill the channel", names.len()));
    for name in &names {
        publisher.publish(filling.message(name)).await?;
    }
    let mut reader = Reader::open(case, case.transport(), &channel, &After::Cursor(cursor.clone())).await?;
    expect_gap(case, &mut reader, &cursor, &names[0]).await?;
    expect_the_rest(case, &channel, &mut reader, &names).await
}

/// Publishes a message, hears it, and returns the position behind it.
async fn first_position(case: &Case<'_>, channel: &Channel, publisher: &mut Publisher) -> Proof<String> {
    let mut reader = Reader::open(case, case.transport(), channel, &After::End).await?;
    let message = channel.message();
    publisher.publish(&message).await?;
    reader.message(case, channel, &message).await?;
    let cursor = reader.cursor().map(str::to_owned);
    let cursor = cursor.ok_or_else(|| Fault::violated(format!("{message} came without a cursor"), reader.lines()))?;
    reader.cut();
    Ok(cursor)
}

async fn expect_gap(case: &Case<'_>, reader: &mut Reader, cursor: &str, first: &str) -> Proof {
    case.waiting_for(format!("a gap behind the cursor {cursor}"));
    let until = case.until();
    loop {
        let instead = match reader.next(until).await? {
            Heard::Gap { .. } => return Ok(()),
            Heard::Alive | Heard::Other(_) => continue,
            Heard::Message(message) if name_of(&message.data) == first => {
                let reason = "the server still keeps everything; --set retention-messages=… to what a channel keeps";
                return Err(Fault::skipped(reason));
            }
            Heard::Message(message) => format!("{} came next", name_of(&message.data)),
            Heard::End(stop) => stop.says().to_owned(),
            Heard::Late => "nothing came".to_owned(),
        };
        let says = format!(
            "subscribed behind {cursor}, whose next message {first} is no longer kept, expected a gap, but {instead}"
        );
        return Err(Fault::violated(says, reader.lines()).of(&TOLD));
    }
}

async fn expect_the_rest(case: &Case<'_>, channel: &Channel, reader: &mut Reader, names: &[String]) -> Proof {
    let mut heard: Vec<String> = Vec::new();
    while heard.last() != names.last() && heard.len() <= names.len() {
        let message = reader.message(case, channel, "the rest after the gap").await;
        heard.push(name_of(&message.map_err(|fault| fault.of(&THEN_COMPLETE))?.data));
    }
    let first = heard.first().and_then(|first| names.iter().position(|name| name == first)).unwrap_or(0);
    sequence::compare(&names[first..], &heard).map_err(|difference| {
        Fault::violated(format!("after the gap, {}", difference.says), reader.lines()).of(&THEN_COMPLETE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_filled_by_the_fewest_messages() {
        let filling =
            |messages, bytes, max| Filling::of(messages, bytes, max).map(|found| (found.messages, found.size));
        assert_eq!(filling(None, None, None), None);
        assert_eq!(filling(Some(50), None, None), Some((70, 0)));
        assert_eq!(filling(Some(10_000), Some(16 << 20), Some(1 << 20)), Some((100, 256 << 10)));
        assert_eq!(filling(None, Some(1000), Some(10)), Some((145, 10)));
    }

    #[test]
    fn a_large_message_keeps_its_name() {
        let message = Filling { messages: 1, size: 20 }.message("check-7");
        assert_eq!(message.len(), 20);
        assert_eq!(name_of(message.as_bytes()), "check-7");
        assert_eq!(Filling { messages: 1, size: 0 }.message("check-7"), "check-7");
    }
}
