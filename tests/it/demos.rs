//! The demos as they are served: their pages, the library that draws their charts, and the server's vital signs.

use std::io::Read as _;

use flate2::read::GzDecoder;

use crate::harness::{Reader, Request, Response, Subscription, TestServer, Transport, publisher::PostPublisher};

const DEMO_FILES: [(&str, &str); 4] = [
    ("/demos/", "text/html; charset=utf-8"),
    ("/demos/race/", "text/html; charset=utf-8"),
    ("/demos/frame/demo.js", "text/javascript; charset=utf-8"),
    ("/demos/frame/demo.css", "text/css; charset=utf-8"),
];

#[tokio::test]
async fn every_file_of_a_demo_has_its_type_and_is_asked_for_again() {
    let server = TestServer::spawn(&[]);

    for (target, content_type) in DEMO_FILES {
        let file = server.get(target).await;
        assert_eq!((file.status(), file.header("Content-Type")), (200, Some(content_type)), "{target}");
        assert_eq!(file.header("X-Content-Type-Options"), Some("nosniff"), "{target}");
        assert_eq!(file.header("Cache-Control"), Some("no-cache"), "{target}");
        let tag = file.header("ETag").expect("a browser can ask whether it has changed");
        let again = server.request(Request::get(target).header("If-None-Match", tag)).await;
        assert_eq!((again.status(), again.body.len()), (304, 0), "{target}");
        let head = server.request(Request::new("HEAD", target)).await;
        assert_eq!((head.status(), head.header("ETag")), (200, Some(tag)), "{target}");
    }
}

#[tokio::test]
async fn a_browser_knows_its_copy_again_whatever_a_proxy_did_to_its_tag() {
    let server = TestServer::spawn(&[]);
    let page = server.get("/demos/race/").await;
    let tag = page.header("ETag").expect("a browser can ask whether it has changed");

    for (known, status) in [
        (tag.to_owned(), 304),
        (format!("W/{tag}"), 304),
        (format!("\"another\", {tag}"), 304),
        ("*".to_owned(), 304),
        ("\"another\"".to_owned(), 200),
        (tag.trim_matches('"').to_owned(), 200),
    ] {
        let again = server.request(Request::get("/demos/race/").header("If-None-Match", &known)).await;
        assert_eq!(again.status(), status, "{known}");
        for field in ["Cache-Control", "Content-Security-Policy"] {
            assert_eq!(again.header(field), page.header(field), "{known}");
        }
    }
}

/// A browser keeps the policy with the page, and would not let an old page speak to a lab that has come since.
#[tokio::test]
async fn a_page_is_sent_again_when_it_may_speak_to_others() {
    let (before, after) = (TestServer::spawn(&[]), TestServer::spawn_with_lab(&[]));
    for target in ["/", "/demos/race/", "/client/fallcast.js"] {
        let page = before.get(target).await;
        let tag = page.header("ETag").expect("a browser can ask whether it has changed");
        let again = after.request(Request::get(target).header("If-None-Match", tag)).await;
        assert_eq!(again.status(), 200, "{target}");
    }
}

#[tokio::test]
async fn a_demo_is_a_folder_and_its_address_without_the_slash_leads_to_the_one_with_it() {
    let server = TestServer::spawn(&[]);

    for (target, location) in [
        // Relative, so that it leads there behind a proxy, too, which may serve all this below a folder of its own.
        ("/demos", "./demos/"),
        ("/demos/race", "./race/"),
        ("/demos/race?run=r4nd0m&_=1", "./race/?run=r4nd0m&_=1"),
        ("/book", "./book/"),
    ] {
        let response = server.get(target).await;
        assert_eq!((response.status(), response.header("Location")), (308, Some(location)), "{target}");
    }
}

#[tokio::test]
async fn what_is_in_no_demo_is_not_found_and_a_page_takes_no_post() {
    let server = TestServer::spawn(&[]);

    for name in
        ["nothing", "nothing/", "frame", "frame/", "../Cargo.toml", "%2e%2e/Cargo.toml", "race/../../Cargo.toml"]
    {
        let response = server.get(&format!("/demos/{name}")).await;
        assert_eq!((response.status(), response.text()), (404, "There is nothing here.\n"), "{name}");
    }
    let refused = server.request(Request::post("/demos/race/", "")).await;
    refused.assert_problem(405);
    assert!(refused.head.lists("Allow", "GET"));
    let asked = server.request(Request::new("OPTIONS", "/demos/race/")).await;
    assert_eq!((asked.status(), asked.header("Allow")), (204, Some("GET, HEAD, OPTIONS")));
}

/// The sources of one directive of a page's policy.
fn sources(page: &Response, directive: &str) -> Vec<String> {
    let policy = page.header("Content-Security-Policy").expect("every page has a policy");
    let found = policy.split("; ").find_map(|part| part.strip_prefix(directive)?.strip_prefix(' '));
    found.map(|sources| sources.split(' ').map(str::to_owned).collect()).unwrap_or_default()
}

#[tokio::test]
async fn a_demo_may_use_this_servers_ports_under_both_names_of_the_machine_and_nothing_else() {
    let server = TestServer::spawn_with_lab(&[]);
    let (own, lab) = (server.address().port(), server.lab().await.port());

    let page = server.get("/demos/race/").await;

    assert_eq!(sources(&page, "default-src"), ["'self'"], "so no script within a page");
    assert_eq!(sources(&page, "style-src"), ["'self'", "'unsafe-inline'"]);
    let counterparts = [format!("127.0.0.1:{lab}"), format!("localhost:{own}"), format!("localhost:{lab}")];
    for (directive, others) in
        [("connect-src", ["ws:", "wss:"].as_slice()), ("frame-src", &[]), ("img-src", &["data:", "blob:"])]
    {
        let mut allowed = sources(&page, directive);
        let mut expected = vec!["'self'".to_owned()];
        expected.extend(counterparts.clone());
        expected.extend(others.iter().map(|&other| other.to_owned()));
        allowed.sort();
        expected.sort();
        assert_eq!(allowed, expected, "{directive}");
    }
}

