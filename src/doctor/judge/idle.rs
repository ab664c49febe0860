//! What becomes of connections on which nothing is said.

use super::{
    Finding, Mark,
    words::{capitalized, ended, list, time},
};
use crate::doctor::observations::{End, IdleLine, LineKind, Observations};

/// What was cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cut {
    /// What was silent for so long, in this way. Of what falls silent itself nobody knows when that was.
    Silent {
        /// How long.
        after_ms: f64,
        /// How it ended.
        end: End,
    },
    /// All that was open, silent or not, without a word.
    Everything,
}

/// What was cut, if anything was.
pub fn cut(o: &Observations) -> Option<Cut> {
    let opened: Vec<&IdleLine> = o.idle.as_ref()?.lines.iter().filter(|line| line.end != End::NotOpened).collect();
    let (beating, quiet): (Vec<&IdleLine>, Vec<_>) = opened.iter().copied().partition(|line| line.beat_ms.is_some());
    let dead: Vec<&IdleLine> = quiet.into_iter().filter(|line| line.end != End::Lived).collect();
    // A poll alone that is not answered in time may have been sent once more by a proxy, and so have begun anew.
    if dead.iter().all(|line| line.kind == LineKind::Poll && line.end == End::Silence) {
        return None;
    }
    if !beating.is_empty() && opened.iter().all(|line| line.end == End::Silence) {
        return Some(Cut::Everything);
    }
    let told = dead.iter().filter(|line| line.end != End::Silence);
    let first = told.min_by(|a, b| a.silent_ms.total_cmp(&b.silent_ms)).unwrap_or(&dead[0]);
    // A proxy that answers in the server's place has closed the connection to it in order.
    let end = if first.end == End::Answered { End::Fin } else { first.end };
    Some(Cut::Silent { after_ms: first.silent_ms, end })
}

/// What became of them.
pub fn find(o: &Observations) -> Option<Finding> {
    let idle = o.idle.as_ref()?;
    let (patience, heartbeat) = (time(idle.patience_ms), o.offer.map(|offer| offer.heartbeat_ms));
    let new = |mark, seen: String| Finding::new("idle", "Silent connections", mark, seen);
    let beats = heartbeat.map(|heartbeat| format!("every {}", time(heartbeat))).unwrap_or_default();
    Some(match cut(o) {
        None => new(Mark::Well, format!("Silent for {patience}, none was cut."))
            .means(format!(
                "A limit beyond that is not seen; 60 s is common (nginx, load balancers). The server's heartbeat comes {beats}."
            ))
            .remedy("`fallcast doctor --idle 90s URL` waits longer."),
        Some(Cut::Everything) => new(Mark::Fault, format!("{} None of them was ended.", what_died(&idle.lines)))
            .means(
                "Connections on which the server spoke died, too, so silence is not what was cut. The way is another one now: \
                 the machine slept, changed its network, or was where nothing gets through.",
            )
            .remedy(
                "Nothing at the server helps. A client has to miss the heartbeat and come back with its cursor, as \
                 fallcast's does.",
            ),
        Some(Cut::Silent { after_ms, end }) => {
            let helps = heartbeat.is_some_and(|heartbeat| heartbeat < after_ms && end != End::Silence);
            let alive = idle.lines.iter().filter(|line| line.beat_ms.is_some() && line.end == End::Lived).count();
            let seen = format!("{}{}", what_died(&idle.lines), what_lived(&idle.lines));
            let finding = new(if helps { Mark::Notice } else { Mark::Fault }, seen);
            match (helps, alive) {
                (true, _) => finding
                    .means(format!("The server's heartbeat comes {beats}, so its connections are never silent for so long.")),
                (false, 0) => finding
                    .means(format!("A heartbeat {beats} does not keep them alive."))
                    .remedy(shorter_heartbeat(end, after_ms)),
                (false, _) => finding
                    .means(format!(
                        "Whatever is silent is cut, and the server's heartbeat {beats} comes too late; one that comes \
                         often enough keeps connections alive."
                    ))
                    .remedy(shorter_heartbeat(end, after_ms)),
            }
        }
    })
}

