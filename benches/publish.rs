//! Measures publishing in process, with no subscriber and no HTTP: `cargo bench --bench publish`.
//!
//! One thread appends messages of 64 bytes to one channel, whose log is full most of the time, so that each message
//! also evicts one. What it costs to bring a message in by POST is measured by the benchmark `fanout`.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use fallcast::channel::{
    ChannelLimits, ChannelName, ContentType, Data, Hub, HubLimits, KeyLimits, PresenceLimits, Publication, Retention,
};
use futures_util::FutureExt as _;

const PAYLOAD: &[u8; 64] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(500);

/// Messages between two looks at the clock.
const BATCH: u32 = 1000;

/// Messages a second that one core should reach.
const TARGET: f64 = 1e6;

fn main() -> Result<(), Box<dyn Error>> {
    let hub = Hub::new(limits());
    let name: ChannelName = "bench".parse()?;
    publish_for(&hub, &name, ROUND)?;
    let mut rates = (0..ROUNDS).map(|_| publish_for(&hub, &name, ROUND)).collect::<Result<Vec<f64>, _>>()?;
    rates.sort_by(f64::total_cmp);
    let [min, median, max] = [rates[0], rates[ROUNDS / 2], rates[ROUNDS - 1]].map(|rate| rate / 1e6);
    let verdict = if median * 1e6 >= TARGET { "met" } else { "missed" };
    println!("publishing in process: **{median:.2}** ({min:.2}–{max:.2}) million messages/s; target ≥ 1: {verdict}");
    Ok(())
}

/// Bounds of the usual size. Only the number of messages is ever reached.
fn limits() -> HubLimits {
    let hour = Duration::from_hours(1);
    let channel = ChannelLimits {
        retention: Retention { messages: 10_000, bytes: 64 << 20, age: hour },
        presence: PresenceLimits { grace: hour, members: 1000 },
        keys: KeyLimits { window: hour, per_channel: 1000, in_all: 1000 },
    };
    HubLimits { channels: 1000, expiry: hour, bytes_in_all: 256 << 20, channel: Arc::new(channel) }
}

/// Publishes without a pause, and returns the messages per second.
fn publish_for(hub: &Hub, name: &ChannelName, duration: Duration) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    let mut messages = 0;
    while start.elapsed() < duration {
        for _ in 0..BATCH {
            publish(hub, name)?;
        }
        messages += BATCH;
    }
    Ok(f64::from(messages) / start.elapsed().as_secs_f64())
}

/// Publishes one message, whose payload is memory of its own as it is when it comes off a socket.
fn publish(hub: &Hub, name: &ChannelName) -> Result<(), Box<dyn Error>> {
    let data = Data::text(Bytes::copy_from_slice(PAYLOAD))?;
    let publication = Publication { label: None, content_type: ContentType::Text, data, client: None, key: None };
    let published = hub.publish(name, publication).now_or_never();
    published.ok_or("the engine of this process answers at once")??;
    Ok(())
}
