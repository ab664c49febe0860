//! When is a silent connection cut, and how? Five connections are silent at the same time: a WebSocket, a stream, a poll
//! that is not answered, and a WebSocket and a stream on which the server says something now and then. If these two live
//! and the others don't, silence is what was cut.

use std::time::{Duration, Instant};

use super::{Pulse, millis, millis_since};
use crate::doctor::{
    client::{Client, Connection, Fault, Request},
    handshake::{Shaken, hear, shake},
    observations::{End, Idle, IdleLine, LineKind},
};

/// How often the server breaks the silence where it does: as its heartbeat, or more often if that is longer than anybody
/// waits here.
const BEATS: u32 = 4;

/// The shortest pause between two beats that a server offers.
const SHORTEST_BEAT: Duration = Duration::from_millis(250);

/// Watches silent connections for so long.
pub async fn watch(client: Client, patience: Duration, heartbeat: Duration, pulse: Pulse) -> Idle {
    let beat = heartbeat.min(patience / BEATS).max(SHORTEST_BEAT);
    let watch = Watch { client, patience, grace: pulse.grace() };
    let (websocket, stream, poll, beating_websocket, beating_stream) = tokio::join!(
        watch.websocket(None),
        watch.stream(None),
        watch.poll(),
        watch.websocket(Some(beat)),
        watch.stream(Some(beat)),
    );
    Idle { patience_ms: millis(patience), lines: vec![websocket, stream, poll, beating_websocket, beating_stream] }
}

struct Watch {
    client: Client,
    patience: Duration,
    grace: Duration,
}

impl Watch {
    async fn websocket(&self, beat: Option<Duration>) -> IdleLine {
        let opened = Instant::now();
        match shake(&self.client, &self.address("/examination/ws?", beat)).await {
            Ok(Shaken::Open(mut connection)) => match hear(&mut connection, "\"piece\":1", self.grace).await {
                Ok(()) => self.listen(connection, LineKind::Websocket, beat).await,
                // Whether WebSockets pass is another question.
                Err(_) => line(LineKind::Websocket, beat, End::NotOpened, opened),
            },
            Ok(Shaken::Answered(_)) => line(LineKind::Websocket, beat, End::NotOpened, opened),
            Err(fault) => line(LineKind::Websocket, beat, fault.end(), opened),
        }
    }

    async fn stream(&self, beat: Option<Duration>) -> IdleLine {
        let opened = Instant::now();
        let request = Request::get(self.address("/examination/silence?as=lines&", beat));
        let asking = async {
            let mut connection = self.client.connect().await?;
            connection.send(&self.client.target, &request).await?;
            // A proxy may hold the head back until there is a body, so it comes with that.
            let head = connection.head(self.patience + self.grace).await?;
            Ok((head.status, connection))
        };
        match asking.await {
            Ok((200, connection)) => self.listen(connection, LineKind::Stream, beat).await,
            Ok((status, _)) => IdleLine { status: Some(status), ..line(LineKind::Stream, beat, End::Answered, opened) },
            Err(fault) => line(LineKind::Stream, beat, Fault::end(&fault), opened),
        }
    }

    async fn poll(&self) -> IdleLine {
        let opened = Instant::now();
        let request = Request::get(self.address("/examination/silence?late=1&", None));
        let asking = async {
            let mut connection = self.client.connect().await?;
            connection.send(&self.client.target, &request).await?;
            connection.head(self.patience + self.grace).await
        };
        match asking.await {
            Ok(head) if head.status == 200 => line(LineKind::Poll, None, End::Lived, opened),
            Ok(head) => IdleLine { status: Some(head.status), ..line(LineKind::Poll, None, End::Answered, opened) },
            Err(fault) => line(LineKind::Poll, None, Fault::end(&fault), opened),
        }
    }

    fn address(&self, address: &str, beat: Option<Duration>) -> String {
        let beat = beat.map(|beat| format!("&beat={}", beat.as_millis())).unwrap_or_default();
        format!("{address}for={}{beat}", self.patience.as_millis())
    }

    /// Listens until the word that ends the silence, or until the connection does.
    async fn listen(&self, mut connection: Connection, kind: LineKind, beat: Option<Duration>) -> IdleLine {
        let longest_silence = beat.unwrap_or(self.patience) + self.grace;
        let (mut last, mut heard) = (Instant::now(), Vec::new());
        let end = loop {
            let bytes = match kind {
                LineKind::Websocket => connection.bytes(longest_silence).await.map(Some),
                LineKind::Stream | LineKind::Poll => connection.next(longest_silence).await,
            };
            match bytes {
                Ok(Some(bytes)) => {
                    heard.extend_from_slice(&bytes);
                    if memchr::memmem::find(&heard, b"\"awake\"").is_some() {
                        break End::Lived;
                    }
                    last = Instant::now();
                }
                Ok(None) => break End::Fin,
                Err(fault) => break fault.end(),
            }
        };
        line(kind, beat, end, last)
    }
}

fn line(kind: LineKind, beat: Option<Duration>, end: End, last: Instant) -> IdleLine {
    IdleLine { kind, beat_ms: beat.map(millis), end, status: None, silent_ms: millis_since(last) }
}
