//! The lab's own words: answers that do not come from the server.
//!
//! What the lab itself has to say is a problem document (RFC 9457), as the server's faults are. What an imitated proxy
//! says is a page, as proxies have them. After either, the connection is closed.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

/// A problem of the lab's own.
#[must_use]
pub fn problem(status: u16, kind: &str, title: &str, detail: &str) -> Bytes {
    let document = json!({
        "type": format!("urn:fallcast:problem:{kind}"),
        "title": title,
        "status": status,
        "detail": detail,
    });
    answer(status, title_of(status), "application/problem+json", None, &format!("{document}\n"))
}

/// A page of an imitated proxy, which may say in how many seconds to come back.
#[must_use]
pub fn proxy_page(status: u16, title: &str, retry_after: Option<u64>) -> Bytes {
    let page = format!(
        "<html>\n<head><title>{status} {title}</title></head>\n<body><h1>{status} {title}</h1></body>\n</html>\n"
    );
    answer(status, title, "text/html", retry_after, &page)
}

/// A proxy has no server to pass requests on to, for so long.
#[must_use]
pub fn unavailable(left: Duration) -> Bytes {
    // A client that comes back too early would be told so again.
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    proxy_page(503, "Service Unavailable", Some(seconds))
}

/// The server does not answer the lab.
#[must_use]
pub fn bad_gateway() -> Bytes {
    problem(502, "bad-gateway", "The server does not answer", "the lab got no answer from its server; try again")
}

/// A body in chunks is none.
#[must_use]
pub fn bad_body() -> Bytes {
    problem(400, "bad-body", "The request cannot be understood", "a chunk of the body is malformed (RFC 9112 §7.1)")
}

/// A proxy has waited for the server for too long.
#[must_use]
pub fn gateway_timeout() -> Bytes {
    proxy_page(504, "Gateway Time-out", None)
}

fn answer(status: u16, title: &str, content_type: &str, retry_after: Option<u64>, body: &str) -> Bytes {
    let mut lines = vec![
        format!("HTTP/1.1 {status} {title}"),
        format!("Content-Type: {content_type}"),
        format!("Content-Length: {}", body.len()),
        "Cache-Control: no-store".to_owned(),
        "Connection: close".to_owned(),
    ];
    lines.extend(retry_after.map(|seconds| format!("Retry-After: {seconds}")));
    Bytes::from(lines.join("\r\n") + "\r\n\r\n" + body)
}

/// The reason phrases of RFC 9110 §15, for the statuses in use here.
const fn title_of(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        408 => "Request Timeout",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        502 => "Bad Gateway",
        _ => "Service Unavailable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up() {
        for (left_ms, header) in [(1, "Retry-After: 1\r\n"), (2000, "Retry-After: 2\r\n"), (2001, "Retry-After: 3\r\n")]
        {
            let answer = unavailable(Duration::from_millis(left_ms));
            assert!(String::from_utf8_lossy(&answer).contains(header), "{left_ms}");
        }
    }

    #[test]
    fn answers_are_complete_and_say_that_they_are_the_last() {
        for answer in [bad_gateway(), unavailable(Duration::from_millis(2001)), proxy_page(403, "Forbidden", None)] {
            let text = String::from_utf8(answer.to_vec()).expect("text");
            let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
            assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
            assert!(head.contains("Connection: close"), "{head}");
        }
    }
}
