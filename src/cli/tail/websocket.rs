//! A subscription over WebSocket, in the format `json`: every text frame is an event.

use std::{future::poll_fn, pin::Pin, time::Duration};

use actix_http::ws::Item as Fragment;
use awc::{
    error::WsProtocolError,
    ws::{CloseCode, CloseReason, Frame, Message},
};
use bytes::{Bytes, BytesMut};
use tokio_stream::StreamExt;

use super::connection::{FAREWELL, Item, parse};
use crate::cli::{
    backoff::Advice,
    error::{CliError, EventTooLarge},
    remote::{Fault, MAX_EVENT_BYTES, Query, Remote, Socket, within},
};

/// An open WebSocket.
pub struct WebSocket {
    socket: Socket,
    /// The fragments of a message whose last one has not come yet (RFC 6455 §5.4).
    fragments: BytesMut,
}

impl WebSocket {
    /// Opens a WebSocket to the channel.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses the handshake.
    pub async fn open(remote: &Remote, query: &Query) -> Result<Self, Fault> {
        let socket = remote.upgrade(query).await?;
        Ok(Self { socket, fragments: BytesMut::new() })
    }

    /// Waits for the next event and answers pings meanwhile.
    ///
    /// # Errors
    /// The connection has ended, or nothing came within `patience`, not even a ping.
    pub async fn next(&mut self, patience: Duration) -> Result<Item, Fault> {
        loop {
            let frame = within(patience, self.socket.next()).await?;
            let frame = frame.ok_or_else(|| Fault::passing("the connection broke without a close frame"))?;
            if let Some(event) = self.take(frame.map_err(|error| broken(&error))?).await? {
                return parse(&event);
            }
        }
    }

    /// Returns the text that a frame completes, if it does.
    async fn take(&mut self, frame: Frame) -> Result<Option<Bytes>, Fault> {
        match frame {
            Frame::Text(text) => return Ok(Some(text)),
            Frame::Continuation(fragment) => return self.assemble(fragment),
            Frame::Ping(payload) => self.send(Message::Pong(payload)).await.map_err(|error| broken(&error))?,
            Frame::Close(reason) => return Err(self.closed(reason).await),
            // Nobody asked for a pong, and in this format nothing is binary.
            Frame::Pong(_) | Frame::Binary(_) => {}
        }
        Ok(None)
    }

    fn assemble(&mut self, fragment: Fragment) -> Result<Option<Bytes>, Fault> {
        let (bytes, is_last) = match fragment {
            Fragment::FirstText(bytes) | Fragment::FirstBinary(bytes) | Fragment::Continue(bytes) => (bytes, false),
            Fragment::Last(bytes) => (bytes, true),
        };
        if self.fragments.len() + bytes.len() > MAX_EVENT_BYTES {
            return Err(Fault::passing(EventTooLarge { limit: MAX_EVENT_BYTES }.to_string()));
        }
        self.fragments.extend_from_slice(&bytes);
        Ok(is_last.then(|| self.fragments.split().freeze()))
    }

    /// Answers the server's close frame and sorts its code. The server then closes TCP (RFC 6455 §7.1.1).
    async fn closed(&mut self, reason: Option<CloseReason>) -> Fault {
        let answer = reason.as_ref().map(|reason| CloseReason::from(reason.code));
        // The connection has ended, whether the answer arrives or not.
        let _ = self.send(Message::Close(answer)).await;
        match reason {
            Some(reason) => sort(reason.code.into(), reason.description.unwrap_or_default()),
            None => Fault::passing("the server closed the connection"),
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), WsProtocolError> {
        Pin::new(&mut self.socket).write(message)?;
        poll_fn(|context| Pin::new(&mut self.socket).flush(context)).await
    }

    /// Closes the connection and waits, for a moment, until the server has closed it too.
    pub async fn close(mut self) {
        let reason = CloseReason::from(CloseCode::Normal);
        if self.send(Message::Close(Some(reason))).await.is_ok() {
            let the_end = async { while let Some(Ok(_)) = self.socket.next().await {} };
            // A server that doesn't answer loses nothing.
            let _ = within(FAREWELL, the_end).await;
        }
    }
}

fn broken(error: &WsProtocolError) -> Fault {
    Fault::passing(format!("the connection broke: {error}"))
}

/// What a close code tells a client to do. The private ranges are this protocol's own.
fn sort(code: u16, reason: String) -> Fault {
    let advice = match code {
        4000..=4099 => return Fault::Final(CliError::Closed { code, reason }),
        4200..=4299 => Advice::AtOnce,
        _ => Advice::BackOff,
    };
    Fault::Passing { cause: format!("the server closed the connection: {code} {reason}"), advice }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Table {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        code: u16,
        verdict: String,
    }

    /// The verdicts that the table allows for what `sort` makes of a code.
    fn verdicts(code: u16) -> &'static [&'static str] {
        match sort(code, "why".to_owned()) {
            Fault::Final(CliError::Closed { code: found, .. }) if found == code => &["stop"],
            Fault::Passing { advice: Advice::AtOnce, .. } => &["at-once"],
            Fault::Passing { advice: Advice::BackOff, .. } => &["back-off", "retry"],
            other => panic!("{code}: {other:?}"),
        }
    }

    #[test]
    fn a_close_code_means_what_the_table_says() {
        let table = include_str!("../../../tests/tables/close-codes.json");
        let table: Table = serde_json::from_str(table).expect("the table is well-formed");
        assert!(!table.cases.is_empty());
        for Case { code, verdict } in table.cases {
            assert!(verdicts(code).contains(&verdict.as_str()), "{code} is not {verdict}");
        }
    }
}
