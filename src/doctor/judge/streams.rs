//! How many streams one client gets at a time.

use super::{
    Finding, Mark,
    holding::{Holding, holding_of},
};
use crate::doctor::observations::{Observations, SeenFrom, Stream};

/// How many there were.
pub fn find(o: &Observations) -> Option<Finding> {
    let streams = o.streams?;
    let (asked, at_once) = (streams.asked, streams.at_once);
    let new = |mark, seen: String| Finding::new("streams", "Streams at a time", mark, seen);
    if holding_of(o, Stream::Lines).is_some_and(|lines| !Holding::is_harmless(lines)) {
        return Some(new(
            Mark::Unknown,
            "Streams are held back, so it cannot be told how many are possible.".to_owned(),
        ));
    }
    if at_once >= asked {
        let seen = format!("All of {asked} streams began at once.");
        return Some(new(Mark::Well, seen).means(match o.seen_from {
            SeenFrom::CommandLine => {
                "A browser still opens six of them to a host over HTTP/1.1, for all of its tabs together."
            }
            SeenFrom::Browser => "The browser uses HTTP/2 here, where streams share one connection.",
        }));
    }
    let seen = format!("Of {asked} streams {at_once} began; the others had to wait until one of these ended.");
    Some(match o.seen_from {
        SeenFrom::Browser => new(Mark::Notice, seen)
            .means("Over HTTP/1.1 a browser has six connections to a host, for all of its tabs together. WebSockets don't count.")
            .remedy(
                "Use WebSocket, or https, where browsers speak HTTP/2; or let the tabs share one connection, as fallcast's \
                 client can.",
            ),
        SeenFrom::CommandLine => new(Mark::Fault, seen)
            .means("Something on the way, or the server's `--max-connections-per-address`, counts connections.")
            .remedy("A whole class behind one address needs a higher limit."),
    })
}
