//! An answer as HTTP: its length, its fields, what may follow it on the same connection.

use super::{CHAPTER, exchange::Polled, profile};
use crate::check::{
    case::Case,
    reader::After,
    verdict::{Fault, Proof, Property},
    wire::{
        http::{Head, Request, exchange, read_answer},
        line::Line,
    },
};

pub static FRAMING: Property = Property {
    id: "poll.framing",
    promise: "An answer has exactly the length that it declares, or well-formed chunks (RFC 9112 §6).",
    chapter: CHAPTER,
};

pub static PIPELINED: Property = Property {
    id: "poll.pipelined",
    promise: "A poll may be sent before the answer to the one before it; answers come in the order of the requests (RFC \
              9112 §9.3.2).",
    chapter: CHAPTER,
};

pub static HEADERS: Property = Property {
    id: "poll.headers",
    promise: "The answer has the fields that keep caches from storing it, as promised (RFC 6202 §2.2, RFC 9111 §5.2.2).",
    chapter: CHAPTER,
};

pub static LINK: Property = Property {
    id: "poll.link",
    promise: "The link with rel=\"next\" leads to the poll that goes on from this answer (RFC 8288 §3).",
    chapter: CHAPTER,
};

pub static BAD_CURSOR: Property = Property {
    id: "poll.bad-cursor",
    promise: "A text that is no cursor is refused by status, and not taken for another position.",
    chapter: CHAPTER,
};

/// It is in nobody's form of a cursor, unless the profile knows a better one.
const NO_CURSOR: &str = "no cursor";

pub async fn run(case: &Case<'_>) {
    case.prove(&FRAMING, framing(case)).await;
    case.prove(&PIPELINED, pipelined(case)).await;
    case.prove(&HEADERS, headers(case)).await;
    case.prove(&LINK, link(case)).await;
    case.prove(&BAD_CURSOR, bad_cursor(case)).await;
}

/// Where an answer ends with its connection, any length will do; otherwise nothing may stand behind it.
async fn framing(case: &Case<'_>) -> Proof {
    let mut polled = Polled::new(case).await?;
    polled.publish().await?;
    let mut open = polled.send(&After::Start).await?;
    let told = polled.answer(&mut open).await?;
    let has_length = told.head.field("Content-Length").is_some();
    if has_length && told.head.has_token("Transfer-Encoding", "chunked") {
        return Err(told.violated("the answer has a Content-Length and chunks as well"));
    }
    if !open.line.peek().is_empty() {
        let says = format!("{} bytes stand behind the end of the answer", open.line.peek().len());
        return Err(told.violated(says));
    }
    Ok(())
}

async fn pipelined(case: &Case<'_>) -> Proof {
    let mut polled = Polled::new(case).await?;
    let cursor = polled.begin().await?;
    let message = polled.publish().await?;
    let [everything, rest] = [polled.request(&After::Start)?, polled.request(&cursor)?];
    let mut line = Line::open(case.subject, &case.trace).await?;
    let number = line.number();
    let both = [everything.bytes(case.subject), rest.bytes(case.subject)].concat();
    let _ = line.send(&both).await;
    case.waiting_for("the first of two answers");
    let answer = read_answer(&mut line, case.until()).await;
    let first = polled.understand(answer.map_err(|unread| everything.unanswered(&unread, number))?)?;
    if first.head.closes() {
        return Err(Fault::skipped("the server ends the connection behind each answer"));
    }
    case.waiting_for("the second of two answers");
    let answer = read_answer(&mut line, case.until()).await;
    let second = polled.understand(answer.map_err(|unread| rest.unanswered(&unread, number))?)?;
    if first.messages.first() != Some(&polled.first) {
        let says = format!("the first answer holds {} where {} was expected", first.shown(), polled.first);
        return Err(first.violated(says));
    }
    second.is(&message)
}

async fn headers(case: &Case<'_>) -> Proof {
    let promised = &profile(case)?.answer_headers;
    if promised.is_empty() {
        return Err(Fault::skipped("the profile promises none (long-poll.answer-headers)"));
    }
    let mut polled = Polled::new(case).await?;
    polled.publish().await?;
    let told = polled.poll(&After::Start).await?;
    match promised.iter().find(|field| !told.head.has_line(field)) {
        None => Ok(()),
        Some(missing) => Err(told.violated(format!("the answer lacks `{missing}`"))),
    }
}

