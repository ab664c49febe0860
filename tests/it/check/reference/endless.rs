//! Server-sent events and the stream: an answer that has no end.

use std::rc::Rc;

use super::{
    Fault, Server,
    channel::Channel,
    event::Transport,
    http::{Connection, Refusal, Request, head},
    outlet::Outlet,
    subscription::Subscription,
    wish::Wish,
};

/// Serves a subscriber until it goes.
///
/// # Errors
/// Tells why there is no subscription. Nothing has been sent then.
pub async fn serve(
    server: &Rc<Server>,
    channel: &Rc<Channel>,
    request: &Request,
    connection: &mut Connection,
    transport: Transport,
) -> Result<(), Refusal> {
    let wish = Wish::read(server, request, transport)?;
    server.admit().await;
    let _seat = server.seat()?;
    let subscription = Subscription::new(server, channel, &wish);
    let head = head(200, &headers(server, transport));
    if connection.writer.write(&head).await {
        let mut outlet = Outlet::new(server, channel, subscription, &mut connection.writer);
        let mut beat = server.beat();
        let mut goes_on = outlet.open().await;
        while goes_on {
            goes_on = tokio::select! {
                () = outlet.subscription.changed() => outlet.deliver().await,
                _ = beat.tick() => outlet.heartbeat().await,
                () = connection.reader.gone() => false,
            };
        }
    }
    server.farewell(&connection.reader);
    Ok(())
}

fn headers(server: &Server, transport: Transport) -> Vec<(&'static str, String)> {
    let content_type = match transport {
        Transport::Sse if server.has(Fault::EventsAreText) => "text/plain",
        Transport::Sse => "text/event-stream",
        _ => "application/x-ndjson",
    };
    // The end of the connection is the end of the answer (RFC 9112 §6.3).
    let mut headers = vec![("Content-Type", content_type.to_owned()), ("Connection", "close".to_owned())];
    if !server.has(Fault::BufferingAllowed) {
        headers.push(("Cache-Control", "no-store, no-transform".to_owned()));
        headers.push(("X-Accel-Buffering", "no".to_owned()));
    }
    headers
}
