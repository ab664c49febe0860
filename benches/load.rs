//! The load generator itself: what a delivery costs it, and which of the two is the bottleneck when it drives the server
//! as hard as it can.
//!
//! `cargo bench --bench load` prints a table. A server starts anew for each line, with one core and one worker where cores
//! can be assigned, and everything is published over one WebSocket:
//!
//! - *one in flight*: a message is published when everybody has the one before, so nothing can be batched;
//! - *window of 256*: the publisher is ahead of the slowest subscriber by so many messages, and batches grow.

use std::{error::Error, ops::ControlFlow, path::Path, time::Duration};

use clap::Parser;
use fallcast::{
    bench::{
        load::{Crowd, Pace, Phase, Tally, Transport},
        server::{Cores, CpuTime, OwnServer, settle},
        template::{Template, WayThere},
        validity::cpu_share,
    },
    origin::Origin,
};

/// Measures the load generator.
#[derive(Parser)]
struct Options {
    /// Sizes of the audience
    #[arg(long, value_delimiter = ',', default_value = "100,1000")]
    subscribers: Vec<usize>,
    /// Transports
    #[arg(long, value_delimiter = ',', default_value = "websocket,sse,stream,long-poll")]
    transports: Vec<Transport>,
    /// Bytes of a message
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Length of a phase
    #[arg(long, default_value = "2s", value_parser = humantime::parse_duration)]
    phase: Duration,
    /// Cargo passes this to every benchmark.
    #[arg(long = "bench", hide = true)]
    _bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let cores = Cores::choose();
    if let Some(cores) = &cores {
        let _ = cores.pin_generator();
    }
    println!(
        "| transport | subscribers | pace | deliveries/s | generator, ns per delivery | its core | the server's core | p50, µs |"
    );
    println!("| --- | --: | --- | --: | --: | --: | --: | --: |");
    for &transport in &options.transports {
        for &subscribers in &options.subscribers {
            for (name, pace) in [("one in flight", Pace::Window(1)), ("window of 256", Pace::Window(256))] {
                let (tally, server) = measure(&options, cores.as_ref(), transport, subscribers, pace)?;
                print(transport, subscribers, name, &tally, server);
            }
        }
    }
    Ok(())
}

/// What a phase has brought, and the server's processor time.
fn measure(
    options: &Options,
    cores: Option<&Cores>,
    transport: Transport,
    subscribers: usize,
    pace: Pace,
) -> Result<(Tally, Option<Duration>), Box<dyn Error>> {
    let args = ["--heartbeat", "1h", "--poll-hold", "1h"].map(str::to_owned);
    let server = OwnServer::start_program(Path::new(env!("CARGO_BIN_EXE_fallcast")), &args, false, cores)?;
    let origin = Origin { address: server.address, host: server.address.to_string() };
    let template = Template::profile("fallcast")?;
    let way = WayThere::default();
    let subscription = template.subscription("own", transport, &origin, "bench", &way)?;
    let publishing = template.over_websocket("own", &origin, "bench")?;
    let mut crowd = Crowd::new(subscription, publishing, options.size, 1)?;
    crowd.connect(subscribers)?;
    crowd.run(&Phase::new(pace, options.phase.mul_f64(0.2)), &mut |_| ControlFlow::Continue(()))?;
    let before = settle(server.process());
    let tally = crowd.run(&Phase::new(pace, options.phase), &mut |_| ControlFlow::Continue(()))?;
    let used = CpuTime::of(server.process()).zip(before).map(|(now, before)| now.since(&before));
    if tally.deliveries != tally.expected {
        return Err(format!("{transport}: {} of {} deliveries took place", tally.deliveries, tally.expected).into());
    }
    Ok((tally, used))
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts that far")]
fn print(transport: Transport, subscribers: usize, pace: &str, tally: &Tally, server: Option<Duration>) {
    let (deliveries, seconds) = (tally.deliveries as f64, tally.took.as_secs_f64());
    let own = tally.cpu.map_or_else(|| "–".to_owned(), |cpu| format!("{:.0}", cpu.as_secs_f64() * 1e9 / deliveries));
    let share = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share * 100.0));
    let p50 = tally.latency.value_at_quantile(0.5) as f64 / 1e3;
    println!(
        "| {transport} | {subscribers} | {pace} | {:.0} | {own} | {} | {} | {p50:.0} |",
        deliveries / seconds,
        share(cpu_share(tally)),
        share(server.map(|server| server.as_secs_f64() / seconds)),
    );
}
