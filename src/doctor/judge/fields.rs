//! Whether the fields survive that clients and servers of channels need.

use super::{
    Finding, Mark,
    words::{capitalized, list},
};
use crate::doctor::observations::{Observations, Way};

/// Fields of requests, and what is lost without them.
const UP: [(&str, &str); 3] = [
    ("last-event-id", "a browser's event stream cannot be resumed after a drop"),
    ("idempotency-key", "a publication that is repeated may appear twice"),
    ("x-examination", "fields of one's own do not arrive"),
];

/// Fields of answers, and what is lost without them.
const DOWN: [(&str, &str); 3] = [
    ("etag", "pages are loaded again each time"),
    ("link", "the address of the next poll has to be taken from the body"),
    ("x-examination", "fields of one's own do not arrive"),
];

/// What was lost or changed.
pub fn find(o: &Observations) -> Option<Finding> {
    let way = o.way.as_ref().filter(|way| !way.sent.is_empty())?;
    let up: Vec<_> = UP.into_iter().filter_map(|(name, loss)| changed_up(way, name).map(|how| (how, loss))).collect();
    let down: Vec<_> =
        DOWN.into_iter().filter_map(|(name, loss)| changed_down(way, name).map(|how| (how, loss))).collect();
    let changes: Vec<_> = up.into_iter().chain(down).collect();
    let new = |mark, seen: String| Finding::new("fields", "Fields of requests and answers", mark, seen);
    if changes.is_empty() {
        return Some(new(
            Mark::Well,
            "`ETag` and `Link` survive, `Last-Event-ID` and `Idempotency-Key` arrive.".to_owned(),
        ));
    }
    let is_only_weakened = changes.iter().all(|(how, _)| how.contains("weak"));
    let told: Vec<String> = changes.iter().map(|(how, _)| how.clone()).collect();
    let losses: Vec<String> = changes.iter().map(|(_, loss)| (*loss).to_owned()).collect();
    let finding = new(if is_only_weakened { Mark::Notice } else { Mark::Fault }, format!("{}.", list(&told)));
    Some(if is_only_weakened {
        finding.means("A proxy that compresses does that (RFC 9110 §8.8.3.3). fallcast takes a weak tag for the same.")
    } else {
        finding
            .means(format!("{}.", capitalized(&list(&losses))))
            .remedy("Send cursor and key in the address, as `after=` and `key=`; proxies leave that alone.")
    })
}

fn changed_up(way: &Way, name: &str) -> Option<String> {
    let (_, sent) = way.requested.iter().find(|(own, _)| own.eq_ignore_ascii_case(name))?;
    let arrived = way.arrived.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
    match arrived {
        None => Some(format!("`{name}` of a request is taken off")),
        Some((_, Some(value))) if value != sent => Some(format!("`{name}` of a request is changed")),
        Some(_) => None,
    }
}

fn changed_down(way: &Way, name: &str) -> Option<String> {
    let (_, sent) = way.sent.iter().find(|(own, _)| own.eq_ignore_ascii_case(name))?;
    let received = way.received.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
    match received {
        None => Some(format!("`{name}` of an answer is taken off")),
        Some((_, value)) if value == sent => None,
        Some((_, value)) if value.strip_prefix("W/") == Some(sent) => {
            Some(format!("`{name}` of an answer is made weak"))
        }
        Some(_) => Some(format!("`{name}` of an answer is changed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(received: &[(&str, &str)]) -> Option<(Mark, String)> {
        let fields = |fields: &[(&str, &str)]| {
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let way =
            Way { sent: fields(&[("etag", "\"a\""), ("link", "<b>")]), received: fields(received), ..Way::default() };
        let finding = find(&Observations { way: Some(way), ..Observations::default() })?;
        Some((finding.mark, finding.seen))
    }

    #[test]
    fn what_is_lost_is_told_from_what_is_weakened() {
        assert_eq!(marked(&[("ETag", "\"a\""), ("Link", "<b>")]).map(|found| found.0), Some(Mark::Well));
        let weak = marked(&[("ETag", "W/\"a\""), ("Link", "<b>")]);
        assert_eq!(weak, Some((Mark::Notice, "`etag` of an answer is made weak.".to_owned())));
        let lost = marked(&[("Link", "<b>")]);
        assert_eq!(lost, Some((Mark::Fault, "`etag` of an answer is taken off.".to_owned())));
    }
}
