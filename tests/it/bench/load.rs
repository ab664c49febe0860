//! The load generator: what it counts is what was there.

use std::{ops::ControlFlow, time::Duration};

use fallcast::{
    bench::{
        load::{Crowd, Cut, Pace, Phase, Tally, Transport},
        target::Target,
        template::{Template, WayThere},
    },
    origin::Origin,
};

use crate::harness::TestServer;

const SIZE: usize = 64;

fn origin(server: &TestServer) -> Origin {
    Origin::of(&server.origin()).expect("the server has an address")
}

/// A crowd of three on a channel of a server, with a message in front of them.
fn crowd(server: &TestServer, profile: &str, transport: &str, by_websocket: bool) -> Crowd {
    let template = Template::profile(profile).expect("a profile");
    let transport: Transport = transport.parse().expect("a transport");
    let origin = origin(server);
    let way = WayThere::default();
    let subscription = template.subscription("own", transport, &origin, "room", &way).expect("a subscription");
    let publishing = if by_websocket {
        template.over_websocket("own", &origin, "room").expect("a way to publish")
    } else {
        template.post(&origin, "room", SIZE)
    };
    let mut crowd = Crowd::new(subscription, publishing, SIZE, 1).expect("the server is there");
    crowd.connect(3).expect("all are let in");
    crowd
}

fn run(crowd: &mut Crowd, phase: &Phase) -> Tally {
    crowd.run(phase, &mut |_| ControlFlow::Continue(())).expect("the phase is run")
}

fn short(pace: Pace) -> Phase {
    Phase::new(pace, Duration::from_millis(400))
}

#[test]
fn every_message_arrives_once_and_in_order_on_every_transport() {
    for transport in ["websocket", "sse", "long-poll", "stream", "short-poll=20ms"] {
        let server = TestServer::spawn(&[]);
        let mut crowd = crowd(&server, "fallcast", transport, false);
        assert_eq!(crowd.first_messages().len(), 3, "{transport}");

        let tally = run(&mut crowd, &short(Pace::Rate(100.0)));

        assert_eq!((tally.messages, tally.expected, tally.deliveries), (40, 120, 120), "{transport}");
        assert_eq!((tally.lost, tally.repeated, tally.reordered, tally.damaged), (0, 0, 0, 0), "{transport}");
        assert_eq!((tally.latency.len(), tally.skew.len(), tally.lag.len()), (120, 40, 40), "{transport}");
        assert_eq!((tally.refused, tally.reconnects), (0, 0), "{transport}: {:?}", tally.faults);
        let timed: u64 = tally.timeline.steps().iter().map(hdrhistogram::Histogram::len).sum();
        assert_eq!(timed, 120, "{transport}");
    }
}

#[test]
fn a_message_over_a_raw_websocket_costs_two_bytes_of_framing() {
    let server = TestServer::spawn(&[]);
    let mut crowd = crowd(&server, "fallcast", "websocket", true);

    let tally = run(&mut crowd, &short(Pace::Rate(100.0)));

    assert_eq!(tally.subscribers.down_bytes, 120 * (SIZE as u64 + 2));
    assert_eq!((tally.subscribers.requests, tally.subscribers.request_bytes, tally.subscribers.head_bytes), (0, 0, 0));
    // Two bytes of head and four of mask.
    assert_eq!(tally.publishers.frame_bytes, 40 * (SIZE as u64 + 6));
}

/// What the generator counts at its sockets is what the kernel counts there.
#[cfg(target_os = "linux")]
#[test]
fn the_kernel_counts_the_same_bytes() {
    use fallcast::bench::server::Sockets;

    for transport in ["websocket", "sse", "long-poll", "stream"] {
        let server = TestServer::spawn(&[]);
        let mut crowd = crowd(&server, "fallcast", transport, false);
        let ports = crowd.local_ports();
        assert_eq!(ports.len(), 3, "{transport}");
        let before = Sockets::count(&ports).expect("the kernel answers");

        let tally = run(&mut crowd, &short(Pace::Rate(100.0)));

        let counted = Sockets::count(&ports).expect("the kernel answers").since(before);
        assert_eq!(tally.subscribers.down_bytes, counted.down_bytes, "{transport}");
        assert!(counted.down > 0 && counted.up > 0, "{transport}: {counted:?}");
    }
}

#[test]
fn a_long_poll_costs_a_request_for_each_answer() {
    let server = TestServer::spawn(&[]);
    let mut crowd = crowd(&server, "fallcast", "long-poll", false);

    let tally = run(&mut crowd, &short(Pace::Window(1)));

    // With one message on its way at a time, each answer holds one message and is followed by the next request.
    assert!(tally.messages > 1);
    assert_eq!(tally.deliveries, tally.messages * 3);
    assert_eq!(tally.subscribers.requests, tally.deliveries);
    assert!(tally.subscribers.head_bytes > 0 && tally.subscribers.request_bytes > 0);
}

#[test]
fn several_phases_follow_each_other_over_the_same_connections() {
    let server = TestServer::spawn(&[]);
    let mut crowd = crowd(&server, "fallcast", "sse", false);
    for _ in 0..3 {
        let tally = run(&mut crowd, &short(Pace::Rate(50.0)));
        assert_eq!((tally.messages, tally.deliveries, tally.lost), (20, 60, 0));
        assert_eq!(tally.subscribers.connections, 0);
    }
}

