//! Server-sent events in the way of most tutorials: a queue for each subscriber. What happens when one of them is full is
//! an exercise.
//!
//! The other servers here have no queues. A subscriber is a position in the log, and a slow one is a position that moves
//! slowly.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path, PayloadConfig, Query, get, post},
};
use tokio::sync::{
    Mutex,
    mpsc::{self, Sender},
};
use tokio_stream::{Stream, StreamExt as _, iter, wrappers::ReceiverStream};

use crate::{
    channel::{self, Channels, Message},
    event_stream::{self, Wish},
    program::{self, Fault},
    publish::{self, Published},
    solutions::{origin, resume, sse},
};

/// Messages that wait for one subscriber.
const QUEUE: usize = 64;

/// A channel that hands each message to each of its subscribers.
#[derive(Debug, Default)]
pub struct Channel {
    log: channel::Channel,
    /// The queues of all subscribers. While somebody publishes or subscribes, nobody else does.
    subscribers: Mutex<Vec<Sender<Message>>>,
}

/// Serves channels as event streams until Ctrl-C.
///
/// # Errors
/// The port cannot be used.
pub fn serve(
    port: u16,
    deliver: impl AsyncFn(&mut Vec<Sender<Message>>, &Message) + Copy + Send + 'static,
) -> Result<(), Fault> {
    let channels = Data::new(Channels::<Channel>::default());
    program::serve(port, move |config| {
        let publish = move |request: HttpRequest,
                            name: Path<String>,
                            text: String,
                            channels: Data<Channels<Channel>>| async move {
            if !publish::welcomes(origin::is_welcome, &request) {
                return publish::foreign();
            }
            let Some(channel) = channels.get(&name) else { return publish::too_many_channels() };
            let mut subscribers = channel.subscribers.lock().await;
            let number = channel.log.publish(&text);
            deliver(&mut subscribers, &Message { number, text: text.into() }).await;
            HttpResponse::Created().json(Published { id: channel.log.cursor(number) })
        };
        config
            .app_data(Data::clone(&channels))
            .app_data(PayloadConfig::new(publish::LARGEST_MESSAGE))
            .route(publish::ADDRESS, post().to(publish))
            .route("/channels/{channel}/sse", get().to(subscribe));
    })
}

async fn subscribe(
    request: HttpRequest,
    name: Path<String>,
    wish: Query<Wish>,
    channels: Data<Channels<Channel>>,
) -> HttpResponse {
    let Some(channel) = channels.get(&name) else { return publish::too_many_channels() };
    event_stream::response(channel.subscribe(event_stream::cursor_of(&request, &wish)).await)
}

impl Channel {
    /// The stream of a new subscriber: what was there, then what comes.
    async fn subscribe(self: Arc<Self>, cursor: Option<&str>) -> impl Stream<Item = String> + use<> {
        // What is published next finds the new queue. So it is either in the log's answer or in the queue.
        let mut subscribers = self.subscribers.lock().await;
        let start = event_stream::start(&self.log, cursor, resume::position);
        let (opening, position) = event_stream::opening(&self.log, start);
        let earlier = self.log.read_after(position).unwrap_or_default();
        let (queue, later) = mpsc::channel(QUEUE);
        subscribers.push(queue);
        drop(subscribers);
        let messages = iter(earlier).chain(ReceiverStream::new(later));
        let events = messages.map(move |message| sse::event(&self.log.cursor(message.number), &message.text));
        iter([opening]).chain(events)
    }
}
