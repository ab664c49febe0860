//! Are streams passed on as they come? Each piece tells when it was sent, and its arrival tells the rest.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Pulse, clock::OwnClock, millis, millis_since};
use crate::doctor::{
    client::{Client, Connection, Fault, Request},
    observations::{End, Pieces, Stream},
};

/// How many small pieces are sent.
const SMALL: u32 = 6;

/// How many large pieces are sent: as much together as the largest buffers that proxies have by default.
const LARGE: u32 = 64;

/// How large these are.
const LARGE_BYTES: u32 = 1024;

/// How many bytes a piece has at least, for its number and its time.
const SMALLEST_BYTES: u32 = 57;

/// Looks at the three kinds of stream at the same time.
///
/// # Errors
/// There is no answer, or not the one of a fallcast server.
pub async fn look_at_each(client: &Client, pulse: Pulse) -> Result<Vec<Pieces>, Fault> {
    let look = |of| look(client, of, pulse);
    let (mut events, lines, plain) = tokio::try_join!(look(Stream::Events), look(Stream::Lines), look(Stream::Plain))?;
    events.coding = coding(client).await?;
    Ok(vec![events, lines, plain])
}

/// Looks at one stream.
///
/// # Errors
/// There is no answer, or not the one of a fallcast server.
pub async fn look(client: &Client, of: Stream, pulse: Pulse) -> Result<Pieces, Fault> {
    // Pieces must be further apart than the way is long, or than a kernel gathers for fuller packets (200 ms), or else
    // lateness looks like waiting for the next one.
    let every = pulse.round_trip.clamp(Duration::from_millis(300), Duration::from_secs(1));
    let (expected, every, bytes) = match of {
        Stream::Events | Stream::Lines | Stream::Plain => (SMALL, every, 64),
        Stream::Fill | Stream::FillPlain => (LARGE, Duration::from_millis(20), LARGE_BYTES),
    };
    let form = if of == Stream::Lines { "lines" } else { "events" };
    let plain = u8::from(matches!(of, Stream::Plain | Stream::FillPlain));
    let address = format!(
        "/examination/pieces?as={form}&count={expected}&every={}&bytes={bytes}&plain={plain}",
        every.as_millis()
    );
    let request = Request::get(address).with("Accept-Encoding", "identity");
    let (clock, began) = (OwnClock::now(), Instant::now());
    let sent_at = |at_us: f64| at_us / 1000.0 - pulse.offset_ms - clock.read() + millis_since(began);
    let mut connection = client.connect().await?;
    connection.send(&client.target, &request).await?;
    // Every second pause is twice as long, and the last before the end three times.
    let whole = every * (expected * 3 / 2 + 3) + pulse.grace() * 2;
    let framing = if of == Stream::Lines { 1 } else { 8 };
    let mut seen = Pieces {
        of,
        coding: None,
        expected: expected.into(),
        bytes: f64::from(bytes.max(SMALLEST_BYTES) + framing),
        seen: Vec::new(),
        ended_ms: 0.0,
        is_whole: false,
    };
    let outcome = tokio::time::timeout(
        whole,
        read(&mut connection, &mut seen, whole, |at_us| (sent_at(at_us), millis_since(began))),
    )
    .await;
    seen.ended_ms = millis_since(began).min(millis(whole) * 2.0);
    match outcome {
        Ok(Ok(())) => seen.is_whole = true,
        // A break before anything has come is about the line, not about streams.
        Ok(Err(fault)) if seen.seen.is_empty() && fault.end() != End::Silence => return Err(fault),
        Ok(Err(_)) | Err(_) => {}
    }
    Ok(seen)
}

/// How a stream is coded for a client that allows compression, as browsers do by themselves.
async fn coding(client: &Client) -> Result<Option<String>, Fault> {
    let request = Request::get("/examination/pieces?count=1&every=1").with("Accept-Encoding", "gzip, deflate, br");
    let answer = client.ask(&request).await?;
    Ok(answer.head.field("Content-Encoding").map(str::to_owned))
}

async fn read(
    connection: &mut Connection,
    pieces: &mut Pieces,
    patience: Duration,
    times: impl Fn(f64) -> (f64, f64),
) -> Result<(), Fault> {
    let head = connection.head(patience).await?;
    if head.status != 200 {
        return Err(Fault::NotHttp(format!("a stream was asked for, and the status is {}", head.status)));
    }
    let mut line = Vec::new();
    while let Some(bytes) = connection.next(patience).await? {
        for &byte in &bytes {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            if let Some(at_us) = sent_at_us(&line) {
                pieces.seen.push(times(at_us));
            }
            line.clear();
        }
    }
    Ok(())
}

/// When a piece says that it was sent.
fn sent_at_us(line: &[u8]) -> Option<f64> {
    let json = line.strip_prefix(b"data: ").unwrap_or(line);
    let document: Value = serde_json::from_slice(json).ok()?;
    document["piece"].as_u64().and(document["at_us"].as_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_one_in_either_form() {
        assert_eq!(sent_at_us(br#"{"at_us":5,"padding":"x","piece":1}"#), Some(5.0));
        assert_eq!(sent_at_us(br#"data: {"at_us":5,"piece":1}"#), Some(5.0));
        assert_eq!(sent_at_us(br#"data: {"at_us":5,"beat":true}"#), None);
        assert_eq!(sent_at_us(b""), None);
    }
}
