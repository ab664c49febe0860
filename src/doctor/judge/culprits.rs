//! Who it was. One middlebox shows in several questions; here these come together.

use serde::Serialize;

use super::{
    holding::{Holding, block_size, holding_of},
    idle::{Cut, cut},
    names::name,
    words::{list, size, time},
};
use crate::doctor::observations::{End, Handshake, Observations, Stream};

/// What stands in the way, by what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A proxy that takes `Upgrade` off.
    StrippingProxy,
    /// A proxy that forbids WebSocket.
    FilteringProxy,
    /// A proxy that accepts WebSocket and passes nothing on.
    MuteProxy,
    /// A proxy that holds answers back.
    BufferingProxy,
    /// A scanner that looks into event streams.
    VirusScanner,
    /// A time limit for silence.
    IdleTimeout,
    /// A time in which nothing got through.
    Outage,
    /// A network that is another one than before.
    ChangedNetwork,
    /// A way that is long or narrow.
    SlowLine,
    /// A proxy that compresses streams.
    CompressingProxy,
    /// A proxy that sends requests twice.
    RepeatingProxy,
}

/// Something that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Culprit {
    /// What it does.
    pub kind: Kind,
    /// What it calls itself, if it does.
    pub name: Option<String>,
    /// Whether it keeps a transport from working, rather than only being something to know about.
    pub blocks: bool,
    /// The same as part of a sentence.
    pub text: String,
}

/// Everybody who stands in the way.
pub fn culprits(o: &Observations) -> Vec<Culprit> {
    let on_handshakes_and_streams = match scanner(o) {
        Some(scanner) => vec![Some(scanner), handshakes(o, false)],
        None => vec![proxy(o)],
    };
    let others = [silence(o), outage(o), repeater(o), compressor(o), slow_line(o)];
    on_handshakes_and_streams.into_iter().chain(others).flatten().collect()
}

fn culprit(o: &Observations, kind: Kind, blocks: bool, text: String) -> Culprit {
    Culprit { kind, name: name(o).map(|name| name.name), blocks, text }
}

/// How the middlebox is called in a sentence.
fn who(o: &Observations, nameless: &str) -> String {
    name(o).map_or_else(|| nameless.to_owned(), |name| name.to_string())
}

/// A virus scanner shows in event streams alone: it knows nothing of other formats.
fn scanner(o: &Observations) -> Option<Culprit> {
    let is_held = holding_of(o, Stream::Events)? == Holding::UntilNext;
    let others_pass = holding_of(o, Stream::Lines).is_none_or(Holding::is_harmless);
    (is_held && others_pass).then(|| {
        let text =
            "a virus scanner on the way, or on this machine, looks into event streams: it lets an event through \
                    only when the next one begins"
                .to_owned();
        culprit(o, Kind::VirusScanner, true, text)
    })
}

/// A proxy that does something to handshakes, to streams, or to both.
fn proxy(o: &Observations) -> Option<Culprit> {
    let held = held(o, Stream::Events, Stream::Fill);
    match (handshakes(o, held.is_some()), held) {
        (Some(of_handshakes), None) => Some(of_handshakes),
        (None, None) => None,
        (None, Some(held)) => {
            Some(culprit(o, Kind::BufferingProxy, true, format!("{} {held}", who(o, "a proxy on the way"))))
        }
        (Some(of_handshakes), Some(held)) => {
            let border = match (of_handshakes.kind, name(o)) {
                (Kind::FilteringProxy, None) => ", as proxies do that scan everything at the border of a company",
                _ => "",
            };
            Some(Culprit { text: format!("{} and {held}{border}", of_handshakes.text), ..of_handshakes })
        }
    }
}

/// What becomes of handshakes. What holds streams, too, is described together with that.
fn handshakes(o: &Observations, holds_streams: bool) -> Option<Culprit> {
    let upgrade = o.upgrade.as_ref()?;
    let who = who(o, "a proxy on the way");
    let status = upgrade.status.map(|status| format!(" ({status})")).unwrap_or_default();
    let (kind, text) = match upgrade.outcome {
        Handshake::Passed | Handshake::RefusedByServer => return None,
        Handshake::Stripped => {
            (Kind::StrippingProxy, format!("{who} does not pass `Upgrade` on{}", like_nginx(o, holds_streams)))
        }
        Handshake::Refused => (Kind::FilteringProxy, format!("{who} does not let WebSockets through{status}")),
        Handshake::Mute | Handshake::OneWay => {
            (Kind::MuteProxy, format!("{who} accepts WebSockets and then passes nothing on"))
        }
        Handshake::Dropped => (Kind::FilteringProxy, format!("{who} hangs up on WebSockets without an answer")),
        Handshake::Unanswered => (Kind::FilteringProxy, format!("{who} leaves WebSockets without an answer")),
    };
    Some(culprit(o, kind, true, text))
}

