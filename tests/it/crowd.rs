//! Experiments with a crowd: who may start one, what is told about it, and that nothing is left of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{
    Connection, Reader, Request, Subscription, TestServer, Transport, publisher::PostPublisher, within_guard,
};
use crate::operators::server_in_the_network;

/// A small crowd is soon done.
const SMALL: &str = r#"{"kind": "crowd", "subscribers": 10, "rate": 20}"#;

async fn order(server: &TestServer, order: &str) -> Value {
    let answer = server.request(Request::post("/crowd", order)).await;
    assert_eq!(answer.status(), 201, "{}", answer.text());
    answer.json()
}

/// The next piece of news.
async fn next(reader: &mut Reader) -> Value {
    serde_json::from_str(reader.message().await.text()).expect("news is JSON")
}

/// Hears everything about an experiment that was just started, to its end.
async fn news(server: &TestServer, started: &Value) -> Vec<Value> {
    let after = started["after"].as_str().expect("it says where its news begins");
    let mut reader = Reader::open(server, Transport::Stream, &Subscription::to("crowd.live").after(after)).await;
    let mut all = Vec::new();
    loop {
        let item = next(&mut reader).await;
        assert_eq!(item["experiment"], started["number"]);
        all.push(item.clone());
        if item["what"] == "ended" {
            return all;
        }
    }
}

fn of_kind<'a>(news: &'a [Value], what: &str) -> Vec<&'a Value> {
    news.iter().filter(|item| item["what"] == what).collect()
}

/// The processes that a process has started and that still are.
#[cfg(target_os = "linux")]
fn children(process: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>()).collect()
}

