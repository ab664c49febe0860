//! Whether WebSocket is let through.

use super::{Finding, Mark, names::name, words::time};
use crate::doctor::observations::{Handshake, Observations};

/// What became of the handshake.
pub fn find(o: &Observations) -> Option<Finding> {
    let upgrade = o.upgrade.as_ref()?;
    let took = time(upgrade.took_ms);
    let status = upgrade.status.map(|status| format!(" with {status}")).unwrap_or_default();
    let new = |mark, seen: String| Finding::new("upgrade", "WebSocket", mark, seen);
    let proxy = name(o).map_or_else(|| "A proxy".to_owned(), |name| name.to_string());
    Some(match upgrade.outcome {
        Handshake::Passed => new(
            Mark::Well,
            format!("The upgrade passes, and a message was there and back; the first came after {took}."),
        ),
        Handshake::Stripped => new(
            Mark::Fault,
            "The handshake reached the server without `Upgrade`, so that it was an ordinary request.".to_owned(),
        )
        .means(format!("{proxy} takes off what belongs to one hop (RFC 9110 §7.6.1) and does not put it on again."))
        .remedy(
            "At the proxy, pass the upgrade on; for nginx: `proxy_http_version 1.1; proxy_set_header Upgrade \
             $http_upgrade; proxy_set_header Connection \"upgrade\";`. With https, fewer proxies can look in.",
        ),
        Handshake::Refused => new(Mark::Fault, format!("The handshake was answered{status}, and not by the server."))
            .means(format!("{proxy} forbids WebSockets, or does not know them."))
            .remedy(
                "Ask whoever runs the network to allow them, or use https, which many such proxies cannot look into.",
            ),
        Handshake::RefusedByServer => new(Mark::Fault, format!("The server itself refused the handshake{status}."))
            .means(upgrade.body.clone())
            .remedy("The server's answer says why, and which of its options decides."),
        Handshake::Mute => new(Mark::Fault, format!("The handshake was accepted, and then nothing came for {took}."))
            .means(format!(
                "{proxy} plays the server's part, or swallows frames. `open` in a browser proves nothing here."
            ))
            .remedy("A client has to wait for the first message before it believes in a WebSocket; fallcast's does."),
        Handshake::OneWay => new(Mark::Fault, "Messages come, but what is sent does not arrive.".to_owned())
            .means(format!("{proxy} passes frames on in one direction only."))
            .remedy("Read over another transport, and publish by POST."),
        Handshake::Dropped => new(Mark::Fault, "The connection was closed instead of an answer.".to_owned())
            .means(format!("{proxy} hangs up on what asks for WebSocket."))
            .remedy("Use https, or another transport."),
        Handshake::Unanswered => new(Mark::Fault, format!("There was no answer for {took}."))
            .means(format!("{proxy} swallows what asks for WebSocket."))
            .remedy("Use https, or another transport."),
    })
}
