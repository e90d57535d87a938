//! The network of a function that is attached to a VPC: a network namespace in which it reaches the Runtime API, and what EC2
//! says that it reaches in the VPC ([`network`]).
//!
//! The namespace of mounts is its own, too: the resolver of the VPC answers in the network namespace, so that the function
//! needs a configuration of the resolver of its own.

mod facts;
mod network;
mod read;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener};
use tokio::task::JoinHandle;

use crate::aws::gateway::Gateway;
use crate::aws::gateway::endpoints::Place;
use crate::aws::gateway::upstream::UpstreamError;
use network::Answers;
pub(super) use network::Network;

const PROGRAM: &str = include_str!("vpc.py");

/// Derives the network of a function from what AWS says now; nothing if the function is not attached to a VPC.
///
/// # Errors
/// If EC2 does not answer.
pub(super) async fn network_of(
    gateway: &Gateway,
    account: &str,
    region: &str,
    function: &str,
) -> Result<Option<Network>, UpstreamError> {
    let Some(attachment) = gateway.attachment(account, region, function).await else {
        return Ok(None);
    };
    let facts = read::facts(gateway, account, region, &attachment).await?;
    Ok(Some(Network::of(&facts)))
}

/// Returns the URL of S3 for functions in a VPC, by which they need the resolver of the VPC and a way to S3.
pub(super) fn s3_endpoint(gateway: &Gateway, region: &str) -> String {
    format!("http://s3.{region}.amazonaws.com:{}", gateway.address().port())
}

/// The network of one process. Its connections end with this value.
pub(super) struct Vpc {
    network: Network,
    tasks: Vec<JoinHandle<()>>,
    /// The command that runs a program in it.
    command: Vec<String>,
}

impl Vpc {
    /// Opens a network with files in `folder`, in which the Runtime API is reached, too.
    ///
    /// # Errors
    /// If this machine does not allow a network namespace, or has no Python.
    pub(super) fn open(
        folder: &Path,
        gateway: &Arc<Gateway>,
        region: &str,
        network: Network,
        runtime_api: SocketAddr,
    ) -> Result<Self, std::io::Error> {
        let isolated = isolated()?;
        let script = folder.join("vpc.py");
        std::fs::write(&script, PROGRAM)?;
        let (mut tasks, mut sockets) = (Vec::new(), Sockets::new(folder));
        let open = network.servers.iter().filter(|(_, is_open)| **is_open);
        for server in open.map(|(server, _)| *server).chain([runtime_api]) {
            tasks.push(tokio::spawn(forward(sockets.listen(server)?, server)));
        }
        // The endpoint of all services but S3 is the address of the gateway.
        let mut places = BTreeMap::from([(gateway.address(), Place::Nothing)]);
        for (address, answers) in &network.addresses {
            let place = match answers {
                Answers::S3(endpoint) => Place::S3 {
                    region: region.to_owned(),
                    endpoint: endpoint.clone(),
                },
                Answers::Other => Place::Other,
            };
            places.insert((*address, gateway.address().port()).into(), place);
        }
        for (address, place) in places {
            let listener = sockets.listen(address)?;
            tasks.push(tokio::spawn(Arc::clone(gateway).serve_place(listener, place)));
        }
        let silent = network.servers.iter().filter(|(_, is_open)| !**is_open);
        let silent: Vec<String> = silent.map(|(server, _)| server.to_string()).collect();
        let settings = folder.join("vpc.json");
        let content = json!({
            "ways": sockets.ways,
            "silent": silent,
            "resolver": network.has_resolver,
            "names": network.names,
            "folder": folder,
        });
        std::fs::write(&settings, content.to_string())?;
        let mut command = isolated.to_vec();
        command.extend([script, settings].map(|path| path.display().to_string()));
        Ok(Self {
            network,
            tasks,
            command,
        })
    }

    /// Returns the program and the arguments that run a program in this network.
    pub(super) fn command(&self, program: &Path) -> (PathBuf, Vec<String>) {
        let mut words = self.command.iter().cloned();
        let first = words.next().unwrap_or_default().into();
        (first, words.chain([program.display().to_string()]).collect())
    }

    /// Returns the network that was opened.
    pub(super) fn network(&self) -> &Network {
        &self.network
    }
}

impl Drop for Vpc {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The sockets in the file system to which the addresses of a network lead.
struct Sockets<'a> {
    folder: &'a Path,
    ways: Vec<Value>,
}

impl<'a> Sockets<'a> {
    fn new(folder: &'a Path) -> Self {
        Self {
            folder,
            ways: Vec::new(),
        }
    }

    fn listen(&mut self, address: SocketAddr) -> Result<UnixListener, std::io::Error> {
        // Short, because the path of a socket has at most 107 bytes.
        let path = self.folder.join(format!("v{}", self.ways.len()));
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        (self.ways).push(json!({"address": address.ip(), "port": address.port(), "socket": path}));
        UnixListener::bind(path)
    }
}

async fn forward(listener: UnixListener, server: SocketAddr) {
    while let Ok((mut near, _)) = listener.accept().await {
        tokio::spawn(async move {
            // If a connection breaks, the client opens another one.
            if let Ok(mut far) = TcpStream::connect(server).await {
                let _ = copy_bidirectional(&mut near, &mut far).await;
            }
        });
    }
}

/// Returns the command that runs Python in new namespaces of network and mounts: as root, or as a user who becomes root in a
/// new user namespace. The mounts are private, the default of `unshare`.
fn isolated() -> Result<&'static [String], std::io::Error> {
    static COMMAND: OnceLock<Option<Vec<String>>> = OnceLock::new();
    let found = COMMAND.get_or_init(|| {
        let python = python()?;
        let ways: [&[&str]; 2] = [&["--net", "--mount"], &["--map-root-user", "--net", "--mount"]];
        ways.into_iter().find_map(|options| {
            let mut command = vec!["/usr/bin/unshare".to_owned()];
            command.extend(options.iter().map(|option| (*option).to_owned()));
            command.push(python.clone());
            let works = Command::new(&command[0])
                .args(&command[1..])
                .args(["-c", ""])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success());
            works.then_some(command)
        })
    });
    found.as_deref().ok_or_else(|| {
        std::io::Error::other("this machine has no Python or allows no network namespaces, so no function can be attached to a VPC")
    })
}

/// Returns the path of Python: functions have none of the user's search path.
fn python() -> Option<String> {
    let asked = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let path = String::from_utf8(asked.stdout).ok()?;
    asked.status.success().then(|| path.trim().to_owned())
}

/// Whether functions can be attached to a VPC on this machine.
#[must_use]
pub fn has_network_namespaces() -> bool {
    isolated().is_ok()
}
