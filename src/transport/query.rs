//! Query parameters: each known, each given once, each with a value that is understood. Never a silent default.

use std::{borrow::Cow, str::FromStr, time::Duration};

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderMap},
};

use crate::channel::{After, ClientName, DisplayName, IdempotencyKey, Label, Transport};

use super::problem::Problem;

/// The parameters of a request, as they were given.
#[derive(Debug)]
pub struct Query<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    /// Reads a query string (WHATWG URL §5.1) of which only `known` names may occur.
    ///
    /// Names that begin with `_` are left out: they only make addresses differ, for caches.
    ///
    /// # Errors
    /// Refuses unknown names, names given twice, and, where it is unknown, `token`, which no channel understands yet.
    pub fn read(query: &'a str, known: &[&str]) -> Result<Self, Problem> {
        let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if name.starts_with('_') {
                continue;
            }
            if !known.contains(&&*name) {
                if name == "token" {
                    return Err(no_tokens());
                }
                let detail = format_args!("the parameter `{name}` is unknown here; known are {}", known.join(", "));
                return Err(Problem::bad_request("unknown-parameter", detail));
            }
            if pairs.iter().any(|(other, _)| *other == name) {
                return Err(Problem::bad_request(
                    "bad-parameter",
                    format_args!("the parameter `{name}` is given twice"),
                ));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// A parameter's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// A parameter's value, parsed.
    ///
    /// # Errors
    /// Refuses a value that cannot be parsed.
    pub fn parse<T: FromStr>(&self, name: &str) -> Result<Option<T>, Problem>
    where
        Problem: From<T::Err>,
    {
        Ok(self.get(name).map(str::parse).transpose()?)
    }

    /// A parameter that is `0` or `1`.
    fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some("0") => Ok(Some(false)),
            Some("1") => Ok(Some(true)),
            Some(_) => Err(Problem::bad_request("bad-parameter", format_args!("`{name}` is 0 or 1"))),
        }
    }
}

fn no_tokens() -> Problem {
    Problem::bad_request("no-tokens", "this server knows no access tokens; leave `token` and `Authorization` out")
}

/// The format of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The payload, as far as possible as it was published.
    Raw,
    /// Every event as a JSON object.
    Json,
}

/// What a subscription asks for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Where to begin.
    pub after: After,
    /// The format, `raw` unless asked otherwise where there is a choice.
    pub format: Format,
    /// The subscriber's secret name of itself, if it chose one.
    pub client: Option<ClientName>,
    /// Whether own messages are delivered too.
    pub echo: bool,
    /// Under which name to announce the subscriber.
    pub shown_as: Option<DisplayName>,
    /// Whether to tell who is here.
    pub presence: bool,
    /// How long a poll is held.
    pub wait: Option<Duration>,
}

const COMMON: [&str; 6] = ["after", "format", "client", "echo", "as", "presence"];

impl Wish {
    /// Reads what a request for a transport asks for.
    ///
    /// # Errors
    /// Names the parameter that is not understood.
    pub fn read(request: &HttpRequest, transport: Transport) -> Result<Self, Problem> {
        if request.headers().contains_key(header::AUTHORIZATION) {
            return Err(no_tokens());
        }
        let mut known = COMMON.to_vec();
        match transport {
            Transport::Sse => known.push("lastEventId"),
            Transport::LongPoll => known.push("wait"),
            Transport::Websocket | Transport::Stream => {}
        }
        let query = Query::read(request.query_string(), &known)?;
        let wish = Self {
            after: after(request, &query, transport)?,
            format: format(&query, transport)?,
            client: query.parse("client")?,
            echo: query.flag("echo")?.unwrap_or(true),
            shown_as: query.parse("as")?,
            presence: query.flag("presence")?.unwrap_or(false),
            wait: wait(request, &query, transport)?,
        };
        if wish.presence && wish.format == Format::Raw && transport == Transport::Websocket {
            let detail = "`presence=1` needs `format=json` on WebSocket, where `raw` carries no events";
            return Err(Problem::bad_request("bad-parameter", detail));
        }
        Ok(wish)
    }

    /// The wish of a tutorial's `new WebSocket("ws://localhost:8080")`: raw, and without its own messages.
    #[must_use]
    pub const fn of_a_tutorial() -> Self {
        Self {
            after: After::End,
            format: Format::Raw,
            client: None,
            echo: false,
            shown_as: None,
            presence: false,
            wait: None,
        }
    }
}

