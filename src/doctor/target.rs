//! The address that is examined, as people write it.

use std::{fmt, net::IpAddr, str::FromStr};

use actix_web::http::Uri;
use thiserror::Error;

use crate::guard::is_loopback_name;

/// A server's address: scheme, host, port, perhaps a folder below which a proxy has put it, and perhaps a query that goes
/// with every request, such as the link of a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whether it is reached over TLS.
    pub is_secure: bool,
    /// The host's name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    folder: String,
    query: Option<String>,
}

/// Why a text is no address of a server.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadTarget {
    /// It is no URL.
    #[error("this is no URL: {0}; write http://HOST:PORT")]
    Url(String),
    /// It has another scheme.
    #[error("the scheme is http, https, ws or wss, not {0}")]
    Scheme(String),
}

/// Pages and resources that people copy from the address bar with the server's address.
const BELOW: [&str; 5] = ["/doctor", "/examination", "/channels/", "/demos/", "/book/"];

impl FromStr for Target {
    type Err = BadTarget;

    fn from_str(text: &str) -> Result<Self, BadTarget> {
        // `localhost:8080`, as browsers and curl take it.
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = text.parse().map_err(|fault| BadTarget::Url(format!("{fault}")))?;
        let is_secure = match uri.scheme_str().unwrap_or_default() {
            "http" | "ws" => false,
            "https" | "wss" => true,
            other => return Err(BadTarget::Scheme(other.to_owned())),
        };
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| BadTarget::Url("there is no host".to_owned()))?;
        let path = uri.path();
        let end = BELOW.into_iter().filter_map(|below| path.find(below)).min().unwrap_or(path.len());
        Ok(Self {
            is_secure,
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 }),
            folder: path[..end].trim_end_matches('/').to_owned(),
            query: uri.query().filter(|query| !query.is_empty()).map(str::to_owned),
        })
    }
}

/// Prints the address as an HTTP URL.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}/", self.authority(), self.folder)?;
        self.query.iter().try_for_each(|query| write!(f, "?{query}"))
    }
}

impl Target {
    /// The target of a request for one of the server's addresses, such as `/examination/ws?for=1000`.
    #[must_use]
    pub fn path(&self, address: &str) -> String {
        let separator = if address.contains('?') { '&' } else { '?' };
        match &self.query {
            Some(query) => format!("{}{address}{separator}{query}", self.folder),
            None => format!("{}{address}", self.folder),
        }
    }

    /// Host and port, as `Host` names them.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.is_secure, self.port) {
            (false, 80) | (true, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// Whether the address is one of this machine.
    #[must_use]
    pub fn is_this_machine(&self) -> bool {
        let is_own = |address: IpAddr| {
            let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
            interfaces.iter().any(|interface| interface.ip() == address)
        };
        is_loopback_name(&self.host) || self.host.parse().is_ok_and(is_own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, printed: &str, path: &str) {
        let target: Target = text.parse().expect(text);
        assert_eq!((target.to_string().as_str(), target.path("/examination/clock").as_str()), (printed, path));
    }

    #[test]
    fn an_address_may_be_written_in_many_ways() {
        check("localhost:8080", "http://localhost:8080/", "/examination/clock");
        check("http://h", "http://h/", "/examination/clock");
        check("wss://h:443/", "https://h/", "/examination/clock");
        check("https://h:8443/doctor", "https://h:8443/", "/examination/clock");
        check("http://h/live/channels/chat/sse", "http://h/live/", "/live/examination/clock");
        check("http://[::1]:8081/?link=x", "http://[::1]:8081/?link=x", "/examination/clock?link=x");
    }

    #[test]
    fn the_query_goes_with_every_request() {
        let target: Target = "http://h/?link=x".parse().expect("an address");
        assert_eq!(target.path("/examination/ws?for=1"), "/examination/ws?for=1&link=x");
    }

    #[test]
    fn what_is_no_address_is_told() {
        assert!(matches!("ftp://h".parse::<Target>(), Err(BadTarget::Scheme(_))));
        assert!(matches!("http://".parse::<Target>(), Err(BadTarget::Url(_))));
    }
}
