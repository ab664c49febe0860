//! What is left to chance: the same seed gives the same run.

use serde_json::json;

use crate::harness::{Ending, Link, TestServer, lab::A_DAY};

/// What becomes of twenty publications over a link that duplicates some and loses the answers of some.
async fn run(server: &TestServer, name: &str, seed: u32) -> Vec<(Ending, u64)> {
    let faults = json!({ "seed": seed, "duplicate": 0.5, "drop_answer": 0.5 });
    let link = Link::with(server, name, faults).await;
    let (mut outcomes, mut before) = (Vec::new(), 0);
    for _ in 0..20 {
        let request = link.post(&format!("/channels/{name}"), "x").header("Connection", "close");
        let (_, ending) = link.answer_and_ending(&request).await;
        let head = head(server, name).await;
        outcomes.push((ending, head - before));
        before = head;
    }
    outcomes
}

/// How many messages a channel has had.
async fn head(server: &TestServer, channel: &str) -> u64 {
    let polled = server.get(&format!("/channels/{channel}/poll?after=end")).await.json();
    let cursor = polled["cursor"].as_str().expect("a cursor");
    cursor.rsplit('.').next().and_then(|offset| offset.parse().ok()).expect("an offset")
}

#[tokio::test]
async fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let server = TestServer::spawn_with_lab(&[]);

    let (first, again, other) = (run(&server, "a", 7).await, run(&server, "b", 7).await, run(&server, "c", 8).await);

    assert_eq!(first, again);
    assert_ne!(first, other);
    for outcome in [(Ending::Fin, 1), (Ending::Fin, 2), (Ending::Reset, 1), (Ending::Reset, 2)] {
        assert!(first.iter().chain(&other).any(|drawn| *drawn == outcome), "{outcome:?} in {first:?} and {other:?}");
    }
}

#[tokio::test]
async fn setting_the_faults_again_begins_the_run_again() {
    let server = TestServer::spawn_with_lab(&[]);

    let (first, again) = (run(&server, "a", 7).await, run(&server, "a", 7).await);

    assert_eq!(
        first.iter().map(|drawn| drawn.0).collect::<Vec<_>>(),
        again.iter().map(|drawn| drawn.0).collect::<Vec<_>>()
    );
}

/// Faults beside those that roll dice do not change what they roll.
#[tokio::test]
async fn the_kinds_that_are_spared_do_not_suffer() {
    let server = TestServer::spawn_with_lab(&[]);
    let faults = json!({ "drop_answer": 1, "latency_ms": A_DAY, "only": ["poll"] });
    let link = Link::with(&server, "a", faults).await;

    link.connect().await.request(&link.post("/channels/room", "x")).await.published_id();
}
