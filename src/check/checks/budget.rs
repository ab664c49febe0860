//! `budget`: what a small message costs on a subscription that is warm: bytes, packets, and time. Nowhere else is speed
//! judged, and here only by a bound that a busy machine keeps.

use std::{collections::HashSet, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{Check, Scope};
use crate::{
    bench::server::Sockets,
    check::{
        case::Case,
        publisher::Publisher,
        reader::{After, Reader},
        subject::Channel,
        transport::Transport,
        verdict::{Fault, Proof, Property},
    },
};

static BYTES: Property = Property {
    id: "budget.bytes",
    promise: "A message of 100 bytes costs no more bytes on the wire than the profile's budget, both directions together.",
    chapter: CHAPTER,
};

static PACKETS: Property = Property {
    id: "budget.packets",
    promise: "It comes in one packet or two, and not in a packet for each part of its framing.",
    chapter: CHAPTER,
};

static P99: Property = Property {
    id: "budget.p99",
    promise: "At 50 messages a second, 99 of 100 are heard within the bound (--p99).",
    chapter: CHAPTER,
};

/// What this check is.
pub static CHECK: Check = Check {
    name: "budget",
    about: "what a message of 100 bytes costs on a warm subscription: bytes, packets, and time (--p99)",
    scope: Scope::Each(&Transport::ALL),
    properties: &[&BYTES, &PACKETS, &P99],
    run: |case| Box::pin(run(case)),
};

/// Where the book tells of it.
const CHAPTER: &str = "/book/which-transport.html#what-was-measured";

/// The size of a message, in bytes.
const SIZE: usize = 100;

/// So many messages are counted.
const COUNTED: u32 = 20;

/// So many come before, which are not.
const WARM_UP: u32 = 3;

/// So many messages are timed, at this interval: 50 a second.
const TIMED: u32 = 150;
const INTERVAL: Duration = Duration::from_millis(20);

async fn run(case: &Case<'_>) {
    case.prove(&BYTES, bytes(case)).await;
    case.prove(&PACKETS, packets(case)).await;
    case.prove(&P99, p99(case)).await;
}

/// A subscriber, and what publishes to it.
struct Pair {
    channel: Channel,
    publisher: Publisher,
    reader: Reader,
}

impl Pair {
    /// A pair that has passed some messages already.
    async fn warm(case: &Case<'_>) -> Proof<Self> {
        let channel = case.subject.channel();
        let reader = Reader::open(case, case.transport(), &channel, &After::End).await?;
        let publisher = Publisher::open(case, &channel).await?;
        let mut pair = Self { channel, publisher, reader };
        for _ in 0..WARM_UP {
            pair.pass(case).await?;
        }
        Ok(pair)
    }

    /// Publishes a message and hears it.
    async fn pass(&mut self, case: &Case<'_>) -> Proof {
        let message = padded(&self.channel.message());
        self.publisher.publish(&message).await?;
        self.reader.message(case, &self.channel, "the message").await.map(drop)
    }
}

fn padded(name: &str) -> String {
    format!("{name:.<SIZE$}")
}

async fn bytes(case: &Case<'_>) -> Proof {
    let mut pair = Pair::warm(case).await?;
    let publishers: HashSet<u32> = pair.publisher.lines().into_iter().collect();
    let count = || case.trace.volume(|line| !publishers.contains(&line));
    let before = count();
    for _ in 0..COUNTED {
        pair.pass(case).await?;
    }
    let cost = (count() - before) / u64::from(COUNTED);
    let budget = budget(case);
    if cost <= budget {
        return Ok(());
    }
    let says = format!("a message of {SIZE} bytes costs {cost} bytes on the wire, {budget} at most were expected");
    Err(Fault::violated(says, pair.reader.lines()))
}

/// The profile's budget, or one that leaves room for a plain framing of its kind.
fn budget(case: &Case<'_>) -> u64 {
    let subscribe = case.subject.profile.subscribe(case.transport());
    let has_json = subscribe.is_some_and(|subscribe| subscribe.data.is_some());
    let around = match (case.transport(), has_json) {
        // A head of two or four bytes (RFC 6455 §5.2), and a little room.
        (Transport::WebSocket, false) => 16,
        // Chunk, field names, an id and a type.
        (Transport::Sse, false) => 156,
        (Transport::WebSocket | Transport::Sse | Transport::Stream, _) => 300,
        // A request, a head, and an envelope.
        (Transport::LongPoll, _) => 1_500,
    };
    subscribe.and_then(|subscribe| subscribe.budget_bytes).unwrap_or(SIZE as u64 + around)
}

/// Packets that come, those without data included. Only the kernel knows.
async fn packets(case: &Case<'_>) -> Proof {
    let mut pair = Pair::warm(case).await?;
    let no_port = || Fault::skipped("the server ends the connection behind each answer");
    let port = pair.reader.local_port().ok_or_else(no_port)?;
    let ports = HashSet::from([port]);
    let unknown = || Fault::skipped("this system does not tell how many packets a connection has received");
    let before = Sockets::count(&ports).ok_or_else(unknown)?;
    for _ in 0..COUNTED {
        pair.pass(case).await?;
    }
    if pair.reader.local_port() != Some(port) {
        return Err(no_port());
    }
    let received = Sockets::count(&ports).ok_or_else(unknown)?.since(before).down;
    let most = match case.transport() {
        // An answer in two writes, and an acknowledgment of the request.
        Transport::LongPoll => 3,
        // Room for a heartbeat or a packet that was sent twice.
        _ => 2,
    };
    if received <= most * u64::from(COUNTED) {
        return Ok(());
    }
    let per_message = f64::from(u32::try_from(received).unwrap_or(u32::MAX)) / f64::from(COUNTED);
    let says = format!("{per_message:.1} packets came for each message, {most} at most were expected");
    Err(Fault::violated(says, pair.reader.lines()))
}

/// Publishes by a schedule, whatever has been heard by then, and counts from the time when a message was due.
async fn p99(case: &Case<'_>) -> Proof {
    let Pair { channel, mut publisher, mut reader } = Pair::warm(case).await?;
    let names = channel.messages(TIMED as usize);
    let begin = Instant::now() + INTERVAL;
    let due = |number: u32| begin + INTERVAL * number;
    let publish = async {
        for (number, name) in (0..).zip(&names) {
            sleep_until(due(number)).await;
            publisher.publish(padded(name)).await?;
        }
        Ok(())
    };
    let hear = async {
        let mut latencies = Vec::with_capacity(names.len());
        for number in 0..TIMED {
            reader.message(case, &channel, "the next message").await?;
            latencies.push(due(number).elapsed());
        }
        Ok(latencies)
    };
    let (published, heard): (Proof, Proof<Vec<Duration>>) = tokio::join!(publish, hear);
    published?;
    let p99 = percentile_99(heard?);
    let bound = case.subject.settings.p99;
    if p99 <= bound {
        return Ok(());
    }
    let [p99, bound] = [p99, bound].map(|time| format!("{time:.0?}"));
    Err(Fault::violated(format!("p99 is {p99} of {TIMED} messages, {bound} at most was expected"), reader.lines()))
}

/// The time that 99 of 100 do not exceed, by the nearest rank.
fn percentile_99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let rank = (times.len() * 99).div_ceil(100);
    times.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_99th_percentile_is_the_nearest_rank() {
        let times = |count: u64| (1..=count).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile_99(times(100)), Duration::from_millis(99));
        assert_eq!(percentile_99(times(150)), Duration::from_millis(149));
        assert_eq!(percentile_99(times(1)), Duration::from_millis(1));
    }

    #[test]
    fn a_padded_message_has_its_size() {
        assert_eq!(padded("check-1").len(), SIZE);
    }
}
