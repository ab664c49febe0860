//! `hop`: one cursor over all transports. A subscriber changes the transport again and again, and nobody notices.

use super::{
    Check, Running, Scope,
    sequence::{self, Kind},
};
use crate::check::{
    case::Case,
    profile::Subscribe,
    publisher::Publisher,
    reader::{After, Reader},
    subject::Channel,
    trace::LineNumber,
    transport::Transport,
    verdict::{Fault, Proof, Property},
};

const CHAPTER: &str = "/book/falling-back.html#why-two-at-once-do-no-harm";

static UNDERSTOOD: Property = Property {
    id: "hop.understood",
    promise: "A cursor that came over one transport is taken on every other.",
    chapter: CHAPTER,
};

static NO_LOSS: Property = Property {
    id: "hop.no-loss",
    promise: "Who changes the transport with its cursor misses nothing.",
    chapter: CHAPTER,
};

static NO_DUPLICATE: Property = Property {
    id: "hop.no-duplicate",
    promise: "Who changes the transport with its cursor hears nothing twice, and everything in order.",
    chapter: CHAPTER,
};

/// See the module.
pub static CHECK: Check = Check {
    name: "hop",
    about: "one cursor over all transports: whoever changes loses nothing and hears nothing twice",
    scope: Scope::Once,
    properties: &[&UNDERSTOOD, &NO_LOSS, &NO_DUPLICATE],
    run,
};

fn run<'a>(case: &'a Case<'a>) -> Running<'a> {
    Box::pin(async move {
        case.prove_all(&[&UNDERSTOOD, &NO_LOSS, &NO_DUPLICATE], walk(case)).await;
    })
}

/// In each place of the walk, so many messages are published before it, and some of them are left for the next place.
const MESSAGES_PER_PLACE: usize = 3;

async fn walk(case: &Case<'_>) -> Proof {
    let transports = resumable(case)?;
    let route = case.roll(|dice| route(&transports, dice));
    let channel = case.subject.channel();
    let mut publisher = Publisher::open(case, &channel).await?;
    let mut walker = Walker { published: Vec::new(), heard: Vec::new(), cursor: None, lines: Vec::new() };
    for (index, transport) in route.iter().enumerate() {
        let mut reader = walker.arrive(case, *transport, &channel).await?;
        for message in channel.messages(MESSAGES_PER_PLACE) {
            publisher.publish(&message).await?;
            walker.published.push(message);
        }
        let is_last = index + 1 == route.len();
        let left = if is_last { 0 } else { case.roll(|dice| dice.usize(..MESSAGES_PER_PLACE)) };
        walker.hear(case, &channel, &mut reader, left).await?;
        walker.leave(reader)?;
    }
    Ok(())
}

/// The transports that take part.
fn resumable(case: &Case<'_>) -> Proof<Vec<Transport>> {
    let profile = &case.subject.profile;
    if !profile.one_cursor {
        return Err(Fault::skipped("the profile does not say `one-cursor = true`"));
    }
    let can_resume = |transport: &Transport| profile.subscribe(*transport).is_some_and(Subscribe::can_resume);
    let transports: Vec<Transport> = case.subject.transports().into_iter().filter(can_resume).collect();
    if transports.len() < 2 {
        return Err(Fault::skipped("there are not two transports with cursors to change between"));
    }
    Ok(transports)
}

/// A walk that the dice decide, and that goes from each transport to each other at least once.
fn route(transports: &[Transport], dice: &mut fastrand::Rng) -> Vec<Transport> {
    let pairs = transports.iter().flat_map(|from| transports.iter().map(|to| (*from, *to)));
    let mut untrodden: Vec<(Transport, Transport)> = pairs.filter(|(from, to)| from != to).collect();
    let mut here = transports[dice.usize(..transports.len())];
    let mut route = vec![here];
    while !untrodden.is_empty() {
        let new: Vec<usize> = (0..untrodden.len()).filter(|index| untrodden[*index].0 == here).collect();
        here = match new.len() {
            0 => untrodden[dice.usize(..untrodden.len())].0,
            count => untrodden.swap_remove(new[dice.usize(..count)]).1,
        };
        route.push(here);
    }
    route
}