#[tokio::test]
async fn a_page_cannot_be_made_to_allow_what_stands_in_a_made_up_host() {
    let server = TestServer::spawn_on("0.0.0.0", &[]);

    let request = Request::get("/demos/race/").header("Host", "a.example;script-src *:8080");
    let page = server.request(request).await;

    assert_eq!(sources(&page, "frame-src"), ["'self'"]);
    assert_eq!(sources(&page, "script-src"), Vec::<String>::new());
}

/// The address of plotly.js, as the demos import it.
async fn plotly(server: &TestServer) -> String {
    let module = server.get("/demos/frame/plotly-url.js").await;
    assert_eq!(module.header("Content-Type"), Some("text/javascript; charset=utf-8"));
    let address = module.text().split("export const url = \"./").nth(1).and_then(|rest| rest.split('"').next());
    format!("/demos/frame/{}", address.expect("the module exports an address beside its own"))
}

async fn encoded(server: &TestServer, target: &str, accepted: &str) -> Response {
    server.request(Request::get(target).header("Accept-Encoding", accepted)).await
}

#[tokio::test]
async fn plotly_travels_compressed_to_whoever_takes_it_and_is_the_same_for_everybody() {
    let server = TestServer::spawn(&[]);
    let target = plotly(&server).await;

    let plain = server.get(&target).await;
    assert_eq!((plain.status(), plain.header("Content-Encoding")), (200, None));
    assert_eq!(plain.header("Content-Type"), Some("text/javascript; charset=utf-8"));
    assert!(plain.text().starts_with("/**\n* plotly.js v"), "{}", &plain.text()[..60]);
    assert!(!plain.text().contains("MathJax =") && plain.text().trim_end().ends_with(';'), "nothing but plotly.js");

    for accepted in ["gzip", "gzip, deflate, br", "br;q=1.0, gzip;q=0.5, identity;q=0.1"] {
        let compressed = encoded(&server, &target, accepted).await;
        assert_eq!(compressed.header("Content-Encoding"), Some("gzip"), "{accepted}");
        assert!(compressed.body.len() * 3 < plain.body.len(), "{} bytes", compressed.body.len());
        assert_ne!(compressed.header("ETag"), plain.header("ETag"));
        assert!(compressed.head.lists("Vary", "Accept-Encoding"));
        let mut text = String::new();
        GzDecoder::new(compressed.body.as_slice()).read_to_string(&mut text).expect("it is gzip");
        assert!(text == plain.text(), "{accepted}");
    }
    for accepted in ["", "identity", "br", "gzip;q=0"] {
        assert_eq!(encoded(&server, &target, accepted).await.header("Content-Encoding"), None, "{accepted}");
    }
}

#[tokio::test]
async fn plotly_is_kept_for_ever_only_under_the_address_of_its_version() {
    let server = TestServer::spawn(&[]);
    let versioned = plotly(&server).await;
    let (bare, _) = versioned.split_once("?v=").expect("the address names a version");

    assert_eq!(server.get(&versioned).await.header("Cache-Control"), Some("public, max-age=31536000, immutable"));
    for target in [bare, &format!("{bare}?v=0.0.1")] {
        let file = encoded(&server, target, "gzip").await;
        assert_eq!(file.header("Cache-Control"), Some("no-cache"), "{target}");
        let tag = file.header("ETag").expect("a browser can ask whether it has changed");
        let again = Request::get(target).header("Accept-Encoding", "gzip").header("If-None-Match", tag);
        assert_eq!(server.request(again).await.status(), 304, "{target}");
        let otherwise = server.request(Request::get(target).header("If-None-Match", tag)).await;
        assert_eq!(otherwise.status(), 200, "the plain form is another one");
    }
}

#[tokio::test]
async fn the_vital_signs_count_what_the_server_holds_and_name_nothing() {
    let server = TestServer::spawn(&[]);
    let before = server.get("/demos/vitals").await.json();
    let _reader = Reader::open(&server, Transport::Sse, &Subscription::to("a-secret-name")).await;
    server.wait_for_subscribers("a-secret-name", "sse", 1).await;
    PostPublisher::open(&server, "a-secret-name").await.numbers(1..=20).await;

    let response = server.get("/demos/vitals").await;
    let after = response.json();

    assert_eq!(response.header("Cache-Control"), Some("no-store"));
    assert!(!response.text().contains("a-secret-name"));
    assert_eq!((before["subscribers"].as_u64(), after["subscribers"].as_u64()), (Some(0), Some(1)));
    let count =
        |vitals: &serde_json::Value, name: &str| vitals[name].as_u64().unwrap_or_else(|| panic!("{name} in {vitals}"));
    assert!(count(&after, "log_bytes") > count(&before, "log_bytes"));
    assert!(count(&after, "uptime_ms") >= count(&before, "uptime_ms"));
    #[cfg(target_os = "linux")]
    {
        let (told, true_size) = (count(&after, "resident_bytes"), server.resident_bytes());
        assert!(told > true_size / 2 && told < true_size * 2, "{told}, but the kernel says {true_size}");
    }
    server.get("/demos/vitals?bytes=1").await.assert_problem(400);
}
