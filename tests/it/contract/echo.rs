//! `echo=0` leaves out a subscriber's own publications, and only those.

use serde_json::json;

use crate::harness::{
    Reader, Request, Subscription, TestServer, Transport,
    publisher::{PostPublisher, WebSocketPublisher},
    secret_of,
};

crate::on_transports! {
    own_publications_come_back_by_default on [websocket, websocket_raw, sse, sse_raw, poll, stream];
    own_publications_are_left_out_with_echo_0 on [websocket, websocket_raw, sse, sse_raw, poll, stream];
    own_publications_stay_left_out_after_a_reconnect on [websocket, websocket_raw, sse, sse_raw, poll, stream];
    own_publications_over_websocket_are_left_out_everywhere on [websocket, websocket_raw, sse, sse_raw, poll, stream];
    a_publication_without_a_name_is_nobodys_own on [websocket, websocket_raw, sse, sse_raw, poll, stream];
}

/// Publishes a text under the secret name of its publisher, here in the query.
async fn publish_as(publisher: &mut PostPublisher, name: &str, text: &str) -> String {
    publisher.publish(&format!("client={}", secret_of(name)), text).await.published_id()
}

async fn own_publications_come_back_by_default(transport: Transport) {
    let server = TestServer::spawn(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let mut ann = Reader::open(&server, transport, &Subscription::to("room").client(&secret_of("ann"))).await;

    publish_as(&mut publisher, "ann", "my own").await;

    assert_eq!(ann.texts(1).await, ["my own"]);
}

async fn own_publications_are_left_out_with_echo_0(transport: Transport) {
    let server = TestServer::spawn(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let subscription = Subscription::to("room").client(&secret_of("ann")).without_echo();
    let mut ann = Reader::open(&server, transport, &subscription).await;

    publish_as(&mut publisher, "ann", "by ann").await;
    publish_as(&mut publisher, "bob", "by bob").await;
    by_header(&mut publisher, "ann").await;
    let last = publish_as(&mut publisher, "bob", "by bob again").await;

    assert_eq!(ann.texts(2).await, ["by bob", "by bob again"]);
    if transport != Transport::WebSocketRaw {
        assert_eq!(ann.cursor(), last, "what is left out still advances the position");
    }
}

/// The secret name in a header does the same as in the query.
async fn by_header(publisher: &mut PostPublisher, name: &str) {
    let response =
        publisher.send("", |target| Request::post(target, "by header").header("X-Fallcast-Client", &secret_of(name)));
    response.await.published_id();
}

async fn own_publications_stay_left_out_after_a_reconnect(transport: Transport) {
    let server = TestServer::spawn(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let mut cursor = publish_as(&mut publisher, "bob", "the beginning").await;
    let subscription = Subscription::to("room").client(&secret_of("ann")).without_echo();

    for round in 0..5 {
        // Published while ann is away, around what she reads when she is back.
        publish_as(&mut publisher, "ann", "while away").await;
        let id = publish_as(&mut publisher, "bob", &round.to_string()).await;
        publish_as(&mut publisher, "ann", "while away, too").await;
        let mut ann = Reader::open(&server, transport, &subscription.clone().after(&cursor)).await;
        assert_eq!(ann.texts(1).await, [round.to_string()]);
        cursor = id;
    }
}

async fn own_publications_over_websocket_are_left_out_everywhere(transport: Transport) {
    let server = TestServer::spawn(&[]);
    let ann = Subscription::to("room").client(&secret_of("ann"));
    let mut publisher = WebSocketPublisher::open(&server, &ann).await;
    let mut reader = Reader::open(&server, transport, &ann.without_echo()).await;

    publisher.published(json!({ "data": "by ann" })).await;
    publish_as(&mut PostPublisher::open(&server, "room").await, "bob", "by bob").await;

    assert_eq!(reader.texts(1).await, ["by bob"]);
}

async fn a_publication_without_a_name_is_nobodys_own(transport: Transport) {
    let server = TestServer::spawn(&[]);
    let mut ann =
        Reader::open(&server, transport, &Subscription::to("room").client(&secret_of("ann")).without_echo()).await;
    let mut nameless = Reader::open(&server, transport, &Subscription::to("room").without_echo()).await;

    PostPublisher::open(&server, "room").await.numbers([1]).await;

    assert_eq!(ann.texts(1).await, ["1"]);
    assert_eq!(nameless.texts(1).await, ["1"]);
}

/// The server makes a name for a subscriber that brings none, and the subscriber may use it for its publications.
#[tokio::test]
async fn the_name_in_hello_ties_publications_to_the_subscription() {
    let server = TestServer::spawn(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let mut reader = Reader::open(&server, Transport::Sse, &Subscription::to("room").without_echo()).await;
    let client = reader.hello.as_ref().expect("SSE begins with hello").client.clone();

    publisher.publish(&format!("client={client}"), "my own").await.published_id();
    publisher.publish("", "another's").await.published_id();

    assert_eq!(reader.texts(1).await, ["another's"]);
}

#[tokio::test]
async fn what_a_websocket_sends_is_its_own_publication() {
    let server = TestServer::spawn(&[]);
    let mut silent = Reader::open(&server, Transport::WebSocketRaw, &Subscription::to("room").without_echo()).await;
    let mut echoing = Reader::open(&server, Transport::WebSocketRaw, &Subscription::to("room")).await;

    silent.send_text("from the silent one").await;
    assert_eq!(echoing.texts(1).await, ["from the silent one"]);
    echoing.send_text("from the echoing one").await;
    assert_eq!(echoing.texts(1).await, ["from the echoing one"]);
    assert_eq!(silent.texts(1).await, ["from the echoing one"]);
}

#[tokio::test]
async fn own_publications_stay_left_out_over_hops_between_all_transports() {
    let server = TestServer::spawn(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let mut cursor = publish_as(&mut publisher, "bob", "the beginning").await;
    let subscription = Subscription::to("room").client(&secret_of("ann")).without_echo();
    let mut random = fastrand::Rng::with_seed(4);

    for round in 0..40 {
        let transport = Transport::WITH_CURSOR[random.usize(..Transport::WITH_CURSOR.len())];
        publish_as(&mut publisher, "ann", "while away").await;
        let mut ann = Reader::open(&server, transport, &subscription.clone().after(&cursor)).await;
        publish_as(&mut publisher, "ann", "while here").await;
        publish_as(&mut publisher, "bob", &round.to_string()).await;
        assert_eq!(ann.texts(1).await, [round.to_string()], "{transport:?}");
        ann.cursor().clone_into(&mut cursor);
    }
}
