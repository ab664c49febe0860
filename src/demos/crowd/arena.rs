//! Where an experiment takes place: a server of its own, and what the load generator needs to know of it.

use std::{net::SocketAddr, ops::Range, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;
use thiserror::Error;

use crate::{
    bench::{
        load::{Crowd, LoadError, Publishing, Subscription, Tally, Transport, Way},
        server::{Cores, CpuTime, OwnServer, ServerError, memory},
        template::{Template, TemplateError, WayThere},
        validity,
    },
    origin::Origin,
};

use super::leash::Pull;

/// The size of a message in bytes.
const SIZE: usize = 64;

/// Short-polls draw lots; no experiment has any.
const SEED: u64 = 1;

/// Where the server's port is. A client that connects to a port at which nobody listens may be given that same port as its
/// own by the system, and is then connected to itself; so these are ports that no system gives to clients by itself.
const PORTS: Range<u16> = 20_000..30_000;

/// How many of them are tried.
const TRIES: usize = 20;

/// What a server of an experiment is started with: no lab, and no crowds of its own.
const OPTIONS: [&str; 2] = ["--crowd-subscribers", "0"];

/// A percentile needs so many values beyond it.
const BEYOND: f64 = 10.0;

/// Why an experiment has no end.
#[derive(Debug, Error)]
pub enum Broken {
    /// The leash was pulled.
    #[error("{}", .0.words())]
    Pulled(Pull),
    /// No load can be generated.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The own server does not run.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The own server cannot be asked.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A part of it has ended without a word.
    #[error("a thread of the experiment broke off; the server's log says where")]
    Thread,
}

impl From<Pull> for Broken {
    fn from(pull: Pull) -> Self {
        Self::Pulled(pull)
    }
}

/// A server and what surrounds it. It ends when this is dropped.
#[derive(Debug)]
pub struct Arena {
    server: Option<OwnServer>,
    address: SocketAddr,
    template: Template,
    cores: Option<Cores>,
}

impl Arena {
    /// Starts a server on a free port.
    ///
    /// # Errors
    /// It does not start.
    pub fn open() -> Result<Self, Broken> {
        let cores = Cores::choose();
        let template = Template::profile("fallcast")?;
        let mut outcome = start(fastrand::u16(PORTS), cores.as_ref());
        for _ in 1..TRIES {
            // Somebody else has the port, most likely.
            if outcome.is_err() {
                outcome = start(fastrand::u16(PORTS), cores.as_ref());
            }
        }
        let server = outcome?;
        Ok(Self { address: server.address, server: Some(server), template, cores })
    }

    /// Kills the server, as a crash would.
    pub fn kill(&mut self) {
        self.server = None;
    }

    /// Starts it again where it was.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart(&mut self) -> Result<(), Broken> {
        self.server = Some(start(self.address.port(), self.cores.as_ref())?);
        Ok(())
    }

    /// Keeps the calling thread, which generates load, off the server's cores.
    pub fn pin_generator(&self) {
        if let Some(cores) = &self.cores {
            // Where it stays then is where the system wants it, as without pinning.
            let _ = cores.pin_generator();
        }
    }

    /// A crowd that is yet to connect. It listens for what comes, and not for what there is. If it is sent something, that
    /// goes over one WebSocket: a pool of requests would be one more thing that waits.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub fn crowd(&self, transport: Transport, channel: &str, is_sent_to: bool) -> Result<Crowd, Broken> {
        let subscription = self.subscription(transport, channel)?;
        let publishing = if is_sent_to {
            self.template.over_websocket("fallcast", &self.origin(), channel)?
        } else {
            Publishing { address: self.address, way: Way::Nobody }
        };
        Ok(Crowd::new(subscription, publishing, SIZE, SEED)?)
    }

    fn subscription(&self, transport: Transport, channel: &str) -> Result<Subscription, TemplateError> {
        let way = WayThere::default();
        let subscription = self.template.subscription("fallcast", transport, &self.origin(), channel, &way)?;
        Ok(Subscription { from_start: None, ..subscription })
    }

    fn origin(&self) -> Origin {
        Origin { address: self.address, host: self.address.to_string() }
    }

    /// The server's process.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        self.server.as_ref().map(OwnServer::process)
    }

    /// The processor time of the server so far, where the system tells.
    #[must_use]
    pub fn cpu(&self) -> Option<CpuTime> {
        CpuTime::of(self.process()?)
    }

    /// The memory of the server's process in bytes, where the system tells.
    #[must_use]
    pub fn memory(&self) -> Option<u64> {
        self.process().and_then(memory).map(|(_, bytes)| bytes)
    }
}

