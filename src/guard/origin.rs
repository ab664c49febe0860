//! Origins: which web pages may speak to this server (RFC 6455 §10.2, WHATWG Fetch §3.2).
//!
//! A browser tells which page a request comes from, and only a browser does; the check protects its user, not the server.
//! All listeners of one server count as one origin, since a page of one may use the other.

use std::{net::IpAddr, str::FromStr};

use thiserror::Error;

/// How the `Origin` of a request stands to this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// There is none: this is no page in a browser.
    NoBrowser,
    /// A page of this server.
    Own,
    /// A page on the allow list, or of another listener of this server, which needs CORS headers.
    Listed(&'a str),
    /// Any other page, and `null`.
    Foreign,
}

/// The origins that may speak to this server.
#[derive(Clone, Debug)]
pub struct Origins {
    allowed: Vec<AllowedOrigin>,
    own_ports: Vec<u16>,
}

/// An entry of the allow list: an origin such as `https://example.org:8443`, or `*` for any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedOrigin(Box<str>);

/// Why a text is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an origin is a scheme, a host and perhaps a port, such as https://example.org:8443, without a path; or *")]
pub struct BadOrigin;

impl FromStr for AllowedOrigin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, BadOrigin> {
        let text = text.trim_end_matches('/');
        let is_origin = authority(text).is_some_and(|authority| !authority.is_empty() && !authority.contains('/'));
        if text == "*" || is_origin { Ok(Self(text.to_ascii_lowercase().into())) } else { Err(BadOrigin) }
    }
}

impl Origins {
    /// Returns the rules for a server that listens on `own_ports`.
    ///
    /// # Errors
    /// Refuses what is no origin.
    pub fn new(allowed: &[String], own_ports: Vec<u16>) -> Result<Self, BadOrigin> {
        let allowed = allowed.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        Ok(Self { allowed, own_ports })
    }

    /// Judges a request by its `Origin` and `Host`.
    #[must_use]
    pub fn judge<'a>(&self, origin: Option<&'a [u8]>, host: Option<&str>) -> Standing<'a> {
        let Some(origin) = origin else { return Standing::NoBrowser };
        let Ok(origin) = std::str::from_utf8(origin) else { return Standing::Foreign };
        if let (Some(of_page), Some(host)) = (authority(origin), host) {
            if without_default_port(of_page).eq_ignore_ascii_case(without_default_port(host)) {
                return Standing::Own;
            }
            if self.is_sibling(of_page, default_port(origin), host) {
                return Standing::Listed(origin);
            }
        }
        let is_listed = |allowed: &AllowedOrigin| &*allowed.0 == "*" || allowed.0.eq_ignore_ascii_case(origin);
        if self.allowed.iter().any(is_listed) { Standing::Listed(origin) } else { Standing::Foreign }
    }

    /// Whether pages of this host are on the allow list.
    #[must_use]
    pub fn lists_host(&self, host: &str) -> bool {
        let (host, _) = split_port(host);
        let is_same = |listed: &str| split_port(listed).0.eq_ignore_ascii_case(host);
        self.allowed.iter().any(|allowed| &*allowed.0 == "*" || authority(&allowed.0).is_some_and(is_same))
    }

    /// Whether the page comes from another listener of this server, under the same host name.
    fn is_sibling(&self, of_page: &str, default_port: u16, host: &str) -> bool {
        let (page_host, page_port) = split_port(of_page);
        let (own_host, _) = split_port(host);
        page_host.eq_ignore_ascii_case(own_host) && self.own_ports.contains(&page_port.unwrap_or(default_port))
    }

    /// The server's other ports under the same host name, as `HOST:PORT`. A client can make up any `Host`, so what is no
    /// plain name has none.
    #[must_use]
    pub fn siblings(&self, host: &str) -> Vec<String> {
        let (name, port) = split_port(host);
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
        let others = self.own_ports.iter().filter(|&&other| is_plain && Some(other) != port);
        others.map(|other| format!("{name}:{other}")).collect()
    }

    /// The server's ports under the other loopback names, if `host` is one: the same machine, but to a browser another site.
    #[must_use]
    pub fn counterparts(&self, host: &str) -> Vec<String> {
        let (own_name, _) = split_port(host);
        let others = LOOPBACK_NAMES.into_iter().filter(|name| !name.eq_ignore_ascii_case(own_name));
        others.filter(|_| is_loopback_name(host)).flat_map(|name| self.siblings(name)).collect()
    }
}

/// The names by which people call this machine from itself.
const LOOPBACK_NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// What stands behind `http://` or `https://`.
fn authority(origin: &str) -> Option<&str> {
    let (scheme, authority) = origin.split_once("://")?;
    matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https").then_some(authority)
}

/// Whether a host, with or without a port, is a name that every machine has for itself: a loopback address, `localhost`,
/// or a name below it (RFC 6761 §6.3).
#[must_use]
pub fn is_loopback_name(host: &str) -> bool {
    let (name, _) = split_port(host);
    let is_localhost = name.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"));
    // On the command line an IPv6 address has neither brackets nor a port.
    is_localhost || is_loopback_address(name) || is_loopback_address(host)
}

