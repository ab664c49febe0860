//! Nagle: an answer of the lab's own, in as many writes as it is asked for.

use serde_json::{Value, json};

use crate::harness::{Connection, Request, TestServer};

use super::{peers::ask, tap::recording_after};

/// How many bytes each write had that answered a request over a link.
async fn writes(server: &TestServer, link: &str) -> Vec<u64> {
    let wire = recording_after(server, link, 1).await;
    let pieces = wire.iter().filter_map(|item| item.get("piece")).filter(|piece| piece["direction"] == "down");
    pieces.map(|piece| piece["length"].as_u64().expect("a length")).collect()
}

#[tokio::test]
async fn an_answer_comes_in_as_many_writes_as_it_is_asked_for() {
    let server = TestServer::spawn_with_lab(&[]);
    let lab = server.lab().await;
    for count in 1..=4 {
        for nodelay in [0, 1] {
            let link = format!("link-{count}-{nodelay}");
            let target = format!("/lab/nagle?writes={count}&nodelay={nodelay}&link={link}");

            let answer = ask(lab, Request::get(&target)).await;

            assert_eq!(answer.status(), 200, "{}", answer.text());
            assert_eq!(answer.json(), json!({ "writes": count, "nodelay": nodelay == 1 }));
            assert_eq!(writes(&server, &link).await.len(), count, "{target}");
        }
    }
}

#[tokio::test]
async fn the_head_goes_alone_when_there_is_more_than_one_write() {
    let server = TestServer::spawn_with_lab(&[]);

    let answer = ask(server.lab().await, Request::get("/lab/nagle?writes=2&link=a")).await;

    assert_eq!(writes(&server, "a").await[1], answer.text().len() as u64, "the second write is the body");
}

#[tokio::test]
async fn many_answers_come_over_one_connection() {
    let server = TestServer::spawn_with_lab(&[]);
    let mut connection = Connection::open(server.lab().await).await;

    for round in 0..80 {
        let target = format!("/lab/nagle?writes={}&nodelay=1", 1 + round % 4);
        assert_eq!(connection.request(&Request::get(&target)).await.status(), 200, "{round}");
    }
    // The server behind the lab is still there for the same connection.
    assert_eq!(connection.request(&Request::get("/healthz")).await.text(), "ok\n");
}

#[tokio::test]
async fn what_the_lab_does_not_understand_it_refuses() {
    let server = TestServer::spawn_with_lab(&[]);
    let lab = server.lab().await;

    for query in ["writes=0", "writes=5", "nodelay=yes", "wirtes=1", "writes=1&writes=2"] {
        ask(lab, Request::get(&format!("/lab/nagle?{query}"))).await.assert_problem(400);
    }
    let refused = ask(lab, Request::post("/lab/nagle", "")).await;
    refused.assert_problem(405);
    assert!(refused.head.lists("Allow", "GET"), "{:?}", refused.head);
    let mut connection = Connection::open(lab).await;
    connection.send(&Request::post("/lab/nagle", "a body that nobody reads")).await;
    let (answer, _) = connection.read_to_ending().await;
    assert!(String::from_utf8_lossy(&answer).contains("Connection: close"), "nothing can follow");
}

#[tokio::test]
async fn a_page_of_the_main_port_may_ask_and_a_foreign_one_learns_nothing() {
    let server = TestServer::spawn_with_lab(&[]);
    let lab = server.lab().await;
    let request = |method: &str, origin: &str| Request::new(method, "/lab/nagle?writes=2").header("Origin", origin);

    for (method, status) in [("GET", 200), ("HEAD", 200), ("OPTIONS", 204)] {
        let allowed = ask(lab, request(method, &server.origin())).await;
        assert_eq!(allowed.status(), status, "{method}");
        assert_eq!(allowed.header("Access-Control-Allow-Origin"), Some(server.origin().as_str()), "{method}");
        let foreign = ask(lab, request(method, "https://elsewhere.example")).await;
        assert_eq!(foreign.header("Access-Control-Allow-Origin"), None, "{method}");
    }
}

#[tokio::test]
async fn the_server_itself_sends_those_who_ask_to_the_lab() {
    let server = TestServer::spawn_with_lab(&[]);
    let problem: Value = server.get("/lab/nagle?writes=2").await.assert_problem(404);

    let port = server.lab().await.port().to_string();
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(&port)), "{problem}");

    let without = TestServer::spawn(&["--lab-port", "0"]);
    assert_eq!(without.get("/lab/nagle").await.assert_problem(404)["type"], "urn:fallcast:problem:no-lab");
}
