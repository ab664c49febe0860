//! The client's half of an open WebSocket: publications, pongs, and the end.

use std::rc::Rc;

use actix_ws::{AggregatedMessage, AggregatedMessageStream, Closed, Session};

use super::{
    Shared,
    conversation::{Conversation, Fault, Said},
};
use crate::{transport::subscribe::Stay, wire::websocket::CloseCode};

/// Reads what a client sends until the connection ends.
pub struct Reader {
    conversation: Conversation,
    session: Session,
    shared: Rc<Shared>,
    stay: Option<Stay>,
}

/// Why reading ends.
enum End {
    /// The peer said goodbye with this code, or without one.
    Goodbye(Option<u16>),
    /// The peer is to be told why.
    Fault(Fault),
    /// The peer is gone.
    Gone,
}

impl From<Closed> for End {
    fn from(_: Closed) -> Self {
        Self::Gone
    }
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Reader {
    pub const fn new(conversation: Conversation, session: Session, shared: Rc<Shared>, stay: Option<Stay>) -> Self {
        Self { conversation, session, shared, stay }
    }

    // ANCHOR: read
    /// Runs until the connection ends, which the body of the response makes it do when it is dropped.
    pub async fn run(mut self, mut messages: AggregatedMessageStream) {
        let end = loop {
            let taken = match messages.recv().await {
                // Boxed, so that a connection that waits keeps no room for what publishing needs.
                Some(Ok(message)) => Box::pin(self.take(message)).await,
                Some(Err(fault)) => Err(End::Fault(Fault(CloseCode::Protocol, fault.to_string()))),
                None => Err(self.violation()),
            };
            if let Err(end) = taken {
                break end;
            }
        };
        Box::pin(self.close(end)).await;
    }

    async fn take(&mut self, message: AggregatedMessage) -> Result<(), End> {
        match message {
            AggregatedMessage::Text(text) => self.obey(Said::Text(text)).await,
            AggregatedMessage::Binary(bytes) => self.obey(Said::Binary(bytes)).await,
            AggregatedMessage::Ping(payload) => Ok(self.session.pong(&payload).await?),
            // The gate has noted that the peer was heard of.
            AggregatedMessage::Pong(_) => Ok(()),
            AggregatedMessage::Close(reason) => Err(End::Goodbye(reason.map(|reason| reason.code.into()))),
        }
    }
    // ANCHOR_END: read

    async fn obey(&mut self, said: Said) -> Result<(), End> {
        if let Some(answer) = self.conversation.obey(said).await? {
            self.session.text(answer).await?;
        }
        Ok(())
    }

    fn violation(&self) -> End {
        match self.shared.violation.take() {
            Some((code, reason)) => End::Fault(Fault(code, reason.to_owned())),
            None => End::Gone,
        }
    }

    /// Answers the end as RFC 6455 §5.5.1 asks for, and ends the stay if the peer meant to go.
    async fn close(self, end: End) {
        let reason = match end {
            End::Gone => return,
            End::Goodbye(code) => {
                if let Some(stay) = self.stay.filter(|_| is_meant(code)) {
                    stay.end();
                }
                // The code is echoed. Without one there is none to echo.
                code.map(|code| actix_ws::CloseReason { code: code.into(), description: None })
            }
            End::Fault(Fault(code, detail)) => {
                let code = code.number().into();
                Some(actix_ws::CloseReason { code, description: Some(detail) })
            }
        };
        self.shared.closing_after.set(Some(self.conversation.channel().head()));
        // If the peer is gone already, there is nobody to tell.
        let _ = self.session.close(reason).await;
    }
}

/// Whether a close code says that the client goes for good (RFC 6455 §7.4.1).
pub const fn is_meant(code: Option<u16>) -> bool {
    matches!(code, Some(1000 | 1001))
}
