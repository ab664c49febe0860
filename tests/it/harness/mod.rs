//! What the tests stand on: a server process, plain clients for every transport, and publishers.
//!
//! Nothing in here shares code with the server. What the tests call a message was parsed from the bytes that the server
//! sent.

pub mod cutter;
pub mod event;
pub mod http;
pub mod lab;
pub mod process;
pub mod publisher;
pub mod reader;
pub mod server;
pub mod source;
pub mod websocket;

use std::{future::Future, time::Duration};

pub use event::{Event, Gap, Message, Presence};
pub use http::{Connection, Ending, Request, Response};
pub use lab::Link;
pub use publisher::Publisher;
pub use reader::{Reader, Subscription, Transport};
pub use server::TestServer;
pub use websocket::Frame;

/// How long anything may take before a test gives up on it.
///
/// It is a guard against hanging for ever, and much longer than anything takes on a busy machine. No test asserts that
/// something is fast.
pub const HANG_GUARD: Duration = Duration::from_mins(1);

/// Awaits `future`, and fails the test in place of hanging for ever.
pub async fn within_guard<F: Future>(what: &str, future: F) -> F::Output {
    let output = tokio::time::timeout(HANG_GUARD, future).await;
    output.unwrap_or_else(|elapsed| panic!("waited {HANG_GUARD:?} in vain for {what}: {elapsed}"))
}

/// Declares tests that hold for several transports.
///
/// `promise on [sse, poll];` runs `async fn promise(transport: Transport)` once for each, as the tests `promise::sse`
/// and `promise::poll`.
#[macro_export]
macro_rules! on_transports {
    ($($(#[$attribute:meta])* $promise:ident on [$($transport:ident),+];)+) => {$(
        $(#[$attribute])*
        mod $promise {
            $(
                #[tokio::test]
                async fn $transport() {
                    super::$promise($crate::harness::reader::transports::$transport).await;
                }
            )+
        }
    )+};
}

/// A secret client name, as long as the protocol asks for, that shows whose it is.
pub fn secret_of(name: &str) -> String {
    format!("{name}-keeps-this-name-secret")
}
