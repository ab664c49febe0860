//! What a middlebox calls itself: in a field, or on a page of its own.

use crate::doctor::observations::Observations;

/// A middlebox's name, and how it gave itself away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name, with a version if it tells one.
    pub name: String,
    by: &'static str,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name, self.by)
    }
}

/// Fields that only one product adds.
const MARKS: [(&str, &str); 5] = [
    ("cf-ray", "Cloudflare"),
    ("x-amz-cf-id", "CloudFront"),
    ("x-varnish", "Varnish"),
    ("x-squid-error", "Squid"),
    ("x-bluecoat-via", "Blue Coat"),
];

/// Words that only one product's pages contain.
const PAGES: [(&str, &str); 6] = [
    ("Your browser sent an invalid request.", "HAProxy"),
    ("The server didn't respond in time.", "HAProxy"),
    ("Request forbidden by administrative rules.", "HAProxy"),
    ("<center>nginx", "nginx"),
    ("Squid Object Cache", "Squid"),
    ("cloudflare", "Cloudflare"),
];

/// The name of what is between, if it tells one anywhere. fallcast itself sends no `Server`.
pub fn name(o: &Observations) -> Option<Name> {
    let way = o.way.as_ref();
    let received = |field: &str| {
        let found = way?.received.iter().find(|(name, _)| name.eq_ignore_ascii_case(field));
        found.map(|(_, value)| value.clone())
    };
    let arrived = |field: &str| {
        let found = way?.arrived.iter().find(|(name, _)| name.eq_ignore_ascii_case(field));
        found.and_then(|(_, value)| value.clone())
    };
    let refusal = o.upgrade.as_ref().and_then(|upgrade| upgrade.server.clone());
    let complaint = way.and_then(|way| way.complaint.as_ref());
    let pages = [o.upgrade.as_ref().map(|upgrade| &upgrade.body), complaint.map(|complaint| &complaint.body)];

    let named = |name: Option<String>, by| {
        name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).map(|name| Name { name, by })
    };
    named(received("server").or(refusal), "by its field `Server`")
        .or_else(|| named(received("via").or_else(|| arrived("via")), "by its field `Via`"))
        .or_else(|| {
            let mark = MARKS.into_iter().find(|(field, _)| received(field).is_some() || arrived(field).is_some());
            named(mark.map(|(_, name)| name.to_owned()), "by a field that only it adds")
        })
        .or_else(|| named(complaint.and_then(|complaint| complaint.server.clone()), "by its field `Server`"))
        .or_else(|| named(pages.into_iter().flatten().find_map(|page| of_page(page)), "by its page for faults"))
}

/// Whose page it is.
fn of_page(page: &str) -> Option<String> {
    PAGES.into_iter().find(|(words, _)| page.contains(words)).map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::observations::{Complaint, Way};

    #[test]
    fn a_middlebox_is_named_by_its_fields_or_by_its_page() {
        let field = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        let complaint = |body: &str| Some(Complaint { server: None, body: body.to_owned() });
        for (way, expected) in [
            (
                Way { received: field("Server", "nginx/1.26.3"), ..Way::default() },
                "nginx/1.26.3 (by its field `Server`)",
            ),
            (Way { received: field("Via", "1.1 squid"), ..Way::default() }, "1.1 squid (by its field `Via`)"),
            (Way { received: field("CF-RAY", "1"), ..Way::default() }, "Cloudflare (by a field that only it adds)"),
            (
                Way { complaint: complaint("<h1>400</h1>\nYour browser sent an invalid request.\n"), ..Way::default() },
                "HAProxy (by its page for faults)",
            ),
        ] {
            let observations = Observations { way: Some(way), ..Observations::default() };
            assert_eq!(name(&observations).map(|name| name.to_string()).as_deref(), Some(expected));
        }
        assert_eq!(name(&Observations::default()), None);
    }
}
