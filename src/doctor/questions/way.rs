//! Who is on the way? A request is compared with the request that arrived, its answer with the answer that left, and a
//! request that is no HTTP shows who complains first.

use std::io::Read as _;

use serde_json::Value;

use super::nonce;
use crate::doctor::{
    client::{Answer, Client, Fault, PATIENCE, Request},
    observations::{Complaint, Way},
};

/// Looks at a request and its answer.
///
/// # Errors
/// There is no answer, or not the one of a fallcast server.
pub async fn look(client: &Client) -> Result<Way, Fault> {
    // What clients of channels send, and gzip, which browsers ask for by themselves.
    let request = Request::get("/examination/request")
        .with("Accept-Encoding", "gzip")
        .with("Last-Event-ID", &nonce())
        .with("Idempotency-Key", &nonce())
        .with("X-Examination", &nonce());
    let mut connection = client.connect().await?;
    let address_here = connection.here.map(|here| here.to_string());
    let answer = connection.ask(&client.target, &request, PATIENCE).await?;
    let coding = answer.head.field("Content-Encoding").unwrap_or_default().to_owned();
    let body = if coding.contains("gzip") { unzipped(&answer.body) } else { answer.body.to_vec() };
    let document: Value = serde_json::from_slice(&body).unwrap_or_default();
    if !document["version"].is_string() {
        return Err(Fault::NotHttp(format!("no report of a request, but {:?}", answer.excerpt())));
    }
    Ok(Way {
        version_here: Some(format!("HTTP/1.{}", answer.head.version)),
        version_there: document["version"].as_str().map(str::to_owned),
        negotiated: if client.tls.is_some() { client.negotiate().await.ok().flatten() } else { None },
        address_here,
        address_there: document["peer"].as_str().map(str::to_owned),
        requested: request.fields,
        arrived: serde_json::from_value(document["fields"].clone()).unwrap_or_default(),
        sent: serde_json::from_value(document["sent"].clone()).unwrap_or_default(),
        received: answer.head.fields,
        coding: Some(coding),
        complaint: complaint(client).await,
    })
}

/// What there is to see of a server that is not fallcast.
///
/// # Errors
/// There is no answer.
pub async fn look_from_outside(client: &Client) -> Result<Way, Fault> {
    let answer = client.ask(&Request::get("/")).await?;
    Ok(Way {
        version_here: Some(format!("HTTP/1.{}", answer.head.version)),
        negotiated: if client.tls.is_some() { client.negotiate().await.ok().flatten() } else { None },
        received: answer.head.fields,
        ..Way::default()
    })
}

/// No more is unzipped than an honest answer has.
fn unzipped(body: &[u8]) -> Vec<u8> {
    const LARGEST: u64 = 256 * 1024;
    let mut plain = Vec::new();
    // What can be read of a broken one is looked at all the same.
    let _ = flate2::read::GzDecoder::new(body).take(LARGEST).read_to_end(&mut plain);
    plain
}

/// Who complains about an address with a control character in it (RFC 3986 §2): the first who reads it.
async fn complaint(client: &Client) -> Option<Complaint> {
    let mut connection = client.connect().await.ok()?;
    let request = format!("GET /\x01 HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", client.target.authority());
    connection.write(request.as_bytes()).await.ok()?;
    let head = connection.head(PATIENCE).await.ok()?;
    let mut body = Vec::new();
    while let (Ok(Some(bytes)), true) = (connection.next(PATIENCE).await, body.len() < 4096) {
        body.extend_from_slice(&bytes);
    }
    let server = head.field("Server").map(str::to_owned);
    let answer = Answer { head, body: body.into() };
    Some(Complaint { server, body: answer.excerpt() })
}
