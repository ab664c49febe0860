//! The pages that come with the binary.

use crate::harness::{Request, TestServer};

/// Everything on a page that names an address to load something from.
fn loaded_addresses(html: &str) -> Vec<&str> {
    let attributes = ["src=\"", "<link rel=\"stylesheet\" href=\"", "@import \"", "from \""];
    attributes
        .iter()
        .flat_map(|attribute| html.split(attribute).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .collect()
}

/// The path of a reference as a browser would resolve it (RFC 3986 §5.2), on pages that never go above the root.
fn resolved(page: &str, reference: &str) -> String {
    if reference.starts_with('/') {
        return reference.to_owned();
    }
    let mut segments: Vec<_> = page.split('/').collect();
    segments.pop();
    for segment in reference.split('/') {
        match segment {
            "." => {}
            ".." => assert!(segments.pop().is_some_and(|left| !left.is_empty()), "{reference} is above the root"),
            name => segments.push(name),
        }
    }
    segments.join("/")
}

#[tokio::test]
async fn the_landing_page_the_doctor_and_the_page_of_a_channel_load_nothing_from_elsewhere() {
    let server = TestServer::spawn(&[]);

    for target in ["/", "/doctor", "/channels/room"] {
        let page = server.request(Request::get(target).header("Accept", "text/html")).await;
        assert_eq!(page.status(), 200, "{target}");
        assert!(page.header("Content-Type").is_some_and(|value| value.starts_with("text/html")), "{target}");
        let addresses = loaded_addresses(page.text());
        assert!(!addresses.is_empty(), "{target} loads its own module");
        for address in addresses {
            assert!(!address.contains("//"), "{target} loads {address}");
            assert_eq!(server.get(&resolved(target, address)).await.status(), 200, "{address} of {target}");
        }
    }
}

#[tokio::test]
async fn no_page_may_be_guessed_to_be_something_else() {
    let server = TestServer::spawn(&[]);

    let page = server.request(Request::get("/").header("Accept", "text/html")).await;

    assert_eq!(page.header("X-Content-Type-Options"), Some("nosniff"));
}

/// The name of a channel is part of its page, and anybody may make one up.
#[tokio::test]
async fn the_page_of_a_channel_contains_no_markup_of_the_address() {
    let server = TestServer::spawn(&[]);

    let request = Request::get("/channels/room?%3Cscript%3Ealert(1)%3C/script%3E").header("Accept", "text/html");

    assert!(!server.request(request).await.text().contains("<script>alert"));
}

const CLIENT: [(&str, &str, &str); 2] = [
    ("/client/fallcast.js", "text/javascript; charset=utf-8", include_str!("../../client/fallcast.js")),
    ("/client/fallcast.d.ts", "application/typescript; charset=utf-8", include_str!("../../client/fallcast.d.ts")),
];

#[tokio::test]
async fn the_client_is_served_as_it_is() {
    let server = TestServer::spawn(&[]);

    for (target, content_type, text) in CLIENT {
        let file = server.get(target).await;
        assert_eq!((file.status(), file.header("Content-Type")), (200, Some(content_type)), "{target}");
        assert!(file.text() == text, "{target} differs from the file");
        assert_eq!(file.header("X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(file.header("Cache-Control"), Some("no-cache"), "a new build has a new client");
        let tag = file.header("ETag").expect("a browser can ask whether it has changed");
        let again = server.request(Request::get(target).header("If-None-Match", tag)).await;
        assert_eq!((again.status(), again.body.len()), (304, 0), "{target}");
    }
}

#[tokio::test]
async fn nothing_else_of_the_clients_folder_is_served() {
    let server = TestServer::spawn(&[]);

    for name in
        ["", "package.json", "tsconfig.json", "LICENSE-MIT", "FALLCAST.JS", "../Cargo.toml", "%2e%2e/Cargo.toml"]
    {
        assert_eq!(server.get(&format!("/client/{name}")).await.status(), 404, "{name}");
    }
}

#[tokio::test]
async fn the_servers_other_ports_may_import_the_client_and_nobody_else_may() {
    let server = TestServer::spawn_with_lab(&[]);
    let lab = format!("http://{}", server.lab().await);
    let import = |origin: &str| server.request(Request::get("/client/fallcast.js").header("Origin", origin));

    assert_eq!(import(&lab).await.header("Access-Control-Allow-Origin"), Some(lab.as_str()));
    assert_eq!(import("https://elsewhere.example").await.header("Access-Control-Allow-Origin"), None);
}

#[tokio::test]
async fn the_servers_pages_may_speak_to_its_lab_and_to_nobody_else() {
    let server = TestServer::spawn_with_lab(&[]);
    let lab = server.lab().await.to_string();

    for target in ["/", "/channels/room", "/client/fallcast.js"] {
        let page = server.request(Request::get(target).header("Accept", "text/html")).await;
        let policy = page.header("Content-Security-Policy").expect("every page has a policy");
        let directive = policy.split("; ").find_map(|directive| directive.strip_prefix("connect-src "));
        let sources: Vec<_> = directive.expect("who may be spoken to is said").split(' ').collect();
        assert_eq!(sources, ["'self'", &lab, "ws:", "wss:"], "{target}");
    }
}
