//! `slow-reader`: one subscriber stops reading, and the world goes on: for the others as if nothing had happened, for itself
//! without a silent hole, for the server without a queue that grows.

use std::{cell::RefCell, time::Duration};

use super::{Check, Scope};
use crate::{
    bench::server::memory,
    check::{
        case::Case,
        profile::Profile,
        publisher::Publisher,
        reader::{After, Heard, Reader},
        subject::Channel,
        trace::{LineNumber, escape},
        transport::Transport,
        verdict::{Fault, Proof, Property},
    },
};

static OTHERS: Property = Property {
    id: "slow-reader.others",
    promise: "A subscriber that stops reading holds nobody up: publishers go on, and the others hear everything.",
    chapter: CHAPTER,
};

static NO_SILENT_HOLE: Property = Property {
    id: "slow-reader.no-silent-hole",
    promise: "When it reads on, it hears what it has missed, or is told of a gap, or finds the connection ended: nothing is \
              missing in silence.",
    chapter: CHAPTER,
};

static BOUNDED: Property = Property {
    id: "slow-reader.bounded",
    promise: "The server keeps for it no more than for everybody: what the channel does not retain cannot be heard later.",
    chapter: CHAPTER,
};

static MEMORY: Property = Property {
    id: "slow-reader.memory",
    promise: "The server's memory does not grow by what a subscriber has not read.",
    chapter: CHAPTER,
};

/// What this check is.
pub static CHECK: Check = Check {
    name: "slow-reader",
    about: "one subscriber stops reading while megabytes pass: the others hear everything, and it is told what it missed",
    scope: Scope::Each(&[Transport::WebSocket, Transport::Sse, Transport::Stream]),
    properties: &[&OTHERS, &NO_SILENT_HOLE, &BOUNDED, &MEMORY],
    run: |case| Box::pin(run(case)),
};

/// Where the book tells of it.
const CHAPTER: &str = "/book/protocol.html#slow-subscribers";

/// At least so much is published past the slow subscriber: more than systems keep in the buffers of one connection.
const LEAST_BYTES: u64 = 16 << 20;

/// At most so much, for a channel that retains a lot.
const MOST_BYTES: u64 = 64 << 20;

/// In messages of at most this size, in bytes.
const MESSAGE: usize = 64 << 10;

/// And at most so many of them.
const MOST_MESSAGES: u64 = 4096;

/// So many messages are published before the other subscriber hears them: one mebibyte.
const UNDER_WAY: usize = 16;

/// The buffer that the slow subscriber's system has for what is received, in bytes.
const NARROW: usize = 16 << 10;

/// The part of what passed that a server's memory may grow by, for whatever else it does.
const LEEWAY: u64 = 3;

async fn run(case: &Case<'_>) {
    let found = RefCell::new(None);
    case.prove_all(&[&OTHERS, &NO_SILENT_HOLE], async {
        found.replace(Some(scenario(case).await?));
        Ok(())
    })
    .await;
    let Some(found) = found.into_inner() else {
        return case.skip_the_rest("nobody knows about it, since the test did not come to its end");
    };
    case.judge(&BOUNDED, &found.bounded());
    case.judge(&MEMORY, &found.memory());
}

/// How much is published, in how many messages, and how much of it a channel keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Load {
    messages: usize,
    size: usize,
    retained: Option<u64>,
}

impl Load {
    /// Twice what a channel retains, and more than what lies in buffers, within bounds.
    fn new(profile: &Profile) -> Self {
        let largest = profile.publish.as_ref().and_then(|publish| publish.max_bytes);
        let size = MESSAGE.min(largest.unwrap_or(MESSAGE)).max(1);
        let by_messages = profile.retention_messages.map(|messages| messages.saturating_mul(size as u64));
        let retained = profile.retention_bytes.into_iter().chain(by_messages).min();
        let bytes = retained.unwrap_or(0).saturating_mul(2).saturating_add(LEAST_BYTES).min(MOST_BYTES);
        let messages = (bytes / size as u64).clamp(1, MOST_MESSAGES);
        Self { messages: usize::try_from(messages).unwrap_or(1), size, retained }
    }

