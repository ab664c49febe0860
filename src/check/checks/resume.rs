//! `resume`: whoever was cut off goes on where it was, without a loss and without hearing anything twice.

use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::{sync::watch, time::sleep};

use super::{
    Check, Running, Scope,
    sequence::{self, Kind},
};
use crate::check::{
    case::Case,
    profile::Subscribe,
    publisher::Publisher,
    reader::{After, Heard, Message, Reader},
    subject::Channel,
    trace::LineNumber,
    transport::Transport,
    verdict::{Fault, Proof, Property},
};

const CHAPTER: &str = "/book/protocol.html#cursors";

static NO_LOSS: Property = Property {
    id: "resume.no-loss",
    promise: "A subscriber that is cut off and comes back with its cursor has missed nothing.",
    chapter: CHAPTER,
};

static NO_DUPLICATE: Property = Property {
    id: "resume.no-duplicate",
    promise: "A cursor is a position, and what comes is everything after it: nothing is heard twice.",
    chapter: CHAPTER,
};

static ORDER: Property = Property {
    id: "resume.order",
    promise: "What comes after a cursor comes in the order in which it was published.",
    chapter: CHAPTER,
};

static HAND_OVER: Property = Property {
    id: "resume.hand-over",
    promise: "Where the replay ends and the live messages begin, nothing is lost, repeated or reordered, however fast \
              others publish.",
    chapter: "/book/one-channel.html#which-messages-are-yours",
};

static SAME_ID: Property = Property {
    id: "resume.same-id",
    promise: "A message that is replayed has the id and the data that it had live.",
    chapter: "/book/one-channel.html#once-into-bytes",
};

static SAME_BYTES: Property = Property {
    id: "resume.same-bytes",
    promise: "A message that is replayed has the very bytes that it had live.",
    chapter: "/book/one-channel.html#once-into-bytes",
};

static START: Property = Property {
    id: "resume.start",
    promise: "Who asks for the start hears everything from the oldest message on.",
    chapter: CHAPTER,
};

static BAD_CURSOR: Property = Property {
    id: "resume.bad-cursor",
    promise: "A cursor that is none is refused, not taken for another.",
    chapter: CHAPTER,
};

static AHEAD: Property = Property {
    id: "resume.ahead",
    promise: "A cursor that is ahead of every message is answered with a gap, not in silence.",
    chapter: CHAPTER,
};

static OTHER_EPOCH: Property = Property {
    id: "resume.other-epoch",
    promise: "A cursor of a log that is no more is answered with a gap, not in silence.",
    chapter: CHAPTER,
};

/// See the module.
pub static CHECK: Check = Check {
    name: "resume",
    about: "whoever was cut off goes on where it was: nothing lost, nothing twice",
    scope: Scope::Each(&Transport::ALL),
    properties: &[
        &NO_LOSS,
        &NO_DUPLICATE,
        &ORDER,
        &HAND_OVER,
        &SAME_ID,
        &SAME_BYTES,
        &START,
        &BAD_CURSOR,
        &AHEAD,
        &OTHER_EPOCH,
    ],
    run,
};

fn run<'a>(case: &'a Case<'a>) -> Running<'a> {
    Box::pin(async move {
        let subscribe = case.subject.profile.subscribe(case.transport());
        if !subscribe.is_some_and(Subscribe::can_resume) {
            let reason = format!("the profile names neither `id` nor `cursor` in [{}]", case.transport());
            return case.skip_the_rest(&reason);
        }
        case.prove_all(&[&NO_LOSS, &NO_DUPLICATE, &ORDER], cuts(case)).await;
        case.prove(&HAND_OVER, hand_over(case)).await;
        if case.subject.profile.same_bytes {
            case.prove_all(&[&SAME_ID, &SAME_BYTES], replay(case)).await;
        } else {
            case.prove(&SAME_ID, replay(case)).await;
        }
        case.prove(&START, start(case)).await;
        case.prove(&BAD_CURSOR, bad_cursor(case)).await;
        case.prove(&AHEAD, ahead(case)).await;
        case.prove(&OTHER_EPOCH, other_epoch(case)).await;
        case.skip_the_rest("the profile does not say `same-bytes = true`");
    })
}

const MESSAGES: usize = 30;
const CUTS: usize = 6;

