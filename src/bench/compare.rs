//! Several reports side by side: those of a class, of a faster machine, of before and after.
//!
//! Absolute figures belong to a machine. What carries over from one machine to the next is the ratio between two
//! transports that were measured in the same rounds there, so this module puts both next to each other, and says of each
//! whether the machines differ by more than their rounds do among themselves.

mod table;

use std::path::Path;

use serde::Serialize;

use super::{
    findings,
    metric::Metric,
    report::{Cell, Estimate, Finding, Report},
    statistics::{LEAST_COVERAGE, Ratio},
    words,
};

pub use table::render;

/// The metrics that are compared.
pub const COMPARED: [Metric; 6] =
    [Metric::LatencyP50, Metric::LatencyP99, Metric::Cpu, Metric::Bytes, Metric::Memory, Metric::FirstMessage];

/// Several reports side by side.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The reports.
    pub machines: Vec<Machine>,
    /// Where they were not made in the same way. Each is a sentence.
    pub caveats: Vec<String>,
    /// What they have in common: each cell that at least two of them measured.
    pub cells: Vec<Common>,
    /// Cells that only one report has, by their ids.
    pub alone: Vec<String>,
    /// What the figures say.
    pub findings: Vec<Finding>,
}

/// One report among several.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// A short name: its folder's, or its file's.
    pub name: String,
    /// The processor's model and its cores.
    pub processor: String,
    /// The operating system.
    pub os: String,
    /// When it was made.
    pub at: String,
}

/// A cell that several reports have measured.
#[derive(Debug, Serialize)]
pub struct Common {
    /// Its transport, with the target's name if there are several.
    pub name: String,
    /// Its transport alone.
    pub transport: String,
    /// Its load.
    pub load: String,
    /// What was measured of it, metric by metric.
    pub figures: Vec<Line>,
}

/// A metric of one cell on all machines.
#[derive(Debug, Serialize)]
pub struct Line {
    /// Its name in `report.json`.
    pub metric: &'static str,
    /// What it is.
    pub title: &'static str,
    /// The figure of each machine.
    pub values: Vec<Option<Estimate>>,
    /// Whether the intervals of two machines lie apart.
    pub differs: bool,
    /// What it is compared with on the same machine; absent for the reference itself.
    pub against: Option<String>,
    /// The ratio on each machine.
    pub ratios: Vec<Option<Ratio>>,
}

impl Comparison {
    /// Puts reports side by side. Each comes with a name.
    #[must_use]
    pub fn of(reports: &[(String, Report)]) -> Self {
        let machines = reports.iter().map(|(name, report)| Machine::of(name, report)).collect();
        let mut cells = Vec::new();
        let mut alone = Vec::new();
        for (at, (_, report)) in reports.iter().enumerate() {
            for cell in &report.cells {
                let is_new = !reports[..at].iter().any(|(_, before)| counterpart(before, cell).is_some());
                let is_shared = reports[at + 1..].iter().any(|(_, after)| counterpart(after, cell).is_some());
                match (is_new, is_shared) {
                    (true, true) => cells.push(Common::of(reports, report, cell)),
                    (true, false) => alone.push(cell.id.clone()),
                    (false, _) => {}
                }
            }
        }
        let mut comparison = Self { machines, caveats: caveats(reports), cells, alone, findings: Vec::new() };
        comparison.findings = comparison.sentences();
        comparison
    }

    fn sentences(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (at, cell) in self.cells.iter().enumerate() {
            let load = &cell.load;
            if self.cells[..at].iter().any(|before| before.load == *load) {
                continue;
            }
            for metric in COMPARED {
                let lines: Vec<(&Common, &Line)> = self.lines(load, metric).collect();
                let said = self.about_ratios(metric, &lines).into_iter().chain(self.about_figures(metric, &lines));
                findings.extend(said.map(|text| Finding { load: Some(load.clone()), text, cells: Vec::new() }));
            }
        }
        findings
    }

    /// What was measured of a metric under one load.
    fn lines(&self, load: &str, metric: Metric) -> impl Iterator<Item = (&Common, &Line)> {
        let cells = self.cells.iter().filter(move |cell| cell.load == load);
        cells.filter_map(move |cell| Some((cell, cell.figures.iter().find(|line| line.metric == metric.key())?)))
    }

