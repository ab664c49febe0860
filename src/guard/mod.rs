//! Who may do what: origins, connection limits, rates. One function decides, [`Guard::decide`]; tokens will come in there.

mod limits;
mod origin;
mod rate;
mod secret;

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

pub use limits::{Connections, Loan, Place, Ticket, Verdict};
pub use origin::{BadOrigin, Origins, Standing, is_loopback_name};
pub use rate::Rates;
pub use secret::random_secret;

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
    /// Set or heal the faults of a link of the lab. Whose link it is, the lab decides.
    ChangeLink,
    /// See what only an operator should: the list of channels, and metrics.
    Operate,
}

/// Who wants to do it.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// How its `Origin` stands to this server.
    pub standing: Standing<'a>,
    /// Its address; behind a proxy, the proxy's, but behind the lab, the client's.
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
    /// The connection came in where only the lab may come in.
    #[error("here only the lab may connect; clients connect to its own port")]
    UnknownPeer,
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
    loopback_only: bool,
    connections: Arc<Connections>,
}

impl Guard {
    /// Returns the rules.
    #[must_use]
    pub const fn new(
        origins: Origins,
        rates: Rates,
        operators_anywhere: bool,
        loopback_only: bool,
        connections: Arc<Connections>,
    ) -> Self {
        Self { origins, rates, operators_anywhere, loopback_only, connections }
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
        Self::admitted(caller.connection)?;
        match action {
            Action::Read => Ok(()),
            Action::OpenWebSocket | Action::ChangeLink => Self::own_origin(caller),
            Action::Publish => Self::own_origin(caller).and_then(|()| self.within_rate(caller)),
            Action::PublishOnOpenSocket => self.within_rate(caller),
            Action::Operate => self.operator(caller),
        }
    }
    // ANCHOR_END: decide

    /// Decides whether a connection may be used at all.
    ///
    /// # Errors
    /// Tells why it may not.
    pub const fn admitted(connection: Verdict) -> Result<(), Refusal> {
        match connection {
            Verdict::Admitted => Ok(()),
            Verdict::TooMany => Err(Refusal::TooManyConnections),
            Verdict::TooManyFromAddress => Err(Refusal::TooManyPerAddress),
        }
    }

    // ANCHOR: misdirected
    /// Whether a request is meant for another host.
    ///
    /// A page can make its own host name point to 127.0.0.1. To the browser this server is then a part of that page's
    /// origin, and only `Host` tells. A server that listens on loopback alone has no names but those of loopback, and
    /// those whose pages it allows, under which a proxy may pass requests on.
    #[must_use]
    pub fn is_misdirected(&self, host: Option<&str>) -> bool {
        // Every browser sends a host.
        let Some(host) = host.filter(|_| self.loopback_only) else { return false };
        !is_loopback_name(host) && !self.origins.lists_host(host)
    }
    // ANCHOR_END: misdirected

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
        // On a server that others reach too, only `Host` tells a page whose name was made to point to 127.0.0.1.
        let is_local = caller.address.is_some_and(|address| address.to_canonical().is_loopback());
        let is_page = matches!(caller.standing, Standing::Foreign);
        let is_operator = is_local && caller.asked_for_loopback && !is_page;
        if self.operators_anywhere || is_operator { Ok(()) } else { Err(Refusal::NotAnOperator) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(loopback_only: bool) -> Guard {
        let origins = Origins::new(&["https://fall.example".to_owned()], vec![8080]).expect("a good origin");
        Guard::new(origins, Rates::new(None), false, loopback_only, Arc::new(Connections::new(1, None)))
    }

    #[test]
    fn a_name_that_was_made_to_point_to_loopback_is_not_answered() {
        let guard = guard(true);
        assert!(guard.is_misdirected(Some("evil.example:8080")));
        for good in [None, Some("localhost:8080"), Some("127.0.0.1:8080"), Some("fall.example")] {
            assert!(!guard.is_misdirected(good), "{good:?}");
        }
    }

    #[test]
    fn a_server_on_the_network_does_not_know_its_names() {
        assert!(!guard(false).is_misdirected(Some("fall.lan:8080")));
    }
}
