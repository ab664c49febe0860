//! What happens when the server restarts: all clients lose it at once, and each comes back by the same rule.
//!
//! What is counted are connections that are tried, those while nobody listens included. For a server that comes back that
//! is the load before anybody is served.

use std::{
    ops::ControlFlow,
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::bench::load::{Absences, Crowd, Glance, LoadError, Pace, Phase, Tally};

use super::{
    arena::{Arena, Broken, Generator, percentile, share},
    leash::Leash,
    news::News,
    order::{Rule, Storm},
};

/// For so long all is well before the server is killed.
const BEFORE: Duration = Duration::from_millis(500);

/// How long to wait for those who are away when the server is there again. The longest pause of any rule, and more.
const AFTERWARDS: Duration = Duration::from_secs(10);

/// Nothing is ever published when nothing may be on its way.
const SILENCE: Pace = Pace::Window(0);

/// How often those who watch are told of a wave on its way.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// What a wave looks like, so far or in the end.
#[derive(Debug, Serialize)]
struct Wave<'a> {
    rule: Rule,
    clients: usize,
    is_over: bool,
    /// When the server was killed, and when it listened again, in milliseconds from the beginning.
    killed_ms: u128,
    back_ms: Option<u128>,
    /// The length of a step in milliseconds; then the connections that were tried, and the subscriptions that were taken
    /// up again, in each.
    step_ms: u128,
    attempts: &'a [u64],
    returns: &'a [u64],
    #[serde(flatten)]
    outcome: Option<Outcome>,
}

/// What came of a wave.
#[derive(Debug, Serialize)]
struct Outcome {
    /// The most connections that were tried in one step, and in one second.
    peak: u64,
    peak_per_second: u64,
    tried: u64,
    /// How many are not back.
    missing: u64,
    /// For how long clients were away.
    away_p50_ms: Option<f64>,
    away_max_ms: f64,
    /// The server's processor time from its start until all were back, as a share of a core.
    server_cpu_share: Option<f64>,
    generator: Generator,
}

/// Lets one wave after the other come.
///
/// # Errors
/// Tells why it has no end.
pub fn run(order: &Storm, arena: &mut Arena, leash: &Leash, news: &News) -> Result<(), Broken> {
    for rule in order.rule.each() {
        wave(rule, order, arena, leash, news)?;
    }
    Ok(())
}

fn wave(rule: Rule, order: &Storm, arena: &mut Arena, leash: &Leash, news: &News) -> Result<(), Broken> {
    let down = Duration::from_millis(order.down_ms);
    let mut crowd = arena.crowd(rule.transport(), "storm", false)?;
    crowd.come_back(rule.comeback());
    news.say(format!("{} clients connect", order.clients));
    arena.pin_generator();
    crowd.connect(order.clients)?;
    let phase = Phase::new(SILENCE, BEFORE + down + AFTERWARDS);
    let telling = Telling { rule, clients: order.clients, news, next: BEFORE + down };

    // The server is started by the thread that keeps it, and the crowd runs in another one meanwhile.
    let (tally, times) = thread::scope(|scope| {
        let generator = scope.spawn(|| listen(&mut crowd, &phase, telling, leash));
        let times = restart(arena, down, leash, news);
        let tally = generator.join().map_err(|_| Broken::Thread)?;
        Ok::<_, Broken>((tally?, times?))
    })?;
    leash.check()?;

    let Times { killed_ms, back_ms, back, cpu } = times;
    let server_cpu_share = arena.cpu().zip(cpu).map(|(now, before)| share(now.since(&before), back.elapsed()));
    let Absences { attempts, returns, length, away } = &tally.absences;
    let outcome = Outcome {
        peak: attempts.iter().copied().max().unwrap_or(0),
        peak_per_second: busiest_second(attempts),
        tried: attempts.iter().sum(),
        missing: *away,
        away_p50_ms: percentile(length, 0.5),
        away_max_ms: super::arena::milliseconds(length.max()),
        server_cpu_share,
        generator: Generator::of(&tally),
    };
    let (attempts, returns) = until_the_last(attempts, returns);
    news.tell(
        "wave",
        Wave {
            rule,
            clients: order.clients,
            is_over: true,
            killed_ms,
            back_ms: Some(back_ms),
            step_ms: Absences::STEP.as_millis(),
            attempts,
            returns,
            outcome: Some(outcome),
        },
    );
    Ok(())
}

