//! Whether a stream is alive: messages come out of it while nothing follows them, and silence is broken in time.

use std::{cell::Cell, time::Duration};

use super::{CHAPTER, profile, stream::Stream};
use crate::check::{
    case::Case,
    checks::ask::has,
    publisher::Publisher,
    reader::After,
    trace::escape,
    verdict::{Fault, Proof, Property},
    wire::{http::Unread, line::Stop},
};

pub static FLUSHED: Property = Property {
    id: "sse.flushed",
    promise: "A message is sent on with the empty line that ends it, and not held back for the next one (WHATWG HTML \
              §9.2.6).",
    chapter: CHAPTER,
};

pub static HEARTBEAT: Property = Property {
    id: "sse.heartbeat",
    promise: "Something is sent at least as often as promised, so that silence means a broken connection (WHATWG HTML \
              §9.2.7).",
    chapter: CHAPTER,
};

/// A machine may be busy: so long after the promised time a heartbeat still counts.
const GRACE: Duration = Duration::from_secs(2);

/// So many heartbeats are awaited.
const BEATS: u32 = 2;

pub async fn flushed(case: &Case<'_>, holds: &Cell<bool>) {
    case.prove(&FLUSHED, async {
        message_alone(case).await?;
        holds.set(true);
        Ok(())
    })
    .await;
}

pub async fn heartbeat(case: &Case<'_>) {
    case.prove(&HEARTBEAT, beats(case)).await;
}

async fn message_alone(case: &Case<'_>) -> Proof {
    let channel = case.subject.channel();
    let mut stream = Stream::open(case, &channel, &After::End, &[]).await?;
    let mut publisher = Publisher::open(case, &channel).await?;
    let name = channel.message();
    publisher.publish(&name).await?;
    match stream.block_with(case, &name).await {
        Ok(_) => return Ok(()),
        Err(Unread::Stopped(Stop::Late)) => {}
        Err(unread) => {
            return Err(stream.violated(format!("{} where the message {name} was expected", unread.says())));
        }
    }
    if !stream.rest().is_empty() {
        let says = format!("\"{}\" came, and no empty line behind it to end the event", escape(stream.rest()));
        return Err(stream.violated(says));
    }
    let another = channel.message();
    publisher.publish(&another).await?;
    let then = match stream.block_with(case, &another).await {
        Ok((_, before)) if before.iter().any(|part| has(part.bytes(), &name)) => {
            "came only when another one followed it"
        }
        Ok(_) => "did not come, though the next one did: a subscription must be there before the head of its stream is",
        Err(_) => "did not come",
    };
    Err(stream.violated(format!("the message {name} {then}")).shown_on(publisher.lines()))
}

async fn beats(case: &Case<'_>) -> Proof {
    let promised = profile(case)?.heartbeat_ms.map(Duration::from_millis);
    let promised = promised.ok_or_else(|| Fault::skipped("the profile promises none (sse.heartbeat-ms)"))?;
    let longest = promised + GRACE;
    if longest > case.subject.patience() {
        let reason = format!(
            "a heartbeat each {} is more than is waited for; give the server a shorter one and set sse.heartbeat-ms, or \
             raise --time-limit",
            humantime::format_duration(promised)
        );
        return Err(Fault::skipped(reason));
    }
    let mut stream = Stream::open(case, &case.subject.channel(), &After::End, &[]).await?;
    case.waiting_for("a heartbeat");
    for _ in 0..=BEATS {
        match stream.part(case.within(longest)).await {
            Ok(_) => {}
            Err(unread) => {
                let promised = humantime::format_duration(promised);
                return Err(stream.violated(format!("{}, though a sign of life is due each {promised}", unread.says())));
            }
        }
    }
    Ok(())
}
