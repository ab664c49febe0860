//! `poll`: long-polling (RFC 6202 §2): what ends a wait, what an answer holds, and that nothing falls between two polls.

mod answers;
mod exchange;
mod holding;
mod pauses;

use std::cell::Cell;

use super::{Check, Scope};
use crate::check::{case::Case, profile::Subscribe, transport::Transport, verdict::Fault};

/// What this check is.
pub static CHECK: Check = Check {
    name: "poll",
    about: "long-polling: what ends a wait, what an answer holds, and nothing lost between two polls (RFC 6202)",
    scope: Scope::Each(&[Transport::LongPoll]),
    properties: &[
        &holding::FIRST_AT_ONCE,
        &holding::WAKES,
        &holding::WAIT_ENDS,
        &pauses::NOTHING_LOST,
        &pauses::NOTHING_TWICE,
        &pauses::DRAINED,
        &holding::ABORT,
        &holding::TWO_POLLERS,
        &answers::FRAMING,
        &answers::PIPELINED,
        &answers::HEADERS,
        &answers::LINK,
        &answers::BAD_CURSOR,
    ],
    run: |case| Box::pin(run(case)),
};

/// Where the book tells of it.
const CHAPTER: &str = "/book/protocol.html#long-polling";

async fn run(case: &Case<'_>) {
    holding::first(case).await;
    // Where a poll hears nothing, one sentence is enough.
    let holds = Cell::new(false);
    holding::wakes(case, &holds).await;
    if !holds.get() {
        return case.skip_the_rest("polls do not hear what is published; see poll.wakes");
    }
    holding::run(case).await;
    pauses::run(case).await;
    answers::run(case).await;
}

/// What the profile says of long-polling.
fn profile<'a>(case: &'a Case<'_>) -> Result<&'a Subscribe, Fault> {
    let found = case.subject.profile.subscribe(Transport::LongPoll);
    found.ok_or_else(|| Fault::skipped("the profile describes no long-polling"))
}
