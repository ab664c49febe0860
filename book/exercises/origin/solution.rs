//! Origin: which pages may speak to the server.

// ANCHOR: hole
/// Whether a page of this origin may open a WebSocket here, or publish.
///
/// - `origin`: the field `Origin`, which a browser sends and a page cannot change (RFC 6455 §10.2); such as
///   `http://127.0.0.1:8090`, or `null`. Programs that are no browsers send none.
/// - `host`: the field `Host`, the name under which the server was reached; such as `127.0.0.1:8090`.
#[must_use]
pub fn is_welcome(origin: Option<&str>, host: &str) -> bool {
    // A program that sends no origin carries nobody's cookies, so there is nobody whom it could impersonate.
    let Some(origin) = origin else { return true };
    // The whole of it is compared: `http://127.0.0.1:8090.evil.example` begins with our name, too.
    ["http", "https"].iter().any(|scheme| origin == format!("{scheme}://{host}"))
}
// ANCHOR_END: hole
