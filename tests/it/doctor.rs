//! `fallcast doctor`: through every preset of the lab it names what the preset imitates, and says which transport to use.
//!
//! The presets' times are made short where a test would otherwise wait for a minute; what they do is not changed.

use serde_json::{Value, json};

use crate::harness::{
    Link, Request, TestServer,
    lab::A_DAY,
    process::{Ended, Running, run},
    within_guard,
};

/// What the doctor found out.
struct Report {
    code: Option<i32>,
    document: Value,
}

impl Report {
    #[track_caller]
    fn of(ended: &Ended) -> Self {
        let text = ended.output.join("\n");
        let document =
            serde_json::from_str(&text).unwrap_or_else(|fault| panic!("{fault}: {text} {:?}", ended.notices));
        Self { code: ended.code, document }
    }

    fn verdict(&self) -> &str {
        self.document["report"]["verdict"]["text"].as_str().expect("a verdict has words")
    }

    fn transport(&self) -> Option<&str> {
        self.document["report"]["verdict"]["transport"].as_str()
    }

    fn culprits(&self) -> Vec<&str> {
        let culprits = self.document["report"]["verdict"]["culprits"].as_array().expect("a list");
        culprits.iter().filter_map(|culprit| culprit["kind"].as_str()).collect()
    }

    fn finding(&self, question: &str) -> &Value {
        let findings = self.document["report"]["findings"].as_array().expect("a list");
        let finding = findings.iter().find(|finding| finding["question"] == question);
        finding.unwrap_or_else(|| panic!("nothing about {question}: {:#}", self.document["report"]))
    }

    fn mark(&self, question: &str) -> &str {
        self.finding(question)["mark"].as_str().expect("a finding has a mark")
    }

    /// Asserts who was found, what is to be used, and the exit code that follows.
    #[track_caller]
    fn assert(&self, culprits: &[&str], transport: &str, code: i32) {
        let found = (self.culprits(), self.transport(), self.code);
        assert_eq!(found, (culprits.to_vec(), Some(transport), Some(code)), "{:#}", self.document["report"]);
    }

    #[track_caller]
    fn assert_says(&self, words: &[&str]) {
        for words in words {
            assert!(self.verdict().contains(words), "{words:?} is missing: {}", self.verdict());
        }
    }
}

/// Examines an address, with connections that are silent for so long.
async fn examine(url: &str, idle: &str) -> Report {
    Report::of(&run(&["doctor", "--json", "--quiet", "--idle", idle, url], b"").await)
}

/// Examines a server over a link with faults.
async fn examine_through(faults: Value) -> Report {
    examine_server_through(&[], faults, "1s").await
}

async fn examine_server_through(arguments: &[&str], faults: Value, idle: &str) -> Report {
    let server = TestServer::spawn_with_lab(arguments);
    let link = Link::with(&server, "way", faults).await;
    examine(&address(&link, &server).await, idle).await
}

/// Where a server is reached over a link.
async fn address(link: &Link, server: &TestServer) -> String {
    format!("http://{}/?link={}", server.lab().await, link.name())
}

#[tokio::test]
async fn on_a_healthy_way_nothing_is_in_the_way_and_websocket_is_to_be_used() {
    let server = TestServer::spawn(&[]);

    let report = examine(&server.origin(), "1s").await;

    report.assert(&[], "websocket", 0);
    report.assert_says(&["Use WebSocket here: it gets through, and so does everything else."]);
    for question in
        ["line", "way", "upgrade", "flush", "idle", "fields", "compression", "streams", "duplicates", "latency"]
    {
        assert_eq!(report.mark(question), "well", "{:#}", report.finding(question));
    }
    let clock = &report.document["observations"]["clock"];
    assert!(clock["exchanges"].as_u64() >= Some(20), "{clock}");
    assert!(clock["offset_ms"].as_f64().map(f64::abs) <= clock["bound_ms"].as_f64(), "it is the same clock: {clock}");
}

#[tokio::test]
async fn an_nginx_with_a_bare_proxy_pass_is_recognized_by_its_habits() {
    let report = examine_through(json!({ "preset": "nginx-default" })).await;

    report.assert(&["stripping-proxy"], "sse", 1);
    report.assert_says(&["does not pass `Upgrade` on", "like nginx with a bare `proxy_pass`"]);
    let flush = report.finding("flush")["seen"].as_str().unwrap_or_default().to_owned();
    // A busy machine adds a piece to the block.
    assert!(["4 KiB", "5 KiB"].iter().any(|size| flush.contains(&format!("until they are about {size}"))), "{flush}");
}

#[tokio::test]
async fn a_companys_proxy_leaves_only_long_polling() {
    let report = examine_through(json!({ "preset": "corporate-proxy" })).await;

    report.assert(&["filtering-proxy"], "long-poll", 1);
    report.assert_says(&[
        "does not let WebSockets through (403)",
        "until they are whole",
        "at the border of a company",
    ]);
}

