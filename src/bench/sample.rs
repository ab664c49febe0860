//! One measurement: a server, a crowd of subscribers, and what both of them did.
//!
//! 1. The own server is started anew, so that nothing is left of the measurement before.
//! 2. *Settling*: a few subscribers of another channel come first. What a process builds for its first connection and keeps
//!    for all that follow is then no longer counted as theirs.
//! 3. *Connect*: a message is published, then all subscribers come and get it. That is the time to the first message.
//! 4. *Rest*: what the connections cost in memory while nothing happens. The settlers leave.
//! 5. *Warm-up*, which does not count.
//! 6. *What counts*. Before and after it the server comes to rest, so it pays for this and for nothing else.
//! 7. *Recovery*: a tenth of the subscribers is cut off in a short phase of its own.

use std::{
    collections::HashSet,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use thiserror::Error;

use super::{
    http,
    load::{Crowd, Cut, Glance, LoadError, Pace, Phase, Tally},
    plan::{CellPlan, Plan, Via},
    report::{
        Bytes, Distribution, Down, Freeze, Generator, Loop, MemoryKind, MemoryUse, PacketSource, Packets, Publish,
        Recovery, Round, ServerCost, Timeline, Up,
    },
    server::{Cores, CpuTime, OwnServer, Segments, ServerError, Sockets, kernel_memory, memory, settle},
    target::{Place, Target},
    template::{TemplateError, WayThere},
    validity,
};
use crate::origin::Origin;

/// How long the phase is in which connections are cut.
pub const RECOVERY: Duration = Duration::from_secs(1);

/// When they are cut.
const CUT_AFTER: Duration = Duration::from_millis(300);

/// One in so many.
const CUT_ONE_IN: usize = 10;

/// How long to wait for what a subscriber without a cursor has missed.
const UNTIL_LOST: Duration = Duration::from_millis(500);

/// At fewer messages a second one would rather measure when the next message comes than when the subscriber is back.
const SLOWEST_RECOVERY_RATE: f64 = 50.0;

/// How many subscribers come before the others, when memory is to be read.
const SETTLERS: usize = 16;

/// The name of the lab's link. Each measurement has a lab of its own.
const LINK: &str = "bench";

/// A timeline says nothing of the slowest hundredth of fewer deliveries.
const ENOUGH_FOR_P99: u64 = 1_000;

/// Why a measurement failed.
#[derive(Debug, Error)]
pub enum SampleError {
    /// The own server does not run.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// No load can be generated.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The target is not asked like that.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The lab does not do as it is told.
    #[error("the lab does not set the link: {0}")]
    Lab(String),
    /// Freezing needs signals.
    #[error("--freeze works on Unix only")]
    NoFreeze,
}

/// Somebody who watches a measurement, about ten times a second, and may end it.
pub trait Watcher {
    /// A phase is on its way.
    fn glance(&mut self, phase: &'static str, glance: &Glance<'_>) -> ControlFlow<()>;
}

/// Everything that a measurement works with.
pub struct Setting<'a> {
    /// What was asked for.
    pub plan: &'a Plan,
    /// Of that, this.
    pub cell: &'a CellPlan,
    /// The cores of server and generator.
    pub cores: Option<&'a Cores>,
    /// The beginning of the run.
    pub began: Instant,
    /// The number of the round, and the cell's place in it, from 1.
    pub turn: (u32, u32),
}

/// A server with a crowd at its door.
struct Stage {
    /// Held for as long as it is needed.
    own: Option<OwnServer>,
    pid: Option<u32>,
    /// Where the server's connections are, if it runs here.
    port: u16,
    /// Whether what can be seen of the server's process is its own doing alone.
    is_alone: bool,
    crowd: Crowd,
    /// A crowd that is there before the other, if the server's memory can be read.
    settlers: Option<Crowd>,
}

