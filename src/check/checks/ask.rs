//! How the checks ask that look at bytes: the addresses of the profile, without a subscriber on top.

use crate::check::{
    case::Case,
    reader::{After, Asking},
    subject::Channel,
    transport::Transport,
    verdict::{Fault, Proof},
    wire::websocket::WebSocket,
};

/// The path and query of a subscription, and its further fields as lines.
///
/// # Errors
/// The profile does not describe it.
pub fn address(
    case: &Case<'_>,
    transport: Transport,
    channel: &Channel,
    after: &After,
) -> Result<(String, Vec<String>), Fault> {
    let asking = Asking::new(case, transport, channel)?;
    Ok((asking.target(after)?, asking.fields(after)?))
}

/// A WebSocket over which a client publishes, and the text that publishes this message.
///
/// # Errors
/// The profile publishes by requests alone, or the WebSocket does not open.
pub async fn voice(case: &Case<'_>, channel: &Channel, message: &str) -> Proof<(WebSocket, String)> {
    let profile = &case.subject.profile;
    if let Some(say) = &profile.publish_websocket {
        let fields = crate::check::template::fields(&say.headers, &channel.name, None);
        let socket = WebSocket::open(case, &say.path.target(&channel.name, None, b""), &fields).await?;
        let text = say.message.text(&channel.name, message.as_bytes());
        return Ok((socket, String::from_utf8_lossy(&text).into_owned()));
    }
    if profile.websocket.as_ref().is_some_and(|websocket| websocket.publishes) {
        let (target, fields) = address(case, Transport::WebSocket, channel, &After::End)?;
        return Ok((WebSocket::open(case, &target, &fields).await?, message.to_owned()));
    }
    Err(Fault::skipped("the profile publishes nothing over a WebSocket ([publish-websocket])"))
}

/// Whether these bytes hold this text.
pub fn has(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}
