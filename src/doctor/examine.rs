//! The examination: every question in its turn, and what to do when the line breaks in the middle of one.
//!
//! Silence takes time, so connections are silent beside everything else. A question whose connection breaks is asked once
//! more when the server is there again, and the time until then is an outage.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use super::{
    client::{Client, Fault, Request},
    judge::{Finding, Holding, Report, holding_of},
    observations::{End, Handshake, Idle, Latency, Observations, Offer, Outage, Pieces, Stream, Transport, Upgrade},
    questions::{Pulse, clock, duplicates, idle, latency, pieces, room, streams, upgrade, way},
};

/// How an examination goes.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How long connections are silent.
    pub idle: Duration,
    /// How long to wait for a server that is there but does not answer.
    pub patience: Duration,
}

/// Who is told how an examination goes on.
pub trait Audience {
    /// A question is being asked.
    fn asks(&mut self, question: &str);
    /// A question is answered.
    fn hears(&mut self, finding: &Finding);
}

/// How long to wait before the server is looked for again.
const PAUSE: Duration = Duration::from_millis(250);

/// How often a question is asked whose connection breaks.
const TRIES: u32 = 2;

/// One examination.
pub struct Examiner<'a, A> {
    client: Client,
    plan: Plan,
    audience: &'a mut A,
    began: Instant,
    observations: Observations,
}

impl<'a, A: Audience> Examiner<'a, A> {
    /// Prepares an examination. Nothing is asked yet.
    pub fn new(client: Client, plan: Plan, audience: &'a mut A) -> Self {
        let observations = Observations { url: client.target.to_string(), ..Observations::default() };
        Self { client, plan, audience, began: Instant::now(), observations }
    }

    /// Asks all questions.
    ///
    /// # Errors
    /// The server cannot be reached, or not any more.
    pub async fn examine(mut self) -> Result<Observations, Fault> {
        self.audience.asks("looking for the server");
        let Some(offer) = self.reach().await? else {
            self.look_from_outside().await;
            return Ok(self.observations);
        };
        self.observations.offer = Some(offer);
        self.tell("line");
        let pulse = self.clock().await?;
        let silence = actix_rt::spawn(idle::watch(self.client.clone(), self.plan.idle, heartbeat(offer), pulse));
        let silent_since = Instant::now();
        self.way().await?;
        self.passing(pulse).await?;
        self.delivering(pulse).await?;
        self.room(offer).await?;
        self.audience.asks(&format!(
            "waiting for silent connections, {:.0} s more",
            self.plan.idle.saturating_sub(silent_since.elapsed()).as_secs_f64()
        ));
        // A panic there goes on here.
        let idle = silence.await.unwrap_or_else(|_| Idle::default());
        self.observations.idle = Some(idle);
        self.tell("idle");
        // Whether new connections are possible tells a dead network from one that has changed.
        self.reach().await?;
        if !self.observations.outages.is_empty() {
            self.tell("line");
        }
        Ok(self.observations)
    }

    async fn clock(&mut self) -> Result<Pulse, Fault> {
        let client = self.client.clone();
        let clock = self.ask("comparing clocks", || clock::look(&client)).await?;
        let Some(clock) = clock else {
            return Err(Fault::NotHttp("its clock cannot be asked, without which nothing else can be".to_owned()));
        };
        self.observations.clock = Some(clock);
        self.tell("clock");
        Ok(Pulse::from(clock))
    }

    async fn way(&mut self) -> Result<(), Fault> {
        let client = self.client.clone();
        let seen = self.ask("looking who sits between", || way::look(&client)).await?;
        self.observations.way = seen;
        self.tell("way");
        self.tell("fields");
        Ok(())
    }

    /// What passes: handshakes, streams, and many of them.
    async fn passing(&mut self, pulse: Pulse) -> Result<(), Fault> {
        let client = self.client.clone();
        let is_done =
            |seen: &Upgrade| matches!(seen.outcome, Handshake::Passed | Handshake::Stripped | Handshake::Refused);
        let seen = self.ask_steadily("opening a WebSocket", || upgrade::look(&client, pulse), is_done).await?;
        self.observations.upgrade = seen;
        self.tell("upgrade");
        let are_whole = |seen: &Vec<Pieces>| seen.iter().all(|pieces| pieces.is_whole);
        let look = || pieces::look_at_each(&client, pulse);
        let seen = self.ask_steadily("reading streams", look, are_whole).await?;
        self.observations.pieces = seen.unwrap_or_default();
        for (of, fill) in [(Stream::Events, Stream::Fill), (Stream::Plain, Stream::FillPlain)] {
            let held = holding_of(&self.observations, of);
            if matches!(held, Some(Holding::InBlocks | Holding::UntilEnd)) {
                let seen = self.ask("filling a buffer", || pieces::look(&client, fill, pulse)).await?;
                self.observations.pieces.extend(seen);
            }
        }
        self.tell("flush");
        self.tell("compression");
        let seen = self.ask("opening many streams", || streams::look(&client, pulse)).await?;
        self.observations.streams = seen;
        self.tell("streams");
        Ok(())
    }

