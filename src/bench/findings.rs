//! What the figures say, and what they do not, in sentences. Nothing is said that the rounds do not carry.

use std::time::Duration;

use super::{
    metric::{Metric, exact, merged, total},
    report::{Cell, Finding, Loop, Report, Settings},
    statistics::{FEWEST, Ratio},
    words::{self, COUNT, TIME},
};

/// The figures about which something is said. The others can be read in the table.
const TOLD: [Metric; 7] = [
    Metric::LatencyP50,
    Metric::LatencyP99,
    Metric::Cpu,
    Metric::Bytes,
    Metric::Memory,
    Metric::FirstMessage,
    Metric::Recovery,
];

/// What the figures say.
#[must_use]
pub fn of(report: &Report) -> Vec<Finding> {
    // A search has no cells, and says with each highest rate that nothing was lost.
    let mut findings: Vec<Finding> = (!report.cells.is_empty()).then(|| completeness(report)).into_iter().collect();
    findings.extend(invalid_rounds(report));
    for first in loads(report) {
        let cells: Vec<&Cell> = report.cells.iter().filter(|cell| cell.has_load_of(first)).collect();
        findings.extend(freeze(report, &cells));
        findings.extend(TOLD.iter().filter_map(|&metric| comparison(report, &cells, metric)));
        findings.extend(lost_in_cuts(report, &cells));
    }
    findings.extend(growth(report));
    findings.extend(ceilings(report));
    findings
}

/// The first cell of each load.
fn loads(report: &Report) -> impl Iterator<Item = &Cell> {
    let cells = &report.cells;
    cells
        .iter()
        .enumerate()
        .filter(|&(at, cell)| !cells[..at].iter().any(|before| before.has_load_of(cell)))
        .map(|(_, cell)| cell)
}

/// A cell, as a sentence names it among others of the same load.
#[must_use]
pub fn name(report: &Report, cell: &Cell) -> String {
    let transport = words::transport(&cell.transport);
    if report.targets.len() > 1 { format!("{} {transport}", cell.target) } else { transport }
}

fn completeness(report: &Report) -> Finding {
    let rounds = || report.cells.iter().flat_map(Cell::valid_rounds);
    let sum = |count: fn(&super::report::Round) -> u64| total(rounds().map(count));
    let n = sum(|round| round.n);
    let faults: Vec<String> = [
        (sum(|round| round.lost), "lost"),
        (sum(|round| round.repeated), "repeated"),
        (sum(|round| round.reordered), "reordered"),
        (sum(|round| round.damaged), "damaged"),
    ]
    .into_iter()
    .filter(|&(count, _)| count > 0)
    .map(|(count, fault)| format!("{} {fault}", words::count(count)))
    .collect();
    let text = if n == 0 {
        "No round counts in which anything was delivered.".to_owned()
    } else if faults.is_empty() {
        format!("Nothing was lost, repeated, reordered or damaged in {} deliveries.", words::count(n))
    } else {
        format!("Beside {} deliveries in order: {}.", words::count(n), words::list(&faults))
    };
    let is_touched = |cell: &&Cell| {
        cell.valid_rounds().any(|round| total([round.lost, round.repeated, round.reordered, round.damaged]) > 0)
    };
    Finding { load: None, text, cells: report.cells.iter().filter(is_touched).map(|cell| cell.id.clone()).collect() }
}

fn invalid_rounds(report: &Report) -> Option<Finding> {
    let all: usize = report.cells.iter().map(|cell| cell.rounds.len()).sum();
    let invalid = |cell: &Cell| cell.rounds.len() - cell.valid_rounds().count();
    let cells: Vec<&Cell> = report.cells.iter().filter(|cell| invalid(cell) > 0).collect();
    let count: usize = cells.iter().map(|cell| invalid(cell)).sum();
    let verb = if count == 1 { "does" } else { "do" };
    let mut advice: Vec<&str> = Vec::new();
    for one in cells.iter().flat_map(|cell| &cell.rounds).flat_map(|round| &round.validity.advice) {
        if !advice.contains(&one.as_str()) {
            advice.push(one);
        }
    }
    (count > 0).then(|| Finding {
        load: None,
        text: format!("{count} of {all} rounds {verb} not count; each says why. {}", advice.join(" "))
            .trim_end()
            .to_owned(),
        cells: cells.iter().map(|cell| cell.id.clone()).collect(),
    })
}

