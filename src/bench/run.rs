//! A run: all rounds of all cells, in their order, into a report.

use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant, SystemTime},
};

use thiserror::Error;

use super::{
    http,
    load::Glance,
    machine,
    plan::{CellPlan, Plan, PlanError, Via},
    rate::{Bound, Search},
    report::{Ceiling, Cell, Made, Report, Round, Settings, Target as Described},
    sample::{RECOVERY, SampleError, Setting, Watcher},
    server::Cores,
    target::{Place, Target},
};

/// How much longer than its phases a measurement takes, about: a server starts and ends, and comes to rest.
const AROUND: Duration = Duration::from_millis(400);

/// How many subscribers connect in a second, about.
const CONNECTS_PER_SECOND: f64 = 5_000.0;

/// Why there is no report.
#[derive(Debug, Error)]
pub enum RunError {
    /// The plan cannot be followed.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A measurement failed.
    #[error("{cell}: {source}")]
    Sample {
        /// The cell.
        cell: String,
        /// Why.
        source: Box<SampleError>,
    },
    /// It was ended before anything was measured.
    #[error("interrupted before anything was measured")]
    Nothing,
}

/// Somebody who watches a run.
pub trait Audience {
    /// It begins, and will take about so long.
    fn begins(&mut self, planned: Duration);
    /// A measurement begins, when about so much of the time is over.
    fn measures(&mut self, what: &Measurement<'_>, after: Duration);
    /// It is on its way.
    fn glances(&mut self, phase: &'static str, glance: &Glance<'_>);
    /// It is over.
    fn has_measured(&mut self, what: &Measurement<'_>, round: &Round);
    /// A step of a search is over.
    fn has_searched(&mut self, what: &Measurement<'_>, words: &str);
    /// All is over.
    fn ends(&mut self);
}

/// Which measurement it is.
#[derive(Clone, Copy, Debug)]
pub struct Measurement<'a> {
    /// The cell.
    pub cell: &'a CellPlan,
    /// The target's name, if there are several.
    pub target: Option<&'a str>,
    /// The number of the round, and how many there are.
    pub round: (u32, u32),
}

/// A run that is about to begin.
#[derive(Debug)]
pub struct Run<'a> {
    /// What is asked for.
    pub plan: &'a Plan,
    /// The bound of a search, if highest rates are asked for instead of rounds.
    pub bound: Option<Bound>,
    /// The command line, for the report.
    pub command: Vec<String>,
    /// Becomes true when somebody wants the run to end.
    pub stop: &'a AtomicBool,
}

/// What a run has brought.
#[derive(Debug)]
pub struct Outcome {
    /// Everything measured.
    pub report: Report,
    /// What ended it before its time, if it was not a wish.
    pub fault: Option<RunError>,
}

impl Run<'_> {
    /// Measures.
    ///
    /// # Errors
    /// Nothing at all could be measured.
    pub fn begin(&self, audience: &mut dyn Audience) -> Result<Outcome, RunError> {
        let cells = self.plan.cells()?;
        // A search has no rounds.
        let orders = if self.bound.is_none() { self.plan.order(cells.len()) } else { Vec::new() };
        let began = Instant::now();
        let at = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        // Whoever has been given one core sees no other.
        let machine = machine::describe();
        let cores = self.plan.pin.then(Cores::choose).flatten();
        let pinned = cores.as_ref().is_some_and(Cores::pin_generator);
        let settings = self.settings(&cells, &orders, pinned);
        let targets = self.plan.targets.iter().map(describe).collect();
        let mut report = Report::new(self.made(at), machine, settings, targets);

        let going = Going { run: self, cells: &cells, cores: cores.as_ref(), began };
        let outcome = match self.bound {
            None => going.measure(&orders, &mut report, audience),
            Some(bound) => going.search(bound, &mut report, audience),
        };
        audience.ends();
        report.made.took_s = began.elapsed().as_secs_f64();
        let is_empty = report.cells.iter().all(|cell| cell.rounds.is_empty()) && report.ceilings.is_empty();
        match outcome {
            Err(fault) if is_empty => return Err(fault),
            Ok(ControlFlow::Break(())) if is_empty => return Err(RunError::Nothing),
            _ => {}
        }
        report.made.interrupted = !matches!(outcome, Ok(ControlFlow::Continue(())));
        report.complete();
        Ok(Outcome { report, fault: outcome.err() })
    }

    fn made(&self, at: String) -> Made {
        Made {
            at,
            took_s: 0.0,
            command: self.command.clone(),
            fallcast: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("FALLCAST_COMMIT").map(str::to_owned),
            rustc: Some(env!("FALLCAST_RUSTC").to_owned()).filter(|version| !version.is_empty()),
            debug: cfg!(debug_assertions),
            interrupted: false,
        }
    }

    fn settings(&self, cells: &[CellPlan], orders: &[Vec<usize>], pinned: bool) -> Settings {
        let plan = self.plan;
        Settings {
            seed: plan.seed,
            rounds: u32::try_from(orders.len()).unwrap_or(u32::MAX),
            warm_up_s: plan.warm_up.as_secs_f64(),
            duration_s: plan.duration.as_secs_f64(),
            loop_: plan.loop_,
            publish: plan.publish,
            pinned,
            tcp_nodelay: true,
            keep_alive: true,
            tls: false,
            freeze_s: plan.freeze.map(|freeze| freeze.as_secs_f64()),
            order: orders.iter().map(|order| order.iter().map(|&place| cells[place].id.clone()).collect()).collect(),
        }
    }
}