/// On SSE the browser's header wins, for it is newer than the address that the page once wrote.
fn after(request: &HttpRequest, query: &Query<'_>, transport: Transport) -> Result<After, Problem> {
    if transport == Transport::Sse {
        let header = request.headers().get("last-event-id");
        // Bytes that are no text are an id too, only an unreadable one.
        let id = header.map(|value| value.to_str().unwrap_or("?")).or_else(|| query.get("lastEventId"));
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            // `start` and `end` are no ids. Whatever is none is answered with a gap, for an error would end the
            // EventSource for good (WHATWG HTML §9.2.3).
            return Ok(id.parse().map_or(After::Unreadable, After::Cursor));
        }
    }
    Ok(query.parse("after")?.unwrap_or_default())
}

fn format(query: &Query<'_>, transport: Transport) -> Result<Format, Problem> {
    let has_choice = matches!(transport, Transport::Websocket | Transport::Sse);
    match query.get("format") {
        None | Some("raw") if has_choice => Ok(Format::Raw),
        None | Some("json") => Ok(Format::Json),
        Some("raw") => Err(Problem::bad_request("bad-parameter", "this transport is always `format=json`")),
        Some(_) => Err(Problem::bad_request("bad-parameter", "`format` is raw or json")),
    }
}

fn wait(request: &HttpRequest, query: &Query<'_>, transport: Transport) -> Result<Option<Duration>, Problem> {
    let detail = "`wait` is a number of seconds, or of milliseconds such as 500ms";
    match query.get("wait") {
        Some(text) => parse_wait(text).map(Some).ok_or_else(|| Problem::bad_request("bad-parameter", detail)),
        None if transport == Transport::LongPoll => Ok(preferred_wait(request.headers())),
        None => Ok(None),
    }
}

/// `Prefer: wait=N` (RFC 7240 §4.3) is what the parameter is called in HTTP. A preference that is not understood is
/// ignored, as §2 asks for.
fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all("prefer").filter_map(|line| line.to_str().ok());
    let preferences = lines.flat_map(|line| line.split(',')).filter_map(|preference| preference.split(';').next());
    let mut waits = preferences.filter_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"'))
    });
    // Of several the first counts.
    parse_wait(waits.next()?)
}

fn parse_wait(text: &str) -> Option<Duration> {
    let (number, unit) = text.strip_suffix("ms").map_or((text, 1000), |number| (number, 1));
    let is_number = number.len() <= 9 && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|_| is_number)?;
    Some(Duration::from_millis(number * unit))
}

/// What comes with a publication beside its body.
#[derive(Clone, Debug)]
pub struct Labels {
    /// The label.
    pub label: Option<Label>,
    /// Who publishes.
    pub client: Option<ClientName>,
    /// Under which name a repetition is recognized.
    pub key: Option<IdempotencyKey>,
}

impl Labels {
    /// Reads the parameters and headers of a POST.
    ///
    /// # Errors
    /// Names the parameter or header that is not understood.
    pub fn read(request: &HttpRequest) -> Result<Self, Problem> {
        if request.headers().contains_key(header::AUTHORIZATION) {
            return Err(no_tokens());
        }
        let query = Query::read(request.query_string(), &["client", "key", "type"])?;
        Ok(Self {
            label: query.parse("type")?,
            client: either(request, "x-fallcast-client", &query, "client")?,
            key: either(request, "idempotency-key", &query, "key")?,
        })
    }
}

/// A value that may come as a header or, to spare browsers a preflight, as a parameter; if both, then the same.
fn either<T: FromStr + PartialEq>(
    request: &HttpRequest,
    header: &str,
    query: &Query<'_>,
    name: &str,
) -> Result<Option<T>, Problem>
where
    Problem: From<T::Err>,
{
    let in_header = match request.headers().get(header) {
        Some(value) => Some(value.to_str().unwrap_or("").parse::<T>()?),
        None => None,
    };
    match (in_header, query.parse(name)?) {
        (Some(in_header), Some(in_query)) if in_header != in_query => {
            let detail = format_args!("the header `{header}` and the parameter `{name}` differ");
            Err(Problem::bad_request("bad-parameter", detail))
        }
        (in_header, in_query) => Ok(in_header.or(in_query)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&'static str], seconds: Option<u64>) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::HeaderName::from_static("prefer"), header::HeaderValue::from_static(line));
        }
        assert_eq!(preferred_wait(&headers), seconds.map(Duration::from_secs), "{lines:?}");
    }

    #[test]
    fn a_preferred_wait_is_found_among_others_and_ignored_when_it_is_none() {
        check(&["wait=10"], Some(10));
        check(&["respond-async, Wait = \"10\"; foo=bar"], Some(10));
        check(&["return=minimal", "wait=10, wait=20"], Some(10));
        check(&["wait=abc"], None);
        check(&["wait"], None);
        check(&["foo; wait=10"], None);
        check(&[], None);
    }
}
