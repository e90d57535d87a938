//! The function host: runs functions as Lambda does.
//!
//! fakecloud runs a container program for its functions. `container-cli.sh` is that program: it
//! sends every command to the host, which keeps one [`Instance`] for each container. The host runs
//! in this process and ends with it.

mod command;
mod environment;
mod instance;
mod memory;
mod runtime_api;
mod vpc;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::gateway::Gateway;
use command::{Command, Delivered};
use instance::Instance;
pub use vpc::has_network_namespaces;

const CONTAINER_CLI: &str = include_str!("functions/container-cli.sh");
/// In bytes; more than any command line with a function's environment, which Lambda limits to 4 KiB.
const LONGEST_COMMAND: u64 = 1 << 20;

/// The log of one execution environment of a function, kept after the environment ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionLog {
    /// The name of the function.
    pub function: String,
    /// The output of the function and the lines that Lambda adds.
    pub text: String,
}

/// All execution environments of all functions.
pub(crate) struct Functions {
    folder: PathBuf,
    gateway: Arc<Gateway>,
    instances: Mutex<BTreeMap<String, Arc<Instance>>>,
    /// The logs of environments that have ended.
    gone: Mutex<Vec<FunctionLog>>,
    /// The secret keys and session tokens of all environments so far.
    secrets: Mutex<BTreeSet<String>>,
    created: Mutex<u64>,
}

impl Functions {
    pub(crate) fn new(folder: &Path, gateway: Arc<Gateway>) -> Self {
        Self {
            folder: folder.to_owned(),
            gateway,
            instances: Mutex::default(),
            gone: Mutex::default(),
            secrets: Mutex::default(),
            created: Mutex::new(0),
        }
    }

    /// Serves the container program until the runtime ends.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let functions = self.clone();
            tokio::spawn(async move { functions.answer(stream).await });
        }
    }

    async fn answer(&self, mut stream: TcpStream) -> Result<(), std::io::Error> {
        let (reader, mut writer) = stream.split();
        let handed = Delivered::read(&mut BufReader::new(reader.take(LONGEST_COMMAND))).await?;
        let (status, output) = match self.run(handed).await {
            Ok(output) => (0, output),
            Err(error) => (1, format!("{error}\n")),
        };
        writer.write_all(format!("{status}\n{output}").as_bytes()).await
    }

    async fn run(&self, handed: Delivered) -> Result<String, std::io::Error> {
        match Command::parse(&handed) {
            Command::Create { environment, alias } => {
                let id = {
                    let mut created = self.created.lock().expect("no holder of this lock panics");
                    *created += 1;
                    format!("function-{created:04}")
                };
                self.keep_secrets(&environment);
                let folder = self.folder.join(&id);
                let instance = Instance::create(&self.gateway, &folder, environment, &alias).await?;
                self.lock().insert(id.clone(), instance);
                Ok(format!("{id}\n"))
            }
            Command::Copy { source, id, target } => {
                // fakecloud copies the code a second time, to `/var/runtime`, and layers to `/opt`;
                // neither is used.
                if target == "/var/task" {
                    let task = self.instance(&id)?.task();
                    tokio::task::spawn_blocking(move || copy(&source, &task))
                        .await
                        .map_err(std::io::Error::other)??;
                }
                Ok(String::new())
            }
            Command::Start { id } => {
                self.instance(&id)?.start().await?;
                Ok(format!("{id}\n"))
            }
            Command::Port { id } => {
                let port = self.instance(&id)?.port();
                Ok(format!("127.0.0.1:{port}\n"))
            }
            Command::Logs { id, tail } => {
                let log = self.instance(&id)?.log();
                let lines: Vec<&str> = log.lines().collect();
                let first = lines.len().saturating_sub(tail);
                Ok(lines[first..].iter().map(|line| format!("{line}\n")).collect())
            }
            Command::Remove { id } => {
                let removed = self.lock().remove(&id);
                if let Some(instance) = removed {
                    self.terminate(&instance).await;
                }
                Ok(format!("{id}\n"))
            }
            // fakecloud checks that the program exists and looks for leftover containers; there are none.
            Command::Nothing => Ok(String::new()),
        }
    }

    async fn terminate(&self, instance: &Arc<Instance>) {
        instance.end().await;
        let log = FunctionLog {
            function: instance.function().to_owned(),
            text: instance.log(),
        };
        self.gone.lock().expect("no holder of this lock panics").push(log);
        let _ = std::fs::remove_dir_all(instance.folder());
    }

    fn keep_secrets(&self, environment: &BTreeMap<String, String>) {
        let mut secrets = self.secrets.lock().expect("no holder of this lock panics");
        for name in ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            secrets.extend(environment.get(name).filter(|value| !value.is_empty()).cloned());
        }
    }

    /// Returns the secret keys and session tokens that functions received.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let secrets = self.secrets.lock().expect("no holder of this lock panics");
        secrets.iter().cloned().collect()
    }

    /// Returns the logs of all environments, ended ones first.
    pub(crate) fn logs(&self) -> Vec<FunctionLog> {
        let mut logs = self.gone.lock().expect("no holder of this lock panics").clone();
        for instance in self.lock().values() {
            logs.push(FunctionLog {
                function: instance.function().to_owned(),
                text: instance.log(),
            });
        }
        logs
    }

    /// Ends all functions.
    pub(crate) fn clear(&self) {
        let all = std::mem::take(&mut *self.lock());
        for instance in all.values() {
            instance.kill();
        }
    }

    fn instance(&self, id: &str) -> Result<Arc<Instance>, std::io::Error> {
        let missing =
            || std::io::Error::new(std::io::ErrorKind::NotFound, format!("no such container: {id}"));
        self.lock().get(id).cloned().ok_or_else(missing)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Instance>>> {
        self.instances.lock().expect("no holder of this lock panics")
    }
}

/// Writes the container program that fakecloud runs.
pub(crate) fn write_container_cli(folder: &Path, port: u16) -> Result<PathBuf, std::io::Error> {
    let path = folder.join("container-cli");
    std::fs::write(&path, CONTAINER_CLI.replace("@PORT@", &port.to_string()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700))?;
    Ok(path)
}

/// Copies the contents of a folder to another folder.
fn copy(source: &Path, target: &Path) -> Result<(), std::io::Error> {
    std::fs::create_dir_all(target)?;
    for entry in std::fs::read_dir(source)? {
        let entry = entry?;
        let to = target.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}
