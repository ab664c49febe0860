//! Presets: faults under the names of things that exist.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::faults::{Both, Buffer, Cut, Direction, Faults, How, Idle, Range, Upgrade};

/// A real thing that can be imitated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Preset {
    /// nginx with a bare `proxy_pass`.
    NginxDefault,
    /// A proxy at the border of a company.
    CorporateProxy,
    /// A virus scanner that looks into event streams.
    Antivirus,
    /// A train in a tunnel.
    TrainTunnel,
    /// A laptop that was closed and opened again.
    LaptopSleep,
    /// A phone on 3G.
    #[serde(rename = "mobile-3g")]
    Mobile3g,
    /// A load balancer with a time limit for silence.
    #[serde(rename = "load-balancer-60s")]
    LoadBalancer60s,
}

/// How long a train stays in its tunnel.
const TUNNEL: Duration = Duration::from_secs(20);

/// A preset as it is listed.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// Its name.
    pub name: Preset,
    /// What it imitates.
    pub imitates: &'static str,
    /// Where that is written down.
    pub source: &'static str,
    /// The faults it stands for.
    pub faults: Faults,
}

/// All presets.
#[must_use]
pub fn all() -> Vec<Listed> {
    Preset::ALL
        .into_iter()
        .map(|name| Listed { name, imitates: name.imitates(), source: name.source(), faults: name.faults() })
        .collect()
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::NginxDefault,
        Self::CorporateProxy,
        Self::Antivirus,
        Self::TrainTunnel,
        Self::LaptopSleep,
        Self::Mobile3g,
        Self::LoadBalancer60s,
    ];

    /// The faults that it stands for.
    #[must_use]
    pub fn faults(self) -> Faults {
        let healthy = Faults { preset: Some(self), ..Faults::default() };
        match self {
            Self::NginxDefault => Faults {
                upgrade: Some(Upgrade::Strip),
                buffer: Some(Buffer { until_bytes: Some(4096), honor_accel: true }),
                idle: Some(Idle { after_ms: 60_000, how: How::Fin }),
                ..healthy
            },
            Self::CorporateProxy => Faults {
                upgrade: Some(Upgrade::Forbidden),
                buffer: Some(Buffer { until_bytes: None, honor_accel: false }),
                idle: Some(Idle { after_ms: 30_000, how: How::Fin }),
                ..healthy
            },
            Self::Antivirus => Faults { hold_events: Some(true), ..healthy },
            Self::TrainTunnel => Faults {
                cut: Some(silence_for_all_open()),
                refuse_ms: Some(u64::try_from(TUNNEL.as_millis()).unwrap_or(u64::MAX)),
                ..healthy
            },
            Self::LaptopSleep => Faults { cut: Some(silence_for_all_open()), ..healthy },
            Self::Mobile3g => Faults {
                latency_ms: Some(Both { up: Some(150), down: Some(150) }),
                bandwidth: Some(Both { up: Some(768_000 / 8), down: Some(1_600_000 / 8) }),
                ..healthy
            },
            Self::LoadBalancer60s => Faults { idle: Some(Idle { after_ms: 60_000, how: How::Fin }), ..healthy },
        }
    }

    const fn imitates(self) -> &'static str {
        match self {
            Self::NginxDefault => {
                "nginx with a bare `proxy_pass`: it does not pass `Upgrade` on, fills a buffer of 4 KiB before it passes \
                 an answer on unless the answer says `X-Accel-Buffering: no`, and cuts after 60 silent seconds."
            }
            Self::CorporateProxy => {
                "A proxy at the border of a company: WebSockets are forbidden, answers are held until they are whole, \
                 and silence is cut after 30 seconds. Only long-polling lives."
            }
            Self::Antivirus => {
                "A virus scanner between browser and network: it lets an event through only when the next one begins."
            }
            Self::TrainTunnel => {
                "A train in a tunnel for 20 seconds: what is open falls silent without an end, and nothing new connects."
            }
            Self::LaptopSleep => {
                "A laptop that wakes up in another network: what was open is dead and does not know it, new connections \
                 are fine."
            }
            Self::Mobile3g => "A phone on 3G: 300 ms for a round trip, 1.6 Mbit/s down and 768 kbit/s up.",
            Self::LoadBalancer60s => {
                "A load balancer that cuts connections after 60 silent seconds, and answers 504 where the server has not \
                 begun to answer."
            }
        }
    }

    const fn source(self) -> &'static str {
        match self {
            Self::NginxDefault => {
                "nginx's documentation of proxy_buffering, proxy_buffer_size and proxy_read_timeout, and its page on \
                 WebSocket proxying."
            }
            Self::CorporateProxy => {
                "Broadcom's articles 406021 (event streams are scanned whole before they pass) and 201849 (WebSockets \
                 are denied by policy); RFC 6202 §3.2, and §5.5 on 30 seconds."
            }
            Self::Antivirus => {
                "featurehub-io/featurehub issue 296, where Kaspersky held the first event until the second came; here \
                 every event is held so, which is harder."
            }
            Self::TrainTunnel => "RFC 9293 §3.8.3: TCP does not end a connection because no answer comes for a while.",
            Self::LaptopSleep => "RFC 9293 §3.5.1: a half-open connection, whose other end has gone without a word.",
            Self::Mobile3g => "WebPageTest's connectivity.ini, profile `3G`.",
            Self::LoadBalancer60s => {
                "The idle time-out of an AWS Application Load Balancer, 60 seconds unless it is changed. HAProxy does \
                 the same after Debian's 50 seconds, and also delays streams by 200 ms (`option http-no-delay`), which \
                 is not imitated."
            }
        }
    }
}

const fn silence_for_all_open() -> Cut {
    Cut {
        after_bytes: None,
        after_messages: None,
        after_ms: Some(Range { min: 0, max: 0 }),
        how: How::Silence,
        direction: Direction::Both,
        open_only: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_can_be_asked_for_by_its_name() {
        for listed in all() {
            let name = serde_json::to_string(&listed.name).expect("a name is a string");
            let faults = Faults::parse(format!("{{\"preset\": {name}}}").as_bytes());
            assert_eq!(faults, Ok(listed.faults), "{name}");
        }
    }

    #[test]
    fn a_preset_written_out_is_a_valid_set_of_faults() {
        for listed in all() {
            let written = serde_json::to_vec(&listed.faults).expect("faults can be written");
            assert_eq!(Faults::parse(&written), Ok(listed.faults));
        }
    }

    #[test]
    fn every_preset_says_in_sentences_what_it_imitates_and_who_says_so() {
        for listed in all() {
            assert!(listed.imitates.ends_with('.') && listed.source.ends_with('.'), "{listed:?}");
        }
    }
}
