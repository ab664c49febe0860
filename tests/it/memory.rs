//! Memory stays flat, whatever subscribers do not read: they hold a position, not a queue.
//!
//! Linux only, since the resident memory of the server is read from `/proc`.

use futures_util::future::join_all;

use crate::harness::{Reader, Subscription, TestServer, Transport, publisher::PostPublisher};

const STOPPED_READERS: usize = 1_000;
const MESSAGE_BYTES: usize = 64 * 1024;
const GIGABYTE: usize = 1 << 30;

/// How many messages are published before the live readers read on: well within the log, so that they lose nothing.
const BURST: usize = 64;

/// Twice the most that the allocator was seen to take and not give back, on a busy machine. A queue of even one message
/// for each stopped reader would be 64 MiB.
const ALLOWED_GROWTH: u64 = 32 << 20;

#[tokio::test]
async fn a_thousand_readers_that_stopped_cost_nothing_while_a_gigabyte_is_published_past_them() {
    rlimit::increase_nofile_limit(4096).expect("the descriptor limit can be raised");
    // No stall time-out and no heartbeat ends these readers: they stay, and that is the point.
    let server = TestServer::spawn(&[
        "--log-bytes",
        "32MiB",
        "--log-bytes-total",
        "48MiB",
        "--stall-timeout",
        "1h",
        "--heartbeat",
        "1h",
    ]);
    let stopped = stopped_readers(&server).await;
    let mut live = join_all(TRANSPORTS.map(async |transport| Reader::open(&server, transport, &room()).await)).await;
    // What the sockets' buffers and the log take is taken now; from here on nothing may be added.
    publish_past(&server, &mut live, GIGABYTE / 8).await;
    let before = server.resident_bytes();

    publish_past(&server, &mut live, GIGABYTE).await;

    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < ALLOWED_GROWTH, "memory grew by {} MiB", grown >> 20);
    let subscribers = server.subscribers("room", "websocket").await + server.subscribers("room", "sse").await;
    assert_eq!(subscribers, (STOPPED_READERS + live.len()) as u64);
    drop(stopped);
}

/// Half of all readers use the one, half the other.
const TRANSPORTS: [Transport; 2] = [Transport::WebSocketRaw, Transport::SseRaw];

fn room() -> Subscription {
    Subscription::to("room")
}

/// Subscribers that exist, and read nothing any more.
async fn stopped_readers(server: &TestServer) -> Vec<Reader> {
    let mut readers = Vec::with_capacity(STOPPED_READERS);
    for transport in TRANSPORTS.into_iter().cycle().take(STOPPED_READERS) {
        readers.push(Reader::open(server, transport, &room().narrow()).await);
    }
    readers
}

/// Publishes so many bytes. The live readers get every message.
async fn publish_past(server: &TestServer, live: &mut [Reader], bytes: usize) {
    let mut publisher = PostPublisher::open(server, "room").await;
    let filling = "x".repeat(MESSAGE_BYTES);
    for burst in 0..bytes / MESSAGE_BYTES / BURST {
        let texts: Vec<_> = (0..BURST).map(|number| format!("{burst}/{number} {filling}")).collect();
        for text in &texts {
            publisher.publish("", text).await.published_id();
        }
        for reader in live.iter_mut() {
            for text in &texts {
                assert!(reader.message().await.text() == text, "the others are undisturbed");
            }
        }
    }
}
