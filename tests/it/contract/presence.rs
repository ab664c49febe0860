//! Who is here: told to those who ask, and undisturbed by hops and reconnects.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::{
    Event, Presence, Reader, Request, Subscription, TestServer, Transport, secret_of, websocket::RawWebSocket,
    within_guard,
};

crate::on_transports! {
    a_newcomer_learns_who_is_here_after_hello on [websocket, sse, sse_raw, poll, stream];
    joins_and_leaves_are_told on [websocket, sse, sse_raw, poll, stream];
    a_member_that_hops_between_transports_does_not_flap on [websocket, sse, sse_raw, poll, stream];
    a_member_is_here_on_every_transport on [websocket, websocket_raw, sse, sse_raw, poll, stream];
    a_beacon_ends_a_membership_at_once on [websocket, websocket_raw, sse, sse_raw, poll, stream];
    who_does_not_ask_is_not_told on [websocket, sse, sse_raw, poll, stream];
    every_change_is_told_before_another_one_comes on [websocket, sse, sse_raw, poll, stream];
}

/// Longer than any hop takes, even on a machine that is busy with other things.
const LONG_GRACE: [&str; 2] = ["--presence-grace", "10m"];

/// A subscription that announces its subscriber.
fn member(name: &str) -> Subscription {
    Subscription::to("room").client(&secret_of(name)).named(name)
}

/// Someone who watches presence and keeps the list of who is here, as a user of the channel would.
struct Watcher {
    reader: Reader,
    here: BTreeSet<String>,
}

impl Watcher {
    async fn open(server: &TestServer, transport: Transport) -> Self {
        let reader = Reader::open(server, transport, &member("watcher").with_presence()).await;
        let mut watcher = Self { reader, here: BTreeSet::new() };
        assert_eq!(watcher.observe().await.action, "here", "every hello is followed by a full list");
        watcher
    }

    /// Reads one presence event and brings the list up to date.
    async fn observe(&mut self) -> Presence {
        let presence = self.reader.presence().await;
        self.apply(&presence);
        presence
    }

    fn apply(&mut self, presence: &Presence) {
        match presence.action.as_str() {
            "here" => {
                let members = presence.members.iter().flatten();
                self.here = members.map(|member| member.name.clone()).collect();
            }
            "join" => {
                let name = presence.name.clone().expect("a join names the member");
                assert!(self.here.insert(name), "{presence:?} tells of someone who is here already");
            }
            "leave" => {
                let name = presence.name.as_deref().expect("a leave names the member");
                assert!(self.here.remove(name), "{presence:?} tells of someone who is not here");
            }
            _ => panic!("unknown action in {presence:?}"),
        }
        assert_eq!(presence.count, self.here.len() as u64, "{presence:?}");
    }

    /// Reads on for so many of the server's heartbeats, which are the clock here, and sees nobody come or go.
    async fn sees_nothing_for(&mut self, heartbeats: usize) {
        let mut seen = 0;
        while seen < heartbeats {
            match self.reader.next().await.expect("the subscription goes on") {
                Event::Heartbeat(_) => seen += 1,
                other => panic!("somebody flaps: {other:?}"),
            }
        }
    }

    /// Reads on until exactly these members are here, and returns every list that there was on the way.
    async fn sees(&mut self, names: &[&str]) -> Vec<BTreeSet<String>> {
        let expected: BTreeSet<_> = names.iter().copied().map(str::to_owned).collect();
        let mut lists = vec![self.here.clone()];
        within_guard("the right members", async {
            while self.here != expected {
                self.observe().await;
                lists.push(self.here.clone());
            }
        })
        .await;
        lists
    }
}

async fn a_newcomer_learns_who_is_here_after_hello(transport: Transport) {
    let server = TestServer::spawn(&LONG_GRACE);
    let _ann = Reader::open(&server, Transport::Stream, &member("ann")).await;
    let _bob = Reader::open(&server, Transport::WebSocket, &member("bob")).await;

    let watcher = Watcher::open(&server, transport).await;

    assert_eq!(Vec::from_iter(watcher.here), ["ann", "bob", "watcher"]);
}

async fn joins_and_leaves_are_told(transport: Transport) {
    let server = TestServer::spawn(&["--presence-grace", "300ms", "--poll-hold", "10m"]);
    let mut watcher = Watcher::open(&server, transport).await;

    let ann = Reader::open(&server, Transport::Sse, &member("ann")).await;
    watcher.sees(&["ann", "watcher"]).await;
    drop(ann);
    if transport == Transport::Poll {
        // This watcher's own grace is over while it does nothing; its next poll brings it back.
        return assert_leaves_in_the_end(&mut watcher).await;
    }
    watcher.sees(&["watcher"]).await;
}

