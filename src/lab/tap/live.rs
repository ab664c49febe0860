//! Live: what happens on a link, told at once to whoever subscribes to its channel, `tap.` with the link's name.
//!
//! A wire view is a subscriber like any other. Nobody waits for it: what happens is put into a batch, and the batch is
//! published a moment later. Where nobody listens there is neither a batch nor a channel.

use std::{
    cell::RefCell,
    collections::{HashMap, hash_map::Entry},
    mem,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use serde::Serialize;
use tokio::{sync::Notify, task::yield_now, time::sleep};

use super::{
    items::{Item, Piece},
    tapped::TappedLink,
};
use crate::channel::{ChannelName, ContentType, Data, Hub, Publication};

/// For how long what happens is collected. Shorter than anybody sees, and longer than a burst.
const BATCH: Duration = Duration::from_millis(20);

/// How much one batch holds: so many bytes of pieces, and so many items.
const MAX_BYTES: usize = 256 * 1024;
const MAX_ITEMS: usize = 1000;

/// Tells what happens, from the one thread on which it happens.
#[derive(Debug)]
pub struct Live {
    hub: Arc<Hub>,
    batches: RefCell<HashMap<ChannelName, Batch>>,
    something: Notify,
}

/// What has happened on a link since the last batch.
#[derive(Debug, Default, Serialize)]
struct Batch {
    wire: Vec<Item>,
    /// How many items have lost their bytes, or are not there at all, because there were too many.
    skipped: u64,
    #[serde(skip)]
    bytes: usize,
}

impl Live {
    /// Tells over the channels of a hub.
    #[must_use]
    pub fn new(hub: Arc<Hub>) -> Self {
        Self { hub, batches: RefCell::default(), something: Notify::new() }
    }

    /// Whether anybody listens.
    #[must_use]
    pub fn is_heard(&self, link: &TappedLink) -> bool {
        self.hub.is_read(&link.channel)
    }

    /// Tells something, if anybody listens.
    pub fn tell(&self, link: &TappedLink, item: Item) {
        if !self.is_heard(link) {
            return;
        }
        let mut batches = self.batches.borrow_mut();
        let batch = match batches.entry(link.channel.clone()) {
            Entry::Occupied(batch) => batch.into_mut(),
            Entry::Vacant(place) => place.insert(Batch::default()),
        };
        batch.take(item);
        self.something.notify_one();
    }

    /// Publishes batch after batch, for as long as the lab is open.
    pub async fn publish(self: Rc<Self>) {
        loop {
            self.something.notified().await;
            sleep(BATCH).await;
            let batches = mem::take(&mut *self.batches.borrow_mut());
            for (channel, batch) in batches {
                self.hub.publish_to_readers(&channel, batch.into_publication());
                // However many links are watched, the relay does not wait for more than one batch.
                yield_now().await;
            }
        }
    }
}

impl Batch {
    fn take(&mut self, item: Item) {
        if self.wire.len() == MAX_ITEMS {
            self.skipped += 1;
            return;
        }
        let item = match item {
            Item::Piece(piece) if self.bytes + piece.bytes.len() > MAX_BYTES => {
                self.skipped += 1;
                Item::Piece(Piece { bytes: Bytes::new(), ..piece })
            }
            item => item,
        };
        if let Item::Piece(piece) = &item {
            self.bytes += piece.bytes.len();
        }
        self.wire.push(item);
    }

    fn into_publication(self) -> Publication {
        // Our own types are JSON without white space; were they not, the tests would fail.
        let text = serde_json::to_string(&self).unwrap_or_default();
        let data = Data::Json(text.into());
        Publication { label: None, content_type: ContentType::Json, data, client: None, key: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{faults::ExchangeKind, tap::items::Direction};

    fn piece(size: usize) -> Item {
        Item::Piece(Piece {
            connection: 1,
            at: 0,
            exchange: 1,
            kind: ExchangeKind::Sse,
            direction: Direction::Down,
            length: size,
            bytes: vec![0; size].into(),
        })
    }

    #[test]
    fn a_batch_is_bounded_and_says_what_is_missing() {
        let mut batch = Batch::default();
        batch.take(piece(MAX_BYTES));
        batch.take(piece(1));
        assert_eq!((batch.wire.len(), batch.skipped), (2, 1), "its bytes are left out");
        assert!(matches!(&batch.wire[1], Item::Piece(piece) if piece.length == 1 && piece.bytes.is_empty()));

        for _ in 0..MAX_ITEMS {
            batch.take(piece(0));
        }
        assert_eq!((batch.wire.len(), batch.skipped), (MAX_ITEMS, 3), "those beyond are left out");
    }

    #[test]
    fn a_batch_is_published_as_json() {
        let mut batch = Batch::default();
        batch.take(piece(1));
        let publication = batch.into_publication();
        let text = publication.data.bytes().to_vec();
        assert_eq!(Data::json(&text.into()), Ok(publication.data), "it is what the log holds");
    }
}