/// Half of the limit, so that one beat may be late.
fn shorter_heartbeat(end: End, after_ms: f64) -> String {
    if end == End::Silence {
        return "Start the server with a shorter `--heartbeat`, such as 10s, and let clients notice that none comes."
            .to_owned();
    }
    let half = after_ms / 2.0;
    // In round figures, as people would write it.
    let beat = match half {
        ..2000.0 => format!("{:.0}ms", (half / 100.0).round().max(1.0) * 100.0),
        _ => format!("{:.0}s", (half / 1000.0).round()),
    };
    format!("Start the server with `--heartbeat {beat} --poll-hold {beat}`, or raise the limit at the proxy.")
}

fn what_died(lines: &[IdleLine]) -> String {
    let dead = lines.iter().filter(|line| !matches!(line.end, End::Lived | End::NotOpened));
    let dead: Vec<String> = dead
        .map(|line| {
            let status = line.status.map(|status| format!(", {status}")).unwrap_or_default();
            let after =
                if line.end == End::Silence { String::new() } else { format!(" after {}", time(line.silent_ms)) };
            format!("{} {}{after}{status}", called(line), ended(line.end))
        })
        .collect();
    capitalized(&list(&dead)) + "."
}

fn what_lived(lines: &[IdleLine]) -> String {
    let alive: Vec<String> = lines.iter().filter(|line| line.end == End::Lived).map(called).collect();
    match alive.len() {
        0 => String::new(),
        1 => format!(" What lives is {}.", alive[0]),
        _ => format!(" What lives are {}.", list(&alive)),
    }
}

fn called(line: &IdleLine) -> String {
    let kind = match line.kind {
        LineKind::Websocket => "WebSocket",
        LineKind::Stream => "stream",
        LineKind::Poll => return "an unanswered poll".to_owned(),
    };
    match line.beat_ms {
        None => format!("a silent {kind}"),
        Some(beat) => format!("a {kind} on which something is said every {}", time(beat)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::observations::{Idle, Offer};

    const fn line(kind: LineKind, beat_ms: Option<f64>, end: End, silent_ms: f64) -> IdleLine {
        IdleLine { kind, beat_ms, end, status: None, silent_ms }
    }

    fn seen(lines: Vec<IdleLine>, heartbeat_ms: f64) -> Observations {
        Observations {
            idle: Some(Idle { patience_ms: 15_000.0, lines }),
            offer: Some(Offer { heartbeat_ms, poll_hold_ms: 25_000.0, may_see_room: false }),
            ..Observations::default()
        }
    }

    #[test]
    fn what_is_cut_for_silence_is_told_from_what_died_with_everything_else() {
        let (socket, beat) = (LineKind::Websocket, Some(1000.0));
        let silent = seen(vec![line(socket, None, End::Fin, 4000.0), line(socket, beat, End::Lived, 0.0)], 20_000.0);
        assert_eq!(cut(&silent), Some(Cut::Silent { after_ms: 4000.0, end: End::Fin }));
        let all = seen(vec![line(socket, None, End::Silence, 1.0), line(socket, beat, End::Silence, 1.0)], 20_000.0);
        assert_eq!(cut(&all), Some(Cut::Everything));
        let none =
            seen(vec![line(socket, None, End::NotOpened, 0.0), line(LineKind::Poll, None, End::Lived, 0.0)], 1.0);
        assert_eq!(cut(&none), None);
    }

    #[test]
    fn a_heartbeat_that_comes_in_time_takes_the_fault_away() {
        let lines = || {
            vec![
                line(LineKind::Stream, None, End::Fin, 10_000.0),
                line(LineKind::Stream, Some(4000.0), End::Lived, 0.0),
            ]
        };
        let mark = |heartbeat| find(&seen(lines(), heartbeat)).map(|finding| finding.mark);
        assert_eq!(mark(20_000.0), Some(Mark::Fault));
        assert_eq!(mark(5000.0), Some(Mark::Notice));
    }

    #[test]
    fn the_remedy_is_a_heartbeat_of_half_the_limit() {
        let lines = vec![line(LineKind::Stream, None, End::Fin, 10_000.0)];
        let finding = find(&seen(lines, 20_000.0)).expect("a finding");
        assert!(finding.remedy.contains("--heartbeat 5s"), "{}", finding.remedy);
        assert!(finding.seen.starts_with("A silent stream is closed (FIN) after 10.0 s."), "{}", finding.seen);
    }
}
