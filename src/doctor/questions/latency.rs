//! How long does a message take on each transport? It is published, and comes back over a subscription of the same
//! client: one clock, and nothing to be estimated. The channel is one that nobody else knows.

use std::time::{Duration, Instant};

use super::{Pulse, millis, millis_since, nonce};
use crate::doctor::{
    client::{Client, Connection, Fault, Kept, PATIENCE, Request},
    handshake::{Shaken, hear, shake},
    observations::{Latency, Transport},
};

/// How many messages are published on each.
const MESSAGES: usize = 5;

/// After so many in a row that have not come, nobody waits for more.
const ENOUGH_LOST: u32 = 2;

/// Looks at one transport; `None` if it cannot be opened, which is another question.
///
/// # Errors
/// Nobody accepts a connection.
pub async fn look(client: &Client, transport: Transport, pulse: Pulse) -> Result<Option<Latency>, Fault> {
    let channel = format!("/channels/doctor-{}", nonce());
    let patience = Duration::from_secs(1) + pulse.round_trip * 4;
    let mut latency = Latency { transport, times_ms: Vec::new(), lost: 0, patience_ms: millis(patience) };
    let Some(mut reader) = Reader::open(client, transport, &channel, pulse).await? else { return Ok(None) };
    let mut publisher = Kept::open(client).await?;
    for _ in 0..MESSAGES {
        let message = nonce();
        reader.prepare().await?;
        publisher.ready().await?;
        let began = Instant::now();
        publisher.ask(&Request::post(&channel, &message).with("Content-Type", "text/plain")).await?;
        if reader.hears(&message, patience.saturating_sub(began.elapsed())).await {
            latency.times_ms.push(millis_since(began));
        } else {
            latency.lost += 1;
            if latency.lost >= ENOUGH_LOST {
                break;
            }
        }
    }
    Ok(Some(latency))
}

/// A subscription.
enum Reader<'c> {
    /// One that stays open.
    Open { connection: Connection, is_websocket: bool },
    /// One request for each answer.
    Polls { client: &'c Client, channel: String, cursor: String, parked: Option<Connection> },
}

impl<'c> Reader<'c> {
    async fn open(
        client: &'c Client,
        transport: Transport,
        channel: &str,
        pulse: Pulse,
    ) -> Result<Option<Self>, Fault> {
        let address = match transport {
            Transport::Websocket => return Self::websocket(client, channel, pulse).await,
            Transport::LongPoll => return Self::polls(client, channel).await,
            Transport::Sse => format!("{channel}/sse?format=json"),
            Transport::Stream => format!("{channel}/stream"),
        };
        let mut connection = client.connect().await?;
        connection.send(&client.target, &Request::get(address)).await?;
        // It exists as soon as the server has read the request, whether a proxy passes the hello on or not.
        let _ = connection.head(pulse.grace()).await;
        Ok(Some(Self::Open { connection, is_websocket: false }))
    }

    async fn websocket(client: &'c Client, channel: &str, pulse: Pulse) -> Result<Option<Self>, Fault> {
        match shake(client, &format!("{channel}/ws?format=json")).await {
            Ok(Shaken::Open(mut connection)) => {
                let is_greeted = hear(&mut connection, "hello", pulse.grace()).await.is_ok();
                Ok(is_greeted.then_some(Self::Open { connection, is_websocket: true }))
            }
            Ok(Shaken::Answered(_)) | Err(Fault::Silence(_) | Fault::Fin | Fault::NotHttp(_)) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    async fn polls(client: &'c Client, channel: &str) -> Result<Option<Self>, Fault> {
        let answer = client.ask(&Request::get(format!("{channel}/poll"))).await?;
        let cursor = cursor_of(&answer.body);
        Ok(cursor.map(|cursor| Self::Polls { client, channel: channel.to_owned(), cursor, parked: None }))
    }

    /// Parks the poll that the next message answers.
    async fn prepare(&mut self) -> Result<(), Fault> {
        let Self::Polls { client, channel, cursor, parked } = self else { return Ok(()) };
        let mut connection = client.connect().await?;
        let request = Request::get(format!("{channel}/poll?after={cursor}&wait=10"));
        connection.send(&client.target, &request).await?;
        *parked = Some(connection);
        Ok(())
    }

    async fn hears(&mut self, message: &str, patience: Duration) -> bool {
        match self {
            Self::Open { connection, is_websocket: true } => hear(connection, message, patience).await.is_ok(),
            Self::Open { connection, is_websocket: false } => {
                tokio::time::timeout(patience, find(connection, message)).await.is_ok_and(|found| found)
            }
            Self::Polls { cursor, parked, .. } => {
                let Some(mut connection) = parked.take() else { return false };
                let reading = async {
                    connection.head(patience).await?;
                    let mut body = Vec::new();
                    while let Some(bytes) = connection.next(patience).await? {
                        body.extend_from_slice(&bytes);
                    }
                    Ok::<_, Fault>(body)
                };
                let Ok(Ok(body)) = tokio::time::timeout(patience, reading).await else { return false };
                if let Some(next) = cursor_of(&body) {
                    *cursor = next;
                }
                memchr::memmem::find(&body, message.as_bytes()).is_some()
            }
        }
    }
}

/// Reads a stream until a message has come.
async fn find(connection: &mut Connection, message: &str) -> bool {
    let mut heard = Vec::new();
    while let Ok(Some(bytes)) = connection.next(PATIENCE).await {
        heard.extend_from_slice(&bytes);
        if memchr::memmem::find(&heard, message.as_bytes()).is_some() {
            return true;
        }
        // What was cut in two is still found.
        heard.drain(..heard.len().saturating_sub(message.len()));
    }
    false
}

fn cursor_of(body: &[u8]) -> Option<String> {
    let document: serde_json::Value = serde_json::from_slice(body).ok()?;
    document["cursor"].as_str().map(str::to_owned)
}
