//! The client's half of an open WebSocket: publications, pongs, and the end.

use std::{net::IpAddr, rc::Rc, sync::Arc};

use actix_web::{HttpRequest, web};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, Closed, Session};
use bytestring::ByteString;

use super::{
    Shared,
    command::{self, Command},
};
use crate::{
    channel::{Channel, ClientName, ContentType, Cursor, Data, Publication},
    guard::{Caller, Standing, Verdict},
    transport::{
        problem::Problem,
        query::Format,
        state::State,
        subscribe::{Opened, Stay},
    },
    wire::websocket::CloseCode,
};

/// Reads what a client sends until the connection ends.
pub struct Reader {
    state: web::Data<State>,
    channel: Arc<Channel>,
    client: ClientName,
    format: Format,
    address: Option<IpAddr>,
    session: Session,
    shared: Rc<Shared>,
    stay: Option<Stay>,
}

/// Why reading ends.
enum End {
    /// The peer said goodbye with this code, or without one.
    Goodbye(Option<u16>),
    /// The peer is to be told why.
    Fault(CloseCode, String),
    /// The peer is gone.
    Gone,
}

impl From<Closed> for End {
    fn from(_: Closed) -> Self {
        Self::Gone
    }
}

impl Reader {
    pub fn new(
        state: &web::Data<State>,
        opened: &Opened,
        request: &HttpRequest,
        session: Session,
        shared: Rc<Shared>,
        stay: Option<Stay>,
    ) -> Self {
        Self {
            state: state.clone(),
            channel: Arc::clone(&opened.channel),
            client: opened.client.clone(),
            format: opened.wish.format,
            address: state.peer(request).map(|peer| peer.ip()),
            session,
            shared,
            stay,
        }
    }

    // ANCHOR: read
    /// Runs until the connection ends, which the body of the response makes it do when it is dropped.
    pub async fn run(mut self, mut messages: AggregatedMessageStream) {
        let end = loop {
            let taken = match messages.recv().await {
                // Boxed, so that a connection that waits keeps no room for what publishing needs.
                Some(Ok(message)) => Box::pin(self.take(message)).await,
                Some(Err(fault)) => Err(End::Fault(CloseCode::Protocol, fault.to_string())),
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
            AggregatedMessage::Text(text) if self.format == Format::Json => self.obey(&text).await,
            AggregatedMessage::Binary(_) if self.format == Format::Json => {
                Err(End::Fault(CloseCode::Unsupported, "in format=json messages are text frames".to_owned()))
            }
            AggregatedMessage::Text(text) => self.publish_raw(ContentType::Text, Data::Text(text)).await,
            AggregatedMessage::Binary(bytes) => self.publish_raw(ContentType::Bytes, Data::Binary(bytes)).await,
            AggregatedMessage::Ping(payload) => Ok(self.session.pong(&payload).await?),
            // The gate has noted that the peer was heard of.
            AggregatedMessage::Pong(_) => Ok(()),
            AggregatedMessage::Close(reason) => Err(End::Goodbye(reason.map(|reason| reason.code.into()))),
        }
    }
    // ANCHOR_END: read

    /// `raw`: the message is the publication, and only a close code can say that it was refused.
    async fn publish_raw(&self, content_type: ContentType, data: Data) -> Result<(), End> {
        let client = Some(self.client.clone());
        let publication = Publication { label: None, content_type, data, client, key: None };
        match self.publish(publication).await {
            Ok(_) => Ok(()),
            Err(problem) => Err(End::Fault(problem.close_code(), problem.detail().to_owned())),
        }
    }

    /// `json`: the message is a command, and the answer carries its `ref`.
    async fn obey(&mut self, text: &ByteString) -> Result<(), End> {
        let (result, reference) = match Command::read(text) {
            Ok(command) => (self.run_command(&command).await, command.reference()),
            Err(problem) => (Err(problem), None),
        };
        let answer = command::answer(result, reference);
        Ok(self.session.text(answer).await?)
    }

    async fn run_command(&self, command: &Command<'_>) -> Result<Cursor, Problem> {
        self.publish(command.publication(self.client.clone())?).await
    }

    async fn publish(&self, publication: Publication) -> Result<Cursor, Problem> {
        if publication.data.len() > self.state.settings.max_message {
            return Err(Problem::too_large(self.state.settings.max_message));
        }
        super::may_publish(&self.state, &self.caller())?;
        let published = self.state.hub.publish(self.channel.name(), publication).await?;
        if !published.repeated {
            self.state.metrics.published();
        }
        Ok(published.id)
    }

    const fn caller(&self) -> Caller<'static> {
        Caller {
            standing: Standing::NoBrowser,
            address: self.address,
            asked_for_loopback: false,
            connection: Verdict::Admitted,
        }
    }

    fn violation(&self) -> End {
        match self.shared.violation.take() {
            Some((code, reason)) => End::Fault(code, reason.to_owned()),
            None => End::Gone,
        }
    }

    /// Answers the end as RFC 6455 §5.5.1 asks for, and ends the stay if the peer meant to go.
    async fn close(self, end: End) {
        let reason = match end {
            End::Gone => return,
            End::Goodbye(code) => {
                if matches!(code, Some(1000 | 1001))
                    && let Some(stay) = self.stay
                {
                    stay.end();
                }
                // The code is echoed. Without one there is none to echo.
                code.map(|code| actix_ws::CloseReason { code: code.into(), description: None })
            }
            End::Fault(code, detail) => {
                let code = code.number().into();
                Some(actix_ws::CloseReason { code, description: Some(detail) })
            }
        };
        self.shared.closing_after.set(Some(self.channel.head()));
        // If the peer is gone already, there is nobody to tell.
        let _ = self.session.close(reason).await;
    }
}