fn is_loopback_address(text: &str) -> bool {
    let address = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The port that an origin leaves out (RFC 6454 §6.2).
fn default_port(origin: &str) -> u16 {
    if origin.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:")) { 443 } else { 80 }
}

fn without_default_port(authority: &str) -> &str {
    authority.strip_suffix(":80").or_else(|| authority.strip_suffix(":443")).unwrap_or(authority)
}

/// Splits off the port. An IPv6 address is in brackets, so the last colon behind them is the port's.
fn split_port(authority: &str) -> (&str, Option<u16>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(origin: Option<&str>, host: &str, expected: Standing<'_>) {
        let allowed = ["https://Example.org:8443".to_owned(), "http://intra.net/".to_owned()];
        let origins = Origins::new(&allowed, vec![8080, 8081]).expect("good origins");
        assert_eq!(origins.judge(origin.map(str::as_bytes), Some(host)), expected);
    }

    #[test]
    fn the_servers_own_pages_and_those_on_the_list_may_come() {
        check(None, "localhost:8080", Standing::NoBrowser);
        check(Some("http://localhost:8080"), "localhost:8080", Standing::Own);
        check(Some("https://fall.example"), "fall.example:443", Standing::Own);
        check(Some("http://[::1]:8080"), "[::1]:8080", Standing::Own);
        check(Some("http://localhost:8081"), "localhost:8080", Standing::Listed("http://localhost:8081"));
        check(Some("https://example.org:8443"), "localhost:8080", Standing::Listed("https://example.org:8443"));
        check(Some("http://intra.net"), "localhost:8080", Standing::Listed("http://intra.net"));
    }

    #[test]
    fn a_page_on_a_default_port_names_none_and_is_a_sibling_all_the_same() {
        let origins = Origins::new(&[], vec![443, 8081]).expect("good origins");
        let judge = |origin: &'static str| origins.judge(Some(origin.as_bytes()), Some("fall.example:8081"));
        assert_eq!(judge("https://fall.example"), Standing::Listed("https://fall.example"));
        assert_eq!(judge("http://fall.example"), Standing::Foreign);
    }

    #[test]
    fn a_page_may_speak_to_the_other_ports_under_its_own_host_name_if_that_is_one() {
        let origins = Origins::new(&[], vec![8080, 8081]).expect("good origins");
        assert_eq!(origins.siblings("fall.lan:8080"), ["fall.lan:8081"]);
        for made_up in ["a b:8080", "a;script-src *:8080", "[::1]:8080"] {
            assert!(origins.siblings(made_up).is_empty(), "{made_up}");
        }
    }

    #[test]
    fn this_machine_has_another_name_for_itself_and_no_other_host_has() {
        let origins = Origins::new(&[], vec![8080, 8081]).expect("good origins");
        assert_eq!(origins.counterparts("localhost:8080"), ["127.0.0.1:8080", "127.0.0.1:8081"]);
        assert_eq!(origins.counterparts("127.0.0.1:8080"), ["localhost:8080", "localhost:8081"]);
        assert!(origins.counterparts("fall.lan:8080").is_empty());
    }

    #[test]
    fn every_other_page_is_foreign() {
        check(Some("null"), "localhost:8080", Standing::Foreign);
        check(Some(""), "localhost:8080", Standing::Foreign);
        check(Some("http://localhost:9000"), "localhost:8080", Standing::Foreign);
        check(Some("http://evil.example:8081"), "localhost:8080", Standing::Foreign);
        check(Some("http://localhost:8080.evil.example"), "localhost:8080", Standing::Foreign);
        check(Some("file://localhost:8080"), "localhost:8080", Standing::Foreign);
    }

    #[test]
    fn a_listed_origin_lists_its_host_with_any_port() {
        let origins = Origins::new(&["https://Example.org:8443".to_owned()], vec![]).expect("good origins");
        assert!(origins.lists_host("example.org"));
        assert!(origins.lists_host("example.org:443"));
        assert!(!origins.lists_host("www.example.org"));
        assert!(Origins::new(&["*".to_owned()], vec![]).expect("good origins").lists_host("example.net"));
    }

    #[test]
    fn loopback_has_many_names_and_no_other_host_passes_for_it() {
        for name in ["localhost", "LocalHost:8080", "app.localhost:8080", "127.0.0.1:80", "[::1]:80", "::1"] {
            assert!(is_loopback_name(name), "{name}");
        }
        for name in ["", "evil.example", "notlocalhost", "localhost.evil.example", "127.0.0.1.example", "0.0.0.0"] {
            assert!(!is_loopback_name(name), "{name}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused_at_the_start() {
        for bad in ["example.org", "http://", "http://a/b", "ftp://a"] {
            assert_eq!(Origins::new(&[bad.to_owned()], vec![]).err(), Some(BadOrigin), "{bad}");
        }
    }
}
