//! What is to be measured: cells, in rounds, in an order that changes from round to round.

use std::{fmt, str::FromStr, time::Duration};

use thiserror::Error;

use crate::lab::Faults;

use super::{
    load::{Payload, Transport},
    report::{Loop, Publish},
    target::{Place, Target},
    template::TemplateError,
};

/// Everything that was asked for.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is measured.
    pub targets: Vec<Target>,
    /// By which transports; all that a target has but short-polls, if none is named.
    pub transports: Vec<Transport>,
    /// With how many subscribers.
    pub subscribers: Vec<u32>,
    /// At how many messages a second.
    pub rates: Vec<f64>,
    /// With messages of how many bytes.
    pub sizes: Vec<u32>,
    /// Over which ways.
    pub vias: Vec<Via>,
    /// How often each cell is measured.
    pub rounds: u32,
    /// How long a round runs before it counts.
    pub warm_up: Duration,
    /// How long what counts is published.
    pub duration: Duration,
    /// Where chance begins.
    pub seed: u64,
    /// Whether the schedule waits for the server.
    pub loop_: Loop,
    /// How messages are published.
    pub publish: Publish,
    /// For how long the server is stopped in the middle of each round.
    pub freeze: Option<Duration>,
    /// Whether a tenth of the subscribers is cut off after each round.
    pub recovery: bool,
    /// Whether server and generator get a core each, where that is possible.
    pub pin: bool,
    /// Further fields of each subscriber's requests.
    pub headers: Vec<String>,
}

/// The way between subscribers and server.
#[derive(Clone, Debug, PartialEq)]
pub enum Via {
    /// None but the network that there is.
    Direct,
    /// A link of the own server's lab.
    Lab {
        /// As it was asked for.
        name: String,
        /// What is wrong with the link, in JSON.
        faults: String,
    },
}

/// One transport under one load.
#[derive(Clone, Debug)]
pub struct CellPlan {
    /// Its name in the report.
    pub id: String,
    /// The target, by its place in the plan.
    pub target: usize,
    /// The transport.
    pub transport: Transport,
    /// Subscribers.
    pub subscribers: u32,
    /// Messages per second.
    pub rate: f64,
    /// Bytes of a message.
    pub size: u32,
    /// The way.
    pub via: Via,
}

/// Why a plan cannot be followed.
#[derive(Debug, Error)]
pub enum PlanError {
    /// A target does not have what is asked of it.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// Something is too small or too large.
    #[error("{what} is {given}, but has to be {bounds}")]
    Bounds {
        /// What.
        what: &'static str,
        /// What was asked for.
        given: String,
        /// What can be asked for.
        bounds: String,
    },
    /// Only the own server can do this.
    #[error("{0} works with the own server only: leave --target away")]
    OwnOnly(&'static str),
    /// A freeze has to fit.
    #[error("a freeze of {freeze:?} does not fit into rounds of {duration:?}: make --duration longer")]
    Freeze {
        /// How long the server is to be stopped.
        freeze: Duration,
        /// How long a round is.
        duration: Duration,
    },
    /// Nothing is left.
    #[error("there is nothing to measure: no target has one of the transports")]
    Nothing,
}

/// The largest message: a quarter of what a subscriber keeps of one.
const LARGEST_MESSAGE: u32 = 16 << 20;

/// More messages than these do not fit into a report in which each can be proved to have arrived.
const MOST_MESSAGES: f64 = 10_000_000.0;

impl Plan {
    /// The cells, in the order in which they were asked for.
    ///
    /// # Errors
    /// Something asked for cannot be.
    pub fn cells(&self) -> Result<Vec<CellPlan>, PlanError> {
        self.check()?;
        let mut cells = Vec::new();
        for (target, described) in self.targets.iter().enumerate() {
            for transport in self.transports_of(described) {
                described.template.check(&described.name, transport)?;
                for &subscribers in &self.subscribers {
                    for &rate in &self.rates {
                        for &size in &self.sizes {
                            cells.extend(self.vias.iter().map(|via| {
                                let via = via.clone();
                                let id = id(&described.name, transport, subscribers, rate, size, &via);
                                CellPlan { id, target, transport, subscribers, rate, size, via }
                            }));
                        }
                    }
                }
            }
        }
        if cells.is_empty() { Err(PlanError::Nothing) } else { Ok(cells) }
    }

