//! The examination: what `fallcast doctor` and the page `/doctor` ask of a server, to find out what lies between.
//!
//! | request | what happens |
//! | --- | --- |
//! | `GET /examination` | answers with what the server is and by which times it goes: `{"examination": 1, "server": "fallcast", "heartbeat_ms", "poll_hold_ms"}`. |
//! | `GET /examination/request` | answers with the request as it arrived: version, peer, the names of all fields and the values of harmless ones, and with the fields that the answer was sent with. |
//! | `GET /examination/clock` | answers `{"received_us", "sent_us"}`, microseconds since 1970 by the server's clock. |
//! | `GET /examination/pieces` | streams small pieces, each with the time at which it was sent. `as` is `events` or `lines`; `count`, `every` (ms) and `bytes` say how many, how often and how large; `plain=1` leaves out what asks proxies not to hold the answer. |
//! | `GET /examination/silence?for=MS` | says hello, is silent for so long, speaks once more and ends. `beat=MS` breaks the silence so often, `late=1` begins the answer only after the silence, as a parked poll does, and `as` is as above. |
//! | `GET /examination/ws?for=MS` | the same over a WebSocket, which answers each text with that text. `beat` is as above. With `nonce` the handshake is counted as it arrived. |
//! | `POST /examination/count?nonce=NONCE` | counts the request under a name that the client made up. |
//! | `GET /examination/count?nonce=NONCE` | answers `{"count", "stripped"}`: how many requests of that name have arrived, and whether one of them was a handshake without its `Upgrade`. |
//! | `POST /examination/verdict` | takes what a page has seen (`doctor::Observations`) and answers with what it means. |
//! | `GET /examination/room` | for operators: descriptors, cores and addresses. |
//!
//! Strangers may ask all but the last, so everything is bounded: how long a silence lasts, how much is streamed, how many
//! answers are open at a time (`OPEN_AT_MOST`), how many names are counted (`tally`). No cookie and no credential is
//! ever told back.

mod pieces;
mod room;
mod seen;
mod silence;
mod speech;
mod tally;
mod verdict;
mod websocket;

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use actix_web::{
    HttpResponse,
    http::{Method, header},
    web,
};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    config::Config,
    transport::{Problem, Query, State, method_not_allowed, methods, readable, writable},
};

use room::Facts;
use tally::Tally;

/// How many answers that last may be open at a time: some dozens for each phone of a class.
const OPEN_AT_MOST: usize = 1024;

/// What all workers share of examinations.
#[derive(Clone, Debug)]
pub struct Examination {
    hall: web::Data<Hall>,
    tally: web::Data<Tally>,
    facts: web::Data<Facts>,
}

/// The room for answers that last.
#[derive(Debug)]
struct Hall(Arc<Semaphore>);

impl Hall {
    /// Takes a place, which is given back when it is dropped.
    fn enter(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            let detail = format_args!("{OPEN_AT_MOST} answers of examinations are open, which is as many as may be");
            Problem::overloaded("examinations-full", detail)
        })
    }
}

const COUNT: &str = "/examination/count";
const COUNT_METHODS: &str = "GET, HEAD, POST, OPTIONS";

impl Examination {
    /// Returns what a server shares that listens at these addresses.
    #[must_use]
    pub fn begin(config: &Config, state: &State, urls: Vec<String>, is_public: bool) -> Self {
        Self {
            hall: web::Data::new(Hall(Arc::new(Semaphore::new(OPEN_AT_MOST)))),
            tally: web::Data::new(Tally::default()),
            facts: web::Data::new(Facts::of(config, state, urls, is_public)),
        }
    }

    /// The addresses.
    pub fn routes(&self, app: &mut web::ServiceConfig) {
        app.app_data(self.hall.clone())
            .app_data(self.tally.clone())
            .app_data(self.facts.clone())
            .service(readable("/examination", seen::offer))
            .service(readable("/examination/request", seen::request))
            .service(readable("/examination/clock", seen::clock))
            .service(readable("/examination/pieces", pieces::open))
            .service(readable("/examination/silence", silence::open))
            .service(readable("/examination/ws", websocket::open))
            .service(readable("/examination/room", room::show))
            .service(writable("/examination/verdict", verdict::judge))
            .service(
                web::resource(COUNT)
                    .route(web::get().to(tally::show))
                    .route(web::head().to(tally::show))
                    .route(web::post().to(tally::count))
                    .route(web::method(Method::OPTIONS).to(async || methods(COUNT_METHODS)))
                    .default_service(web::to(|| method_not_allowed(COUNT_METHODS))),
            );
    }
}

/// A parameter that is a number, within its bounds; without it, the default.
fn number(query: &Query<'_>, name: &str, default: u64, bounds: RangeInclusive<u64>) -> Result<u64, Problem> {
    let Some(text) = query.get(name) else { return Ok(default) };
    text.parse().ok().filter(|number| bounds.contains(number)).ok_or_else(|| {
        let detail = format_args!("`{name}` is a number from {} to {}", bounds.start(), bounds.end());
        Problem::bad_request("bad-parameter", detail)
    })
}

/// A parameter in milliseconds.
fn millis(query: &Query<'_>, name: &str, default: u64, bounds: RangeInclusive<u64>) -> Result<Duration, Problem> {
    number(query, name, default, bounds).map(Duration::from_millis)
}

/// A parameter that is `0` or `1`.
fn flag(query: &Query<'_>, name: &str) -> Result<bool, Problem> {
    number(query, name, 0, 0..=1).map(|number| number == 1)
}

fn json_answer(document: &impl Serialize) -> HttpResponse {
    let text = serde_json::to_string(document).unwrap_or_default();
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store, no-transform"))
        .content_type("application/json")
        .body(text + "\n")
}