    /// What arrives: requests, and messages on each transport.
    async fn delivering(&mut self, pulse: Pulse) -> Result<(), Fault> {
        let client = self.client.clone();
        let seen = self.ask("counting requests", || duplicates::look(&client)).await?;
        self.observations.duplicates = seen;
        self.tell("duplicates");
        for transport in Transport::ALL {
            let what = format!("publishing, and reading over {}", transport.name());
            let is_done = |seen: &Option<Latency>| seen.as_ref().is_none_or(|latency| latency.lost == 0);
            let seen = self.ask_steadily(&what, || latency::look(&client, transport, pulse), is_done).await?;
            self.observations.latency.extend(seen.flatten());
        }
        self.tell("latency");
        Ok(())
    }

    /// Only a server on this machine is asked, and only if it would tell.
    async fn room(&mut self, offer: Offer) -> Result<(), Fault> {
        if !offer.may_see_room || !self.client.target.is_this_machine() {
            return Ok(());
        }
        let client = self.client.clone();
        self.observations.room = self.ask("looking at the machine", || room::look(&client)).await?.flatten();
        self.tell("room");
        Ok(())
    }

    /// What there is to see of a server that is not fallcast.
    async fn look_from_outside(&mut self) {
        self.observations.way = way::look_from_outside(&self.client).await.ok();
        self.tell("line");
        self.tell("way");
    }

    /// Asks a question. If the connection breaks, it waits until the server is there again, and asks once more.
    async fn ask<T, F: Future<Output = Result<T, Fault>>>(
        &mut self,
        what: &str,
        question: impl Fn() -> F,
    ) -> Result<Option<T>, Fault> {
        self.audience.asks(what);
        for _ in 1..TRIES {
            match question().await {
                Ok(seen) => return Ok(Some(seen)),
                Err(_) => {
                    self.reach().await?;
                }
            }
        }
        match question().await {
            Ok(seen) => Ok(Some(seen)),
            // The server is there, so this is what becomes of this question. The others are worth asking all the same.
            Err(fault) => {
                self.observations.unanswered.push(format!("{what}: {fault}"));
                Ok(None)
            }
        }
    }

    /// Asks a question, and once more if something seems to be in the way: a line that died in the middle looks like one
    /// on which nothing passes, but only once.
    async fn ask_steadily<T, F: Future<Output = Result<T, Fault>>>(
        &mut self,
        what: &str,
        question: impl Fn() -> F,
        is_done: impl Fn(&T) -> bool,
    ) -> Result<Option<T>, Fault> {
        match self.ask(what, &question).await? {
            Some(seen) if !is_done(&seen) => self.ask(what, &question).await,
            seen => Ok(seen),
        }
    }

    /// Waits until the server answers, and notes how long that took if it was long. `None` if another server answers.
    async fn reach(&mut self) -> Result<Option<Offer>, Fault> {
        let (began, mut how) = (Instant::now(), None);
        loop {
            let fault = match self.client.ask(&Request::get("/examination")).await {
                // A proxy, or the server itself, says that it will be back.
                Ok(answer) if matches!(answer.head.status, 502..=504) => {
                    Fault::NotHttp(format!("the status is {}", answer.head.status))
                }
                Ok(answer) => {
                    self.note_outage(began, how);
                    let document = answer.json().unwrap_or_default();
                    let is_problem = |kind: &str| kind.starts_with("urn:fallcast:problem:");
                    if document["type"].as_str().is_some_and(is_problem) {
                        return Err(Fault::Refused(document["detail"].as_str().unwrap_or_default().to_owned()));
                    }
                    let is_offer = document["server"] == "fallcast";
                    return Ok(if is_offer { serde_json::from_value(document).ok() } else { None });
                }
                // Nobody is there, or nobody to be trusted, and waiting does not change that.
                Err(fault @ (Fault::Unreachable(..) | Fault::Untrusted(..))) => return Err(fault),
                Err(fault) => fault,
            };
            if began.elapsed() > self.plan.patience {
                return Err(fault);
            }
            how.get_or_insert(fault.end());
            self.audience.asks(&format!("waiting for the server: {fault}"));
            actix_rt::time::sleep(PAUSE).await;
        }
    }

    fn note_outage(&mut self, began: Instant, how: Option<End>) {
        let Some(how) = how else { return };
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        let after_ms = millis(began.saturating_duration_since(self.began));
        self.observations.outages.push(Outage { after_ms, lasted_ms: millis(began.elapsed()), how });
    }

    /// Tells what a question's answer means, as far as it can be said now.
    fn tell(&mut self, question: &str) {
        let report = Report::of(&self.observations);
        let finding = report.findings.iter().find(|finding| finding.question == question);
        if let Some(finding) = finding {
            self.audience.hears(finding);
        }
    }
}

fn heartbeat(offer: Offer) -> Duration {
    const LONGEST_S: f64 = 3600.0;
    Duration::from_secs_f64((offer.heartbeat_ms / 1000.0).clamp(0.0, LONGEST_S))
}
