//! A local AWS: accounts, Regions, S3, KMS, IAM, Lambda, CloudFormation and EventBridge by
//! fakecloud. The gateway and the function host of this crate add what fakecloud lacks: EKS
//! clusters with real control planes, the authenticator of EKS, and functions with the limits of
//! Lambda. Also moto's server, a second implementation.

mod arn;
mod authenticator;
mod credentials;
mod fakecloud;
mod functions;
mod gateway;
mod moto;
mod programs;
mod supervise;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::cluster::Cluster;
use crate::cluster::folder::Folder;
use crate::programs::{ProgramsError, ensure_programs};

pub use credentials::Credentials;
pub use fakecloud::FakecloudError;
pub use functions::{FunctionLog, has_network_namespaces};
pub use gateway::audit::{AuditEntry, Decision};
pub use gateway::custom_resource::CustomResourceAnswer;
pub use gateway::upstream::UpstreamError;
pub use moto::{MotoError, MotoServer};
pub use programs::{AwsProgramsError, ensure_aws_client, ensure_fakecloud};

use fakecloud::Fakecloud;
use functions::Functions;
use gateway::Gateway;
use gateway::clusters::{Clusters, Progress};
use gateway::upstream::Upstream;

/// The number of threads for the gateway, the function host and the webhooks. The machine of the
/// tests has two cores, which everything else needs, too.
const THREADS: usize = 2;

/// The options of a local AWS.
#[derive(Clone, Debug)]
pub struct LocalAwsOptions {
    /// Whether EKS clusters run controllers, as in EKS. Without them a cluster starts in half the
    /// time, and no object in it changes by itself. The tags `lifeboat-local/controllers` and
    /// `lifeboat-local/nodes` of a cluster override this for that cluster.
    pub controllers: bool,
    /// How long the API servers of EKS clusters cache the responses of the authentication and the
    /// authorization webhook. Kubernetes caches the first for two and the second for five minutes.
    /// The default here is one second, for tests that change access and check it right after.
    pub access_cache: Duration,
}

impl Default for LocalAwsOptions {
    fn default() -> Self {
        Self {
            controllers: true,
            access_cache: Duration::from_secs(1),
        }
    }
}

