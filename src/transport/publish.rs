//! Publishing by POST: the body is the message.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use bytes::{Bytes, BytesMut};
use tokio_stream::StreamExt as _;

use crate::{
    channel::{ContentType, Data, Publication, Published},
    guard::Action,
};

use super::{channel_name, problem::Problem, query::Labels, state::State};

// ANCHOR: post
/// Publishes a request's body to a channel.
///
/// # Errors
/// Tells why nothing was appended.
pub async fn post(request: HttpRequest, body: web::Payload, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let name = channel_name(&request)?;
    state.decide(&request, Action::Publish)?;
    let labels = Labels::read(&request)?;
    let content_type = content_type(&request)?;
    let bytes = read_body(&request, body, &state, &content_type).await?;
    let data = data_of(bytes, &content_type)?;
    if data.len() > state.settings.max_message {
        return Err(Problem::too_large(state.settings.max_message));
    }
    let Labels { label, client, key } = labels;
    let published = state.hub.publish(&name, Publication { label, content_type, data, client, key }).await?;
    if !published.repeated {
        state.metrics.published();
    }
    let Published { id, subscribers, .. } = published;
    Ok(HttpResponse::Created()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type("application/json")
        // Neither a cursor nor a number needs an escape. The line feed is for people at a terminal.
        .body(format!("{{\"id\":\"{id}\",\"subscribers\":{subscribers}}}\n")))
}
// ANCHOR_END: post

/// The media type without parameters. None, and what `curl -d` sends, are text.
fn content_type(request: &HttpRequest) -> Result<ContentType, Problem> {
    if request.headers().get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(Problem::unsupported("a body with a `Content-Encoding` is not taken; send it as it is"));
    }
    let Some(value) = request.headers().get(header::CONTENT_TYPE) else { return Ok(ContentType::Text) };
    let value = value.to_str().map_err(|_| Problem::unsupported("the `Content-Type` is not ASCII"))?;
    parse_content_type(value)
}

/// Reads a media type (RFC 9110 §8.3.1) and refuses any charset but UTF-8.
pub fn parse_content_type(value: &str) -> Result<ContentType, Problem> {
    let mut parts = value.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let is_well_formed = essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
    if !is_well_formed || essence.len() > 127 {
        return Err(Problem::unsupported("the content type is no media type such as application/json"));
    }
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        let charset = value.trim_matches('"');
        if name.eq_ignore_ascii_case("charset") && !matches!(&*charset.to_ascii_lowercase(), "utf-8" | "utf8") {
            return Err(Problem::unsupported(format_args!("text is taken in UTF-8 only, not in `{charset}`")));
        }
    }
    if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Ok(ContentType::Text);
    }
    Ok(essence.into())
}

/// Checks a payload against its type.
pub fn data_of(bytes: Bytes, content_type: &ContentType) -> Result<Data, Problem> {
    if content_type.is_json() {
        Ok(Data::json(&bytes)?)
    } else if content_type.is_text() {
        Ok(Data::text(bytes)?)
    } else {
        Ok(Data::Binary(bytes))
    }
}

/// Reads the body, but neither more of it than a message may have nor for longer than a request may take.
async fn read_body(
    request: &HttpRequest,
    body: web::Payload,
    state: &State,
    content_type: &ContentType,
) -> Result<Bytes, Problem> {
    // JSON may lose white space yet; its limit counts what is kept.
    let limit = state.settings.max_message * if content_type.is_json() { 2 } else { 1 };
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > limit.saturating_mul(READ_ON)) {
        return Err(Problem::too_large(state.settings.max_message).closing());
    }
    let limit_of_time = state.settings.request_timeout;
    let body = actix_rt::time::timeout(limit_of_time, collect(body, limit)).await;
    match body {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(Unread::Broken(fault))) => {
            Err(Problem::bad_request("bad-body", format_args!("the body broke off: {fault}")))
        }
        Ok(Err(Unread::Skipped)) => Err(Problem::too_large(state.settings.max_message)),
        Ok(Err(Unread::Endless)) => Err(Problem::too_large(state.settings.max_message).closing()),
        Err(_) => Err(Problem::too_slow(limit_of_time)),
    }
}

/// A body that is too large is read on up to so many times the limit, and thrown away. Most clients look at the answer
/// only when they have sent everything, and would see no more than a broken connection.
const READ_ON: usize = 4;

/// Why a body is not there.
enum Unread {
    Broken(actix_web::error::PayloadError),
    /// It was too large and was thrown away.
    Skipped,
    /// It was so large that nobody waited for its end.
    Endless,
}

async fn collect(body: web::Payload, limit: usize) -> Result<Bytes, Unread> {
    let mut body = std::pin::pin!(body.into_inner());
    let (mut collected, mut size) = (BytesMut::new(), 0_usize);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(Unread::Broken)?;
        size = size.saturating_add(chunk.len());
        if size > limit.saturating_mul(READ_ON) {
            return Err(Unread::Endless);
        }
        if size <= limit {
            collected.extend_from_slice(&chunk);
        } else {
            collected = BytesMut::new();
        }
    }
    if size <= limit { Ok(collected.freeze()) } else { Err(Unread::Skipped) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_read_without_their_parameters() {
        let read = |value| {
            parse_content_type(value).map(|of| of.as_str().to_owned()).map_err(|problem| problem.status().as_u16())
        };
        assert_eq!(read("application/json; charset=UTF-8"), Ok("application/json".into()));
        assert_eq!(read("Text/HTML;charset=\"utf-8\""), Ok("text/html".into()));
        assert_eq!(read("application/x-www-form-urlencoded"), Ok("text/plain".into()));
        assert_eq!(read("text/plain; charset=latin1"), Err(415));
        for bad in ["", "json", "a/b/c", "a b/c", "/", "text/\nplain"] {
            assert_eq!(read(bad), Err(415), "{bad}");
        }
    }
}
