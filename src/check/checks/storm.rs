//! `storm`: hundreds of connections come, are cut in the rudest ways, and come again. The server stays, and so do those who
//! were there all the time.

use std::time::Duration;

use super::{Check, Scope, ask::address};
use crate::check::{
    case::Case,
    publisher::Publisher,
    reader::{After, Reader},
    subject::Channel,
    transport::Transport,
    verdict::{Fault, Proof, Property},
    wire::{http::Request, line::Line, websocket::upgrade_fields},
};

static OTHERS: Property = Property {
    id: "storm.others",
    promise: "Who is connected hears every message while connections come and are cut around it.",
    chapter: CHAPTER,
};

static ANSWERS: Property = Property {
    id: "storm.answers",
    promise: "During the storm and behind it, the server takes every connection and every publication, and new subscribers \
              hear what is published.",
    chapter: CHAPTER,
};

static DESCRIPTORS: Property = Property {
    id: "storm.descriptors",
    promise: "What was cut is let go: the server has no more descriptors open than before.",
    chapter: CHAPTER,
};

/// What this check is.
pub static CHECK: Check = Check {
    name: "storm",
    about: "200 connections come and are cut (FIN, RST, half a request), three times over: the server stays",
    scope: Scope::Once,
    properties: &[&OTHERS, &ANSWERS, &DESCRIPTORS],
    run: |case| Box::pin(run(case)),
};

/// Where the book tells of it.
const CHAPTER: &str = "/book/falling-back.html#an-outage-is-no-verdict";

/// So many connections at a time.
const CONNECTIONS: usize = 200;

/// So many times over.
const WAVES: usize = 3;

/// After so many connections that were opened or cut, a message is published.
const PER_MESSAGE: usize = 20;

/// So many descriptors more than before may be others' business, or those of subscribers that came later.
const LEEWAY: usize = 16;

/// How often the descriptors are counted while they go.
const STEP: Duration = Duration::from_millis(200);

async fn run(case: &Case<'_>) {
    case.prove_all(&[&OTHERS, &ANSWERS], survives(case)).await;
    case.prove(&DESCRIPTORS, lets_go(case)).await;
}

async fn survives(case: &Case<'_>) -> Proof {
    let mut room = Room::new(case).await?;
    for _ in 0..WAVES {
        wave(case, &mut room).await?;
    }
    room.newcomers(case).await
}

async fn lets_go(case: &Case<'_>) -> Proof {
    let pid = case.subject.settings.pid;
    let pid = pid.ok_or_else(|| Fault::skipped("the server's process is not known (--pid)"))?;
    let count =
        || descriptors(pid).ok_or_else(|| Fault::skipped(format!("the descriptors of process {pid} cannot be seen")));
    let mut room = Room::new(case).await?;
    let before = count()?;
    wave(case, &mut room).await?;
    case.waiting_for("descriptors to be closed");
    let until = case.until();
    loop {
        let now = count()?;
        if now <= before + LEEWAY {
            return Ok(());
        }
        if tokio::time::Instant::now() >= until {
            let says = format!("{now} descriptors are open behind the storm, and {before} were before");
            return Err(Fault::violated(says, room.publisher.lines()));
        }
        tokio::time::sleep(STEP).await;
        // A server may notice that a subscriber is gone only when it has something to send.
        room.tell(case).await?;
    }
}

/// How many descriptors a process has open, where the system tells.
fn descriptors(pid: u32) -> Option<usize> {
    std::fs::read_dir(format!("/proc/{pid}/fd")).ok().map(Iterator::count)
}

/// Those who are there all the time.
struct Room {
    channel: Channel,
    publisher: Publisher,
    readers: Vec<Reader>,
}

impl Room {
    /// A subscriber on each transport, all of whom have heard a message.
    async fn new(case: &Case<'_>) -> Proof<Self> {
        let channel = case.subject.channel();
        let publisher = Publisher::open(case, &channel).await?;
        let mut room = Self { channel, publisher, readers: Vec::new() };
        for transport in case.subject.transports() {
            room.readers.push(Reader::open(case, transport, &room.channel, &After::End).await?);
        }
        room.tell(case).await?;
        Ok(room)
    }

