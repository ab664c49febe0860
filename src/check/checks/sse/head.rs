//! The beginning of a stream: the head of the answer, and the first block.

use std::cell::Cell;

use super::{
    CHAPTER, profile,
    stream::{Stream, ask},
};
use crate::check::{
    case::Case,
    profile::Place,
    publisher::Publisher,
    reader::After,
    trace::escape,
    verdict::{Fault, Proof, Property},
    wire::{
        event_stream::{Block, Part},
        http::{Head, Unread, read_head},
        line::Stop,
    },
};

pub static OPENS: Property = Property {
    id: "sse.opens",
    promise: "The head of a stream comes at once, and not with the first message: until then an EventSource is not open \
              (WHATWG HTML §9.2.3).",
    chapter: CHAPTER,
};

pub static TYPE: Property = Property {
    id: "sse.type",
    promise: "A stream is answered with 200 and text/event-stream; to an EventSource, anything else is the end (WHATWG \
              HTML §9.2.3).",
    chapter: CHAPTER,
};

pub static ENDLESS: Property = Property {
    id: "sse.endless",
    promise: "A stream has no length; it comes in well-formed chunks, or until the connection ends (RFC 9112 §6, §7.1).",
    chapter: CHAPTER,
};

pub static HEADERS: Property = Property {
    id: "sse.headers",
    promise: "The answer has the fields that keep others from storing, changing or holding back the stream, as promised.",
    chapter: CHAPTER,
};

pub static FIRST_BLOCK: Property = Property {
    id: "sse.first-block",
    promise: "The first block comes before any message and has an id, so that even the first break can be resumed from.",
    chapter: CHAPTER,
};

pub async fn run(case: &Case<'_>, holds: &Cell<bool>) {
    case.prove_all(&[&OPENS, &TYPE, &ENDLESS], async {
        opens(case).await?;
        holds.set(true);
        Ok(())
    })
    .await;
    if holds.get() {
        case.prove(&HEADERS, headers(case)).await;
        case.prove(&FIRST_BLOCK, first_block(case)).await;
    }
}

/// Nothing is published, so nothing but the opening itself can bring the head. If it does not come, a message shows
/// whether it was held back for one.
async fn opens(case: &Case<'_>) -> Proof {
    let channel = case.subject.channel();
    let mut line = ask(case, &channel, &After::End, &[]).await?;
    let number = line.number();
    case.waiting_for("the head of the stream");
    let fault = |says: String| Fault::violated(says, [number]).of(&OPENS);
    let head = match read_head(&mut line, case.until()).await {
        Ok(head) => head,
        Err(Unread::Stopped(Stop::Late)) => {
            let mut publisher = Publisher::open(case, &channel).await?;
            publisher.publish(channel.message()).await?;
            let was_late = read_head(&mut line, case.until()).await.is_ok();
            let says = if was_late { "the head came only with the first message" } else { "no head came" };
            return Err(fault(says.to_owned()));
        }
        Err(unread) => return Err(fault(format!("{} where the head of a stream was expected", unread.says()))),
    };
    if let Some(length) = head.field("Content-Length") {
        let says = format!("the stream has `Content-Length: {length}`, and so an end");
        return Err(fault(says).of(&ENDLESS));
    }
    Stream::of(line, head).map(drop)
}

/// Whether this is the head of an event stream.
pub fn judge_type(head: &Head) -> Result<(), String> {
    if head.status != 200 {
        return Err(format!("the stream was answered with {} where 200 was expected", head.says()));
    }
    let Some(value) = head.field("Content-Type") else {
        return Err("the answer has no Content-Type where text/event-stream was expected".to_owned());
    };
    let mut parts = value.split(';').map(str::trim);
    if !parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("text/event-stream")) {
        return Err(format!("the Content-Type is {value} where text/event-stream was expected"));
    }
    Ok(())
}

async fn headers(case: &Case<'_>) -> Proof {
    let promised = &profile(case)?.answer_headers;
    if promised.is_empty() {
        return Err(Fault::skipped("the profile promises none (sse.answer-headers)"));
    }
    let stream = Stream::open(case, &case.subject.channel(), &After::End, &[]).await?;
    match promised.iter().find(|field| !stream.head.has_line(field)) {
        None => Ok(()),
        Some(missing) => Err(stream.violated(format!("the answer lacks `{missing}`"))),
    }
}

async fn first_block(case: &Case<'_>) -> Proof {
    let sse = profile(case)?;
    let hello = sse.hello.as_ref().ok_or_else(|| Fault::skipped("the profile promises none (sse.hello)"))?;
    let mut stream = Stream::open(case, &case.subject.channel(), &After::End, &[]).await?;
    case.waiting_for("the first block of the stream");
    let until = case.until();
    let block = loop {
        match stream.part(until).await {
            Ok(Part::Block(block)) => break block,
            Ok(Part::Comment(_)) => {}
            Err(unread) => {
                return Err(stream.violated(format!("{} where the first block was expected", unread.says())));
            }
        }
    };
    judge_first(&block, hello, sse.id == Some(Place::EventId)).map_err(|says| stream.violated(says))
}

fn judge_first(block: &Block, hello: &Place, has_ids: bool) -> Result<(), String> {
    let shown = || escape(&block.raw);
    if block.fields().iter().all(|(name, _)| matches!(*name, b"retry" | b"")) {
        return Err(format!("the first block is \"{}\": some clients make an event of a `retry` alone", shown()));
    }
    let meaning = block.meaning();
    if let Place::Event(name) = hello
        && meaning.event.as_deref() != Some(name.as_bytes())
    {
        return Err(format!("the first block is \"{}\" where `event: {name}` was expected", shown()));
    }
    if has_ids && meaning.id.is_none() {
        return Err(format!("the first block is \"{}\", without an id", shown()));
    }
    Ok(())
}
