//! Whether the server was there, all the time and as what it should be.

use super::{
    Finding, Mark,
    words::{ended, list, time},
};
use crate::doctor::observations::Observations;

/// What was seen of the server's being there.
pub fn find(o: &Observations) -> Option<Finding> {
    let new = |mark, seen: String| Finding::new("line", "The server", mark, seen);
    if o.offer.is_none() {
        // A page comes from the server itself, and asks in the order that it likes.
        let is_asked = o.way.is_some() && o.clock.is_none();
        return is_asked.then(|| {
            new(Mark::Fault, "It answers, but not as fallcast does.".to_owned())
                .means(
                    "Either it is another server, or something on the way answers in its place, such as a login page.",
                )
                .remedy(
                    "Open the address in a browser and look at what is there. Any server of channels is graded by \
                     `fallcast check all --url URL`.",
                )
        });
    }
    if !o.unanswered.is_empty() {
        let seen = format!("It was there, but some connections broke each time: {}.", o.unanswered.join("; "));
        return Some(
            new(Mark::Fault, seen)
                .means("Something on the way ends connections by what is in them.")
                .remedy("With https, nobody on the way can look in."),
        );
    }
    if o.outages.is_empty() {
        return Some(new(Mark::Well, "It is fallcast, and it was there all the time.".to_owned()));
    }
    let outages: Vec<String> = o
        .outages
        .iter()
        .map(|outage| {
            let (lasted, after) = (time(outage.lasted_ms), time(outage.after_ms));
            format!("for {lasted}, from {after} after the beginning (a connection {})", ended(outage.how))
        })
        .collect();
    Some(
        new(Mark::Fault, format!("Nothing got through {}.", list(&outages)))
            .means(
                "A proxy with a rule would do the same each time. What passes by itself is the way: a tunnel, a place \
                 without signal, a cable, or a server that was started again.",
            )
            .remedy("A client that comes back with its cursor loses nothing; fallcast's does so by itself."),
    )
}