/// How far the stop of the server shows in the latencies of one load: whoever was due in the first half of it had to wait
/// for longer than the other half.
fn freeze(report: &Report, cells: &[&Cell]) -> Option<Finding> {
    let Settings { freeze_s, duration_s, loop_, .. } = &report.settings;
    let stop = Duration::try_from_secs_f64((*freeze_s)?).ok()?;
    let half_ns = u64::try_from((stop / 2).as_nanos()).ok()?;
    let seen: Vec<String> = cells
        .iter()
        .filter_map(|cell| {
            let latency = merged(cell.valid_rounds().map(|round| &round.latency));
            let slow = exact(latency.count_between(half_ns, u64::MAX)) / exact(latency.len());
            (!latency.is_empty()).then(|| format!("{} {:.1} %", name(report, cell), slow * 100.0))
        })
        .collect();
    let (stood, half) = (words::figure(exact(half_ns) * 2.0, TIME), words::figure(exact(half_ns), TIME));
    let due = stop.as_secs_f64() / 2.0 / duration_s * 100.0;
    let text = match loop_ {
        Loop::Open => format!(
            "The server stood still for {stood} in each round, and it shows: {due:.1} % of the messages were due when they \
             had to wait for {half} or longer, and so many deliveries took that long: {}.",
            words::list(&seen)
        ),
        Loop::Closed => format!(
            "The server stood still for {stood} in each round, and the closed loop hides it: whoever is due in {due:.1} % of \
             the time has to wait for {half} or longer, but it published nothing then, so only so many deliveries took \
             that long: {}.",
            words::list(&seen)
        ),
    };
    (!seen.is_empty()).then(|| Finding {
        load: cells.first().map(|cell| words::load(cell)),
        text,
        cells: cells.iter().map(|cell| cell.id.clone()).collect(),
    })
}

/// All cells of one load against one of them, round by round.
fn comparison(report: &Report, cells: &[&Cell], metric: Metric) -> Option<Finding> {
    // Whoever leaves out what it missed is back sooner than one who fetches it; that is no advantage.
    let is_equal = |cell: &Cell| metric != Metric::Recovery || lost_in_cut(cell) == 0;
    let is_measured = |cell: &&Cell| estimate_of(cell, metric).is_some() && is_equal(cell);
    let measured: Vec<&Cell> = cells.iter().copied().filter(is_measured).collect();
    let reference = *measured.iter().find(|cell| cell.transport == "websocket").or(measured.first())?;
    let others: Vec<&Cell> = measured.iter().copied().filter(|cell| cell.id != reference.id).collect();
    let value = words::estimate(&estimate_of(reference, metric)?, metric.units());
    let mut parts = vec![format!("{} {value}", name(report, reference))];
    let ratios: Vec<(String, Option<Ratio>)> =
        others.iter().map(|cell| (name(report, cell), ratio(metric, cell, reference))).collect();
    parts.extend(in_words(&ratios, "times that"));
    // What cannot be compared at all is said once, by the number of rounds that count.
    ratios.iter().any(|(_, ratio)| ratio.is_some()).then(|| Finding {
        load: Some(words::load(reference)),
        text: format!("{}: {}.", words::sentence(metric.name()), parts.join("; ")),
        cells: measured.iter().map(|cell| cell.id.clone()).collect(),
    })
}

