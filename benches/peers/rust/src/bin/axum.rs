//! axum, with its own WebSocket and its own SSE responder.

use std::{convert::Infallible, error::Error, net::Ipv4Addr};

use axum::{
    Json, Router,
    extract::{
        Path, Query, State, WebSocketUpgrade,
        ws::{Message as Frame, Utf8Bytes, WebSocket},
    },
    response::{Response, Sse, sse},
    routing::get,
    serve::ListenerExt as _,
};
use bytestring::ByteString;
use fallcast_peers::{Answer, Arguments, Channel, Channels, LARGEST_MESSAGE, LISTEN_BACKLOG};
use serde::Deserialize;
use tokio::{net::TcpSocket, runtime};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{Stream, StreamExt as _};

/// Bytes for what a subscriber says, which is nothing. The default of 128 KiB is meant for large messages.
const READ_BUFFER: usize = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { port, workers } = Arguments::parse()?;
    // One worker is one thread; axum's default would be one for each core, and one more that accepts.
    let mut builder = match workers {
        1 => runtime::Builder::new_current_thread(),
        _ => runtime::Builder::new_multi_thread(),
    };
    builder.worker_threads(workers).enable_all().build()?.block_on(serve(port))
}

async fn serve(port: u16) -> Result<(), Box<dyn Error>> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    let listener = socket.listen(LISTEN_BACKLOG)?.tap_io(|stream| {
        // It fails if the client has gone, which the server will notice.
        let _ = stream.set_nodelay(true);
    });
    let router = Router::new()
        .route("/ws/{channel}", get(websocket))
        .route("/sse/{channel}", get(events))
        .route("/poll/{channel}", get(poll))
        .route("/publish/{channel}", get(publisher))
        .with_state(Channels::default());
    println!("ready");
    Ok(axum::serve(listener, router).await?)
}

async fn websocket(Path(name): Path<String>, State(channels): State<Channels>, upgrade: WebSocketUpgrade) -> Response {
    let channel = channels.get(&name);
    upgrade.read_buffer_size(READ_BUFFER).on_upgrade(|socket| subscribe(socket, channel))
}

async fn subscribe(mut socket: WebSocket, channel: Channel) {
    let mut receiver = channel.subscribe();
    loop {
        tokio::select! {
            message = receiver.recv() => {
                // A subscriber that has fallen behind the channel's capacity has lost messages, so it is let go.
                let Ok(message) = message else { return };
                let Ok(text) = Utf8Bytes::try_from(message.text.into_bytes()) else { return };
                if socket.send(Frame::Text(text)).await.is_err() {
                    return;
                }
            }
            frame = socket.recv() => {
                if !matches!(frame, Some(Ok(_))) {
                    return;
                }
            }
        }
    }
}

async fn events(
    Path(name): Path<String>,
    State(channels): State<Channels>,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    let messages = BroadcastStream::new(channels.get(&name).subscribe());
    // As above: whoever has lost messages is let go.
    let events = messages
        .map_while(Result::ok)
        .map(|message| Ok(sse::Event::default().id(message.number.to_string()).data(&*message.text)));
    Sse::new(events)
}

#[derive(Deserialize)]
struct Cursor {
    after: Option<u64>,
}

async fn poll(
    Path(name): Path<String>,
    Query(Cursor { after }): Query<Cursor>,
    State(channels): State<Channels>,
) -> Json<Answer> {
    Json(channels.get(&name).poll(after).await)
}

async fn publisher(Path(name): Path<String>, State(channels): State<Channels>, upgrade: WebSocketUpgrade) -> Response {
    let channel = channels.get(&name);
    upgrade.max_message_size(LARGEST_MESSAGE).on_upgrade(|mut socket| async move {
        while let Some(Ok(frame)) = socket.recv().await {
            if let Frame::Text(text) = frame {
                channel.publish(ByteString::from(text.as_str()));
            }
        }
    })
}
