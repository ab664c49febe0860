//! A server under measurement, and how to talk to it.

use super::{
    Result,
    dialect::{Dialect, Publishing},
    machine::Cores,
    options::Transport,
    server::Server,
    workload::Workload,
};

/// The window of the bare sender. It batches nothing, so a wider one would change nothing but the time it takes to
/// empty it.
const BARE_WINDOW: u32 = 16;

/// A running server.
pub struct Subject {
    pub server: Server,
    pub publishing: Publishing,
    pub dialect: Dialect,
    /// Messages in flight in the saturated phase; `None` where there is no such state.
    pub window: Option<u32>,
}

impl Subject {
    /// Starts the bare sender. It never has two messages for one long-poll.
    pub fn bare(cores: &Cores, transport: Transport, workload: &Workload) -> Result<Self> {
        let server = Server::bare("bare-sender", cores)?;
        let dialect = Dialect::fallcast(transport, server.address);
        let window = (transport != Transport::LongPoll).then(|| workload.window().min(BARE_WINDOW));
        Ok(Self { server, publishing: Publishing::ReadyFrames(transport), dialect, window })
    }

    /// Takes a fallcast that has been started.
    pub fn fallcast(server: Server, transport: Transport, workload: &Workload) -> Self {
        let publishing = Publishing::fallcast(server.address);
        let dialect = Dialect::fallcast(transport, server.address);
        Self { server, publishing, dialect, window: Some(workload.window()) }
    }
}
