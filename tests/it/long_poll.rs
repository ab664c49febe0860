//! Long-polling: what ends a wait, what an answer holds, and where it says to go on.

use serde_json::Value;

use crate::harness::{
    Connection, Reader, Request, Response, Subscription, TestServer, Transport, event::offset_of,
    publisher::PostPublisher, secret_of, within_guard,
};

/// A poll's hold that no test outlives: whoever waits for its end has been forgotten by the server.
const ENDLESS_HOLD: [&str; 2] = ["--poll-hold", "10m"];

fn events(response: &Response) -> Vec<Value> {
    assert_eq!(response.status(), 200, "{}", response.text());
    response.json()["events"].as_array().expect("events are an array").clone()
}

#[tokio::test]
async fn a_poll_without_a_cursor_answers_at_once_with_hello_and_what_there_is() {
    let server = TestServer::spawn(&ENDLESS_HOLD);
    let ids = PostPublisher::open(&server, "room").await.numbers(1..=3).await;

    for (target, messages) in [("poll", 0), ("poll?after=end", 0), ("poll?after=start", 3), ("poll?wait=60", 0)] {
        let response = server.get(&format!("/channels/room/{target}")).await;
        let events = events(&response);
        assert_eq!(events.len(), 1 + messages, "{target}");
        assert_eq!(events[0]["hello"]["transport"], "long-poll");
        assert_eq!(response.json()["cursor"], ids[2]);
    }
}

/// `hello` of an empty channel brings a cursor as well, so nothing falls between the first poll and the second.
#[tokio::test]
async fn the_first_poll_of_a_new_channel_brings_a_cursor() {
    let server = TestServer::spawn(&ENDLESS_HOLD);

    let first = server.get("/channels/room/poll").await.json();
    let cursor = first["cursor"].as_str().expect("a cursor").to_owned();
    PostPublisher::open(&server, "room").await.numbers([1]).await;

    let second = server.get(&format!("/channels/room/poll?after={cursor}")).await;
    assert_eq!(events(&second)[0]["message"]["data"], "1");
}

#[tokio::test]
async fn a_poll_at_the_head_waits_for_the_next_message() {
    let server = TestServer::spawn(&ENDLESS_HOLD);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let id = publisher.numbers([1]).await.remove(0);

    let target = format!("/channels/room/poll?after={id}");
    let (response, _) = tokio::join!(server.get(&target), publisher.numbers([2]));

    assert_eq!(events(&response)[0]["message"]["data"], "2");
}

#[tokio::test]
async fn a_wait_that_is_over_is_answered_with_no_events_and_the_cursor() {
    let server = TestServer::spawn(&[]);
    let id = PostPublisher::open(&server, "room").await.numbers([1]).await.remove(0);

    for wait in ["0", "1", "50ms"] {
        let response = server.get(&format!("/channels/room/poll?after={id}&wait={wait}")).await;
        assert_eq!(response.text(), format!("{{\"cursor\":\"{id}\",\"events\":[],\"more\":false}}\n"));
    }
}

#[tokio::test]
async fn the_effective_wait_is_told() {
    let server = TestServer::spawn(&["--poll-hold", "2s"]);
    let id = PostPublisher::open(&server, "room").await.numbers([1]).await.remove(0);
    let preference = async |wait: &str| {
        let response = server.get(&format!("/channels/room/poll?after={id}&wait={wait}")).await;
        response.header("Preference-Applied").map(str::to_owned)
    };

    let (zero, one, many) = tokio::join!(preference("0"), preference("1"), preference("3600"));

    assert_eq!(zero.as_deref(), Some("wait=0"));
    assert_eq!(one.as_deref(), Some("wait=1"));
    assert_eq!(many.as_deref(), Some("wait=2"), "the server's own hold is the most there is");
}