impl Setting<'_> {
    fn target(&self) -> &Target {
        &self.plan.targets[self.cell.target]
    }

    /// Measures, and returns what was found; `None` if `watcher` has ended it.
    ///
    /// # Errors
    /// Says why nothing could be measured.
    pub fn measure(&self, watcher: &mut dyn Watcher) -> Result<Option<Round>, SampleError> {
        let mut stage = Stage::open(self)?;
        if let Some(settlers) = &mut stage.settlers {
            settlers.connect(SETTLERS)?;
        }
        let before = Rest::of(&stage);
        stage.crowd.connect(self.cell.subscribers as usize)?;
        let connected = Rest::of(&stage);
        drop(stage.settlers.take());
        let warm_up = Phase::new(self.pace(), self.plan.warm_up);
        if !self.plan.warm_up.is_zero() && self.run(&mut stage, &warm_up, "warm-up", watcher)?.interrupted {
            return Ok(None);
        }

        let meter = Meter::start(&stage);
        let started_s = self.began.elapsed().as_secs_f64();
        let freeze = self.freeze(&stage)?;
        let tally = self.run(&mut stage, &self.phase(), "measuring", watcher)?;
        drop(freeze);
        let (cpu_ns, segments) = meter.stop(&stage);
        if tally.interrupted {
            return Ok(None);
        }
        let ControlFlow::Continue(recovery) = self.recover(&mut stage, watcher)? else { return Ok(None) };

        let mut round = self.round(&tally);
        round.started_s = started_s;
        round.first_message = Distribution::of(&stage.crowd.first_messages());
        round.packets = segments.map(|Segments { down, up, .. }| Packets { source: PacketSource::Segments, down, up });
        round.server = stage.pid.filter(|_| stage.is_alone).map(|_| ServerCost {
            cpu_ns,
            memory: memory_use(before.memory, connected.memory),
            kernel: memory_use(before.kernel, connected.kernel),
        });
        round.recovery = recovery;
        Ok(Some(round))
    }

    /// A crowd of a channel of its own, which subscribes at `door` and publishes at `origin`.
    fn crowd(&self, origin: &Origin, door: &Origin) -> Result<Crowd, SampleError> {
        let (cell, target) = (self.cell, self.target());
        let link = (cell.via != Via::Direct).then_some(LINK);
        let channel = channel();
        let way = WayThere { headers: &self.plan.headers, link };
        let subscription = target.template.subscription(&target.name, cell.transport, door, &channel, &way)?;
        let size = cell.size as usize;
        let publishing = match self.plan.publish {
            Publish::Post => target.template.post(origin, &channel, size),
            Publish::Websocket => target.template.over_websocket(&target.name, origin, &channel)?,
        };
        Ok(Crowd::new(subscription, publishing, size, self.plan.seed)?)
    }

    /// Searches need no more than the load itself: no recovery, and no look at the server.
    ///
    /// # Errors
    /// Says why nothing could be measured.
    pub fn load(&self, watcher: &mut dyn Watcher) -> Result<Option<Tally>, SampleError> {
        let mut stage = Stage::open(self)?;
        stage.crowd.connect(self.cell.subscribers as usize)?;
        let warm_up = Phase::new(self.pace(), self.plan.warm_up);
        if !self.plan.warm_up.is_zero() && self.run(&mut stage, &warm_up, "warm-up", watcher)?.interrupted {
            return Ok(None);
        }
        let tally = self.run(&mut stage, &self.phase(), "measuring", watcher)?;
        Ok(Some(tally).filter(|tally| !tally.interrupted))
    }

    fn run(
        &self,
        stage: &mut Stage,
        phase: &Phase,
        name: &'static str,
        watcher: &mut dyn Watcher,
    ) -> Result<Tally, LoadError> {
        let interval = self.cell.transport.interval().unwrap_or_default();
        let phase = Phase { patience: phase.patience + interval * 2 + self.plan.freeze.unwrap_or_default(), ..*phase };
        stage.crowd.run(&phase, &mut |glance| watcher.glance(name, glance))
    }

    fn pace(&self) -> Pace {
        match self.plan.loop_ {
            Loop::Open => Pace::Rate(self.cell.rate),
            Loop::Closed => Pace::Closed(self.cell.rate),
        }
    }

    fn phase(&self) -> Phase {
        Phase::new(self.pace(), self.plan.duration)
    }

    /// Cuts a tenth of the subscribers off, if that was asked for.
    fn recover(
        &self,
        stage: &mut Stage,
        watcher: &mut dyn Watcher,
    ) -> Result<ControlFlow<(), Option<Recovery>>, LoadError> {
        if !self.plan.recovery {
            return Ok(ControlFlow::Continue(None));
        }
        let pace = Pace::Rate(self.cell.rate.max(SLOWEST_RECOVERY_RATE));
        let cut = Some(Cut { after: CUT_AFTER, one_in: CUT_ONE_IN });
        // Without a cursor something is lost for certain, and there is no need to wait for it for long.
        let patience = if stage.crowd.can_resume() { Phase::PATIENCE } else { UNTIL_LOST };
        let phase = Phase { cut, patience, ..Phase::new(pace, RECOVERY) };
        let tally = self.run(stage, &phase, "recovery", watcher)?;
        let recovery = Recovery {
            cut: tally.cut.connections,
            time: Distribution::of(&tally.recovery),
            lost: tally.cut.lost,
            repeated: tally.cut.repeated,
        };
        Ok(if tally.interrupted { ControlFlow::Break(()) } else { ControlFlow::Continue(Some(recovery)) })
    }

    /// What was counted, as the report says it.
    fn round(&self, tally: &Tally) -> Round {
        let (round, place) = self.turn;
        let traffic = tally.subscribers;
        let payload_bytes = (tally.deliveries + tally.repeated) * u64::from(self.cell.size);
        Round {
            round,
            place,
            started_s: 0.0,
            validity: validity::judge(tally),
            messages: tally.messages,
            expected: tally.expected,
            n: tally.deliveries,
            lost: tally.lost,
            repeated: tally.repeated,
            reordered: tally.reordered,
            damaged: tally.damaged,
            reconnects: tally.reconnects,
            latency: Distribution::of(&tally.latency),
            first_message: Distribution::default(),
            skew: Distribution::of(&tally.skew),
            timeline: timeline(tally),
            bytes: Bytes {
                down: Down {
                    payload_bytes,
                    framing_bytes: traffic.down_bytes.saturating_sub(traffic.head_bytes + payload_bytes),
                    header_bytes: traffic.head_bytes,
                },
                up: Up { request_bytes: traffic.request_bytes, framing_bytes: traffic.frame_bytes },
            },
            packets: None,
            requests: traffic.requests,
            connections: traffic.connections,
            server: None,
            generator: Generator {
                cpu: validity::cpu_share(tally),
                lag: Distribution::of(&tally.lag),
                sweep: Distribution::of(&tally.sweep),
            },
            recovery: None,
            freeze: self.freeze_times().map(|(at, length)| Freeze { at_ms: millis(at), for_ms: millis(length) }),
        }
    }

    /// When the server is stopped, and for how long.
    fn freeze_times(&self) -> Option<(Duration, Duration)> {
        let length = self.plan.freeze?;
        Some(((self.plan.duration.saturating_sub(length)) / 2, length))
    }

    #[cfg(unix)]
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it fails")]
    fn freeze(&self, stage: &Stage) -> Result<Option<super::server::Freezer>, SampleError> {
        let server = stage.own.as_ref().map(OwnServer::process);
        let times = self.freeze_times();
        Ok(server.zip(times).map(|(pid, (at, length))| super::server::Freezer::start(pid, at, length)))
    }

    #[cfg(not(unix))]
    fn freeze(&self, _stage: &Stage) -> Result<Option<()>, SampleError> {
        if self.freeze_times().is_some() { Err(SampleError::NoFreeze) } else { Ok(None) }
    }
}

