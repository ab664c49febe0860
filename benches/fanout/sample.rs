//! One sample: a fresh server, its audience, and the phases that both go through.
//!
//! 1. *Connect*: all subscribers, as fast as the server accepts them.
//! 2. *Idle*: what the connections cost in memory while nothing happens.
//! 3. *Warm-up*, which is not measured.
//! 4. *One in flight*: a message is published when everybody has the one before. This is what a delivery costs when
//!    nothing can be batched.
//! 5. *Low rate*, if it is asked for: messages at equal distances, far apart. This is how long a delivery takes.
//! 6. *Saturated*: the publisher keeps a window of messages ahead of the slowest subscriber. This is what the server
//!    can do at most.
//!
//! All phases together are one numbered sequence, and the sample fails unless every subscriber has received all of it.

use std::{
    fmt,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    Result,
    audience::Audience,
    framing::Framing,
    process::CpuTime,
    publisher::Publisher,
    schedule::{Latency, Schedule},
    server::Server,
    subject::Subject,
    workload::{LowRate, Workload},
};

/// The part of a phase's length that warms up what follows.
const WARM_UP: f64 = 0.2;

/// How long the saturated phase waits for deliveries before it looks whether it may publish again.
const TURN: Duration = Duration::from_millis(1);

/// What one server did for one audience.
#[derive(Clone, Serialize, Deserialize)]
pub struct Sample {
    pub connects_per_second: f64,
    pub memory_per_connection: f64,
    pub one_in_flight: Phase,
    /// Only if the workload asks for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub latency: Option<Latency>,
    /// Not measured where there is no such state: the bare sender never has two messages for one long-poll.
    pub saturated: Option<Phase>,
}

/// What happened in a phase.
#[derive(Clone, Serialize, Deserialize)]
pub struct Phase {
    pub deliveries: u32,
    pub seconds: f64,
    pub deliveries_per_second: f64,
    /// Time of the server on its core, in nanoseconds, divided by the deliveries.
    pub server_cpu_ns_per_delivery: f64,
    /// What subscribers have received, with all that is wrapped around payloads, in bytes divided by the deliveries.
    pub received_bytes_per_delivery: f64,
    /// What subscribers had to send for that.
    pub sent_bytes_per_delivery: f64,
    /// Share of its core that the server used.
    pub server_load: f64,
    /// Share of its core that the load generator used. If it is close to 1 and the server's is not, the generator was
    /// the limit.
    pub generator_load: f64,
}

impl Sample {
    /// Leads a server through all phases, and stops it.
    pub fn take(workload: &Workload, subject: Subject) -> Result<Self> {
        let Subject { server, publishing, dialect, window } = subject;
        let mut publisher = Publisher::connect(workload, server.address, publishing)?;
        if dialect.framing == Framing::NchanPoll {
            publisher.open_channel()?;
        }
        server.settle()?;
        let memory_before = server.memory()?;
        let start = Instant::now();
        let audience = Audience::connect(workload, server.address, dialect)?;
        let connects_per_second = f64::from(workload.subscribers) / start.elapsed().as_secs_f64();
        let mut stage = Stage { server, publisher, audience, fewest_messages: workload.fewest_messages };
        stage.server.settle()?;
        let memory = stage.server.memory()? - memory_before;
        stage.one_in_flight(workload.phase.mul_f64(WARM_UP))?;
        let one_in_flight = stage.one_in_flight(workload.phase)?;
        let latency = workload.low_rate.map(|rate| stage.low_rate(rate)).transpose()?.flatten();
        let saturated = window.map(|window| stage.saturated(workload.phase, window)).transpose()?;
        stage.finish()?;
        let memory_per_connection = memory / f64::from(workload.subscribers);
        Ok(Self { connects_per_second, memory_per_connection, one_in_flight, latency, saturated })
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:.0} connects/s, {:.0} B each, {:.0} ns CPU per delivery",
            self.connects_per_second, self.memory_per_connection, self.one_in_flight.server_cpu_ns_per_delivery
        )?;
        if let Some(Latency { p50_us, p99_us, .. }) = &self.latency {
            write!(formatter, ", p50 {p50_us:.0} µs, p99 {p99_us:.0} µs")?;
        }
        let Some(saturated) = &self.saturated else { return Ok(()) };
        write!(
            formatter,
            ", {:.0} deliveries/s (server {:.0} %, generator {:.0} %)",
            saturated.deliveries_per_second,
            saturated.server_load * 100.0,
            saturated.generator_load * 100.0
        )
    }
}

