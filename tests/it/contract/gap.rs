//! Where continuity cannot be proven, the subscriber is told: nothing is lost in silence.

use crate::harness::{
    Event, Gap, Reader, Subscription, TestServer, Transport,
    event::{moved, offset_of},
    publisher::PostPublisher,
    within_guard,
};

crate::on_transports! {
    a_position_that_was_evicted_gets_a_gap_that_counts_what_was_missed on [websocket, sse, sse_raw, poll, stream];
    a_position_of_another_epoch_gets_a_gap on [websocket, sse, sse_raw, poll, stream];
    a_position_of_the_server_before_the_restart_gets_a_gap on [websocket, sse, sse_raw, poll, stream];
    a_position_ahead_of_the_head_gets_a_gap_that_steps_back on [websocket, sse, sse_raw, poll, stream];
    a_reader_that_is_slower_than_the_log_gets_a_gap_and_goes_on on [websocket, sse, sse_raw, poll, stream];
    a_reader_at_the_oldest_position_gets_no_gap on [websocket, sse, sse_raw, poll, stream];
}

const RETAINED: u64 = 10;
const SMALL_LOG: [&str; 2] = ["--log-messages", "10"];

async fn a_position_that_was_evicted_gets_a_gap_that_counts_what_was_missed(transport: Transport) {
    let server = TestServer::spawn(&SMALL_LOG);
    let ids = PostPublisher::open(&server, "room").await.numbers(1..=30).await;

    let mut reader = Reader::open(&server, transport, &Subscription::to("room").after(&ids[2])).await;

    let gap = reader.gap().await;
    assert_eq!(gap.reason, "evicted");
    assert_eq!(gap.after.as_deref(), Some(ids[2].as_str()));
    assert_eq!(gap.missed, Some(offset_of(&gap.resume) - 3));
    assert!(30 - offset_of(&gap.resume) <= RETAINED, "the log is bounded: {gap:?}");
    assert_continues_after(&mut reader, &gap, &ids).await;
}

/// The messages that follow a gap begin right after `resume` and reach to the head.
async fn assert_continues_after(reader: &mut Reader, gap: &Gap, ids: &[String]) {
    let retained = ids.iter().filter(|id| offset_of(id) > offset_of(&gap.resume));
    for id in retained {
        assert_eq!(&reader.message().await.id, id);
    }
}

