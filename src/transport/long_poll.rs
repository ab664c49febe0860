//! Long-polling (RFC 6202 §2): a request that is answered when there is something to say.
//!
//! The cursor travels in the request, so nothing is held between two of them, and nothing falls between.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, body,
    http::{Method, header},
    web,
};
use tokio_stream::{Stream, StreamExt as _};

use crate::{
    channel::{After, Cursor, Event, GoodbyeReason, Transport},
    delivery::{self, Next, PresenceFrom, Start, Subscription},
    wire::{self, Framing},
};

use super::{channel_name, problem::Problem, query::Wish, state::State, subscribe::Opened};

/// How many bytes of events one answer holds at most, unless a single event is larger.
const MAX_BATCH: usize = 256 * 1024;

// ANCHOR: long_poll
/// Answers a poll: at once with what there is, or with the first thing that comes while it is held.
///
/// # Errors
/// Tells why there is no answer.
pub async fn answer(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let name = channel_name(&request)?;
    let wish = Wish::read(&request, Transport::LongPoll)?;
    if request.method() == Method::HEAD {
        return Ok(head().body(body::None::new()));
    }
    let hold = hold(&state, &wish);
    let opened = Opened::new(&state, &request, &name, wish, Transport::LongPoll)?;
    let _stay = opened.announce(&state, &request);
    let mut batch = Batch::opening(&state, &opened);
    let mut subscription = subscribe(&state, &opened);
    if state.is_draining() {
        batch.add(&Event::Goodbye(delivery::goodbye(GoodbyeReason::Draining)));
    }
    batch.collect(&mut subscription);
    if batch.is_empty() && !hold.is_zero() {
        // When the client goes away, actix drops this future, and with it the subscription.
        let _ = actix_rt::time::timeout(hold, batch.wait(&mut subscription)).await;
        batch.collect(&mut subscription);
    }
    if opened.wish.presence && batch.has_presence_changed {
        let here = opened.channel.change_presence(|room| room.tell_poller(opened.member, Instant::now()));
        batch.add(&Event::Presence(here));
    }
    Ok(batch.into_response(&request, &opened, &subscription, hold))
}
// ANCHOR_END: long_poll

fn head() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.content_type("application/json").insert_header((header::CACHE_CONTROL, "no-store"));
    response
}

/// How long a poll is held. One that carries no cursor never is, since it could not tell what it has missed meanwhile.
fn hold(state: &State, wish: &Wish) -> Duration {
    let most = state.settings.poll_hold;
    match wish.wait {
        _ if is_first(wish) => Duration::ZERO,
        Some(wait) => wait.min(most),
        // Polls that began together end apart, so that an idle crowd does not come back as one.
        None => most.mul_f64(0.8 + fastrand::f64() * 0.2),
    }
}

/// A subscription that lives as long as the request.
fn subscribe(state: &State, opened: &Opened) -> Subscription {
    Subscription::new(
        &state.worker(),
        Start {
            channel: std::sync::Arc::clone(&opened.channel),
            transport: Transport::LongPoll,
            framing: Framing::JsonLines,
            position: opened.position,
            opening: bytes::Bytes::new(),
            excluded: (!opened.wish.echo).then_some(opened.member),
            presence: presence_from(opened),
            hangup: None,
            attached: None,
        },
    )
}

/// From where on to look for changes of who is here. A poll only has to hear that there are any, for it answers with the
/// full list; so it looks from what this poller was told, and none falls between two polls.
fn presence_from(opened: &Opened) -> PresenceFrom {
    if !opened.wish.presence {
        return PresenceFrom::Never;
    }
    let told = opened.channel.change_presence(|room| room.told_to_poller(opened.member, Instant::now()));
    told.filter(|_| !is_first(&opened.wish)).map_or(PresenceFrom::List, PresenceFrom::Version)
}

