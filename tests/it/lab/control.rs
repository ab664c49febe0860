//! Control: how links are set, shown and healed, and by whom.

use serde_json::{Value, json};

use crate::harness::{Connection, Request, Response, TestServer, within_guard};

use super::peers::{ask, lab_in_the_network};

/// Sets the faults of a link.
fn put(link: &str, faults: &Value) -> Request {
    Request::put(&format!("/lab/links/{link}"), faults.to_string())
}

fn slow() -> Value {
    json!({ "latency_ms": 100, "seed": 7 })
}

fn bearing(request: Request, secret: &str) -> Request {
    request.header("Authorization", &format!("Bearer {secret}"))
}

/// The secret of a link that was created.
#[track_caller]
fn secret_in(response: &Response) -> String {
    assert_eq!(response.status(), 201, "{}", response.text());
    response.json()["secret"].as_str().expect("who creates a link is told its secret").to_owned()
}

#[tokio::test]
async fn who_creates_a_link_is_told_its_secret_and_nobody_else_is() {
    let server = TestServer::spawn_with_lab(&[]);

    let created = server.request(put("a", &slow())).await;
    let secret = secret_in(&created);

    assert_eq!(created.header("Cache-Control"), Some("no-store"));
    assert_eq!((&created.json()["link"], &created.json()["faults"]), (&json!("a"), &slow()));
    let changed = server.request(bearing(put("a", &json!({})), &secret)).await;
    assert_eq!(changed.status(), 200);
    for answer in [changed, server.get("/lab/links/a").await, server.get("/lab/links").await] {
        assert!(!answer.text().contains(&secret), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_link_is_shown_with_its_faults_and_its_exchanges() {
    let server = TestServer::spawn_with_lab(&[]);
    secret_in(&server.request(put("a", &slow())).await);
    let expected = json!({ "link": "a", "faults": slow(), "exchanges": 0, "total": 0, "traffic": {} });

    assert_eq!(server.get("/lab/links/a").await.json(), expected);
    assert_eq!(server.get("/lab/links").await.json(), json!({ "links": [expected] }));
}

#[tokio::test]
async fn new_faults_replace_the_old_ones() {
    let server = TestServer::spawn_with_lab(&[]);
    server.request(put("a", &slow())).await;

    server.request(put("a", &json!({ "bandwidth": 1000, "seed": 8 }))).await;

    assert_eq!(server.get("/lab/links/a").await.json()["faults"], json!({ "bandwidth": 1000, "seed": 8 }));
}

#[tokio::test]
async fn a_link_without_a_seed_is_given_one_and_shows_it() {
    let server = TestServer::spawn_with_lab(&[]);

    let created = server.request(put("a", &json!({}))).await.json();

    assert!(created["faults"]["seed"].is_u64(), "{created}");
    assert_eq!(server.get("/lab/links/a").await.json()["faults"], created["faults"]);
}

#[tokio::test]
async fn a_link_that_is_healed_is_nobodys_again() {
    let server = TestServer::spawn_with_lab(&[]);
    let secret = secret_in(&server.request(put("a", &slow())).await);

    let healed = server.request(Request::new("DELETE", "/lab/links/a")).await;

    assert_eq!(healed.status(), 204);
    server.get("/lab/links/a").await.assert_problem(404);
    server.request(Request::new("DELETE", "/lab/links/a")).await.assert_problem(404);
    assert_ne!(secret_in(&server.request(put("a", &slow())).await), secret);
}

/// Thirty students, each with a link of their own, in one network.
#[tokio::test]
async fn only_its_secret_changes_a_link_over_the_network() {
    let Some((_server, address, lab)) = lab_in_the_network(&[]).await else { return };
    let secret = secret_in(&ask(lab, put("a", &slow())).await);
    let heal = || Request::new("DELETE", "/lab/links/a");
    let faults = json!({ "seed": 8 });

    for door in [address, lab] {
        for refused in
            [put("a", &faults), bearing(put("a", &faults), "guessed"), put("a?secret=guessed", &faults), heal()]
        {
            let problem = ask(door, refused).await.assert_problem(403);
            assert_eq!(problem["type"], "urn:fallcast:problem:not-your-link");
        }
        assert_eq!(ask(door, Request::get("/lab/links/a")).await.json()["faults"], slow(), "nothing has changed");
        for allowed in [bearing(put("a", &slow()), &secret), put(&format!("a?secret={secret}"), &slow())] {
            assert_eq!(ask(door, allowed).await.status(), 200);
        }
    }
    assert_eq!(ask(lab, bearing(heal(), &secret)).await.status(), 204);
}

#[tokio::test]
async fn an_operator_changes_any_link_without_a_secret() {
    let Some((server, _, lab)) = lab_in_the_network(&[]).await else { return };
    secret_in(&ask(lab, put("a", &slow())).await);

    for door in [server.address(), server.lab().await] {
        assert_eq!(ask(door, put("a", &json!({}))).await.status(), 200);
    }
    assert_eq!(server.request(Request::new("DELETE", "/lab/links/a")).await.status(), 204);
}

#[tokio::test]
async fn two_secrets_that_differ_are_refused() {
    let server = TestServer::spawn_with_lab(&[]);
    let secret = secret_in(&server.request(put("a", &slow())).await);

    let same = bearing(put(&format!("a?secret={secret}"), &slow()), &secret);
    assert_eq!(server.request(same).await.status(), 200);
    server.request(bearing(put("a?secret=other", &slow()), &secret)).await.assert_problem(400);
    server.request(put("a", &slow()).header("Authorization", "Basic YTpi")).await.assert_problem(400);
}

#[tokio::test]
async fn what_is_no_set_of_faults_is_refused_with_the_name_of_the_field() {
    let server = TestServer::spawn_with_lab(&[]);

    for (body, named) in [
        (r#"{"latncy_ms":1}"#, "latncy_ms"),
        (r#"{"latency_ms":"long"}"#, "latency_ms"),
        (r#"{"duplicate":2}"#, "duplicate"),
        (r#"{"cut":{"after_byte":1}}"#, "cut"),
        (r#"{"preset":"moon"}"#, "preset"),
        ("latency_ms=1", "JSON"),
        ("", "JSON"),
    ] {
        let problem = server.request(Request::put("/lab/links/a", body)).await.assert_problem(400);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(named)), "{body}: {problem}");
    }
    server.get("/lab/links/a").await.assert_problem(404);
}

#[tokio::test]
async fn what_is_no_name_and_no_parameter_is_refused() {
    let server = TestServer::spawn_with_lab(&[]);

    for link in ["a.b", "a%20b", &"x".repeat(61)] {
        server.request(put(link, &slow())).await.assert_problem(400);
        server.get(&format!("/lab/links/{link}")).await.assert_problem(400);
    }
    for target in ["/lab?x=1", "/lab/links?x=1", "/lab/links/a?x=1"] {
        server.get(target).await.assert_problem(400);
    }
    server.request(put("a?x=1", &slow())).await.assert_problem(400);
}

#[tokio::test]
async fn a_set_of_faults_is_bounded_in_size_and_time() {
    let server = TestServer::spawn_with_lab(&["--request-timeout", "500ms"]);

    server.request(Request::put("/lab/links/a", " ".repeat(64 * 1024 + 1))).await.assert_problem(413);
    let mut connection = Connection::open(server.address()).await;
    connection.write(b"PUT /lab/links/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{").await;
    assert_eq!(connection.head().await.status, 408);
}

#[tokio::test]
async fn a_link_that_was_used_lately_does_not_give_way() {
    let server = TestServer::spawn_with_lab(&["--max-links", "2"]);
    for link in ["a", "b"] {
        secret_in(&server.request(put(link, &slow())).await);
    }

    server.request(put("c", &slow())).await.assert_problem(503);

    for link in ["a", "b"] {
        assert_eq!(server.get(&format!("/lab/links/{link}")).await.status(), 200, "{link}");
    }
}

#[tokio::test]
async fn a_link_that_is_in_use_does_not_give_way() {
    let server = TestServer::spawn_with_lab(&["--max-links", "1"]);
    secret_in(&server.request(put("a", &json!({}))).await);
    let mut reader = Connection::open(server.lab().await).await;
    reader.send(&Request::get("/channels/room/stream?link=a")).await;
    assert_eq!(reader.head().await.status, 200);

    let refused = server.request(put("b", &slow())).await;

    refused.assert_problem(503);
    assert!(refused.header("Retry-After").is_some(), "{:?}", refused.head);
    let view = server.get("/lab/links/a").await.json();
    assert_eq!((&view["exchanges"], &view["total"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn a_link_that_nobody_uses_is_forgotten() {
    let server = TestServer::spawn_with_lab(&["--link-expiry", "100ms"]);
    let created = server.request(put("a", &slow())).await;
    secret_in(&created);

    within_guard("the end of the link", async {
        while server.get("/lab/links/a").await.status() != 404 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn pages_find_the_lab_and_what_it_imitates() {
    let server = TestServer::spawn_with_lab(&[]);

    let lab = server.get("/lab").await.json();

    assert_eq!(lab["port"], server.lab().await.port(), "{lab}");
    let presets = lab["presets"].as_array().expect("a list of presets");
    assert!(!presets.is_empty());
    for preset in presets {
        for field in ["name", "imitates", "source"] {
            assert!(preset[field].is_string(), "{preset}");
        }
        let name = preset["name"].as_str().unwrap_or_default();
        let created = server.request(put(name, &json!({ "preset": name, "seed": 7 }))).await;
        secret_in(&created);
        let mut faults = preset["faults"].clone();
        faults["seed"] = json!(7);
        assert_eq!(created.json()["faults"], faults, "a preset is what it says");
    }
}

#[tokio::test]
async fn a_server_without_a_lab_says_so() {
    let server = TestServer::spawn(&["--lab-port", "0"]);

    assert_eq!(server.get("/lab").await.json()["port"], Value::Null);
    server.get("/lab/links").await.assert_problem(404);
    server.get("/lab/links/a").await.assert_problem(404);
    server.request(Request::new("DELETE", "/lab/links/a")).await.assert_problem(404);
    let problem = server.request(put("a", &slow())).await.assert_problem(404);
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("--lab-port")), "{problem}");
}

#[tokio::test]
async fn a_foreign_page_changes_nothing() {
    let server = TestServer::spawn_with_lab(&[]);
    secret_in(&server.request(put("a", &slow())).await);

    for origin in ["null", "https://elsewhere.example"] {
        for link in ["a", "b"] {
            let request = put(link, &json!({})).header("Origin", origin);
            server.request(request).await.assert_problem(403);
        }
        let request = Request::new("DELETE", "/lab/links/a").header("Origin", origin);
        server.request(request).await.assert_problem(403);
    }

    assert_eq!(server.get("/lab/links/a").await.json()["faults"], slow());
    server.get("/lab/links/b").await.assert_problem(404);
}

/// A page of the server changes links over whichever port it likes: its browser asks before each PUT and DELETE.
#[tokio::test]
async fn a_page_of_the_servers_other_port_may_change_links() {
    let server = TestServer::spawn_with_lab(&[]);
    let lab = server.lab().await;
    let pages = [(format!("http://{lab}"), server.address()), (server.origin(), lab)];

    for (origin, door) in pages {
        let preflight = Request::new("OPTIONS", "/lab/links/a")
            .header("Origin", &origin)
            .header("Access-Control-Request-Method", "PUT")
            .header("Access-Control-Request-Headers", "authorization,content-type");
        let allowed = ask(door, preflight).await;
        assert_eq!(allowed.status(), 204);
        assert_eq!(allowed.header("Access-Control-Allow-Origin"), Some(origin.as_str()));
        for method in ["PUT", "DELETE"] {
            assert!(allowed.head.lists("Access-Control-Allow-Methods", method), "{:?}", allowed.head);
        }
        for header in ["Authorization", "Content-Type"] {
            assert!(allowed.head.lists("Access-Control-Allow-Headers", header), "{:?}", allowed.head);
        }
        let changed = ask(door, put("a", &slow()).header("Origin", &origin)).await;
        assert!(matches!(changed.status(), 200 | 201), "{}", changed.text());
        assert_eq!(changed.header("Access-Control-Allow-Origin"), Some(origin.as_str()));
    }
}

#[tokio::test]
async fn a_foreign_page_is_not_told_that_it_may_change_links() {
    let server = TestServer::spawn_with_lab(&[]);

    let preflight = Request::new("OPTIONS", "/lab/links/a")
        .header("Origin", "https://elsewhere.example")
        .header("Access-Control-Request-Method", "PUT");

    assert_eq!(server.request(preflight).await.header("Access-Control-Allow-Origin"), None);
}

#[tokio::test]
async fn the_addresses_of_the_lab_name_the_methods_that_they_take() {
    let server = TestServer::spawn_with_lab(&[]);
    secret_in(&server.request(put("a", &slow())).await);

    for target in ["/lab", "/lab/links", "/lab/links/a"] {
        assert_eq!(server.request(Request::new("HEAD", target)).await.status(), 200, "{target}");
        let refused = server.request(Request::post(target, "{}")).await;
        refused.assert_problem(405);
        let takes_changes = refused.head.lists("Allow", "PUT") && refused.head.lists("Allow", "DELETE");
        assert_eq!(takes_changes, target == "/lab/links/a", "{:?}", refused.head);
    }
}
