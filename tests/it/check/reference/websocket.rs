//! A WebSocket: both directions at once, until one side closes.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{
    Fault, Server,
    channel::{Channel, Publication},
    event::Transport,
    frame::{self, Arrived, Intake, Violation},
    handshake,
    http::{Connection, Reader, Refusal, Request},
    outlet::Outlet,
    publish,
    subscription::Subscription,
    wish::{Format, Wish},
};

/// Serves a client that asks for a WebSocket.
///
/// # Errors
/// Tells why hands were not shaken. Nothing has been sent then.
pub async fn serve(
    server: &Rc<Server>,
    channel: &Rc<Channel>,
    request: &Request,
    connection: &mut Connection,
) -> Result<(), Refusal> {
    let wish = Wish::read(server, request, Transport::WebSocket)?;
    let head = handshake::answer(server, request)?;
    server.admit().await;
    let _seat = server.seat()?;
    let subscription = Subscription::new(server, channel, &wish);
    if connection.writer.write(&head).await {
        let client = subscription.encoder.client.clone();
        let outlet = Outlet::new(server, channel, subscription, &mut connection.writer);
        let mut line = Line {
            server: Rc::clone(server),
            channel: Rc::clone(channel),
            format: wish.format,
            client,
            connection: connection.number,
            intake: Intake::new(server.largest_frame(wish.format)),
            heard: Instant::now(),
            reader: &mut connection.reader,
            outlet,
        };
        line.run().await;
    }
    server.farewell(&connection.reader);
    if server.has(Fault::LeftOpen) {
        connection.reader.gone().await;
    }
    connection.writer.finish().await;
    connection.reader.drain().await;
    Ok(())
}

/// A client on an open WebSocket.
struct Line<'a> {
    server: Rc<Server>,
    channel: Rc<Channel>,
    format: Format,
    client: String,
    connection: usize,
    intake: Intake,
    /// When the client last said something.
    heard: Instant,
    reader: &'a mut Reader,
    outlet: Outlet<'a>,
}

// Every method but `run` returns false when the connection has to end.
impl Line<'_> {
    async fn run(&mut self) {
        let mut beat = self.server.beat();
        let mut goes_on = self.outlet.open().await;
        while goes_on {
            goes_on = tokio::select! {
                () = self.outlet.subscription.changed() => self.outlet.deliver().await,
                _ = beat.tick() => !self.is_silent() && self.outlet.heartbeat().await,
                more = self.reader.fill() => more && self.hear().await,
            };
        }
    }

    /// Whether nothing has come for two heartbeats, not even a pong.
    fn is_silent(&self) -> bool {
        let longest: Duration = self.server.limits.heartbeat * 2;
        // Who is not pinged need not say anything.
        self.heard.elapsed() > longest && !self.server.has(Fault::HeartbeatMissing)
    }

    /// Obeys what has arrived.
    async fn hear(&mut self) -> bool {
        self.heard = Instant::now();
        loop {
            let arrived = match self.intake.take(&self.server, &mut self.reader.unread) {
                Ok(Some(arrived)) => arrived,
                Ok(None) => return true,
                Err(violation) => return self.reject(violation).await,
            };
            if !self.obey(arrived).await {
                return false;
            }
        }
    }

    async fn obey(&mut self, Arrived { opcode, payload }: Arrived) -> bool {
        match opcode {
            frame::PING if self.server.has(Fault::PongMissing) => true,
            frame::PING if self.server.has(Fault::PongEmpty) => self.say(frame::PONG, &[]).await,
            frame::PING => self.say(frame::PONG, &payload).await,
            frame::PONG => true,
            frame::CLOSE => {
                if !self.server.has(Fault::CloseUnanswered) {
                    self.say(frame::CLOSE, payload.get(..2).unwrap_or_default()).await;
                }
                false
            }
            _ if self.format == Format::Raw => self.publish_raw(opcode, payload).await,
            frame::TEXT => self.run_command(&payload).await,
            _ => self.reject(Violation(1003, "in format=json messages are text")).await,
        }
    }

    /// Ends the connection with the close code for what was wrong.
    async fn reject(&mut self, Violation(code, reason): Violation) -> bool {
        let code = if self.server.has(Fault::CloseCodeWrong) { 1011 } else { code };
        if !(code == 1009 && self.server.has(Fault::TooBigWithoutCode)) {
            self.outlet.write(&frame::encode_close(&self.server, code, reason)).await;
        }
        false
    }

    async fn say(&mut self, opcode: u8, payload: &[u8]) -> bool {
        self.outlet.write(&frame::encode(&self.server, opcode, payload)).await
    }

    /// `raw`: the message is the publication, and only a close code can say that it was refused.
    async fn publish_raw(&mut self, opcode: u8, data: Vec<u8>) -> bool {
        let content_type = if opcode == frame::TEXT { "text/plain" } else { "application/octet-stream" };
        match self.publish(None, content_type, data, None) {
            Ok(_) => true,
            Err(Refusal { status: 413, detail }) => self.reject(Violation(1009, detail)).await,
            Err(Refusal { detail, .. }) => self.reject(Violation(4000, detail)).await,
        }
    }

    /// `json`: the message is a command, and the answer carries its `ref`.
    async fn run_command(&mut self, text: &[u8]) -> bool {
        let Ok(command) = serde_json::from_slice::<Command>(text) else {
            let refusal = Refusal::new(400, "a message is {\"publish\":{\"data\":…},\"ref\":…}");
            return self.say(frame::TEXT, json!({ "error": refusal.document() }).to_string().as_bytes()).await;
        };
        let mut answer = match self.publish_command(command.publish) {
            Ok(id) => json!({ "published": { "id": id } }),
            Err(refusal) => json!({ "error": refusal.document() }),
        };
        answer["ref"] = command.reference;
        self.say(frame::TEXT, answer.to_string().as_bytes()).await
    }

    fn publish_command(&self, publish: Publish) -> Result<String, Refusal> {
        let bad = |_| Refusal::new(400, "`data` is a string here");
        let text = |data: &RawValue| serde_json::from_str::<String>(data.get());
        let is_string = publish.data.get().starts_with('"');
        let default = if is_string { "text/plain" } else { "application/json" };
        let content_type = publish.content_type.as_deref().unwrap_or(default);
        let data = match publish.encoding.as_deref() {
            Some("base64") => STANDARD
                .decode(text(&publish.data).map_err(bad)?)
                .map_err(|_| Refusal::new(400, "`data` is not base64"))?,
            Some(_) => return Err(Refusal::new(400, "`encoding` is base64, or left out")),
            None if is_string && !content_type.ends_with("json") => text(&publish.data).map_err(bad)?.into_bytes(),
            None => publish.data.get().as_bytes().to_vec(),
        };
        self.publish(publish.label, content_type, data, publish.key)
    }

    fn publish(
        &self,
        label: Option<String>,
        content_type: &str,
        data: Vec<u8>,
        key: Option<String>,
    ) -> Result<String, Refusal> {
        let client = Some(self.client.clone());
        let publication = Publication {
            label,
            content_type: content_type.to_owned(),
            data,
            client,
            key,
            connection: self.connection,
        };
        publish::append(&self.server, &self.channel, Transport::WebSocket, publication)
    }
}

/// What a client says in `format=json`.
#[derive(Deserialize)]
struct Command {
    publish: Publish,
    #[serde(default, rename = "ref")]
    reference: serde_json::Value,
}

#[derive(Deserialize)]
struct Publish {
    data: Box<RawValue>,
    #[serde(rename = "type")]
    label: Option<String>,
    content_type: Option<String>,
    key: Option<String>,
    encoding: Option<String>,
}