/// Whether a poll carries no cursor, and so begins a subscription.
const fn is_first(wish: &Wish) -> bool {
    matches!(wish.after, After::Start | After::End)
}

/// The events of one answer, each a JSON object and a line feed.
#[derive(Debug)]
struct Batch {
    lines: Vec<u8>,
    has_presence_changed: bool,
}

impl Batch {
    /// What an answer says before it looks for messages.
    fn opening(state: &State, opened: &Opened) -> Self {
        let mut batch = Self { lines: Vec::new(), has_presence_changed: false };
        if is_first(&opened.wish) {
            batch.add(&Event::Hello(opened.hello(state)));
        }
        if let Some(gap) = &opened.gap {
            batch.add(&Event::Gap(gap.clone()));
        }
        batch
    }

    fn add(&mut self, event: &Event) {
        wire::encode_event(Framing::JsonLines, event, &mut self.lines);
    }

    fn is_empty(&self) -> bool {
        self.lines.is_empty() && !self.has_presence_changed
    }

    /// Takes what there is now, without waiting.
    fn collect(&mut self, subscription: &mut Subscription) {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        while self.lines.len() < MAX_BATCH || subscription.is_within_event() {
            match std::pin::Pin::new(&mut *subscription).poll_next(&mut context) {
                std::task::Poll::Ready(Some(next)) => self.take(next),
                std::task::Poll::Ready(None) | std::task::Poll::Pending => return,
            }
        }
    }

    /// Waits for the first thing to say.
    async fn wait(&mut self, subscription: &mut Subscription) {
        let mut subscription = pin!(subscription);
        while self.is_empty() {
            match subscription.next().await {
                Some(next) => self.take(next),
                None => return,
            }
        }
    }

    fn take(&mut self, next: Next) {
        match next {
            // What has changed is said by the full list.
            Next::Presence(_) => self.has_presence_changed = true,
            Next::Bytes(lines) => self.lines.extend_from_slice(&lines),
            Next::Gap(gap) => self.add(&Event::Gap(gap)),
            Next::Goodbye(goodbye) => self.add(&Event::Goodbye(goodbye)),
            // A poll has an end of its own.
            Next::Heartbeat(_) => {}
        }
    }

    fn into_response(
        self,
        request: &HttpRequest,
        opened: &Opened,
        subscription: &Subscription,
        hold: Duration,
    ) -> HttpResponse {
        let cursor = opened.channel.cursor(subscription.position());
        let more = subscription.position() < opened.channel.head();
        head()
            .insert_header((header::LINK, format!("<?{}>; rel=\"next\"", next_query(request, opened, &cursor))))
            .insert_header(("Preference-Applied", format!("wait={}", hold.as_secs_f64().ceil())))
            .body(self.into_body(&cursor, more))
    }

    /// `{"cursor":…,"events":[…],"more":…}`. Lines become list items: their objects hold no line feed, so each one ends
    /// an event.
    fn into_body(self, cursor: &Cursor, more: bool) -> Vec<u8> {
        let mut body = format!("{{\"cursor\":\"{cursor}\",\"events\":[").into_bytes();
        let events = self.lines.strip_suffix(b"\n").unwrap_or(&self.lines);
        body.extend(events.iter().map(|&byte| if byte == b'\n' { b',' } else { byte }));
        body.extend_from_slice(format!("],\"more\":{more}}}\n").as_bytes());
        body
    }
}

/// The query of the next poll: the same, from where this one ends, and under the name that the server gave.
fn next_query(request: &HttpRequest, opened: &Opened, cursor: &Cursor) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("after", &cursor.to_string());
    for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
        if !matches!(&*name, "after" | "token") && !name.starts_with('_') {
            query.append_pair(&name, &value);
        }
    }
    let needs_name = opened.wish.presence || opened.wish.shown_as.is_some() || !opened.wish.echo;
    if opened.wish.client.is_none() && needs_name {
        query.append_pair("client", opened.client.as_str());
    }
    query.finish()
}
