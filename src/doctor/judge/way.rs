//! Who sits between, as far as it shows in a request and its answer.

use super::{Finding, Mark, names::name, words::list};
use crate::doctor::observations::{Observations, SeenFrom, Way};

/// Fields by which proxies tell that they were there.
const TRACES: [&str; 7] =
    ["via", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip", "cf-ray"];

/// Fields that belong to one hop (RFC 9110 §7.6.1), and those that every program adds by itself.
const OF_ONE_HOP: [&str; 7] =
    ["connection", "keep-alive", "transfer-encoding", "te", "upgrade", "host", "content-length"];

/// Who showed.
pub fn find(o: &Observations) -> Option<Finding> {
    let way = o.way.as_ref()?;
    let (traces, versions, relayed) = (traces(way, o.seen_from), versions(way), relayed(way));
    let signs: Vec<String> = [traces, versions, relayed].into_iter().flatten().collect();
    let version = way.version_there.as_deref().or(way.version_here.as_deref()).unwrap_or("HTTP");
    let new = |seen| Finding::new("way", "Who sits between", Mark::Well, seen);
    let finding = match (name(o), signs.is_empty()) {
        (None, true) => new(format!("Nobody that shows. The server is spoken to in {version}."))
            .means("A transparent proxy or a virus scanner need not show here; what it does, shows below."),
        (None, false) => new(format!("Somebody who does not say its name: {}.", list(&signs)))
            .means("That is a proxy, or a router with network address translation."),
        (Some(name), true) => new(format!("{name}.")).means("It answers in front of the server."),
        (Some(name), false) => new(format!("{name}: {}.", list(&signs)))
            .means("It is a proxy in front of the server, and has connections of its own."),
    };
    Some(if way.version_there.as_deref() == Some("HTTP/1.0") {
        let mut finding = finding;
        finding.mark = Mark::Notice;
        finding.remedy(
            "HTTP/1.0 knows neither upgrades nor chunks. In nginx, write `proxy_http_version 1.1;` beside `proxy_pass`.",
        )
    } else {
        finding
    })
}

/// The fields that somebody has added on the way.
fn traces(way: &Way, seen_from: SeenFrom) -> Option<String> {
    let is_own = |name: &str| way.requested.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
    // A browser adds fields that its page does not know of, so there only those count that browsers never add.
    let counts =
        |name: &str| TRACES.contains(&name) || (seen_from == SeenFrom::CommandLine && !OF_ONE_HOP.contains(&name));
    let added: Vec<String> = way
        .arrived
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase())
        .filter(|name| !is_own(name) && counts(name))
        .collect();
    let added: Vec<String> = added.iter().map(|name| format!("`{name}`")).collect();
    (!added.is_empty()).then(|| format!("the request arrives with {}", list(&added)))
}

fn versions(way: &Way) -> Option<String> {
    let (here, there) = (way.version_here.as_deref()?, way.version_there.as_deref()?);
    (here != there).then(|| format!("it is {here} here and {there} at the server"))
}

/// Two ends of one connection have one address for each end.
fn relayed(way: &Way) -> Option<String> {
    let (here, there) = (way.address_here.as_deref()?, way.address_there.as_deref()?);
    (here != there).then(|| format!("the connection that left from {here} comes from {there} at the server"))
}
