//! The address of a channel, as people write it on a command line.

use std::{fmt, str::FromStr};

use awc::http::{Uri, uri::Authority};
use thiserror::Error;

use crate::channel::ChannelName;

/// Where a channel without an address is looked for: `fallcast serve` without options listens there.
const HOME: &str = "localhost:8080";

/// The resources below a channel that are easily pasted together with its address.
const RESOURCES: [&str; 6] = ["ws", "sse", "poll", "stream", "presence", "leave"];

/// The address of one channel on one server.
///
/// It is written `http://HOST:PORT/channels/NAME`, `https`, `ws` and `wss` likewise. A bare `NAME` is a channel on this
/// machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelAddress {
    is_secure: bool,
    authority: Authority,
    path: String,
}

impl ChannelAddress {
    /// Whether requests go through TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }
}

/// Prints the address as an HTTP URL without a slash at its end.
impl fmt::Display for ChannelAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

/// Why a text is no channel's address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadAddress {
    /// A bare name breaks the rule for names.
    #[error("{0}; to reach a server, write http://HOST:PORT/channels/NAME")]
    Name(String),
    /// The text is no URL at all.
    #[error("this is no URL: {0}; write http://HOST:PORT/channels/NAME")]
    Url(String),
    /// The scheme is something else than HTTP and WebSocket.
    #[error("the scheme is http, https, ws or wss, not {0}")]
    Scheme(String),
    /// The path does not name a channel.
    #[error("the URL names no channel; append /channels/NAME to the server's address")]
    NoChannel,
    /// The URL is that of one transport or another part of the channel.
    #[error("this is the address of a part of the channel; leave /{0} away, and choose a transport with --transport")]
    Resource(&'static str),
    /// The URL has a query.
    #[error("leave the query (?{0}) away; its parameters are options of the command, see --help")]
    Query(String),
    /// A certificate is checked against a name.
    #[error("an https URL with an IPv6 address cannot be reached by this client; use the server's name")]
    SecureIpv6,
}

impl FromStr for ChannelAddress {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text.contains('/'), text.contains("://")) {
            (false, _) => parse_name(text),
            (true, true) => parse_url(text),
            // `localhost:8080/channels/chat`, as browsers and curl take it.
            (true, false) => parse_url(&format!("http://{text}")),
        }
    }
}

fn parse_name(text: &str) -> Result<ChannelAddress, BadAddress> {
    let name: ChannelName = text.parse().map_err(|rule| BadAddress::Name(format!("{rule}")))?;
    Ok(ChannelAddress { is_secure: false, authority: Authority::from_static(HOME), path: format!("/channels/{name}") })
}

fn parse_url(text: &str) -> Result<ChannelAddress, BadAddress> {
    let uri: Uri = text.parse().map_err(|error| BadAddress::Url(format!("{error}")))?;
    let authority = uri.authority().ok_or_else(|| BadAddress::Url("there is no host".to_owned()))?;
    let is_secure = parse_scheme(uri.scheme_str().unwrap_or_default())?;
    if is_secure && authority.host().starts_with('[') {
        return Err(BadAddress::SecureIpv6);
    }
    if let Some(query) = uri.query() {
        return Err(BadAddress::Query(query.to_owned()));
    }
    let path = parse_path(uri.path().trim_end_matches('/'))?;
    Ok(ChannelAddress { is_secure, authority: authority.clone(), path })
}

fn parse_scheme(scheme: &str) -> Result<bool, BadAddress> {
    match scheme {
        "http" | "ws" => Ok(false),
        "https" | "wss" => Ok(true),
        other => Err(BadAddress::Scheme(other.to_owned())),
    }
}

/// Checks that the path ends in `/channels/NAME`. A proxy may serve the channels below a prefix of its own.
fn parse_path(path: &str) -> Result<String, BadAddress> {
    if names_channel(path) {
        return Ok(path.to_owned());
    }
    let resource = RESOURCES.into_iter().find(|resource| {
        let parent = path.strip_suffix(resource).and_then(|parent| parent.strip_suffix('/'));
        parent.is_some_and(names_channel)
    });
    Err(resource.map_or(BadAddress::NoChannel, BadAddress::Resource))
}

fn names_channel(path: &str) -> bool {
    path.rsplit_once('/')
        .is_some_and(|(parent, name)| parent.ends_with("/channels") && name.parse::<ChannelName>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let address = text.parse::<ChannelAddress>().map(|address| address.to_string());
        assert_eq!(address.as_deref(), Ok(expected), "{text}");
    }

    #[track_caller]
    fn refuse(text: &str, expected: &str) {
        let error = text.parse::<ChannelAddress>().expect_err(text).to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }

    #[test]
    fn a_bare_name_is_a_channel_on_this_machine() {
        check("chat", "http://localhost:8080/channels/chat");
        check("a-b_c.d~e", "http://localhost:8080/channels/a-b_c.d~e");
    }

    #[test]
    fn a_url_may_have_any_of_four_schemes_or_none() {
        check("http://[::1]:8080/channels/chat", "http://[::1]:8080/channels/chat");
        check("https://example.org/channels/chat/", "https://example.org/channels/chat");
        check("ws://localhost:9/channels/chat", "http://localhost:9/channels/chat");
        check("wss://localhost/channels/chat", "https://localhost/channels/chat");
        check("localhost:8080/channels/chat", "http://localhost:8080/channels/chat");
    }

    #[test]
    fn a_proxy_may_put_a_prefix_in_front() {
        check("http://localhost/live/channels/chat", "http://localhost/live/channels/chat");
    }

    #[test]
    fn every_refusal_says_what_to_write_instead() {
        refuse("", "a channel name is");
        refuse("localhost:8080", "write http://HOST:PORT/channels/NAME");
        refuse("ftp://localhost/channels/chat", "not ftp");
        refuse("http://localhost:8080", "append /channels/NAME");
        refuse("http://localhost:8080/channels/", "append /channels/NAME");
        refuse("http://localhost:8080/channels/a%20b", "append /channels/NAME");
        refuse("http://localhost:8080/channels/chat/sse", "leave /sse away");
        refuse("http://localhost:8080/channels/chat?after=start", "leave the query (?after=start) away");
        refuse("http:///channels/chat", "this is no URL");
        refuse("https://[::1]/channels/chat", "IPv6");
    }
}
