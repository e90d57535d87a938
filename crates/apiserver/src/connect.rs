//! Connects to a Kubernetes API server with a kubeconfig and checks the connection.
//!
//! This module does not read the environment: the command line reads `KUBECONFIG` and `HOME` and passes the
//! files as values.

mod address;

use std::path::PathBuf;
use std::time::Duration;

use kube::Config;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use lifeboat_model::{Code, Diagnostic, ErrorKind, Problem};

use crate::api::{Api, ApiError};
use crate::discovery::ServerVersion;
use lifeboat_system::retry::{Jitter, RetryPolicy};

pub use address::{Address, AddressError, AddressOptions};

/// The location of the kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KubeconfigSource {
    /// A single file, named on the command line; it must exist.
    File(PathBuf),
    /// The files of `KUBECONFIG`, or the default file, merged as kubectl does. Files that do not exist are
    /// skipped if at least one exists.
    Merged(Vec<PathBuf>),
}

/// The options of a connection.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// The location of the kubeconfig.
    pub kubeconfig: KubeconfigSource,
    /// The context; `None` uses the kubeconfig's current context.
    pub context: Option<String>,
    /// The timeout of a TCP and TLS connection. An API server in the next Region responds in well under a
    /// second; ten seconds allow two retransmissions of a lost packet.
    pub connect_timeout: Duration,
    /// The maximum time without data during a response. kube-apiserver itself ends a request after 60 seconds
    /// (`--request-timeout`), so that one second more means that the connection is dead.
    pub read_timeout: Duration,
    /// The seed for the jitter of retry delays.
    pub seed: u64,
}

impl ConnectOptions {
    /// Returns options with the default timeouts.
    #[must_use]
    pub fn new(kubeconfig: KubeconfigSource, context: Option<String>) -> Self {
        Self {
            kubeconfig,
            context,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(61),
            seed: 0,
        }
    }
}

/// A failed connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No file of the kubeconfig exists.
    #[error("find a kubeconfig: none of {} exists", list(.tried))]
    NoKubeconfig {
        /// The files that were tried.
        tried: Vec<PathBuf>,
    },
    /// A file of the kubeconfig, or a certificate or key that it names, cannot be read or parsed.
    #[error("read the kubeconfig {}: {why}", list(.files))]
    UnreadableKubeconfig {
        /// The files of the kubeconfig.
        files: Vec<PathBuf>,
        /// What is wrong. Parsers quote the invalid text, which may be a key, so that only the position is
        /// reported.
        why: String,
    },
    /// The kubeconfig has no such context.
    #[error("find the context {context:?} in the kubeconfig, which has {}", names(.known))]
    UnknownContext {
        /// The requested context.
        context: String,
        /// The existing contexts.
        known: Vec<String>,
    },
    /// No context is given, neither by the user nor as the current context.
    #[error("choose a context: the kubeconfig has no current-context, but {}", names(.known))]
    NoContext {
        /// The existing contexts.
        known: Vec<String>,
    },
    /// The context names a cluster or an address that does not exist.
    #[error("use the context of the kubeconfig: {why}")]
    BrokenContext {
        /// What is wrong.
        why: String,
    },
    /// The API server returns no usable response.
    #[error(transparent)]
    Api(#[from] ApiError),
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}

fn names(known: &[String]) -> String {
    if known.is_empty() {
        "no context at all".into()
    } else {
        format!("only {}", known.join(", "))
    }
}

impl Diagnostic for ConnectError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Api(error) => error.kind(),
            _ => ErrorKind::Invalid,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NoKubeconfig { .. } | Self::UnreadableKubeconfig { .. } | Self::BrokenContext { .. } => {
                Code::KubeconfigUnreadable
            }
            Self::UnknownContext { .. } | Self::NoContext { .. } => Code::UnknownContext,
            Self::Api(error) => error.code(),
        }
    }

    fn problem(&self) -> Problem {
        let guidance = match self {
            Self::Api(error) => return error.problem(),
            Self::NoKubeconfig { .. } => {
                "name one with --kubeconfig or KUBECONFIG; on EKS `aws eks update-kubeconfig --name CLUSTER` writes one"
            }
            Self::UnreadableKubeconfig { .. } => "check the file with `kubectl config view`",
            Self::UnknownContext { .. } | Self::NoContext { .. } => {
                "list the contexts with `kubectl config get-contexts` and choose one with --context"
            }
            Self::BrokenContext { .. } => "check the context with `kubectl config view --minify`",
        };
        Problem::new(self.code(), format!("failed to {self}"), guidance)
    }
}

impl Api {
    /// Connects to the cluster of a context and checks that a Kubernetes API server responds.
    ///
    /// # Errors
    /// [`ConnectError`] distinguishes the causes.
    pub async fn connect(options: &ConnectOptions) -> Result<(Self, ServerVersion), ConnectError> {
        let config = load(options).await?;
        let api = Self::from_config(config, options)?;
        let version = ServerVersion::read(&api.clone().with_retry(RetryPolicy::HASTY)).await?;
        tracing::info!(server = api.server(), version = version.git_version, "connected");
        Ok((api, version))
    }

