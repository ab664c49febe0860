//! What single demos need of the server beside channels and the lab. Their pages are in `demos/`.

mod crowd;
mod hijack;
mod vitals;

pub use crowd::{BadOrder, NotStarted};
pub use hijack::keeps_to_itself;

use std::time::Instant;

use actix_web::{http::Method, web};

use crate::{
    config::Config,
    transport::{State, method_not_allowed, methods, readable, writable},
};

use crowd::Experiments;
use hijack::Bank;

/// What all workers share of the demos.
#[derive(Clone, Debug)]
pub struct Demos {
    started: Instant,
    bank: web::Data<Bank>,
    experiments: web::Data<Experiments>,
}

/// What can be done with an experiment.
const METHODS: &str = "GET, HEAD, POST, DELETE, OPTIONS";

impl Demos {
    /// Returns what a server that starts now shares.
    #[must_use]
    pub fn begin(config: &Config, state: &State) -> Self {
        Self {
            started: Instant::now(),
            bank: web::Data::new(Bank::default()),
            experiments: web::Data::new(Experiments::new(config, state)),
        }
    }

    /// The addresses. They must be known before the folder of the pages, in which they stand.
    pub fn routes(&self, app: &mut web::ServiceConfig) {
        app.app_data(web::Data::new(vitals::Started(self.started)))
            .app_data(self.bank.clone())
            .app_data(self.experiments.clone())
            .service(
                web::resource("/crowd")
                    .route(web::get().to(crowd::offer))
                    .route(web::head().to(crowd::offer))
                    .route(web::post().to(crowd::start))
                    .route(web::delete().to(crowd::stop))
                    .route(web::method(Method::OPTIONS).to(async || methods(METHODS)))
                    .default_service(web::to(|| method_not_allowed(METHODS))),
            )
            .service(readable("/demos/vitals", vitals::show))
            .service(writable("/demos/hijack/login", hijack::log_in))
            .service(readable("/demos/hijack/account", hijack::show))
            .service(readable("/demos/hijack/sse", hijack::stream))
            .service(readable("/demos/hijack/ws", hijack::open));
    }
}