impl Stage {
    /// Starts the server, if it is the own one, and gets ready to publish.
    fn open(setting: &Setting<'_>) -> Result<Self, SampleError> {
        let (cell, target) = (setting.cell, setting.target());
        let (own, origin, pid) = match &target.place {
            Place::Own { args } => {
                let with_lab = cell.via != Via::Direct;
                let args = [args.clone(), room_in_lab(args, cell)].concat();
                let own = OwnServer::start(&args, with_lab, setting.cores)?;
                let origin = Origin { address: own.address, host: own.address.to_string() };
                let pid = own.process();
                (Some(own), origin, Some(pid))
            }
            Place::Elsewhere { origin, pid } => (None, origin.clone(), *pid),
        };
        let door = match (&cell.via, own.as_ref().and_then(|own| own.lab)) {
            (Via::Lab { faults, .. }, Some(lab)) => {
                set_link(&origin, faults)?;
                Origin { address: lab, host: lab.to_string() }
            }
            _ => origin.clone(),
        };
        let crowd = setting.crowd(&origin, &door)?;
        // The lab is a thread of the server's process.
        let is_alone = cell.via == Via::Direct;
        let settlers = if pid.is_some() && is_alone { Some(setting.crowd(&origin, &door)?) } else { None };
        Ok(Self { own, pid, port: origin.address.port(), is_alone, crowd, settlers })
    }
}

