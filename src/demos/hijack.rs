//! The victim of the demo on hijacking a WebSocket: a bank, below `/demos/hijack/`, that knows its customers by a cookie.
//!
//! | request | what happens |
//! | --- | --- |
//! | `POST /demos/hijack/login?account=NAME&same_site=RULE` | sets the cookie `fallcast_demo_session` for the path `/demos/hijack` and answers `{"account", "balance", "token", "cookie": true}`. `NAME` is made up and has 1 to 40 characters; `RULE` is `lax` (also if it is left out), `strict`, `none` (which browsers take with `Secure` alone, so on loopback or over TLS) or `none-attribute` (the cookie says nothing, as before there was `SameSite`). |
//! | `GET /demos/hijack/account` | answers with the same, or with `{"cookie": false}` to whoever brings no cookie of a session. Never with a header of CORS: a foreign page may send the request, but no browser shows it the answer. |
//! | `GET /demos/hijack/sse` | the same as one event of an event stream, which then ends: an `EventSource` comes back for the next. No header of CORS, either. |
//! | `GET /demos/hijack/ws?check=CHECK` | a WebSocket that says `{"account", "balance", "origin", "cookie": true}`, or `{"origin", "cookie": false}`, at once and each second, and ends with 1000 after half a minute. `origin` is the header of that name, or `null`. |
//!
//! `CHECK` is how the bank protects itself before it switches protocols:
//!
//! - `none`, also if it is left out: not at all. No browser asks CORS about a WebSocket, so the attack succeeds wherever
//!   the cookie is sent along.
//! - `origin`: a page of any other origin than the address that it connects to gets `403`.
//! - `token`: whoever does not bring the session's token as `&token=…` gets `403`. A foreign page cannot read the answers
//!   that hold it.
//!
//! To a page either refusal is a close with 1006. Cookies know no ports (RFC 6265 §8.5), and ports make no site (WHATWG
//! HTML §7.1.1): an attacker on the lab's port of the same host is of the same site, and not even `strict` keeps the
//! cookie from it. `localhost` and `127.0.0.1` are two sites, so from one to the other `SameSite` counts.
//!
//! The server's own rule about origins ([`Action::OpenWebSocket`]) is left out here on purpose, since an attack that is
//! refused at once teaches nothing. What is given away are the accounts that visitors of the demo make up; a channel, or
//! anything else of the server, cannot be reached from here.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
    web,
};
use actix_ws::{CloseCode, CloseReason, Closed, Message, MessageStream};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio_stream::StreamExt as _;

use crate::{
    guard::{Action, Standing, random_secret},
    transport::{Problem, Query, State, check_handshake},
};

/// The cookie that names a session.
const COOKIE: &str = "fallcast_demo_session";

/// How many sessions are remembered; the oldest is forgotten for a new one. A class has some forty.
const MAX_SESSIONS: usize = 1000;

/// How long a session lasts: a lesson.
const SESSION: Duration = Duration::from_hours(1);

/// How many characters the name of an account has at most.
const MAX_NAME: usize = 40;

/// How often the WebSocket tells the balance.
const PERIOD: Duration = Duration::from_secs(1);

/// How long a WebSocket stays open.
const VISIT: Duration = Duration::from_secs(30);

/// How large a frame of a client may be. None is looked at.
const MAX_FRAME: usize = 1024;

/// Whether answers at an address are for pages of its own origin alone, whatever the server allows elsewhere. The routes
/// take an address for the same however it is written, so this does, too.
#[must_use]
pub fn keeps_to_itself(path: &str) -> bool {
    percent_decode_str(path).decode_utf8_lossy().starts_with("/demos/hijack/")
}

/// Everybody who is logged in, by the secret in the cookie.
#[derive(Debug, Default)]
pub struct Bank {
    sessions: Mutex<HashMap<String, Session>>,
}

#[derive(Clone, Debug)]
struct Session {
    account: String,
    /// What the account held when the session began.
    balance: u64,
    token: String,
    began: Instant,
}

impl Bank {
    /// Begins a session for an account, and returns it with the secret that names it.
    fn log_in(&self, account: String) -> (String, Session) {
        let balance = fastrand::u64(1_000..100_000);
        let session = Session { account, balance, token: random_secret(), began: Instant::now() };
        let secret = random_secret();
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.lasts());
        if sessions.len() >= MAX_SESSIONS {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.began).map(|(secret, _)| secret.clone());
            oldest.and_then(|oldest| sessions.remove(&oldest));
        }
        sessions.insert(secret.clone(), session.clone());
        (secret, session)
    }

    /// The session that a request's cookie names.
    fn session(&self, request: &HttpRequest) -> Option<Session> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        cookies(request).find_map(|secret| sessions.get(secret)).filter(|session| session.lasts()).cloned()
    }
}

