//! Whether streams are passed on as they come.

use super::{
    Finding, Mark,
    holding::{Holding, block_size, holding, holding_of},
    words::{size, time},
};
use crate::doctor::observations::{Observations, Stream};

/// What became of streams.
pub fn find(o: &Observations) -> Option<Finding> {
    let events = holding_of(o, Stream::Events)?;
    let lines = holding_of(o, Stream::Lines);
    let plain = holding_of(o, Stream::Plain);
    let seen: Vec<String> = [
        Some(sentence(o, "Server-sent events", events, Stream::Fill)),
        lines.map(|lines| sentence(o, "Lines of JSON", lines, Stream::Fill)),
        plain
            .filter(|&plain| plain != events)
            .map(|plain| sentence(o, "Events that do not say `X-Accel-Buffering: no`", plain, Stream::FillPlain)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mark = match (events.is_harmless() && lines.is_none_or(Holding::is_harmless), plain) {
        (false, _) => Mark::Fault,
        (true, Some(plain)) if !plain.is_harmless() => Mark::Notice,
        (true, _) => Mark::Well,
    };
    let finding = Finding::new("flush", "Streams, as they come", mark, seen.join(" "));
    Some(match (events, lines, plain) {
        (Holding::UntilNext, Some(Holding::PassedOn), _) => finding
            .means("Something knows the format of event streams and waits for the end of each event: a virus scanner.")
            .remedy(
                "Use WebSocket or https. Where it has to be events, send one more behind each; a comment is no event. Or \
                 allow this server in the scanner's settings for the web.",
            ),
        (Holding::PassedOn, Some(Holding::PassedOn) | None, Some(plain)) if !plain.is_harmless() => finding
            .means("A proxy fills a buffer first, unless an answer asks it not to. fallcast asks; other servers have to, too.")
            .remedy("In nginx, `proxy_buffering off;` does the same for every answer."),
        (Holding::PassedOn, Some(Holding::PassedOn) | None, _) if is_gathered(o) => {
            let finding = Finding { mark: Mark::Notice, ..finding };
            finding
                .means("Something waits for fuller packets before it sends.")
                .remedy("HAProxy does so without `option http-no-delay`, and so does a kernel without `TCP_NODELAY`.")
        }
        (Holding::PassedOn, Some(Holding::PassedOn) | None, _) => finding,
        _ => finding
            .means("A proxy gathers answers before it passes them on, whatever they ask for. Nothing that stays open is of use.")
            .remedy("Use long-polling, whose answers are whole. At the proxy: no buffering and no scanning for this server."),
    })
}

fn sentence(o: &Observations, what: &str, held: Holding, fill: Stream) -> String {
    match held {
        Holding::PassedOn => format!("{what} are passed on as they come{}.", typical_lag(o, what)),
        Holding::UntilNext => format!("{what} are held back: each arrives when the next one is sent."),
        Holding::Never => format!("{what} do not arrive at all."),
        Holding::InBlocks | Holding::UntilEnd => match block_size(o, fill) {
            Some(bytes) => format!("{what} are held back until they are about {}.", size(bytes)),
            None => format!("{what} are held back until the answer is whole."),
        },
    }
}

/// The time in the middle from sending to arrival, if the clocks agree well enough to tell.
fn typical_lag(o: &Observations, what: &str) -> String {
    let of = if what.starts_with("Server") { Stream::Events } else { Stream::Lines };
    match (lag(o, of), o.clock) {
        (Some(lag), Some(clock)) => format!(", {} after they were sent (± {})", time(lag), time(clock.bound_ms)),
        _ => String::new(),
    }
}

/// The time in the middle from sending to arrival, if that is more than what clocks may be wrong by.
fn lag(o: &Observations, of: Stream) -> Option<f64> {
    let pieces = o.pieces.iter().find(|pieces| pieces.of == of && holding(pieces).is_harmless())?;
    let mut lags: Vec<f64> = pieces.seen.iter().map(|(sent, arrived)| arrived - sent).collect();
    lags.sort_by(f64::total_cmp);
    let bound = o.clock?.bound_ms;
    lags.get(lags.len() / 2).copied().filter(|&lag| lag > bound)
}

/// Whether pieces are late by what kernels wait at most for a fuller packet, 200 ms on Linux, or close to it.
fn is_gathered(o: &Observations) -> bool {
    const LATE_MS: f64 = 120.0;
    let bound = o.clock.map_or(0.0, |clock| clock.bound_ms);
    lag(o, Stream::Events).is_some_and(|lag| lag > bound + LATE_MS)
}
