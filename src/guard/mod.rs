//! Who may do what: origins, connection limits, rates. One function decides, [`Guard::decide`]; tokens will come in there.

mod limits;
mod origin;
mod rate;

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

pub use limits::{Connections, Place, Ticket, Verdict};
pub use origin::{BadOrigin, Origins, Standing};
pub use rate::Rates;

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read a channel over HTTP. Other origins are kept out by the browser itself, for they get no CORS headers.
    Read,
    /// Open a WebSocket, which no browser asks CORS about.
    OpenWebSocket,
    /// Publish to a channel, or end a stay in it.
    Publish,
    /// Publish over a WebSocket that was allowed when it was opened.
    PublishOnOpenSocket,
    /// See what only an operator should: the list of channels, and metrics.
    Operate,
}

/// Who wants to do it.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// How its `Origin` stands to this server.
    pub standing: Standing<'a>,
    /// Its address; behind a proxy, the proxy's.
    pub address: Option<IpAddr>,
    /// Whether it asked for this machine by a name that only this machine has: `localhost` or a loopback address.
    pub asked_for_loopback: bool,
    /// What was decided about its connection when it was accepted.
    pub connection: Verdict,
}

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The page's origin is neither the server's own nor on the list.
    #[error("this origin is not allowed; start the server with --allow-origin to allow it")]
    ForeignOrigin,
    /// The server has as many connections as it may have.
    #[error("the server has as many connections as it may have (--max-connections)")]
    TooManyConnections,
    /// The address has as many connections as it may have.
    #[error("this address has as many connections as it may have (--max-connections-per-address)")]
    TooManyPerAddress,
    /// The connection carries as many subscriptions as it may.
    #[error("this connection carries as many subscriptions as it may")]
    TooManyOnConnection,
    /// The address publishes faster than it may.
    #[error("this address publishes faster than it may (--publish-rate)")]
    TooFast {
        /// When to try again.
        retry_after: Duration,
    },
    /// Only this machine may ask that.
    #[error("only this machine may ask that, unless the server is started with --allow-operators")]
    NotAnOperator,
}

/// The rules of one server.
#[derive(Debug)]
pub struct Guard {
    origins: Origins,
    rates: Rates,
    operators_anywhere: bool,
    connections: Arc<Connections>,
}

impl Guard {
    /// Returns the rules.
    #[must_use]
    pub const fn new(origins: Origins, rates: Rates, operators_anywhere: bool, connections: Arc<Connections>) -> Self {
        Self { origins, rates, operators_anywhere, connections }
    }

    /// The rules about origins.
    #[must_use]
    pub const fn origins(&self) -> &Origins {
        &self.origins
    }

    /// The connections now open.
    #[must_use]
    pub const fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    // ANCHOR: decide
    /// Decides whether a caller may do something.
    ///
    /// # Errors
    /// Tells why it may not.
    pub fn decide(&self, caller: &Caller<'_>, action: Action) -> Result<(), Refusal> {
        match caller.connection {
            Verdict::Admitted => {}
            Verdict::TooMany => return Err(Refusal::TooManyConnections),
            Verdict::TooManyFromAddress => return Err(Refusal::TooManyPerAddress),
        }
        match action {
            Action::Read => Ok(()),
            Action::OpenWebSocket => Self::own_origin(caller),
            Action::Publish => Self::own_origin(caller).and_then(|()| self.within_rate(caller)),
            Action::PublishOnOpenSocket => self.within_rate(caller),
            Action::Operate => self.operator(caller),
        }
    }
    // ANCHOR_END: decide

    const fn own_origin(caller: &Caller<'_>) -> Result<(), Refusal> {
        match caller.standing {
            Standing::NoBrowser | Standing::Own | Standing::Listed(_) => Ok(()),
            Standing::Foreign => Err(Refusal::ForeignOrigin),
        }
    }

    fn within_rate(&self, caller: &Caller<'_>) -> Result<(), Refusal> {
        match caller.address {
            Some(address) => {
                self.rates.take(address, Instant::now()).map_err(|retry_after| Refusal::TooFast { retry_after })
            }
            None => Ok(()),
        }
    }

    fn operator(&self, caller: &Caller<'_>) -> Result<(), Refusal> {
        // A page can make its own host name point to 127.0.0.1, and the browser on this machine then asks us in its name.
        let is_local = caller.address.is_some_and(|address| address.to_canonical().is_loopback());
        let is_page = matches!(caller.standing, Standing::Foreign);
        let is_operator = is_local && caller.asked_for_loopback && !is_page;
        if self.operators_anywhere || is_operator { Ok(()) } else { Err(Refusal::NotAnOperator) }
    }
}