impl Session {
    fn lasts(&self) -> bool {
        self.began.elapsed() < SESSION
    }

    /// What the account holds now: it gains one with each second, so that whoever looks on can see it live.
    fn balance(&self) -> u64 {
        self.balance + self.began.elapsed().as_secs()
    }
}

/// The values of all cookies of our name: a browser may have several, for different paths.
fn cookies(request: &HttpRequest) -> impl Iterator<Item = &str> {
    let headers = request.headers().get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
    let pairs = headers.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

/// Logs somebody in, under any name.
///
/// # Errors
/// Refuses foreign pages, who is too fast, and names that are none.
pub async fn log_in(
    request: HttpRequest,
    state: web::Data<State>,
    bank: web::Data<Bank>,
) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Publish)?;
    let query = Query::read(request.query_string(), &["account", "same_site"])?;
    let account = account_name(query.get("account").unwrap_or_default())?;
    let same_site = same_site(query.get("same_site"))?;
    let (secret, session) = bank.log_in(account);
    let lifetime = SESSION.as_secs();
    let cookie = format!("{COOKIE}={secret}; Path=/demos/hijack; Max-Age={lifetime}; HttpOnly{same_site}");
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::SET_COOKIE, cookie));
    Ok(with_account(answer, Some(&session)))
}

fn account_name(name: &str) -> Result<String, Problem> {
    let is_good = (1..=MAX_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    let fault = || {
        let detail = format_args!("`account` is a name that you make up, of 1 to {MAX_NAME} characters");
        Problem::bad_request("bad-parameter", detail)
    };
    is_good.then(|| name.to_owned()).ok_or_else(fault)
}

/// The attribute of the cookie that says whether it goes along with requests from other sites (RFC 6265bis §5.6.7).
fn same_site(rule: Option<&str>) -> Result<&'static str, Problem> {
    match rule {
        None | Some("lax") => Ok("; SameSite=Lax"),
        Some("strict") => Ok("; SameSite=Strict"),
        Some("none") => Ok("; SameSite=None; Secure"),
        Some("none-attribute") => Ok(""),
        Some(_) => {
            Err(Problem::bad_request("bad-parameter", "`same_site` is `lax`, `strict`, `none` or `none-attribute`"))
        }
    }
}

/// Shows the account of whoever is logged in.
///
/// # Errors
/// Refuses over a connection too many.
pub async fn show(
    request: HttpRequest,
    state: web::Data<State>,
    bank: web::Data<Bank>,
) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Read)?;
    Query::read(request.query_string(), &[])?;
    Ok(with_account(HttpResponse::Ok(), bank.session(&request).as_ref()))
}

/// Tells the balance in an event stream of one event. It ends, so that no stream keeps a connection of the page.
///
/// # Errors
/// Refuses over a connection too many.
pub async fn stream(
    request: HttpRequest,
    state: web::Data<State>,
    bank: web::Data<Bank>,
) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Read)?;
    Query::read(request.query_string(), &[])?;
    let statement = statement(bank.session(&request).as_ref());
    let event = format!("retry: {}\ndata: {statement}\n\n", PERIOD.as_millis());
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "no-store")).content_type("text/event-stream");
    Ok(answer.body(event))
}

/// Completes an answer that only the bank's own pages can read.
fn with_account(mut answer: HttpResponseBuilder, session: Option<&Session>) -> HttpResponse {
    let mut statement = statement(session);
    if let Some(session) = session {
        statement["token"] = session.token.as_str().into();
    }
    answer.insert_header((header::CACHE_CONTROL, "no-store")).json(statement)
}

/// What the bank tells whoever the cookie names. It does not hold the token, since over a WebSocket a foreign page hears it.
fn statement(session: Option<&Session>) -> Value {
    match session {
        Some(session) => json!({ "account": session.account, "balance": session.balance(), "cookie": true }),
        None => json!({ "cookie": false }),
    }
}

