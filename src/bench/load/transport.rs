//! The ways in which messages can reach a subscriber.

use std::{fmt, str::FromStr, time::Duration};

use super::decode::Form;

/// A transport, as it is asked for on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// WebSocket (RFC 6455).
    WebSocket,
    /// Server-sent events (WHATWG HTML §9.2).
    Sse,
    /// A request that is held until there is something to say (RFC 6202 §2).
    LongPoll,
    /// An endless answer, one JSON text a line.
    Stream,
    /// A request at fixed intervals that is answered at once.
    ShortPoll(Duration),
}

/// How often a short-poll asks if nothing else is said.
const SHORT_POLL: Duration = Duration::from_millis(500);

const NAMES: &str =
    "websocket, sse, long-poll, stream, and short-poll, or short-poll=2s for another interval than 500ms";

impl Transport {
    /// Its name without an interval.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Sse => "sse",
            Self::LongPoll => "long-poll",
            Self::Stream => "stream",
            Self::ShortPoll(_) => "short-poll",
        }
    }

    /// In which form its messages arrive.
    #[must_use]
    pub const fn form(self) -> Form {
        match self {
            Self::WebSocket => Form::WebSocket,
            Self::Sse => Form::EventStream,
            Self::Stream => Form::Lines,
            Self::LongPoll | Self::ShortPoll(_) => Form::Answers,
        }
    }

    /// The interval at which it asks, if it does.
    #[must_use]
    pub const fn interval(self) -> Option<Duration> {
        match self {
            Self::ShortPoll(interval) => Some(interval),
            _ => None,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShortPoll(interval) => {
                write!(formatter, "short-poll={}", humantime::format_duration(*interval).to_string().replace(' ', ""))
            }
            other => formatter.write_str(other.name()),
        }
    }
}

impl FromStr for Transport {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "websocket" => Self::WebSocket,
            "sse" => Self::Sse,
            "long-poll" => Self::LongPoll,
            "stream" => Self::Stream,
            "short-poll" => Self::ShortPoll(SHORT_POLL),
            _ => {
                let interval = text.strip_prefix("short-poll=").and_then(|time| humantime::parse_duration(time).ok());
                let interval = interval.filter(|interval| *interval >= Duration::from_millis(1));
                Self::ShortPoll(interval.ok_or_else(|| format!("{text:?} is no transport; there are {NAMES}"))?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transport_is_printed_as_it_is_asked_for() {
        for name in ["websocket", "sse", "long-poll", "stream", "short-poll=500ms", "short-poll=1m30s"] {
            assert_eq!(name.parse::<Transport>().expect("a transport").to_string(), name);
        }
        assert_eq!("short-poll".parse(), Ok(Transport::ShortPoll(SHORT_POLL)));
    }

    #[test]
    fn what_is_no_transport_is_told_which_there_are() {
        for name in ["", "ws", "short-poll=", "short-poll=fast", "short-poll=0s", "sse=1s"] {
            assert!(name.parse::<Transport>().expect_err("no transport").contains("long-poll"), "{name}");
        }
    }
}
