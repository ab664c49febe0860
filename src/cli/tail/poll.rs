//! A subscription over long-polling: a row of requests, each of which carries the cursor that the last one returned.

use std::{collections::VecDeque, time::Duration};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    connection::{Item, bad_event, parse},
    event::text,
};
use crate::{
    channel::Cursor,
    cli::remote::{Fault, Query, Remote, read_body},
};

/// How long the server may hold a poll. Below the 30 s after which the strictest proxies give up.
const HOLD: Duration = Duration::from_secs(25);

/// How much longer than that an answer may take before the connection counts as dead.
const ALLOWANCE: Duration = Duration::from_secs(10);

/// A row of polls.
pub struct Poll<'a> {
    remote: &'a Remote,
    query: Query,
    items: VecDeque<Item>,
}

impl<'a> Poll<'a> {
    /// Begins after the position that `query` names. Nothing is sent yet.
    #[must_use]
    pub fn new(remote: &'a Remote, mut query: Query) -> Self {
        query.push(("wait", HOLD.as_secs().to_string()));
        Self { remote, query, items: VecDeque::new() }
    }

    /// Waits for the next item, over as many polls as it takes.
    ///
    /// # Errors
    /// A poll failed.
    pub async fn next(&mut self) -> Result<Item, Fault> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(item);
            }
            self.poll().await?;
        }
    }

    async fn poll(&mut self) -> Result<(), Fault> {
        let url = self.remote.url("/poll", &self.query);
        let patience = HOLD + ALLOWANCE;
        let answer = self.remote.get(&url, "application/json", patience).await?;
        let body = read_body(answer, patience).await?;
        let batch: Batch = serde_json::from_slice(&body).map_err(bad_event)?;
        for event in batch.events {
            self.items.push_back(parse(event.get().as_bytes())?);
        }
        self.go_on_after(&batch.cursor);
        self.items.push_back(Item::Position(batch.cursor));
        Ok(())
    }

    fn go_on_after(&mut self, cursor: &Cursor) {
        for (name, value) in &mut self.query {
            if *name == "after" {
                *value = cursor.to_string();
            }
        }
    }
}

/// The answer to a poll. Its `more` is of no use here, because the next poll follows at once in any case.
#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(deserialize_with = "text")]
    cursor: Cursor,
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::remote::TlsArgs;

    #[test]
    fn every_poll_carries_the_cursor_of_the_one_before() {
        let address = "chat".parse().expect("a good name");
        let remote = Remote::new(&address, &TlsArgs::default()).expect("no TLS is needed");
        let mut poll = Poll::new(&remote, vec![("after", "end".to_owned())]);
        assert_eq!(remote.url("", &poll.query), "http://localhost:8080/channels/chat?after=end&wait=25");
        poll.go_on_after(&"a.7".parse().expect("a cursor"));
        assert_eq!(remote.url("", &poll.query), "http://localhost:8080/channels/chat?after=a.7&wait=25");
    }

    #[test]
    fn a_batch_is_read_without_its_unknown_fields() {
        let batch: Batch =
            serde_json::from_str(r#"{"cursor":"a.7","events":[{"x":{}}],"more":true,"new":1}"#).expect("a batch");
        assert_eq!((batch.cursor.to_string().as_str(), batch.events.len()), ("a.7", 1));
    }
}