    /// Creates a connection with an existing configuration, without checking it.
    ///
    /// # Errors
    /// [`ConnectError::BrokenContext`] if the configuration contains no usable certificates or keys.
    pub fn from_config(mut config: Config, options: &ConnectOptions) -> Result<Self, ConnectError> {
        // This crate retries requests itself: kube would retry 15 times with delays of up to 1000 seconds.
        config.default_retry = false;
        config.connect_timeout = Some(options.connect_timeout);
        config.read_timeout = Some(options.read_timeout);
        config.write_timeout = Some(options.read_timeout);
        // Otherwise the idle time of a pooled connection counts as time without data.
        config.reset_reader_on_write = true;
        let server = config.cluster_url.to_string();
        let server = server.trim_end_matches('/');
        let builder = ClientBuilder::try_from(config).map_err(|error| match error {
            kube::Error::Auth(_) => ConnectError::Api(ApiError::from_kube(server, "/", error)),
            kube::Error::InferKubeconfig(error) => ConnectError::BrokenContext {
                why: describe(&error),
            },
            other => ConnectError::BrokenContext {
                why: other.to_string(),
            },
        })?;
        Ok(Self::from_client(builder.build(), server).with_jitter(Jitter::seeded(options.seed)))
    }
}

async fn load(options: &ConnectOptions) -> Result<Config, ConnectError> {
    let (files, mut kubeconfig) = read(&options.kubeconfig)?;
    let known: Vec<String> = kubeconfig.contexts.iter().map(|c| c.name.clone()).collect();
    let context = options
        .context
        .clone()
        .or_else(|| kubeconfig.current_context.clone());
    let Some(context) = context.filter(|name| !name.is_empty()) else {
        return Err(ConnectError::NoContext { known });
    };
    if !known.contains(&context) {
        return Err(ConnectError::UnknownContext { context, known });
    }
    let proxy = hide_proxy(&mut kubeconfig, &context);
    let chosen = KubeConfigOptions {
        context: Some(context),
        ..KubeConfigOptions::default()
    };
    let config = Config::from_custom_kubeconfig(kubeconfig, &chosen).await;
    let mut config = config.map_err(|error| match error {
        KubeconfigError::LoadClusterOfContext(_)
        | KubeconfigError::MissingClusterUrl
        | KubeconfigError::ParseClusterUrl(_) => ConnectError::BrokenContext {
            why: describe(&error),
        },
        error => ConnectError::UnreadableKubeconfig {
            files,
            why: describe(&error),
        },
    })?;
    config.proxy_url = None;
    if proxy.is_some() {
        let why = "its cluster has a `proxy-url`, which Lifeboat does not support";
        return Err(ConnectError::BrokenContext { why: why.into() });
    }
    Ok(config)
}

/// Removes the proxy from the chosen cluster and returns it. If a cluster has no proxy, kube reads
/// `HTTPS_PROXY` from the environment, even for an API server on loopback and regardless of `NO_PROXY`;
/// therefore the cluster gets a placeholder that is never used.
fn hide_proxy(kubeconfig: &mut Kubeconfig, context: &str) -> Option<String> {
    let chosen = kubeconfig.contexts.iter().find(|known| known.name == context)?;
    let name = chosen.context.as_ref()?.cluster.clone();
    let cluster = kubeconfig.clusters.iter_mut().find(|known| known.name == name)?;
    let unused = Some("http://unused.invalid".to_owned());
    let proxy = std::mem::replace(&mut cluster.cluster.as_mut()?.proxy_url, unused);
    proxy.filter(|proxy| !proxy.is_empty())
}

fn read(source: &KubeconfigSource) -> Result<(Vec<PathBuf>, Kubeconfig), ConnectError> {
    let (files, must_exist) = match source {
        KubeconfigSource::File(file) => (vec![file.clone()], true),
        KubeconfigSource::Merged(files) => (files.clone(), false),
    };
    let mut merged: Option<Kubeconfig> = None;
    let mut used = Vec::new();
    for file in &files {
        let unreadable = |error: KubeconfigError| ConnectError::UnreadableKubeconfig {
            files: vec![file.clone()],
            why: describe(&error),
        };
        let next = match Kubeconfig::read_from(file) {
            Err(KubeconfigError::ReadConfig(cause, _))
                if cause.kind() == std::io::ErrorKind::NotFound && !must_exist =>
            {
                continue;
            }
            other => other.map_err(unreadable)?,
        };
        used.push(file.clone());
        merged = Some(match merged {
            None => next,
            Some(earlier) => earlier.merge(next).map_err(unreadable)?,
        });
    }
    let kubeconfig = merged.ok_or(ConnectError::NoKubeconfig { tried: files })?;
    Ok((used, kubeconfig))
}

/// Describes an error of a kubeconfig without quoting the file, which contains keys and tokens.
fn describe(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => format!("not a kubeconfig at line {}, column {}", at.line(), at.column()),
            None => "not a kubeconfig".into(),
        },
        KubeconfigError::ReadConfig(cause, _) => cause.to_string(),
        KubeconfigError::ParseCertificates(_) => "the certificate authority is not PEM".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
