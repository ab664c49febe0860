//! What is told of an experiment, to all who watch: messages on one channel, like any other.

use std::sync::Arc;

use serde::Serialize;

use crate::channel::{ChannelName, ContentType, Data, Hub, Publication};

/// Tells of one experiment.
#[derive(Clone, Debug)]
pub struct News {
    /// Where it is told.
    pub hub: Arc<Hub>,
    /// On which channel.
    pub channel: ChannelName,
    /// The number of the experiment.
    pub experiment: u64,
}

/// A piece of news: the experiment's number, what kind of news it is, and the facts.
#[derive(Serialize)]
struct Item<'a, T> {
    experiment: u64,
    what: &'a str,
    #[serde(flatten)]
    facts: T,
}

/// What goes on right now.
#[derive(Serialize)]
struct Progress<'a> {
    words: &'a str,
}

impl News {
    /// Tells facts.
    pub fn tell(&self, what: &str, facts: impl Serialize) {
        // Our own types are JSON; were they not, the tests would fail.
        let text = serde_json::to_string(&Item { experiment: self.experiment, what, facts }).unwrap_or_default();
        let data = Data::Json(text.into());
        let publication = Publication { label: None, content_type: ContentType::Json, data, client: None, key: None };
        self.hub.publish_to_readers(&self.channel, publication);
    }

    /// Tells what goes on right now.
    pub fn say(&self, words: impl AsRef<str>) {
        self.tell("progress", Progress { words: words.as_ref() });
    }
}
