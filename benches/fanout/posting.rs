//! Publishing with no subscriber: POST requests over a few kept connections, one in flight on each.

use std::{
    fmt,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    Result,
    framing::Head,
    machine::Cores,
    options::Plan,
    payload::Payload,
    server::{Contender, PATIENCE, Server},
};

/// Connections that publish in turn with [`GROUPS`] − 1 other such groups. While one group's answers are awaited, the
/// other's requests keep the server busy.
const GROUP: usize = 16;

const GROUPS: usize = 2;

/// What one server did with the requests.
#[derive(Serialize)]
pub struct Sample {
    pub messages: u32,
    pub messages_per_second: f64,
    /// Time of the server on its core, in nanoseconds, divided by the messages.
    pub server_cpu_ns_per_message: f64,
}

impl Sample {
    /// Starts a server, publishes to it for the length of a phase, and stops it.
    pub fn take(plan: &Plan, cores: &Cores, contender: Contender) -> Result<Self> {
        let server = match contender {
            Contender::Bare => Server::bare("bare-post", cores)?,
            Contender::Fallcast => Server::fallcast(plan.server.as_deref(), &[], cores)?,
        };
        let mut posters = Posters::connect(server.address, &Payload::of_length(plan.payload))?;
        posters.post_for(plan.phase.mul_f64(0.2))?;
        let (before, start) = (server.settle()?, Instant::now());
        let messages = posters.post_for(plan.phase)?;
        let seconds = start.elapsed().as_secs_f64();
        let used = server.settle()?.since(&before);
        drop(server);
        posters.check_offsets()?;
        Ok(Self {
            messages,
            messages_per_second: f64::from(messages) / seconds,
            server_cpu_ns_per_message: used.as_secs_f64() * 1e9 / f64::from(messages),
        })
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages_per_second, server_cpu_ns_per_message, .. } = self;
        write!(formatter, "{messages_per_second:.0} messages/s, {server_cpu_ns_per_message:.0} ns CPU each")
    }
}

/// The connections, and the offsets that were assigned to what they have published.
struct Posters {
    connections: Vec<TcpStream>,
    request: Vec<u8>,
    offsets: Vec<u64>,
}

impl Posters {
    fn connect(address: SocketAddr, payload: &Payload) -> Result<Self> {
        let mut connections = Vec::with_capacity(GROUPS * GROUP);
        for _ in 0..GROUPS * GROUP {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            connections.push(stream);
        }
        let body = payload.make(0);
        let mut request = format!(
            "POST /channels/bench HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/plain\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend(body);
        Ok(Self { connections, request, offsets: Vec::new() })
    }

    /// Publishes in turns, one message per connection, and counts the messages.
    fn post_for(&mut self, duration: Duration) -> Result<u32> {
        let start = Instant::now();
        for stream in &mut self.connections {
            stream.write_all(&self.request)?;
        }
        let mut messages = 0;
        loop {
            let last_turn = start.elapsed() >= duration;
            for group in self.connections.chunks_mut(GROUP) {
                // The last request is probably answered last. Waiting for that first, the load generator sleeps once
                // for all of them, instead of being woken by each answer at the server's expense.
                for stream in group.iter_mut().rev() {
                    self.offsets.push(read_offset(stream)?);
                    messages += 1;
                }
                for stream in group.iter_mut().filter(|_| !last_turn) {
                    stream.write_all(&self.request)?;
                }
            }
            if last_turn {
                return Ok(messages);
            }
        }
    }

    /// Makes sure that every message was numbered, without a hole or a repetition.
    fn check_offsets(mut self) -> Result<()> {
        self.offsets.sort_unstable();
        let wrong = self.offsets.iter().zip(1..).find(|&(&offset, expected)| offset != expected);
        wrong.map_or(Ok(()), |(offset, expected)| Err(format!("expected offset {expected}, but got {offset}").into()))
    }
}

/// Reads one answer, and takes the offset out of its `{"id":"EPOCH.OFFSET"…`.
fn read_offset(stream: &mut TcpStream) -> Result<u64> {
    let mut answer = Vec::with_capacity(1024);
    let body = loop {
        let mut buffer = [0; 1024];
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Err("the server has closed a publisher's connection".into());
        }
        answer.extend_from_slice(&buffer[..length]);
        let Some(head) = Head::parse(&answer)? else { continue };
        head.expect(201)?;
        if let Some(body) = answer.get(head.length..head.length + head.content_length()?) {
            break std::str::from_utf8(body)?;
        }
    };
    let id = body.strip_prefix(r#"{"id":""#).and_then(|rest| rest.split('"').next());
    let offset = id.and_then(|id| id.split_once('.')?.1.parse().ok());
    offset.ok_or_else(|| format!("an answer to a publication has no id: {body}").into())
}
