//! `echo`: what is published is heard, byte for byte.

use super::{Check, Running, Scope};
use crate::check::{
    case::Case,
    publisher::Publisher,
    reader::{After, Reader},
    trace::escape,
    transport::Transport,
    verdict::{Fault, Proof, Property},
};

const CHAPTER: &str = "/book/protocol.html#data";

static ASCII: Property = Property {
    id: "echo.ascii",
    promise: "A message of plain letters that is published is heard by a subscriber.",
    chapter: "/book/start-here.html",
};

static UTF_8: Property = Property {
    id: "echo.utf-8",
    promise: "Letters of one, two, three and four bytes in UTF-8 arrive as they were published.",
    chapter: CHAPTER,
};

static QUOTES: Property = Property {
    id: "echo.quotes",
    promise: "Quotation marks, backslashes and angle brackets arrive as they were published.",
    chapter: CHAPTER,
};

static NEWLINES: Property = Property {
    id: "echo.newlines",
    promise: "A message of several lines, empty ones among them, arrives whole: on SSE each line is a `data:` line of its \
              own (WHATWG HTML §9.2.6).",
    chapter: "/book/protocol.html#one-event-four-framings",
};

static SPACES: Property = Property {
    id: "echo.spaces",
    promise: "White space at the beginning and the end of a message arrives: on SSE one space behind the colon belongs to \
              the framing (WHATWG HTML §9.2.6).",
    chapter: CHAPTER,
};

static EMPTY: Property = Property { id: "echo.empty", promise: "An empty message is a message.", chapter: CHAPTER };

static LARGE: Property = Property { id: "echo.large", promise: "A message of 16 KiB arrives whole.", chapter: CHAPTER };

/// See the module.
pub static CHECK: Check = Check {
    name: "echo",
    about: "what is published is heard, byte for byte",
    scope: Scope::Each(&Transport::ALL),
    properties: &[&ASCII, &UTF_8, &QUOTES, &NEWLINES, &SPACES, &EMPTY, &LARGE],
    run,
};

/// What is published, but for the empty message and the large one.
const SAMPLES: [(&Property, &str); 5] = [
    (&ASCII, "hello"),
    (&UTF_8, "z \u{e9} \u{20ac} \u{1f600}"),
    (&QUOTES, r#"she said: "it's <b>\n</b> & {data}""#),
    (&NEWLINES, "one\ntwo\n\nfour\n"),
    (&SPACES, "  two before, one behind "),
];

fn run<'a>(case: &'a Case<'a>) -> Running<'a> {
    Box::pin(async move {
        for (property, data) in SAMPLES {
            case.prove(property, echo(case, data)).await;
        }
        case.prove(&EMPTY, empty(case)).await;
        case.prove(&LARGE, echo(case, &large())).await;
    })
}

async fn echo(case: &Case<'_>, data: &str) -> Proof {
    let channel = case.subject.channel();
    let mut reader = Reader::open(case, case.transport(), &channel, &After::End).await?;
    let mut publisher = Publisher::open(case, &channel).await?;
    publisher.publish(data).await?;
    let expected = format!("the message {:?}", shortened(data));
    loop {
        let heard = reader.any_message(case, &expected).await.map_err(|fault| fault.shown_on(publisher.lines()))?.data;
        if heard == data.as_bytes() {
            return Ok(());
        }
        if !(channel.is_shared && is_known(&heard)) {
            let lines = [publisher.lines(), reader.lines()].concat();
            return Err(Fault::violated(difference(data.as_bytes(), &heard), lines));
        }
    }
}

/// Whether a message may be one from before, which a server with one channel for all tells to everybody who comes.
fn is_known(data: &[u8]) -> bool {
    data.starts_with(b"check-") || SAMPLES.iter().any(|(_, sample)| sample.as_bytes() == data)
}

async fn empty(case: &Case<'_>) -> Proof {
    let takes_empty = case.subject.profile.publish.as_ref().is_none_or(|publish| publish.empty);
    if takes_empty { echo(case, "").await } else { Err(Fault::skipped("the profile says `empty = false`")) }
}

/// 16 KiB on one line, in which each place can be told from every other.
fn large() -> String {
    let parts: Vec<String> = (0..1024).map(|part| format!("part {part:.>10}-")).collect();
    parts.concat()
}

fn shortened(data: &str) -> String {
    let end = data.floor_char_boundary(40);
    if end == data.len() { data.to_owned() } else { format!("{} …", &data[..end]) }
}

/// What differs, with a few bytes around the place.
fn difference(published: &[u8], heard: &[u8]) -> String {
    let same = published.iter().zip(heard).take_while(|(a, b)| a == b).count();
    let near = |bytes: &[u8]| escape(&bytes[same.saturating_sub(8)..bytes.len().min(same + 24)]);
    format!(
        "published {} bytes and heard {}; the first difference is at byte {same}: published \"{}\", heard \"{}\"",
        published.len(),
        heard.len(),
        near(published),
        near(heard)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_large_message_has_16_kib_of_different_parts() {
        assert_eq!(large().len(), 16 << 10);
    }

    #[test]
    fn the_first_difference_is_named() {
        let says = difference(b"one\ntwo", b"one");
        assert!(says.ends_with("at byte 3: published \"one\\ntwo\", heard \"one\""), "{says}");
        assert!(difference(b"", b"x").contains("published 0 bytes and heard 1"));
    }
}