/// Somebody publishes, and a subscriber is cut off at places that the seed decides.
async fn cuts(case: &Case<'_>) -> Proof {
    let channel = case.subject.channel();
    let reader = Reader::open(case, case.transport(), &channel, &After::End).await?;
    let messages = channel.messages(MESSAGES);
    let mut places: Vec<usize> = case.roll(|dice| dice.choose_multiple(1..MESSAGES, CUTS));
    places.sort_unstable();
    let ((), heard) = tokio::try_join!(
        publish_slowly(case, &channel, &messages),
        hear_with_cuts(case, &channel, reader, &messages, &places)
    )?;
    sequence::compare(&messages, &heard.messages).map_err(|difference| {
        let property = match difference.kind {
            Kind::Lost => &NO_LOSS,
            Kind::Twice => &NO_DUPLICATE,
            Kind::Order => &ORDER,
        };
        let lines = heard.lines_at(&difference.at);
        Fault::violated(format!("after {CUTS} cuts, {}", difference.says), lines).of(property)
    })
}

/// What was heard, and on which connection each of it.
#[derive(Debug, Default)]
struct Record {
    messages: Vec<String>,
    lines: Vec<LineNumber>,
}

impl Record {
    fn enter(&mut self, message: &Message, reader: &Reader) {
        self.messages.push(text_of(message));
        self.lines.push(reader.lines().last().copied().unwrap_or_default());
    }

    fn lines_at(&self, places: &[usize]) -> Vec<LineNumber> {
        places.iter().filter_map(|place| self.lines.get(*place).copied()).collect()
    }

    /// Whether the last of `messages` was heard, or far too much.
    fn is_complete(&self, messages: &[String]) -> bool {
        self.messages.last() == messages.last() || self.messages.len() >= 2 * messages.len()
    }

    /// The message that must come next.
    fn next_of<'a>(&self, messages: &'a [String]) -> &'a str {
        messages.get(self.messages.len()).or(messages.last()).map_or("a message", String::as_str)
    }
}

async fn publish_slowly(case: &Case<'_>, channel: &Channel, messages: &[String]) -> Proof {
    let mut publisher = Publisher::open(case, channel).await?;
    for message in messages {
        publisher.publish(message).await?;
        // So that cuts fall between publications as often as into them.
        let pause = case.roll(|dice| dice.u64(..4));
        sleep(Duration::from_millis(pause)).await;
    }
    Ok(())
}

/// Hears until the last message, and comes back after each of these numbers of messages.
async fn hear_with_cuts(
    case: &Case<'_>,
    channel: &Channel,
    mut reader: Reader,
    messages: &[String],
    places: &[usize],
) -> Proof<Record> {
    let mut heard = Record::default();
    let mut places = places.iter().peekable();
    while !heard.is_complete(messages) {
        let message = reader.message(case, channel, heard.next_of(messages)).await?;
        heard.enter(&message, &reader);
        if places.next_if(|place| **place <= heard.messages.len()).is_some() && !heard.is_complete(messages) {
            reader = come_back(case, channel, reader, &mut heard).await?;
        }
    }
    Ok(heard)
}

/// Cuts the subscriber off and subscribes again behind what it has heard.
async fn come_back(case: &Case<'_>, channel: &Channel, mut reader: Reader, heard: &mut Record) -> Proof<Reader> {
    while !reader.knows_its_position() {
        let message = reader.message(case, channel, "the rest of the answer").await?;
        heard.enter(&message, &reader);
    }
    let cursor = cursor_of(&reader)?;
    reader.cut();
    Reader::open(case, case.transport(), channel, &After::Cursor(cursor)).await
}

fn cursor_of(reader: &Reader) -> Proof<String> {
    let cursor = reader.cursor().map(str::to_owned);
    cursor.ok_or_else(|| {
        let says = format!("no cursor came over {}, so nobody can tell the server where to go on", reader.transport());
        Fault::violated(says, reader.lines())
    })
}

fn text_of(message: &Message) -> String {
    String::from_utf8_lossy(&message.data).into_owned()
}

/// Publishes a message, hears it, and returns the position behind it.
async fn position(case: &Case<'_>, channel: &Channel, publisher: &mut Publisher) -> Proof<String> {
    let mut reader = Reader::open(case, case.transport(), channel, &After::End).await?;
    let message = channel.message();
    publisher.publish(&message).await?;
    reader.message(case, channel, &message).await?;
    let cursor = cursor_of(&reader)?;
    reader.cut();
    Ok(cursor)
}

const ROUNDS: usize = 8;
const HISTORY: usize = 3;
const LIVE: usize = 12;
const RETURNING: usize = 3;

