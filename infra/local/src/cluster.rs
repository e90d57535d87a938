//! One Kubernetes cluster of its own.

mod flags;
pub(crate) mod folder;
mod kubeconfig;
pub(crate) mod pool;
mod start;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::certificates::Authority;
use crate::http::Client;
use crate::process::Process;
use crate::programs::{ProgramsError, ensure_programs};
use crate::throttle::Throttled;
use folder::Folder;

/// What a cluster should have. The default is the smallest: etcd and an API
/// server, in which nothing moves by itself.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The name of the cluster, its context and its user in the kubeconfig.
    pub name: String,
    /// Run the controller manager and the scheduler.
    pub controllers: bool,
    /// Nodes that kwok plays; 0 runs no kwok.
    pub nodes: u32,
    /// The range of Service addresses, `10.96.0.0/16` if not given.
    pub service_cidr: Option<String>,
    /// Further flags of kube-apiserver. They come last, so they win.
    pub api_server_args: Vec<String>,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            name: "local".into(),
            controllers: false,
            nodes: 0,
            service_cidr: None,
            api_server_args: Vec::new(),
        }
    }
}

impl ClusterOptions {
    /// The smallest cluster, of this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// A cluster in which Deployments become ready and Jobs complete.
    #[must_use]
    pub fn with_nodes(self, nodes: u32) -> Self {
        Self {
            controllers: true,
            nodes,
            ..self
        }
    }
}