/// All that takes part. The server comes first because it has to end first: it would report the subscribers' resets.
struct Stage {
    server: Server,
    publisher: Publisher,
    audience: Audience,
    fewest_messages: u32,
}

impl Stage {
    fn one_in_flight(&mut self, duration: Duration) -> Result<Phase> {
        let meter = Meter::start(self)?;
        let (mut messages, mut deliveries) = (0, 0);
        while messages < self.fewest_messages || meter.start.elapsed() < duration {
            self.publish(1)?;
            deliveries += self.drain()?;
            messages += 1;
        }
        meter.stop(self, deliveries)
    }

    /// Publishes at equal distances, and awaits each moment without sleeping: a wake-up takes as long as a delivery.
    fn low_rate(&mut self, LowRate { messages, interval }: LowRate) -> Result<Option<Latency>> {
        self.server.settle()?;
        let start = Instant::now() + interval;
        let first = self.audience.tally.published() + 1;
        let deliveries = messages as usize * self.audience.tally.subscribers();
        self.audience.schedule = Some(Schedule::new(start, interval, first, deliveries));
        for number in 0..messages {
            while Instant::now() < start + interval * number {
                self.audience.receive(Duration::ZERO)?;
            }
            self.publish(1)?;
        }
        self.drain()?;
        Ok(self.audience.schedule.take().and_then(|schedule| schedule.latency(messages)))
    }

    /// Keeps a window of messages in flight, and then lets it become empty: some servers deliver a whole window late
    /// but at once, so a rate that is taken before that says nothing.
    fn saturated(&mut self, duration: Duration, window: u32) -> Result<Phase> {
        let meter = Meter::start(self)?;
        let mut deliveries = 0;
        while meter.start.elapsed() < duration {
            self.publish((window as usize).saturating_sub(self.audience.tally.in_flight()))?;
            deliveries += self.audience.receive(TURN)?;
        }
        deliveries += self.drain()?;
        meter.stop(self, deliveries)
    }

    fn publish(&mut self, messages: usize) -> Result<()> {
        for _ in 0..messages {
            self.publisher.queue(self.audience.tally.publish());
        }
        self.publisher.send()
    }

    /// Receives until nobody waits for anything.
    fn drain(&mut self) -> Result<u32> {
        self.audience.receive_until(|audience| audience.tally.in_flight() == 0)
    }

    /// Looks for what must not be there: anything that arrives although everybody has everything.
    fn finish(mut self) -> Result<()> {
        self.server.settle()?;
        self.audience.receive(Duration::ZERO)?;
        self.publisher.check()
    }
}

/// Measures a phase from both sides.
struct Meter {
    start: Instant,
    server: CpuTime,
    generator: CpuTime,
    bytes_received: u64,
    bytes_sent: u64,
}

impl Meter {
    /// Starts when the server is at rest, so that it pays for nothing that came before.
    fn start(stage: &Stage) -> Result<Self> {
        let server = stage.server.settle()?;
        let &Audience { bytes_received, bytes_sent, .. } = &stage.audience;
        let generator = CpuTime::of_this_process()?;
        Ok(Self { generator, server, start: Instant::now(), bytes_received, bytes_sent })
    }

    /// The shares of their cores that server and generator have used so far.
    fn loads(&self, server: &Server) -> Result<(f64, f64)> {
        let seconds = self.start.elapsed().as_secs_f64();
        let by_server = server.cpu()?.since(&self.server);
        let by_generator = CpuTime::of_this_process()?.since(&self.generator);
        Ok((by_server.as_secs_f64() / seconds, by_generator.as_secs_f64() / seconds))
    }

    /// Stops the clock, lets the server finish what it has begun, and adds up.
    fn stop(self, stage: &Stage, deliveries: u32) -> Result<Phase> {
        let seconds = self.start.elapsed().as_secs_f64();
        let (server_load, generator_load) = self.loads(&stage.server)?;
        let used = stage.server.settle()?.since(&self.server);
        #[expect(clippy::cast_precision_loss, reason = "a phase moves less than 2^52 bytes")]
        let per_delivery = |bytes: u64| bytes as f64 / f64::from(deliveries);
        Ok(Phase {
            deliveries,
            seconds,
            deliveries_per_second: f64::from(deliveries) / seconds,
            server_cpu_ns_per_delivery: used.as_secs_f64() * 1e9 / f64::from(deliveries),
            received_bytes_per_delivery: per_delivery(stage.audience.bytes_received - self.bytes_received),
            sent_bytes_per_delivery: per_delivery(stage.audience.bytes_sent - self.bytes_sent),
            server_load,
            generator_load,
        })
    }
}