/// Subscribers come back with an old cursor in the midst of publications, again and again.
async fn hand_over(case: &Case<'_>) -> Proof {
    for round in 1..=ROUNDS {
        let channel = case.subject.channel();
        let mut publisher = Publisher::open(case, &channel).await?;
        let cursor = position(case, &channel, &mut publisher).await?;
        let messages = channel.messages(HISTORY + LIVE);
        for message in &messages[..HISTORY] {
            publisher.publish(message).await?;
        }
        let (counter, progress) = watch::channel(0);
        let publishing = async {
            for (count, message) in messages[HISTORY..].iter().enumerate() {
                publisher.publish(message).await?;
                counter.send_replace(count + 1);
            }
            Proof::Ok(())
        };
        let returning = (0..RETURNING).map(|_| {
            let (mut progress, at) = (progress.clone(), case.roll(|dice| dice.usize(..LIVE - 1)));
            let (channel, messages, cursor) = (&channel, &messages, &cursor);
            async move {
                // The sender lives as long as this future.
                let _ = progress.wait_for(|published| *published >= at).await;
                hear_from(case, channel, cursor, messages, round).await
            }
        });
        tokio::try_join!(publishing, try_join_all(returning))?;
    }
    Ok(())
}

/// Comes back with this cursor, and hears what must follow it.
async fn hear_from(case: &Case<'_>, channel: &Channel, cursor: &str, messages: &[String], round: usize) -> Proof {
    let mut reader = Reader::open(case, case.transport(), channel, &After::Cursor(cursor.to_owned())).await?;
    let mut heard = Record::default();
    while !heard.is_complete(messages) {
        let message = reader.message(case, channel, heard.next_of(messages)).await?;
        heard.enter(&message, &reader);
    }
    sequence::compare(messages, &heard.messages).map_err(|difference| {
        let says = format!("back with the cursor {cursor} (round {round}), {}", difference.says);
        Fault::violated(says, reader.lines())
    })
}

/// A live subscriber and one that replays hear the same.
async fn replay(case: &Case<'_>) -> Proof {
    let channel = case.subject.channel();
    let mut publisher = Publisher::open(case, &channel).await?;
    let cursor = position(case, &channel, &mut publisher).await?;
    let mut live = Reader::open(case, case.transport(), &channel, &After::Cursor(cursor.clone())).await?;
    let mut originals = Vec::new();
    for message in channel.messages(4) {
        publisher.publish(&message).await?;
        originals.push(live.message(case, &channel, &message).await?);
    }
    let mut replayed = Reader::open(case, case.transport(), &channel, &After::Cursor(cursor)).await?;
    for original in originals {
        let copy = replayed.message(case, &channel, &text_of(&original)).await?;
        let lines = [live.lines(), replayed.lines()].concat();
        compare_copies(case, &original, &copy).map_err(|(property, says)| Fault::violated(says, lines).of(property))?;
    }
    Ok(())
}

fn compare_copies(case: &Case<'_>, live: &Message, replayed: &Message) -> Result<(), (&'static Property, String)> {
    let name = text_of(live);
    if live.data != replayed.data {
        return Err((&SAME_ID, format!("{name} was replayed as {}", text_of(replayed))));
    }
    if live.cursor != replayed.cursor {
        let told = |cursor: &Option<String>| cursor.clone().unwrap_or_else(|| "none".to_owned());
        let says = format!("the id of {name} was {} live and {} replayed", told(&live.cursor), told(&replayed.cursor));
        return Err((&SAME_ID, says));
    }
    if case.subject.profile.same_bytes && live.raw != replayed.raw {
        let says =
            format!("{name} came live in {} bytes and replayed in {} others", live.raw.len(), replayed.raw.len());
        return Err((&SAME_BYTES, says));
    }
    Ok(())
}

async fn start(case: &Case<'_>) -> Proof {
    let channel = case.subject.channel();
    let mut publisher = Publisher::open(case, &channel).await?;
    let messages = channel.messages(3);
    for message in &messages {
        publisher.publish(message).await?;
    }
    let mut reader = Reader::open(case, case.transport(), &channel, &After::Start).await?;
    for expected in &messages {
        let heard = text_of(&reader.message(case, &channel, expected).await?);
        if heard != *expected {
            let says = format!("asked for the start, expected {expected} and heard {heard}");
            return Err(Fault::violated(says, reader.lines()));
        }
    }
    Ok(())
}