    const fn bytes(self) -> u64 {
        self.messages as u64 * self.size as u64
    }

    /// Whether so much is published that a part of it can be neither retained nor in buffers.
    fn exceeds_what_is_kept(self) -> bool {
        self.retained.is_some_and(|retained| self.bytes() >= retained.saturating_add(LEAST_BYTES))
    }
}

/// What the slow subscriber and the system told.
#[derive(Debug)]
struct Found {
    load: Load,
    rest: Rest,
    /// By how much the server's memory grew, if it was looked at.
    grown: Option<u64>,
    lines: Vec<LineNumber>,
}

impl Found {
    fn bounded(&self) -> Proof {
        if !self.load.exceeds_what_is_kept() {
            return Err(Fault::skipped("the profile does not say that a channel keeps less (retention-bytes)"));
        }
        if self.rest == Rest::Told {
            return Ok(());
        }
        let mebibytes = self.load.bytes() >> 20;
        let says =
            format!("all {mebibytes} MiB that it had not read were delivered later, though the channel keeps less");
        Err(Fault::violated(says, self.lines.clone()))
    }

    fn memory(&self) -> Proof {
        let grown = self.grown.ok_or_else(|| Fault::skipped("the server's process is not known (--pid, on Linux)"))?;
        if grown <= self.load.bytes() / LEEWAY {
            return Ok(());
        }
        // No connection shows it.
        let says = format!("the memory grew by {} MiB while {} MiB passed", grown >> 20, self.load.bytes() >> 20);
        Err(Fault::violated(says, []))
    }
}

async fn scenario(case: &Case<'_>) -> Proof<Found> {
    let load = Load::new(&case.subject.profile);
    let channel = case.subject.channel();
    let mut publisher = Publisher::open(case, &channel).await?;
    let mut other = Reader::open(case, case.transport(), &channel, &After::End).await?;
    let before = match case.subject.settings.pid {
        // Once without the slow one, so that the log is full, and buffers are as large as they get.
        Some(pid) => {
            pass(case, &channel, load, &mut publisher, &mut other).await?;
            memory(pid).map(|(_, bytes)| (pid, bytes))
        }
        None => None,
    };
    let mut slow = Reader::open(case, case.transport(), &channel, &After::End).await?;
    slow.narrow(NARROW);
    let names = pass(case, &channel, load, &mut publisher, &mut other).await?;
    let grown = before.and_then(|(pid, before)| Some(memory(pid)?.1.saturating_sub(before)));
    let rest = read_on(case, &mut slow, &names).await?;
    Ok(Found { load, rest, grown, lines: slow.lines() })
}

/// Publishes everything, and has the other subscriber hear it. Never is so much under way that a busy machine could make the
/// other one slow. Returns the names of the messages.
async fn pass(
    case: &Case<'_>,
    channel: &Channel,
    load: Load,
    publisher: &mut Publisher,
    other: &mut Reader,
) -> Proof<Vec<String>> {
    let names = channel.messages(load.messages);
    for batch in names.chunks(UNDER_WAY) {
        for name in batch {
            publisher.publish(padded(name, load.size)).await.map_err(|fault| fault.of(&OTHERS))?;
        }
        for name in batch {
            hear(case, channel, other, name).await.map_err(|fault| fault.of(&OTHERS))?;
        }
    }
    Ok(names)
}

async fn hear(case: &Case<'_>, channel: &Channel, other: &mut Reader, name: &str) -> Proof {
    let expected = format!("{name}, beside a subscriber that does not read,");
    let message = other.message(case, channel, &expected).await?;
    if is(&message.data, name) {
        return Ok(());
    }
    let says = format!("{} was heard where {name} was expected", start(&message.data));
    Err(Fault::violated(says, other.lines()))
}

fn padded(name: &str, size: usize) -> Vec<u8> {
    let mut message = format!("{name} ").into_bytes();
    message.resize(size.max(message.len()), b'x');
    message
}

fn is(data: &[u8], name: &str) -> bool {
    data.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first().is_none_or(|next| *next == b' '))
}

