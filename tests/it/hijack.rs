//! The victim of the demo on hijacking a WebSocket: whom it talks to, and that nothing else of the server is given away.

use serde_json::Value;

use crate::harness::{
    Connection, Frame, Request, Response, TestServer, websocket::CLOSE, websocket::PING, websocket::PONG,
    websocket::RawWebSocket, websocket::TEXT,
};

const ELSEWHERE: &str = "https://elsewhere.example";
const WEBSOCKET: &str = "/demos/hijack/ws";

/// Somebody who is logged in, as a browser would be.
struct Customer {
    cookie: String,
    attributes: Vec<String>,
    account: Value,
}

impl Customer {
    async fn log_in(server: &TestServer, query: &str) -> Self {
        let response = log_in(server, query, &server.origin()).await;
        assert_eq!(response.status(), 200, "{}", response.text());
        let cookie = response.header("Set-Cookie").expect("a session is named by a cookie").to_owned();
        let mut parts = cookie.split("; ").map(str::to_owned);
        let cookie = parts.next().unwrap_or_default();
        Self { cookie, attributes: parts.collect(), account: response.json() }
    }

    /// A request for the WebSocket, as the browser sends it for a page of `origin`.
    fn websocket(&self, query: &str, origin: &str) -> Request {
        Request::websocket(&format!("{WEBSOCKET}{query}")).header("Cookie", &self.cookie).header("Origin", origin)
    }

    fn token(&self) -> &str {
        self.account["token"].as_str().expect("a page of the bank is told the token")
    }
}

async fn log_in(server: &TestServer, query: &str, origin: &str) -> Response {
    let target = format!("/demos/hijack/login{query}");
    server.request(Request::new("POST", &target).header("Origin", origin).header("Content-Length", "0")).await
}

/// The first thing that a WebSocket says.
async fn first_words(server: &TestServer, request: Request) -> Value {
    next_words(&mut RawWebSocket::open_with(server, request).await).await
}

async fn next_words(websocket: &mut RawWebSocket) -> Value {
    let frame = websocket.frame().await.expect("the bank says something");
    assert_eq!(frame.opcode, TEXT, "{frame:?}");
    serde_json::from_slice(&frame.payload).expect("it says so in JSON")
}

/// The status of a handshake that is refused.
async fn refusal(server: &TestServer, request: Request) -> u16 {
    let mut connection = Connection::open(server.address()).await;
    connection.send(&request).await;
    connection.head().await.status
}

#[tokio::test]
async fn a_login_sets_a_cookie_for_the_demo_alone_with_the_rule_that_was_asked_for() {
    let server = TestServer::spawn(&[]);

    for (rule, attribute) in [
        ("", Some("SameSite=Lax")),
        ("&same_site=lax", Some("SameSite=Lax")),
        ("&same_site=strict", Some("SameSite=Strict")),
        ("&same_site=none", Some("SameSite=None")),
        ("&same_site=none-attribute", None),
    ] {
        let customer = Customer::log_in(&server, &format!("?account=Ann%20%C3%84{rule}")).await;
        assert!(customer.cookie.starts_with("fallcast_demo_session="), "{rule}");
        assert_eq!(customer.account["account"], "Ann Ä");
        assert_eq!(customer.account["cookie"], true);
        for expected in ["Path=/demos/hijack", "HttpOnly"] {
            assert!(customer.attributes.iter().any(|given| given == expected), "{expected}: {:?}", customer.attributes);
        }
        let given = customer.attributes.iter().find(|given| given.starts_with("SameSite"));
        assert_eq!(given.map(String::as_str), attribute, "{rule}");
        let is_secure = customer.attributes.iter().any(|given| given == "Secure");
        assert_eq!(is_secure, attribute == Some("SameSite=None"), "browsers take it with `Secure` alone");
    }
}

