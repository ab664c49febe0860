//! What pages may load and whom they may speak to (W3C CSP Level 3): nothing from elsewhere.

use actix_web::{HttpRequest, web};

use crate::transport::State;

/// mdBook's pages carry scripts and styles within; they still load nothing from elsewhere.
pub const BOOK: &str = "default-src 'self' 'unsafe-inline' data:; connect-src 'self'; base-uri 'none'";

/// The policy of the site's own pages: no script within the page. They may speak to the other ports of this server, since
/// the lab has one of its own.
pub fn of_page(request: &HttpRequest) -> String {
    let sources = sources(ports(request, State::siblings));
    format!("default-src 'self'; connect-src {sources} ws: wss:; img-src 'self' data:; base-uri 'none'")
}

/// The policy of the demos: as that of other pages, and what charts and the hijack need. plotly.js sets styles and turns
/// charts into pictures; the hijack's attacker comes in a frame from another port or another name of this machine.
pub fn of_demo(request: &HttpRequest) -> String {
    let ours = sources([ports(request, State::siblings), ports(request, State::counterparts)].concat());
    format!(
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src {ours} data: blob:; \
         connect-src {ours} ws: wss:; frame-src {ours}; base-uri 'none'"
    )
}

fn sources(others: Vec<String>) -> String {
    [vec!["'self'".to_owned()], others].concat().join(" ")
}

/// This server's addresses as the state knows them.
fn ports(request: &HttpRequest, known: impl FnOnce(&State, &HttpRequest) -> Vec<String>) -> Vec<String> {
    request.app_data::<web::Data<State>>().map(|state| known(state, request)).unwrap_or_default()
}
