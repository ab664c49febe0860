//! Lines and their bytes (WHATWG HTML §9.2.5): what a receiver would ignore or misread.

use super::{CHAPTER, stream::Stream};
use crate::check::{
    case::Case,
    publisher::Publisher,
    reader::After,
    trace::escape,
    verdict::{Proof, Property},
    wire::event_stream::{Block, Part},
};

pub static UTF8: Property =
    Property { id: "sse.utf8", promise: "A stream is UTF-8 (WHATWG HTML §9.2.5).", chapter: CHAPTER };

pub static FIELDS: Property = Property {
    id: "sse.fields",
    promise: "Each line is a comment, or a field named data, event, id or retry that a receiver can use; it ignores every \
              other (WHATWG HTML §9.2.6).",
    chapter: CHAPTER,
};

/// Letters of each size that UTF-8 has, lines that begin with nothing that a field begins with, JSON.
const PAYLOADS: [&str; 3] = ["aé€🦀", "first\nsecond\n\nfourth", "{\"a\":[1,\n2]}"];

pub async fn run(case: &Case<'_>) {
    case.prove_all(&[&UTF8, &FIELDS], lines(case)).await;
}

async fn lines(case: &Case<'_>) -> Proof {
    let channel = case.subject.channel();
    let mut stream = Stream::open(case, &channel, &After::End, &[]).await?;
    let mut publisher = Publisher::open(case, &channel).await?;
    for payload in PAYLOADS {
        let name = channel.message();
        publisher.publish(format!("{name} {payload}")).await?;
        let found = stream.block_with(case, &name).await;
        let (block, before) = found
            .map_err(|unread| stream.violated(format!("{} where the message {name} was expected", unread.says())))?;
        for part in before.into_iter().chain([Part::Block(block)]) {
            judge(&part).map_err(|(property, says)| stream.violated(says).of(property))?;
        }
    }
    Ok(())
}

fn judge(part: &Part) -> Result<(), (&'static Property, String)> {
    let (Part::Comment(raw) | Part::Block(Block { raw })) = part;
    if let Err(error) = str::from_utf8(raw) {
        return Err((&UTF8, format!("\"{}\" is no UTF-8 from byte {} on", escape(raw), error.valid_up_to())));
    }
    let Part::Block(block) = part else { return Ok(()) };
    match block.fields().into_iter().find(|(name, value)| !is_usable(name, value)) {
        None => Ok(()),
        Some((name, value)) => {
            let says = format!("a line has the field \"{}\" with the value \"{}\"", escape(name), escape(value));
            Err((&FIELDS, says + ", which a receiver ignores"))
        }
    }
}

/// Whether a receiver makes something of a field; a comment has an empty name.
fn is_usable(name: &[u8], value: &[u8]) -> bool {
    match name {
        b"" | b"data" | b"event" => true,
        b"id" => !value.contains(&0),
        b"retry" => !value.is_empty() && value.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn broken(block: &'static str) -> Option<&'static str> {
        let block = Part::Block(Block { raw: Bytes::from_static(block.as_bytes()) });
        judge(&block).err().map(|(property, _)| property.id)
    }

    #[test]
    fn what_a_receiver_would_ignore_is_found() {
        assert_eq!(broken(":hi\nretry: 10\nevent: a\nid\ndata:b\n\n"), None);
        assert_eq!(broken("data: one\ntwo\n\n"), Some("sse.fields"));
        assert_eq!(broken("Data: one\n\n"), Some("sse.fields"));
        assert_eq!(broken("retry: 1s\ndata: one\n\n"), Some("sse.fields"));
        assert_eq!(broken("id: \0\ndata: one\n\n"), Some("sse.fields"));
    }
}
