//! The report as one JSON object. `check_report` is the version of its form; fields may be added to it without notice.

use std::{
    io::{self, Write},
    time::Duration,
};

use serde::Serialize;

use crate::check::{
    trace::Entry,
    transport::Transport,
    verdict::{CheckReport, Outcome, Report, Verdict},
};

/// The form of the object below.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Whole<'a> {
    check_report: u32,
    url: &'a str,
    profile: &'a str,
    seed: u64,
    passed: usize,
    failed: usize,
    skipped: usize,
    checks: Vec<Check<'a>>,
}

#[derive(Serialize)]
struct Check<'a> {
    name: &'a str,
    verdict: &'a str,
    took_ms: u64,
    properties: Vec<Property<'a>>,
}

#[derive(Serialize)]
struct Property<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<Transport>,
    verdict: &'a str,
    /// What must hold.
    promise: &'a str,
    /// What was seen, or why it was not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    says: Option<&'a str>,
    chapter: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trace: Vec<Step<'a>>,
}

#[derive(Serialize)]
struct Step<'a> {
    at_ms: u64,
    line: u32,
    who: &'a str,
    bytes: &'a str,
}

/// Writes the report.
///
/// # Errors
/// Fails if `out` does.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let whole = Whole {
        check_report: VERSION,
        url: &report.url,
        profile: &report.profile,
        seed: report.seed,
        passed: report.count("passed"),
        failed: report.count("failed"),
        skipped: report.count("skipped"),
        checks: report.checks.iter().map(check).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &whole)?;
    out.write_all(b"\n")
}

fn check(check: &CheckReport) -> Check<'_> {
    let properties = check.outcomes.iter().map(property).collect();
    Check { name: check.name, verdict: check.verdict(), took_ms: millis(check.took), properties }
}

fn property(outcome: &Outcome) -> Property<'_> {
    let (says, trace) = match &outcome.verdict {
        Verdict::Passed => (None, &[][..]),
        Verdict::Failed { says, trace } => (Some(says.as_str()), &trace[..]),
        Verdict::Skipped { reason } => (Some(reason.as_str()), &[][..]),
    };
    Property {
        id: outcome.property.id,
        transport: outcome.transport,
        verdict: outcome.verdict.name(),
        promise: outcome.property.promise,
        says,
        chapter: outcome.property.chapter,
        trace: trace.iter().map(step).collect(),
    }
}

fn step(entry: &Entry) -> Step<'_> {
    Step { at_ms: millis(entry.at), line: entry.line, who: entry.who.name(), bytes: &entry.text }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn the_object_tells_every_property_with_its_trace() {
        let mut bytes = Vec::new();
        write(&example::report(), &mut bytes).expect("memory can be written to");
        let read: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        let counts = ["check_report", "passed", "failed", "skipped", "seed"].map(|name| read[name].as_u64());
        assert_eq!(counts, [1, 2, 1, 1, 1].map(Some));
        let (failed, passed) = (&read["checks"][0], &read["checks"][1]);
        assert_eq!((&failed["verdict"], &failed["took_ms"]), (&"failed".into(), &1250.into()));
        assert_eq!((&passed["name"], &passed["verdict"]), (&"resume".into(), &"passed".into()));
        let pong = &failed["properties"][0];
        assert_eq!((&pong["id"], &pong["transport"]), (&"ws.pong-payload".into(), &"websocket".into()));
        assert_eq!(
            pong["trace"][1],
            serde_json::json!({ "at_ms": 3, "line": 7, "who": "server", "bytes": "\\x8a\\x02<&" })
        );
        assert_eq!(passed["properties"][1]["says"], "the profile names no cursor for it");
        assert_eq!(passed["properties"][0].get("trace"), None);
    }
}