#[tokio::test]
async fn a_login_that_makes_no_sense_is_refused() {
    let server = TestServer::spawn(&[]);
    let too_long = format!("?account={}", "x".repeat(41));

    for query in ["", "?account=", "?account=a%0Ab", &too_long, "?account=Ann&same_site=loose", "?name=Ann"] {
        let response = log_in(&server, query, &server.origin()).await;
        response.assert_problem(400);
        assert_eq!(response.header("Set-Cookie"), None, "{query}");
    }
    log_in(&server, "?account=Ann", ELSEWHERE).await.assert_problem(403);
    server.get("/demos/hijack/login?account=Ann").await.assert_problem(405);
}

#[tokio::test]
async fn the_account_is_shown_to_the_cookie_and_to_no_foreign_page() {
    let server = TestServer::spawn_with_lab(&["--allow-origin", ELSEWHERE]);
    let customer = Customer::log_in(&server, "?account=Ann").await;
    let lab = format!("http://{}", server.lab().await);
    let account = || Request::get("/demos/hijack/account");

    assert_eq!(server.request(account()).await.text(), "{\"cookie\":false}");
    for origin in [&lab, ELSEWHERE, "null"] {
        let response = server.request(account().header("Cookie", &customer.cookie).header("Origin", origin)).await;
        assert_eq!(response.status(), 200, "CORS does not keep a request from being answered");
        assert_eq!(
            (&response.json()["account"], &response.json()["token"]),
            (&"Ann".into(), &customer.account["token"])
        );
        assert_eq!(response.header("Access-Control-Allow-Origin"), None, "but {origin} may not read the answer");
        assert_eq!(response.header("Cache-Control"), Some("no-store"));
    }
    let disguised = Request::get("/demos/%68ijack/account").header("Origin", ELSEWHERE);
    let response = server.request(disguised).await;
    assert_eq!(response.status(), 200, "to the routes it is the same address");
    assert_eq!(response.header("Access-Control-Allow-Origin"), None);
    let made_up = account().header("Cookie", "fallcast_demo_session=0123");
    assert_eq!(server.request(made_up).await.text(), "{\"cookie\":false}");
}

#[tokio::test]
async fn the_event_stream_tells_the_balance_in_one_event_that_no_foreign_page_may_read() {
    let server = TestServer::spawn(&["--allow-origin", ELSEWHERE]);
    let customer = Customer::log_in(&server, "?account=Ann").await;
    let stream = || Request::get("/demos/hijack/sse").header("Origin", ELSEWHERE);

    let response = server.request(stream().header("Cookie", &customer.cookie)).await;
    assert_eq!((response.status(), response.header("Content-Type")), (200, Some("text/event-stream")));
    assert_eq!(response.header("Access-Control-Allow-Origin"), None);
    assert!(
        response.text().contains("\"account\":\"Ann\"") && response.text().ends_with("\n\n"),
        "{}",
        response.text()
    );
    assert!(!response.text().contains("token"));
    let stranger = server.request(stream()).await;
    assert_eq!(stranger.text(), "retry: 1000\ndata: {\"cookie\":false}\n\n");
}

#[tokio::test]
async fn without_a_check_any_page_that_the_cookie_comes_from_hears_the_balance() {
    let server = TestServer::spawn(&[]);
    let customer = Customer::log_in(&server, "?account=Ann").await;

    for (query, origin) in [("", ELSEWHERE), ("?check=none", "null"), ("?check=none", &server.origin())] {
        let words = first_words(&server, customer.websocket(query, origin)).await;
        assert_eq!(words["account"], "Ann");
        assert_eq!((&words["cookie"], &words["origin"]), (&true.into(), &origin.into()));
        assert!(words["balance"].as_u64() >= customer.account["balance"].as_u64(), "{words}");
        assert!(words.get("token").is_none(), "a foreign page must not learn it");
    }
}

