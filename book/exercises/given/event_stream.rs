//! Server-sent events: a response that never ends. What one event looks like, and where a subscriber begins, are
//! exercises.

use std::{convert::Infallible, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse, rt,
    web::{Data, Path, Query, get},
};
use bytes::Bytes;
use serde::Deserialize;
use tokio::{
    select,
    sync::mpsc::{self, Sender, error::SendError},
    time::sleep,
};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};

use crate::{
    channel::{Channel, Channels},
    program::{self, Fault},
    publish,
    solutions::origin,
};

/// Writes one message as an event.
pub type Event = fn(id: &str, text: &str) -> String;

/// Finds the position of a subscriber that brings this cursor, or none.
pub type Position = fn(channel: &Channel, cursor: Option<&str>) -> Result<u64, Gap>;

/// Continuity is broken: the subscriber has missed something, or nobody can know what it has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The position at which the subscriber goes on instead.
    pub resume: u64,
}

/// How long a stream is silent at most. Proxies cut off what is silent for longer, often after a minute.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long a browser waits before it connects again, as the stream tells it.
const RETRY: Duration = Duration::from_secs(2);

/// What a subscriber asks for.
#[derive(Deserialize)]
pub struct Wish {
    /// A cursor, `start`, or `end`.
    pub after: Option<String>,
}

/// Serves channels as event streams until Ctrl-C.
///
/// # Errors
/// The port cannot be used.
pub fn serve(port: u16, event: Event, position: Position) -> Result<(), Fault> {
    let channels = Data::new(Channels::<Channel>::default());
    program::serve(port, move |config| {
        let subscribe = move |request: HttpRequest,
                              name: Path<String>,
                              wish: Query<Wish>,
                              channels: Data<Channels<Channel>>| async move {
            let Some(channel) = channels.get(&name) else { return publish::too_many_channels() };
            let start = start(&channel, cursor_of(&request, &wish), position);
            // One event at a time: what the connection cannot take yet stays in the log.
            let (out, body) = mpsc::channel(1);
            rt::spawn(follow(channel, start, event, out));
            response(ReceiverStream::new(body))
        };
        config.app_data(Data::clone(&channels)).route("/channels/{channel}/sse", get().to(subscribe));
        publish::configure(config, origin::is_welcome);
    })
}

/// The cursor that a request brings. A browser that reconnects sends the last `id` that it has seen, and that is newer
/// than the cursor in the address, which stays the same.
#[must_use]
pub fn cursor_of<'a>(request: &'a HttpRequest, wish: &'a Wish) -> Option<&'a str> {
    let last_event_id = request.headers().get("Last-Event-ID").and_then(|value| value.to_str().ok());
    last_event_id.filter(|id| !id.is_empty()).or(wish.after.as_deref())
}

/// Where a subscriber begins that brings this cursor.
///
/// # Errors
/// The gap, if it cannot go on from there.
pub fn start(channel: &Channel, cursor: Option<&str>, position: Position) -> Result<u64, Gap> {
    match cursor {
        None | Some("end") => position(channel, None),
        Some("start") => Ok(channel.start()),
        Some(cursor) => position(channel, Some(cursor)),
    }
}

/// The response whose body is an endless stream of events.
pub fn response(body: impl Stream<Item = String> + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("Cache-Control", "no-store, no-transform"))
        // Tells nginx to pass on what it gets.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(body.map(|text| Ok::<_, Infallible>(Bytes::from(text))))
}

/// Writes a subscriber's stream. It ends with an error: the subscriber is gone.
async fn follow(
    channel: Arc<Channel>,
    start: Result<u64, Gap>,
    event: Event,
    out: Sender<String>,
) -> Result<(), SendError<String>> {
    let mut published = channel.published();
    let (opening, mut position) = opening(&channel, start);
    out.send(opening).await?;
    loop {
        let Some(messages) = channel.read_after(position) else {
            // It was so slow that its next message is forgotten.
            position = channel.start();
            out.send(gap(&channel.cursor(position))).await?;
            continue;
        };
        for message in messages {
            out.send(event(&channel.cursor(message.number), &message.text)).await?;
            position = message.number;
        }
        select! {
            _ = published.changed() => {}
            () = sleep(HEARTBEAT) => out.send(": heartbeat\n\n".to_owned()).await?,
            () = out.closed() => return Ok(()),
        }
    }
}

/// The beginning of a stream, and the position after which its events begin.
///
/// The first block has an `id`, so that even a connection that drops before the first message goes on where it was.
#[must_use]
pub fn opening(channel: &Channel, start: Result<u64, Gap>) -> (String, u64) {
    let position = start.unwrap_or_else(|gap| gap.resume);
    let cursor = channel.cursor(position);
    let retry = RETRY.as_millis();
    let hello = format!("retry: {retry}\nevent: hello\nid: {cursor}\ndata: {{\"cursor\":\"{cursor}\"}}\n\n");
    let gap = if start.is_err() { gap(&cursor) } else { String::new() };
    (hello + &gap, position)
}

/// Tells a subscriber that something is missing before the next event.
fn gap(resume: &str) -> String {
    format!("event: gap\nid: {resume}\ndata: {{\"resume\":\"{resume}\"}}\n\n")
}