    fn transports_of(&self, target: &Target) -> Vec<Transport> {
        if !self.transports.is_empty() {
            return self.transports.clone();
        }
        let names = target.template.transports();
        names.into_iter().filter(|name| *name != "short-poll").filter_map(|name| name.parse().ok()).collect()
    }

    fn check(&self) -> Result<(), PlanError> {
        for &subscribers in &self.subscribers {
            bounded("the number of subscribers", subscribers, 1, 1_000_000)?;
        }
        for &size in &self.sizes {
            // The smallest is small.
            let smallest = u32::try_from(Payload::SMALLEST).unwrap_or(u32::MAX);
            bounded("the size of a message in bytes", size, smallest, LARGEST_MESSAGE)?;
        }
        bounded("the number of rounds", self.rounds, 1, 1000)?;
        let longest = self.duration.max(self.warm_up).as_secs_f64();
        for &rate in &self.rates {
            bounded("the rate", rate, 0.01, MOST_MESSAGES / longest.max(1.0))?;
        }
        bounded("the duration in seconds", self.duration.as_secs_f64(), 0.1, 86_400.0)?;
        bounded("the warm-up in seconds", self.warm_up.as_secs_f64(), 0.0, 86_400.0)?;
        if let Some(freeze) = self.freeze
            && freeze + freeze > self.duration
        {
            return Err(PlanError::Freeze { freeze, duration: self.duration });
        }
        let is_foreign = self.targets.iter().any(|target| matches!(target.place, Place::Elsewhere { .. }));
        let has_lab = self.vias.iter().any(|via| *via != Via::Direct);
        match () {
            () if is_foreign && self.freeze.is_some() => Err(PlanError::OwnOnly("--freeze")),
            () if is_foreign && has_lab => Err(PlanError::OwnOnly("--via lab:…")),
            () => Ok(()),
        }
    }

    /// For each round the cells by their places, in the order in which they are measured. Each round begins elsewhere, so
    /// that no cell is always measured behind the same other, nor always when the machine is warm.
    #[must_use]
    pub fn order(&self, cells: usize) -> Vec<Vec<usize>> {
        let begin = fastrand::Rng::with_seed(self.seed).usize(0..cells.max(1));
        let rounds = self.rounds as usize;
        (0..rounds)
            .map(|round| {
                let mut places: Vec<usize> = (0..cells).collect();
                places.rotate_left((begin + round * cells / rounds) % cells.max(1));
                places
            })
            .collect()
    }
}

fn bounded<T: Copy + PartialOrd + fmt::Display>(
    what: &'static str,
    given: T,
    least: T,
    most: T,
) -> Result<(), PlanError> {
    if (least..=most).contains(&given) {
        return Ok(());
    }
    Err(PlanError::Bounds { what, given: given.to_string(), bounds: format!("{least} to {most}") })
}

/// A cell's name: unique in its report, and fit to be a file's.
fn id(target: &str, transport: Transport, subscribers: u32, rate: f64, size: u32, via: &Via) -> String {
    let load = format!("{target}.{transport}.{subscribers}x{rate}x{size}");
    match via {
        Via::Direct => load,
        Via::Lab { name, .. } => format!("{load}.lab-{name}"),
    }
}

impl fmt::Display for Via {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => formatter.write_str("direct"),
            Self::Lab { name, .. } => write!(formatter, "lab:{name}"),
        }
    }
}

impl FromStr for Via {
    type Err = String;

