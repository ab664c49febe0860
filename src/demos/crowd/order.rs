//! What can be asked for: which experiment, and how its knobs stand.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::bench::load::{Comeback, Transport};

use super::experiments::Limits;

/// An experiment, as it is asked for in JSON. What is left out stands as in the demo's bet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Order {
    /// How many can listen: ten subscribers, a hundred, and so on, idle first, and then with messages.
    Crowd(Listening),
    /// What happens when the server restarts: all come back.
    Storm(Storm),
    /// How a stopped server looks to a closed loop, and to an open one.
    Freeze(Freezing),
}

/// How many can listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listening {
    /// How they listen.
    pub transport: By,
    /// How many there are in the end.
    pub subscribers: usize,
    /// Messages a second, each to everybody.
    pub rate: u32,
}

/// What happens when the server restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storm {
    /// How many clients lose their server.
    pub clients: usize,
    /// How they come back.
    pub rule: Rules,
    /// For how long there is no server, in milliseconds.
    pub down_ms: u64,
}

/// How a stopped server looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Freezing {
    /// How many listen to either sender.
    pub subscribers: usize,
    /// Messages a second of either sender.
    pub rate: u32,
    /// For how long the server is stopped, in milliseconds.
    pub freeze_ms: u64,
}

/// The transports of the demos.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// WebSocket.
    Websocket,
    /// Server-sent events.
    Sse,
    /// Long-polling.
    LongPoll,
}

impl From<By> for Transport {
    fn from(by: By) -> Self {
        match by {
            By::Websocket => Self::WebSocket,
            By::Sse => Self::Sse,
            By::LongPoll => Self::LongPoll,
        }
    }
}

/// One rule for coming back, or all of them one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rules {
    /// All.
    All,
    /// This one.
    #[serde(untagged)]
    One(Rule),
}

/// How a client comes back whose server is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// As soon as it knows.
    AtOnce,
    /// After a second, each time.
    Fixed,
    /// After one second, then two, then four.
    Doubling,
    /// After a random part of that.
    Jitter,
    /// After as long as the server has told each in the field `retry` of its event stream.
    Retry,
}

/// Over a network a client knows a round trip later that it was refused. On loopback there is none, so it is added: with
/// it, what a client does at once is done by as many as there are clients, and not by as many as this machine can.
const ROUND_TRIP: Duration = Duration::from_millis(20);

/// The pause with which the rules begin.
const FIRST: Duration = Duration::from_secs(1);

/// The longest pause of a rule whose pauses grow.
const LONGEST: Duration = Duration::from_secs(8);

impl Rules {
    /// The rules, in the order in which they are tried.
    #[must_use]
    pub fn each(self) -> Vec<Rule> {
        match self {
            Self::All => vec![Rule::AtOnce, Rule::Fixed, Rule::Doubling, Rule::Jitter, Rule::Retry],
            Self::One(rule) => vec![rule],
        }
    }
}

impl Rule {
    /// What a subscriber does.
    #[must_use]
    pub const fn comeback(self) -> Comeback {
        match self {
            Self::AtOnce => Comeback::After(ROUND_TRIP),
            Self::Fixed => Comeback::After(FIRST),
            Self::Doubling => Comeback::Doubling { first: FIRST, longest: LONGEST, is_drawn: false },
            Self::Jitter => Comeback::Doubling { first: FIRST, longest: LONGEST, is_drawn: true },
            Self::Retry => Comeback::AsTold { otherwise: FIRST },
        }
    }

    /// By which transport. Only an event stream tells when to come back.
    #[must_use]
    pub const fn transport(self) -> Transport {
        match self {
            Self::Retry => Transport::Sse,
            _ => Transport::WebSocket,
        }
    }
}

impl Default for Listening {
    fn default() -> Self {
        Self { transport: By::Websocket, subscribers: 10_000, rate: 10 }
    }
}

impl Default for Storm {
    fn default() -> Self {
        Self { clients: 500, rule: Rules::All, down_ms: 2500 }
    }
}

impl Default for Freezing {
    fn default() -> Self {
        Self { subscribers: 10, rate: 100, freeze_ms: 1000 }
    }
}

/// More clients than these would measure how fast the generator connects.
const MOST_IN_STORM: usize = 2000;

/// So long a server is away at most, and stopped at most, in milliseconds.
const LONGEST_DOWN_MS: u64 = 5000;
const LONGEST_FREEZE_MS: u64 = 3000;

/// Two senders share one generator's core.
const MOST_IN_FREEZE: usize = 100;

/// Why an experiment is not made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadOrder {
    /// It is no order.
    #[error("{0}; an order looks like {{\"kind\": \"crowd\", \"subscribers\": 1000, \"rate\": 10}}")]
    Unreadable(String),
    /// A knob stands too high or too low.
    #[error("`{knob}` is {asked}, but it is from {least} to {most}{reason}")]
    OutOfBounds {
        /// The knob.
        knob: &'static str,
        /// How it stands.
        asked: u64,
        /// The least.
        least: u64,
        /// The most.
        most: u64,
        /// Which setting bounds it, if one does.
        reason: &'static str,
    },
    /// The system cannot do it.
    #[error("this system cannot stop a process and let it go on, so there is no frozen server here")]
    NoFreeze,
}