/// A subscriber that changes the transport.
struct Walker {
    published: Vec<String>,
    heard: Vec<String>,
    cursor: Option<String>,
    /// The connections of this place and of the one before.
    lines: Vec<LineNumber>,
}

impl Walker {
    async fn arrive(&mut self, case: &Case<'_>, transport: Transport, channel: &Channel) -> Proof<Reader> {
        let after = self.cursor.clone().map_or(After::End, After::Cursor);
        let reader = Reader::open(case, transport, channel, &after).await;
        reader.map_err(|fault| match (fault, &self.cursor) {
            (Fault::Violated(mut violation), Some(cursor)) => {
                violation.says = format!("went to {transport} with the cursor {cursor}: {}", violation.says);
                violation.lines.splice(..0, self.lines.iter().copied());
                Fault::Violated(violation)
            }
            (fault, _) => fault,
        })
    }

    /// Hears what was published but for the last `left`, and compares.
    async fn hear(&mut self, case: &Case<'_>, channel: &Channel, reader: &mut Reader, left: usize) -> Proof {
        let goal = self.published.len() - left;
        while self.heard.len() < goal || !reader.knows_its_position() {
            let expected = self.published.get(self.heard.len()).map_or("the rest of the answer", String::as_str);
            let message = reader.message(case, channel, expected).await;
            let message = message.map_err(|fault| self.with_lines(fault.of(&NO_LOSS)))?;
            self.heard.push(String::from_utf8_lossy(&message.data).into_owned());
            self.compare(reader)?;
        }
        Ok(())
    }

    /// What was heard so far must be the beginning of what was published.
    fn compare(&self, reader: &Reader) -> Proof {
        let expected = &self.published[..self.heard.len().min(self.published.len())];
        sequence::compare(expected, &self.heard).map_err(|difference| {
            let twice = self.heard[..self.heard.len() - 1].contains(&self.heard[self.heard.len() - 1]);
            let property = if difference.kind == Kind::Lost && !twice { &NO_LOSS } else { &NO_DUPLICATE };
            let last = self.heard.last().map_or("", String::as_str);
            let wanted = expected.last().map_or("nothing", String::as_str);
            let from = self.cursor.as_deref().unwrap_or("the end");
            let says = format!(
                "went on over {} behind {from}, expected {wanted} and heard {last}{}",
                reader.transport(),
                if twice { " again" } else { "" }
            );
            self.with_lines(Fault::violated(says, reader.lines()).of(property))
        })
    }

    fn with_lines(&self, fault: Fault) -> Fault {
        match fault {
            Fault::Violated(mut violation) => {
                violation.lines.splice(..0, self.lines.iter().copied());
                Fault::Violated(violation)
            }
            skipped @ Fault::Skipped(_) => skipped,
        }
    }

    fn leave(&mut self, reader: Reader) -> Proof {
        let lines = reader.lines();
        let Some(cursor) = reader.cursor().map(str::to_owned) else {
            let says = format!("no cursor came over {}, so there is nothing to go on with", reader.transport());
            return Err(Fault::violated(says, lines));
        };
        self.cursor = Some(cursor);
        self.lines = lines;
        reader.cut();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_route_goes_from_each_transport_to_each_other() {
        for seed in 0..50 {
            let route = route(&Transport::ALL, &mut fastrand::Rng::with_seed(seed));
            let steps: BTreeSet<_> = route.windows(2).map(|pair| (pair[0], pair[1])).collect();
            let pairs = steps.iter().filter(|(from, to)| from != to).count();
            assert_eq!(pairs, 12, "seed {seed}");
            assert!(route.len() < 60, "seed {seed}: {}", route.len());
        }
    }

    #[test]
    fn the_seed_decides_the_route() {
        let walk = |seed| route(&Transport::ALL, &mut fastrand::Rng::with_seed(seed));
        assert_eq!(walk(1), walk(1));
        assert!((2..10).any(|seed| walk(seed) != walk(1)));
    }
}