    /// Publishes a message, which all must hear.
    async fn tell(&mut self, case: &Case<'_>) -> Proof<String> {
        let message = self.channel.message();
        self.publisher.publish(&message).await.map_err(|fault| fault.of(&ANSWERS))?;
        for reader in &mut self.readers {
            hear(case, &self.channel, reader, &message).await.map_err(|fault| fault.of(&OTHERS))?;
        }
        Ok(message)
    }

    /// New subscribers on each transport hear what is published.
    async fn newcomers(&mut self, case: &Case<'_>) -> Proof {
        for transport in case.subject.transports() {
            let opened = Reader::open(case, transport, &self.channel, &After::End).await;
            let mut newcomer = opened.map_err(|fault| fault.of(&ANSWERS))?;
            let message = self.tell(case).await?;
            hear(case, &self.channel, &mut newcomer, &message).await.map_err(|fault| fault.of(&ANSWERS))?;
        }
        Ok(())
    }
}

async fn hear(case: &Case<'_>, channel: &Channel, reader: &mut Reader, message: &str) -> Proof {
    let heard = reader.message(case, channel, message).await?;
    if heard.data == message.as_bytes() {
        return Ok(());
    }
    let shown = crate::check::trace::escape(&heard.data);
    Err(Fault::violated(format!("{shown} was heard where {message} was expected"), reader.lines()))
}

/// How a connection of the storm ends.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// By FIN, with a subscription open.
    Fin,
    /// By RST, with a subscription open.
    Reset,
    /// By RST, in the middle of a request.
    HalfARequest,
    /// By FIN, before anything was said.
    Silent,
}

const CUTS: [Cut; 4] = [Cut::Fin, Cut::Reset, Cut::HalfARequest, Cut::Silent];

/// Opens the connections, then cuts them; messages are published all the while.
async fn wave(case: &Case<'_>, room: &mut Room) -> Proof {
    let transports = case.subject.transports();
    let mut lines = Vec::with_capacity(CONNECTIONS);
    for (number, transport) in (1..=CONNECTIONS).zip(transports.iter().cycle()) {
        let cut = case.roll(|dice| dice.choice(CUTS)).unwrap_or(Cut::Reset);
        lines.push((begin(case, *transport, &room.channel, cut).await.map_err(|fault| fault.of(&ANSWERS))?, cut));
        if number % PER_MESSAGE == 0 {
            room.tell(case).await?;
        }
    }
    for (number, (line, cut)) in (1..).zip(lines) {
        end(line, cut).await;
        if number % PER_MESSAGE == 0 {
            room.tell(case).await?;
        }
    }
    Ok(())
}

/// A connection on which so much is said as it is to be cut behind.
async fn begin(case: &Case<'_>, transport: Transport, channel: &Channel, cut: Cut) -> Proof<Line> {
    let mut line = Line::open(case.subject, &case.trace).await?;
    let (target, fields) = address(case, transport, channel, &After::End)?;
    let mut request = Request::get(&target).fields(fields);
    if transport == Transport::WebSocket {
        request = request.fields(upgrade_fields("dGhlIHNhbXBsZSBub25jZQ=="));
    }
    let bytes = request.bytes(case.subject);
    let said = match cut {
        Cut::Fin | Cut::Reset => &bytes[..],
        Cut::HalfARequest => &bytes[..bytes.len() / 2],
        Cut::Silent => &[],
    };
    if !said.is_empty() {
        line.send(said).await.map_err(|stop| {
            Fault::violated(format!("{} while it was asked for a subscription", stop.says()), [line.number()])
        })?;
    }
    Ok(line)
}

async fn end(mut line: Line, cut: Cut) {
    match cut {
        Cut::Fin | Cut::Silent => line.finish().await,
        Cut::Reset | Cut::HalfARequest => line.reset(),
    }
}
