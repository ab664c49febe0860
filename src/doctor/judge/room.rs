//! Whether there is room for a class.

use super::{Finding, Mark, words::list};
use crate::doctor::observations::{Observations, Room};

/// A class of forty, of whom each has a laptop and a phone with some tabs on each.
const CLASS: usize = 400;

/// What there is.
pub fn find(o: &Observations) -> Option<Finding> {
    let room = o.room.as_ref()?;
    let descriptors = match (room.soft_descriptors, room.hard_descriptors) {
        (Some(soft), Some(hard)) if soft == hard => format!(" and {soft} file descriptors"),
        (Some(soft), Some(hard)) => format!(" and {soft} file descriptors (at most {hard})"),
        _ => String::new(),
    };
    let seen = format!(
        "Room for {} connections (open now: {}), with {} cores, {} workers{descriptors}. {}",
        room.max_connections,
        room.open_connections,
        room.cores,
        room.workers,
        addresses(room),
    );
    let is_small = room.max_connections < CLASS;
    let is_deaf = room.is_public && !room.urls.is_empty() && room.deaf_urls.len() == room.urls.len();
    let mark = if is_small || is_deaf || !room.is_public { Mark::Notice } else { Mark::Well };
    let mut remedies = Vec::new();
    if !room.is_public {
        remedies.push(
            "For a class, start the server with `--host 0.0.0.0`; it then prints the addresses and a code to scan."
                .to_owned(),
        );
    }
    if is_small {
        remedies.push(more_room(room));
    }
    remedies.push(firewall(room));
    let means = "Whether phones get there cannot be seen from this machine: a firewall here, or a Wi-Fi that keeps its guests \
                 apart, only shows from outside. Open the address on one phone before the lesson.";
    Some(Finding::new("room", "Room for a class", mark, seen).means(means).remedy(remedies.join(" ")))
}

fn addresses(room: &Room) -> String {
    if !room.is_public {
        let networks = match room.networks.as_slice() {
            [] => "which is in no network".to_owned(),
            networks => format!("whose addresses are {}", list(networks)),
        };
        return format!("It listens for this machine alone, {networks}.");
    }
    match (room.urls.as_slice(), room.deaf_urls.as_slice()) {
        ([], _) => "It listens for others, but this machine is in no network.".to_owned(),
        (urls, []) => format!("Others reach it at {}; it answers there.", list(urls)),
        (urls, deaf) => format!("Others reach it at {}; at {} nobody answers.", list(urls), list(deaf)),
    }
}

fn more_room(room: &Room) -> String {
    if room.asked_for > 0 && room.asked_for <= room.max_connections {
        return format!("`--max-connections {}` is what bounds it; raise it or leave it away.", room.asked_for);
    }
    "Descriptors bound it: raise the limit before the server starts, with `ulimit -Hn` as root or `LimitNOFILE=` of systemd."
        .to_owned()
}

fn firewall(room: &Room) -> String {
    match room.firewall.as_deref() {
        Some("ufw") => "The firewall ufw is on here; `sudo ufw allow PORT/tcp` opens the server's port.".to_owned(),
        Some("firewalld") => {
            "firewalld is running here; `sudo firewall-cmd --add-port=PORT/tcp` opens the server's port.".to_owned()
        }
        Some(other) => format!("The firewall {other} is on here; allow the server's port."),
        None => "If a phone does not get there, allow fallcast in this machine's firewall.".to_owned(),
    }
}