#[test]
fn who_is_cut_off_and_has_a_cursor_loses_nothing() {
    for (profile, transport) in [
        ("fallcast", "sse"),
        ("fallcast", "long-poll"),
        ("fallcast", "short-poll=40ms"),
        ("fallcast", "stream"),
        ("fallcast-json", "websocket"),
    ] {
        let server = TestServer::spawn(&[]);
        let mut crowd = crowd(&server, profile, transport, false);
        let cut = Cut { after: Duration::from_millis(150), one_in: 2 };

        let tally = run(&mut crowd, &Phase { cut: Some(cut), ..short(Pace::Rate(100.0)) });

        assert_eq!(tally.cut.connections, 2, "{transport}");
        assert_eq!((tally.deliveries, tally.lost, tally.cut.lost, tally.repeated), (120, 0, 0, 0), "{transport}");
        assert_eq!((tally.recovery.len(), tally.reconnects), (2, 2), "{transport}");
    }
}

#[test]
fn who_is_cut_off_and_has_none_comes_back_to_what_is_new() {
    let server = TestServer::spawn(&[]);
    let mut crowd = crowd(&server, "fallcast", "websocket", false);
    let cut = Cut { after: Duration::from_millis(150), one_in: 3 };
    let patience = Duration::from_millis(500);

    let tally = run(&mut crowd, &Phase { cut: Some(cut), patience, ..short(Pace::Rate(100.0)) });

    assert_eq!((tally.cut.connections, tally.recovery.len(), tally.repeated), (1, 1, 0));
    assert_eq!(tally.deliveries + tally.lost, tally.expected);
    assert_eq!(tally.lost, tally.cut.lost, "the others lose nothing");
}

#[test]
fn a_server_that_drops_a_slow_channel_is_caught_losing() {
    // A log of five messages, and polls that come too seldom.
    let server = TestServer::spawn(&["--log-messages", "5"]);
    let mut crowd = crowd(&server, "fallcast", "short-poll=200ms", false);

    let patience = Duration::from_millis(500);
    let tally = run(&mut crowd, &Phase { patience, ..short(Pace::Rate(100.0)) });

    assert!(tally.lost > 0, "{tally:?}");
    assert_eq!(tally.deliveries + tally.lost, tally.expected);
    assert_eq!(tally.damaged, 0);
}

/// A server that drains closes every WebSocket with 1012.
#[test]
fn who_is_closed_by_the_server_comes_back_and_says_why() {
    let server = TestServer::spawn(&["--drain-time", "2s"]);
    let mut crowd = crowd(&server, "fallcast", "websocket", false);
    let mut is_told = false;
    let phase = Phase { patience: Duration::from_millis(300), ..Phase::new(Pace::Rate(20.0), Duration::from_secs(2)) };

    let outcome = crowd.run(&phase, &mut |glance| {
        if !std::mem::replace(&mut is_told, true) {
            server.terminate();
        }
        // It lets everybody go one by one, and refuses whoever comes back.
        if glance.tally.reconnects > 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });

    let tally = outcome.expect("the phase is ended before the server is");
    assert!(tally.reconnects > 3);
    assert!(tally.faults.iter().any(|fault| fault.contains("closed the WebSocket with 1012")), "{:?}", tally.faults);
}

#[test]
fn a_phase_can_be_ended_from_outside() {
    let server = TestServer::spawn(&[]);
    let mut crowd = crowd(&server, "fallcast", "stream", false);
    let mut looks = 0;

    let phase = Phase::new(Pace::Rate(20.0), Duration::from_hours(1));
    let tally = crowd.run(&phase, &mut |_| {
        looks += 1;
        if looks == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });

    assert!(tally.expect("it ends in order").interrupted);
    assert_eq!(looks, 3);
}

#[test]
fn who_is_not_let_in_is_told_why() {
    let server = TestServer::spawn(&[]);
    let origin = origin(&server);
    let template = "[publish]\npath = '/channels/room'\n[sse]\npath = '/nowhere'\n";
    let template = Template::parse("mine", template).expect("a template");
    let way = WayThere::default();
    let subscription = template.subscription("x", Transport::Sse, &origin, "room", &way).expect("a subscription");
    let mut crowd =
        Crowd::new(subscription, template.post(&origin, "room", SIZE), SIZE, 1).expect("the server is there");

    let fault = crowd.connect(1).expect_err("there is nothing").to_string();

    assert_eq!(
        fault,
        "subscriber 1 cannot subscribe by sse: the server answered 404 Not Found; check the address of this transport"
    );
}

#[test]
fn a_server_that_is_not_there_is_told_with_its_address() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|it| it.local_addr()).expect("a port").port();
    let target = Target::parse(&format!("fallcast=http://127.0.0.1:{port}"), None).expect("a target");
    let origin = Origin::of(&format!("http://127.0.0.1:{port}")).expect("an origin");
    let way = WayThere::default();
    let subscription =
        target.template.subscription("x", Transport::Sse, &origin, "room", &way).expect("a subscription");

    let fault = Crowd::new(subscription, target.template.post(&origin, "room", SIZE), SIZE, 1).expect_err("nobody");

    let fault = fault.to_string();
    assert!(fault.contains(&format!("127.0.0.1:{port}")) && fault.contains("is the server running"), "{fault}");
}
