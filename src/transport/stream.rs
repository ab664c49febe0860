//! The stream: newline-delimited JSON over one endless response, which `fetch` and `curl` read as it comes.

use actix_web::{HttpRequest, HttpResponse, body, http::Method, web};

use crate::{
    channel::{Event, Transport},
    delivery::EventBody,
    wire::{self, Framing},
};

use super::{
    channel_name,
    problem::Problem,
    query::Wish,
    sse::{deliver, endless},
    state::State,
    subscribe::{Opened, hangup},
};

const CONTENT_TYPE: &str = "application/x-ndjson";

/// Opens a stream of one event object a line.
///
/// # Errors
/// Tells why there is none.
pub async fn open(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let name = channel_name(&request)?;
    let wish = Wish::read(&request, Transport::Stream)?;
    if request.method() == Method::HEAD {
        return Ok(endless(&request, CONTENT_TYPE, body::None::new()));
    }
    if state.is_draining() {
        return Err(Problem::draining());
    }
    let opened = Opened::new(&state, &request, &name, wish, Transport::Stream)?;
    let mut opening = Vec::new();
    wire::encode_event(Framing::JsonLines, &Event::Hello(opened.hello(&state)), &mut opening);
    if let Some(gap) = &opened.gap {
        wire::encode_event(Framing::JsonLines, &Event::Gap(gap.clone()), &mut opening);
    }
    let stay = opened.announce(&state, &request);
    let subscription = opened.start(&state.worker(), Framing::JsonLines, opening, hangup(&request));
    Ok(deliver(&request, CONTENT_TYPE, EventBody::new(subscription, stay)))
}