/// Who came back after a cut without what it had missed.
fn lost_in_cuts(report: &Report, cells: &[&Cell]) -> Option<Finding> {
    let losers: Vec<&Cell> = cells.iter().copied().filter(|cell| lost_in_cut(cell) > 0).collect();
    let said: Vec<String> = losers
        .iter()
        .filter_map(|cell| {
            let back = words::estimate(&estimate_of(cell, Metric::Recovery)?, Metric::Recovery.units());
            let lost = words::count(lost_in_cut(cell));
            Some(format!("{} was back after {back}, and {lost} deliveries were lost for good", name(report, cell)))
        })
        .collect();
    let first = losers.first()?;
    (!said.is_empty()).then(|| Finding {
        load: Some(words::load(first)),
        text: format!(
            "After a cut: {}. What has no cursor cannot ask for what it missed, so its recovery is compared with nobody's.",
            said.join("; ")
        ),
        cells: losers.iter().map(|cell| cell.id.clone()).collect(),
    })
}

/// Deliveries that those who were cut off never got.
fn lost_in_cut(cell: &Cell) -> u64 {
    total(cell.valid_rounds().filter_map(|round| round.recovery.as_ref()).map(|recovery| recovery.lost))
}

/// Ratios as parts of a sentence: those without a difference together, then each other one, then what is not known.
fn in_words(ratios: &[(String, Option<Ratio>)], times: &str) -> Vec<String> {
    let together = |kind: fn(&Option<Ratio>) -> bool, said: &str| {
        let names: Vec<String> = ratios.iter().filter(|(_, ratio)| kind(ratio)).map(|(name, _)| name.clone()).collect();
        (!names.is_empty()).then(|| format!("{}: {said}", words::list(&names)))
    };
    let same = together(|ratio| ratio.is_some_and(|ratio| !ratio.differs), "no difference seen");
    let different = ratios.iter().filter_map(|(name, ratio)| {
        let Ratio { value, low, high, .. } = ratio.filter(|ratio| ratio.differs)?;
        Some(format!("{name} {} {times}", words::ratio(value, low, high)))
    });
    let unknown = together(Option::is_none, "cannot be compared");
    same.into_iter().chain(different).chain(unknown).collect()
}

fn estimate_of(cell: &Cell, metric: Metric) -> Option<super::report::Estimate> {
    metric.of_summary(cell.summary.as_ref()?)
}

/// One cell against another, by the rounds that count in both.
#[must_use]
pub fn ratio(metric: Metric, cell: &Cell, reference: &Cell) -> Option<Ratio> {
    Ratio::of_pairs(cell.valid_rounds().filter_map(|round| {
        let other = reference.valid_rounds().find(|other| other.round == round.round)?;
        Some((metric.of_round(cell, round)?, metric.of_round(reference, other)?))
    }))
}

/// How the cost of a delivery changes from the fewest subscribers to the most: a sentence for each rate, size and way.
fn growth(report: &Report) -> Vec<Finding> {
    let cells = &report.cells;
    let is_first =
        |at: usize, alike: fn(&Cell, &Cell) -> bool| !cells[..at].iter().any(|before| alike(before, &cells[at]));
    let groups = (0..cells.len()).filter(|&at| is_first(at, differ_in_subscribers));
    groups
        .filter_map(|first| {
            let group = || (0..cells.len()).filter(move |&at| differ_in_subscribers(&cells[at], &cells[first]));
            let counts = || group().map(|at| cells[at].subscribers);
            let (few, many) = (counts().min()?, counts().max()?);
            let find = |line: &Cell, count: u32| {
                group().map(|at| &cells[at]).find(|cell| is_same_line(cell, line) && cell.subscribers == count)
            };
            let lines = group().filter(|&at| is_first(at, is_same_line)).map(|at| &cells[at]);
            let ratios = lines.filter_map(|line| {
                Some((name(report, line), Some(ratio(Metric::Cpu, find(line, many)?, find(line, few)?)?)))
            });
            let said = in_words(&ratios.collect::<Vec<_>>(), "times");
            let Cell { rate, size_bytes, .. } = &cells[first];
            (few < many && !said.is_empty()).then(|| Finding {
                load: None,
                text: format!(
                    "{} from {} to {} subscribers ({}/s, {} B): {}.",
                    words::sentence(Metric::Cpu.name()),
                    words::count(few.into()),
                    words::count(many.into()),
                    words::figure(*rate, COUNT),
                    words::count((*size_bytes).into()),
                    said.join("; "),
                ),
                cells: group().map(|at| cells[at].id.clone()).collect(),
            })
        })
        .collect()
}

