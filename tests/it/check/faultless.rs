//! Where nothing is wrong, nothing is found.

use super::{
    reference::{Limits, ReferenceServer},
    report::{OF_REFERENCE, check},
};
use crate::harness::TestServer;

/// What the report of a check takes for granted.
pub const AS_PROMISED: [&str; 4] = ["--heartbeat", "1s", "--log-messages", "1000"];

#[test]
fn the_server_without_a_fault_passes_every_check() {
    let server = ReferenceServer::start(None, Limits::default());
    check(server.address(), &[["all"].as_slice(), OF_REFERENCE.as_slice()].concat()).assert_clean(LEAST);
}

#[test]
fn fallcast_passes_every_check_when_it_delivers_by_streaming() {
    fallcast_passes("streaming");
}

#[test]
#[cfg(target_os = "linux")]
fn fallcast_passes_every_check_when_it_delivers_directly() {
    fallcast_passes("direct");
}

fn fallcast_passes(delivery: &str) {
    let server = TestServer::spawn(&[&["--delivery", delivery], AS_PROMISED.as_slice()].concat());
    check(server.address(), &["all"]).assert_clean(LEAST);
}

/// Fewer properties than all that are proved of a server with every transport. It is there to show that they were.
const LEAST: usize = 60;
