//! A subscriber may leave one transport and go on with any other: one cursor on all of them.

use std::{cell::Cell, future::Future};

use crate::harness::{Message, Publisher, Reader, Subscription, TestServer, Transport};

const HOPS: usize = 200;

/// The walk that the protocol page shows, with a random number of messages read between two hops.
#[tokio::test]
async fn two_hundred_hops_around_the_transports_under_load_lose_and_repeat_nothing() {
    let around = [Transport::WebSocket, Transport::Sse, Transport::Poll, Transport::Stream];
    hop_under_load(fastrand::Rng::with_seed(2), |_, hop| around[hop % around.len()]).await;
}

#[tokio::test]
async fn two_hundred_hops_between_random_transports_under_load_lose_and_repeat_nothing() {
    let any = Transport::WITH_CURSOR;
    hop_under_load(fastrand::Rng::with_seed(3), |random, _| any[random.usize(..any.len())]).await;
}

/// Hops while two publishers publish as fast as they can, then reads what is left.
async fn hop_under_load(random: fastrand::Rng, choose: impl Fn(&mut fastrand::Rng, usize) -> Transport) {
    let server = TestServer::spawn(&["--log-messages", "1000000", "--log-bytes", "1GiB"]);
    let hopping = Cell::new(true);
    let by_post = publish_while(&hopping, Publisher::post(&server, "room"));
    let by_websocket = publish_while(&hopping, Publisher::websocket(&server, "room"));

    let (published, also_published, (received, cursor)) = tokio::join!(by_post, by_websocket, async {
        let traveled = hop(&server, random, choose).await;
        hopping.set(false);
        traveled
    });

    let mut received = received;
    let total = published + also_published;
    let mut reader = Reader::open(&server, Transport::Stream, &Subscription::to("room").after(&cursor)).await;
    while received.len() < total {
        received.push(reader.message().await);
    }
    let offsets: Vec<_> = received.iter().map(Message::offset).collect();
    assert_eq!(offsets, (1..=total as u64).collect::<Vec<_>>());
}

async fn publish_while(condition: &Cell<bool>, publisher: impl Future<Output = Publisher>) -> usize {
    let mut publisher = publisher.await;
    let mut count = 0;
    while condition.get() {
        publisher.text("under load").await;
        count += 1;
    }
    count
}

/// Reads up to 40 messages on one transport, drops the connection wherever it is, and goes on with the next one.
async fn hop(
    server: &TestServer,
    mut random: fastrand::Rng,
    choose: impl Fn(&mut fastrand::Rng, usize) -> Transport,
) -> (Vec<Message>, String) {
    let mut received = Vec::new();
    let mut subscription = Subscription::to("room").after("start");
    let mut cursor = String::new();
    for number in 0..HOPS {
        let mut reader = Reader::open(server, choose(&mut random, number), &subscription).await;
        for _ in 0..random.usize(..40) {
            received.push(reader.message().await);
        }
        reader.cursor().clone_into(&mut cursor);
        subscription = subscription.after(&cursor);
    }
    (received, cursor)
}