/// Why a cluster did not start. Where a server is to blame, the end of its log is
/// part of the message, because the log itself is removed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The programs are missing and could not be built.
    #[error("the control plane binaries are missing")]
    Programs(#[from] ProgramsError),
    /// A file of the cluster could not be written.
    #[error("failed to prepare the folder of cluster {cluster}")]
    Folder {
        /// The cluster.
        cluster: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A certificate could not be made.
    #[error("failed to create the certificates of cluster {cluster}")]
    Certificates {
        /// The cluster.
        cluster: String,
        /// What the generator said.
        #[source]
        source: rcgen::Error,
    },
    /// A pool that was named in the environment did not give a cluster.
    #[error("failed to get cluster {cluster} from the pool")]
    Pool {
        /// The cluster.
        cluster: String,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// The range of Service addresses is not one.
    #[error("{range} is not an IPv4 range of Service addresses such as 10.96.0.0/16")]
    ServiceRange {
        /// What was given.
        range: String,
    },
    /// A program could not be started at all.
    #[error("failed to start {program} of cluster {cluster}")]
    Spawn {
        /// The cluster.
        cluster: String,
        /// The program.
        program: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A server ended while it should have become ready.
    #[error("{program} of cluster {cluster} exited during startup; the end of its log:\n{log}")]
    Ended {
        /// The cluster.
        cluster: String,
        /// The program.
        program: &'static str,
        /// The end of its log.
        log: String,
    },
    /// A server runs, but does not become ready.
    #[error(
        "{what} of cluster {cluster} was not ready after {seconds} s: {answer}; the end of its log:\n{log}"
    )]
    NotReady {
        /// The cluster.
        cluster: String,
        /// What was waited for.
        what: &'static str,
        /// How long.
        seconds: u64,
        /// The last answer.
        answer: String,
        /// The end of the log of the server to blame.
        log: String,
    },
}

/// Why kubectl did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum KubectlError {
    /// It could not be run.
    #[error("failed to run kubectl")]
    Run(#[source] std::io::Error),
    /// It ended with an error.
    #[error("kubectl {arguments} failed: {message}")]
    Failed {
        /// What it was asked.
        arguments: String,
        /// What it said.
        message: String,
    },
}

/// A running cluster. Dropping it ends its processes at once and removes its
/// folder; so does the end of this process, whatever ends it.
pub struct Cluster {
    // Order matters: servers end before their folder is removed.
    servers: Vec<Process>,
    folder: Folder,
    programs: PathBuf,
    options: ClusterOptions,
    api_server_arguments: Vec<String>,
    authority: Authority,
    token: String,
    server: String,
    kubeconfig: PathBuf,
    client: Client,
    /// Open as long as this process uses a cluster of a pool.
    lease: Option<UnixStream>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Cluster")
            .field("name", &self.options.name)
            .field("server", &self.server)
            .field("shared", &self.lease.is_some())
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Starts a cluster and waits until its API server is ready, and its nodes if
    /// it has some. Builds the programs if that was not done before.
    ///
    /// # Errors
    /// If a part does not start; nothing is left behind then.
    pub fn start(options: ClusterOptions) -> Result<Self, StartError> {
        start::start(options)
    }

    /// A cluster that tests share, also tests of other processes: whoever asks a pool for the same
    /// options gets the same cluster. `prepare` runs once for each cluster, before anybody else
    /// gets it. Without a pool (see [`with_pool`](crate::with_pool)) the cluster belongs to this
    /// process alone.
    ///
    /// # Errors
    /// If a part does not start, or the pool is gone.
    pub fn shared(options: ClusterOptions, prepare: impl FnOnce(&Self)) -> Result<Self, StartError> {
        pool::lease(options, prepare)
    }

    /// Starts several clusters side by side.
    ///
    /// # Errors
    /// If one does not start; the others are ended then.
    pub fn start_all(options: Vec<ClusterOptions>) -> Result<Vec<Self>, StartError> {
        // Once before, else each thread would wait for the build with its own message.
        ensure_programs()?;
        std::thread::scope(|scope| {
            let starting: Vec<_> = options
                .into_iter()
                .map(|options| scope.spawn(|| Self::start(options)))
                .collect();
            let started: Vec<_> = starting
                .into_iter()
                .map(|thread| thread.join().expect("starting a cluster does not panic"))
                .collect();
            started.into_iter().collect()
        })
    }

    /// The name that it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// The kubeconfig of an administrator, with one context.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The name of that context.
    #[must_use]
    pub fn context(&self) -> &str {
        &self.options.name
    }

    /// The address of the API server, `https://127.0.0.1:port`.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The certificate authority of the cluster.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.authority.pem()
    }

    /// A token of an administrator (group `system:masters`).
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The folder with the data and the logs of its servers.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The process ids of its servers and its sweeper.
    #[must_use]
    pub fn process_ids(&self) -> Vec<u32> {
        let mut ids: Vec<u32> = self.servers.iter().map(Process::id).collect();
        ids.extend(self.folder.sweeper_id());
        ids
    }

    /// What the cluster has.
    #[must_use]
    pub fn options(&self) -> &ClusterOptions {
        &self.options
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// kubectl for this cluster as its administrator, ready to run.
    #[must_use]
    pub fn kubectl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.programs);
        command
            .arg("kubectl")
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .arg("--cache-dir")
            .arg(self.dir().join("kubectl-cache"))
            .args(arguments)
            .env("HOME", self.dir())
            .env("KUBERC", "off")
            .env_remove("KUBECONFIG")
            .stdin(Stdio::null());
        command
    }

    /// Runs kubectl and gives its standard output.
    ///
    /// # Errors
    /// If it fails; the message is what it said on standard error.
    pub fn kubectl_output(&self, arguments: &[&str]) -> Result<String, KubectlError> {
        self.kubectl_with_input(arguments, "")
    }

    /// Runs kubectl with a standard input, for `-f -`.
    ///
    /// # Errors
    /// If it fails.
    pub fn kubectl_with_input(&self, arguments: &[&str], input: &str) -> Result<String, KubectlError> {
        let mut child = self
            .kubectl(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(KubectlError::Run)?;
        let mut stdin = child.stdin.take().expect("standard input was asked for");
        let output = std::thread::scope(|scope| {
            scope.spawn(move || {
                // kubectl that ends early does not read all; its exit status says why.
                let _ = stdin.write_all(input.as_bytes());
            });
            child.wait_with_output().map_err(KubectlError::Run)
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(KubectlError::Failed {
            arguments: arguments.join(" "),
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// Applies manifests, given as text, by server-side apply.
    ///
    /// # Errors
    /// If one of them is refused.
    pub fn apply(&self, manifests: &str) -> Result<String, KubectlError> {
        self.kubectl_with_input(&["apply", "--server-side", "-f", "-"], manifests)
    }

    /// Applies the manifests of a file or a folder by server-side apply.
    ///
    /// # Errors
    /// If one of them is refused.
    pub fn apply_path(&self, path: &Path) -> Result<String, KubectlError> {
        let path = path.to_string_lossy();
        self.kubectl_output(&["apply", "--server-side", "--recursive", "-f", &path])
    }

    /// A kubeconfig for another user, with a client certificate. The user has no
    /// rights but those that RBAC gives to the name, the group and
    /// `system:authenticated`. The file lies in the cluster's folder.
    ///
    /// # Errors
    /// If the certificate cannot be made or the file cannot be written.
    pub fn kubeconfig_for(&self, user: &str, group: Option<&str>) -> Result<PathBuf, StartError> {
        start::kubeconfig_for(self, user, group)
    }

    /// Ends the API server at once, as a crash would. Nothing happens if it is gone already.
    pub fn kill_api_server(&mut self) {
        if let Some(server) = self
            .servers
            .iter_mut()
            .find(|server| server.name() == flags::API_SERVER)
        {
            server.kill();
        }
    }

    /// Gives the API server a hundredth of its time until the answer is dropped; nothing where it is gone.
    #[must_use]
    pub fn throttle_api_server(&self) -> Option<Throttled> {
        let mut servers = self.servers.iter();
        let server = servers.find(|server| server.name() == flags::API_SERVER)?;
        Some(Throttled::begin(server.id()))
    }

    /// Starts the API server again at its old address and waits until it is ready.
    ///
    /// # Errors
    /// If it does not become ready.
    pub fn restart_api_server(&mut self) -> Result<(), StartError> {
        self.kill_api_server();
        self.servers.retain(|server| server.name() != flags::API_SERVER);
        start::restart_api_server(self)
    }
}