    /// How transports compare, and whether all machines agree on it.
    fn about_ratios(&self, metric: Metric, lines: &[(&Common, &Line)]) -> Option<String> {
        let said: Vec<String> =
            lines.iter().filter_map(|(cell, line)| Some(format!("{} {}", cell.name, self.agreement(line)?))).collect();
        let against = lines.iter().find_map(|(_, line)| line.against.as_deref())?;
        (!said.is_empty())
            .then(|| format!("{} against {against}: {}.", words::sentence(metric.name()), said.join("; ")))
    }

    fn agreement(&self, line: &Line) -> Option<String> {
        let known =
            || self.machines.iter().zip(&line.ratios).filter_map(|(machine, ratio)| Some((machine, ratio.as_ref()?)));
        let all = match known().count() {
            0 | 1 => return None,
            2 => "on both machines".to_owned(),
            machines => format!("on all {machines} machines"),
        };
        let smallest = known().map(|(_, ratio)| ratio.value).fold(f64::INFINITY, f64::min);
        let largest = known().map(|(_, ratio)| ratio.value).fold(0.0, f64::max);
        let is_one_sided = smallest > 1.0 || largest < 1.0;
        if known().all(|(_, ratio)| !ratio.differs) {
            return Some(format!("shows no difference {all}"));
        }
        if is_one_sided && known().all(|(_, ratio)| ratio.differs) {
            let [from, to] = [smallest, largest].map(|ratio| words::ratio(ratio, ratio, ratio));
            return Some(if from == to {
                format!("{from} times {all}")
            } else {
                format!("{from} to {to} times {all}")
            });
        }
        let each = known().map(|(machine, ratio)| {
            let said = if ratio.differs {
                words::ratio(ratio.value, ratio.low, ratio.high)
            } else {
                "no difference seen".to_owned()
            };
            format!("{}: {said}", machine.name)
        });
        Some(format!("not the same everywhere ({})", each.collect::<Vec<_>>().join(", ")))
    }

    /// Which machines are furthest apart, if their intervals are.
    fn about_figures(&self, metric: Metric, lines: &[(&Common, &Line)]) -> Option<String> {
        let far_apart = |(cell, line): &(&Common, &Line)| {
            let values = || {
                self.machines.iter().zip(&line.values).filter_map(|(machine, value)| Some((machine, value.as_ref()?)))
            };
            let (low, lowest) = values().min_by(|(_, one), (_, other)| one.value.total_cmp(&other.value))?;
            let (high, highest) = values().max_by(|(_, one), (_, other)| one.value.total_cmp(&other.value))?;
            let [from, to] = [lowest, highest].map(|estimate| words::figure(estimate.value, metric.units()));
            line.differs.then(|| format!("{} from {from} ({}) to {to} ({})", cell.name, low.name, high.name))
        };
        let said: Vec<String> = lines.iter().filter_map(far_apart).collect();
        (!said.is_empty())
            .then(|| format!("{} depends on the machine: {}.", words::sentence(metric.name()), said.join("; ")))
    }
}

impl Machine {
    fn of(name: &str, report: &Report) -> Self {
        let machine = &report.machine;
        Self {
            name: name.to_owned(),
            processor: format!("{}, {}", machine.processor, words::counted(machine.cores as u64, "core")),
            os: format!("{} {}", machine.os, machine.kernel.as_deref().unwrap_or_default()).trim_end().to_owned(),
            at: report.made.at.clone(),
        }
    }
}

impl Common {
    fn of(reports: &[(String, Report)], report: &Report, cell: &Cell) -> Self {
        let reference = reference(report, cell);
        let line = |metric: Metric| {
            let values: Vec<Option<Estimate>> = each(reports, cell, |cell| metric.of_summary(cell.summary.as_ref()?));
            let ratios = reports
                .iter()
                .map(|(_, report)| {
                    let (cell, reference) = (counterpart(report, cell)?, counterpart(report, reference?)?);
                    findings::ratio(metric, cell, reference)
                })
                .collect();
            Line {
                metric: metric.key(),
                title: metric.name(),
                differs: lie_apart(&each(reports, cell, |cell| sound_estimate(cell, metric))),
                values,
                against: reference.map(|reference| findings::name(report, reference)),
                ratios,
            }
        };
        Self {
            name: findings::name(report, cell),
            transport: cell.transport.clone(),
            load: words::load(cell),
            figures: COMPARED.into_iter().map(line).filter(|line| line.values.iter().any(Option::is_some)).collect(),
        }
    }
}

