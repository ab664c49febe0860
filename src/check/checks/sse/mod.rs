//! `sse`: an event stream to the byte (WHATWG HTML §9.2): its head, its lines, what becomes of a payload, what a reconnect
//! is told, and whether it is alive.

mod head;
mod liveness;
mod payload;
mod resume;
mod stream;
mod syntax;

use std::cell::Cell;

use super::{Check, Scope};
use crate::check::{case::Case, profile::Subscribe, transport::Transport, verdict::Fault};

/// What this check is.
pub static CHECK: Check = Check {
    name: "sse",
    about: "an event stream to the byte: head, lines, payloads, ids, replay, heartbeat (WHATWG HTML §9.2)",
    scope: Scope::Each(&[Transport::Sse]),
    properties: &[
        &head::OPENS,
        &head::TYPE,
        &head::ENDLESS,
        &head::HEADERS,
        &head::FIRST_BLOCK,
        &liveness::FLUSHED,
        &syntax::UTF8,
        &syntax::FIELDS,
        &payload::LINE_ENDS,
        &payload::SPACES,
        &payload::INJECTION,
        &resume::IDS,
        &resume::REPLAY_IDS,
        &resume::REPLAY_EQUAL,
        &resume::LAST_EVENT_ID,
        &resume::HEADER_WINS,
        &liveness::HEARTBEAT,
    ],
    run: |case| Box::pin(run(case)),
};

/// Where the book tells of it.
const CHAPTER: &str = "/book/protocol.html#server-sent-events";

async fn run(case: &Case<'_>) {
    // Where there is no stream, or nothing comes out of it, one sentence is enough.
    let holds = Cell::new(false);
    head::run(case, &holds).await;
    if !holds.take() {
        return case.skip_the_rest("there is no event stream to look at");
    }
    liveness::flushed(case, &holds).await;
    if !holds.take() {
        return case.skip_the_rest("messages do not come out of the stream; see sse.flushed");
    }
    syntax::run(case).await;
    payload::run(case).await;
    resume::run(case).await;
    liveness::heartbeat(case).await;
}

/// What the profile says of event streams.
fn profile<'a>(case: &'a Case<'_>) -> Result<&'a Subscribe, Fault> {
    let found = case.subject.profile.subscribe(Transport::Sse);
    found.ok_or_else(|| Fault::skipped("the profile describes no event stream"))
}
