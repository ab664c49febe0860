//! One sample: a fresh server, a hundred subscribers, a rest, and messages one at a time.

use std::time::{Duration, Instant};

use super::{
    Result,
    audience::{Audience, Publisher, Transport},
    server::{Route, Server},
};

const SUBSCRIBERS: u32 = 100;

/// How long the server's rest is watched: some heartbeats.
const REST: Duration = Duration::from_secs(4);

/// Messages that are published before anything is measured, and while it is.
const WARM_UP: u32 = 50;
const ROUNDS: u32 = 500;

/// What a sample shows.
#[derive(Debug)]
pub struct Figures {
    /// The share of a core that is used while nothing is published but heartbeats are sent.
    pub at_rest: f64,
    /// Seconds of CPU time for each message and subscriber.
    pub per_delivery: f64,
    /// Seconds from the publication until the last subscriber has the message, as the median.
    pub round: f64,
}

/// Takes a sample.
pub async fn take(transport: Transport, route: Route) -> Result<Figures> {
    let server = Server::start()?;
    let mut audience = Audience::connect(transport, server.address(route), SUBSCRIBERS).await?;
    let mut publisher = Publisher::connect(server.address(Route::Direct)).await?;
    rounds(WARM_UP, &mut publisher, &mut audience).await?;

    let (before, began) = (server.settle().await?, Instant::now());
    tokio::time::sleep(REST).await;
    let at_rest = server.cpu()?.since(&before).as_secs_f64() / began.elapsed().as_secs_f64();

    let (before, began) = (server.settle().await?, Instant::now());
    let times = rounds(ROUNDS, &mut publisher, &mut audience).await?;
    let used = server.settle().await?.since(&before).as_secs_f64() - at_rest * began.elapsed().as_secs_f64();
    Ok(Figures { at_rest, per_delivery: used / f64::from(ROUNDS * SUBSCRIBERS), round: median(times).as_secs_f64() })
}

/// Publishes so many messages, each when everybody has the one before, and returns how long each took.
async fn rounds(count: u32, publisher: &mut Publisher, audience: &mut Audience) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        publisher.publish().await?;
        audience.next_message().await?;
        times.push(began.elapsed());
    }
    Ok(times)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