fn differ_in_subscribers(one: &Cell, other: &Cell) -> bool {
    let rest = |cell: &Cell| (cell.rate.to_bits(), cell.size_bytes, cell.via.clone());
    rest(one) == rest(other)
}

fn is_same_line(one: &Cell, other: &Cell) -> bool {
    (&one.target, &one.transport) == (&other.target, &other.transport) && differ_in_subscribers(one, other)
}

fn ceilings(report: &Report) -> Vec<Finding> {
    let sentence = |ceiling: &super::report::Ceiling| {
        let bound = format!(
            "p{} below {}",
            words::figure(ceiling.quantile * 100.0, COUNT),
            words::figure(exact(ceiling.bound_ns), TIME)
        );
        let who = words::transport(&ceiling.transport);
        let load = format!("{}, {} B", words::counted(ceiling.subscribers.into(), "subscriber"), ceiling.size_bytes);
        let found = ceiling.rate.map_or_else(
            || "no rate that was tried kept it".to_owned(),
            |rate| format!("up to {} messages per second", words::figure(rate, COUNT)),
        );
        let target = if report.targets.len() > 1 { format!("{} ", ceiling.target) } else { String::new() };
        format!("{target}{who} with {bound} ({load}): {found}.")
    };
    report
        .ceilings
        .iter()
        .map(|ceiling| Finding { load: None, text: words::sentence(&sentence(ceiling)), cells: Vec::new() })
        .collect()
}

/// What the figures do not say.
#[must_use]
pub fn not_shown(report: &Report) -> Vec<String> {
    let settings = &report.settings;
    let is_own = report.targets.iter().any(|target| target.own);
    let rounds = report.cells.iter().map(|cell| cell.valid_rounds().count()).max().unwrap_or(0);
    let mut limits = Vec::new();
    let mut say = |is_so: bool, text: &str| {
        if is_so {
            limits.push(text.to_owned());
        }
    };
    say(report.made.interrupted, "The run was interrupted: what was not measured is missing.");
    say(
        report.made.debug,
        "fallcast was built without optimization (a debug build): times and costs say little. Measure with a release build.",
    );
    say(
        settings.loop_ == Loop::Closed,
        "The loop was closed: whenever the server was slow, nothing was published, so nothing could be late. These \
         latencies are too good; --loop open measures them.",
    );
    say(
        is_own && report.cells.iter().any(|cell| cell.via.is_none()),
        "Loopback is no network: a round trip takes no time there, and that is what separates the transports most. \
         Measure once more with --via lab:mobile-3g.",
    );
    say(
        report.cells.iter().any(|cell| cell.via.is_some()),
        "The lab delays bytes but loses no packet: retransmission, and what waits behind it, are not in these figures.",
    );
    say(!settings.pinned, "Server and generator may have shared a processor core: they then slow each other down.");
    say(!settings.tls, "Nothing was encrypted: TLS costs processor time for each connection and each record.");
    say(
        true,
        "No browser took part: subscribers are sockets that read and count. What a page does with a message comes on top.",
    );
    say(
        rounds > 1,
        "Deliveries of one message are not independent of each other. So intervals are taken over rounds, and tell \
         nothing about another day or another machine.",
    );
    say(rounds < FEWEST, "Fewer than three rounds count: that is too few to call anything a difference.");
    say(
        rounds >= FEWEST && report.cells.len() > 1,
        "A difference is a 99 % interval without 1: of a hundred comparisons of equals, one shows a difference by chance.",
    );
    let is_costed = report.cells.iter().any(|cell| estimate_of(cell, Metric::Cpu).is_some());
    say(
        !is_costed,
        "What it cost the server is unknown: it can be read on Linux, of the own server or one named by --pid.",
    );
    limits
}
