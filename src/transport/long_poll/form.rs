//! The form of an answer: everything in it that is the same from poll to poll, and from one poller to most others.

use std::{
    cell::RefCell,
    fmt::Write as _,
    rc::{Rc, Weak},
    time::SystemTime,
};

use actix_web::http::header::{HeaderMap, HttpDate};
use bytes::Bytes;

/// The parts of an answer that its request decides.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// What follows the cursor in the query of the next poll.
    pub rest_of_query: String,
    /// The value of `Preference-Applied`.
    pub preference_applied: String,
    /// Fields for pages, each with its line end.
    pub fields: String,
}

/// Fields as they stand in a head.
pub fn lines(headers: &HeaderMap) -> String {
    headers.iter().fold(String::new(), |mut lines, (name, value)| {
        // A value of our own is text. Were it not, the field would be left out and a page would be refused the answer.
        if let Ok(value) = value.to_str() {
            let _ = write!(lines, "{name}: {value}\r\n");
        }
        lines
    })
}

/// A form, shared by all pollers whose answers have it.
#[derive(Debug)]
pub struct Form {
    words: Words,
    /// Whether another poller can come to share it. The answers of one who has it alone are not kept: to hold the last of
    /// each would take more than all the rest of an idle crowd.
    is_known: bool,
    latest: RefCell<Option<Latest>>,
}

/// The answer that was made last: the right one for everybody who is handed the same slice.
#[derive(Debug)]
struct Latest {
    lines: Bytes,
    more: bool,
    answer: Bytes,
    /// The second in which it was made, which its date tells.
    second: u64,
}

thread_local! {
    /// The forms in use on this worker. Most pollers of a class have the same.
    static FORMS: RefCell<Vec<Weak<Form>>> = RefCell::default();
}

/// How many forms are looked through for one that fits. More than that are not alike anyway.
const LOOKED_AT: usize = 16;

impl Form {
    /// The form with these words.
    pub fn of(words: Words) -> Rc<Self> {
        FORMS.with_borrow_mut(|forms| {
            forms.retain(|form| form.strong_count() > 0);
            let existing = forms.iter().filter_map(Weak::upgrade).find(|form| form.words == words);
            existing.unwrap_or_else(|| {
                let is_known = forms.len() < LOOKED_AT;
                let form = Rc::new(Self { words, is_known, latest: RefCell::default() });
                if is_known {
                    forms.push(Rc::downgrade(&form));
                }
                form
            })
        })
    }

    /// The answer that tells the events of one slice, made by `make` unless the last one was the same.
    pub fn answer(&self, lines: &Bytes, more: bool, now_us: u64, make: impl FnOnce() -> Bytes) -> Bytes {
        if !self.is_known {
            return make();
        }
        let mut latest = self.latest.borrow_mut();
        let second = now_us / 1_000_000;
        // The slice is kept, so an equal address means the same slice, and the same position behind it.
        let is_same = |latest: &&Latest| {
            latest.lines.as_ptr() == lines.as_ptr()
                && latest.lines.len() == lines.len()
                && latest.more == more
                && latest.second == second
        };
        if let Some(latest) = latest.as_ref().filter(is_same) {
            return latest.answer.clone();
        }
        let answer = make();
        *latest = Some(Latest { lines: lines.clone(), more, answer: answer.clone(), second });
        answer
    }

    // ANCHOR: response
    /// The response with this body, whose end is at `cursor`; the same as that of a handler.
    pub fn response(&self, cursor: &str, body: &[u8]) -> Bytes {
        let Words { rest_of_query, preference_applied, fields } = &self.words;
        let head = format!(
            "HTTP/1.1 200 OK\r\n\
             content-length: {}\r\n\
             content-type: application/json\r\n\
             cache-control: no-store\r\n\
             link: <?after={cursor}{rest_of_query}>; rel=\"next\"\r\n\
             preference-applied: {preference_applied}\r\n\
             {fields}\
             date: {}\r\n\r\n",
            body.len(),
            HttpDate::from(SystemTime::now()),
        );
        [head.as_bytes(), body].concat().into()
    }
    // ANCHOR_END: response
}