/// The name of a message.
fn start(data: &[u8]) -> String {
    let end = data.iter().position(|byte| *byte == b' ').unwrap_or(data.len()).min(40);
    escape(&data[..end])
}

/// What the slow subscriber found when it read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// Everything.
    Complete,
    /// Everything up to a gap that was told, or to the end of the connection.
    Told,
}

/// So long the slow subscriber reads on behind a gap, where nothing need come any more.
const BEHIND_GAP: Duration = Duration::from_millis(500);

async fn read_on(case: &Case<'_>, slow: &mut Reader, names: &[String]) -> Proof<Rest> {
    let (mut next, mut has_gap) = (0, false);
    while next < names.len() {
        case.waiting_for(format!("{}, a gap, or the end of the connection", names[next]));
        let until = if has_gap { case.within(BEHIND_GAP) } else { case.until() };
        match slow.next(until).await? {
            Heard::Message(message) => match names.iter().position(|name| is(&message.data, name)) {
                Some(place) if place == next || (has_gap && place > next) => next = place + 1,
                Some(_) => {
                    let expected = &names[next];
                    let says = format!("{} came where {expected} was next, and no gap was told", start(&message.data));
                    return Err(Fault::violated(says, slow.lines()).of(&NO_SILENT_HOLE));
                }
                None => {}
            },
            Heard::Gap { .. } => has_gap = true,
            Heard::Alive | Heard::Other(_) => {}
            Heard::End(_) => return Ok(Rest::Told),
            Heard::Late if has_gap => return Ok(Rest::Told),
            Heard::Late => {
                let says = format!("{} never came, and neither did a gap or an end of the connection", names[next]);
                return Err(Fault::violated(says, slow.lines()).of(&NO_SILENT_HOLE));
            }
        }
    }
    Ok(if has_gap { Rest::Told } else { Rest::Complete })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(overrides: &[&str]) -> Load {
        let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
        Load::new(&Profile::load("sse", &overrides).expect("a profile"))
    }

    #[test]
    fn the_load_exceeds_what_is_kept_if_that_is_known_and_not_too_much() {
        let unknown = load(&[]);
        assert_eq!((unknown.size, unknown.bytes()), (MESSAGE, LEAST_BYTES));
        assert!(!unknown.exceeds_what_is_kept());
        let by_bytes = load(&["retention-bytes=16777216", "retention-messages=10000"]);
        assert_eq!(by_bytes.bytes(), 48 << 20);
        assert!(by_bytes.exceeds_what_is_kept());
        assert!(load(&["retention-messages=10"]).exceeds_what_is_kept());
        let tiny = load(&["retention-bytes=16777216", "publish.max-bytes=100"]);
        assert_eq!((tiny.messages, tiny.size), (4096, 100));
        assert!(!tiny.exceeds_what_is_kept());
    }

    #[test]
    fn what_was_not_looked_at_is_not_passed() {
        let found = |overrides: &[&str], rest, grown| Found { load: load(overrides), rest, grown, lines: Vec::new() };
        let is_skipped = |proof: Proof| matches!(proof, Err(Fault::Skipped(_)));
        assert!(is_skipped(found(&[], Rest::Complete, None).bounded()));
        assert!(is_skipped(found(&[], Rest::Complete, None).memory()));
        let kept = ["retention-messages=10"];
        assert_eq!(found(&kept, Rest::Told, None).bounded(), Ok(()));
        assert!(matches!(found(&kept, Rest::Complete, None).bounded(), Err(Fault::Violated(_))));
        assert_eq!(found(&kept, Rest::Told, Some(1 << 20)).memory(), Ok(()));
        assert!(matches!(found(&kept, Rest::Told, Some(16 << 20)).memory(), Err(Fault::Violated(_))));
    }

    #[test]
    fn a_message_is_known_by_its_name_alone() {
        assert!(is(&padded("check-1", 100), "check-1") && is(b"check-1", "check-1"));
        assert!(!is(&padded("check-10", 100), "check-1"));
        assert_eq!(start(&padded("check-10", 100)), "check-10");
    }
}
