//! What ends a wait, and what does not.

use std::{cell::Cell, time::Duration};

use tokio::time::Instant;

use super::{CHAPTER, exchange::Polled, profile};
use crate::check::{
    case::Case,
    reader::After,
    verdict::{Fault, Proof, Property},
    wire::{http::Unread, line::Stop},
};

pub static FIRST_AT_ONCE: Property = Property {
    id: "poll.first-at-once",
    promise: "A poll without a cursor is answered at once with one: what comes before the second poll could not be asked \
              for otherwise.",
    chapter: CHAPTER,
};

pub static WAKES: Property = Property {
    id: "poll.wakes",
    promise: "A poll that is held is answered when a message comes (RFC 6202 §2.1).",
    chapter: CHAPTER,
};

pub static WAIT_ENDS: Property = Property {
    id: "poll.wait-ends",
    promise: "A wait in which nothing comes ends with an answer without messages, and the next poll goes on where this one \
              was (RFC 6202 §5.5).",
    chapter: CHAPTER,
};

pub static ABORT: Property = Property {
    id: "poll.abort",
    promise: "A poll that is broken off consumes nothing: the same poll hears it again.",
    chapter: CHAPTER,
};

pub static TWO_POLLERS: Property =
    Property { id: "poll.two-pollers", promise: "Two polls at one cursor both hear what comes.", chapter: CHAPTER };

/// So long a poll is left open before something is published: most likely, the server holds it by then.
const MOMENT: Duration = Duration::from_millis(100);

pub async fn first(case: &Case<'_>) {
    case.prove(&FIRST_AT_ONCE, first_at_once(case)).await;
}

pub async fn wakes(case: &Case<'_>, holds: &Cell<bool>) {
    case.prove(&WAKES, async {
        is_woken(case).await?;
        holds.set(true);
        Ok(())
    })
    .await;
}

pub async fn run(case: &Case<'_>) {
    case.prove(&WAIT_ENDS, wait_ends(case)).await;
    case.prove(&ABORT, abort(case)).await;
    case.prove(&TWO_POLLERS, two_pollers(case)).await;
}

/// Nothing is published, so nothing but the end of a wait could bring a late answer.
async fn first_at_once(case: &Case<'_>) -> Proof {
    let poll = profile(case)?;
    if !poll.first_poll_at_once {
        return Err(Fault::skipped("the profile does not promise it (long-poll.first-poll-at-once)"));
    }
    let mut polled = Polled::new(case).await?;
    case.waiting_for("the answer to the first poll");
    let began = Instant::now();
    let mut open = polled.send(&After::End).await?;
    let line = open.line.number();
    match open.read(case.until()).await {
        Ok(answer) => {
            let told = polled.understand(answer)?;
            let hold = poll.hold_ms.map(Duration::from_millis);
            if hold.is_some_and(|hold| !hold.is_zero() && began.elapsed() >= hold) {
                return Err(told.violated("the first poll was held until its wait was over"));
            }
            told.next().map(drop)
        }
        Err(Unread::Stopped(Stop::Late)) => {
            polled.publish().await?;
            let was_late = open.read(case.until()).await.is_ok();
            let then = if was_late { "was answered only when something was published" } else { "was not answered" };
            Err(Fault::violated(format!("the first poll {then}"), [line]))
        }
        Err(unread) => Err(Fault::violated(format!("{} where an answer was expected", unread.says()), [line])),
    }
}

async fn is_woken(case: &Case<'_>) -> Proof {
    let mut polled = Polled::new(case).await?;
    let cursor = polled.begin().await?;
    let mut open = polled.send(&cursor).await?;
    let line = open.line.number();
    if let Ok(answer) = open.read(case.within(MOMENT)).await {
        let told = polled.understand(answer)?;
        if !told.messages.is_empty() {
            return Err(told.violated(format!("the answer holds {} where nothing was new", told.shown())));
        }
        // A server may answer an empty poll at once: then this is polling, and the next poll hears it.
        let message = polled.publish().await?;
        return polled.poll(&told.next()?).await?.is(&message);
    }
    let message = polled.publish().await?;
    match polled.answer(&mut open).await {
        Ok(told) => told.is(&message),
        Err(Fault::Violated(_)) => {
            let says = format!("{message} was published, but the poll that was held is not answered with it");
            Err(Fault::violated(says, polled.publisher.lines().into_iter().chain([line]).collect::<Vec<_>>()))
        }
        Err(fault) => Err(fault),
    }
}

async fn wait_ends(case: &Case<'_>) -> Proof {
    let short = profile(case)?.one_second_wait.as_ref();
    if short.is_none() {
        is_short(case)?;
    }
    let mut polled = Polled::new(case).await?;
    let cursor = polled.begin().await?;
    let mut open = match short {
        Some(parameter) => polled.send_with(&cursor, parameter).await?,
        None => polled.send(&cursor).await?,
    };
    let told = polled.answer(&mut open).await?;
    if !told.messages.is_empty() {
        return Err(told.violated(format!("the answer holds {} where nothing was new", told.shown())));
    }
    // An answer without a position leaves the poller where it was.
    let next = told.next.unwrap_or(cursor);
    let message = polled.publish().await?;
    polled.poll(&next).await?.is(&message)
}

/// The server's own wait must end before this check's patience does.
fn is_short(case: &Case<'_>) -> Proof {
    let hold = profile(case)?.hold_ms.map(Duration::from_millis);
    let unknown = "the profile does not say how long a poll is held (long-poll.hold-ms, or long-poll.one-second-wait)";
    let hold = hold.ok_or_else(|| Fault::skipped(unknown))?;
    if hold * 2 <= case.subject.patience() {
        return Ok(());
    }
    let hold = humantime::format_duration(hold);
    Err(Fault::skipped(format!(
        "a wait of {hold} is more than is waited for; give the server a shorter one and set long-poll.hold-ms, or raise \
         --time-limit"
    )))
}

async fn abort(case: &Case<'_>) -> Proof {
    let mut polled = Polled::new(case).await?;
    let cursor = polled.begin().await?;
    let mut before = Vec::new();
    for is_polite in [true, false] {
        let mut open = polled.send(&cursor).await?;
        before.push(open.line.number());
        tokio::time::sleep(MOMENT).await;
        if is_polite {
            open.line.finish().await;
        } else {
            open.line.reset();
        }
    }
    let message = polled.publish().await?;
    let told = polled.poll(&cursor).await?;
    told.is(&message).map_err(|fault| fault.shown_on(before))
}

async fn two_pollers(case: &Case<'_>) -> Proof {
    let mut polled = Polled::new(case).await?;
    let cursor = polled.begin().await?;
    let mut both = [polled.send(&cursor).await?, polled.send(&cursor).await?];
    let lines = both.each_ref().map(|open| open.line.number());
    tokio::time::sleep(MOMENT).await;
    let message = polled.publish().await?;
    for open in &mut both {
        let told = polled.answer(open).await.map_err(|fault| fault.shown_on(lines))?;
        told.is(&message).map_err(|fault| fault.shown_on(lines))?;
    }
    Ok(())
}