async fn assert_leaves_in_the_end(watcher: &mut Watcher) {
    within_guard("the leave", async {
        while watcher.here.contains("ann") {
            watcher.observe().await;
        }
    })
    .await;
}

/// A hop is a connection that breaks and another one that begins: the watcher sees one join and nothing else.
async fn a_member_that_hops_between_transports_does_not_flap(transport: Transport) {
    let server = TestServer::spawn(&LONG_GRACE);
    let mut watcher = Watcher::open(&server, transport).await;
    let mut random = fastrand::Rng::with_seed(5);

    for _ in 0..20 {
        let hop = Transport::WITH_CURSOR[random.usize(..Transport::WITH_CURSOR.len())];
        drop(Reader::open(&server, hop, &member("ann")).await);
    }
    watcher.sees(&["ann", "watcher"]).await;
    let _marker = Reader::open(&server, Transport::Sse, &member("marker")).await;

    let lists = watcher.sees(&["ann", "marker", "watcher"]).await;
    assert!(lists.iter().all(|here| here.contains("ann")), "{lists:?}");
}

async fn a_member_is_here_on_every_transport(transport: Transport) {
    let server = TestServer::spawn(&LONG_GRACE);
    let mut watcher = Watcher::open(&server, Transport::Stream).await;

    let _ann = Reader::open(&server, transport, &member("ann")).await;

    let join = watcher.observe().await;
    assert_eq!((join.action.as_str(), join.name.as_deref()), ("join", Some("ann")));
    let name = match transport {
        Transport::WebSocket | Transport::WebSocketRaw => "websocket",
        Transport::Sse | Transport::SseRaw => "sse",
        Transport::Poll => "long-poll",
        Transport::Stream => "stream",
    };
    assert_eq!(join.transport.as_deref(), Some(name));
}

async fn a_beacon_ends_a_membership_at_once(transport: Transport) {
    let server = TestServer::spawn(&LONG_GRACE);
    let mut watcher = Watcher::open(&server, Transport::Stream).await;
    let ann = Reader::open(&server, transport, &member("ann")).await;
    watcher.sees(&["ann", "watcher"]).await;

    drop(ann);
    let beacon = Request::post(&format!("/channels/room/leave?client={}", secret_of("ann")), "");
    let response = server.request(beacon).await;

    assert_eq!(response.status(), 204, "{}", response.text());
    watcher.sees(&["watcher"]).await;
}

/// A wake-up that gets lost shows only when nothing follows. So nothing does, until the watcher has seen the change; and
/// the change comes while the watcher is between two waits.
async fn every_change_is_told_before_another_one_comes(transport: Transport) {
    let server = TestServer::spawn(&["--presence-grace", "10m", "--heartbeat", "10m", "--poll-hold", "10m"]);
    let mut watcher = Watcher::open(&server, transport).await;
    let ann = member("ann");

    for _ in 0..100 {
        let (_ann, _) = tokio::join!(Reader::open(&server, Transport::Stream, &ann), watcher.sees(&["ann", "watcher"]));
        let beacon = Request::post(&format!("/channels/room/leave?client={}", secret_of("ann")), "");
        tokio::join!(server.request(beacon), watcher.sees(&["watcher"]));
    }
}

async fn who_does_not_ask_is_not_told(transport: Transport) {
    let server = TestServer::spawn(&LONG_GRACE);
    let mut reader = Reader::open(&server, transport, &Subscription::to("room")).await;

    let _ann = Reader::open(&server, Transport::Sse, &member("ann")).await;
    server.request(Request::post("/channels/room", "a message")).await.published_id();

    assert_eq!(reader.texts(1).await, ["a message"]);
}

#[tokio::test]
async fn a_clean_close_of_a_websocket_ends_the_membership_at_once() {
    let server = TestServer::spawn(&LONG_GRACE);
    let mut watcher = Watcher::open(&server, Transport::Sse).await;

    for code in [1000, 1001] {
        let ann = Reader::open(&server, Transport::WebSocket, &member("ann")).await;
        watcher.sees(&["ann", "watcher"]).await;
        ann.leave(code).await;
        watcher.sees(&["watcher"]).await;
    }
}

#[tokio::test]
async fn a_clean_close_of_one_of_two_subscriptions_ends_no_membership() {
    let server = TestServer::spawn(&LONG_GRACE);
    let mut watcher = Watcher::open(&server, Transport::Sse).await;
    let by_websocket = Reader::open(&server, Transport::WebSocket, &member("ann")).await;
    let _by_stream = Reader::open(&server, Transport::Stream, &member("ann")).await;

    by_websocket.leave(1000).await;
    let _marker = Reader::open(&server, Transport::Sse, &member("marker")).await;

    let lists = watcher.sees(&["ann", "marker", "watcher"]).await;
    assert!(lists.iter().filter(|here| here.contains("ann")).count() >= lists.len() - 1, "{lists:?}");
}

