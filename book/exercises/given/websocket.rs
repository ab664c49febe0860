//! WebSocket: one connection for both directions. What to answer, and whom to let in, are exercises.

use std::{convert::Infallible, sync::Arc};

use actix_http::{
    Response,
    body::{BodyStream, MessageBody as _},
    ws::handshake,
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::Version,
    rt,
    web::{Data, Path, Payload, Query, get},
};
use bytes::Bytes;
use serde::Deserialize;
use tokio::{
    select,
    sync::mpsc::{self, Sender},
};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

use crate::{
    channel::{Channel, Channels},
    frame::{self, Fault, Incoming, Reply},
    program,
    publish::{self, IsWelcome},
    solutions::resume,
};

/// Decides what to do about what a client has sent.
pub type Answer = fn(Result<Incoming, Fault>) -> Reply;

/// The close code for a client that cannot go on from its cursor, as fallcast has it.
const GAP: u16 = 4101;

/// What a client asks for.
#[derive(Deserialize)]
struct Wish {
    after: Option<String>,
}

/// Serves channels over WebSocket until Ctrl-C. A text from a client is a publication.
///
/// # Errors
/// The port cannot be used.
pub fn serve(port: u16, answer: Answer, is_welcome: IsWelcome) -> Result<(), program::Fault> {
    let channels = Data::new(Channels::<Channel>::default());
    program::serve(port, move |config| {
        let open = move |request: HttpRequest,
                         name: Path<String>,
                         wish: Query<Wish>,
                         channels: Data<Channels<Channel>>,
                         input: Payload| async move {
            if !publish::welcomes(is_welcome, &request) {
                return publish::foreign();
            }
            let Some(channel) = channels.get(&name) else { return publish::too_many_channels() };
            open(&request, channel, wish.after.as_deref(), answer, input)
        };
        config.app_data(Data::clone(&channels)).route("/channels/{channel}/ws", get().to(open));
        publish::configure(config, is_welcome);
    })
}

/// Answers the handshake (RFC 6455 §4.2), or says what is wrong with it.
fn open(
    request: &HttpRequest,
    channel: Arc<Channel>,
    after: Option<&str>,
    answer: Answer,
    input: Payload,
) -> HttpResponse {
    // §4.2.1: the parser would upgrade HTTP/1.0, too.
    if request.version() < Version::HTTP_11 {
        return HttpResponse::BadRequest().finish();
    }
    let mut response = match handshake(request.head()) {
        Ok(response) => response,
        Err(fault) => return Response::from(fault).into(),
    };
    let (out, frames) = mpsc::channel(1);
    let body = BodyStream::new(ReceiverStream::new(frames).map(Ok::<_, Infallible>)).boxed();
    let position = match after {
        Some("start") => Some(channel.start()),
        Some("end") => Some(channel.head()),
        cursor => resume::position(&channel, cursor).ok(),
    };
    rt::spawn(converse(channel, position, answer, input, out));
    response.message_body(body).unwrap_or_else(Response::from).into()
}

/// Serves one connection until one side closes it. `position` is where the client stands, if it can go on at all.
async fn converse(
    channel: Arc<Channel>,
    mut position: Option<u64>,
    answer: Answer,
    mut input: Payload,
    out: Sender<Bytes>,
) {
    let mut published = channel.published();
    let mut reader = frame::Reader::default();
    while let Some(messages) = position.and_then(|position| channel.read_after(position)) {
        position = position.map(|position| position + messages.len() as u64);
        for message in messages {
            if out.send(frame::text(&message.text)).await.is_err() {
                return;
            }
        }
        select! {
            _ = published.changed() => {}
            bytes = input.next() => {
                let Some(Ok(bytes)) = bytes else { return };
                reader.take(&bytes);
                if !react(&mut reader, &channel, answer, &out).await {
                    return;
                }
            }
        }
    }
    // A text alone has no place for a gap.
    let _ = out.send(frame::closing(Some(GAP))).await;
}

/// Answers all that is complete of what has come. Returns whether the connection goes on.
async fn react(reader: &mut frame::Reader, channel: &Channel, answer: Answer, out: &Sender<Bytes>) -> bool {
    while let Some(incoming) = reader.read().transpose() {
        let is_readable = incoming.is_ok();
        let goes_on = match answer(incoming) {
            Reply::Nothing => is_readable,
            Reply::Publish(text) => {
                channel.publish(&text);
                is_readable
            }
            Reply::Pong(payload) => out.send(frame::pong(&payload)).await.is_ok() && is_readable,
            Reply::Close(code) => {
                let _ = out.send(frame::closing(code)).await;
                false
            }
        };
        if !goes_on {
            return false;
        }
    }
    true
}
