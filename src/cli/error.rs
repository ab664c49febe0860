//! What can go wrong in the command-line clients: every message names the cause, and the remedy where there is one.

use std::{io, path::PathBuf, time::Duration};

use thiserror::Error;

use super::remote::{BadAddress, BadTrust, Refusal};

/// Why a client command ended without success.
#[derive(Debug, Error)]
pub enum CliError {
    /// The channel's address cannot be read.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// The TLS options cannot be followed.
    #[error(transparent)]
    Trust(#[from] BadTrust),
    /// The server's certificate is not trusted, or the server does not speak TLS.
    #[error(
        "no secure connection to {server}: {cause}; if you trust this server, pass the fingerprint that it printed at \
         its start with --fingerprint, or the certificate's PEM file with --ca"
    )]
    Untrusted {
        /// Host and port.
        server: String,
        /// What the TLS library says.
        cause: String,
    },
    /// The server said no, and would say so again.
    #[error("the server refused: {0}")]
    Refused(Refusal),
    /// A WebSocket was closed with a code that means "stop".
    #[error("the server ended the subscription for good: {code} {reason}")]
    Closed {
        /// The close code, 4000 to 4099.
        code: u16,
        /// The server's reason.
        reason: String,
    },
    /// The server answered, but not as a fallcast server would.
    #[error("{channel} is no fallcast channel: {cause}; the address is http://HOST:PORT/channels/NAME")]
    NotFallcast {
        /// The channel's address.
        channel: String,
        /// What is wrong with the answer.
        cause: String,
    },
    /// The connection broke and the user asked not to try again.
    #[error("{cause}; leave --reconnect=never away to resume by itself, or go on with --after={after}")]
    Ended {
        /// Why the connection ended.
        cause: String,
        /// Where a later run can go on.
        after: String,
    },
    /// A publication failed again and again.
    #[error("gave up after {patience:?}: {cause}; the same command with --key={key} is safe to repeat")]
    GaveUp {
        /// Why the last attempt failed.
        cause: String,
        /// How long it was tried.
        patience: Duration,
        /// The publication's idempotency key.
        key: String,
    },
    /// One of many publications failed.
    #[error("line {number}: {source}; everything before this line is published")]
    Line {
        /// The line's number, from 1.
        number: u64,
        /// What went wrong with it.
        source: Box<CliError>,
    },
    /// `--json` was promised, but the body is something else.
    #[error("the message is not JSON: {0}; leave --json away to publish it as text")]
    NotJson(serde_json::Error),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file's path.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Standard input broke.
    #[error("cannot read standard input: {0}")]
    Input(io::Error),
    /// Standard output broke.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
}

/// A line or an event is longer than this client is willing to hold in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the server sent an event of more than {limit} bytes")]
pub struct EventTooLarge {
    /// The largest size that is accepted.
    pub limit: usize,
}
