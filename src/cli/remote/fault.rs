//! Why a request failed, and whether it is worth another try.

use std::{fmt, io, time::Duration};

use actix_http::error::ParseError;
use awc::{
    ClientResponse,
    error::{ConnectError, SendRequestError},
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
    },
};
use serde::Deserialize;

use super::{PATIENCE, read_body};
use crate::cli::{backoff::Advice, error::CliError};

/// A failure, sorted by what to do about it.
#[derive(Debug)]
pub enum Fault {
    /// It may work next time.
    Passing {
        /// What happened, as part of a sentence.
        cause: String,
        /// When to try again.
        advice: Advice,
    },
    /// It never will.
    Final(CliError),
}

impl Fault {
    /// A failure that nobody gave advice for.
    #[must_use]
    pub fn passing(cause: impl Into<String>) -> Self {
        Self::Passing { cause: cause.into(), advice: Advice::BackOff }
    }
}

impl From<CliError> for Fault {
    fn from(error: CliError) -> Self {
        Self::Final(error)
    }
}

/// The status of an answer with the server's explanation, a problem document (RFC 9457) if it sent one.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    problem: Problem,
}

#[derive(Debug, Default, Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        // The title of a problem without a type of its own repeats the status (RFC 9457 §4.2.1).
        let title = self.problem.title.as_deref().filter(|&title| Some(title) != self.status.canonical_reason());
        for text in [title, self.problem.detail.as_deref()].into_iter().flatten() {
            write!(f, ": {text}")?;
        }
        Ok(())
    }
}

/// Sorts a request that got no answer.
pub(super) fn of_request(error: SendRequestError, server: &str) -> Fault {
    match error {
        SendRequestError::Connect(ConnectError::Io(error)) => of_connection(&error, server),
        SendRequestError::Connect(ConnectError::Resolver(error)) => {
            Fault::passing(format!("no address is known for {server}: {error}"))
        }
        SendRequestError::Connect(ConnectError::Timeout) => Fault::passing(format!("{server} does not answer")),
        SendRequestError::Connect(ConnectError::Disconnected) => {
            Fault::passing(format!("{server} closed the connection before it answered"))
        }
        SendRequestError::Send(error) | SendRequestError::Response(ParseError::Io(error)) => {
            Fault::passing(format!("the connection to {server} broke: {error}"))
        }
        SendRequestError::Response(error) => Fault::passing(format!("{server} did not answer in HTTP: {error}")),
        error => Fault::passing(format!("no answer from {server}: {error}")),
    }
}

/// A refused port may be open next time, but a certificate does not become trusted by waiting.
fn of_connection(error: &io::Error, server: &str) -> Fault {
    let cause = match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        // Our own verifier's words, without the prefix "unexpected error".
        Some(rustls::Error::General(cause)) => cause.clone(),
        Some(error) => error.to_string(),
        None => return Fault::passing(format!("cannot connect to {server}: {error}")),
    };
    Fault::Final(CliError::Untrusted { server: server.to_owned(), cause })
}

/// Sorts an answer that is not the one hoped for.
pub(super) async fn of_answer(answer: ClientResponse) -> Fault {
    let status = answer.status();
    let advice = retry_after(answer.headers()).map_or(Advice::BackOff, Advice::NotBefore);
    let problem = read_problem(answer).await;
    of_refusal(Refusal { status, problem }, advice)
}

/// Sorts a refusal of which nothing but the status is known.
pub(super) fn of_status(status: StatusCode) -> Fault {
    of_refusal(Refusal { status, problem: Problem::default() }, Advice::BackOff)
}

fn of_refusal(refusal: Refusal, advice: Advice) -> Fault {
    if may_pass(refusal.status) {
        Fault::Passing { cause: format!("the server answered {refusal}"), advice }
    } else {
        Fault::Final(CliError::Refused(refusal))
    }
}

/// The server's own trouble passes; so do the few 4xx that are about the moment and not about the request: 408 Request
/// Timeout, 425 Too Early and 429 Too Many Requests.
fn may_pass(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429)
}

/// Reads `Retry-After` in seconds (RFC 9110 §10.2.3). As a date it would depend on this machine's clock, so that form
/// counts as absent.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Reads the explanation. It is help, not a duty: where it is missing, the status has to do.
async fn read_problem(answer: ClientResponse) -> Problem {
    let media_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.unwrap_or_default().to_owned();
    let Ok(body) = read_body(answer, PATIENCE).await else {
        return Problem::default();
    };
    parse_problem(&media_type, &body)
}

fn parse_problem(media_type: &str, body: &[u8]) -> Problem {
    if media_type.starts_with("application/problem+json") {
        return serde_json::from_slice(body).unwrap_or_default();
    }
    if media_type.starts_with("text/plain") {
        let text = String::from_utf8_lossy(body);
        let detail = text.lines().next().map(str::to_owned);
        return Problem { title: None, detail };
    }
    Problem::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use awc::http::header::HeaderValue;

    #[track_caller]
    fn check(status: u16, media_type: &str, body: &str, expected: &str) {
        let status = StatusCode::from_u16(status).expect("a status");
        let refusal = Refusal { status, problem: parse_problem(media_type, body.as_bytes()) };
        assert_eq!(refusal.to_string(), expected);
    }

    #[test]
    fn a_refusal_shows_the_problem_document() {
        let problem = "application/problem+json";
        check(
            400,
            problem,
            r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"no dot in the cursor"}"#,
            "400 Bad Request: no dot in the cursor",
        );
        check(422, problem, r#"{"title":"Key reused"}"#, "422 Unprocessable Entity: Key reused");
        check(403, problem, r#"{"title":"Foreign origin","detail":"x"}"#, "403 Forbidden: Foreign origin: x");
        check(404, problem, "broken", "404 Not Found");
    }

    #[test]
    fn without_a_problem_document_the_first_line_of_text_or_the_status_has_to_do() {
        check(502, "text/plain; charset=utf-8", "upstream is gone\nmore", "502 Bad Gateway: upstream is gone");
        check(404, "text/html", "<!doctype html>", "404 Not Found");
    }

    #[test]
    fn only_momentary_refusals_may_pass() {
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert!(may_pass(StatusCode::from_u16(status).expect("a status")), "{status}");
        }
        for status in [204, 301, 400, 401, 403, 404, 409, 413, 415, 422, 426] {
            assert!(!may_pass(StatusCode::from_u16(status).expect("a status")), "{status}");
        }
    }

    #[test]
    fn retry_after_is_read_in_seconds() {
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers), None);
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(7)));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("Sat, 21 Nov 2026 08:00:00 GMT"));
        assert_eq!(retry_after(&headers), None);
    }
}
