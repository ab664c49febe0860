//! Which transport to use, and why.

use serde::Serialize;

use super::{
    Finding, Mark,
    culprits::{Culprit, culprits, together},
    holding::{Holding, holding_of},
};
use crate::doctor::observations::{Handshake, Observations, Stream, Transport};

/// What to do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The best transport that works; `None` if nothing is known of any.
    pub transport: Option<Transport>,
    /// How things stand, all in all.
    pub mark: Mark,
    /// Who stands in the way.
    pub culprits: Vec<Culprit>,
    /// All of it, for people.
    pub text: String,
}

impl Verdict {
    /// Chooses a transport.
    #[must_use]
    pub fn of(o: &Observations, findings: &[Finding]) -> Self {
        let transport = Transport::ALL.into_iter().find(|&transport| works(o, transport) == Some(true));
        let culprits = culprits(o);
        let mark = findings.iter().map(|finding| finding.mark).max().unwrap_or(Mark::Unknown);
        let text = text(o, transport, &culprits);
        Self { transport, mark, culprits, text }
    }
}

/// Whether a transport works, as far as that was looked at.
pub fn works(o: &Observations, transport: Transport) -> Option<bool> {
    let latency = o.latency.iter().find(|latency| latency.transport == transport);
    let arrives = latency.map(|latency| !latency.times_ms.is_empty());
    let passes = match transport {
        Transport::Websocket => o.upgrade.as_ref().map(|upgrade| upgrade.outcome == Handshake::Passed),
        Transport::Sse => holding_of(o, Stream::Events).map(Holding::is_harmless),
        Transport::Stream => holding_of(o, Stream::Lines).map(Holding::is_harmless),
        // Whatever answers can be polled.
        Transport::LongPoll => arrives.or_else(|| o.clock.map(|_| true)),
    };
    // A resource made for examinations may pass where a channel does not.
    Some(passes? && arrives.unwrap_or(true))
}

fn text(o: &Observations, transport: Option<Transport>, culprits: &[Culprit]) -> String {
    let Some(transport) = transport else {
        return if o.offer.is_some() {
            "Nothing that was tried gets through here.".to_owned()
        } else {
            "This server does not answer as fallcast does, so little can be said.".to_owned()
        };
    };
    let (blocking, others): (Vec<_>, Vec<_>) = culprits.iter().partition(|culprit| culprit.blocks);
    let all_work = Transport::ALL.into_iter().all(|transport| works(o, transport) != Some(false));
    let why = if !blocking.is_empty() {
        format!(": {}.", together(&blocking))
    } else if all_work {
        ": it gets through, and so does everything else.".to_owned()
    } else {
        ": it gets through.".to_owned()
    };
    let beware = if others.is_empty() { String::new() } else { format!(" To know: {}.", together(&others)) };
    format!("Use {} here{why}{beware}", transport.name())
}