#[cfg(target_os = "linux")]
async fn until(what: &str, holds: impl Fn() -> bool) {
    within_guard(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[cfg(target_os = "linux")]
fn exists(process: u32) -> bool {
    // What has ended and was not asked for yet is a zombie, and no server any more.
    std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn a_crowd_grows_step_by_step_and_everybody_gets_every_message() {
    let server = TestServer::spawn(&[]);

    let started = order(&server, r#"{"kind": "crowd", "subscribers": 20, "rate": 20, "transport": "long-poll"}"#).await;
    let news = news(&server, &started).await;

    assert_eq!(news[0]["what"], "began");
    assert_eq!(news[0]["order"], started["order"]);
    let points = of_kind(&news, "point");
    let sizes: Vec<_> =
        points.iter().map(|point| (&point["subscribers"], &point["messages"], &point["deliveries"])).collect();
    assert_eq!(sizes, [(&json!(10), &json!(60), &json!(600)), (&json!(20), &json!(60), &json!(1200))]);
    for point in points {
        assert_eq!((&point["late"], &point["transport"]), (&json!(0), &json!("long-poll")));
        assert!(point["p50_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{point}");
        if cfg!(target_os = "linux") {
            assert!(point["active_cpu_share"].as_f64() > point["idle_cpu_share"].as_f64(), "{point}");
        }
    }
    let last = news.last().expect("an end");
    assert_eq!(last["is_complete"], true, "{last}");
}

#[tokio::test]
async fn clients_of_a_server_that_was_killed_all_come_back_by_their_rule() {
    let server = TestServer::spawn(&[]);

    let started = order(&server, r#"{"kind": "storm", "clients": 30, "rule": "doubling", "down_ms": 1200}"#).await;
    let news = news(&server, &started).await;

    let waves = of_kind(&news, "wave");
    let wave = *waves.last().expect("a wave");
    assert_eq!((&wave["is_over"], &wave["rule"], &wave["missing"]), (&json!(true), &json!("doubling"), &json!(0)));
    // After a second nobody is there, and two seconds later somebody is.
    assert_eq!(wave["tried"], 60, "{wave}");
    let sum = |steps: &Value| steps.as_array().into_iter().flatten().filter_map(Value::as_u64).sum::<u64>();
    assert_eq!((sum(&wave["attempts"]), sum(&wave["returns"])), (60, 30));
    assert!(wave["away_max_ms"].as_f64().is_some_and(|ms| ms >= 2900.0), "{wave}");
}

#[tokio::test]
async fn who_is_told_when_to_come_back_is_not_told_the_same_as_all_others() {
    let server = TestServer::spawn(&[]);

    let started = order(&server, r#"{"kind": "storm", "clients": 50, "rule": "retry", "down_ms": 500}"#).await;
    let news = news(&server, &started).await;

    let waves = of_kind(&news, "wave");
    let wave = *waves.last().expect("a wave");
    let steps = wave["attempts"].as_array().expect("steps").iter().filter(|count| **count != json!(0)).count();
    assert!(steps > 3, "two seconds, a quarter more or less: {wave}");
    assert_eq!((&wave["tried"], &wave["missing"]), (&json!(50), &json!(0)));
}

#[cfg(unix)]
#[tokio::test]
async fn a_closed_loop_leaves_out_what_an_open_loop_sees() {
    let server = TestServer::spawn(&[]);

    let started = order(&server, r#"{"kind": "freeze", "rate": 50, "subscribers": 5, "freeze_ms": 1000}"#).await;
    let news = news(&server, &started).await;

    let found = |name: &str| {
        let found = news.iter().find(|item| item["what"] == "loop" && item["loop"] == name);
        found.unwrap_or_else(|| panic!("no {name} loop: {news:?}"))
    };
    let (open, closed) = (found("open"), found("closed"));
    assert_eq!((&open["planned"], &open["sent"], &open["n"]), (&json!(400), &json!(400), &json!(2000)));
    assert_eq!((&open["lost"], &closed["lost"]), (&json!(0), &json!(0)));
    let sent = closed["sent"].as_u64().expect("a number");
    assert!(
        (200..=355).contains(&sent),
        "it has left out the fifty that were due in the freeze, and it may be late: {sent}"
    );
    // An eighth of the open loop's messages met the freeze, and one of the other's.
    assert!(open["p99_ms"].as_f64().is_some_and(|ms| ms > 700.0), "{open}");
    assert!(closed["p99_ms"].as_f64() < open["p99_ms"].as_f64(), "{closed}");
    assert!(closed["max_ms"].as_f64().is_some_and(|ms| ms > 900.0), "one message has met it, all the same: {closed}");
}

#[tokio::test]
async fn one_experiment_runs_at_a_time_and_can_be_stopped() {
    let server = TestServer::spawn(&[]);
    server.request(Request::new("DELETE", "/crowd")).await.assert_problem(404);

    let started = order(&server, SMALL).await;
    let busy = server.request(Request::post("/crowd", SMALL)).await;
    assert!(busy.assert_problem(409)["detail"].as_str().is_some_and(|detail| detail.contains("DELETE /crowd")));
    let shown = server.get("/crowd").await.json();
    assert_eq!(shown["experiment"], started);
    assert_eq!(server.request(Request::new("DELETE", "/crowd")).await.status(), 204);

    let news = news(&server, &started).await;
    let last = news.last().expect("an end");
    assert_eq!((&last["is_complete"], &last["words"]), (&json!(false), &json!("it was stopped")));
    assert_eq!(server.get("/crowd").await.json()["experiment"]["is_running"], false);
    assert_eq!(order(&server, SMALL).await["number"], 2, "there is room for the next one");
}

#[tokio::test]
async fn what_is_out_of_bounds_is_refused_with_the_bounds() {
    let server = TestServer::spawn(&["--crowd-subscribers", "50", "--crowd-rate", "20", "--crowd-time", "30s"]);

    let limits = server.get("/crowd").await.json()["limits"].clone();
    assert_eq!(limits, json!({"subscribers": 50, "rate": 20, "seconds": 30.0}));
    for (order, bounds) in [
        (r#"{"kind": "crowd", "subscribers": 51, "rate": 1}"#, "1 to 50"),
        (r#"{"kind": "crowd", "subscribers": 50, "rate": 21}"#, "1 to 20"),
        (r#"{"kind": "storm", "clients": 51}"#, "1 to 50"),
        (r#"{"kind": "storm", "clients": 5, "down_ms": 9999}"#, "0 to 5000"),
        (r#"{"kind": "party"}"#, "an order looks like"),
        ("", "an order looks like"),
    ] {
        let problem = server.request(Request::post("/crowd", order)).await.assert_problem(400);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(bounds)), "{order}: {problem}");
    }
    server.request(Request::post("/crowd", "x".repeat(5000))).await.assert_problem(413);
    server.get("/crowd?x=1").await.assert_problem(400);
    server.request(Request::new("PUT", "/crowd")).await.assert_problem(405);
}

#[tokio::test]
async fn a_server_can_be_without_crowds() {
    let server = TestServer::spawn(&["--crowd-subscribers", "0"]);

    let problem = server.request(Request::post("/crowd", SMALL)).await.assert_problem(404);

    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("--crowd-subscribers")));
}

#[tokio::test]
async fn descriptors_of_a_crowd_are_missing_for_clients() {
    let server = TestServer::spawn(&["--max-connections", "1400"]);

    let room = server.get("/crowd").await.json()["limits"]["subscribers"].as_u64().expect("a number");

    assert!((50..100).contains(&room), "{room}");
}

#[tokio::test]
async fn only_operators_start_an_experiment_and_everybody_may_watch() {
    let Some((_server, address)) = server_in_the_network(&[]) else { return };

    Connection::open(address).await.request(&Request::post("/crowd", SMALL)).await.assert_problem(403);
    Connection::open(address).await.request(&Request::new("DELETE", "/crowd")).await.assert_problem(403);
    let offer = Connection::open(address).await.request(&Request::get("/crowd")).await;
    assert_eq!((offer.status(), &offer.json()["may_start"]), (200, &json!(false)));
    let watch = Connection::open(address).await.request(&Request::get("/channels/crowd.live/poll?wait=0")).await;
    assert_eq!(watch.status(), 200);
}

#[tokio::test]
async fn a_foreign_page_cannot_start_one_through_an_operators_browser() {
    let server = TestServer::spawn(&[]);

    let request = Request::post("/crowd", SMALL).header("Origin", "https://elsewhere.example");
    server.request(request).await.assert_problem(403);

    assert_eq!(server.get("/crowd").await.json()["experiment"], Value::Null);
}

#[tokio::test]
async fn nobody_but_the_server_tells_how_a_crowd_fares() {
    let server = TestServer::spawn(&[]);

    server.request(Request::post("/channels/crowd.live", "x")).await.assert_problem(403);

    PostPublisher::open(&server, "crowd.lively").await.numbers(1..=1).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_experiment_that_nobody_watches_ends_and_its_server_with_it() {
    let server = TestServer::spawn(&[]);
    order(&server, r#"{"kind": "storm", "clients": 5, "rule": "all", "down_ms": 5000}"#).await;
    until("a server of its own", || !children(server.process()).is_empty()).await;

    within_guard("the end of the experiment", async {
        while server.get("/crowd").await.json()["experiment"]["is_running"] == true {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;

    until("the end of its server", || children(server.process()).is_empty()).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_experiment_ends_when_the_server_drains() {
    let mut server = TestServer::spawn(&["--drain-time", "5s"]);
    let started = order(&server, r#"{"kind": "crowd", "subscribers": 10, "rate": 1}"#).await;
    until("a server of its own", || !children(server.process()).is_empty()).await;
    let child = children(server.process())[0];
    let after = started["after"].as_str().expect("a cursor");
    let mut watcher = Reader::open(&server, Transport::Stream, &Subscription::to("crowd.live").after(after)).await;

    server.terminate();

    let mut last = Value::Null;
    while last["what"] != "ended" {
        last = next(&mut watcher).await;
    }
    assert_eq!(last["words"], "the server shuts down");
    until("the end of its server", || !exists(child)).await;
    assert!(server.exit_status().await.success());
}

/// A process that is killed says no goodbye, and one that is stopped reads nothing.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_of_an_experiment_does_not_outlive_the_one_that_was_killed() {
    for order_of in [SMALL, r#"{"kind": "freeze", "freeze_ms": 3000}"#] {
        let mut server = TestServer::spawn(&[]);
        order(&server, order_of).await;
        until("a server of its own", || !children(server.process()).is_empty()).await;
        let child = children(server.process())[0];
        if order_of != SMALL {
            let state = || std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            let _watcher = Reader::open(&server, Transport::Stream, &Subscription::to("crowd.live")).await;
            until("it is stopped", || state().contains(") T ")).await;
        }

        server.kill().await;

        until("the end of its server", || !exists(child)).await;
    }
}
