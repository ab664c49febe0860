//! What the server prints when it starts: how to reach it, and what that means.

use std::{
    io::Write as _,
    net::{IpAddr, SocketAddr},
};

use qrcode::{QrCode, render::unicode::Dense1x2};

use crate::config::Config;

use super::{Listeners, lab::Lab, tls::Identity};

/// Prints the addresses of a server that listens. The first line is for programs: `listening on URL`.
pub fn print(config: &Config, listeners: &Listeners, lab: Option<&Lab>, tls: Option<&Identity>) {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let port = listeners.addresses()[0].port();
    let url = |host: &str| format!("{scheme}://{host}:{port}");
    let host = first_host(config, listeners);
    let mut lines = vec![format!("listening on {}", url(&host))];
    lines.extend(lab.map(|lab| {
        format!("  lab: {scheme}://{host}:{} (the same server over a network that misbehaves on command)", lab.port())
    }));
    if listeners.are_public() {
        let room = urls(listeners, tls);
        lines.extend(room.iter().map(|url| format!("  from this network: {url}")));
        lines.extend(room.first().and_then(|url| qr_code(url)));
        lines.push(
            "Whoever is on this network can read and publish on every channel. \
             For this machine only, leave --host away."
                .to_owned(),
        );
    }
    if let Some(identity) = tls.filter(|_| config.tls_self_signed) {
        lines.push(format!("certificate fingerprint (SHA-256): {}", identity.fingerprint));
        lines.push(
            "Browsers warn, for nobody has signed this certificate; compare the fingerprint and go on.".to_owned(),
        );
    }
    let insecure = if config.tls_self_signed { "-k " } else { "" };
    lines.push(format!("Try: curl {insecure}-d hello {}/channels/chat", url(&host)));
    // If nobody reads standard output, nobody misses this.
    let mut out = std::io::stdout().lock();
    let _ = out.write_all((lines.join("\n") + "\n").as_bytes()).and_then(|()| out.flush());
}

/// The host by which this machine reaches the server itself.
fn first_host(config: &Config, listeners: &Listeners) -> String {
    if config.host.is_empty() {
        return "localhost".to_owned();
    }
    let address = listeners.addresses()[0].ip();
    if address.is_unspecified() { "localhost".to_owned() } else { in_url(address) }
}

fn in_url(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// The addresses by which others on the network reach the server.
pub fn urls(listeners: &Listeners, tls: Option<&Identity>) -> Vec<String> {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let port = listeners.addresses()[0].port();
    reachable_hosts(listeners).iter().map(|host| format!("{scheme}://{host}:{port}")).collect()
}

/// The hosts by which others on the network reach the server, IPv4 first, for those are easier to type.
fn reachable_hosts(listeners: &Listeners) -> Vec<String> {
    let listens_on = |address: IpAddr| {
        let matches = |listener: &SocketAddr| {
            let any = listener.ip().is_unspecified() && listener.is_ipv4() == address.is_ipv4();
            any || listener.ip() == address
        };
        listeners.addresses().iter().any(matches)
    };
    let mut addresses: Vec<IpAddr> = lan_addresses().into_iter().filter(|&address| listens_on(address)).collect();
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses.into_iter().map(in_url).collect()
}

/// This machine's addresses but for loopback and link-local ones, which need a zone and are no use in a URL.
#[must_use]
pub fn lan_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let useful = |interface: &if_addrs::Interface| !interface.is_loopback() && !interface.is_link_local();
    interfaces.into_iter().filter(useful).map(|interface| interface.ip()).collect()
}

/// A QR code of half-block characters, light on dark as terminals mostly are, with the quiet zone that scanners need.
fn qr_code(url: &str) -> Option<String> {
    let code = QrCode::new(url).ok()?;
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).quiet_zone(true).build())
}
