//! The lab's own words: answers that do not come from the server.
//!
//! What the lab itself has to say is a problem document (RFC 9457), as the server's faults are. What an imitated proxy
//! says is a page, as proxies have them. After either, the connection is closed.

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

/// The server does not answer the lab.
#[must_use]
pub fn bad_gateway() -> Bytes {
    problem(502, "bad-gateway", "The server does not answer", "the lab got no answer from its server; try again")
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
        431 => "Request Header Fields Too Large",
        502 => "Bad Gateway",
        _ => "Service Unavailable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_complete_and_say_that_they_are_the_last() {
        for answer in [bad_gateway(), proxy_page(503, "Service Unavailable", Some(3))] {
            let text = String::from_utf8(answer.to_vec()).expect("text");
            let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
            assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
            assert!(head.contains("Connection: close"), "{head}");
        }
        assert!(proxy_page(503, "Service Unavailable", Some(3)).ends_with(b"</html>\n"));
    }
}
