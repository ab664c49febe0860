//! What the benchmarks work on: a hub with one channel, payloads, and the framings by name.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use fallcast::{
    channel::{
        Channel, ChannelLimits, ChannelName, ContentType, Data, Hub, HubLimits, IdempotencyKey, KeyLimits,
        PresenceLimits, Publication, Published, Retention,
    },
    wire::Framing,
};
use futures_util::FutureExt as _;

/// The framings, under the names of the tables.
pub const FRAMINGS: [(&str, Framing); 5] = [
    ("WebSocket raw", Framing::WebSocketRaw),
    ("WebSocket JSON", Framing::WebSocketJson),
    ("SSE raw", Framing::SseRaw),
    ("SSE JSON", Framing::SseJson),
    ("JSON lines", Framing::JsonLines),
];

/// A size of payload as the tables show it.
pub fn size_name(size: usize) -> String {
    if size < 1024 { format!("{size} B") } else { format!("{} KiB", size / 1024) }
}

/// Text of this many bytes, at most 128 KiB, in memory of its own as it is when it comes off a socket.
pub fn payload(size: usize) -> Bytes {
    static TEXT: LazyLock<Vec<u8>> = LazyLock::new(|| b"0123456789abcdef".repeat(8192));
    Bytes::copy_from_slice(&TEXT[..size])
}

/// A text message that has no number yet.
pub fn publication(size: usize, key: Option<IdempotencyKey>) -> Publication {
    let data = Data::text(payload(size)).expect("the payload is ASCII");
    Publication { label: None, content_type: ContentType::Text, data, client: None, key }
}

/// The key of the publication with this number.
pub fn key(number: usize) -> IdempotencyKey {
    format!("key-{number:012}").parse().expect("a good key")
}

/// A hub with one channel.
pub struct Room {
    pub hub: Hub,
    name: ChannelName,
    pub channel: Arc<Channel>,
}

impl Room {
    /// A channel that retains so many messages, and has room for as many keys as come.
    pub fn retaining(messages: usize) -> Self {
        let hour = Duration::from_hours(1);
        let channel = ChannelLimits {
            retention: Retention { messages, bytes: 1 << 30, age: hour },
            presence: PresenceLimits { grace: hour, members: 10 },
            keys: KeyLimits { window: hour, per_channel: usize::MAX, in_all: usize::MAX },
        };
        let hub = Hub::new(HubLimits { channels: 10, expiry: hour, bytes_in_all: 2 << 30, channel: Arc::new(channel) });
        let name: ChannelName = "bench".parse().expect("a good name");
        let channel = hub.channel(&name).expect("there is room");
        Self { hub, name, channel }
    }

    /// The same, with its log full, so that each publication evicts one.
    pub fn full(messages: usize, size: usize) -> Self {
        let room = Self::retaining(messages);
        (0..messages).for_each(|_| {
            room.publish(publication(size, None));
        });
        room
    }

    /// Publishes as the handlers do.
    pub fn publish(&self, publication: Publication) -> Published {
        let published = self.hub.publish(&self.name, publication).now_or_never();
        published.expect("the engine of this process answers at once").expect("there is room")
    }
}
