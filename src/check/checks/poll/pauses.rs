//! What is published while nobody polls: in the pauses between two polls, and at the very moment of one.

use std::time::Duration;

use super::{CHAPTER, exchange::Polled};
use crate::check::{
    case::Case,
    checks::sequence::{self, Kind},
    reader::After,
    trace::LineNumber,
    verdict::{Fault, Proof, Property},
};

pub static NOTHING_LOST: Property = Property {
    id: "poll.nothing-lost",
    promise: "What is published between two polls is in the answer to the second (RFC 6202 §2.2 leaves this to the \
              application).",
    chapter: CHAPTER,
};

pub static NOTHING_TWICE: Property = Property {
    id: "poll.nothing-twice",
    promise: "No message is in the answers to two polls that follow each other, and none is there twice or out of order.",
    chapter: CHAPTER,
};

pub static DRAINED: Property = Property {
    id: "poll.drained",
    promise: "Many messages come in their order, in however many answers.",
    chapter: CHAPTER,
};

/// So many polls follow each other.
const POLLS: usize = 30;

/// At most so many messages are published in one pause.
const PER_PAUSE: usize = 3;

/// A message that comes during a poll comes at most so long after it was sent.
const SOON: Duration = Duration::from_millis(4);

/// So many messages are there before anybody asks, if the channel retains as many.
const MANY: u64 = 300;

pub async fn run(case: &Case<'_>) {
    case.prove_all(&[&NOTHING_LOST, &NOTHING_TWICE], pauses(case)).await;
    case.prove(&DRAINED, drained(case)).await;
}

/// What was heard, with the connections on which it was.
#[derive(Default)]
struct Story {
    published: Vec<String>,
    heard: Vec<(String, LineNumber)>,
    /// The connection of the poll that was answered last.
    last: Option<LineNumber>,
}

async fn pauses(case: &Case<'_>) -> Proof {
    let mut polled = Polled::new(case).await?;
    let mut cursor = polled.begin().await?;
    let mut story = Story::default();
    for _ in 0..POLLS {
        let in_pause = case.roll(|dice| dice.usize(0..=PER_PAUSE));
        for _ in 0..in_pause {
            story.published.push(polled.publish().await?);
        }
        cursor = if in_pause > 0 && case.roll(fastrand::Rng::bool) {
            poll(&polled, &cursor, &mut story).await?
        } else {
            poll_and_publish(case, &mut polled, &cursor, &mut story).await?
        };
    }
    catch_up(&mut polled, cursor, &mut story).await?;
    story.judge()
}

async fn poll(polled: &Polled<'_, '_>, cursor: &After, story: &mut Story) -> Proof<After> {
    let told = polled.poll(cursor).await?;
    let next = told.next.clone();
    story.last = Some(told.line);
    story.heard.extend(told.messages.into_iter().map(|message| (message, told.line)));
    // An answer without a position leaves the poller where it was.
    Ok(next.unwrap_or_else(|| cursor.clone()))
}

/// Publishes at the moment of a poll, so that it may come before the poll, with it, or behind its answer.
async fn poll_and_publish(
    case: &Case<'_>,
    polled: &mut Polled<'_, '_>,
    cursor: &After,
    story: &mut Story,
) -> Proof<After> {
    let pause = case.roll(|dice| SOON.mul_f64(dice.f64()));
    let mut open = polled.send(cursor).await?;
    tokio::time::sleep(pause).await;
    story.published.push(polled.publish().await?);
    let told = polled.answer(&mut open).await?;
    let next = told.next.clone();
    story.last = Some(told.line);
    story.heard.extend(told.messages.into_iter().map(|message| (message, told.line)));
    Ok(next.unwrap_or_else(|| cursor.clone()))
}

/// Polls until a last message has come, and with it all before it.
async fn catch_up(polled: &mut Polled<'_, '_>, mut cursor: After, story: &mut Story) -> Proof {
    let last = polled.publish().await?;
    story.published.push(last.clone());
    // Each poll ends with something new, so there are never more of them than messages.
    for _ in 0..=story.published.len() {
        if story.heard.iter().any(|(message, _)| *message == last) {
            return Ok(());
        }
        let before = story.heard.len();
        cursor = poll(polled, &cursor, story).await?;
        // All is published, so whatever an empty answer leaves out will not come.
        if story.heard.len() == before {
            break;
        }
    }
    Ok(())
}

impl Story {
    /// Compares what was heard with what was published.
    fn judge(&self) -> Proof {
        let heard: Vec<String> = self.heard.iter().map(|(message, _)| message.clone()).collect();
        sequence::compare(&self.published, &heard).map_err(|difference| {
            let mut lines: Vec<LineNumber> = difference.at.iter().map(|place| self.heard[*place].1).collect();
            // Where nothing was heard at all, an answer shows it that holds nothing.
            if lines.is_empty() {
                lines.extend(self.last);
            }
            let property = if difference.kind == Kind::Lost { &NOTHING_LOST } else { &NOTHING_TWICE };
            Fault::violated(difference.says, lines).of(property)
        })
    }
}

async fn drained(case: &Case<'_>) -> Proof {
    let mut polled = Polled::new(case).await?;
    let mut cursor = polled.begin().await?;
    let mut story = Story::default();
    let many = case.subject.profile.retention_messages.map_or(MANY, |retained| MANY.min(retained));
    for _ in 0..many {
        story.published.push(polled.publish().await?);
    }
    case.waiting_for(format!("{many} messages, poll by poll"));
    while story.heard.len() < story.published.len() {
        let before = story.heard.len();
        cursor = poll(&polled, &cursor, &mut story).await?;
        if story.heard.len() == before {
            break;
        }
    }
    story.judge().map_err(|fault| fault.of(&DRAINED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(published: &[&str], heard: &[&str]) -> Option<(&'static str, Vec<LineNumber>)> {
        let heard = heard.iter().zip(1..).map(|(message, line)| ((*message).to_owned(), line)).collect();
        let story =
            Story { published: published.iter().map(|&message| message.to_owned()).collect(), heard, last: None };
        match story.judge() {
            Err(Fault::Violated(violation)) => violation.property.map(|property| (property.id, violation.lines)),
            _ => None,
        }
    }

    #[test]
    fn what_is_lost_twice_or_out_of_order_is_found_on_its_connections() {
        assert_eq!(judge(&["a", "b", "c"], &["a", "b", "c"]), None);
        assert_eq!(judge(&["a", "b", "c"], &["a", "c"]), Some(("poll.nothing-lost", vec![1, 2])));
        assert_eq!(judge(&["a", "b", "c"], &["a", "b", "b", "c"]), Some(("poll.nothing-twice", vec![2, 3])));
        assert_eq!(judge(&["a", "b", "c"], &["b", "a", "c"]), Some(("poll.nothing-twice", vec![1])));
    }
}
