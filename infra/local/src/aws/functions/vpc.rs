//! The network of a function that is attached to a VPC: a network namespace in which it reaches the Runtime API, Amazon S3
//! by an endpoint, and the API servers of the clusters whose security group it is a member of. On AWS, nothing else has a
//! route in a VPC without a NAT gateway.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener};
use tokio::task::JoinHandle;

use crate::aws::gateway::Gateway;

const PROGRAM: &str = include_str!("vpc.py");

/// The network of one process. Its connections end with this value.
pub(super) struct Vpc {
    tasks: Vec<JoinHandle<()>>,
    /// The command that runs a program in it.
    command: Vec<String>,
}

impl Vpc {
    /// Opens a network with files in `folder`, in which `servers` and S3 are reached.
    ///
    /// # Errors
    /// If this machine does not allow a network namespace, or has no Python.
    pub(super) fn open(
        folder: &Path,
        gateway: &Arc<Gateway>,
        servers: impl IntoIterator<Item = SocketAddr>,
    ) -> Result<Self, std::io::Error> {
        let isolated = isolated()?;
        let script = folder.join("vpc.py");
        std::fs::write(&script, PROGRAM)?;
        let mut command = isolated.to_vec();
        command.push(script.display().to_string());
        let (mut tasks, mut number) = (Vec::new(), 0);
        let mut listen = |address: SocketAddr| -> Result<UnixListener, std::io::Error> {
            // Short, because the path of a socket has at most 107 bytes.
            let path = folder.join(format!("v{number}"));
            number += 1;
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            command.push(format!("{address}={}", path.display()));
            UnixListener::bind(path)
        };
        for server in servers {
            tasks.push(tokio::spawn(forward(listen(server)?, server)));
        }
        let endpoint = listen(gateway.address())?;
        tasks.push(tokio::spawn(Arc::clone(gateway).serve_endpoint_of_s3(endpoint)));
        command.push("--".to_owned());
        Ok(Self { tasks, command })
    }

    /// Returns the program and the arguments that run a program in this network.
    pub(super) fn command(&self, program: &Path) -> (PathBuf, Vec<String>) {
        let mut words = self.command.iter().cloned();
        let first = words.next().unwrap_or_default().into();
        (first, words.chain([program.display().to_string()]).collect())
    }
}

impl Drop for Vpc {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
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

/// Returns the command that runs Python in a new network namespace: as root, or as a user who becomes root in a new user
/// namespace.
fn isolated() -> Result<&'static [String], std::io::Error> {
    static COMMAND: OnceLock<Option<Vec<String>>> = OnceLock::new();
    let found = COMMAND.get_or_init(|| {
        let python = python()?;
        let ways: [&[&str]; 2] = [&["--net"], &["--map-root-user", "--net"]];
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
