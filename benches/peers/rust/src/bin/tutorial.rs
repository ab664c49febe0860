//! The way that tutorials show: actix-web, a session of actix-ws for each WebSocket, and the stream of a broadcast
//! channel as the body of each event stream.

use std::{error::Error, net::Ipv4Addr, time::Duration};

use actix_web::{
    App, Error as HttpError, HttpRequest, HttpResponse, HttpServer,
    rt::{self, System},
    web::{self, Bytes, Data, Json, Path, Payload, Query},
};
use actix_ws::{Message as Frame, MessageStream, Session};
use fallcast_peers::{Answer, Arguments, Channel, Channels, LARGEST_MESSAGE, LISTEN_BACKLOG};
use serde::Deserialize;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::BroadcastStream;

/// Longer than any sample.
const LONG: Duration = Duration::from_hours(1);

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { port, workers } = Arguments::parse()?;
    System::new().block_on(async move {
        let channels = Data::new(Channels::default());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(channels.clone())
                .route("/ws/{channel}", web::get().to(websocket))
                .route("/sse/{channel}", web::get().to(events))
                .route("/poll/{channel}", web::get().to(poll))
                .route("/publish/{channel}", web::get().to(publisher))
        });
        let server = server.workers(workers).backlog(LISTEN_BACKLOG).tcp_nodelay(true).disable_signals();
        // A client that is slow to ask again is not to be cut off within a sample.
        let server = server.keep_alive(LONG).client_request_timeout(LONG);
        let server = server.bind((Ipv4Addr::LOCALHOST, port))?.run();
        println!("ready");
        Ok(server.await?)
    })
}

async fn websocket(
    name: Path<String>,
    channels: Data<Channels>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, HttpError> {
    let (response, session, frames) = actix_ws::handle(&request, body)?;
    rt::spawn(deliver(channels.get(&name), session.clone()));
    rt::spawn(listen(session, frames));
    Ok(response)
}

async fn deliver(channel: Channel, mut session: Session) {
    let mut messages = BroadcastStream::new(channel.subscribe());
    // A subscriber that has fallen behind the channel's capacity has lost messages, so it is let go.
    while let Some(Ok(message)) = messages.next().await {
        if session.text(message.text).await.is_err() {
            return;
        }
    }
    let _ = session.close(None).await;
}

async fn listen(mut session: Session, mut frames: MessageStream) {
    while let Some(Ok(frame)) = frames.recv().await {
        match frame {
            Frame::Ping(payload) if session.pong(&payload).await.is_ok() => {}
            Frame::Ping(_) | Frame::Close(_) => break,
            _ => {}
        }
    }
    let _ = session.close(None).await;
}

async fn events(name: Path<String>, channels: Data<Channels>) -> HttpResponse {
    let messages = BroadcastStream::new(channels.get(&name).subscribe());
    let body = messages.map(|message| {
        // As above: an error ends the stream of whoever has lost messages.
        message.map(|message| Bytes::from(format!("id: {}\ndata: {}\n\n", message.number, message.text)))
    });
    HttpResponse::Ok().content_type("text/event-stream").insert_header(("Cache-Control", "no-store")).streaming(body)
}

#[derive(Deserialize)]
struct Cursor {
    after: Option<u64>,
}

async fn poll(name: Path<String>, cursor: Query<Cursor>, channels: Data<Channels>) -> Json<Answer> {
    Json(channels.get(&name).poll(cursor.after).await)
}

async fn publisher(
    name: Path<String>,
    channels: Data<Channels>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, HttpError> {
    let channel = channels.get(&name);
    let (response, session, frames) = actix_ws::handle(&request, body)?;
    let mut frames = frames.max_frame_size(LARGEST_MESSAGE);
    rt::spawn(async move {
        // Dropping the session would end the connection.
        let _session = session;
        while let Some(Ok(frame)) = frames.recv().await {
            if let Frame::Text(text) = frame {
                channel.publish(text);
            }
        }
    });
    Ok(response)
}
