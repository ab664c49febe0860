//! The checks, one file each. A check is a list of properties, and a function that proves them.
//!
//! How to add one: write the properties as `static`s, each proof as a small `async fn(&Case) -> Proof`, and `run`, which
//! hands them to [`Case::prove`]; then add `CHECK` to [`ALL`].

mod ask;
mod budget;
mod drop;
mod echo;
mod fan_out;
mod hop;
mod poll;
mod publish;
mod resume;
mod sequence;
mod slow_reader;
mod sse;
mod storm;
mod ws;

use std::pin::Pin;

use super::{case::Case, transport::Transport, verdict::Property};

/// The future of a check at work.
pub type Running<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A check.
#[derive(Debug)]
pub struct Check {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does, in one line without a full stop.
    pub about: &'static str,
    /// What it runs on.
    pub scope: Scope,
    /// All that it judges, in the order of reports.
    pub properties: &'static [&'static Property],
    /// Judges each of the properties by [`Case::prove`] or [`Case::judge`].
    pub run: for<'a> fn(&'a Case<'a>) -> Running<'a>,
}

/// What a check runs on.
#[derive(Clone, Copy, Debug)]
pub enum Scope {
    /// On each of these transports that the profile describes, one after the other.
    Each(&'static [Transport]),
    /// Once, with whatever transports there are.
    Once,
}

/// All checks, in the order in which they run.
pub static ALL: [&Check; 12] = [
    &echo::CHECK,
    &fan_out::CHECK,
    &resume::CHECK,
    &drop::CHECK,
    &slow_reader::CHECK,
    &storm::CHECK,
    &sse::CHECK,
    &ws::CHECK,
    &poll::CHECK,
    &hop::CHECK,
    &publish::CHECK,
    &budget::CHECK,
];

/// The check of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Check> {
    ALL.into_iter().find(|check| check.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_property_has_a_name_of_its_own_that_begins_with_its_check() {
        let mut ids = BTreeSet::new();
        for check in ALL {
            for property in check.properties {
                assert!(property.id.starts_with(&format!("{}.", check.name)), "{}", property.id);
                assert!(ids.insert(property.id), "{} is there twice", property.id);
                assert!(property.promise.ends_with('.'), "{}", property.id);
                assert!(property.chapter.starts_with("/book/"), "{}", property.id);
            }
        }
    }
}
