//! `fan-out`: every subscriber hears every message, once, in one order.

use futures_util::future::try_join_all;

use super::{
    Check, Running, Scope,
    sequence::{self, Kind},
};
use crate::check::{
    case::Case,
    publisher::Publisher,
    reader::{After, Reader},
    subject::Channel,
    trace::LineNumber,
    transport::Transport,
    verdict::{Fault, Proof, Property},
};

const SUBSCRIBERS: usize = 20;
const PUBLISHERS: usize = 3;
const MESSAGES_EACH: usize = 10;

const CHAPTER: &str = "/book/one-channel.html";

static EACH_ONCE: Property = Property {
    id: "fan-out.each-once",
    promise: "Each of 20 subscribers hears each message of 3 publishers, and hears it once.",
    chapter: CHAPTER,
};

static SAME_ORDER: Property = Property {
    id: "fan-out.same-order",
    promise: "All subscribers hear the messages in one and the same order.",
    chapter: "/book/one-channel.html#the-log-gives-it-a-number",
};

static PUBLISHER_ORDER: Property = Property {
    id: "fan-out.publisher-order",
    promise: "The messages of one publisher are heard in the order in which it published them.",
    chapter: CHAPTER,
};

/// See the module.
pub static CHECK: Check = Check {
    name: "fan-out",
    about: "every subscriber hears every message, once, in one order",
    scope: Scope::Each(&Transport::ALL),
    properties: &[&EACH_ONCE, &SAME_ORDER, &PUBLISHER_ORDER],
    run,
};

fn run<'a>(case: &'a Case<'a>) -> Running<'a> {
    Box::pin(async move {
        case.prove_all(&[&EACH_ONCE, &SAME_ORDER, &PUBLISHER_ORDER], fan_out(case)).await;
    })
}

/// What one subscriber has heard, and where.
struct Record {
    heard: Vec<String>,
    lines: Vec<LineNumber>,
}

async fn fan_out(case: &Case<'_>) -> Proof {
    let channel = case.subject.channel();
    let opening = (0..SUBSCRIBERS).map(|_| Reader::open(case, case.transport(), &channel, &After::End));
    let mut readers = try_join_all(opening).await?;
    let scripts: Vec<Vec<String>> = (0..PUBLISHERS).map(|_| channel.messages(MESSAGES_EACH)).collect();
    let lasts: Vec<&String> = scripts.iter().filter_map(|script| script.last()).collect();
    let publishing = try_join_all(scripts.iter().map(|script| publish(case, &channel, script)));
    let hearing = try_join_all(readers.iter_mut().map(|reader| hear_all(case, &channel, reader, &lasts)));
    let (mut publishers, mut records) = tokio::try_join!(publishing, hearing)?;

    // What has been overtaken, or comes twice, comes before a message that is published when all else was heard.
    let end = channel.message();
    if let Some(publisher) = publishers.first_mut() {
        publisher.publish(&end).await?;
    }
    let last = [&end];
    let rests = try_join_all(readers.iter_mut().map(|reader| hear_all(case, &channel, reader, &last))).await?;
    for (record, mut rest) in records.iter_mut().zip(rests) {
        rest.heard.pop();
        record.heard.extend(rest.heard);
        record.lines = rest.lines;
    }
    judge(&scripts, &records)
}

async fn publish(case: &Case<'_>, channel: &Channel, script: &[String]) -> Proof<Publisher> {
    let mut publisher = Publisher::open(case, channel).await?;
    for message in script {
        publisher.publish(message).await?;
    }
    Ok(publisher)
}

/// Hears until all of `lasts` were heard.
async fn hear_all(case: &Case<'_>, channel: &Channel, reader: &mut Reader, lasts: &[&String]) -> Proof<Record> {
    let mut heard: Vec<String> = Vec::new();
    while let Some(next) = lasts.iter().find(|last| !heard.contains(last)) {
        let message = reader.message(case, channel, next).await?;
        heard.push(String::from_utf8_lossy(&message.data).into_owned());
        if heard.len() > 4 * PUBLISHERS * MESSAGES_EACH {
            break;
        }
    }
    Ok(Record { heard, lines: reader.lines() })
}

fn judge(scripts: &[Vec<String>], records: &[Record]) -> Proof {
    let all: Vec<String> = scripts.concat();
    for (number, Record { heard, lines }) in records.iter().enumerate() {
        let number = number + 1;
        let broken = |property, says: String| {
            Err(Fault::violated(format!("subscriber {number} of {SUBSCRIBERS}: {says}"), lines.clone()).of(property))
        };
        // The order is looked at below.
        if let Err(difference) = sequence::compare(&all, heard)
            && difference.kind != Kind::Order
        {
            return broken(&EACH_ONCE, difference.says);
        }
        for script in scripts {
            let of_script: Vec<String> = heard.iter().filter(|message| script.contains(message)).cloned().collect();
            if let Err(difference) = sequence::compare(script, &of_script) {
                return broken(&PUBLISHER_ORDER, format!("of one publisher, {}", difference.says));
            }
        }
    }
    one_order(records)
}

fn one_order(records: &[Record]) -> Proof {
    let Some((first, others)) = records.split_first() else { return Ok(()) };
    for (number, other) in others.iter().enumerate() {
        if let Err(difference) = sequence::compare(&first.heard, &other.heard) {
            let says = format!("subscriber {} heard another order than subscriber 1: {}", number + 2, difference.says);
            return Err(Fault::violated(says, [first.lines.clone(), other.lines.clone()].concat()).of(&SAME_ORDER));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn broken(heard: &[&str]) -> Option<&'static str> {
        let records: Vec<Record> = heard.iter().map(|heard| Record { heard: list(heard), lines: vec![1] }).collect();
        match judge(&[list("a1 a2"), list("b1")], &records) {
            Err(Fault::Violated(violation)) => violation.property.map(|property| property.id),
            _ => None,
        }
    }

    #[test]
    fn each_fault_breaks_the_property_it_should() {
        assert_eq!(broken(&["a1 b1 a2", "a1 b1 a2"]), None);
        assert_eq!(broken(&["a1 b1 a2", "a1 a2"]), Some("fan-out.each-once"));
        assert_eq!(broken(&["a1 b1 b1 a2"]), Some("fan-out.each-once"));
        assert_eq!(broken(&["a2 b1 a1"]), Some("fan-out.publisher-order"));
        assert_eq!(broken(&["a1 b1 a2", "a1 a2 b1"]), Some("fan-out.same-order"));
    }
}
