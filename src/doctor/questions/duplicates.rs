//! Does a POST that is sent once arrive once? Proxies, and browsers, repeat requests whose connection broke, and some do so
//! without being asked.

use super::nonce;
use crate::doctor::{
    client::{Client, Fault, Request},
    observations::Duplicates,
};

const SENT: u32 = 4;

/// Sends some requests and asks how many have arrived.
///
/// # Errors
/// There is no answer.
pub async fn look(client: &Client) -> Result<Duplicates, Fault> {
    let mut arrived = 0;
    for _ in 0..SENT {
        let address = format!("/examination/count?nonce={}", nonce());
        client.ask(&Request::post(&address, "")).await?;
        let answer = client.ask(&Request::get(&address)).await?.json().unwrap_or_default();
        arrived += answer["count"].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
    }
    Ok(Duplicates { sent: SENT, arrived })
}
