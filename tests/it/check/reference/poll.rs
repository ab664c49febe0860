//! Long-polling: an answer with what there is, held back while there is nothing.

use std::{rc::Rc, time::Duration};

use tokio::time::{Instant, sleep, timeout};

use super::{
    Fault, Server,
    channel::Channel,
    event::{Event, Transport},
    http::{Answer, Reader, Refusal, Request},
    subscription::Subscription,
    wish::{After, Wish},
};

/// A faulty server looks for messages so often.
const LOOKS_EACH: Duration = Duration::from_millis(320);

/// The answer to a poll; none if the client has gone meanwhile.
///
/// # Errors
/// Tells what is wrong with the request.
pub async fn answer(
    server: &Rc<Server>,
    channel: &Rc<Channel>,
    request: &Request,
    reader: &mut Reader,
) -> Result<Option<Answer>, Refusal> {
    let wish = Wish::read(server, request, Transport::LongPoll)?;
    let _seat = server.seat()?;
    let mut subscription = Subscription::new(server, channel, &wish);
    if wish.returns && server.has(Fault::BetweenPollsLost) {
        subscription.forget_all_but_one();
    }
    let mut events: Vec<Event> = Vec::new();
    if !wish.returns {
        events.push(Event::Hello(subscription.asked()));
    }
    events.extend(subscription.gap.take().map(Event::Gap));
    events.extend(subscription.take());
    let waits = events.is_empty() || !wish.returns && server.has(Fault::FirstPollWaits);
    if waits {
        let hold = hold(server, channel, &mut subscription, wish.wait);
        tokio::select! {
            found = hold => events.extend(found),
            () = reader.gone() => return Ok(None),
        }
    }
    Ok(Some(envelope(server, request, &subscription, &events, &wish)))
}

/// Waits for something to tell, for as long as the client wants to.
async fn hold(server: &Server, channel: &Channel, subscription: &mut Subscription, wait: Duration) -> Vec<Event> {
    if server.has(Fault::HeldPollSleeps) {
        let began = Instant::now();
        let mut events = Vec::new();
        while events.is_empty() && began.elapsed() < wait {
            sleep(LOOKS_EACH.min(wait)).await;
            events = subscription.take();
        }
        return events;
    }
    let turn = channel.turn.try_lock();
    if turn.is_err() && server.has(Fault::OnePollerServed) {
        sleep(wait).await;
        return Vec::new();
    }
    let something = async {
        loop {
            subscription.changed().await;
            let events = subscription.take();
            if !events.is_empty() {
                break events;
            }
        }
    };
    timeout(wait, something).await.unwrap_or_default()
}

fn envelope(server: &Server, request: &Request, subscription: &Subscription, events: &[Event], wish: &Wish) -> Answer {
    let lines: Vec<String> = events.iter().map(|event| subscription.encoder.line(event)).collect();
    let cursor = subscription.encoder.cursor(subscription.position());
    let body =
        format!("{{\"cursor\":\"{cursor}\",\"events\":[{}],\"more\":{}}}\n", lines.join(","), subscription.has_more());
    let next = match &wish.after {
        After::Cursor { epoch, offset } if server.has(Fault::LinkStale) => format!("{epoch}.{offset}"),
        _ => cursor,
    };
    let answer = Answer::json(200, body)
        .header("Link", link(request, &next))
        .header("Preference-Applied", format!("wait={}", wish.wait.as_secs()));
    if server.has(Fault::AnswersMayBeStored) { answer.without("Cache-Control") } else { answer }
}

/// The address of the next poll, with all other parameters of this one (RFC 8288).
fn link(request: &Request, cursor: &str) -> String {
    let others = request.query.iter().filter(|(name, _)| name != "after");
    let query =
        form_urlencoded::Serializer::new(String::new()).append_pair("after", cursor).extend_pairs(others).finish();
    format!("<?{query}>; rel=\"next\"")
}
