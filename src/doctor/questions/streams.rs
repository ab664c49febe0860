//! How many streams does one client get at a time? A browser has six connections to a host over HTTP/1.1; a program has as
//! many as it opens, unless something on the way counts them.

use std::time::{Duration, Instant};

use super::Pulse;
use crate::doctor::{
    client::{Client, Fault, Request},
    observations::Streams,
};

/// Twice as many as a browser has.
const ASKED: u32 = 12;

/// How long each stays open, beside what a connection needs on a long way. Whoever begins later had to wait for another to
/// end.
const OPEN_FOR: Duration = Duration::from_millis(1500);

/// Opens many streams at once.
///
/// # Errors
/// Not one of them is accepted.
pub async fn look(client: &Client, pulse: Pulse) -> Result<Streams, Fault> {
    let open_for = OPEN_FOR + pulse.round_trip * 3;
    let patience = open_for * 2 + pulse.grace();
    let began = Instant::now();
    let opening: Vec<_> =
        (0..ASKED).map(|_| actix_rt::spawn(open(client.clone(), open_for, patience, began))).collect();
    let (mut at_once, mut in_all, mut fault) = (0, 0, None);
    for stream in opening {
        match stream.await {
            Ok(Ok(after)) => {
                in_all += 1;
                at_once += u32::from(after < open_for);
            }
            Ok(Err(found)) => fault = Some(found),
            Err(_) => {}
        }
    }
    match fault {
        Some(fault) if in_all == 0 => Err(fault),
        _ => Ok(Streams { asked: ASKED, at_once, in_all }),
    }
}

/// Opens a stream, and tells how long after the first of all it began.
async fn open(client: Client, open_for: Duration, patience: Duration, began: Instant) -> Result<Duration, Fault> {
    let mut connection = client.connect().await?;
    let request = Request::get(format!("/examination/silence?as=lines&for={}", open_for.as_millis()));
    connection.send(&client.target, &request).await?;
    connection.head(patience).await?;
    connection.next(patience).await?;
    let after = began.elapsed();
    // It stays open for as long as the others need.
    while let Ok(Some(_)) = connection.next(patience).await {}
    Ok(after)
}
