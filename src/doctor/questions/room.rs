//! Is there room for a class? A server on this machine says how many descriptors and cores it has, and at which addresses
//! it can be reached; whether it answers there, can be tried.

use std::time::Duration;

use tokio::{net::TcpStream, time::timeout};

use crate::doctor::{
    client::{Client, Fault, Request},
    observations::Room,
    target::Target,
};

/// How long this machine may take to answer itself.
const PATIENCE: Duration = Duration::from_secs(1);

/// Looks at the machine of the server, if that is this one; `None` if the server does not tell.
///
/// # Errors
/// There is no answer.
pub async fn look(client: &Client) -> Result<Option<Room>, Fault> {
    let answer = client.ask(&Request::get("/examination/room")).await?;
    let Ok(mut room) = serde_json::from_slice::<Room>(&answer.body) else { return Ok(None) };
    for url in room.urls.clone() {
        if !answers(&url).await {
            room.deaf_urls.push(url);
        }
    }
    Ok((answer.head.status == 200).then_some(room))
}

async fn answers(url: &str) -> bool {
    let Ok(target) = url.parse::<Target>() else { return false };
    let connecting = TcpStream::connect((target.host.as_str(), target.port));
    timeout(PATIENCE, connecting).await.is_ok_and(|connected| connected.is_ok())
}
