//! One connection of a subscription, over any transport: opens, yields items until it fails, and ends politely.

use std::{fmt, time::Duration};

use bytes::Bytes;
use clap::ValueEnum;

use super::{event::Event, poll::Poll, streaming::Streaming, websocket::WebSocket};
use crate::{
    channel::Cursor,
    cli::{
        ndjson::LineSplitter,
        remote::{Fault, Query, Remote},
        sse_parser::SseParser,
    },
};

/// How long a farewell may take: the person at the terminal wants to leave now.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// The ways to subscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// WebSocket (RFC 6455)
    Websocket,
    /// Server-sent events (WHATWG HTML §9.2)
    Sse,
    /// Long-polling (RFC 6202)
    #[value(alias = "long-poll")]
    Poll,
    /// One JSON object per line over an endless response
    Stream,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Websocket => "WebSocket",
            Self::Sse => "SSE",
            Self::Poll => "long-polling",
            Self::Stream => "the stream",
        })
    }
}

/// What a connection yields.
#[derive(Debug)]
pub enum Item {
    /// An event.
    Event(Event),
    /// The position after a poll's events, which is all that an empty poll has to tell.
    Position(Cursor),
    /// How long to wait before connecting anew, from now on (the `retry:` field of SSE).
    ReconnectionTime(Duration),
}

/// An open connection. Its transport makes no difference to whoever reads from it.
pub enum Connection<'a> {
    /// A WebSocket.
    WebSocket(Box<WebSocket>),
    /// An SSE response.
    Sse(Streaming<SseParser>),
    /// A row of long-polls.
    Poll(Poll<'a>),
    /// An NDJSON response.
    Stream(Streaming<LineSplitter>),
}

impl<'a> Connection<'a> {
    /// Subscribes after the position that `query` names.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub async fn open(transport: Transport, remote: &'a Remote, query: Query) -> Result<Self, Fault> {
        Ok(match transport {
            Transport::Websocket => Self::WebSocket(Box::new(WebSocket::open(remote, &query).await?)),
            Transport::Sse => Self::Sse(Streaming::open(remote, &query).await?),
            Transport::Poll => Self::Poll(Poll::new(remote, query)),
            Transport::Stream => Self::Stream(Streaming::open(remote, &query).await?),
        })
    }

    /// Waits for the next item, while the server is silent for no longer than `patience`.
    ///
    /// # Errors
    /// The connection has ended, by the server's will or by its own.
    pub async fn next(&mut self, patience: Duration) -> Result<Item, Fault> {
        match self {
            Self::WebSocket(socket) => socket.next(patience).await,
            Self::Sse(stream) => stream.next(patience).await,
            // A poll is silent by design, and knows by itself for how long.
            Self::Poll(poll) => poll.next().await,
            Self::Stream(stream) => stream.next(patience).await,
        }
    }

    /// Ends the subscription for good.
    ///
    /// A WebSocket says so by its close frame. A response that is dropped looks like a broken network, so the server
    /// would wait for a reconnect before it tells the others; if they know this subscriber by name, it takes leave of
    /// them.
    pub async fn leave(self, remote: &Remote, client: &str, has_name: bool) {
        if let Self::WebSocket(socket) = self {
            return socket.close().await;
        }
        // First the response ends, then the leave is told: the other way round it would be a leave of somebody present.
        drop(self);
        if has_name {
            let url = remote.url("/leave", &vec![("client", client.to_owned())]);
            // Politeness is not worth a complaint: the server will notice without it.
            let _ = remote.post(&url, &[], Bytes::new(), FAREWELL).await;
        }
    }
}

/// Reads an event that a transport has cut out.
pub(super) fn parse(json: &[u8]) -> Result<Item, Fault> {
    Event::parse(json).map(Item::Event).map_err(bad_event)
}

/// Another try is worth it: the bytes may have been cut off by whatever ended the connection.
pub(super) fn bad_event(error: impl fmt::Display) -> Fault {
    Fault::passing(format!("the server sent what is no event: {error}"))
}
