//! One sample: a fresh server, its audience, and the phases that both go through.
//!
//! 1. *Connect*: all subscribers, as fast as the server accepts them.
//! 2. *Idle*: what the connections cost in memory while nothing happens.
//! 3. *Warm-up*, which is not measured.
//! 4. *One in flight*: a message is published when everybody has the one before. This is what a delivery costs when
//!    nothing can be batched.
//! 5. *Saturated*: the publisher keeps a window of messages ahead of the slowest subscriber. This is what the server
//!    can do at most.
//!
//! All phases together are one numbered sequence, and the sample fails unless every subscriber has received all of it.

use std::{
    fmt,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    Result,
    audience::Audience,
    machine::Cores,
    options::{Plan, Transport},
    process::CpuTime,
    publisher::Publisher,
    server::{Contender, Server},
};

/// The window of the bare sender. It batches nothing, so a wider one would change nothing but the time it takes to
/// empty it.
const BARE_WINDOW: u32 = 16;

/// Deliveries in flight at most. With many subscribers this narrows the window, so that a round over all of them stays
/// short against the phase that measures the rate.
const MOST_IN_FLIGHT: u32 = 500_000;

/// The part of a phase's length that warms up what follows.
const WARM_UP: f64 = 0.2;

/// A phase with one message in flight is extended to this many messages, however many subscribers there are.
const FEWEST_MESSAGES: u32 = 10;

/// How long the saturated phase waits for deliveries before it looks whether it may publish again.
const TURN: Duration = Duration::from_millis(1);

/// What one server did for one audience.
#[derive(Serialize)]
pub struct Sample {
    pub connects_per_second: f64,
    pub memory_per_connection: f64,
    pub one_in_flight: Phase,
    /// Not measured with long-polls, for which the bare sender has no such state: it never has two messages to send.
    pub saturated: Option<Phase>,
}

/// What happened in a phase.
#[derive(Serialize)]
pub struct Phase {
    pub deliveries: u32,
    pub seconds: f64,
    pub deliveries_per_second: f64,
    /// Time of the server on its core, in nanoseconds, divided by the deliveries.
    pub server_cpu_ns_per_delivery: f64,
    /// Share of its core that the server used.
    pub server_load: f64,
    /// Share of its core that the load generator used. If it is close to 1 and the server's is not, the generator was
    /// the limit.
    pub generator_load: f64,
}

impl Sample {
    /// Starts a server, leads it through all phases, and stops it.
    pub fn take(
        plan: &Plan,
        cores: &Cores,
        contender: Contender,
        transport: Transport,
        subscribers: u32,
    ) -> Result<Self> {
        let server = match contender {
            Contender::Bare => Server::bare("bare-sender", cores)?,
            Contender::Fallcast => Server::fallcast(plan, cores)?,
        };
        let publisher = Publisher::connect(plan, server.address, contender, transport)?;
        server.settle()?;
        let memory_before = server.memory()?;
        let start = Instant::now();
        let audience = Audience::connect(plan, server.address, transport, subscribers as usize)?;
        let connects_per_second = f64::from(subscribers) / start.elapsed().as_secs_f64();
        let mut stage = Stage { server, publisher, audience };
        stage.server.settle()?;
        let memory = stage.server.memory()? - memory_before;
        stage.one_in_flight(plan.phase.mul_f64(WARM_UP))?;
        let one_in_flight = stage.one_in_flight(plan.phase)?;
        let window = match contender {
            Contender::Bare => BARE_WINDOW,
            Contender::Fallcast => plan.window.min((MOST_IN_FLIGHT / subscribers).max(1)),
        };
        let saturated = match transport {
            Transport::LongPoll => None,
            Transport::WebSocket | Transport::Sse => Some(stage.saturated(plan.phase, window)?),
        };
        stage.finish()?;
        let memory_per_connection = memory / f64::from(subscribers);
        Ok(Self { connects_per_second, memory_per_connection, one_in_flight, saturated })
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:.0} connects/s, {:.0} B each, {:.0} ns CPU per delivery",
            self.connects_per_second, self.memory_per_connection, self.one_in_flight.server_cpu_ns_per_delivery
        )?;
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
}

impl Stage {
    fn one_in_flight(&mut self, duration: Duration) -> Result<Phase> {
        let meter = Meter::start(&self.server)?;
        let (mut messages, mut deliveries) = (0, 0);
        while messages < FEWEST_MESSAGES || meter.start.elapsed() < duration {
            self.publish(1)?;
            deliveries += self.drain()?;
            messages += 1;
        }
        meter.stop(&self.server, deliveries)
    }

    /// The rate is taken while the window is kept full; CPU time counts until the window is empty again, because only
    /// then it is known how many deliveries it was spent on.
    fn saturated(&mut self, duration: Duration, window: u32) -> Result<Phase> {
        let meter = Meter::start(&self.server)?;
        let (warm_up, _) = self.keep_full(duration.mul_f64(WARM_UP), window)?;
        let (deliveries, seconds) = self.keep_full(duration, window)?;
        let (server_load, generator_load) = meter.loads(&self.server)?;
        let all = warm_up + deliveries + self.drain()?;
        let Phase { server_cpu_ns_per_delivery, .. } = meter.stop(&self.server, all)?;
        let deliveries_per_second = f64::from(deliveries) / seconds;
        Ok(Phase {
            deliveries,
            seconds,
            deliveries_per_second,
            server_cpu_ns_per_delivery,
            server_load,
            generator_load,
        })
    }

    /// Keeps a window of messages in flight, and returns the deliveries and the seconds.
    fn keep_full(&mut self, duration: Duration, window: u32) -> Result<(u32, f64)> {
        let start = Instant::now();
        let mut deliveries = 0;
        while start.elapsed() < duration {
            self.publish(window as usize - self.audience.tally.in_flight())?;
            deliveries += self.audience.receive(TURN)?;
        }
        Ok((deliveries, start.elapsed().as_secs_f64()))
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
}

impl Meter {
    /// Starts when the server is at rest, so that it pays for nothing that came before.
    fn start(server: &Server) -> Result<Self> {
        let server = server.settle()?;
        Ok(Self { generator: CpuTime::of(std::process::id())?, server, start: Instant::now() })
    }

    /// The shares of their cores that server and generator have used so far.
    fn loads(&self, server: &Server) -> Result<(f64, f64)> {
        let seconds = self.start.elapsed().as_secs_f64();
        let by_server = server.cpu()?.since(&self.server);
        let by_generator = CpuTime::of(std::process::id())?.since(&self.generator);
        Ok((by_server.as_secs_f64() / seconds, by_generator.as_secs_f64() / seconds))
    }

    /// Stops the clock, lets the server finish what it has begun, and adds up.
    fn stop(self, server: &Server, deliveries: u32) -> Result<Phase> {
        let seconds = self.start.elapsed().as_secs_f64();
        let (server_load, generator_load) = self.loads(server)?;
        let used = server.settle()?.since(&self.server);
        Ok(Phase {
            deliveries,
            seconds,
            deliveries_per_second: f64::from(deliveries) / seconds,
            server_cpu_ns_per_delivery: used.as_secs_f64() * 1e9 / f64::from(deliveries),
            server_load,
            generator_load,
        })
    }
}
