//! The lab as a part of the server: its listeners, the inner door behind it, and its links.

use std::sync::Arc;

use crate::{
    config::{Config, LabPort},
    lab::{Desk, House, LinkLimits, Links, Plan, Tap},
    transport::State,
};

use super::{InnerDoor, Listeners, ServerError, accept::set_up, tls::Identity};

/// The setting of the lab's port.
const FLAG: &str = "--lab-port";

/// The lab of a server that has one.
#[derive(Debug)]
pub struct Lab {
    listeners: Listeners,
    inner_door: InnerDoor,
    links: Arc<Links>,
}

impl Lab {
    /// The lab that the configuration asks for, if any. It listens where the server does, on a port of its own.
    ///
    /// # Errors
    /// Tells why the lab's port cannot be had.
    pub fn of(config: &Config) -> Result<Option<Self>, ServerError> {
        let Some(listeners) = listeners(config)? else { return Ok(None) };
        let limits = LinkLimits { links: config.max_links, expiry: config.link_expiry.0 };
        let tap = Some(config.lab_recording.0).filter(|&limit| limit > 0).map(|limit| Arc::new(Tap::new(limit)));
        Ok(Some(Self { listeners, inner_door: InnerDoor::open()?, links: Arc::new(Links::new(limits, tap)) }))
    }

    /// The lab's port. It is the same on all addresses.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.listeners.addresses()[0].port()
    }

    /// The ports, each once.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        self.listeners.ports()
    }

    /// Where the lab comes into the server.
    #[must_use]
    pub const fn inner_door(&self) -> &InnerDoor {
        &self.inner_door
    }

    /// What the lab's addresses on the main port need.
    #[must_use]
    pub fn desk(&self) -> Desk {
        Desk { port: self.port(), links: Arc::clone(&self.links) }
    }

    /// Starts the lab's thread.
    ///
    /// # Errors
    /// Fails if the system has no thread or descriptor left.
    pub fn open(
        &self,
        config: &Config,
        state: &State,
        tls: Option<&Identity>,
        max_connections: usize,
    ) -> Result<House, ServerError> {
        let plan = Plan {
            listeners: self.listeners.take_sockets()?,
            tls: tls.map(|identity| identity.config.clone()),
            max_connections,
            max_per_address: Some(config.max_connections_per_address).filter(|&max| max > 0),
            set_up: (set_up, config.stall_timeout.0),
            request_timeout: config.request_timeout.0,
            upstream: self.inner_door.address(),
            peers: self.inner_door.peers().clone(),
            links: Arc::clone(&self.links),
            hub: Arc::clone(&state.hub),
            guard: Arc::clone(&state.guard),
        };
        Ok(House::open(plan)?)
    }
}

/// The lab's listeners. If the default port is taken the server goes on without; a port that was asked for must be had.
fn listeners(config: &Config) -> Result<Option<Listeners>, ServerError> {
    let bind = |port| Listeners::bind(&config.host, port, FLAG);
    match config.lab_port {
        LabPort::Off => Ok(None),
        LabPort::Free => bind(0).map(Some),
        LabPort::Exactly(port) => bind(port).map(Some),
        LabPort::IfFree(port) => match bind(port) {
            Ok(listeners) => Ok(Some(listeners)),
            Err(fault) => {
                tracing::warn!("no lab: {fault}, or --lab-port 0 to do without");
                Ok(None)
            }
        },
    }
}