/// The error of starting the local AWS.
#[derive(Debug, thiserror::Error)]
pub enum LocalAwsError {
    /// The programs of the control planes are missing and could not be built.
    #[error("the control plane binaries are missing")]
    Programs(#[from] ProgramsError),
    /// fakecloud is missing and could not be built.
    #[error("the fakecloud binary is missing")]
    AwsPrograms(#[from] AwsProgramsError),
    /// A file, a port or a thread could not be created.
    #[error("failed to set up the local AWS")]
    System(#[source] std::io::Error),
    /// fakecloud does not respond.
    #[error(transparent)]
    Fakecloud(#[from] FakecloudError),
    /// The gateway could not send a request to fakecloud.
    #[error("failed to send a request to fakecloud")]
    Upstream(#[from] UpstreamError),
}

/// A running local AWS. Dropping it ends all its processes, including clusters. So does the end of
/// this process, in whatever way.
pub struct LocalAws {
    // Field order is drop order: the users of the folder end before it is removed.
    functions: Arc<Functions>,
    gateway: Arc<Gateway>,
    fakecloud: Option<Fakecloud>,
    runtime: Option<Runtime>,
    address: SocketAddr,
    folder: Folder,
}

impl std::fmt::Debug for LocalAws {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("LocalAws")
            .field("endpoint", &self.endpoint())
            .finish_non_exhaustive()
    }
}

impl LocalAws {
    /// Starts a local AWS without accounts and clusters. Builds the programs first if needed. It
    /// may be called within an asynchronous runtime, which it blocks.
    ///
    /// # Errors
    /// If a part does not start; no process and no file remains then.
    pub fn start(options: &LocalAwsOptions) -> Result<Self, LocalAwsError> {
        let programs = ensure_programs()?;
        let program = ensure_fakecloud()?;
        let folder = Folder::create(&programs, "aws").map_err(LocalAwsError::System)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("local-aws")
            .enable_all()
            .build()
            .map_err(LocalAwsError::System)?;
        let (gateway_listener, address) = listen()?;
        let (functions_listener, functions_address) = listen()?;
        let container_cli = functions::write_container_cli(folder.path(), functions_address.port())
            .map_err(LocalAwsError::System)?;
        // During its start fakecloud runs its container program to check that it exists; that
        // connection waits in the listener's queue until the function host below accepts it.
        let fakecloud = Fakecloud::start(&program, folder.path(), &container_cli, &search_path())?;
        let upstream = Upstream::new(fakecloud.address());
        let clusters = Clusters::new(folder.path(), &address.to_string(), options);
        let gateway = Arc::new(Gateway::new(upstream, clusters, address));
        let functions = Arc::new(Functions::new(folder.path(), gateway.clone()));
        {
            let _entered = runtime.enter();
            let gateway_listener = TcpListener::from_std(gateway_listener).map_err(LocalAwsError::System)?;
            let functions_listener =
                TcpListener::from_std(functions_listener).map_err(LocalAwsError::System)?;
            runtime.spawn(gateway.clone().serve(gateway_listener));
            runtime.spawn(functions.clone().serve(functions_listener));
        }
        Ok(Self {
            functions,
            gateway,
            fakecloud: Some(fakecloud),
            runtime: Some(runtime),
            address,
            folder,
        })
    }

    /// Returns the endpoint URL for every AWS client (`AWS_ENDPOINT_URL`).
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Creates an account, or a further administrator of it, and returns the keys. The user is named `admin`.
    ///
    /// # Errors
    /// If fakecloud rejects it, for example because the id does not have twelve digits.
    pub fn create_account(&self, id: &str) -> Result<Credentials, LocalAwsError> {
        let gateway = self.gateway.clone();
        let id = id.to_owned();
        self.wait(async move {
            // The gateway's own administrator first, so that the gateway has the account in its list.
            gateway.upstream.administrator(&id).await?;
            let (credentials, arn) = gateway.upstream.create_administrator(&id, "admin").await?;
            gateway.identities.learn(&credentials.access_key_id, &arn);
            Ok(credentials)
        })
    }

    /// Invokes a function as the gateway's own administrator, without an entry in the audit, and
    /// returns its response: for measurements, where starting a client would take longer than what
    /// is measured.
    ///
    /// # Errors
    /// If the function does not exist or fails.
    pub fn invoke(
        &self,
        account: &str,
        region: &str,
        function: &str,
        payload: &serde_json::Value,
    ) -> Result<serde_json::Value, LocalAwsError> {
        let gateway = self.gateway.clone();
        let (account, region) = (account.to_owned(), region.to_owned());
        let request = http::Request::post(format!("/2015-03-31/functions/{function}/invocations"));
        let payload = payload.to_string();
        self.wait(async move {
            let answer = gateway
                .upstream
                .ask_as_administrator(&account, "lambda", &region, request, payload)
                .await?;
            let failed = answer.parts.headers.contains_key("x-amz-function-error");
            if failed || !answer.is_success() {
                return Err(UpstreamError::Refused {
                    status: answer.parts.status,
                    body: answer.text(),
                });
            }
            Ok(answer.json())
        })
    }

    /// Cuts a Region off: no request to it is answered any more. Clients notice by their timeouts.
    pub fn cut_off(&self, region: &str) {
        self.gateway.cut_off(region);
    }

    /// Returns what functions that are attached to a VPC have asked other services for, and endpoints of S3 for another
    /// Region, one line for each request: on AWS it has no route.
    #[must_use]
    pub fn requests_without_route(&self) -> Vec<String> {
        self.gateway.without_route()
    }

    /// Returns every authorization decision of requests through the gateway, in order.
    #[must_use]
    pub fn audit(&self) -> Vec<AuditEntry> {
        self.gateway.audit.entries()
    }

    /// Clears the audit.
    pub fn clear_audit(&self) {
        self.gateway.audit.clear();
    }

    /// Returns the logs of all functions, those of ended environments first.
    #[must_use]
    pub fn function_logs(&self) -> Vec<FunctionLog> {
        self.functions.logs()
    }

    /// Returns the secret keys and session tokens of all functions, for tests that check that no
    /// output contains one.
    #[must_use]
    pub fn function_secrets(&self) -> Vec<String> {
        self.functions.secrets()
    }

    /// Returns the requests to custom resources of CloudFormation and their responses. fakecloud
    /// itself discards the responses: neither `GetAtt` nor an event of the stack shows them.
    #[must_use]
    pub fn custom_resources(&self) -> Vec<CustomResourceAnswer> {
        self.gateway.custom_resources.answers()
    }

    /// Returns the log of fakecloud so far.
    #[must_use]
    pub fn fakecloud_log(&self) -> String {
        self.fakecloud
            .as_ref()
            .and_then(|fakecloud| std::fs::read_to_string(fakecloud.log()).ok())
            .unwrap_or_default()
    }

    /// Returns the control plane of an EKS cluster once it is active, for tests that read it
    /// without the authenticator.
    #[must_use]
    pub fn cluster(&self, account: &str, name: &str) -> Option<Arc<Cluster>> {
        match self.gateway.clusters.get(account, name)?.progress() {
            Progress::Active(cluster) => Some(cluster),
            _ => None,
        }
    }

    /// Returns the folder with all data of the local AWS.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the process ids of fakecloud, its supervisor and the sweeper.
    #[must_use]
    pub fn process_ids(&self) -> Vec<u32> {
        let mut ids = Vec::from_iter(self.folder.sweeper_id());
        if let Some(fakecloud) = &self.fakecloud {
            ids.extend(fakecloud.process_ids());
        }
        ids
    }

    /// Runs a future on the gateway's threads and waits for it.
    fn wait<T: Send + 'static>(
        &self,
        task: impl Future<Output = Result<T, UpstreamError>> + Send + 'static,
    ) -> Result<T, LocalAwsError> {
        let runtime = self
            .runtime
            .as_ref()
            .expect("it is there until this value is dropped");
        let (sender, receiver) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            let _ = sender.send(task.await);
        });
        let gone = |_| LocalAwsError::System(std::io::ErrorKind::BrokenPipe.into());
        Ok(receiver.recv().map_err(gone)??)
    }
}

impl Drop for LocalAws {
    fn drop(&mut self) {
        self.functions.clear();
        self.fakecloud = None;
        self.gateway.clusters.clear();
        if let Some(runtime) = self.runtime.take() {
            // Blocking is not allowed when this value is dropped within another runtime.
            runtime.shutdown_background();
        }
    }
}

/// Opens a port of the loopback interface before the first client connects.
fn listen() -> Result<(std::net::TcpListener, SocketAddr), LocalAwsError> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(LocalAwsError::System)?;
    listener.set_nonblocking(true).map_err(LocalAwsError::System)?;
    let address = listener.local_addr().map_err(LocalAwsError::System)?;
    Ok((listener, address))
}

/// Returns the `PATH` for fakecloud, in which it finds `bash` for the container program.
fn search_path() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "the programs of this machine are found as its user finds them"
    )]
    std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned())
}