fn start(port: u16, cores: Option<&Cores>) -> Result<OwnServer, ServerError> {
    OwnServer::start_at(port, &OPTIONS.map(str::to_owned), false, cores)
}

/// Whether the generator could keep up.
#[derive(Clone, Debug, Serialize)]
pub struct Generator {
    /// The share of a core that its thread used, where the system tells.
    pub cpu_share: Option<f64>,
    /// How late one message in a hundred was sent or later, in milliseconds.
    pub lag_p99_ms: f64,
    /// What speaks against the figures, if anything does.
    pub bottleneck: Option<String>,
}

impl Generator {
    /// Looks at what a phase has cost.
    #[must_use]
    pub fn of(tally: &Tally) -> Self {
        let cpu_share = validity::cpu_share(tally);
        let lag_p99_ms = milliseconds(tally.lag.value_at_quantile(0.99));
        let bottleneck = if tally.messages > 0 {
            Some(validity::judge(tally).reasons.join(" ")).filter(|reasons| !reasons.is_empty())
        } else {
            // Where nothing is sent, nothing is late.
            let too_busy = cpu_share.filter(|share| *share > validity::BUSIEST);
            too_busy.map(|share| format!("The generator used {:.0} % of its core.", share * 100.0))
        };
        Self { cpu_share, lag_p99_ms, bottleneck }
    }
}

/// A time as a share of another one.
#[must_use]
pub fn share(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { part.as_secs_f64() / whole.as_secs_f64() }
}

/// Nanoseconds as milliseconds.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "no time here is longer than hours")]
pub fn milliseconds(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// A percentile in milliseconds, if there are enough values beyond it.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub fn percentile(histogram: &Histogram<u64>, quantile: f64) -> Option<f64> {
    let beyond = histogram.len() as f64 * (1.0 - quantile);
    // A product such as 1,000 × (1 − 0.99) is a hair below 10.
    (beyond >= BEYOND - 1e-6).then(|| milliseconds(histogram.value_at_quantile(quantile)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::histogram;

    fn of(values: u64) -> Histogram<u64> {
        let mut all = histogram::new();
        (1..=values).for_each(|value| all.saturating_record(value * 1_000_000));
        all
    }

    #[test]
    fn a_percentile_is_told_only_if_there_are_ten_values_beyond_it() {
        assert_eq!(percentile(&of(999), 0.99), None);
        assert!(percentile(&of(1000), 0.99).is_some_and(|ms| (989.0..992.0).contains(&ms)));
        assert_eq!(percentile(&of(19), 0.5), None);
        assert!(percentile(&of(20), 0.5).is_some());
    }

    #[test]
    fn a_generator_that_sends_nothing_can_still_be_too_busy() {
        let mut tally = Tally::new(Duration::from_secs(1));
        tally.took = Duration::from_secs(1);
        tally.cpu = Some(Duration::from_millis(500));
        assert_eq!(Generator::of(&tally).bottleneck, None);
        tally.cpu = Some(Duration::from_millis(950));
        assert_eq!(Generator::of(&tally).bottleneck.as_deref(), Some("The generator used 95 % of its core."));
        tally.messages = 1;
        tally.lag.saturating_record(3_000_000);
        assert!(Generator::of(&tally).bottleneck.is_some_and(|words| words.contains("late")));
    }
}
