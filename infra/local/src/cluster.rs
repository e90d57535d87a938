//! A Kubernetes cluster that belongs to one process, or to a pool of test processes.

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

pub(crate) use start::is_ready;

/// Returns the first address of a range of Service addresses, or of the default range.
pub(crate) fn first_service_address(range: Option<&str>) -> std::net::Ipv4Addr {
    let known = range.and_then(flags::first_service_address);
    known.unwrap_or(flags::FIRST_SERVICE_ADDRESS)
}

/// The options of a cluster. The default is the smallest cluster: etcd and an API server without
/// controllers, so no object changes unless a client changes it.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The name of the cluster; also the name of its context and its user in the kubeconfig.
    pub name: String,
    /// Whether to run the controller manager and the scheduler.
    pub controllers: bool,
    /// The number of nodes that kwok simulates; 0 runs no kwok.
    pub nodes: u32,
    /// The range of Service addresses; `10.96.0.0/16` if absent.
    pub service_cidr: Option<String>,
    /// Further flags of kube-apiserver. They come last and override the flags set here.
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
    /// Returns the options of the smallest cluster with this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Adds controllers and nodes: Deployments become ready and Jobs complete.
    #[must_use]
    pub fn with_nodes(self, nodes: u32) -> Self {
        Self {
            controllers: true,
            nodes,
            ..self
        }
    }
}