    /// `direct`, `lab:` and the name of a preset, or `lab:` and a time for each direction.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "direct" {
            return Ok(Self::Direct);
        }
        let name = text.strip_prefix("lab:").unwrap_or_default();
        let latency = humantime::parse_duration(name).ok().map(|latency| latency.as_millis());
        let faults = match latency {
            Some(latency_ms) => format!(r#"{{"latency_ms":{latency_ms}}}"#),
            None => format!(r#"{{"preset":"{name}"}}"#),
        };
        if name.is_empty() || Faults::parse(faults.as_bytes()).is_err() {
            return Err(format!(
                "{text:?} is no way; there are direct, lab:PRESET such as lab:mobile-3g, and lab:TIME such as lab:25ms, \
                 which is the time for each direction"
            ));
        }
        Ok(Self::Lab { name: name.to_owned(), faults })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn plan() -> Plan {
        Plan {
            targets: vec![Target::own("fallcast", Vec::new()).expect("a profile")],
            transports: Vec::new(),
            subscribers: vec![100],
            rates: vec![50.0],
            sizes: vec![64],
            vias: vec![Via::Direct],
            rounds: 5,
            warm_up: Duration::from_secs(1),
            duration: Duration::from_secs(4),
            seed: 1,
            loop_: Loop::Open,
            publish: Publish::Post,
            freeze: None,
            recovery: true,
            pin: true,
            headers: Vec::new(),
        }
    }

    #[test]
    fn without_a_word_all_lasting_transports_are_measured() {
        let ids: Vec<String> = plan().cells().expect("cells").into_iter().map(|cell| cell.id).collect();
        assert_eq!(
            ids,
            [
                "fallcast.websocket.100x50x64",
                "fallcast.sse.100x50x64",
                "fallcast.long-poll.100x50x64",
                "fallcast.stream.100x50x64"
            ]
        );
    }

    #[test]
    fn cells_are_all_combinations() {
        let plan = Plan {
            transports: vec![Transport::Sse, "short-poll=500ms".parse().expect("a transport")],
            subscribers: vec![10, 100],
            rates: vec![0.5, 50.0],
            sizes: vec![64, 1024],
            vias: vec![Via::Direct, "lab:mobile-3g".parse().expect("a way")],
            ..plan()
        };
        let ids: BTreeSet<String> = plan.cells().expect("cells").into_iter().map(|cell| cell.id).collect();
        assert_eq!(ids.len(), 32);
        assert!(ids.contains("fallcast.short-poll=500ms.10x0.5x1024.lab-mobile-3g"), "{ids:?}");
    }

    #[test]
    fn every_round_has_all_cells_and_begins_elsewhere() {
        for (cells, rounds) in [(1, 5), (2, 5), (4, 5), (12, 5), (7, 3), (3, 1)] {
            let orders = Plan { rounds, ..plan() }.order(cells);
            assert_eq!(orders.len(), rounds as usize);
            for order in &orders {
                assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), cells);
            }
            let distinct: BTreeSet<_> = orders.iter().collect();
            assert_eq!(distinct.len(), cells.min(rounds as usize), "{cells} cells, {rounds} rounds");
        }
    }

    #[test]
    fn ways_are_direct_or_through_the_lab() {
        assert_eq!("direct".parse(), Ok(Via::Direct));
        let slow: Via = "lab:25ms".parse().expect("a way");
        assert_eq!(slow, Via::Lab { name: "25ms".to_owned(), faults: r#"{"latency_ms":25}"#.to_owned() });
        for bad in ["", "lab:", "lab:mars", "proxy", "lab:\"}"] {
            assert!(bad.parse::<Via>().expect_err("no way").contains("lab:25ms"), "{bad}");
        }
    }

    #[track_caller]
    fn check_refused(plan: &Plan, part: &str) {
        let fault = plan.cells().expect_err("no plan").to_string();
        assert!(fault.contains(part), "{fault}");
    }

    #[test]
    fn what_cannot_be_measured_is_refused_with_its_bounds() {
        check_refused(&Plan { sizes: vec![16], ..plan() }, "34 to 16777216");
        check_refused(&Plan { subscribers: vec![0], ..plan() }, "1 to 1000000");
        check_refused(&Plan { rates: vec![1e9], ..plan() }, "the rate is 1000000000");
        check_refused(&Plan { rounds: 0, ..plan() }, "rounds");
        check_refused(&Plan { freeze: Some(Duration::from_secs(3)), ..plan() }, "--duration");
    }

    #[test]
    fn only_the_own_server_is_stopped_or_led_through_its_lab() {
        let targets = vec![Target::parse("nchan=http://127.0.0.1:1", None).expect("a target")];
        let foreign = Plan { targets, ..plan() };
        check_refused(&Plan { freeze: Some(Duration::from_secs(1)), ..foreign.clone() }, "--freeze");
        check_refused(&Plan { vias: vec!["lab:25ms".parse().expect("a way")], ..foreign }, "--via");
    }
}
