//! A report that was made up, for the tests of the outputs.

use std::time::Duration;

use crate::check::{
    trace::{Entry, Who},
    transport::Transport,
    verdict::{CheckReport, Outcome, Property, Report, Verdict},
};

static PONG: Property = Property {
    id: "ws.pong-payload",
    promise: "A ping is answered with its own payload (RFC 6455 §5.5.3).",
    chapter: "/book/protocol.html#websocket",
};

static LOSSLESS: Property = Property {
    id: "resume.no-loss",
    promise: "Who comes back with a cursor misses nothing.",
    chapter: "/book/protocol.html#cursors",
};

fn entry(millis: u64, line: u32, who: Who, text: &str) -> Entry {
    Entry { at: Duration::from_millis(millis), line, who, text: text.to_owned() }
}

/// One property that is broken, one that holds on two transports, and one that was not looked at.
pub fn report() -> Report {
    let trace = vec![
        entry(0, 7, Who::Client, "GET /ws HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"),
        entry(3, 7, Who::Server, "\\x8a\\x02<&"),
        entry(4, 7, Who::Note, "the ping said \"hi\""),
    ];
    let failed = Verdict::Failed { says: "the pong held \"<&\" where \"hi\" was expected".to_owned(), trace };
    let skipped = Verdict::Skipped { reason: "the profile names no cursor for it".to_owned() };
    let lossless = |transport, verdict| Outcome { property: &LOSSLESS, transport: Some(transport), verdict };
    let pong = Outcome { property: &PONG, transport: Some(Transport::WebSocket), verdict: failed };
    Report {
        url: "http://localhost:8080".to_owned(),
        profile: "fallcast".to_owned(),
        seed: 1,
        checks: vec![
            CheckReport { name: "ws", took: Duration::from_millis(1_250), outcomes: vec![pong] },
            CheckReport {
                name: "resume",
                took: Duration::from_millis(40),
                outcomes: vec![
                    lossless(Transport::Sse, Verdict::Passed),
                    lossless(Transport::WebSocket, skipped),
                    lossless(Transport::LongPoll, Verdict::Passed),
                ],
            },
        ],
    }
}
