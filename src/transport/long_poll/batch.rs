//! A batch: what one answer tells.

use std::{
    pin::{Pin, pin},
    task::Poll,
};

use tokio_stream::{Stream, StreamExt as _};

use crate::{
    channel::{Cursor, Event},
    delivery::{Next, Subscription},
    transport::{state::State, subscribe::Opened},
    wire::{self, Framing},
};

/// How many bytes of events one answer holds at most, unless a single event is larger.
pub const MAX_BATCH: usize = 256 * 1024;

/// The events of one answer, each a JSON object and a line feed.
#[derive(Debug, Default)]
pub struct Batch {
    lines: Vec<u8>,
    /// Whether who is here has changed.
    pub has_presence_changed: bool,
}

impl Batch {
    /// What an answer says before it looks for messages.
    pub fn opening(state: &State, opened: &Opened) -> Self {
        let mut batch = Self { lines: Vec::new(), has_presence_changed: false };
        if super::is_first(&opened.wish) {
            batch.add(&Event::Hello(opened.hello(state)));
        }
        if let Some(gap) = &opened.gap {
            batch.add(&Event::Gap(gap.clone()));
        }
        batch
    }

    /// What one slice of lines tells.
    pub fn of(lines: &[u8]) -> Self {
        Self { lines: lines.to_vec(), has_presence_changed: false }
    }

    /// How many bytes the events have.
    pub const fn size(&self) -> usize {
        self.lines.len()
    }

    /// Adds an event.
    pub fn add(&mut self, event: &Event) {
        wire::encode_event(Framing::JsonLines, event, &mut self.lines);
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && !self.has_presence_changed
    }

    /// Takes what there is now, without waiting.
    pub fn collect(&mut self, subscription: &mut Subscription) {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        while self.lines.len() < MAX_BATCH || subscription.is_within_event() {
            match Pin::new(&mut *subscription).poll_next(&mut context) {
                Poll::Ready(Some(next)) => self.take(next),
                Poll::Ready(None) | Poll::Pending => return,
            }
        }
    }

    /// Waits for the first thing to say.
    pub async fn wait(&mut self, subscription: &mut Subscription) {
        let mut subscription = pin!(subscription);
        while self.is_empty() {
            match subscription.next().await {
                Some(next) => self.take(next),
                None => return,
            }
        }
    }

    /// Adds what comes next.
    pub fn take(&mut self, next: Next) {
        match next {
            // What has changed is said by the full list.
            Next::Presence(_) => self.has_presence_changed = true,
            Next::Bytes(lines) => self.lines.extend_from_slice(&lines),
            Next::Gap(gap) => self.add(&Event::Gap(gap)),
            Next::Goodbye(goodbye) => self.add(&Event::Goodbye(goodbye)),
            // A poll has an end of its own.
            Next::Heartbeat(_) => {}
        }
    }

    /// `{"cursor":…,"events":[…],"more":…}`. Lines become list items: their objects hold no line feed, so each one ends
    /// an event.
    pub fn into_body(self, cursor: &Cursor, more: bool) -> Vec<u8> {
        let mut body = format!("{{\"cursor\":\"{cursor}\",\"events\":[").into_bytes();
        let events = self.lines.strip_suffix(b"\n").unwrap_or(&self.lines);
        body.extend(events.iter().map(|&byte| if byte == b'\n' { b',' } else { byte }));
        body.extend_from_slice(format!("],\"more\":{more}}}\n").as_bytes());
        body
    }
}
