//! What a client's messages lead to: publications, and answers to them. How frames come and go is not its business.

use std::{net::IpAddr, sync::Arc};

use actix_web::{HttpRequest, web};
use bytes::Bytes;
use bytestring::ByteString;

use super::command::{self, Command};
use crate::{
    channel::{Channel, ClientName, ContentType, Cursor, Data, Publication},
    guard::{Caller, Standing, Verdict},
    transport::{problem::Problem, query::Format, state::State, subscribe::Opened},
    wire::websocket::CloseCode,
};

/// A client's message.
#[derive(Debug)]
pub enum Said {
    /// In text frames.
    Text(ByteString),
    /// In binary frames.
    Binary(Bytes),
}

/// Why a connection cannot go on: a close code, and the words for the peer.
#[derive(Debug)]
pub struct Fault(pub CloseCode, pub String);

/// One client, as the publisher of what it says.
#[derive(Debug)]
pub struct Conversation {
    state: web::Data<State>,
    channel: Arc<Channel>,
    client: ClientName,
    format: Format,
    address: Option<IpAddr>,
}

impl Conversation {
    /// Returns the conversation that goes with a subscription.
    pub fn new(state: &web::Data<State>, opened: &Opened, request: &HttpRequest) -> Self {
        Self {
            state: state.clone(),
            channel: Arc::clone(&opened.channel),
            client: opened.client.clone(),
            format: opened.wish.format,
            address: state.peer(request).map(|peer| peer.ip()),
        }
    }

    /// The channel that it is about.
    pub const fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    /// How large a frame may be.
    ///
    /// Limits count decoded data. In `json` a byte may come as `\u00XX`, so there a frame may be six times as large.
    pub fn frame_limit(&self) -> usize {
        const COMMAND_AROUND_DATA: usize = 4096;
        let max_message = self.state.settings.max_message;
        match self.format {
            Format::Json => max_message.saturating_mul(6).saturating_add(COMMAND_AROUND_DATA),
            Format::Raw => max_message,
        }
    }

    // ANCHOR: obey
    /// Obeys a message. Returns the text of the answer; in `raw` there is none.
    ///
    /// # Errors
    /// Tells why the connection has to end.
    pub async fn obey(&self, said: Said) -> Result<Option<String>, Fault> {
        match (said, self.format) {
            (Said::Text(text), Format::Json) => Ok(Some(self.run(&text).await)),
            (Said::Binary(_), Format::Json) => {
                Err(Fault(CloseCode::Unsupported, "in format=json messages are text frames".to_owned()))
            }
            (Said::Text(text), Format::Raw) => self.publish_raw(ContentType::Text, Data::Text(text)).await,
            (Said::Binary(bytes), Format::Raw) => self.publish_raw(ContentType::Bytes, Data::Binary(bytes)).await,
        }
    }
    // ANCHOR_END: obey

    /// `raw`: the message is the publication, and only a close code can say that it was refused.
    async fn publish_raw(&self, content_type: ContentType, data: Data) -> Result<Option<String>, Fault> {
        let client = Some(self.client.clone());
        let publication = Publication { label: None, content_type, data, client, key: None };
        match self.publish(publication).await {
            Ok(_) => Ok(None),
            Err(problem) => Err(Fault(problem.close_code(), problem.detail().to_owned())),
        }
    }

    /// `json`: the message is a command, and the answer carries its `ref`.
    async fn run(&self, text: &ByteString) -> String {
        let (result, reference) = match Command::read(text) {
            Ok(command) => (self.run_command(&command).await, command.reference()),
            Err(problem) => (Err(problem), None),
        };
        command::answer(result, reference)
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
}
