//! A subscription over a WebSocket: fragments joined, pings answered, close frames understood.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use socket2::SockRef;
use tokio::time::Instant;

use super::{After, Asking, Heard, Told, Unheard, understand};
use crate::{
    check::{
        case::Case,
        profile::Place,
        template,
        trace::LineNumber,
        verdict::Fault,
        wire::{
            line::Stop,
            websocket::{Draft, Frame, WebSocket},
        },
    },
    wire::websocket::Opcode,
};

/// A WebSocket and what it is in the middle of.
#[derive(Debug)]
pub struct Socket {
    websocket: WebSocket,
    asking: Asking,
    fragments: BytesMut,
}

impl Socket {
    /// Opens it, and sends the profile's greetings.
    ///
    /// Where the server greets with a position, it is waited for: from then on nothing is missed.
    pub async fn open(
        case: &Case<'_>,
        asking: Asking,
        after: &After,
        told: &mut VecDeque<Told>,
    ) -> Result<Self, Fault> {
        let (target, fields) = (asking.target(after)?, asking.fields(after)?);
        let websocket = WebSocket::open(case, &target, &fields).await?;
        let mut socket = Self { websocket, asking, fragments: BytesMut::new() };
        for greeting in socket.asking.subscribe.greetings.clone() {
            let greeting = greeting.replace(template::CHANNEL, &socket.asking.channel);
            // A server that has gone is noticed when it is read.
            let _ = socket.websocket.send(Draft::text(greeting)).await;
        }
        if matches!(socket.asking.subscribe.cursor, Some(Place::Json(_))) {
            socket.wait_for_greeting(case, told).await?;
        }
        Ok(socket)
    }

    async fn wait_for_greeting(&mut self, case: &Case<'_>, told: &mut VecDeque<Told>) -> Result<(), Fault> {
        case.waiting_for("what the server says first over websocket");
        let until = case.within(self.asking.grace(true));
        while told.is_empty() {
            match self.fetch(until, told).await {
                Ok(()) => {}
                Err(Unheard::Fault(fault)) => return Err(fault),
                // Whoever reads on will find the same.
                Err(Unheard::Stopped(stop)) => {
                    if stop == Stop::Late {
                        case.subject.remember_silence(self.asking.transport);
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Its connection.
    pub const fn line(&self) -> LineNumber {
        self.websocket.line.number()
    }

    /// Waits for a frame, and adds what it tells.
    pub async fn fetch(&mut self, until: Instant, told: &mut VecDeque<Told>) -> Result<(), Unheard> {
        let frame = self.websocket.next(until).await?;
        match Opcode::from_bits(frame.opcode) {
            Some(Opcode::Text | Opcode::Binary) if frame.fin => self.hear(frame.payload, told).await?,
            Some(Opcode::Text | Opcode::Binary) => self.fragments = BytesMut::from(&frame.payload[..]),
            Some(Opcode::Continuation) => {
                self.fragments.extend_from_slice(&frame.payload);
                if frame.fin {
                    let whole = self.fragments.split().freeze();
                    self.hear(whole, told).await?;
                }
            }
            Some(Opcode::Ping) => {
                let _ = self.websocket.send(Draft::new(Opcode::Pong as u8, frame.payload)).await;
                told.push_back(Told { heard: Heard::Alive, position: None });
            }
            Some(Opcode::Pong) | None => {}
            Some(Opcode::Close) => return self.hear_close(&frame, told).await,
        }
        Ok(())
    }

    async fn hear(&mut self, message: Bytes, told: &mut VecDeque<Told>) -> Result<(), Unheard> {
        let reply = str::from_utf8(&message).ok().and_then(|text| self.asking.subscribe.replies.get(text)).cloned();
        if let Some(reply) = reply {
            let _ = self.websocket.send(Draft::text(reply)).await;
            told.push_back(Told { heard: Heard::Alive, position: None });
            return Ok(());
        }
        let understood = understand::text(&self.asking.subscribe, message);
        told.push_back(understood.map_err(|why| {
            Fault::violated(format!("a WebSocket message is not what the profile says: {why}"), [self.line()])
        })?);
        Ok(())
    }

    /// A close frame is answered (RFC 6455 §5.5.1). It may tell a gap.
    async fn hear_close(&mut self, frame: &Frame, told: &mut VecDeque<Told>) -> Result<(), Unheard> {
        let _ = self
            .websocket
            .send(Draft::new(Opcode::Close as u8, frame.payload.slice(..frame.payload.len().min(2))))
            .await;
        self.websocket.line.trace().note(self.line(), format!("the server's frame: {}", frame.says()));
        let Some((Some(code), _)) = frame.close() else { return Err(Stop::End.into()) };
        if self.asking.subscribe.gap != Some(Place::Close(code)) {
            return Err(Stop::End.into());
        }
        told.push_back(Told { heard: Heard::Gap { resume: None, raw: frame.raw.clone() }, position: None });
        Ok(())
    }

    /// Its socket.
    pub fn socket(&self) -> SockRef<'_> {
        self.websocket.line.socket()
    }

    /// Breaks it off.
    pub fn cut(self) {
        self.websocket.line.reset();
    }
}
