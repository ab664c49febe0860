//! What the peers in Rust have in common: a channel as tutorials build it, on [`tokio::sync::broadcast`].

use std::{
    collections::{HashMap, VecDeque},
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use bytestring::ByteString;
use serde::Serialize;
use tokio::sync::broadcast;

/// Messages that a subscriber may be behind, and that a long-poll can still ask for.
const CAPACITY: usize = 1024;

/// Connections that may wait to be accepted.
pub const LISTEN_BACKLOG: u32 = 4096;

/// Bytes of a message that a publisher may send.
pub const LARGEST_MESSAGE: usize = 1 << 20;

/// A message with its number, counted from 1.
#[derive(Clone, Debug)]
pub struct Message {
    /// The number.
    pub number: u64,
    /// The payload.
    pub text: ByteString,
}

/// All channels by name.
#[derive(Clone, Default)]
pub struct Channels(Arc<Mutex<HashMap<String, Channel>>>);

impl Channels {
    /// The channel of this name, which comes to be when it is first asked for.
    #[must_use]
    pub fn get(&self, name: &str) -> Channel {
        let mut channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        channels.entry(name.to_owned()).or_insert_with(Channel::new).clone()
    }
}

/// One channel: those who listen now, and what long-polls may have missed.
#[derive(Clone)]
pub struct Channel {
    sender: broadcast::Sender<Message>,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    last: u64,
    messages: VecDeque<Message>,
}

impl Channel {
    fn new() -> Self {
        Self { sender: broadcast::Sender::new(CAPACITY), log: Arc::default() }
    }

    /// Sends a message to everybody who listens.
    pub fn publish(&self, text: ByteString) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.last += 1;
        let message = Message { number: log.last, text };
        if log.messages.len() == CAPACITY {
            log.messages.pop_front();
        }
        log.messages.push_back(message.clone());
        // It fails if nobody listens, which is no mistake.
        let _ = self.sender.send(message);
    }

    /// Listens from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Message> {
        self.sender.subscribe()
    }

    /// Answers a long-poll: with what came after a number, waiting for it if need be; without a number, with where the
    /// channel stands.
    pub async fn poll(&self, after: Option<u64>) -> Answer {
        // First the subscription, then the log: what comes between the two is in both rather than in none.
        let mut receiver = self.subscribe();
        let answer = self.read(after);
        if after.is_none() || !answer.events.is_empty() {
            return answer;
        }
        // However the wait ends, there is something to read now, or the channel is gone.
        let _ = receiver.recv().await;
        self.read(after)
    }

    fn read(&self, after: Option<u64>) -> Answer {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let missed = log.last.saturating_sub(after.unwrap_or(log.last));
        let known = log.messages.len() - log.messages.len().min(usize::try_from(missed).unwrap_or(usize::MAX));
        let events = log.messages.range(known..).map(|message| Event { data: message.text.clone() }).collect();
        Answer { cursor: log.last.to_string(), events }
    }
}

/// The body of an answer to a long-poll.
#[derive(Serialize)]
pub struct Answer {
    cursor: String,
    events: Vec<Event>,
}

#[derive(Serialize)]
struct Event {
    #[serde(serialize_with = "as_text")]
    data: ByteString,
}

fn as_text<S: serde::Serializer>(text: &ByteString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

/// What `start PORT WORKERS` was called with.
pub struct Arguments {
    /// The port to listen on, on the loopback interface.
    pub port: u16,
    /// Threads that serve.
    pub workers: usize,
}

impl Arguments {
    /// Reads the command line.
    ///
    /// # Errors
    /// Fails if the two numbers aren't there.
    pub fn parse() -> Result<Self, Box<dyn Error>> {
        let mut arguments = std::env::args().skip(1);
        let mut next = || arguments.next().ok_or("usage: start PORT WORKERS");
        Ok(Self { port: next()?.parse()?, workers: next()?.parse()? })
    }
}