/// Without a word from it, a bare `proxy_pass` is still known by its habits: blocks of some KiB, unless an answer says
/// `X-Accel-Buffering: no`, which is nginx's own field.
fn like_nginx(o: &Observations, holds_streams: bool) -> &'static str {
    let is_nginx = name(o).is_some_and(|name| name.name.to_ascii_lowercase().starts_with("nginx"));
    let holds_plain = holding_of(o, Stream::Plain).is_some_and(|plain| !plain.is_harmless());
    if is_nginx {
        ", as it does with a bare `proxy_pass`"
    } else if holds_plain && !holds_streams {
        "; it behaves like nginx with a bare `proxy_pass`, which buffers what does not say `X-Accel-Buffering: no`"
    } else {
        ""
    }
}

/// How a stream is held back, if it is.
fn held(o: &Observations, of: Stream, fill: Stream) -> Option<String> {
    let until = match holding_of(o, of)? {
        Holding::PassedOn => return None,
        Holding::UntilNext => "until the next one comes".to_owned(),
        Holding::Never => "for good".to_owned(),
        Holding::InBlocks | Holding::UntilEnd => match block_size(o, fill) {
            Some(bytes) => format!("until they are about {}", size(bytes)),
            None => "until they are whole".to_owned(),
        },
    };
    Some(format!("holds answers back {until}"))
}

/// Who cuts what is silent, if it is silence that is cut.
fn silence(o: &Observations) -> Option<Culprit> {
    let cut = cut(o)?;
    if o.outages.is_empty() && cut == Cut::Everything {
        let text =
            "the network of this machine has changed, or it was asleep: what was open is dead without a word, and \
                    new connections work"
                .to_owned();
        return Some(Culprit { kind: Kind::ChangedNetwork, name: None, blocks: false, text });
    }
    let Cut::Silent { after_ms, end } = cut else { return None };
    let who = who(o, "something on the way");
    let text = match end {
        End::Silence => format!("{who} drops connections that are silent, without a word"),
        End::Reset => format!("{who} cuts connections that are silent for {}, by a reset (RST)", time(after_ms)),
        End::Fin => format!("{who} cuts connections that are silent for {}, in order (FIN)", time(after_ms)),
        _ => format!("{who} cuts connections that are silent for {}", time(after_ms)),
    };
    Some(culprit(o, Kind::IdleTimeout, false, text))
}

fn outage(o: &Observations) -> Option<Culprit> {
    let total: f64 = o.outages.iter().map(|outage| outage.lasted_ms).sum();
    (!o.outages.is_empty()).then(|| {
        let died = if cut(o) == Some(Cut::Everything) { ", and what was open fell silent without an end" } else { "" };
        let text = format!(
            "nothing got through for {}{died}, as in a tunnel or where there is no signal; no proxy is to blame",
            time(total)
        );
        Culprit { kind: Kind::Outage, name: None, blocks: false, text }
    })
}

fn repeater(o: &Observations) -> Option<Culprit> {
    let duplicates = o.duplicates.filter(|duplicates| duplicates.arrived > duplicates.sent)?;
    let text = format!(
        "{} sends requests twice: {} were sent and {} arrived",
        who(o, "a proxy on the way"),
        duplicates.sent,
        duplicates.arrived
    );
    Some(culprit(o, Kind::RepeatingProxy, false, text))
}

fn compressor(o: &Observations) -> Option<Culprit> {
    let codings: Vec<String> = o.pieces.iter().filter_map(|pieces| pieces.coding.clone()).collect();
    let coding = codings.into_iter().find(|coding| !matches!(coding.as_str(), "" | "identity"))?;
    let text =
        format!("{} compresses streams ({coding}), for which it has to gather them", who(o, "a proxy on the way"));
    Some(culprit(o, Kind::CompressingProxy, false, text))
}

/// From this round trip on, people notice every one of them.
pub const LONG_MS: f64 = 150.0;

fn slow_line(o: &Observations) -> Option<Culprit> {
    let clock = o.clock.filter(|clock| clock.round_trip_ms >= LONG_MS)?;
    let text = format!(
        "the way is long: {} for a round trip at best, as over a mobile network (3G) or a satellite; no proxy is to blame",
        time(clock.round_trip_ms)
    );
    Some(Culprit { kind: Kind::SlowLine, name: None, blocks: false, text })
}

/// Everybody as one part of a sentence.
pub fn together(culprits: &[&Culprit]) -> String {
    list(&culprits.iter().map(|culprit| culprit.text.clone()).collect::<Vec<_>>())
}
