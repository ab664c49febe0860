//! Nobody is forgotten: whatever is published reaches whoever stands outside, however quiet it is afterwards.

use futures_util::future::join_all;

use super::{Poller, direct, texts, wait_for_outside};
use crate::harness::{
    Connection, Frame, Reader, Request, Subscription, Transport,
    event::offset_of,
    publisher::PostPublisher,
    secret_of,
    websocket::{CLOSE, RawWebSocket, TEXT},
};

crate::on_transports! {
    a_reader_that_stops_and_reads_on_gets_everything on [websocket, websocket_raw, sse, sse_raw, stream];
    what_is_published_before_a_silence_is_delivered on [websocket, websocket_raw, sse, sse_raw, stream];
}

/// Nothing but a message wakes anybody here.
const SILENT: [&str; 2] = ["--heartbeat", "1h"];

/// The kernel takes a part; what is left waits for the reader, and goes out when there is room.
async fn a_reader_that_stops_and_reads_on_gets_everything(transport: Transport) {
    let server = direct(&["--heartbeat", "1h", "--log-bytes", "64MiB", "--log-messages", "10000"]);
    let mut reader = Reader::open(&server, transport, &Subscription::to("room").narrow()).await;
    wait_for_outside(&server, 1).await;
    let mut publisher = PostPublisher::open(&server, "room").await;

    for round in 0..4 {
        for number in 0..60 {
            let text = format!("{round}.{number} {}", "x".repeat(32 * 1024));
            publisher.publish("", &text).await.published_id();
        }
        for number in 0..60 {
            assert!(reader.message().await.text().starts_with(&format!("{round}.{number} ")));
        }
    }
}

/// One message, and then nothing: each time anew, on many channels, with readers on all workers.
async fn what_is_published_before_a_silence_is_delivered(transport: Transport) {
    let server = direct(&SILENT);
    let channels: Vec<String> = (0..8).map(|number| format!("room-{number}")).collect();
    let mut readers = Vec::new();
    for channel in channels.iter().cycle().take(64) {
        readers.push(Reader::open(&server, transport, &Subscription::to(channel)).await);
    }
    wait_for_outside(&server, 64).await;

    for round in 0..50 {
        let text = round.to_string();
        join_all(channels.iter().map(async |channel| {
            PostPublisher::open(&server, channel).await.publish("", &text).await.published_id();
        }))
        .await;
        for got in join_all(readers.iter_mut().map(|reader| reader.texts(1))).await {
            assert_eq!(got, [text.as_str()]);
        }
    }
}

/// More than are served in one turn, and nothing but one message that wakes them.
#[tokio::test]
async fn a_crowd_hears_of_one_message_before_a_silence() {
    rlimit::increase_nofile_limit(4096).expect("the descriptor limit can be raised");
    let server = direct(&SILENT);
    let mut readers = Vec::new();
    for _ in 0..600 {
        readers.push(Reader::open(&server, Transport::Stream, &Subscription::to("room")).await);
    }
    wait_for_outside(&server, 600).await;

    PostPublisher::open(&server, "room").await.numbers([7]).await;

    for reader in &mut readers {
        assert_eq!(reader.texts(1).await, ["7"]);
    }
}

#[tokio::test]
async fn polls_that_are_held_outside_are_all_answered_before_a_silence() {
    let server = direct(&SILENT);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let mut pollers = Vec::new();
    for _ in 0..50 {
        let mut poller = Poller::open(&server).await;
        poller.connection.send(&poller.request()).await;
        pollers.push(poller);
    }
    wait_for_outside(&server, 50).await;

    for round in 0..20 {
        let text = round.to_string();
        server.wait_for_subscribers("room", "long-poll", 50).await;
        publisher.publish("", &text).await.published_id();
        for poller in &mut pollers {
            assert_eq!(texts(&poller.answer().await), [text.as_str()]);
            poller.connection.send(&poller.request()).await;
        }
    }
    wait_for_outside(&server, 50).await;
}

/// A message may be published between the moment at which a subscriber has looked and that at which it stands outside.
#[tokio::test]
async fn what_is_published_while_a_socket_leaves_is_delivered() {
    let server = direct(&SILENT);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let cursor = publisher.numbers([0]).await.remove(0);

    for round in 1..100 {
        let after = format!("{}.{}", cursor.rsplit_once('.').expect("a cursor has a dot").0, round);
        let targets =
            ["sse?format=json&", "stream?", "poll?"].map(|path| format!("/channels/room/{path}after={after}"));
        let mut connections = Vec::new();
        for target in &targets {
            let mut connection = Connection::open(server.address()).await;
            connection.send(&Request::get(target)).await;
            connections.push(connection);
        }
        publisher.numbers([round]).await;
        for connection in &mut connections {
            connection.text_through(&format!("\"data\":\"{round}\"")).await;
        }
    }
}

/// With `echo=0` its own last message is passed over, and nothing more wakes the connection.
#[tokio::test]
async fn a_close_frame_behind_a_message_that_is_not_echoed_is_answered() {
    let server = direct(&SILENT);
    let target = format!("/channels/room/ws?format=raw&echo=0&client={}", secret_of("ann"));
    let mut socket = RawWebSocket::open(&server, &target).await;
    wait_for_outside(&server, 1).await;

    let bye = [Frame::new(TEXT, "the last word"), Frame::new(CLOSE, [3, 232])];
    socket.send_bytes(&bye.iter().flat_map(Frame::to_bytes).collect::<Vec<u8>>()).await;

    assert_eq!(socket.close_code().await, 1000);
}

/// Many who talk at once, with many readers: more seats are called up than one turn serves.
#[tokio::test]
async fn a_crowd_in_which_everybody_talks_hears_everything_in_one_order() {
    let server = direct(&["--heartbeat", "1h", "--publish-rate", "0"]);
    let mut sockets = Vec::new();
    for _ in 0..200 {
        sockets.push(RawWebSocket::open(&server, "/channels/room/ws?format=json").await);
    }
    wait_for_outside(&server, 200).await;

    let heard = join_all(sockets.into_iter().enumerate().map(async |(number, mut socket)| {
        let word = format!(r#"{{"publish":{{"data":{number}}}}}"#);
        assert!(socket.send(&Frame::new(TEXT, word)).await);
        let mut offsets = Vec::new();
        while offsets.len() < 200 {
            let frame = socket.frame().await.expect("the connection is open");
            let event: serde_json::Value = serde_json::from_slice(&frame.payload).expect("frames are JSON");
            offsets.extend(event["message"]["id"].as_str().map(offset_of));
        }
        offsets
    }))
    .await;

    assert!(heard.iter().all(|offsets| offsets.iter().copied().eq(1..=200)));
}