async fn link(case: &Case<'_>) -> Proof {
    if !profile(case)?.link_next {
        return Err(Fault::skipped("the profile does not promise it (long-poll.link-next)"));
    }
    let mut polled = Polled::new(case).await?;
    let cursor = polled.begin().await?;
    polled.publish().await?;
    let told = polled.poll(&cursor).await?;
    let message = polled.publish().await?;
    let reference = next_of(&told.head);
    let reference = reference.ok_or_else(|| told.violated("the answer has no link with rel=\"next\""))?;
    let asked = polled.request(&cursor)?;
    let target = resolve(&reference, asked.target(), &case.subject.origin.to_string());
    let target =
        target.ok_or_else(|| told.violated(format!("the link leads to {reference}, which is another server")))?;
    let answer = exchange(case.subject, &case.trace, &Request::get(&target)).await?;
    polled.understand(answer)?.is(&message)
}

/// The target of the link with `rel="next"` (RFC 8288 §3).
fn next_of(head: &Head) -> Option<String> {
    let is_next = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
    };
    head.all("Link").find_map(|value| {
        let (target, parameters) = value.trim().strip_prefix('<')?.split_once('>')?;
        parameters.split([';', ',']).any(is_next).then(|| target.to_owned())
    })
}

/// A reference as a target at this origin, seen from the target that was asked (RFC 3986 §5.2).
fn resolve(reference: &str, asked: &str, origin: &str) -> Option<String> {
    let path = asked.split('?').next().unwrap_or_default();
    if let Some(rest) = reference.strip_prefix(origin) {
        return Some(if rest.is_empty() { "/".to_owned() } else { rest.to_owned() });
    }
    match reference {
        elsewhere if elsewhere.contains("://") || elsewhere.starts_with("//") => None,
        absolute if absolute.starts_with('/') => Some(absolute.to_owned()),
        query if query.starts_with('?') => Some(format!("{path}{query}")),
        relative => Some(format!("{}{relative}", &path[..=path.rfind('/')?])),
    }
}

async fn bad_cursor(case: &Case<'_>) -> Proof {
    let status = profile(case)?.bad_cursor;
    let status = status.ok_or_else(|| Fault::skipped("the profile does not promise it (long-poll.bad-cursor)"))?;
    let polled = Polled::new(case).await?;
    let text = case.subject.profile.malformed_cursor.clone().unwrap_or_else(|| NO_CURSOR.to_owned());
    let mut open = polled.send(&After::Cursor(text.clone())).await?;
    let line = open.line.number();
    case.waiting_for(format!("the answer to a poll after \"{text}\""));
    match open.read(case.until()).await {
        Ok(answer) if answer.head.status == status => Ok(()),
        Ok(answer) => {
            let says =
                format!("a poll after \"{text}\" was answered with {} where {status} was expected", answer.head.says());
            Err(Fault::violated(says, [line]))
        }
        Err(unread) => {
            let says = format!("a poll after \"{text}\" has no answer: {}", unread.says());
            Err(Fault::violated(says, [line]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_at_their_own_origin() {
        let resolve = |reference| resolve(reference, "/channels/c/poll?after=a", "http://h:1");
        assert_eq!(resolve("?after=b").as_deref(), Some("/channels/c/poll?after=b"));
        assert_eq!(resolve("/other").as_deref(), Some("/other"));
        assert_eq!(resolve("sse").as_deref(), Some("/channels/c/sse"));
        assert_eq!(resolve("http://h:1/x").as_deref(), Some("/x"));
        assert_eq!(resolve("http://other/x"), None);
    }

    #[test]
    fn the_link_to_what_is_next_is_found_among_others() {
        let link = |value: &str| {
            let fields = vec![("link".to_owned(), value.to_owned())];
            let raw = bytes::Bytes::new();
            next_of(&Head { status: 200, reason: String::new(), version: 1, fields, raw })
        };
        assert_eq!(link("<?after=a>; rel=\"next\"").as_deref(), Some("?after=a"));
        assert_eq!(link("<?after=a>; title=x; rel=next").as_deref(), Some("?after=a"));
        assert_eq!(link("<?after=a>; rel=\"prev\""), None);
    }
}