async fn a_position_of_another_epoch_gets_a_gap(transport: Transport) {
    let server = TestServer::spawn(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let ids = publisher.numbers(1..=3).await;

    let mut reader = Reader::open(&server, transport, &Subscription::to("room").after("another-epoch.2")).await;

    let gap = reader.gap().await;
    assert_eq!(gap.reason, "epoch");
    assert_eq!(gap.after.as_deref(), Some("another-epoch.2"));
    assert_eq!(gap.missed, None, "nobody can count across epochs");
    assert_continues_after(&mut reader, &gap, &ids).await;
}

async fn a_position_of_the_server_before_the_restart_gets_a_gap(transport: Transport) {
    let before = TestServer::spawn(&[]);
    let ids = PostPublisher::open(&before, "room").await.numbers(1..=3).await;
    drop(before);
    let after = TestServer::spawn(&[]);
    let mut publisher = PostPublisher::open(&after, "room").await;
    let new_ids = publisher.numbers(1..=3).await;

    let mut reader = Reader::open(&after, transport, &Subscription::to("room").after(&ids[2])).await;

    let gap = reader.gap().await;
    assert_eq!(gap.reason, "epoch", "an offset of the old log is never taken for one of the new");
    assert_continues_after(&mut reader, &gap, &new_ids).await;
}

async fn a_position_ahead_of_the_head_gets_a_gap_that_steps_back(transport: Transport) {
    let server = TestServer::spawn(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let ids = publisher.numbers(1..=3).await;
    let ahead = moved(&ids[2], 5);

    let mut reader = Reader::open(&server, transport, &Subscription::to("room").after(&ahead)).await;

    let gap = reader.gap().await;
    assert_eq!(gap.after, Some(ahead));
    assert_eq!(gap.missed, None);
    assert!(offset_of(&gap.resume) <= 3, "{gap:?}");
    assert_eq!(reader.cursor(), gap.resume, "from now on this is the position, even if smaller");
    let more = publisher.numbers([4]).await;
    assert_continues_after(&mut reader, &gap, &[ids, more].concat()).await;
}

const SLOW_MESSAGES: u64 = 1_500;
const SLOW_PAYLOAD: usize = 16 * 1024;

/// The reader stops reading until its position has fallen off the log. It gets what was under way, one or more gaps,
/// and the rest; what it received and what the gaps say it missed add up to everything.
async fn a_reader_that_is_slower_than_the_log_gets_a_gap_and_goes_on(transport: Transport) {
    let server = TestServer::spawn(&["--log-messages", "20", "--heartbeat", "10m", "--stall-timeout", "10m"]);
    let mut reader = Reader::open(&server, transport, &Subscription::to("room").narrow()).await;
    publish_large(&server).await;

    let (mut received, mut missed) = (0, 0);
    while received + missed < SLOW_MESSAGES {
        match reader.next().await.expect("a gap does not end the subscription") {
            Event::Message(message) => {
                received += 1;
                assert_eq!(message.offset(), received + missed, "the messages continue where the gap said");
            }
            Event::Gap(gap) => {
                assert!(gap.reason == "slow" || transport == Transport::Poll && gap.reason == "evicted", "{gap:?}");
                assert_eq!(gap.after.as_deref().map(offset_of), Some(received + missed));
                missed += gap.missed.expect("within an epoch the server counts");
                assert_eq!(offset_of(&gap.resume), received + missed);
            }
            _ => {}
        }
    }
    assert!(missed > 0, "the reader fell off the log");
}

/// Publishes far more than the kernel buffers between server and reader can hold.
async fn publish_large(server: &TestServer) {
    let mut publisher = PostPublisher::open(server, "room").await;
    for _ in 0..SLOW_MESSAGES {
        assert_eq!(publisher.publish("", &"x".repeat(SLOW_PAYLOAD)).await.status(), 201);
    }
}

async fn a_reader_at_the_oldest_position_gets_no_gap(transport: Transport) {
    let server = TestServer::spawn(&SMALL_LOG);
    PostPublisher::open(&server, "room").await.numbers(1..=30).await;
    let oldest = Reader::open(&server, transport, &Subscription::to("room").after("start")).await.message().await;

    let position = moved(&oldest.id, -1);
    let mut reader = Reader::open(&server, transport, &Subscription::to("room").after(&position)).await;

    assert_eq!(reader.message().await, oldest);
}

/// `raw` over WebSocket has no events, so the gap becomes the reason of the close frame, ready for `after`.
#[tokio::test]
async fn a_raw_websocket_at_an_evicted_position_is_closed_with_4101_and_the_position_to_resume_from() {
    let server = TestServer::spawn(&SMALL_LOG);
    let ids = PostPublisher::open(&server, "room").await.numbers(1..=30).await;
    let raw = Subscription::to("room");

    let mut reader = Reader::open(&server, Transport::WebSocketRaw, &raw.clone().after(&ids[0])).await;
    assert!(reader.until_end().await.is_empty(), "no payload comes before the gap");
    let resume = resume_of(&reader);

    let mut reader = Reader::open(&server, Transport::WebSocketRaw, &raw.after(&resume)).await;
    let first = offset_of(&resume) + 1;
    assert_eq!(reader.message().await.text(), first.to_string());
}

#[tokio::test]
async fn a_raw_websocket_that_is_slower_than_the_log_is_closed_with_4101_and_the_position_to_resume_from() {
    let server = TestServer::spawn(&["--log-messages", "20", "--heartbeat", "10m", "--stall-timeout", "10m"]);
    let raw = Subscription::to("room").narrow();
    let mut reader = Reader::open(&server, Transport::WebSocketRaw, &raw).await;
    publish_large(&server).await;

    let received = within_guard("the close frame", reader.until_end()).await;
    let payloads_are_whole =
        received.iter().all(|event| matches!(event, Event::Message(message) if message.payload.len() == SLOW_PAYLOAD));
    assert!(payloads_are_whole, "a frame once begun is finished");
    let resume = offset_of(&resume_of(&reader));
    assert!((received.len() as u64) < resume && resume < SLOW_MESSAGES, "{resume}");
}

fn resume_of(reader: &Reader) -> String {
    let (code, reason) = reader.close_frame().expect("the server said why");
    assert_eq!(code, 4101);
    reason.strip_prefix("gap ").unwrap_or_else(|| panic!("{reason:?} is no `gap RESUME`")).to_owned()
}
