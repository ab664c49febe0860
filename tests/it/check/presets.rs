//! Through the presets of the lab that take transports away: on those that a client falls back to, nothing is lost.

use std::net::SocketAddr;

use serde_json::json;

use super::{
    faultless::AS_PROMISED,
    report::{Report, check},
};
use crate::harness::{Link, TestServer};

/// A preset, and the transports that live behind it: where a client ends up that falls back.
struct Behind {
    preset: &'static str,
    transports: &'static str,
}

const PRESETS: [Behind; 3] = [
    Behind { preset: "nginx-default", transports: "sse,long-poll,stream" },
    Behind { preset: "corporate-proxy", transports: "long-poll" },
    Behind { preset: "antivirus", transports: "websocket,long-poll,stream" },
];

/// What is promised of messages. What is promised of bytes and of times, a preset is there to change.
const OF_MESSAGES: [&str; 5] = ["echo", "fan-out", "resume", "hop", "publish"];

#[tokio::test]
async fn messages_survive_a_preset_on_the_transports_that_live_behind_it() {
    let server = TestServer::spawn_with_lab(&AS_PROMISED);
    let lab = server.lab().await;
    for Behind { preset, transports } in PRESETS {
        let link = Link::with(&server, preset, json!({ "preset": preset })).await;
        let report = tokio::task::spawn_blocking(move || over(lab, preset, transports)).await;
        let report = report.expect("the check runs to its end");
        assert_eq!(report.complaints(), Vec::<String>::new(), "{preset}");
        assert!(report.passed > 0, "{preset}");
        link.heal().await;
    }
}

/// Checks fallcast behind a link of its lab: every address has the link's name.
fn over(lab: SocketAddr, link: &str, transports: &str) -> Report {
    let addresses = [
        ("publish", "/channels/{channel}?"),
        ("publish-websocket", "/channels/{channel}/ws?echo=0&"),
        ("websocket", "/channels/{channel}/ws?after={after}&format=json&"),
        ("sse", "/channels/{channel}/sse?after={after}&"),
        ("long-poll", "/channels/{channel}/poll?after={after}&"),
        ("stream", "/channels/{channel}/stream?after={after}&"),
    ];
    let overrides = addresses.map(|(table, path)| format!("{table}.path={path}link={link}"));
    let overrides = overrides.iter().flat_map(|set| ["--set", set]);
    let arguments: Vec<&str> = OF_MESSAGES.into_iter().chain(["--transports", transports]).chain(overrides).collect();
    check(lab, &arguments)
}