/// The hop overlaps, so no grace is needed for it; the member stays although the grace runs out several times.
#[tokio::test]
async fn a_member_that_is_connected_stays_when_the_grace_of_its_former_connection_is_over() {
    let server = TestServer::spawn(&["--presence-grace", "500ms", "--heartbeat", "100ms"]);
    let mut watcher = Watcher::open(&server, Transport::Stream).await;
    let by_websocket = Reader::open(&server, Transport::WebSocket, &member("ann")).await;
    watcher.sees(&["ann", "watcher"]).await;
    let _by_sse = Reader::open(&server, Transport::Sse, &member("ann")).await;
    drop(by_websocket);

    watcher.sees_nothing_for(20).await;
}

#[tokio::test]
async fn presence_can_be_asked_for_by_a_plain_request() {
    let server = TestServer::spawn(&LONG_GRACE);
    let _ann = Reader::open(&server, Transport::Sse, &member("ann")).await;

    let response = server.get("/channels/room/presence").await;

    assert_eq!(response.header("Content-Type"), Some("application/json"));
    let presence = response.json();
    assert_eq!(presence["count"], 1, "{presence}");
    assert_eq!(presence["members"][0]["as"], "ann", "{presence}");
    assert_eq!(presence["members"][0]["transport"], "sse", "{presence}");
}

#[tokio::test]
async fn two_members_of_one_name_are_two_members() {
    let server = TestServer::spawn(&LONG_GRACE);
    let ann = |number| Subscription::to("room").client(&secret_of(number)).named("ann");
    let _first = Reader::open(&server, Transport::Sse, &ann("first")).await;
    let _second = Reader::open(&server, Transport::Stream, &ann("second")).await;

    assert_eq!(server.get("/channels/room/presence").await.json()["count"], 2);
}

#[tokio::test]
async fn a_member_goes_by_the_public_name_that_its_own_hello_told_it() {
    let server = TestServer::spawn(&LONG_GRACE);
    let mut watcher = Watcher::open(&server, Transport::WebSocket).await;

    let ann = Reader::open(&server, Transport::Sse, &member("ann")).await.hello.expect("SSE begins with hello");

    assert_eq!(watcher.observe().await.member, Some(ann.member.clone()));
    let mut late = Reader::open(&server, Transport::Stream, &member("late").with_presence()).await;
    let here = late.presence().await.members.expect("the list follows hello");
    assert!(here.iter().any(|member| member.member == ann.member && member.name == "ann"), "{here:?}");
}

/// A page that is reloaded says goodbye by a beacon, and comes back before the server has noticed the end of its old
/// connection.
#[tokio::test]
async fn a_connection_that_outlives_its_beacon_does_not_take_the_next_one_with_it() {
    let server = TestServer::spawn(&["--presence-grace", "500ms", "--heartbeat", "100ms"]);
    let mut watcher = Watcher::open(&server, Transport::Stream).await;
    let old = Reader::open(&server, Transport::Sse, &member("ann")).await;
    watcher.sees(&["ann", "watcher"]).await;
    server.request(Request::post(&format!("/channels/room/leave?client={}", secret_of("ann")), "")).await;
    watcher.sees(&["watcher"]).await;
    let _new = Reader::open(&server, Transport::Sse, &member("ann")).await;
    watcher.sees(&["ann", "watcher"]).await;

    drop(old);

    watcher.sees_nothing_for(20).await;
}

/// Whoever knew the secret name could publish, and leave, in the member's place.
#[tokio::test]
async fn the_secret_name_of_a_member_is_told_to_nobody_else() {
    let server = TestServer::spawn(&LONG_GRACE);
    let ann = Reader::open(&server, Transport::Sse, &member("ann")).await;
    let public = ann.hello.as_ref().expect("SSE begins with hello").member.clone();

    let mut watcher = Reader::open(&server, Transport::Stream, &member("watcher").with_presence()).await;
    let here = watcher.receive().await.expect("the list follows hello").wire;
    let listed = server.get("/channels/room/presence").await;

    for told in [here.as_str(), listed.text()] {
        assert!(told.contains(&public), "{told}");
        assert!(!told.contains(&secret_of("ann")), "{told}");
    }
}

#[tokio::test]
async fn a_nameless_websocket_client_is_shown_by_its_remote_port() {
    let server = TestServer::spawn(&LONG_GRACE);

    let nameless = RawWebSocket::open(&server, "/channels/room/ws?format=json&presence=1").await;

    let presence = server.get("/channels/room/presence").await.json();
    assert_eq!(presence["members"][0]["as"], Value::String(nameless.local_port().to_string()), "{presence}");
}
