//! A subscription over one endless response: server-sent events or newline-delimited JSON.
//!
//! The two differ in how events are cut out of the bytes, and in nothing else.

use std::{collections::VecDeque, time::Duration};

use awc::{ClientResponse, http::header::CONTENT_TYPE};
use tokio_stream::StreamExt;

use super::{
    connection::{Item, bad_event, parse},
    event::Event,
};
use crate::cli::{
    ndjson::LineSplitter,
    remote::{Fault, MAX_EVENT_BYTES, PATIENCE, Query, Remote, within},
    sse_parser::{SseItem, SseParser},
};

/// How one kind of stream is asked for and cut into items.
pub trait Decode {
    /// The stream's path below the channel.
    const PATH: &str;
    /// The stream's media type.
    const MEDIA_TYPE: &str;

    /// Begins a new stream.
    fn begin() -> Self;

    /// Takes the next bytes and appends the items that they complete.
    ///
    /// # Errors
    /// The bytes are not what the media type promises.
    fn decode(&mut self, chunk: &[u8], items: &mut VecDeque<Item>) -> Result<(), Fault>;
}

impl Decode for SseParser {
    const PATH: &str = "/sse";
    const MEDIA_TYPE: &str = "text/event-stream";

    fn begin() -> Self {
        Self::new(MAX_EVENT_BYTES)
    }

    fn decode(&mut self, chunk: &[u8], items: &mut VecDeque<Item>) -> Result<(), Fault> {
        for item in self.feed(chunk).map_err(bad_event)? {
            items.push_back(match item {
                SseItem::Retry(time) => Item::ReconnectionTime(time),
                SseItem::Event { name, data } => {
                    let fields = serde_json::from_str(&data).map_err(bad_event)?;
                    Item::Event(Event::new(name, fields).map_err(bad_event)?)
                }
            });
        }
        Ok(())
    }
}

impl Decode for LineSplitter {
    const PATH: &str = "/stream";
    const MEDIA_TYPE: &str = "application/x-ndjson";

    fn begin() -> Self {
        Self::new(MAX_EVENT_BYTES)
    }

    fn decode(&mut self, chunk: &[u8], items: &mut VecDeque<Item>) -> Result<(), Fault> {
        for line in self.feed(chunk).map_err(bad_event)? {
            items.push_back(parse(&line)?);
        }
        Ok(())
    }
}

/// An open stream.
pub struct Streaming<D> {
    body: ClientResponse,
    decoder: D,
    items: VecDeque<Item>,
}

impl<D: Decode> Streaming<D> {
    /// Asks for the stream and returns as soon as it has begun.
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or answers with something else than the stream.
    pub async fn open(remote: &Remote, query: &Query) -> Result<Self, Fault> {
        let body = remote.get(&remote.url(D::PATH, query), D::MEDIA_TYPE, PATIENCE).await?;
        let media_type = body.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("nothing");
        // An HTML page from a proxy or a login must not pass for a stream in which nothing happens.
        if !media_type.starts_with(D::MEDIA_TYPE) {
            return Err(remote.not_fallcast(format!("it sent {media_type} instead of {}", D::MEDIA_TYPE)));
        }
        Ok(Self { body, decoder: D::begin(), items: VecDeque::new() })
    }

    /// Waits for the next item.
    ///
    /// # Errors
    /// The stream has ended, or nothing came within `patience`, not even a heartbeat.
    pub async fn next(&mut self, patience: Duration) -> Result<Item, Fault> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(item);
            }
            match within(patience, self.body.next()).await? {
                Some(Ok(chunk)) => self.decoder.decode(&chunk, &mut self.items)?,
                Some(Err(error)) => return Err(Fault::passing(format!("the stream broke: {error}"))),
                None => return Err(Fault::passing("the stream ended")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tail::event::Kind;

    fn decode<D: Decode>(chunks: &[&str]) -> Result<Vec<Item>, Fault> {
        let mut decoder = D::begin();
        let mut items = VecDeque::new();
        for chunk in chunks {
            decoder.decode(chunk.as_bytes(), &mut items)?;
        }
        Ok(items.into())
    }

    #[test]
    fn an_sse_event_and_a_line_of_the_stream_mean_the_same() {
        let sse = "id: a.1\ndata: {\"id\":\"a.1\",\"at\":1,\"data\":\"x\"}\n\n";
        let line = "{\"message\":{\"id\":\"a.1\",\"at\":1,\"data\":\"x\"}}\n";
        for items in [decode::<SseParser>(&[sse]), decode::<LineSplitter>(&[line])] {
            let items = items.expect("good events");
            assert!(matches!(&items[..], [Item::Event(Event { kind: Kind::Message(_), .. })]), "{items:?}");
        }
    }

    #[test]
    fn the_retry_field_is_an_item_of_its_own() {
        let hello = "retry: 2000\nevent: hello\nid: a.0\ndata: {\"cursor\":\"a.0\",\"heartbeat_ms\":1}\n\n";
        let items = decode::<SseParser>(&[hello]).expect("good events");
        let [Item::ReconnectionTime(time), Item::Event(event)] = &items[..] else { panic!("{items:?}") };
        assert_eq!((time.as_millis(), event.name.as_str()), (2000, "hello"));
    }

    #[test]
    fn an_event_that_was_cut_off_is_discarded_and_a_broken_one_is_a_fault() {
        assert!(decode::<LineSplitter>(&["{\"message\":{\"id\":"]).is_ok_and(|items| items.is_empty()));
        assert!(decode::<LineSplitter>(&["{\"message\":{\"id\":\n"]).is_err());
        assert!(decode::<SseParser>(&["event: gap\ndata: {\n\n"]).is_err());
    }
}
