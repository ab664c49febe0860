//! All properties, as the book lists them: what is promised, and on which transports it is looked at.

use std::fmt::Write as _;

use super::{
    reference::{Limits, ReferenceServer},
    report::{Check, OF_REFERENCE, check},
    table,
};

#[test]
fn the_book_lists_every_property_in_the_words_of_the_report() {
    let server = ReferenceServer::start(None, Limits::default());
    let report = check(server.address(), &[["all"].as_slice(), OF_REFERENCE.as_slice()].concat());
    let mut text = String::new();
    for check in &report.checks {
        let _ = write!(text, "**{}**\n\n{}\n", check.name, properties(check));
    }
    table::keep("properties.md", &text);
}

/// One row for each property, with a link to what it stands on.
fn properties(check: &Check) -> String {
    // Each transport has its turn with all of them.
    let mut ids: Vec<&str> = Vec::new();
    for property in &check.properties {
        if !ids.contains(&property.id.as_str()) {
            ids.push(&property.id);
        }
    }
    let mut rows = table::row(["property", "what must hold", "looked at on"]) + &table::row(["---"; 3]);
    for id in ids {
        let of_id = || check.properties.iter().filter(|property| property.id == id);
        let transports: Vec<&str> = of_id().filter_map(|property| property.transport.as_deref()).collect();
        let Some(property) = of_id().next() else { continue };
        let link = format!("[`{id}`]({})", chapter(&property.chapter));
        rows += &table::row([&link, property.promise.as_str(), &transports.join(", ")]);
    }
    rows
}

/// A chapter as chapters link to each other: `/book/protocol.html#sse` is `protocol.md#sse` there.
fn chapter(path: &str) -> String {
    path.trim_start_matches("/book/").replace(".html", ".md")
}