/// The error of starting a cluster. Where a server failed, the message contains the end of its log,
/// because the log file is removed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The programs are missing and could not be built.
    #[error("the control plane binaries are missing")]
    Programs(#[from] ProgramsError),
    /// A file of the cluster could not be written.
    #[error("failed to prepare the folder of cluster {cluster}")]
    Folder {
        /// The cluster's name.
        cluster: String,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// A certificate could not be created.
    #[error("failed to create the certificates of cluster {cluster}")]
    Certificates {
        /// The cluster's name.
        cluster: String,
        /// The error of the certificate generator.
        #[source]
        source: rcgen::Error,
    },
    /// The pool named in the environment did not provide a cluster.
    #[error("failed to get cluster {cluster} from the pool")]
    Pool {
        /// The cluster's name.
        cluster: String,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// The range of Service addresses is not valid.
    #[error("{range} is not an IPv4 range of Service addresses such as 10.96.0.0/16")]
    ServiceRange {
        /// The given range.
        range: String,
    },
    /// A program could not be started.
    #[error("failed to start {program} of cluster {cluster}")]
    Spawn {
        /// The cluster's name.
        cluster: String,
        /// The program's name.
        program: &'static str,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// A server exited before it became ready.
    #[error("{program} of cluster {cluster} exited during startup; the end of its log:\n{log}")]
    Ended {
        /// The cluster's name.
        cluster: String,
        /// The program's name.
        program: &'static str,
        /// The end of the program's log.
        log: String,
    },
    /// A server runs, but did not become ready within the deadline.
    #[error(
        "{what} of cluster {cluster} was not ready after {seconds} s: {answer}; the end of its log:\n{log}"
    )]
    NotReady {
        /// The cluster's name.
        cluster: String,
        /// The condition that was waited for.
        what: &'static str,
        /// The deadline, in seconds.
        seconds: u64,
        /// The last response.
        answer: String,
        /// The end of the log of the server that did not become ready.
        log: String,
    },
}

/// The error of running kubectl.
#[derive(Debug, thiserror::Error)]
pub enum KubectlError {
    /// kubectl could not be started.
    #[error("failed to run kubectl")]
    Run(#[source] std::io::Error),
    /// kubectl exited with an error.
    #[error("kubectl {arguments} failed: {message}")]
    Failed {
        /// The arguments of kubectl.
        arguments: String,
        /// The standard error of kubectl.
        message: String,
    },
}

/// A running cluster. Dropping it kills its processes and removes its folder. Both also happen when
/// this process ends, in whatever way.
pub struct Cluster {
    // Field order is drop order: the servers end before their folder is removed.
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
    /// Stays open as long as this process uses a cluster of a pool.
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
    /// Starts a cluster and waits until its API server and, if it has any, its nodes are ready.
    /// Builds the programs first if needed.
    ///
    /// # Errors
    /// If a part does not start; no process and no file remains then.
    pub fn start(options: ClusterOptions) -> Result<Self, StartError> {
        start::start(options)
    }

    /// Returns a cluster that tests share, also tests of other processes: every request to a pool
    /// with the same options returns the same cluster. `prepare` runs once for each cluster, before
    /// any other user gets it. Without a pool (see [`with_pool`](crate::with_pool)) the cluster
    /// belongs to this process alone.
    ///
    /// # Errors
    /// If a part does not start, or the pool does not respond.
    pub fn shared(options: ClusterOptions, prepare: impl FnOnce(&Self)) -> Result<Self, StartError> {
        pool::lease(options, prepare)
    }

    /// Starts several clusters in parallel.
    ///
    /// # Errors
    /// If one does not start; the others are stopped then.
    pub fn start_all(options: Vec<ClusterOptions>) -> Result<Vec<Self>, StartError> {
        // Built once here; otherwise each thread would wait for the build and print its own message.
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

    /// Returns the name given in the options.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// Returns the path of the administrator's kubeconfig, which has one context.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Returns the name of that context.
    #[must_use]
    pub fn context(&self) -> &str {
        &self.options.name
    }

    /// Returns the URL of the API server, `https://127.0.0.1:port`.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Returns the certificate of the cluster's certificate authority as PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.authority.pem()
    }

    /// Returns an administrator's token (group `system:masters`).
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Returns the folder with the data and the logs of the servers.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the process ids of the servers and the sweeper.
    #[must_use]
    pub fn process_ids(&self) -> Vec<u32> {
        let mut ids: Vec<u32> = self.servers.iter().map(Process::id).collect();
        ids.extend(self.folder.sweeper_id());
        ids
    }

    /// Returns the options that the cluster was started with.
    #[must_use]
    pub fn options(&self) -> &ClusterOptions {
        &self.options
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Starts kwok for nodes that are created later. It ends with the returned value.
    pub(crate) fn start_kwok(&self) -> Result<Process, StartError> {
        start::start_kwok(self)
    }

    /// Returns a kubectl command that is configured for this cluster's administrator.
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

    /// Runs kubectl and returns its standard output.
    ///
    /// # Errors
    /// If kubectl fails; the message is its standard error.
    pub fn kubectl_output(&self, arguments: &[&str]) -> Result<String, KubectlError> {
        self.kubectl_with_input(arguments, "")
    }

    /// Runs kubectl with the given standard input, for `-f -`.
    ///
    /// # Errors
    /// If kubectl fails.
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
                // kubectl that exits early does not read all input; its exit status gives the reason.
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

    /// Applies manifests, given as text, with server-side apply.
    ///
    /// # Errors
    /// If the API server rejects one of them.
    pub fn apply(&self, manifests: &str) -> Result<String, KubectlError> {
        self.kubectl_with_input(&["apply", "--server-side", "-f", "-"], manifests)
    }

    /// Applies the manifests of a file or a folder with server-side apply.
    ///
    /// # Errors
    /// If the API server rejects one of them.
    pub fn apply_path(&self, path: &Path) -> Result<String, KubectlError> {
        let path = path.to_string_lossy();
        self.kubectl_output(&["apply", "--server-side", "--recursive", "-f", &path])
    }

    /// Writes a kubeconfig for another user, who authenticates with a client certificate, to the
    /// cluster's folder. The user has only the permissions that RBAC grants to the name, the group
    /// and `system:authenticated`.
    ///
    /// # Errors
    /// If the certificate cannot be created or the file cannot be written.
    pub fn kubeconfig_for(&self, user: &str, group: Option<&str>) -> Result<PathBuf, StartError> {
        start::kubeconfig_for(self, user, group)
    }

    /// Kills the API server with SIGKILL, as a crash would. Does nothing if it does not run.
    pub fn kill_api_server(&mut self) {
        if let Some(server) = self
            .servers
            .iter_mut()
            .find(|server| server.name() == flags::API_SERVER)
        {
            server.kill();
        }
    }

    /// Limits the API server to a hundredth of its processor time until the returned value is
    /// dropped. Returns nothing if the API server does not run.
    #[must_use]
    pub fn throttle_api_server(&self) -> Option<Throttled> {
        let mut servers = self.servers.iter();
        let server = servers.find(|server| server.name() == flags::API_SERVER)?;
        Some(Throttled::begin(server.id()))
    }

    /// Starts the API server again at its previous address and waits until it is ready.
    ///
    /// # Errors
    /// If it does not become ready.
    pub fn restart_api_server(&mut self) -> Result<(), StartError> {
        self.kill_api_server();
        self.servers.retain(|server| server.name() != flags::API_SERVER);
        start::restart_api_server(self)
    }
}