/// When the server was killed and was back.
struct Times {
    killed_ms: u128,
    back_ms: u128,
    back: Instant,
    cpu: Option<crate::bench::server::CpuTime>,
}

fn restart(arena: &mut Arena, down: Duration, leash: &Leash, news: &News) -> Result<Times, Broken> {
    let began = Instant::now();
    leash.wait(BEFORE)?;
    news.say("the server is killed");
    let killed_ms = began.elapsed().as_millis();
    arena.kill();
    leash.wait(down)?;
    arena.restart()?;
    news.say("the server listens again");
    Ok(Times { killed_ms, back_ms: began.elapsed().as_millis(), back: Instant::now(), cpu: arena.cpu() })
}

/// Tells those who watch how a wave comes in.
struct Telling<'a> {
    rule: Rule,
    clients: usize,
    news: &'a News,
    next: Duration,
}

fn listen(crowd: &mut Crowd, phase: &Phase, mut telling: Telling<'_>, leash: &Leash) -> Result<Tally, LoadError> {
    let (quiet, mut told) = (telling.next, BEFORE);
    crowd.run(phase, &mut |glance| {
        if glance.elapsed >= told {
            told = glance.elapsed + TELL_EVERY;
            telling.tell(glance);
        }
        let absences = &glance.tally.absences;
        let all_are_back = glance.elapsed > quiet && absences.away == 0 && !absences.length.is_empty();
        if all_are_back || leash.pulled().is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

impl Telling<'_> {
    fn tell(&mut self, glance: &Glance<'_>) {
        let absences = &glance.tally.absences;
        let (attempts, returns) = until_the_last(&absences.attempts, &absences.returns);
        self.news.tell(
            "wave",
            Wave {
                rule: self.rule,
                clients: self.clients,
                is_over: false,
                killed_ms: BEFORE.as_millis(),
                back_ms: None,
                step_ms: Absences::STEP.as_millis(),
                attempts,
                returns,
                outcome: None,
            },
        );
    }
}

/// Leaves out the steps at the end in which nothing happened.
fn until_the_last<'a>(attempts: &'a [u64], returns: &'a [u64]) -> (&'a [u64], &'a [u64]) {
    let last = |steps: &[u64]| steps.iter().rposition(|count| *count > 0).map_or(0, |position| position + 1);
    let length = last(attempts).max(last(returns));
    (&attempts[..length.min(attempts.len())], &returns[..length.min(returns.len())])
}

/// The most in any ten steps in a row, which are a second.
fn busiest_second(steps: &[u64]) -> u64 {
    const A_SECOND: usize = 10;
    steps.windows(A_SECOND.min(steps.len().max(1))).map(|second| second.iter().sum()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_second_may_begin_in_any_step() {
        let mut steps = [0; 30];
        steps[9] = 5;
        steps[10] = 7;
        steps[19] = 1;
        assert_eq!(busiest_second(&steps), 12);
        steps[18] = 2;
        assert_eq!(busiest_second(&steps), 14);
        assert_eq!(busiest_second(&[1, 2]), 3);
        assert_eq!(busiest_second(&[]), 0);
    }

    #[test]
    fn steps_behind_the_last_event_are_left_out() {
        assert_eq!(until_the_last(&[0, 3, 0, 0], &[0, 0, 1, 0]), (&[0, 3, 0][..], &[0, 0, 1][..]));
        assert_eq!(until_the_last(&[0, 0], &[0, 0]), (&[][..], &[][..]));
    }
}
