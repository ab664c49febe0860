//! Who takes part: the limit, fallcast in both ways of delivery, and the peers, which say in their `peer.json` how to
//! talk to them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::{Deserialize, Serialize};

use super::options::Plan;
use crate::fanout::{
    Result,
    dialect::{Dialect, Publishing, upgrade_request},
    framing::Framing,
    machine::Cores,
    options::Transport,
    server::Server,
    subject::Subject,
    workload::Workload,
};

/// Everybody's channel.
const CHANNEL: &str = "bench";

pub const LIMIT: &str = "limit";
pub const DIRECT: &str = "fallcast-direct";
pub const STREAMING: &str = "fallcast-streaming";

/// The order of rows. Who isn't named here comes last.
const ORDER: [&str; 10] =
    [LIMIT, DIRECT, STREAMING, "uwebsockets", "bun", "nchan", "axum", "tutorial", "node", "socket.io"];

/// A server to measure.
pub struct Contender {
    /// What options and results call it.
    pub id: String,
    pub name: String,
    pub version: String,
    /// What was done so that it has the same chances as the others.
    pub fairness: Vec<String>,
    kind: Kind,
}

enum Kind {
    Limit,
    Fallcast { program: Option<PathBuf>, options: Vec<&'static str> },
    Peer { folder: PathBuf, peer: Peer },
}

/// What a `peer.json` holds. `benches/peers/README.md` describes it.
#[derive(Deserialize)]
struct Peer {
    name: String,
    /// A command that prints it.
    version: String,
    publish: Publish,
    subscribe: BTreeMap<Name, Subscribe>,
    fairness: Vec<String>,
}

#[derive(Deserialize)]
struct Publish {
    framing: Framing,
    path: String,
    /// The server says something to each message.
    #[serde(default)]
    answers: bool,
}

#[derive(Deserialize)]
struct Subscribe {
    framing: Framing,
    first: String,
    next: Option<String>,
}

/// A transport as the key of a JSON object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
struct Name(Transport);

/// Everybody whom the plan asks for.
pub fn all(plan: &Plan) -> Result<Vec<Contender>> {
    let mut contenders = vec![limit()];
    contenders.extend(fallcast(plan)?);
    for entry in fs::read_dir(folder())? {
        let folder = entry?.path();
        if folder.join("peer.json").exists() {
            contenders.push(peer(folder)?);
        }
    }
    if let Some(unknown) = plan.only.iter().find(|&id| contenders.iter().all(|contender| contender.id != *id)) {
        let known: Vec<&str> = contenders.iter().map(|contender| contender.id.as_str()).collect();
        return Err(format!("{unknown} does not take part; these do: {}", known.join(", ")).into());
    }
    contenders.retain(|contender| plan.only.is_empty() || plan.only.contains(&contender.id));
    contenders.sort_by_key(|contender| rank(&contender.id));
    Ok(contenders)
}

/// Where a contender stands in a table.
pub fn rank(id: &str) -> usize {
    ORDER.iter().position(|&known| known == id).unwrap_or(ORDER.len())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers")
}

fn limit() -> Contender {
    let fairness = ["one send of a ready frame per subscriber and message, and nothing else", "sockets that block"];
    Contender {
        id: LIMIT.to_owned(),
        name: "the limit".to_owned(),
        version: String::new(),
        fairness: fairness.map(str::to_owned).into(),
        kind: Kind::Limit,
    }
}

/// Fallcast in each way of delivery that the binary knows; one that doesn't let choose streams.
fn fallcast(plan: &Plan) -> Result<Vec<Contender>> {
    let program = plan.server.clone();
    let path = program.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_fallcast").into());
    let version = output(Command::new(&path).arg("--version"))?;
    let contender = |id: &str, delivery: &str, options: Vec<&'static str>| Contender {
        id: id.to_owned(),
        name: format!("fallcast, {delivery}"),
        version: version.clone(),
        fairness: ["one worker", "all defaults, but heartbeats and poll timeouts of an hour"].map(str::to_owned).into(),
        kind: Kind::Fallcast { program: program.clone(), options },
    };
    let streaming = |options| contender(STREAMING, "streaming", options);
    if !output(Command::new(&path).args(["serve", "--help"]))?.contains("--delivery") {
        return Ok(vec![streaming(vec![])]);
    }
    let direct = contender(DIRECT, "direct", vec!["--delivery", "direct"]);
    Ok(vec![direct, streaming(vec!["--delivery", "streaming"])])
}

fn peer(folder: PathBuf) -> Result<Contender> {
    let file = folder.join("peer.json");
    let peer: Peer =
        serde_json::from_str(&fs::read_to_string(&file)?).map_err(|error| format!("{}: {error}", file.display()))?;
    // Who isn't installed fails when it is started, and has that recorded.
    let version = output(Command::new("sh").args(["-c", &peer.version]).current_dir(&folder));
    let version = version.unwrap_or_else(|_| format!("{} is not installed", peer.name));
    Ok(Contender {
        id: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        name: peer.name.clone(),
        version,
        fairness: peer.fairness.clone(),
        kind: Kind::Peer { folder, peer },
    })
}

/// What a command prints, without the white space around it.
fn output(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|error| format!("can't run {command:?}: {error}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?} failed: {} (is it installed? See benches/peers/run)", complaint.trim()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

impl Contender {
    /// Whether it has a transport at all.
    pub fn serves(&self, transport: Transport) -> bool {
        match &self.kind {
            Kind::Limit | Kind::Fallcast { .. } => true,
            Kind::Peer { peer, .. } => peer.subscribe.contains_key(&Name(transport)),
        }
    }

    /// Starts it.
    pub fn start(&self, cores: &Cores, transport: Transport, workload: &Workload) -> Result<Subject> {
        match &self.kind {
            Kind::Limit => Subject::bare(cores, transport, workload),
            Kind::Fallcast { program, options } => {
                let server = Server::fallcast(program.as_deref(), options, cores)?;
                Ok(Subject::fallcast(server, transport, workload))
            }
            Kind::Peer { folder, peer } => {
                let server = Server::peer(&folder.join("start"), cores)?;
                let fill = |path: &str| path.replace("{channel}", CHANNEL);
                let Publish { framing, path, answers } = &peer.publish;
                let request = upgrade_request(server.address, &fill(path));
                let publishing = Publishing::WebSocket { request, framing: *framing, answers: *answers };
                let subscribe = peer.subscribe.get(&Name(transport)).ok_or("it has no such transport")?;
                let Subscribe { framing, first, next } = subscribe;
                let next = next.as_ref().unwrap_or(first);
                let dialect = Dialect::new(*framing, server.address, &fill(first), &fill(next));
                Ok(Subject { server, publishing, dialect, window: Some(workload.window()) })
            }
        }
    }
}