#[tokio::test]
async fn without_a_cookie_nothing_is_told() {
    let server = TestServer::spawn(&[]);

    let words = first_words(&server, Request::websocket(WEBSOCKET)).await;

    assert_eq!(words, serde_json::json!({ "cookie": false, "origin": null }));
}

#[tokio::test]
async fn the_check_of_the_origin_lets_in_the_page_of_the_same_host_and_port_alone() {
    let server = TestServer::spawn_with_lab(&["--allow-origin", ELSEWHERE]);
    let customer = Customer::log_in(&server, "?account=Ann").await;
    let lab = format!("http://{}", server.lab().await);
    let other_name = format!("http://localhost:{}", server.address().port());

    for origin in [ELSEWHERE, "null", &lab, &other_name] {
        assert_eq!(refusal(&server, customer.websocket("?check=origin", origin)).await, 403, "{origin}");
    }
    let words = first_words(&server, customer.websocket("?check=origin", &server.origin())).await;
    assert_eq!(words["account"], "Ann");
}

#[tokio::test]
async fn the_check_of_the_token_lets_in_whoever_knows_that_of_the_session() {
    let server = TestServer::spawn(&[]);
    let (customer, other) =
        (Customer::log_in(&server, "?account=Ann").await, Customer::log_in(&server, "?account=Ben").await);

    for token in [String::new(), "&token=".to_owned(), format!("&token={}", other.token())] {
        let request = customer.websocket(&format!("?check=token{token}"), ELSEWHERE);
        assert_eq!(refusal(&server, request).await, 403, "{token}");
    }
    assert_eq!(refusal(&server, Request::websocket(&format!("{WEBSOCKET}?check=token"))).await, 403, "no session");
    let query = format!("?check=token&token={}", customer.token());
    assert_eq!(first_words(&server, customer.websocket(&query, &server.origin())).await["account"], "Ann");
}

#[tokio::test]
async fn the_bank_goes_on_talking_answers_pings_and_lets_go() {
    let server = TestServer::spawn(&[]);
    let customer = Customer::log_in(&server, "?account=Ann").await;
    let mut websocket = RawWebSocket::open_with(&server, customer.websocket("", ELSEWHERE)).await;

    let first = next_words(&mut websocket).await;
    let second = next_words(&mut websocket).await;
    assert!(second["balance"].as_u64() > first["balance"].as_u64(), "{second} after {first}");

    websocket.send(&Frame::new(PING, "?")).await;
    let pong = loop {
        let frame = websocket.frame().await.expect("a ping is answered");
        if frame.opcode != TEXT {
            break frame;
        }
    };
    assert_eq!((pong.opcode, pong.payload.as_slice()), (PONG, b"?".as_slice()));

    websocket.send(&Frame::new(CLOSE, 1000_u16.to_be_bytes())).await;
    assert_eq!(websocket.close_code().await, 1000);
}

#[tokio::test]
async fn what_is_no_handshake_gets_426_and_what_is_no_check_400() {
    let server = TestServer::spawn(&[]);

    server.get(WEBSOCKET).await.assert_problem(426);
    assert_eq!(refusal(&server, Request::websocket(&format!("{WEBSOCKET}?check=nothing"))).await, 400);
}

/// The demo is no way around the rules of the server that it runs on.
#[tokio::test]
async fn elsewhere_the_server_keeps_its_rules() {
    let server = TestServer::spawn(&[]);
    let customer = Customer::log_in(&server, "?account=Ann").await;
    let from_elsewhere =
        |target: &str| Request::websocket(target).header("Cookie", &customer.cookie).header("Origin", ELSEWHERE);

    assert_eq!(refusal(&server, from_elsewhere("/channels/room/ws")).await, 403);
    for target in [WEBSOCKET, "/demos/hijack/account", "/demos/race/", "/demos/vitals"] {
        let rebound = Request::websocket(target).header("Host", "elsewhere.example");
        assert_eq!(refusal(&server, rebound).await, 421, "{target} by a name that was made to point here");
    }
}
