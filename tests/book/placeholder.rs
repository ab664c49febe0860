//! What the server shows in place of the book if it was built without it.

use crate::server::Server;

#[test]
fn a_server_without_the_book_says_how_to_get_it() {
    let page = Server::start(&[]).get("/book/");
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("cargo run --release"), "{page}");
}
