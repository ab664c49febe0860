//! Middleboxes that do not let a WebSocket's handshake through.

use serde_json::{Value, json};

use crate::harness::{
    Ending, Frame, Link, Reader, Request, Subscription, TestServer, Transport,
    publisher::PostPublisher,
    websocket::{PING, RawWebSocket, TEXT},
};

async fn meeting(faults: Value) -> (TestServer, Link) {
    let server = TestServer::spawn_with_lab(&["--heartbeat", "1h"]);
    let link = Link::with(&server, "a", faults).await;
    (server, link)
}

fn handshake(link: &Link, target: &str) -> Request {
    Request::websocket(&link.target(target))
}

#[tokio::test]
async fn without_its_upgrade_a_handshake_is_an_ordinary_request() {
    let (server, link) = meeting(json!({ "upgrade": "strip" })).await;
    let plain = |target: &str| Request::websocket(target).without("Upgrade").without("Connection");

    for target in ["/channels/room/ws", "/channels/room?client=0123456789abcdef"] {
        let answer = link.connect().await.request(&handshake(&link, target)).await;
        let expected = server.request(plain(target)).await;
        assert_eq!((answer.status(), answer.body), (expected.status(), expected.body), "{target}");
        assert_ne!(answer.head.status, 101);
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_answers_with_its_own_page() {
    for status in ["400", "403"] {
        let (server, link) = meeting(json!({ "upgrade": status })).await;

        let (answer, ending) = link.answer_and_ending(&handshake(&link, "/channels/room/ws")).await;

        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("Content-Type: text/html") && answer.contains("</html>"), "{answer}");
        assert_eq!(ending, Ending::Fin);
        let channels = server.get("/channels").await.json();
        assert_eq!(channels["channels"], json!([]), "the server has heard nothing of it");
    }
}

#[tokio::test]
async fn a_mute_proxy_accepts_and_lets_no_byte_through() {
    let (server, link) = meeting(json!({ "upgrade": "mute" })).await;
    // The client checks the answer to its key.
    let stream = link.connect().await.into_stream();
    let url = format!("ws://localhost{}", link.target("/channels/room/ws"));
    let (mute, response) = tokio_tungstenite::client_async(url, stream).await.expect("the handshake looks right");
    assert_eq!(response.status(), 101);
    drop(mute);

    let mut socket = link.websocket("/channels/room/ws?format=json").await;
    for frame in [Frame::new(TEXT, r#"{"publish":{"data":"lost"}}"#), Frame::new(PING, "anybody?")] {
        assert!(socket.send(&frame).await);
    }
    PostPublisher::open(&server, "room").await.publish("", "unheard").await.published_id();
    let mut direct = Reader::open(&server, Transport::Poll, &Subscription::to("room").after("start")).await;
    assert_eq!(direct.texts(1).await, ["unheard"], "nothing else was published");

    link.cut().await;
    assert_eq!(socket.into_connection().read_to_ending().await, (Vec::new(), Ending::Fin));
}

#[tokio::test]
async fn other_transports_do_not_meet_the_middlebox() {
    for faults in ["strip", "400", "403", "mute"] {
        let (server, link) = meeting(json!({ "upgrade": faults })).await;
        PostPublisher::open(&server, "room").await.publish("", "x").await.published_id();
        for transport in [Transport::Sse, Transport::Stream, Transport::Poll] {
            let mut reader = link.reader(transport, Subscription::to("room").after("start")).await;
            assert_eq!(reader.texts(1).await, ["x"], "{transport:?} past {faults}");
        }
    }
}

#[tokio::test]
async fn an_open_websocket_lives_on_and_a_healed_link_lets_new_ones_through() {
    let (server, link) = meeting(json!({})).await;
    let mut reader = link.reader(Transport::WebSocket, Subscription::to("room")).await;
    link.set(json!({ "upgrade": "403" })).await;
    PostPublisher::open(&server, "room").await.publish("", "x").await.published_id();
    assert_eq!(reader.texts(1).await, ["x"]);

    link.heal().await;
    let socket: RawWebSocket = link.websocket("/channels/room/ws").await;
    server.wait_for_subscribers("room", "websocket", 2).await;
    drop(socket);
}
