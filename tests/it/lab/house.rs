//! The lab as a part of its server: where it listens, how many it takes in, in which tongue, and when it ends.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::harness::{
    Connection, Publisher, Request, TestServer,
    process::{command, lines_of, run},
    within_guard,
};

use super::peers::{ask, lab_in_the_network};

/// Opens a stream of the channel `room` through the lab.
async fn read_through(lab: SocketAddr) -> Connection {
    let mut reader = Connection::open(lab).await;
    reader.send(&Request::get("/channels/room/stream")).await;
    assert_eq!(reader.head().await.status, 200);
    reader
}

#[tokio::test]
async fn the_same_server_is_behind_the_lab() {
    let server = TestServer::spawn_with_lab(&[]);
    let id = Publisher::post(&server, "room").await.text("on the way").await;

    let polled = ask(server.lab().await, Request::get("/channels/room/poll?after=start")).await.json();

    assert_eq!(polled["cursor"], id.as_str(), "{polled}");
}

#[tokio::test]
async fn connections_to_the_lab_beyond_its_limit_are_refused_and_room_comes_back() {
    let server = TestServer::spawn_with_lab(&["--max-lab-connections", "2"]);
    let lab = server.lab().await;
    let readers = [read_through(lab).await, read_through(lab).await];

    ask(lab, Request::get("/healthz")).await.assert_problem(503);
    assert_eq!(server.get("/healthz").await.status(), 200, "the lab's limit is the lab's own");

    drop(readers);
    within_guard("room for another", async {
        while ask(lab, Request::get("/healthz")).await.status() != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// Who has asked for nothing yet is not known to the server, and counts in the lab all the same.
#[tokio::test]
async fn one_address_has_not_all_the_room_of_the_lab() {
    let Some((server, _, lab)) = lab_in_the_network(&["--max-connections-per-address", "2"]).await else { return };
    let silent = [Connection::open(lab).await, Connection::open(lab).await];

    ask(lab, Request::get("/healthz")).await.assert_problem(429);
    assert_eq!(ask(server.lab().await, Request::get("/healthz")).await.status(), 200, "another address");

    drop(silent);
    within_guard("room for another", async {
        while ask(lab, Request::get("/healthz")).await.status() != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_lab_ends_with_its_server_and_lets_its_clients_go_before() {
    let mut server = TestServer::spawn_with_lab(&["--drain-time", "1s"]);
    let lab = server.lab().await;
    let mut reader = read_through(lab).await;

    server.terminate();

    let rest = String::from_utf8(reader.read_to_end().await).expect("the stream is text");
    assert!(rest.contains("goodbye"), "{rest}");
    assert_eq!(server.exit_status().await.code(), Some(0));
    assert!(Connection::try_open(lab).await.is_none());
}

/// What hangs in the lab does not keep its server from ending.
#[tokio::test]
async fn a_client_that_says_nothing_does_not_keep_the_server_from_ending() {
    let mut server = TestServer::spawn_with_lab(&["--drain-time", "200ms"]);
    let _silent = Connection::open(server.lab().await).await;

    server.terminate();

    assert_eq!(server.exit_status().await.code(), Some(0));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_without_a_lab_listens_on_its_own_port_alone() {
    let server = TestServer::spawn(&["--lab-port", "0"]);

    assert_eq!(Vec::from_iter(server.listening_ports()), [server.address().port()]);
}

#[tokio::test]
async fn a_port_that_was_asked_for_must_be_free() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are free ports");
    let port = taken.local_addr().expect("it listens").port().to_string();

    let ended = run(&["serve", "--host", "127.0.0.1", "--port", "0", "--lab-port", &port], b"").await;

    assert_eq!((ended.code, ended.output), (Some(1), vec![]));
    assert!(ended.notices.concat().contains("--lab-port"), "{:?}", ended.notices);
}

/// Whoever starts a second server has not asked for a second lab.
#[tokio::test]
async fn the_default_port_gives_way_to_whoever_has_it() {
    // If this fails somebody has the port already, which serves as well.
    let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 8081));
    let mut server = command()
        .args(["serve", "--host", "127.0.0.1", "--port", "0"])
        .env_remove("FALLCAST_LAB_PORT")
        .spawn()
        .expect("the binary starts");
    let output = BufReader::new(server.stdout.take().expect("stdout is piped"));
    let printed: Vec<_> = output.lines().take(2).map_while(Result::ok).collect();
    server.kill().expect("it runs");
    let mut log = String::new();
    server.stderr.take().expect("stderr is piped").read_to_string(&mut log).expect("text");
    server.wait().expect("it ends");

    assert!(printed[0].starts_with("listening on http://127.0.0.1:"), "{printed:?}");
    assert!(!printed[1].contains("lab"), "{printed:?}");
    assert!(log.contains("no lab") && log.contains("8081"), "{log}");
}

/// A certificate that a test has made, in files that are gone afterwards.
struct Certificate {
    files: [PathBuf; 2],
    trusted: RootCertStore,
}

impl Certificate {
    fn make(name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let file = |kind| env::temp_dir().join(format!("fallcast-{}-{name}-{kind}.pem", std::process::id()));
        let files = [file("certificate"), file("key")];
        for (file, content) in files.iter().zip([made.cert.pem(), made.signing_key.serialize_pem()]) {
            fs::write(file, content).expect("the temporary directory can be written to");
        }
        let mut trusted = RootCertStore::empty();
        trusted.add(made.cert.der().clone()).expect("it is well-formed");
        Self { files, trusted }
    }

    /// The flags by which a server has the certificate.
    fn flags(&self) -> [&str; 4] {
        let [certificate, key] = self.files.each_ref().map(|file| file.to_str().expect("the path is text"));
        ["--tls-cert", certificate, "--tls-key", key]
    }

    /// Connects as a browser would, which prefers HTTP/2.
    async fn connect(&self, address: SocketAddr) -> TlsStream<TcpStream> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_root_certificates(self.trusted.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let socket = TcpStream::connect(address).await.expect("it listens");
        let name = ServerName::from(address.ip());
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, socket);
        within_guard("a TLS handshake", connecting).await.expect("the certificate is the one that is trusted")
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
    }
}

#[tokio::test]
async fn the_lab_of_a_server_with_tls_has_the_same_certificate_and_speaks_http_1_alone() {
    let certificate = Certificate::make("lab");
    let server = TestServer::spawn_with_lab(&certificate.flags());

    let direct = certificate.connect(server.address()).await;
    let through_lab = certificate.connect(server.lab().await).await;

    assert_eq!(direct.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(through_lab.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[tokio::test]
async fn what_goes_through_tls_is_recorded_as_it_was_before() {
    let certificate = Certificate::make("recorded");
    let server = TestServer::spawn_with_lab(&certificate.flags());
    let lab = server.lab().await;
    let ask = async |target: &str| {
        let request = Request::get(target).header("Connection", "close").to_bytes("127.0.0.1");
        let mut line = certificate.connect(lab).await;
        line.write_all(&request).await.expect("the connection is open");
        let mut answer = Vec::new();
        line.read_to_end(&mut answer).await.expect("an end in order");
        (request, String::from_utf8(answer).expect("text"))
    };

    let (request, _) = ask("/healthz?link=a").await;
    let (_, recording) = ask("/lab/links/a/recording.json").await;

    assert!(recording.contains("\"tls\":true"), "{recording}");
    assert!(recording.contains(&STANDARD.encode(request)), "{recording}");
}

#[tokio::test]
async fn a_channel_goes_through_the_lab_of_a_server_with_tls() {
    let server = TestServer::spawn_with_lab(&["--tls-self-signed"]);
    let fingerprint = server.fingerprint().await;
    let url = format!("https://{}/channels/room", server.lab().await);

    lines_of(&["publish", &url, "--fingerprint", &fingerprint], b"in secret").await;

    for transport in ["websocket", "sse", "poll", "stream"] {
        let tail = ["tail", &url, "--transport", transport, "--after", "start", "--count", "1"];
        let printed = lines_of(&[&tail[..], &["--fingerprint", &fingerprint]].concat(), b"").await;
        assert_eq!(printed, ["in secret"], "{transport}");
    }
}