#[tokio::test]
async fn a_prefer_header_asks_for_the_wait_as_well() {
    let server = TestServer::spawn(&[]);
    let id = PostPublisher::open(&server, "room").await.numbers([1]).await.remove(0);

    let request = Request::get(&format!("/channels/room/poll?after={id}")).header("Prefer", "wait=1");

    assert_eq!(server.request(request).await.header("Preference-Applied"), Some("wait=1"));
}

#[tokio::test]
async fn the_link_keeps_the_parameters_and_leads_on_from_answer_to_answer() {
    let server = TestServer::spawn(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    publisher.numbers(1..=3).await;
    let client = secret_of("ann");

    let first = server.get(&format!("/channels/room/poll?after=start&wait=0&client={client}&echo=0&_=7")).await;
    let next = next_target(&first);
    for parameter in ["wait=0", &format!("client={client}"), "echo=0"] {
        assert!(next.contains(parameter), "{parameter} is missing in {next}");
    }
    let second = server.get(&next).await;
    assert!(events(&second).is_empty());
    publisher.numbers([4]).await;
    let third = server.get(&next_target(&second)).await;
    assert_eq!(events(&third)[0]["message"]["data"], "4");
}

/// The target in `Link: <…>; rel="next"`, which is relative to the address that was asked.
#[track_caller]
fn next_target(response: &Response) -> String {
    let link = response.header("Link").expect("a poll has a link");
    let reference = link.strip_prefix('<').and_then(|link| link.strip_suffix(r#">; rel="next""#));
    let reference = reference.unwrap_or_else(|| panic!("{link} is no link to the next answer"));
    assert!(reference.starts_with('?'), "{reference}");
    format!("/channels/room/poll{reference}")
}

#[tokio::test]
async fn an_answer_is_bounded_and_says_that_there_is_more() {
    let server = TestServer::spawn(&["--log-messages", "20000"]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let total = 3_000;
    publisher.numbers(1..=total).await;

    let (mut target, mut received, mut answers) = ("/channels/room/poll?after=start&wait=0".to_owned(), Vec::new(), 0);
    loop {
        let response = server.get(&target).await;
        let messages =
            events(&response).into_iter().filter_map(|event| Some(event.get("message")?["data"].as_str()?.to_owned()));
        received.extend(messages);
        answers += 1;
        if response.json()["more"] == false {
            break;
        }
        target = next_target(&response);
    }

    assert!(answers > 1, "the answers are bounded");
    assert_eq!(received, (1..=total).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_message_larger_than_the_bound_still_comes_alone() {
    let server = TestServer::spawn(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let large = "x".repeat(1 << 20);
    for _ in 0..3 {
        publisher.publish("", &large).await.published_id();
    }

    let mut reader = Reader::open(&server, Transport::Poll, &Subscription::to("room").after("start")).await;

    assert_eq!(reader.texts(3).await, [large.as_str(); 3]);
}

#[tokio::test]
async fn excluded_publications_do_not_end_a_wait() {
    let server = TestServer::spawn(&ENDLESS_HOLD);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let id = publisher.numbers([1]).await.remove(0);
    let ann = secret_of("ann");
    let mut parked = Connection::open(server.address()).await;
    parked.send(&Request::get(&format!("/channels/room/poll?after={id}&echo=0&client={ann}"))).await;

    for _ in 0..5 {
        publisher.publish(&format!("client={ann}"), "my own").await.published_id();
    }
    let last = publisher.publish("", "another's").await.published_id();

    let head = parked.head().await;
    let answer: Value = serde_json::from_slice(&parked.body(&head).await).expect("an envelope");
    assert_eq!(answer["events"].as_array().map(Vec::len), Some(1), "{answer}");
    assert_eq!((&answer["events"][0]["message"]["data"], &answer["cursor"]), (&"another's".into(), &last.into()));
}

/// Otherwise the next poll would read over the same publications again and again.
#[tokio::test]
async fn excluded_publications_advance_the_cursor_of_an_empty_answer() {
    let server = TestServer::spawn(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let id = publisher.numbers([1]).await.remove(0);
    let ann = secret_of("ann");
    let own = publisher.publish(&format!("client={ann}"), "my own").await.published_id();

    let answer = server.get(&format!("/channels/room/poll?after={id}&wait=0&echo=0&client={ann}")).await;

    assert!(events(&answer).is_empty());
    assert_eq!(answer.json()["cursor"], own);
}

#[tokio::test]
async fn nothing_may_be_stored() {
    let server = TestServer::spawn(&[]);

    assert_eq!(server.get("/channels/room/poll").await.header("Cache-Control"), Some("no-store"));
}

/// Closing the connection takes the waiter away: nobody waits for an answer that nobody reads.
#[tokio::test]
async fn an_abort_frees_the_waiter_and_consumes_nothing() {
    let server = TestServer::spawn(&ENDLESS_HOLD);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let id = publisher.numbers([1]).await.remove(0);
    let target = format!("/channels/room/poll?after={id}");
    let mut parked = Connection::open(server.address()).await;
    parked.send(&Request::get(&target)).await;
    server.wait_for_subscribers("room", "long-poll", 1).await;

    drop(parked);

    server.wait_for_subscribers("room", "long-poll", 0).await;
    publisher.numbers([2]).await;
    assert_eq!(events(&server.get(&target).await)[0]["message"]["data"], "2");
}

/// A cursor is a position, not a session, so two tabs may share one.
#[tokio::test]
async fn two_polls_at_one_cursor_are_both_answered() {
    let server = TestServer::spawn(&ENDLESS_HOLD);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let id = publisher.numbers([1]).await.remove(0);
    let targets = [1, 2].map(|tab| format!("/channels/room/poll?after={id}&_={tab}"));

    let (one, other, _) = tokio::join!(server.get(&targets[0]), server.get(&targets[1]), publisher.numbers([2]));

    assert_eq!(events(&one), events(&other));
}

#[tokio::test]
async fn a_parked_poll_is_woken_by_a_change_of_presence_only_if_it_asked() {
    let server = TestServer::spawn(&["--poll-hold", "10m", "--presence-grace", "10m"]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let mut curious =
        Reader::open(&server, Transport::Poll, &Subscription::to("room").with_presence().client(&secret_of("curious")))
            .await;
    let mut busy = Reader::open(&server, Transport::Poll, &Subscription::to("room").client(&secret_of("busy"))).await;
    assert_eq!(curious.presence().await.action, "here");

    let ann = Subscription::to("room").client(&secret_of("ann")).named("ann");
    let (change, _ann) = tokio::join!(curious.presence(), Reader::open(&server, Transport::Sse, &ann));
    publisher.numbers([1]).await;

    assert_eq!(change.action, "here", "a poll always gets the full list");
    assert!(change.members.iter().flatten().any(|member| member.name == "ann"));
    assert_eq!(busy.texts(1).await, ["1"]);
}

/// Waiting costs the waiter's connection and nothing else: a hundred of them are served by two workers.
#[tokio::test]
async fn a_hundred_parked_polls_are_all_answered_by_one_publication() {
    let server = TestServer::spawn(&ENDLESS_HOLD);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let id = publisher.numbers([1]).await.remove(0);
    let mut parked = Vec::new();
    for number in 0..100 {
        let mut connection = Connection::open(server.address()).await;
        connection.send(&Request::get(&format!("/channels/room/poll?after={id}&_={number}"))).await;
        parked.push(connection);
    }
    server.wait_for_subscribers("room", "long-poll", 100).await;

    publisher.numbers([2]).await;

    within_guard("all answers", async {
        for connection in &mut parked {
            let head = connection.head().await;
            let answer: Value = serde_json::from_slice(&connection.body(&head).await).expect("an envelope");
            assert_eq!(offset_of(answer["cursor"].as_str().expect("a cursor")), 2);
        }
    })
    .await;
}