async fn bad_cursor(case: &Case<'_>) -> Proof {
    let status = case.subject.profile.subscribe(case.transport()).and_then(|subscribe| subscribe.bad_cursor);
    let (Some(status), Some(cursor)) = (status, case.subject.profile.malformed_cursor.clone()) else {
        return Err(Fault::skipped("the profile names no `bad-cursor` status here, or no `malformed-cursor`"));
    };
    let channel = case.subject.channel();
    let (head, line) = Reader::ask(case, case.transport(), &channel, &After::Cursor(cursor.clone())).await?;
    if head.status == status {
        return Ok(());
    }
    let says = format!("the cursor {cursor:?} is answered with {} instead of {status}", head.says());
    Err(Fault::violated(says, [line]))
}

/// A cursor, taken apart by the profile's form.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    epoch: String,
    between: String,
    offset: u64,
}

impl Parts {
    /// Takes a cursor apart by a form such as `{epoch}.{offset}` or `{offset}`.
    fn of(cursor: &str, form: &str) -> Option<Self> {
        let between = form.strip_suffix("{offset}")?;
        let between = between.strip_prefix("{epoch}").unwrap_or(between);
        let digits = cursor.len() - cursor.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
        // An epoch may end in digits, too, but then something stands between it and the offset.
        let (before, offset) = cursor.split_at(cursor.len() - digits);
        let epoch = before.strip_suffix(between)?.to_owned();
        Some(Self { epoch, between: between.to_owned(), offset: offset.parse().ok()? })
    }

    fn ahead(&self) -> String {
        format!("{}{}{}", self.epoch, self.between, self.offset + 1000)
    }

    /// The same offset in another epoch; `None` if cursors have no epoch.
    fn in_another_epoch(&self) -> Option<String> {
        let (first, rest) = (self.epoch.chars().next()?, self.epoch.get(1..)?);
        let other = if first == 'a' { 'b' } else { 'a' };
        Some(format!("{other}{rest}{}{}", self.between, self.offset))
    }
}

async fn ahead(case: &Case<'_>) -> Proof {
    told_as_gap(case, |parts| Some(parts.ahead())).await
}

async fn other_epoch(case: &Case<'_>) -> Proof {
    told_as_gap(case, Parts::in_another_epoch).await
}

/// Subscribes behind a cursor that cannot be continued, publishes, and expects a gap before the message.
async fn told_as_gap(case: &Case<'_>, forge: impl FnOnce(&Parts) -> Option<String>) -> Proof {
    let profile = &case.subject.profile;
    let tells_gaps = profile.subscribe(case.transport()).is_some_and(|subscribe| subscribe.gap.is_some());
    let (Some(form), true) = (profile.cursor_form.clone(), tells_gaps) else {
        return Err(Fault::skipped("the profile names no `gap` here, or no `cursor-form`"));
    };
    let channel = case.subject.channel();
    let mut publisher = Publisher::open(case, &channel).await?;
    let cursor = position(case, &channel, &mut publisher).await?;
    let Some(parts) = Parts::of(&cursor, &form) else {
        return Err(Fault::violated(format!("the cursor {cursor} has not the form {form}"), publisher.lines()));
    };
    let Some(forged) = forge(&parts) else {
        return Err(Fault::skipped(format!("cursors of the form {form} have no epoch")));
    };
    let mut reader = Reader::open(case, case.transport(), &channel, &After::Cursor(forged.clone())).await?;
    let message = channel.message();
    publisher.publish(&message).await?;
    case.waiting_for(format!("a gap behind the cursor {forged}"));
    let until = case.until();
    loop {
        let instead = match reader.next(until).await? {
            Heard::Gap { .. } => break,
            Heard::Alive | Heard::Other(_) => continue,
            Heard::Message(message) => format!("{} was heard without a gap before it", text_of(&message)),
            Heard::End(stop) => stop.says().to_owned(),
            Heard::Late => "nothing came".to_owned(),
        };
        let says =
            format!("subscribed behind {forged}, which the server never gave out, expected a gap, but {instead}");
        return Err(Fault::violated(says, reader.lines()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_taken_apart_by_its_form() {
        let parts = |cursor, form| Parts::of(cursor, form).map(|parts| (parts.ahead(), parts.in_another_epoch()));
        let some = |ahead: &str, other: &str| Some((ahead.to_owned(), Some(other.to_owned())));
        assert_eq!(parts("k3f9.42", "{epoch}.{offset}"), some("k3f9.1042", "a3f9.42"));
        assert_eq!(parts("a3-0", "{epoch}-{offset}"), some("a3-1000", "b3-0"));
        assert_eq!(parts("7", "{offset}"), Some(("1007".to_owned(), None)));
        assert_eq!(parts("k3f9", "{epoch}.{offset}"), None);
        assert_eq!(parts("k3f9.x", "{epoch}.{offset}"), None);
    }
}
