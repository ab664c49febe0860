//! Memory stays flat, whatever subscribers do not read: they hold a position, not a queue.
//!
//! Linux only, since the resident memory of the server is read from `/proc`.

use futures_util::future::join_all;

use crate::harness::{HANG_GUARD, Reader, Subscription, TestServer, Transport, publisher::PostPublisher};

const STOPPED_READERS: usize = 1_000;
const LIVE_READERS: usize = 4;
const MESSAGE_BYTES: usize = 16 * 1024;
const GIGABYTE: usize = 1 << 30;

/// How far publishers may be ahead of the live readers: well within the log, so that those lose nothing.
const BURST: usize = 256;

/// The log, its encoded copies for two framings, and what the allocator keeps for itself. A queue of even one message
/// more for each stopped reader would already be 16 MiB.
const ALLOWED_GROWTH: u64 = 96 << 20;

#[tokio::test]
async fn a_thousand_readers_that_stopped_cost_nothing_while_a_gigabyte_is_published_past_them() {
    rlimit::increase_nofile_limit(4096).expect("the descriptor limit can be raised");
    // No stall time-out and no heartbeat ends these readers: they stay, and that is the point.
    let server = TestServer::spawn(&[
        "--log-messages",
        "1024",
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
    let mut live = live_readers(&server).await;
    // What the sockets' buffers and the log take is taken now; from here on nothing may be added.
    publish_past(&server, &mut live, GIGABYTE / 16).await;
    let before = server.resident_bytes();

    publish_past(&server, &mut live, GIGABYTE).await;

    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < ALLOWED_GROWTH, "memory grew by {} MiB", grown >> 20);
    assert_eq!(
        server.subscribers("room", "websocket").await + server.subscribers("room", "sse").await,
        (STOPPED_READERS + LIVE_READERS) as u64
    );
    drop(stopped);
}

/// Subscribers that read their `hello` and then nothing any more, half over WebSocket and half over server-sent events.
async fn stopped_readers(server: &TestServer) -> Vec<Reader> {
    let subscription = Subscription::to("room").narrow();
    let mut readers = Vec::with_capacity(STOPPED_READERS);
    for number in 0..STOPPED_READERS {
        readers.push(Reader::open(server, alternate(number), &subscription).await);
    }
    readers
}

async fn live_readers(server: &TestServer) -> Vec<Reader> {
    join_all(
        (0..LIVE_READERS).map(async |number| Reader::open(server, alternate(number), &Subscription::to("room")).await),
    )
    .await
}

fn alternate(number: usize) -> Transport {
    if number.is_multiple_of(2) { Transport::WebSocket } else { Transport::Sse }
}

/// Publishes so many bytes. The live readers get every message, in order.
async fn publish_past(server: &TestServer, live: &mut [Reader], bytes: usize) {
    let mut publisher = PostPublisher::open(server, "room").await;
    let payload = "x".repeat(MESSAGE_BYTES);
    for _ in 0..bytes / MESSAGE_BYTES / BURST {
        let burst = async {
            for _ in 0..BURST {
                publisher.publish("", &payload).await.published_id();
            }
        };
        let (received, ()) = tokio::join!(join_all(live.iter_mut().map(read_burst)), burst);
        assert!(received.iter().all(|&count| count == BURST));
    }
}

/// Reads one burst; a gap would fail the test.
async fn read_burst(reader: &mut Reader) -> usize {
    let position = crate::harness::event::offset_of(reader.cursor());
    let offsets = async {
        for expected in position + 1..=position + BURST as u64 {
            assert_eq!(reader.message().await.offset(), expected);
        }
        BURST
    };
    tokio::time::timeout(HANG_GUARD, offsets).await.expect("the others are undisturbed")
}