/// What lets so many subscribers into the lab, unless somebody has decided that otherwise.
fn room_in_lab(args: &[String], cell: &CellPlan) -> Vec<String> {
    const OPTION: &str = "--max-lab-connections";
    if cell.via == Via::Direct || args.iter().any(|arg| arg.starts_with(OPTION)) {
        return Vec::new();
    }
    // Who is cut off connects again before the lab knows.
    vec![format!("{OPTION}={}", cell.subscribers.saturating_mul(2).max(1000))]
}

/// A channel that nobody else uses: targets that run already keep what was published in former rounds.
fn channel() -> String {
    format!("bench-{}", std::iter::repeat_with(fastrand::alphanumeric).take(10).collect::<String>())
}

fn set_link(origin: &Origin, faults: &str) -> Result<(), SampleError> {
    let answer = http::request(origin, "PUT", &format!("/lab/links/{LINK}"), faults);
    let answer = answer.map_err(|error| SampleError::Lab(error.to_string()))?;
    if answer.status == 201 { Ok(()) } else { Err(SampleError::Lab(answer.text)) }
}

/// What a server holds while it is at rest.
struct Rest {
    memory: Option<(MemoryKind, u64)>,
    kernel: Option<(MemoryKind, u64)>,
}

impl Rest {
    fn of(stage: &Stage) -> Self {
        let Some(pid) = stage.pid else { return Self { memory: None, kernel: None } };
        // It is waited for; how much it has used does not matter here.
        let _ = settle(pid);
        let sockets = Sockets::look().map(|sockets| (MemoryKind::Sockets, sockets.memory_at(stage.port)));
        let kernel = sockets.or_else(|| kernel_memory().map(|bytes| (MemoryKind::SocketsOfMachine, bytes)));
        Self { memory: memory(pid), kernel }
    }
}

fn memory_use(before: Option<(MemoryKind, u64)>, after: Option<(MemoryKind, u64)>) -> Option<MemoryUse> {
    let ((kind, without_bytes), (same_kind, with_bytes)) = before.zip(after)?;
    (kind == same_kind).then_some(MemoryUse { kind, without_bytes, with_bytes })
}

/// Measures what counts from outside: the server's processor time, and packets.
struct Meter {
    cpu: Option<CpuTime>,
    ports: HashSet<u16>,
    segments: Option<Segments>,
}

impl Meter {
    /// Starts when the server is at rest.
    fn start(stage: &Stage) -> Self {
        let cpu = stage.pid.and_then(settle);
        let ports = stage.crowd.local_ports();
        let segments = Sockets::count(&ports);
        Self { cpu, ports, segments }
    }

    /// Stops when it is at rest again. Of connections that are others than before, packets are not known.
    fn stop(self, stage: &Stage) -> (Option<u64>, Option<Segments>) {
        let cpu = stage.pid.and_then(settle).zip(self.cpu).map(|(now, before)| now.since(&before));
        let is_same = stage.crowd.local_ports() == self.ports;
        let now = is_same.then(|| Sockets::count(&self.ports)).flatten();
        let segments = now.zip(self.segments).map(|(now, before)| now.since(before));
        (cpu.map(super::load::nanoseconds), segments)
    }
}

fn timeline(tally: &Tally) -> Timeline {
    let steps = tally.timeline.steps();
    let per_step = |value: &dyn Fn(&hdrhistogram::Histogram<u32>) -> Option<u64>| steps.iter().map(value).collect();
    Timeline {
        step_ms: u32::try_from(tally.timeline.step().as_millis()).unwrap_or(u32::MAX),
        n: steps.iter().map(hdrhistogram::Histogram::len).collect(),
        p50_ns: per_step(&|step| (!step.is_empty()).then(|| step.value_at_quantile(0.5))),
        p99_ns: per_step(&|step| (step.len() >= ENOUGH_FOR_P99).then(|| step.value_at_quantile(0.99))),
        max_ns: per_step(&|step| (!step.is_empty()).then(|| step.max())),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
