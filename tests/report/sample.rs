//! A report that nobody has measured: its latencies are drawn by chance, from a seed, and everything else agrees with
//! them.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "the numbers are small, and made up"
)]

use fallcast::bench::{
    histogram,
    report::{
        Bytes, Cell, Clock, Distribution, Down, Figures, Freeze, Generator, Loop, Machine, Made, MemoryKind, MemoryUse,
        PacketSource, Packets, Publish, Recovery, Report, Round, ServerCost, Settings, Target, Timeline, Up, Validity,
    },
};
use fastrand::Rng;

const STEP_MS: u32 = 100;
const WARM_UP_S: f64 = 1.0;

/// What the report is to hold.
#[derive(Clone)]
pub struct Plan {
    pub transports: Vec<&'static str>,
    pub subscribers: Vec<u32>,
    pub sizes: Vec<u32>,
    pub rate: f64,
    pub duration_s: f64,
    pub rounds: u32,
    pub seed: u64,
    /// How many times slower than the usual machine.
    pub slowness: f64,
    pub is_frozen: bool,
    /// Rounds that do not count: cell, round.
    pub invalid: Vec<(usize, u32)>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            transports: vec!["websocket", "sse", "long-poll"],
            subscribers: vec![100],
            sizes: vec![64],
            rate: 50.0,
            duration_s: 2.0,
            rounds: 5,
            seed: 1,
            slowness: 1.0,
            is_frozen: false,
            invalid: Vec::new(),
        }
    }
}

impl Plan {
    /// The report.
    pub fn report(&self) -> Report {
        let mut cells = Vec::new();
        for &subscribers in &self.subscribers {
            for &size_bytes in &self.sizes {
                cells.extend(self.transports.iter().map(|&transport| self.cell(transport, subscribers, size_bytes)));
            }
        }
        let order: Vec<Vec<usize>> = (0..self.rounds as usize)
            .map(|round| (0..cells.len()).map(|place| (place + round) % cells.len()).collect())
            .collect();
        let mut rng = Rng::with_seed(self.seed);
        let mut clock = 0.0;
        for (round, places) in (1..).zip(&order) {
            for (place, &cell) in (1..).zip(places) {
                clock += WARM_UP_S + 0.5;
                let measured = self.round(&cells[cell], cell, round, place, clock, &mut rng);
                clock += self.duration_s;
                cells[cell].rounds.push(measured);
            }
        }
        let ids = |places: &Vec<usize>| places.iter().map(|&cell| cells[cell].id.clone()).collect();
        let settings = self.settings(order.iter().map(ids).collect());
        let mut report = Report::new(made(clock), machine(), settings, vec![target()]);
        report.question = Some("Does long-polling cost more than a WebSocket?".to_owned());
        report.prediction = Some("Twice the CPU per delivery, ten times the bytes.".to_owned());
        report.cells = cells;
        report.complete();
        report
    }

    fn cell(&self, transport: &str, subscribers: u32, size_bytes: u32) -> Cell {
        Cell {
            id: format!("fallcast.{transport}.{subscribers}x{}x{size_bytes}", self.rate),
            target: "fallcast".to_owned(),
            transport: transport.to_owned(),
            subscribers,
            rate: self.rate,
            size_bytes,
            via: None,
            rounds: Vec::new(),
            summary: None,
            doubtful: None,
        }
    }

    fn settings(&self, order: Vec<Vec<String>>) -> Settings {
        Settings {
            seed: self.seed,
            rounds: self.rounds,
            warm_up_s: WARM_UP_S,
            duration_s: self.duration_s,
            loop_: Loop::Open,
            publish: Publish::Post,
            pinned: true,
            tcp_nodelay: true,
            keep_alive: true,
            tls: false,
            freeze_s: self.is_frozen.then_some(0.5),
            order,
        }
    }

