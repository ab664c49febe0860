//! A WebSocket as its client opens it (RFC 6455 §4.1), and no more of it than an examination needs.

use std::time::Duration;

use actix_http::ws::hash_key;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::client::{Answer, Client, Connection, Fault, PATIENCE, Request};

/// What a handshake leads to.
pub enum Shaken {
    /// The connection, which is a WebSocket now.
    Open(Connection),
    /// Another answer.
    Answered(Answer),
}

/// Asks for a WebSocket.
///
/// # Errors
/// There is no answer, or one that is no half of a handshake.
pub async fn shake(client: &Client, address: &str) -> Result<Shaken, Fault> {
    let key = STANDARD.encode(fastrand::u128(..).to_be_bytes());
    let request = Request::get(address)
        .with("Connection", "Upgrade")
        .with("Upgrade", "websocket")
        .with("Sec-WebSocket-Version", "13")
        .with("Sec-WebSocket-Key", &key);
    let mut connection = client.connect().await?;
    connection.send(&client.target, &request).await?;
    let head = connection.head(PATIENCE).await?;
    if head.status != 101 {
        let mut body = Vec::new();
        // A refusal counts, whether all of it comes or not.
        while let Ok(Some(bytes)) = connection.next(PATIENCE).await {
            body.extend_from_slice(&bytes);
            if body.len() > 64 * 1024 {
                break;
            }
        }
        return Ok(Shaken::Answered(Answer { head, body: body.into() }));
    }
    if head.field("Sec-WebSocket-Accept").map(str::as_bytes) != Some(&hash_key(key.as_bytes())[..]) {
        return Err(Fault::NotHttp("`Sec-WebSocket-Accept` does not belong to the key that was sent".to_owned()));
    }
    Ok(Shaken::Open(connection))
}

/// A text as a frame of a client: masked (RFC 6455 §5.2). At most 125 bytes fit into it.
#[must_use]
pub fn text_frame(text: &str) -> Vec<u8> {
    let text = &text.as_bytes()[..text.len().min(125)];
    let mask = fastrand::u32(..).to_be_bytes();
    let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap_or(125)];
    frame.extend_from_slice(&mask);
    frame.extend(text.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Reads until `text` has come. A server does not mask what it sends, so a text is found in the bytes as they are.
///
/// # Errors
/// The connection ends before, or the time.
pub async fn hear(connection: &mut Connection, text: &str, patience: Duration) -> Result<(), Fault> {
    let hearing = async {
        let mut heard = Vec::new();
        loop {
            heard.extend_from_slice(&connection.bytes(patience).await?);
            if memchr::memmem::find(&heard, text.as_bytes()).is_some() {
                return Ok(());
            }
            // What was cut in two is still found.
            heard.drain(..heard.len().saturating_sub(text.len()));
        }
    };
    tokio::time::timeout(patience, hearing).await.unwrap_or(Err(Fault::Silence(patience)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_masked() {
        let frame = text_frame("hi");
        assert_eq!((frame[0], frame[1], frame.len()), (0x81, 0x82, 8));
        assert_eq!([frame[6] ^ frame[2], frame[7] ^ frame[3]], *b"hi");
    }
}
