//! A server on one port of this machine: where it listens, its start, its end.

use std::{env, fmt, io, net::Ipv4Addr, time::Duration};

use actix_web::{App, HttpServer, rt::System, web::ServiceConfig};

/// Where an exercise listens that was told nothing else. Its profile says the same.
pub const DEFAULT_PORT: u16 = 8090;

/// Longer than a poll is held, so that the next one finds the connection open.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a connection stays open for the other half of a goodbye: long enough for a close frame to arrive, short enough
/// for clients that wait for the server to hang up first (RFC 6455 §7.1.1).
const FAREWELL: Duration = Duration::from_millis(500);

/// Why nothing is served.
#[derive(Debug)]
pub enum Fault {
    /// The port cannot be listened on.
    Port(u16, io::Error),
    /// The server has failed.
    Server(io::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port, error) => {
                write!(formatter, "cannot listen on port {port}: {error}; choose another by --port PORT")
            }
            Self::Server(error) => write!(formatter, "the server has failed: {error}"),
        }
    }
}

/// Finds `--port PORT` at the end of the command line. Returns the words before it, and the port.
///
/// `None` if it is no port.
#[must_use]
pub fn port(words: &[String]) -> Option<(&[String], u16)> {
    match words {
        [before @ .., flag, port] if flag == "--port" => Some((before, port.parse().ok()?)),
        _ => Some((words, env::var("PORT").map_or(Some(DEFAULT_PORT), |port| port.parse().ok())?)),
    }
}

/// Serves `routes` to this machine until Ctrl-C. The first line of the output says where.
///
/// # Errors
/// The port is in use, or may not be used.
pub fn serve(port: u16, routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static) -> Result<(), Fault> {
    System::new().block_on(async move {
        let server = HttpServer::new(move || App::new().configure(&routes))
            // One thread is enough for a class, and easier to think about.
            .workers(1)
            .tcp_nodelay(true)
            .keep_alive(KEEP_ALIVE)
            .client_disconnect_timeout(FAREWELL)
            // Who closes its half of a connection is gone, and its poll with it.
            .h1_allow_half_closed(false)
            // An event stream never ends by itself, so there is nothing to wait for.
            .shutdown_timeout(0)
            .bind((Ipv4Addr::LOCALHOST, port))
            .map_err(|error| Fault::Port(port, error))?;
        for address in server.addrs() {
            println!("listening on http://{address}");
        }
        server.run().await.map_err(Fault::Server)
    })
}
