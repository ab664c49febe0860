//! Long-polling (RFC 6202 §2): a request that is answered when there is something to say.
//!
//! The cursor travels in the request, so nothing is held between two of them, and nothing falls between.

mod batch;
mod form;
mod poller;
mod repetition;

use std::time::{Duration, Instant};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, body,
    http::{Method, header},
    web,
};

use crate::{
    channel::{After, Event, GoodbyeReason, Transport},
    delivery::{self, PresenceFrom, Start, Subscription},
    wire::Framing,
};

use super::{channel_name, problem::Problem, query::Wish, state::State, subscribe::Opened};

use batch::Batch;
use poller::Leaving;

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
        if let Some(poller) = Leaving::of(&request, &state, &opened, hold) {
            return poller.take_over(subscription).await;
        }
        // When the client goes away, actix drops this future, and with it the subscription.
        let _ = actix_rt::time::timeout(hold, batch.wait(&mut subscription)).await;
        batch.collect(&mut subscription);
    }
    if opened.wish.presence && batch.has_presence_changed {
        let here = opened.channel.change_presence(|room| room.tell_poller(opened.member, Instant::now()));
        batch.add(&Event::Presence(here));
    }
    Ok(into_response(batch, &request, &opened, &subscription, hold))
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
        // Polls that began together end apart, so that an idle crowd does not come back as one. A few different holds are
        // enough for that, and leave most answers alike.
        None => most * (40 + fastrand::u32(0..=10)) / 50,
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

fn into_response(
    batch: Batch,
    request: &HttpRequest,
    opened: &Opened,
    subscription: &Subscription,
    hold: Duration,
) -> HttpResponse {
    let cursor = opened.channel.cursor(subscription.position());
    let more = subscription.position() < opened.channel.head();
    head()
        .insert_header((header::LINK, format!("<?after={cursor}{}>; rel=\"next\"", rest_of_query(request, opened))))
        .insert_header(("Preference-Applied", preference_applied(hold)))
        .body(batch.into_body(&cursor, more))
}

fn preference_applied(hold: Duration) -> String {
    format!("wait={}", hold.as_secs_f64().ceil())
}

/// The query of the next poll, behind its cursor: the same as of this one, and under the name that the server gave.
fn rest_of_query(request: &HttpRequest, opened: &Opened) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
        if !matches!(&*name, "after" | "token") && !name.starts_with('_') {
            query.append_pair(&name, &value);
        }
    }
    let needs_name = opened.wish.presence || opened.wish.shown_as.is_some() || !opened.wish.echo;
    if opened.wish.client.is_none() && needs_name {
        query.append_pair("client", opened.client.as_str());
    }
    let query = query.finish();
    if query.is_empty() { query } else { format!("&{query}") }
}