    fn round(&self, cell: &Cell, at: usize, round: u32, place: u32, started_s: f64, rng: &mut Rng) -> Round {
        let messages = (self.rate * self.duration_s) as u64;
        let n = messages * u64::from(cell.subscribers);
        let mood = 1.0 + 0.05 * normal(rng);
        let is_valid = !self.invalid.contains(&(at, round));
        let deliveries = self.deliveries(cell, messages, mood, rng);
        let cpu = cost(&cell.transport) * mood * self.slowness * (1.0 + f64::from(cell.size_bytes) / 20_000.0);
        Round {
            round,
            place,
            started_s,
            validity: validity(is_valid),
            messages,
            expected: n,
            n,
            lost: 0,
            repeated: 0,
            reordered: 0,
            damaged: 0,
            reconnects: 0,
            latency: Distribution::of(&deliveries.latency),
            first_message: drawn(rng, cell.subscribers.into(), 900_000.0 * self.slowness * mood, 0.4),
            skew: Distribution::of(&deliveries.skew),
            timeline: deliveries.timeline,
            bytes: bytes(cell, n),
            packets: Some(Packets { source: PacketSource::Segments, down: n, up: n + n / 50 }),
            requests: if cell.transport.contains("poll") { n } else { 0 },
            connections: 0,
            server: Some(ServerCost {
                cpu_ns: Some((cpu * n as f64) as u64),
                memory: Some(memory(cell, if cell.transport.contains("poll") { 16_900 } else { 10_400 })),
                kernel: Some(MemoryUse { kind: MemoryKind::Sockets, ..memory(cell, 1_280) }),
            }),
            generator: Generator {
                cpu: Some(if is_valid { 0.31 } else { 0.97 }),
                lag: drawn(rng, messages, 30_000.0, 0.5),
                sweep: drawn(rng, messages * 2, 200_000.0, 0.3),
            },
            recovery: Some(Recovery {
                cut: cell.subscribers / 10,
                time: drawn(rng, u64::from(cell.subscribers / 10), 8_000_000.0 * mood, 0.6),
                lost: 0,
                repeated: 0,
            }),
            freeze: self.is_frozen.then_some(Freeze { at_ms: 800, for_ms: 500 }),
        }
    }

    fn deliveries(&self, cell: &Cell, messages: u64, mood: f64, rng: &mut Rng) -> Deliveries {
        let (median, spread) = latency(&cell.transport);
        let per_subscriber = 400.0 * self.slowness;
        let mut all = Deliveries::new();
        let mut step = histogram::new();
        let mut current = 0;
        for message in 0..messages {
            let due_ms = message as f64 * 1_000.0 / self.rate;
            if (due_ms / f64::from(STEP_MS)) as u64 > current {
                all.end_step(&mut step);
                current += 1;
            }
            let wait =
                if self.is_frozen { (1_300.0 - due_ms).clamp(0.0, 500.0) * f64::from(due_ms >= 800.0) } else { 0.0 };
            let common = median * self.slowness * mood * (spread * normal(rng)).exp() + wait * 1e6;
            let (mut first, mut last) = (u64::MAX, 0);
            for subscriber in 0..cell.subscribers {
                let own = f64::from(subscriber) * per_subscriber * (1.0 + 0.2 * rng.f64());
                let time = (common + own + if rng.f64() < 0.001 { 3e6 * rng.f64() } else { 0.0 }) as u64;
                all.latency.saturating_record(time);
                step.saturating_record(time);
                (first, last) = (first.min(time), last.max(time));
            }
            all.skew.saturating_record(last - first);
        }
        all.end_step(&mut step);
        all
    }
}

struct Deliveries {
    latency: hdrhistogram::Histogram<u64>,
    skew: hdrhistogram::Histogram<u64>,
    timeline: Timeline,
}

impl Deliveries {
    fn new() -> Self {
        let timeline = Timeline { step_ms: STEP_MS, ..Timeline::default() };
        Self { latency: histogram::new(), skew: histogram::new(), timeline }
    }

