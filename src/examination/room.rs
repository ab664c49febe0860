//! `GET /examination/room`: what this machine has for a class. Only operators may ask.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::{
    config::Config,
    doctor::Room,
    guard::Action,
    server::lan_addresses,
    transport::{Problem, Query, State},
};

use super::json_answer;

/// What does not change while the server runs.
#[derive(Clone, Debug)]
pub struct Facts {
    workers: usize,
    urls: Vec<String>,
    is_public: bool,
    asked_for: usize,
    max_connections: usize,
}

impl Facts {
    /// The facts of a server that can be reached at these addresses by others.
    pub fn of(config: &Config, state: &State, urls: Vec<String>, is_public: bool) -> Self {
        Self {
            workers: config.workers,
            urls,
            is_public,
            asked_for: config.max_connections,
            max_connections: state.guard.connections().max(),
        }
    }
}

/// Tells what there is.
///
/// # Errors
/// Refuses whoever is no operator.
pub async fn show(
    request: HttpRequest,
    state: web::Data<State>,
    facts: web::Data<Facts>,
) -> Result<HttpResponse, Problem> {
    state.decide(&request, Action::Operate)?;
    Query::read(request.query_string(), &[])?;
    let (soft_descriptors, hard_descriptors) = descriptors().unzip();
    Ok(json_answer(&Room {
        soft_descriptors,
        hard_descriptors,
        asked_for: facts.asked_for,
        max_connections: facts.max_connections,
        open_connections: state.guard.connections().open(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        workers: facts.workers,
        is_public: facts.is_public,
        urls: facts.urls.clone(),
        firewall: firewall().map(str::to_owned),
        deaf_urls: Vec::new(),
        networks: lan_addresses().iter().map(ToString::to_string).collect(),
    }))
}

/// The limits of descriptors, where there are any: the one that holds, and the one up to which it can be raised.
#[cfg(unix)]
fn descriptors() -> Option<(u64, u64)> {
    rlimit::getrlimit(rlimit::Resource::NOFILE).ok()
}

#[cfg(not(unix))]
const fn descriptors() -> Option<(u64, u64)> {
    None
}

/// A firewall that says of itself that it is switched on. That none says so proves nothing: rules can be read by root alone.
#[cfg(target_os = "linux")]
fn firewall() -> Option<&'static str> {
    let is_on = |path: &str, line: &str| {
        std::fs::read_to_string(path)
            .is_ok_and(|text| text.lines().any(|found| found.trim().eq_ignore_ascii_case(line)))
    };
    if is_on("/etc/ufw/ufw.conf", "ENABLED=yes") {
        return Some("ufw");
    }
    std::path::Path::new("/run/firewalld.pid").exists().then_some("firewalld")
}

#[cfg(not(target_os = "linux"))]
const fn firewall() -> Option<&'static str> {
    None
}
