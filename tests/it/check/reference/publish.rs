//! Publishing: what is checked before a message is appended, and what the publisher is told.

use super::{
    Fault, Server,
    channel::{Channel, KeyReused, Publication},
    event::{Kind, Transport, kind},
    http::{Answer, Connection, Refusal, Request},
    wish::cursor,
};

/// A body that is too large is read to its end all the same, up to so many times the limit: most clients look at the
/// answer only when they have sent everything.
const READ_ON: usize = 32;

/// Publishes the body of a request; none if the client has gone before its end.
///
/// # Errors
/// Tells why nothing was appended.
pub async fn post(
    server: &Server,
    channel: &Channel,
    request: &Request,
    connection: &mut Connection,
) -> Result<Option<Answer>, Refusal> {
    let length = request.header("Content-Length").and_then(|length| length.parse::<usize>().ok());
    let Some(length) = length else { return Err(Refusal::new(411, "say by `Content-Length` how long the body is")) };
    if length > server.limits.max_message && !server.has(Fault::AnySize) {
        connection.reader.skip(length.min(server.limits.max_message * READ_ON)).await;
        return Err(TOO_LARGE);
    }
    let Some(data) = connection.reader.take(length).await else { return Ok(None) };
    let text = |header: &str, parameter| request.header(header).or(request.parameter(parameter)).map(str::to_owned);
    let publication = Publication {
        label: request.parameter("type").map(str::to_owned),
        content_type: content_type(request.header("Content-Type")),
        data,
        client: text("X-Fallcast-Client", "client"),
        key: text("Idempotency-Key", "key"),
        connection: connection.number,
    };
    if request.is_foreign() && !server.has(Fault::ForeignOriginPublishes) {
        if server.has(Fault::ForeignOriginRefusedTooLate) {
            append(server, channel, Transport::LongPoll, publication)?;
        }
        return Err(FOREIGN);
    }
    let id = append(server, channel, Transport::LongPoll, publication)?;
    let body = format!("{{\"id\":\"{id}\",\"subscribers\":{}}}\n", channel.subscribers());
    Ok(Some(Answer::json(201, body)))
}

/// What a page of another origin is told.
pub const FOREIGN: Refusal = Refusal::new(403, "pages of this origin may not speak to this server");

const TOO_LARGE: Refusal = Refusal::new(413, "the message is too large");

/// The media type without parameters; none, and what `curl -d` sends, is text.
fn content_type(header: Option<&str>) -> String {
    let essence = header.and_then(|value| value.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    if matches!(essence.as_str(), "" | "application/x-www-form-urlencoded") { "text/plain".to_owned() } else { essence }
}

/// Checks a publication, appends it, and returns its cursor.
///
/// # Errors
/// Tells why nothing was appended.
pub fn append(
    server: &Server,
    channel: &Channel,
    transport: Transport,
    mut publication: Publication,
) -> Result<String, Refusal> {
    if publication.data.len() > server.limits.max_message && !server.has(Fault::AnySize) {
        return Err(TOO_LARGE);
    }
    let is_text = std::str::from_utf8(&publication.data).is_ok() || server.has(Fault::BrokenTextAccepted);
    match kind(&publication.content_type) {
        Kind::Text if !is_text => return Err(Refusal::new(400, "text must be UTF-8")),
        Kind::Json if serde_json::from_slice::<serde_json::Value>(&publication.data).is_err() => {
            return Err(Refusal::new(400, "this is not JSON"));
        }
        Kind::Json => publication.data = without_space(&publication.data),
        Kind::Text | Kind::Bytes => {}
    }
    let appended = channel.append(server, publication);
    let offset = appended.map_err(|KeyReused| Refusal::new(422, "the key stands for another publication"))?;
    Ok(cursor(server, channel, transport, offset))
}

/// JSON without the white space outside of strings, so that it fits into a line.
fn without_space(json: &[u8]) -> Vec<u8> {
    let (mut in_string, mut escaped) = (false, false);
    let keep = |&byte: &u8| {
        let is_quote = byte == b'"' && !escaped;
        escaped = in_string && byte == b'\\' && !escaped;
        in_string ^= is_quote;
        in_string || !byte.is_ascii_whitespace()
    };
    json.iter().copied().filter(keep).collect()
}