    fn end_step(&mut self, step: &mut hdrhistogram::Histogram<u64>) {
        let figures = Figures::of(step);
        self.timeline.n.push(figures.n);
        self.timeline.p50_ns.push(figures.p50_ns);
        self.timeline.p99_ns.push(figures.p99_ns);
        self.timeline.max_ns.push(figures.max_ns);
        step.reset();
    }
}

fn made(took_s: f64) -> Made {
    Made {
        at: "2026-11-21T17:30:00Z".to_owned(),
        took_s: took_s + 1.0,
        command: ["fallcast", "bench", "--question", "…"].map(str::to_owned).to_vec(),
        fallcast: env!("CARGO_PKG_VERSION").to_owned(),
        commit: Some("0123456789ab".to_owned()),
        rustc: None,
        debug: false,
        interrupted: false,
    }
}

fn machine() -> Machine {
    Machine {
        processor: "Example 3000 at 2.4 GHz".to_owned(),
        cores: 2,
        memory_bytes: Some(24 << 30),
        os: "linux".to_owned(),
        kernel: Some("6.18.1".to_owned()),
        clock: Clock { source: "CLOCK_MONOTONIC (tsc)".to_owned(), resolution_ns: 30 },
    }
}

fn target() -> Target {
    let template = |path: &str| format!("http://127.0.0.1:40001/channels/{{channel}}{path}");
    Target {
        name: "fallcast".to_owned(),
        server: Some("fallcast 0.1.0".to_owned()),
        own: true,
        server_args: Vec::new(),
        templates: [("publish", template("")), ("sse", template("/sse"))]
            .map(|(name, url)| (name.to_owned(), url))
            .into(),
    }
}

fn validity(valid: bool) -> Validity {
    if valid {
        return Validity { valid, ..Validity::default() };
    }
    Validity {
        valid,
        reasons: vec!["The generator used 97 % of its core.".to_owned()],
        advice: vec!["Lower --rate or --subscribers.".to_owned()],
    }
}

fn memory(cell: &Cell, per_connection: u64) -> MemoryUse {
    let without_bytes = 9_000_000;
    let with_bytes = without_bytes + per_connection * u64::from(cell.subscribers);
    MemoryUse { kind: MemoryKind::Pss, without_bytes, with_bytes }
}

/// The median latency in nanoseconds, and the standard deviation of its logarithm.
fn latency(transport: &str) -> (f64, f64) {
    match transport {
        "long-poll" => (420_000.0, 0.35),
        "short-poll=500ms" => (250_000_000.0, 0.5),
        "stream" => (215_000.0, 0.25),
        _ => (220_000.0, 0.25),
    }
}

/// Nanoseconds of processor time for each delivery.
fn cost(transport: &str) -> f64 {
    match transport {
        "websocket" => 4_100.0,
        "long-poll" | "short-poll=500ms" => 12_900.0,
        _ => 4_200.0,
    }
}

fn bytes(cell: &Cell, n: u64) -> Bytes {
    let (framing, header, request) = match cell.transport.as_str() {
        "websocket" => (2, 0, 0),
        "sse" => (38, 0, 0),
        "stream" => (32, 0, 0),
        _ => (40, 150, 210),
    };
    Bytes {
        down: Down {
            payload_bytes: n * u64::from(cell.size_bytes),
            framing_bytes: n * framing,
            header_bytes: n * header,
        },
        up: Up { request_bytes: n * request, framing_bytes: 0 },
    }
}

fn drawn(rng: &mut Rng, n: u64, median: f64, spread: f64) -> Distribution {
    let mut histogram = histogram::new();
    for _ in 0..n {
        histogram.saturating_record((median * (spread * normal(rng)).exp()) as u64);
    }
    Distribution::of(&histogram)
}

/// A number from the standard normal distribution (Box and Muller).
fn normal(rng: &mut Rng) -> f64 {
    let (radius, angle) = ((1.0 - rng.f64()).ln() * -2.0, rng.f64() * std::f64::consts::TAU);
    radius.sqrt() * angle.cos()
}