impl Order {
    /// Reads an order and checks it against the limits.
    ///
    /// # Errors
    /// Names what is wrong, and its bounds.
    pub fn parse(json: &[u8], limits: &Limits) -> Result<Self, BadOrder> {
        let order: Self = serde_json::from_slice(json).map_err(|fault| BadOrder::Unreadable(fault.to_string()))?;
        order.check(limits)?;
        Ok(order)
    }

    /// How many connections it needs at most.
    #[must_use]
    pub const fn connections(&self) -> usize {
        match self {
            Self::Crowd(listening) => listening.subscribers,
            Self::Storm(storm) => storm.clients,
            Self::Freeze(freeze) => 2 * freeze.subscribers,
        }
    }

    fn check(&self, limits: &Limits) -> Result<(), BadOrder> {
        const BY_CROWD: &str = " (--crowd-subscribers, and what the descriptor limit leaves)";
        let people = |knob, asked: usize, most: usize| {
            within(knob, asked as u64, 1, limits.subscribers.min(most) as u64, BY_CROWD)
        };
        let rate = |asked: u32| within("rate", asked.into(), 1, limits.rate.into(), " (--crowd-rate)");
        match *self {
            Self::Crowd(Listening { subscribers, rate: asked, .. }) => {
                people("subscribers", subscribers, usize::MAX)?;
                rate(asked)
            }
            Self::Storm(Storm { clients, down_ms, .. }) => {
                people("clients", clients, MOST_IN_STORM)?;
                within("down_ms", down_ms, 0, LONGEST_DOWN_MS, "")
            }
            Self::Freeze(_) if cfg!(not(unix)) => Err(BadOrder::NoFreeze),
            Self::Freeze(Freezing { subscribers, rate: asked, freeze_ms }) => {
                people("subscribers", subscribers, MOST_IN_FREEZE)?;
                rate(asked)?;
                within("freeze_ms", freeze_ms, 0, LONGEST_FREEZE_MS, "")
            }
        }
    }
}

fn within(knob: &'static str, asked: u64, least: u64, most: u64, reason: &'static str) -> Result<(), BadOrder> {
    if (least..=most).contains(&asked) {
        Ok(())
    } else {
        Err(BadOrder::OutOfBounds { knob, asked, least, most, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { subscribers: 5000, rate: 100, time: Duration::from_mins(1) };

    fn fault(json: &str) -> String {
        Order::parse(json.as_bytes(), &LIMITS).expect_err("a fault").to_string()
    }

    #[test]
    fn what_is_left_out_stands_as_in_the_bet() {
        let storm = Order::parse(br#"{"kind":"storm","rule":"jitter"}"#, &LIMITS);
        assert_eq!(storm, Ok(Order::Storm(Storm { clients: 500, rule: Rules::One(Rule::Jitter), down_ms: 2500 })));
        let crowd = Order::parse(br#"{"kind":"crowd","transport":"long-poll","subscribers":10}"#, &LIMITS);
        assert_eq!(crowd, Ok(Order::Crowd(Listening { transport: By::LongPoll, subscribers: 10, rate: 10 })));
    }

    #[test]
    fn an_order_is_written_as_it_is_read() {
        for json in [
            r#"{"kind":"crowd","transport":"sse","subscribers":10,"rate":5}"#,
            r#"{"kind":"storm","clients":20,"rule":"at-once","down_ms":0}"#,
            r#"{"kind":"storm","clients":20,"rule":"all","down_ms":0}"#,
        ] {
            let order = Order::parse(json.as_bytes(), &LIMITS).expect("an order");
            assert_eq!(serde_json::to_string(&order).expect("JSON"), json);
        }
    }

    #[test]
    fn what_is_out_of_bounds_is_told_with_the_bounds() {
        assert_eq!(
            fault(r#"{"kind":"crowd","subscribers":5001}"#),
            "`subscribers` is 5001, but it is from 1 to 5000 (--crowd-subscribers, and what the descriptor limit leaves)"
        );
        assert!(fault(r#"{"kind":"crowd","subscribers":0}"#).contains("from 1 to"));
        assert!(fault(r#"{"kind":"crowd","subscribers":1,"rate":101}"#).contains("from 1 to 100 (--crowd-rate)"));
        assert!(fault(r#"{"kind":"storm","clients":2001}"#).contains("from 1 to 2000"));
        assert!(fault(r#"{"kind":"storm","down_ms":5001}"#).contains("from 0 to 5000"));
    }

    #[test]
    fn what_is_no_order_is_told_how_one_looks() {
        for json in ["", "[]", "{}", r#"{"kind":"party"}"#, r#"{"kind":"storm","subscribers":1}"#] {
            assert!(fault(json).contains("an order looks like"), "{json}");
        }
    }

    #[test]
    fn rules_are_tried_from_the_rudest_to_the_most_polite() {
        assert_eq!(Rules::All.each().len(), 5);
        assert_eq!(Rules::One(Rule::Retry).each(), [Rule::Retry]);
    }
}
