//! Speech: an endless answer that says its words at their times, and is silent between them.

use std::{convert::Infallible, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    body::{self, BodyStream},
    http::Method,
    web,
};
use bytes::Bytes;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    channel::now_us,
    transport::{Problem, Query, State, endless},
};

/// How words are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Server-sent events.
    Events,
    /// A JSON object a line.
    Lines,
}

impl Form {
    /// The form that a request asks for with `as`.
    pub fn read(query: &Query<'_>) -> Result<Self, Problem> {
        match query.get("as") {
            None | Some("events") => Ok(Self::Events),
            Some("lines") => Ok(Self::Lines),
            Some(_) => Err(Problem::bad_request("bad-parameter", "`as` is `events` or `lines`")),
        }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream",
            Self::Lines => "application/x-ndjson",
        }
    }
}

/// What is said at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// A piece with its number, filled up to so many bytes.
    Piece(u64, usize),
    /// What keeps a line alive.
    Beat,
    /// The first word behind a silence.
    Awake,
}

impl Word {
    /// The word with the time at which it is said, as JSON.
    pub fn to_json(self) -> String {
        let at_us = now_us();
        match self {
            Self::Piece(piece, bytes) => {
                let text = json!({ "piece": piece, "at_us": at_us, "padding": "" }).to_string();
                let padding = "x".repeat(bytes.saturating_sub(text.len()));
                json!({ "piece": piece, "at_us": at_us, "padding": padding }).to_string()
            }
            Self::Beat => json!({ "beat": true, "at_us": at_us }).to_string(),
            Self::Awake => json!({ "awake": true, "at_us": at_us }).to_string(),
        }
    }

    fn to_bytes(self, form: Form) -> Bytes {
        let json = self.to_json();
        Bytes::from(match form {
            Form::Events => format!("data: {json}\n\n"),
            Form::Lines => format!("{json}\n"),
        })
    }
}

/// What is said, each word so long after the one before; and how long the answer stays open after the last.
pub struct Speech {
    /// How words are written down.
    pub form: Form,
    /// The words, each with the pause before it.
    pub words: Vec<(Duration, Word)>,
    /// The pause before the end.
    pub pause: Duration,
}

impl Speech {
    /// The answer that says it. A request for the head alone does not wait.
    pub fn answer(self, request: &HttpRequest, state: &web::Data<State>, place: OwnedSemaphorePermit) -> HttpResponse {
        let media_type = self.form.media_type();
        if request.method() == Method::HEAD {
            return endless(request, media_type, body::None::new());
        }
        // A word that nobody has taken yet is enough; the next has its own time.
        let (mouth, ear) = mpsc::channel(1);
        let mut draining = state.draining.clone();
        actix_rt::spawn(async move {
            tokio::select! {
                () = self.say(&mouth) => {}
                () = mouth.closed() => {}
                _ = draining.wait_for(|&is_draining| is_draining) => {}
            }
            drop(place);
        });
        endless(request, media_type, BodyStream::new(ReceiverStream::new(ear)))
    }

    async fn say(self, mouth: &mpsc::Sender<Result<Bytes, Infallible>>) {
        for (pause, word) in self.words {
            actix_rt::time::sleep(pause).await;
            if mouth.send(Ok(word.to_bytes(self.form))).await.is_err() {
                return;
            }
        }
        actix_rt::time::sleep(self.pause).await;
    }
}

/// Beats through a silence, and the word that ends it.
pub fn through_silence(silence: Duration, beat: Option<Duration>) -> Vec<(Duration, Word)> {
    let mut words = Vec::new();
    let mut left = silence;
    while let Some(beat) = beat.filter(|&beat| beat < left) {
        words.push((beat, Word::Beat));
        left -= beat;
    }
    words.push((left, Word::Awake));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_silence_ends_when_it_should_with_or_without_beats() {
        assert_eq!(through_silence(MS(50), None), [(MS(50), Word::Awake)]);
        let expected = [(MS(20), Word::Beat), (MS(20), Word::Beat), (MS(10), Word::Awake)];
        assert_eq!(through_silence(MS(50), Some(MS(20))), expected);
    }

    #[test]
    fn a_piece_is_as_large_as_was_asked_for() {
        assert_eq!(Word::Piece(3, 500).to_json().len(), 500);
    }
}
