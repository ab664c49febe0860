//! How an app comes to stand behind a listener, on every worker.
//!
//! It is what actix-web's `HttpServer` does, but for the type of a plain connection: a [`Socket`] can leave the framework.

use std::{fmt, io, marker::PhantomData, net::TcpListener, rc::Rc, sync::Arc, time::Duration};

use actix_http::{HttpServiceBuilder, Request};
use actix_server::{Server, ServerBuilder};
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt as _, fn_factory, fn_service, map_config,
};
use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{AppConfig, Response},
    rt::net::TcpStream,
};

use crate::{
    config::Config,
    delivery::{Homecoming, Socket},
    transport::State,
};

use super::{DISCONNECT_TIMEOUT, REFUSED_AT_ONCE, accept::Reception, tls::Identity};

/// Listeners with an app behind each, and the threads on which both run.
pub struct Workers<F, S, B> {
    app: F,
    _app: PhantomData<fn() -> (S, B)>,
    builder: ServerBuilder,
    times: Times,
    reception: Arc<Reception>,
    /// For whom sockets leave the framework; for nobody without direct delivery.
    direct: Option<State>,
}

#[derive(Clone, Copy)]
struct Times {
    keep_alive: Duration,
    request: Duration,
}

impl<F, I, S, B> Workers<F, S, B>
where
    F: Fn() -> I + Clone + Send + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Service: 'static,
    S::Future: 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    B: MessageBody + 'static,
{
    /// Prepares the workers that the configuration asks for.
    pub fn new(config: &Config, state: &State, reception: Reception, app: F) -> Self {
        let builder = ServerBuilder::new()
            .workers(config.workers)
            // The limit is kept by `guard`, which says why; this one only keeps descriptors from running out.
            .max_concurrent_connections(
                state.guard.connections().max().div_ceil(config.workers).saturating_add(REFUSED_AT_ONCE),
            )
            .shutdown_timeout(0)
            .disable_signals();
        let times = Times { keep_alive: config.keep_alive.0, request: config.request_timeout.0 };
        let direct = config.delivery.may_be_direct().then(|| state.clone());
        Self { app, _app: PhantomData, builder, times, reception: Arc::new(reception), direct }
    }

    /// Listens for plain HTTP/1.1.
    pub fn listen(mut self, listener: TcpListener) -> io::Result<Self> {
        let (app, times, direct) = (self.app.clone(), self.times, self.direct.clone());
        let reception = Arc::clone(&self.reception);
        self.builder = self.builder.listen("http", listener, move || {
            let reception = Arc::clone(&reception);
            let http = timed(times)
                .on_connect_ext(move |socket: &Socket, data| reception.take_in(socket, data))
                .h1(map_config(app().into_factory().map_err(into_response), |()| AppConfig::default()));
            let direct = direct.clone();
            fn_factory(move || {
                let (http, stage) =
                    (http.new_service(()), direct.as_ref().and_then(|state| state.worker().stage().cloned()));
                async move {
                    let http = Rc::new(http.await?);
                    let again = Rc::clone(&http);
                    // A socket that comes back is treated like one that comes.
                    let home: Homecoming = Rc::new(move |socket| {
                        let peer = socket.stream().and_then(|stream| stream.peer_addr().ok());
                        actix_rt::spawn(again.call((socket, peer)));
                    });
                    Ok::<_, ()>(fn_service(move |stream: TcpStream| {
                        let peer = stream.peer_addr().ok();
                        http.call((Socket::new(stream, stage.clone(), Rc::clone(&home)), peer))
                    }))
                }
            })
        })?;
        Ok(self)
    }

    /// Listens for HTTP/1.1 and HTTP/2 over TLS.
    pub fn listen_tls(mut self, listener: TcpListener, identity: &Identity) -> io::Result<Self> {
        let (app, times, tls) = (self.app.clone(), self.times, identity.config.clone());
        let reception = Arc::clone(&self.reception);
        self.builder = self.builder.listen("https", listener, move || {
            let reception = Arc::clone(&reception);
            timed(times)
                .on_connect_ext(move |stream: &_, data: &mut _| reception.take_in_tls(stream, data))
                .finish(map_config(app().into_factory().map_err(into_response), |()| AppConfig::default()))
                .rustls_0_23(tls.clone())
        })?;
        Ok(self)
    }

    /// Starts the threads.
    pub fn run(self) -> Server {
        self.builder.run()
    }
}

fn timed<T, S>(times: Times) -> HttpServiceBuilder<T, S>
where
    S: ServiceFactory<Request, Config = ()>,
    S::Error: Into<Response<BoxBody>> + 'static,
    S::InitError: fmt::Debug,
    <S::Service as Service<Request>>::Future: 'static,
    HttpServiceBuilder<T, S>: Default,
{
    HttpServiceBuilder::default()
        .keep_alive(times.keep_alive)
        .client_request_timeout(times.request)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        // A client that is gone must free its parked poll at once.
        .h1_allow_half_closed(false)
}

fn into_response(error: impl Into<Error>) -> Response<BoxBody> {
    error.into().error_response().into()
}
