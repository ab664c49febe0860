//! Where a server is reached by those who speak plain HTTP over sockets of their own: the benchmark and the checks.

use std::{
    fmt,
    net::{SocketAddr, ToSocketAddrs as _},
};

use thiserror::Error;

/// Where a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its address, which was looked up once.
    pub address: SocketAddr,
    /// Host and port as requests name them.
    pub host: String,
}

/// A URL that names no such place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{url}: {reason}; an address looks like http://localhost:8082")]
pub struct BadOrigin {
    /// What was given.
    pub url: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "http://{}", self.host)
    }
}

impl Origin {
    /// The origin in a URL, looked up.
    ///
    /// # Errors
    /// It is no plain HTTP, or nobody knows the host.
    pub fn of(url: &str) -> Result<Self, BadOrigin> {
        let fault = |reason: String| BadOrigin { url: url.to_owned(), reason };
        let rest = match url.split_once("://") {
            Some(("http" | "ws", rest)) => rest,
            Some(("https" | "wss", _)) => {
                return Err(fault(
                    "only plain HTTP is spoken here; name the server's own port, without TLS".to_owned(),
                ));
            }
            _ => return Err(fault("it does not begin with http://".to_owned())),
        };
        let host = rest.trim_end_matches('/');
        if host.is_empty() || host.contains(['/', '?', '#', '@']) {
            let reason = "it has more or less than a host and a port; paths belong into the template or profile";
            return Err(fault(reason.to_owned()));
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let with_port = if has_port { host.to_owned() } else { format!("{host}:80") };
        let mut addresses = with_port.to_socket_addrs().map_err(|error| fault(error.to_string()))?;
        // Many servers listen on 127.0.0.1 alone, and `localhost` may mean ::1 first.
        let first = addresses.next();
        let address = first.filter(SocketAddr::is_ipv4).or_else(|| addresses.find(SocketAddr::is_ipv4)).or(first);
        let address = address.ok_or_else(|| fault("it has no address".to_owned()))?;
        Ok(Self { address, host: host.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_host_and_port() {
        for (url, host, port) in [
            ("http://127.0.0.1:8082", "127.0.0.1:8082", 8082),
            ("http://127.0.0.1/", "127.0.0.1", 80),
            ("ws://127.0.0.1:9000", "127.0.0.1:9000", 9000),
        ] {
            let origin = Origin::of(url).expect("an origin");
            assert_eq!((origin.host.as_str(), origin.address.port()), (host, port));
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_with_the_remedy() {
        let fault = |url| Origin::of(url).expect_err("a fault").to_string();
        assert!(fault("localhost:8080").contains("begin with http://"));
        assert!(fault("https://localhost").contains("without TLS"));
        assert!(fault("http://localhost/sub").contains("paths belong into"));
        assert!(fault("http://no-such-host.invalid").contains("no-such-host.invalid"));
    }
}
