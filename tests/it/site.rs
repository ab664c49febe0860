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
async fn the_landing_page_and_the_page_of_a_channel_load_nothing_from_elsewhere() {
    let server = TestServer::spawn(&[]);

    for target in ["/", "/channels/room"] {
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
