//! A proxy that cuts every connection after some bytes from the server, wherever that is in an event.

use std::net::SocketAddr;

use tokio::{
    io::AsyncReadExt,
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Runs until it is dropped.
pub struct Cutter {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Cutter {
    /// Stands in front of `server`, and lets through a random number of bytes below `most` on each connection.
    pub async fn in_front_of(server: SocketAddr, most: usize, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the listener is bound");
        let task = tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(seed);
            while let Ok((client, _)) = listener.accept().await {
                let quota = random.usize(1..most);
                tokio::spawn(forward(client, server, quota));
            }
        });
        Self { address, task }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Forwards both ways until either side ends or the server has sent its quota. Then both connections are dropped.
async fn forward(mut client: TcpStream, server: SocketAddr, quota: usize) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let (mut from_client, mut to_client) = client.split();
    let (from_server, mut to_server) = server.split();
    let mut from_server = from_server.take(quota as u64);
    tokio::select! {
        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
        _ = tokio::io::copy(&mut from_server, &mut to_client) => { let _ = to_client.flush().await; }
    }
}
