//! Who the server takes a client of the lab for: whoever it is, and not the lab, to which everything would be allowed.

use std::net::SocketAddr;

use crate::{
    harness::{Connection, Request, Response, TestServer, secret_of},
    operators::server_in_the_network,
};

/// A server with a lab on all interfaces, and where a neighbor in the network finds the server and the lab. `None` on a
/// machine without a network.
pub async fn lab_in_the_network(arguments: &[&str]) -> Option<(TestServer, SocketAddr, SocketAddr)> {
    let (server, address) = server_in_the_network(&[&["--lab-port", "auto"], arguments].concat())?;
    let lab = SocketAddr::new(address.ip(), server.lab().await.port());
    Some((server, address, lab))
}

/// Sends one request on a connection of its own.
pub async fn ask(address: SocketAddr, request: Request) -> Response {
    Connection::open(address).await.request(&request).await
}

#[tokio::test]
async fn who_comes_over_the_network_is_no_operator_through_the_lab_either() {
    let Some((_server, _, lab)) = lab_in_the_network(&[]).await else { return };

    for target in ["/metrics", "/channels", "/lab/links"] {
        ask(lab, Request::get(target)).await.assert_problem(403);
        let disguised = Request::get(target).header("Host", "localhost").header("X-Forwarded-For", "127.0.0.1");
        ask(lab, disguised).await.assert_problem(403);
    }
}

#[tokio::test]
async fn who_comes_from_this_machine_is_an_operator_through_the_lab_too() {
    let server = TestServer::spawn_with_lab(&[]);

    for target in ["/metrics", "/channels", "/lab/links"] {
        assert_eq!(ask(server.lab().await, Request::get(target)).await.status(), 200, "{target}");
    }
}

#[tokio::test]
async fn connections_are_counted_for_the_address_that_they_come_from() {
    let Some((server, address, lab)) = lab_in_the_network(&["--max-connections-per-address", "3"]).await else {
        return;
    };
    let mut readers = Vec::new();
    for door in [address, lab, lab] {
        let mut reader = Connection::open(door).await;
        reader.send(&Request::get("/channels/room/stream")).await;
        assert_eq!(reader.head().await.status, 200);
        readers.push(reader);
    }

    for door in [address, lab] {
        ask(door, Request::get("/channels/room/presence")).await.assert_problem(429);
    }
    for door in [server.address(), server.lab().await] {
        assert_eq!(ask(door, Request::get("/channels/room/presence")).await.status(), 200, "another address");
    }
}

#[tokio::test]
async fn publications_are_counted_for_the_address_that_they_come_from() {
    let Some((server, _, lab)) = lab_in_the_network(&["--publish-rate", "1"]).await else { return };
    let publish = |door| ask(door, Request::post("/channels/room", "x"));

    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.push(publish(lab).await.status());
    }

    assert!(statuses.contains(&429), "{statuses:?}");
    publish(server.lab().await).await.published_id();
}

/// The tutorials' chats show a client without a name by its port: its own, of which it knows, not one of the lab's.
#[tokio::test]
async fn a_nameless_websocket_is_shown_by_its_own_port() {
    let server = TestServer::spawn_with_lab(&[]);
    let mut connection = Connection::open(server.lab().await).await;
    let port = connection.local_port().to_string();

    connection.send(&Request::websocket(&format!("/channels/room/ws?client={}", secret_of("ann")))).await;
    assert_eq!(connection.head().await.status, 101);

    let present = server.get("/channels/room/presence").await.json();
    assert_eq!(present["members"][0]["as"], port.as_str(), "{present}");
}

#[tokio::test]
async fn foreign_pages_get_no_further_through_the_lab() {
    let server = TestServer::spawn_with_lab(&[]);
    let lab = server.lab().await;
    let from = |origin: &str| ask(lab, Request::post("/channels/room", "x").header("Origin", origin));

    for origin in ["null", "https://elsewhere.example"] {
        from(origin).await.assert_problem(403);
    }
    for origin in [server.origin(), format!("http://{lab}")] {
        from(&origin).await.published_id();
    }
}

#[tokio::test]
async fn a_page_of_the_server_may_read_through_the_lab() {
    let server = TestServer::spawn_with_lab(&[]);

    let request = Request::get("/channels/room/poll").header("Origin", &server.origin());
    let polled = ask(server.lab().await, request).await;

    assert_eq!(polled.status(), 200);
    assert_eq!(polled.header("Access-Control-Allow-Origin"), Some(server.origin().as_str()));
}

/// Nobody but the lab may come in where the lab does: from there, anybody on this machine could claim to be anybody.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_is_not_the_lab_is_refused_at_the_labs_own_door() {
    let server = TestServer::spawn_with_lab(&[]);
    let known = [server.address().port(), server.lab().await.port()];
    let inner: Vec<u16> = server.listening_ports().into_iter().filter(|port| !known.contains(port)).collect();
    assert_eq!(inner.len(), 1, "one door that nobody is told of: {inner:?}");
    let door = SocketAddr::new(server.address().ip(), inner[0]);

    for target in ["/", "/healthz", "/channels", "/channels/room/sse", "/channels/room/poll", "/client/fallcast.js"] {
        ask(door, Request::get(target)).await.assert_problem(403);
    }
    ask(door, Request::post("/channels/room", "x")).await.assert_problem(403);
    ask(door, Request::websocket("/channels/room/ws")).await.assert_problem(403);
    let published = server.get("/channels/room/poll?after=start").await.json();
    assert_eq!(published["events"].as_array().map(Vec::len), Some(1), "only hello: {published}");
}