#[tokio::test]
async fn a_virus_scanner_is_told_by_holding_events_alone_until_the_next() {
    let report = examine_through(json!({ "preset": "antivirus" })).await;

    report.assert(&["virus-scanner"], "websocket", 1);
    report.assert_says(&["a virus scanner", "only when the next one begins"]);
}

#[tokio::test]
async fn a_tunnel_is_waited_for_and_no_proxy_is_blamed() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::of(&server, "train").await;
    let url = address(&link, &server).await;
    link.set(json!({ "preset": "train-tunnel", "refuse_ms": 2000 })).await;

    let report = examine(&url, "1s").await;

    report.assert(&["outage"], "websocket", 1);
    report.assert_says(&["as in a tunnel", "no proxy is to blame"]);
}

#[tokio::test]
async fn a_laptop_that_slept_is_told_by_everything_that_died_without_a_word() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "laptop", json!({})).await;
    let url = address(&link, &server).await;
    let running = Running::start(&["doctor", "--json", "--quiet", "--idle", "3s", &url]);
    // The five that are silent, and the three streams that are read after these were opened; whatever else is open is
    // asked again.
    within_guard("the silent connections", async {
        while link.view().await["exchanges"].as_u64() < Some(8) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    link.set(json!({ "preset": "laptop-sleep" })).await;

    let report = Report::of(&running.end().await);

    report.assert(&["changed-network"], "websocket", 1);
    report.assert_says(&["or it was asleep", "new connections work"]);
}

#[tokio::test]
async fn a_mobile_network_is_slow_and_nothing_else() {
    let report = examine_through(json!({ "preset": "mobile-3g" })).await;

    report.assert(&["slow-line"], "websocket", 0);
    report.assert_says(&["the way is long", "(3G)"]);
    assert_eq!(report.mark("flush"), "well", "{:#}", report.finding("flush"));
}

#[tokio::test]
async fn a_load_balancers_patience_is_measured_and_half_of_it_is_the_remedy() {
    let report =
        examine_server_through(&[], json!({ "preset": "load-balancer-60s", "idle": { "after_ms": 2000 } }), "5s").await;

    report.assert(&["idle-timeout"], "websocket", 1);
    report.assert_says(&["silent for 2.", "in order (FIN)"]);
    let idle = report.finding("idle");
    assert!(idle["remedy"].as_str().is_some_and(|remedy| remedy.contains("--heartbeat 1")), "{idle:#}");
    assert!(idle["seen"].as_str().is_some_and(|seen| seen.contains("504")), "an unanswered poll: {idle:#}");
}

#[tokio::test]
async fn a_heartbeat_that_comes_in_time_makes_a_load_balancer_harmless() {
    let faults = json!({ "preset": "load-balancer-60s", "idle": { "after_ms": 2000 } });

    let report = examine_server_through(&["--heartbeat", "700ms", "--poll-hold", "1s"], faults, "5s").await;

    report.assert(&["idle-timeout"], "websocket", 0);
    assert_eq!(report.mark("idle"), "notice", "{:#}", report.finding("idle"));
}

#[tokio::test]
async fn a_reset_is_told_from_an_orderly_end() {
    let report = examine_server_through(&[], json!({ "idle": { "after_ms": 2000, "how": "rst" } }), "5s").await;

    report.assert(&["idle-timeout"], "websocket", 1);
    report.assert_says(&["by a reset (RST)"]);
}

#[tokio::test]
async fn what_drops_silent_connections_without_a_word_is_told_from_a_network_that_changed() {
    let report = examine_server_through(&[], json!({ "idle": { "after_ms": 2000, "how": "silence" } }), "4s").await;

    report.assert(&["idle-timeout"], "websocket", 1);
    report.assert_says(&["drops connections that are silent, without a word"]);
}

#[tokio::test]
async fn a_proxy_that_accepts_and_then_says_nothing_is_not_believed() {
    let report = examine_through(json!({ "upgrade": "mute" })).await;

    report.assert(&["mute-proxy"], "sse", 1);
    report.assert_says(&["accepts WebSockets and then passes nothing on"]);
}

#[tokio::test]
async fn a_proxy_that_sends_requests_twice_is_counted() {
    let report = examine_through(json!({ "duplicate": 1.0, "only": ["other"] })).await;

    report.assert(&["repeating-proxy"], "websocket", 1);
    report.assert_says(&["4 were sent and 8 arrived"]);
}

#[tokio::test]
async fn a_server_on_this_machine_says_what_room_there_is() {
    let server = TestServer::spawn(&["--max-connections", "50"]);

    let report = examine(&server.origin(), "1s").await;

    let room = report.finding("room");
    let says = |part: &str, words: &str| room[part].as_str().is_some_and(|text| text.contains(words));
    assert!(says("seen", "Room for 50 connections") && says("seen", "for this machine alone"), "{room:#}");
    assert!(says("remedy", "--max-connections 50") && says("remedy", "--host 0.0.0.0"), "{room:#}");
    assert_eq!(report.code, Some(0), "that the server is for this machine alone is no fault");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_in_a_sentence() {
    let ended = run(&["doctor", "--quiet", "http://127.0.0.1:1"], b"").await;

    assert_eq!((ended.code, ended.output.as_slice()), (Some(2), &[][..]));
    assert!(ended.notices.iter().any(|line| line.contains("cannot connect to 127.0.0.1:1")), "{:?}", ended.notices);
}

#[tokio::test]
async fn a_server_that_does_not_come_back_is_waited_for_only_so_long() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "gone", json!({ "refuse_ms": A_DAY })).await;
    let url = address(&link, &server).await;

    let ended = run(&["doctor", "--quiet", "--patience", "1s", &url], b"").await;

    assert_eq!(ended.code, Some(2), "{:?}", ended.notices);
    assert!(ended.notices.iter().any(|line| line.contains("reset")), "{:?}", ended.notices);
}

