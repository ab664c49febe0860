//! `/examination/count`: how many requests have arrived under a name that the client made up. A request that was sent
//! once and arrived twice was repeated by something between.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::{
    guard::Action,
    transport::{Problem, Query, State},
};

use super::json_answer;

/// How many names are remembered; the oldest is forgotten for a new one.
const MOST_NAMES: usize = 4096;

/// How long a name is remembered.
const MEMORY: Duration = Duration::from_mins(2);

/// How long a name may be.
const NAME: std::ops::RangeInclusive<usize> = 8..=64;

/// What has arrived, by name.
#[derive(Debug, Default)]
pub struct Tally {
    known: Mutex<HashMap<String, Entry>>,
}

#[derive(Debug)]
struct Entry {
    arrived: Arrived,
    began: Instant,
}

/// What has arrived under one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Arrived {
    /// How many requests.
    pub count: u32,
    /// Whether one of them should have been a handshake, and was none when it arrived.
    pub stripped: bool,
}

impl Tally {
    /// Counts a request, and returns what has arrived with it.
    pub fn add(&self, name: &str, is_stripped: bool) -> Arrived {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, entry| entry.began.elapsed() < MEMORY);
        if known.len() >= MOST_NAMES && !known.contains_key(name) {
            let oldest = known.iter().min_by_key(|(_, entry)| entry.began).map(|(name, _)| name.clone());
            oldest.and_then(|oldest| known.remove(&oldest));
        }
        let new = || Entry { arrived: Arrived::default(), began: Instant::now() };
        let arrived = &mut known.entry(name.to_owned()).or_insert_with(new).arrived;
        arrived.count = arrived.count.saturating_add(1);
        arrived.stripped |= is_stripped;
        *arrived
    }

    fn of(&self, name: &str) -> Arrived {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).map(|entry| entry.arrived).unwrap_or_default()
    }
}

/// The name that a request brings.
pub fn nonce<'a>(query: &'a Query<'_>) -> Result<&'a str, Problem> {
    let name = query.get("nonce").unwrap_or_default();
    let is_good = NAME.contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_good.then_some(name).ok_or_else(|| {
        let detail = format_args!("`nonce` is {} to {} letters and digits", NAME.start(), NAME.end());
        Problem::bad_request("bad-parameter", detail)
    })
}

/// Counts a request.
///
/// # Errors
/// Refuses foreign pages, who is too fast, and names that are none.
pub async fn count(
    request: HttpRequest,
    state: web::Data<State>,
    tally: web::Data<Tally>,
) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Publish)?;
    let query = Query::read(request.query_string(), &["nonce"])?;
    Ok(json_answer(&tally.add(nonce(&query)?, false)))
}

/// Tells what has arrived.
///
/// # Errors
/// Refuses names that are none.
pub async fn show(
    request: HttpRequest,
    state: web::Data<State>,
    tally: web::Data<Tally>,
) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Read)?;
    let query = Query::read(request.query_string(), &["nonce"])?;
    Ok(json_answer(&tally.of(nonce(&query)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_name_is_forgotten_rather_than_that_there_are_too_many() {
        let tally = Tally::default();
        for number in 0..=MOST_NAMES {
            tally.add(&format!("name{number}"), false);
        }

        assert_eq!(tally.known.lock().expect("nobody has panicked").len(), MOST_NAMES);
        assert_eq!(tally.of("name0"), Arrived::default());
        assert_eq!(tally.of(&format!("name{MOST_NAMES}")).count, 1);
    }

    #[test]
    fn what_arrived_without_its_upgrade_once_is_told_for_good() {
        let tally = Tally::default();
        tally.add("handshake", true);
        tally.add("handshake", false);
        assert_eq!(tally.of("handshake"), Arrived { count: 2, stripped: true });
    }
}
