//! `fallcast check` as a command: what it prints, where it leaves reports, and how it ends.

use std::{env, fs, path::PathBuf};

use serde_json::Value;

use crate::harness::{
    TestServer,
    process::{Ended, run},
};

/// A profile in which what is published never reaches anybody who listens.
const DEAF: [&str; 4] =
    ["--set=sse.path=/channels/one/sse", "--set=publish.path=/channels/other", "--profile=sse", "--time-limit=3s"];

/// A path for a report, which is gone afterwards.
struct Report(PathBuf);

impl Report {
    fn new(name: &str) -> Self {
        Self(env::temp_dir().join(format!("fallcast-check-{}-{name}", std::process::id())))
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.0).expect("there is a report")
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

async fn check(arguments: &[&str]) -> Ended {
    run(&[&["check"], arguments].concat(), b"").await
}

#[tokio::test]
async fn a_server_that_keeps_its_promises_ends_with_0() {
    let server = TestServer::spawn(&[]);

    let ended = check(&["echo", "--url", &server.origin(), "--transports", "sse,long-poll"]).await;

    assert_eq!(ended.code, Some(0), "{:?}", ended.output);
    assert!(ended.output[0].starts_with("echo "), "{:?}", ended.output);
    assert!(ended.output.iter().any(|line| line.contains("✓ echo.utf-8") && line.contains("sse, long-poll")));
}

#[tokio::test]
async fn a_broken_promise_ends_with_1_and_is_told_with_its_bytes() {
    let server = TestServer::spawn(&[]);
    let junit = Report::new("junit.xml");
    let path = format!("--junit={}", junit.0.display());

    let ended = check(&[&["sse", "--url", &server.origin(), &path], &DEAF[..]].concat()).await;

    assert_eq!(ended.code, Some(1), "{:?}", ended.notices);
    let text = ended.output.join("\n");
    for part in ["✗ sse.flushed", "promised", "seen", "GET /channels/one/sse HTTP/1.1\\r\\n", "read      /book/"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let xml = junit.text();
    assert!(xml.contains("name=\"sse.flushed (sse)\"") && xml.contains("<failure "), "{xml}");
}

#[tokio::test]
async fn the_report_in_json_holds_every_property_with_its_verdict() {
    let server = TestServer::spawn(&[]);

    let ended = check(&[&["sse", "--json", "--url", &server.origin()], &DEAF[..]].concat()).await;

    let report: Value = serde_json::from_str(&ended.output.join("\n")).expect("a report");
    assert_eq!(report["check_report"], 1);
    let properties = report["checks"][0]["properties"].as_array().expect("properties");
    let flushed = properties.iter().find(|property| property["id"] == "sse.flushed").expect("it was judged");
    assert_eq!((&flushed["verdict"], &flushed["transport"]), (&"failed".into(), &"sse".into()));
    assert_eq!(flushed["trace"][0]["who"], "client");
    let count = |verdict: &str| properties.iter().filter(|property| property["verdict"] == verdict).count();
    for verdict in ["passed", "failed", "skipped"] {
        assert_eq!(report[verdict], count(verdict), "{verdict}");
    }
}

#[tokio::test]
async fn what_is_left_out_is_not_judged() {
    let server = TestServer::spawn(&[]);

    let ended = check(&[&["sse", "--skip=sse.flushed", "--url", &server.origin()], &DEAF[..]].concat()).await;

    assert_eq!(ended.code, Some(0), "{:?}", ended.output);
    assert!(ended.output.iter().any(|line| line.contains("sse.flushed") && line.contains("--skip")));
}

#[tokio::test]
async fn what_cannot_be_checked_ends_with_2_and_one_sentence() {
    for (arguments, remedy) in [
        (&["all", "--url", "http://127.0.0.1:1"][..], "--url"),
        (&["all", "--url", "https://127.0.0.1:1"], "TLS"),
        (&["all", "--url", "http://127.0.0.1:1/events"], "--set sse.path="),
        (&["nothing", "--url", "http://127.0.0.1:1"], "fan-out"),
        (&["all", "--profile", "nothing", "--url", "http://127.0.0.1:1"], "mercure"),
        (&["all", "--set", "sse.port=1", "--url", "http://127.0.0.1:1"], "port"),
        (&["all", "--skip", "ws.nothing", "--url", "http://127.0.0.1:1"], "--list"),
    ] {
        let ended = check(arguments).await;
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        assert!(ended.output.is_empty(), "{:?}", ended.output);
        let told = ended.notices.join("\n");
        assert!(told.starts_with("error: ") && told.contains(remedy), "{arguments:?}: {told}");
    }
}

#[tokio::test]
async fn a_server_without_what_the_profile_describes_is_told_in_one_sentence() {
    let server = TestServer::spawn(&[]);

    let ended = check(&["all", "--profile=sse", "--set=sse.path=/nothing", "--url", &server.origin()]).await;

    assert_eq!(ended.code, Some(2), "{:?}", ended.output);
    assert!(ended.notices.iter().any(|line| line.contains("--set sse.path=")), "{:?}", ended.notices);
}

#[tokio::test]
async fn every_check_is_explained() {
    let ended = check(&["--list"]).await;

    assert_eq!(ended.code, Some(0));
    let checks = ["echo", "fan-out", "resume", "drop", "slow-reader", "storm", "sse", "ws", "poll", "hop", "publish"];
    for name in checks.into_iter().chain(["budget"]) {
        assert!(ended.output.iter().any(|line| line.starts_with(&format!("{name}: "))), "{name}");
        assert!(ended.output.iter().any(|line| line.starts_with(&format!("  {name}."))), "{name}");
    }
}

#[tokio::test]
async fn a_profile_that_was_printed_can_be_used() {
    let server = TestServer::spawn(&[]);
    let profile = Report::new("mine.toml");
    let printed = check(&["--print-profile", "fallcast"]).await;
    fs::write(&profile.0, printed.output.join("\n")).expect("the temporary directory can be written to");
    let path = format!("--profile={}", profile.0.display());

    let ended = check(&["echo", &path, "--transports=sse", "--url", &server.origin()]).await;

    assert_eq!(ended.code, Some(0), "{:?} {:?}", ended.output, ended.notices);
}