/// Opens the WebSocket that tells the balance, if the protection that was asked for lets it.
///
/// # Errors
/// Refuses whoever does not pass the check, and a handshake that is none.
pub async fn open(
    request: HttpRequest,
    body: web::Payload,
    state: web::Data<State>,
    bank: web::Data<Bank>,
) -> Result<HttpResponse, Problem> {
    // Not `Action::OpenWebSocket`: see the top of this file.
    state.decide(&request, Action::Read)?;
    check_handshake(&request)?;
    let session = bank.session(&request);
    check(&request, &state, session.as_ref())?;
    let (answer, socket, messages) =
        actix_ws::handle(&request, body).map_err(|fault| Problem::bad_request("bad-handshake", fault))?;
    let origin = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok()).map(str::to_owned);
    let visit = Visit { session, origin, state };
    actix_rt::spawn(visit.run(socket, messages.max_frame_size(MAX_FRAME)));
    Ok(answer)
}

/// The protection that the demo is about.
fn check(request: &HttpRequest, state: &State, session: Option<&Session>) -> Result<(), Problem> {
    let query = Query::read(request.query_string(), &["check", "token"])?;
    match query.get("check") {
        None | Some("none") => Ok(()),
        Some("origin") => match state.caller(request).standing {
            Standing::NoBrowser | Standing::Own => Ok(()),
            Standing::Listed(_) | Standing::Foreign => Err(refused("the page is of another origin than the bank")),
        },
        Some("token") if session.is_some_and(|session| query.get("token") == Some(&session.token)) => Ok(()),
        Some("token") => Err(refused("`token` is not that of the session that the cookie names")),
        Some(_) => Err(Problem::bad_request("bad-parameter", "`check` is `none`, `origin` or `token`")),
    }
}

fn refused(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "not-a-customer", "The bank does not let this page in", detail)
}

/// One open WebSocket.
struct Visit {
    session: Option<Session>,
    origin: Option<String>,
    state: web::Data<State>,
}

impl Visit {
    async fn run(self, mut socket: actix_ws::Session, messages: MessageStream) {
        // The limit is also for a client that does not read, for which `talk` would wait.
        let _ = actix_rt::time::timeout(VISIT, self.talk(&mut socket, messages)).await;
        let code = if self.state.is_draining() { CloseCode::Restart } else { CloseCode::Normal };
        // It fails for a client that is gone.
        let _ = socket.close(Some(CloseReason { code, description: None })).await;
    }

    /// Tells the balance until the client leaves or the server does.
    async fn talk(&self, socket: &mut actix_ws::Session, mut messages: MessageStream) -> Result<(), Closed> {
        let mut ticks = actix_rt::time::interval(PERIOD);
        while !self.state.is_draining() {
            tokio::select! {
                _ = ticks.tick() => socket.text(self.words()).await?,
                message = messages.next() => match message {
                    Some(Ok(Message::Ping(bytes))) => socket.pong(&bytes).await?,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                    Some(Ok(_)) => {}
                },
            }
        }
        Ok(())
    }

    fn words(&self) -> String {
        let mut statement = statement(self.session.as_ref());
        statement["origin"] = self.origin.as_deref().into();
        statement.to_string()
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_session_is_found_among_whatever_other_cookies_a_browser_sends() {
        let bank = Bank::default();
        let (secret, session) = bank.log_in("Ann".to_owned());
        let found = |cookie: String| {
            let request = TestRequest::default().insert_header((header::COOKIE, cookie)).to_http_request();
            bank.session(&request).map(|found| found.token)
        };

        for cookies in [
            format!("{COOKIE}={secret}"),
            format!("theme=dark; {COOKIE}=forgotten; {COOKIE}={secret};"),
            format!("a=b=c;{COOKIE}={secret}"),
        ] {
            assert_eq!(found(cookies.clone()).as_ref(), Some(&session.token), "{cookies}");
        }
        for cookies in [format!("x{COOKIE}={secret}"), format!("{COOKIE}="), secret, String::new()] {
            assert_eq!(found(cookies.clone()), None, "{cookies}");
        }
    }

    #[test]
    fn the_bank_forgets_the_oldest_session_rather_than_grow() {
        let bank = Bank::default();
        let secrets: Vec<_> = (0..=MAX_SESSIONS).map(|_| bank.log_in("Ann".to_owned()).0).collect();
        let sessions = bank.sessions.lock().expect("nobody has panicked");

        assert_eq!(sessions.len(), MAX_SESSIONS);
        assert!(!sessions.contains_key(&secrets[0]));
        assert!(secrets[1..].iter().all(|secret| sessions.contains_key(secret)));
    }

    #[test]
    fn what_a_foreign_page_may_hear_does_not_hold_the_token() {
        let (_, session) = Bank::default().log_in("Ann".to_owned());

        assert!(!statement(Some(&session)).to_string().contains(&session.token));
    }
}
