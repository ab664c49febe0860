//! What single demos need of the server beside channels and the lab. Their pages are in `demos/`.

mod hijack;
mod vitals;

pub use hijack::keeps_to_itself;

use std::time::Instant;

use actix_web::web;

use crate::transport::{readable, writable};

use hijack::Bank;

/// What all workers share of the demos.
#[derive(Clone, Debug)]
pub struct Demos {
    started: Instant,
    bank: web::Data<Bank>,
}

impl Demos {
    /// Returns what a server that starts now shares.
    #[must_use]
    pub fn begin() -> Self {
        Self { started: Instant::now(), bank: web::Data::new(Bank::default()) }
    }

    /// The addresses. They must be known before the folder of the pages, in which they stand.
    pub fn routes(&self, app: &mut web::ServiceConfig) {
        app.app_data(web::Data::new(vitals::Started(self.started)))
            .app_data(self.bank.clone())
            .service(readable("/demos/vitals", vitals::show))
            .service(writable("/demos/hijack/login", hijack::log_in))
            .service(readable("/demos/hijack/account", hijack::show))
            .service(readable("/demos/hijack/sse", hijack::stream))
            .service(readable("/demos/hijack/ws", hijack::open));
    }
}
