//! JSON is checked when it is published, and kept byte for byte: I-JSON (RFC 7493) of at most 64 levels.

use crate::harness::{Reader, Request, Subscription, TestServer, Transport};

const ROOM: &str = "/channels/room";

async fn assert_refused(bodies: &[&[u8]]) {
    let server = TestServer::spawn(&[]);
    for body in bodies {
        let problem = server.request(Request::post_json(ROOM, body)).await.assert_problem(400);
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    }
}

/// Publishes each body and asserts what arrives.
async fn assert_arrives(bodies: &[(&str, &str)]) {
    let server = TestServer::spawn(&[]);
    let mut reader = Reader::open(&server, Transport::Stream, &Subscription::to("room")).await;
    for (published, received) in bodies {
        server.request(Request::post_json(ROOM, published)).await.published_id();
        assert_eq!(reader.texts(1).await, [*received]);
    }
}

fn nested(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}

#[tokio::test]
async fn what_is_no_json_is_refused() {
    assert_refused(&[
        b"",
        b" ",
        b"{",
        b"{]",
        b"nul",
        b"{'a':1}",
        b"{a:1}",
        b"[1,]",
        b"{\"a\":1,}",
        b"01",
        b"+1",
        b".5",
        b"1.",
        b"NaN",
        b"Infinity",
    ])
    .await;
    assert_refused(&[b"\"\n\"", b"\"\\x\"", b"\"open", b"// comment\n1", b"\xef\xbb\xbf{}"]).await;
}

#[tokio::test]
async fn what_follows_the_value_is_refused() {
    assert_refused(&[b"{} x", b"{}{}", b"1 2", b"null,", b"[]]", b"{}\0"]).await;
}

/// Parsers disagree about which of two counts.
#[tokio::test]
async fn a_name_that_comes_twice_in_an_object_is_refused() {
    assert_refused(&[br#"{"a":1,"a":1}"#, br#"{"a":1,"\u0061":2}"#, br#"[{"b":{"":1,"":2}}]"#]).await;
    assert_arrives(&[(r#"[{"a":1},{"a":2}]"#, r#"[{"a":1},{"a":2}]"#), (r#"{"a":{"a":1}}"#, r#"{"a":{"a":1}}"#)]).await;
}

#[tokio::test]
async fn half_of_a_surrogate_pair_is_refused() {
    assert_refused(&[br#""\ud800""#, br#""\udc00""#, br#""\ud83d\ud83d""#, br#"{"\ud800":1}"#, b"\"\xed\xa0\x80\""])
        .await;
    assert_arrives(&[(r#""\ud83d\ude00""#, r#""\ud83d\ude00""#)]).await;
}

#[tokio::test]
async fn noncharacters_are_refused() {
    assert_refused(&["\"\u{fffe}\"".as_bytes(), br#""\uffff""#, "\"\u{fdd0}\"".as_bytes()]).await;
}

#[tokio::test]
async fn bytes_that_are_not_utf_8_are_refused() {
    assert_refused(&[b"\"\xff\"", b"\"caf\xe9\"", b"\xff"]).await;
}

#[tokio::test]
async fn numbers_beyond_double_precision_are_refused() {
    assert_refused(&[b"1e400", b"-1e999"]).await;
}

#[tokio::test]
async fn sixty_four_levels_are_accepted_and_sixty_five_are_not() {
    assert_arrives(&[(&nested(64), &nested(64))]).await;
    assert_refused(&[nested(65).as_bytes()]).await;
}

#[tokio::test]
async fn a_hundred_thousand_levels_are_refused_like_any_other_number() {
    assert_refused(&["[".repeat(100_000).as_bytes(), nested(100_000).as_bytes(), "{\"a\":".repeat(100_000).as_bytes()])
        .await;
}

/// Line breaks above all: without them, JSON fits into every framing as it is.
#[tokio::test]
async fn white_space_outside_strings_is_removed() {
    assert_arrives(&[
        (" {\r\n\t\"a\" : [ 1 , 2 ] ,\n\"b\":{ } }\n", r#"{"a":[1,2],"b":{}}"#),
        ("\n7\n", "7"),
        ("\t\"text\" ", "\"text\""),
    ])
    .await;
}

#[tokio::test]
async fn everything_else_is_kept_byte_for_byte() {
    let bodies = [
        r#""  white \t space \" in \\ strings  ""#,
        r#"{"z":1,"a":2,"":3}"#,
        "[1.0,1.50,-0,1e2,1E+2,123456789012345678901234567890,0.1000]",
        r#""\u00e4 ä \/ / \u0000 \ud83d\ude00 😀 <script>""#,
        "\"\u{2028}\u{2029}\u{7f}\u{feff}\"",
        "true",
        "null",
    ];
    assert_arrives(&bodies.map(|body| (body, body))).await;
}