/// A short name for the report in a file: its folder's, if the file is called as `bench` calls it.
#[must_use]
pub fn name_of(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let folder = path.parent().and_then(Path::file_name).map(|folder| folder.to_string_lossy().into_owned());
    folder.filter(|_| stem == "report").unwrap_or(stem)
}

/// The cell of another report under the same load, of the same transport, of a target with the same name.
fn counterpart<'a>(report: &'a Report, cell: &Cell) -> Option<&'a Cell> {
    let is_same =
        |other: &&Cell| (&other.target, &other.transport) == (&cell.target, &cell.transport) && other.has_load_of(cell);
    report.cells.iter().find(is_same)
}

/// What a cell is compared with on its own machine: the WebSocket of the first target under the same load.
#[must_use]
pub fn reference<'a>(report: &'a Report, cell: &Cell) -> Option<&'a Cell> {
    let mut same_load = report.cells.iter().filter(|other| other.has_load_of(cell));
    let first = same_load.clone().next();
    same_load.find(|other| other.transport == "websocket").or(first).filter(|reference| reference.id != cell.id)
}

fn each<T>(reports: &[(String, Report)], cell: &Cell, value: impl Fn(&Cell) -> Option<T>) -> Vec<Option<T>> {
    reports.iter().map(|(_, report)| counterpart(report, cell).and_then(&value)).collect()
}

/// The figure of a cell, if enough rounds say where it lies.
fn sound_estimate(cell: &Cell, metric: Metric) -> Option<Estimate> {
    let summary = cell.summary.as_ref()?;
    metric.of_summary(summary).filter(|_| summary.coverage.is_some_and(|coverage| coverage >= LEAST_COVERAGE))
}

/// Whether there are two whose intervals have nothing in common.
fn lie_apart(values: &[Option<Estimate>]) -> bool {
    let known: Vec<&Estimate> = values.iter().flatten().collect();
    let lowest_end = known.iter().map(|value| value.high).fold(f64::INFINITY, f64::min);
    let highest_start = known.iter().map(|value| value.low).fold(f64::NEG_INFINITY, f64::max);
    highest_start > lowest_end
}

/// What was not the same in all reports, and has to be said before anything is compared.
fn caveats(reports: &[(String, Report)]) -> Vec<String> {
    let mut caveats = Vec::new();
    let mut differ = |what: &str, value: &dyn Fn(&Report) -> String| {
        let values: Vec<String> = reports.iter().map(|(_, report)| value(report)).collect();
        if values.iter().any(|value| *value != values[0]) {
            let each: Vec<String> =
                reports.iter().zip(&values).map(|((name, _), value)| format!("{name} {value}")).collect();
            caveats.push(format!("{what} is not the same: {}.", words::list(&each)));
        }
    };
    differ("The loop", &|report| format!("{:?}", report.settings.loop_).to_lowercase());
    differ("The duration of a round", &|report| format!("{} s", report.settings.duration_s));
    differ("The warm-up", &|report| format!("{} s", report.settings.warm_up_s));
    differ("The way of publishing", &|report| format!("{:?}", report.settings.publish).to_lowercase());
    differ("The version of fallcast", &|report| report.made.fallcast.clone());
    differ("The build", &|report| if report.made.debug { "debug" } else { "release" }.to_owned());
    differ("Whether cores were shared", &|report| {
        if report.settings.pinned { "a core each" } else { "not pinned" }.to_owned()
    });
    differ("How long the server was stopped", &|report| {
        report.settings.freeze_s.map_or_else(|| "not at all".to_owned(), |seconds| format!("{seconds} s"))
    });
    caveats
}