/// What the server says it is.
fn describe(target: &Target) -> Described {
    let (own, server, server_args, base) = match &target.place {
        Place::Own { args } => {
            (true, Some(format!("fallcast {}", env!("CARGO_PKG_VERSION"))), args.clone(), String::new())
        }
        Place::Elsewhere { origin, .. } => {
            let answer = http::request(origin, "GET", "/", "").ok();
            let server = answer.and_then(|answer| answer.header("server").map(str::to_owned));
            (false, server, Vec::new(), origin.to_string())
        }
    };
    let templates = target.template.describe().into_iter().map(|(name, path)| {
        let full = match path.split_once(' ') {
            Some((method, path)) => format!("{method} {base}{path}"),
            None => format!("{base}{path}"),
        };
        (name, full)
    });
    Described { name: target.name.clone(), server, own, server_args, templates: templates.collect() }
}

/// A run on its way.
struct Going<'a> {
    run: &'a Run<'a>,
    cells: &'a [CellPlan],
    cores: Option<&'a Cores>,
    began: Instant,
}

impl Going<'_> {
    fn measure(
        &self,
        orders: &[Vec<usize>],
        report: &mut Report,
        audience: &mut dyn Audience,
    ) -> Result<ControlFlow<()>, RunError> {
        let plan = self.run.plan;
        report.cells = self.cells.iter().map(|cell| empty(cell, plan)).collect();
        let all = orders.iter().flatten().map(|&place| self.length_of(&self.cells[place])).sum();
        audience.begins(all);
        let mut planned = Duration::ZERO;
        for (order, round) in orders.iter().zip(1..) {
            for (&position, place) in order.iter().zip(1..) {
                let cell = &self.cells[position];
                let what = self.measurement(cell, round);
                audience.measures(&what, planned);
                planned += self.length_of(cell);
                let setting = self.setting(cell, (round, place));
                let measured = setting.measure(&mut Eyes { audience, stop: self.run.stop });
                let Some(measured) = measured.map_err(|source| fault(cell, source))? else {
                    return Ok(ControlFlow::Break(()));
                };
                audience.has_measured(&what, &measured);
                report.cells[position].rounds.push(measured);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn search(
        &self,
        bound: Bound,
        report: &mut Report,
        audience: &mut dyn Audience,
    ) -> Result<ControlFlow<()>, RunError> {
        let one = self.run.plan.warm_up + self.run.plan.duration + AROUND;
        let all = u32::try_from(self.cells.len()).unwrap_or(u32::MAX);
        audience.begins(one * super::rate::STEPS_ABOUT * all);
        let mut planned = Duration::ZERO;
        for cell in self.cells {
            let mut search = Search::new(bound, cell.rate);
            while let Some(rate) = search.next_rate() {
                let cell = CellPlan { rate, ..cell.clone() };
                let what = self.measurement(&cell, 1);
                audience.measures(&what, planned);
                let setting = self.setting(&cell, (1, 1));
                let tally = setting.load(&mut Eyes { audience, stop: self.run.stop });
                let Some(tally) = tally.map_err(|source| fault(&cell, source))? else {
                    return Ok(ControlFlow::Break(()));
                };
                audience.has_searched(&what, &search.take(&tally));
                planned += one;
            }
            report.ceilings.push(self.ceiling(cell, bound, search));
        }
        Ok(ControlFlow::Continue(()))
    }

    fn ceiling(&self, cell: &CellPlan, bound: Bound, search: Search) -> Ceiling {
        Ceiling {
            target: self.run.plan.targets[cell.target].name.clone(),
            transport: cell.transport.to_string(),
            subscribers: cell.subscribers,
            size_bytes: cell.size,
            via: via(cell),
            quantile: bound.quantile,
            bound_ns: bound.bound_ns,
            rate: search.highest(),
            steps: search.into_steps(),
        }
    }

    fn setting<'b>(&'b self, cell: &'b CellPlan, turn: (u32, u32)) -> Setting<'b> {
        Setting { plan: self.run.plan, cell, cores: self.cores, began: self.began, turn }
    }

    fn measurement<'b>(&'b self, cell: &'b CellPlan, round: u32) -> Measurement<'b> {
        let targets = &self.run.plan.targets;
        let target = (targets.len() > 1).then(|| targets[cell.target].name.as_str());
        Measurement { cell, target, round: (round, self.run.plan.rounds) }
    }

    /// How long a measurement takes, about.
    fn length_of(&self, cell: &CellPlan) -> Duration {
        let plan = self.run.plan;
        let connecting = Duration::from_secs_f64(f64::from(cell.subscribers) / CONNECTS_PER_SECOND);
        let recovery = if plan.recovery { RECOVERY } else { Duration::ZERO };
        AROUND + connecting + plan.warm_up + plan.duration + recovery
    }
}

fn fault(cell: &CellPlan, source: SampleError) -> RunError {
    RunError::Sample { cell: cell.id.clone(), source: Box::new(source) }
}

fn empty(cell: &CellPlan, plan: &Plan) -> Cell {
    Cell {
        id: cell.id.clone(),
        target: plan.targets[cell.target].name.clone(),
        transport: cell.transport.to_string(),
        subscribers: cell.subscribers,
        rate: cell.rate,
        size_bytes: cell.size,
        via: via(cell),
        rounds: Vec::new(),
        summary: None,
        doubtful: None,
    }
}

fn via(cell: &CellPlan) -> Option<String> {
    (cell.via != Via::Direct).then(|| cell.via.to_string())
}

/// Watches a measurement for the audience, and for the wish to end.
struct Eyes<'a> {
    audience: &'a mut dyn Audience,
    stop: &'a AtomicBool,
}

impl Watcher for Eyes<'_> {
    fn glance(&mut self, phase: &'static str, glance: &Glance<'_>) -> ControlFlow<()> {
        self.audience.glances(phase, glance);
        if self.stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
