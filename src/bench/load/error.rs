//! Why no load can be generated: each message names the cause, and the remedy where there is one.

use std::{io, net::SocketAddr, time::Duration};

use thiserror::Error;

use super::{decode::Fault, transport::Transport};

/// Why no load can be generated.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The server cannot be reached for publishing.
    #[error("cannot publish at {address}: {source}; is the server running there?")]
    Publish {
        /// Where it should be.
        address: SocketAddr,
        /// What went wrong.
        source: io::Error,
    },
    /// The server does not accept what is published.
    #[error("the server does not accept what is published: {words}; check the publish address and its method")]
    Refused {
        /// What it says.
        words: String,
    },
    /// A subscriber's connection fails before it has subscribed.
    #[error("subscriber {number} cannot subscribe by {transport}: {source}; is the server running at {address}?")]
    Connect {
        /// The subscriber's number, from 1.
        number: usize,
        /// How it tried.
        transport: Transport,
        /// Where.
        address: SocketAddr,
        /// What went wrong.
        source: io::Error,
    },
    /// A subscriber is not let in.
    #[error("subscriber {number} cannot subscribe by {transport}: {fault}; check the address of this transport")]
    Subscribe {
        /// The subscriber's number, from 1.
        number: usize,
        /// How it tried.
        transport: Transport,
        /// What the server says.
        fault: Fault,
    },
    /// Nothing happens any more.
    #[error("for {waited:?} nothing has happened: {state}")]
    Silence {
        /// How long.
        waited: Duration,
        /// How far it had come.
        state: String,
    },
    /// There are fewer descriptors than connections.
    #[error(
        "{subscribers} subscribers need {needed} file descriptors, but the limit is {limit}; raise it with `ulimit -n` \
         or take fewer subscribers"
    )]
    Descriptors {
        /// Subscribers that were asked for.
        subscribers: usize,
        /// Descriptors that they need.
        needed: u64,
        /// Descriptors that there are.
        limit: u64,
    },
    /// Somebody has ended it.
    #[error("it was interrupted")]
    Interrupted,
    /// The system refuses something else.
    #[error("the load generator fails: {0}")]
    Io(#[from] io::Error),
}