#[tokio::test]
async fn a_server_that_refuses_is_quoted() {
    let server = TestServer::spawn(&[]);
    let url = format!("{}/?link=of-no-lab", server.origin());

    let ended = run(&["doctor", "--quiet", &url], b"").await;

    assert_eq!(ended.code, Some(2), "{:?}", ended.notices);
    assert!(
        ended.notices.iter().any(|line| line.contains("the parameter `link` is unknown here")),
        "{:?}",
        ended.notices
    );
}

#[tokio::test]
async fn another_server_gets_a_clear_sentence_and_a_hint() {
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", other.local_addr().expect("it has an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = other.accept().await {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            // What is not read would reset the connection, and the answer with it.
            let _ = stream.read(&mut [0; 4096]).await;
            let answer =
                b"HTTP/1.1 404 Not Found\r\nServer: other/1.0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = stream.write_all(answer).await;
        }
    });

    let report = examine(&url, "1s").await;

    assert_eq!(report.code, Some(1));
    let line = report.finding("line");
    assert!(line["seen"].as_str().is_some_and(|seen| seen.contains("not as fallcast does")), "{line:#}");
    assert!(line["remedy"].as_str().is_some_and(|remedy| remedy.contains("fallcast check")), "{line:#}");
    assert!(report.finding("way")["seen"].as_str().is_some_and(|seen| seen.contains("other/1.0")));
}

#[tokio::test]
async fn people_read_signs_and_a_verdict_and_see_what_is_asked_meanwhile() {
    let server = TestServer::spawn(&[]);

    let ended = run(&["doctor", "--idle", "1s", &server.origin()], b"").await;

    assert_eq!(ended.code, Some(0), "{:?}", ended.output);
    assert!(ended.output.iter().any(|line| line.starts_with("✓ WebSocket: ")), "{:?}", ended.output);
    assert!(ended.output.iter().any(|line| line.starts_with("Use WebSocket here")), "{:?}", ended.output);
    assert!(ended.notices.iter().any(|line| line.contains("comparing clocks")), "{:?}", ended.notices);
}

#[tokio::test]
async fn over_tls_the_fingerprint_is_enough_and_the_protocols_are_told() {
    let server = TestServer::spawn(&["--tls-self-signed"]);
    let fingerprint = server.fingerprint().await;
    let url = format!("https://{}", server.address());

    let refused = run(&["doctor", "--quiet", &url], b"").await;
    let arguments = ["doctor", "--json", "--quiet", "--idle", "1s", "--fingerprint", &fingerprint, &url];
    let report = Report::of(&run(&arguments, b"").await);

    assert_eq!(refused.code, Some(2), "nobody has signed this certificate");
    report.assert(&[], "websocket", 0);
    assert_eq!(report.document["observations"]["way"]["negotiated"], "h2");
}

/// The same rules judge what a page has seen.
#[tokio::test]
async fn what_a_page_has_seen_is_judged_by_the_same_rules() {
    let server = TestServer::spawn(&[]);
    let seen = json!({
        "seen_from": "browser",
        "upgrade": { "outcome": "stripped", "took_ms": 3 },
        "way": { "received": [["Server", "nginx/1.22.1"]] },
    });

    let answer = server.request(Request::post("/examination/verdict", seen.to_string())).await;

    assert_eq!(answer.status(), 200, "{}", answer.text());
    let verdict = &answer.json()["verdict"];
    assert_eq!(verdict["culprits"][0]["kind"], "stripping-proxy", "{verdict:#}");
    assert_eq!(verdict["culprits"][0]["name"], "nginx/1.22.1", "{verdict:#}");
}
