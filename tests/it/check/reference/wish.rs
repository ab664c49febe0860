//! What a subscription asks for, and where in the log that is.

use std::time::Duration;

use super::{
    Fault, Server,
    channel::Channel,
    event::{Gap, Transport},
    http::{Refusal, Request},
};

/// The parameters that a subscription may have.
const KNOWN: [&str; 8] = ["after", "format", "client", "echo", "wait", "lastEventId", "key", "type"];

/// The form of events, where there is a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Raw,
    Json,
}

/// A position, as a client gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    Start,
    End,
    Cursor { epoch: String, offset: u64 },
    Unreadable,
}

/// What a subscription asks for.
pub struct Wish {
    pub transport: Transport,
    pub after: After,
    /// Whether the client has been here before.
    pub returns: bool,
    pub format: Format,
    pub client: Option<String>,
    pub echo: bool,
    pub wait: Duration,
}

impl Wish {
    /// Reads the parameters of a request.
    ///
    /// # Errors
    /// Names what is wrong with them.
    pub fn read(server: &Server, request: &Request, transport: Transport) -> Result<Self, Refusal> {
        if request.query.iter().any(|(name, _)| !name.starts_with('_') && !KNOWN.contains(&name.as_str())) {
            return Err(Refusal::new(400, "there is no such parameter"));
        }
        let after = after(server, request, transport)?;
        Ok(Self {
            transport,
            returns: matches!(after, After::Cursor { .. } | After::Unreadable),
            after,
            format: match request.parameter("format") {
                None | Some("raw") => Format::Raw,
                Some("json") => Format::Json,
                Some(_) => return Err(Refusal::new(400, "`format` is raw or json")),
            },
            client: request.parameter("client").map(str::to_owned),
            echo: request.parameter("echo") != Some("0"),
            wait: wait(request.parameter("wait"), server.limits.hold)?,
        })
    }
}

/// Where to begin. An event stream says it in a header, since a browser repeats the address as it was.
fn after(server: &Server, request: &Request, transport: Transport) -> Result<After, Refusal> {
    let last_event_id = request.header("Last-Event-ID").or(request.parameter("lastEventId"));
    let last_event_id = last_event_id.filter(|id| transport == Transport::Sse && !id.is_empty());
    if let Some(id) = last_event_id.filter(|_| !server.has(Fault::LastEventIdIgnored)) {
        return Ok(parse_cursor(server, id, transport).unwrap_or(After::Unreadable));
    }
    match request.parameter("after") {
        Some("start") if server.has(Fault::StartIsEnd) && transport == Transport::LongPoll => Ok(After::End),
        Some("start") => Ok(After::Start),
        None | Some("end") => Ok(After::End),
        Some(cursor) => match parse_cursor(server, cursor, transport) {
            Some(after) => Ok(after),
            None if server.has(Fault::BadCursorSilent) => Ok(After::End),
            None => Err(Refusal::new(400, "`after` is no cursor, `start` or `end`")),
        },
    }
}

/// `20` are seconds, `500ms` milliseconds; a poll is held for `longest` at most.
fn wait(text: Option<&str>, longest: Duration) -> Result<Duration, Refusal> {
    let Some(text) = text else { return Ok(longest) };
    let time = match text.strip_suffix("ms") {
        Some(number) => number.parse().map(Duration::from_millis),
        None => text.parse().map(Duration::from_secs),
    };
    time.map(|time| time.min(longest)).map_err(|_| Refusal::new(400, "`wait` is a number of seconds, or like 500ms"))
}

/// What a JavaScript number holds exactly (RFC 7493 §2.2).
const LARGEST_OFFSET: u64 = (1 << 53) - 1;

/// Reads `EPOCH.OFFSET`.
fn parse_cursor(server: &Server, text: &str, transport: Transport) -> Option<After> {
    let text = match text.strip_prefix("ws-") {
        Some(rest) if server.has(Fault::CursorIsForeign) && transport == Transport::WebSocket => rest,
        _ => text,
    };
    let (epoch, offset) = text.rsplit_once('.')?;
    let is_epoch = !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let has_no_zeros = offset == "0" || !offset.starts_with('0');
    let is_offset = has_no_zeros && offset.bytes().all(|byte| byte.is_ascii_digit());
    if !is_epoch || !is_offset || text.len() > 100 {
        return None;
    }
    let offset: u64 = offset.parse().ok().filter(|offset| *offset <= LARGEST_OFFSET)?;
    let offset = offset + shift(server, transport);
    Some(After::Cursor { epoch: epoch.to_owned(), offset })
}

/// Prints the cursor of a position.
pub fn cursor(server: &Server, channel: &Channel, transport: Transport, offset: u64) -> String {
    let prefix = if server.has(Fault::CursorIsForeign) && transport == Transport::WebSocket { "ws-" } else { "" };
    format!("{prefix}{}.{}", channel.epoch, offset.saturating_sub(shift(server, transport)))
}

/// By how much a transport's numbers are too small.
fn shift(server: &Server, transport: Transport) -> u64 {
    u64::from(server.has(Fault::CursorOffByOne) && transport == Transport::Sse)
}

/// Finds a position in the log, and the gap before it if there is one.
pub fn locate(server: &Server, channel: &Channel, after: &After) -> (u64, Option<Gap>) {
    let log = channel.log.borrow();
    let gap = |resume, after, missed, reason| (resume, Some(Gap { after, resume, missed, reason }));
    let (position, gap) = match after {
        After::Start => (log.start(), None),
        After::End => (log.head(), None),
        After::Unreadable => gap(log.start(), None, None, "epoch"),
        After::Cursor { epoch, offset } if *epoch != channel.epoch && !server.has(Fault::EpochIgnored) => {
            gap(log.start(), Some(format!("{epoch}.{offset}")), None, "epoch")
        }
        After::Cursor { epoch, offset } if *offset > log.head() => {
            gap(log.head(), Some(format!("{epoch}.{offset}")), None, "epoch")
        }
        After::Cursor { epoch, offset } if *offset < log.start() => {
            gap(log.start(), Some(format!("{epoch}.{offset}")), Some(log.start() - offset), "evicted")
        }
        After::Cursor { offset, .. } => (*offset, None),
    };
    (position, gap.filter(|_| !server.has(Fault::GapUntold)))
}
