//! Errors that end a capture without a result.

use std::time::Duration;

use lifeboat_model::{Code, Diagnostic, ErrorKind, Problem};
use lifeboat_recovery_point::writer::WriteError;

use lifeboat_apiserver::api::ApiError;
use lifeboat_apiserver::discovery::DiscoveryError;

/// Errors that end a capture without a result.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The types of the cluster could not be discovered, or the filter names a type that does not exist.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// The filter names a namespace that does not exist.
    #[error("find the namespace {namespace:?} on the cluster")]
    UnknownNamespace {
        /// The namespace.
        namespace: String,
    },
    /// The API server does not respond, or refuses a request that the capture depends on.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A batch could not be stored.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The deadline passed.
    #[error("read the cluster within {} seconds", allowed.as_secs_f32())]
    Deadline {
        /// The time limit of the capture.
        allowed: Duration,
    },
    /// The checkpoint is of another cluster than the one that responds.
    #[error("continue the capture: another cluster responds under the same name")]
    OtherCluster,
    /// A lister panicked, which is a bug.
    #[error("keep a lister running")]
    Panicked,
}

impl Diagnostic for CaptureError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Discovery(error) => error.kind(),
            Self::UnknownNamespace { .. } => ErrorKind::Invalid,
            Self::Api(error) => error.kind(),
            Self::Write(error) => error.kind(),
            Self::Deadline { .. } => ErrorKind::Deadline,
            // The next capture starts from the beginning, with the new cluster.
            Self::OtherCluster => ErrorKind::Conflict,
            Self::Panicked => ErrorKind::Bug,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Discovery(error) => error.code(),
            Self::UnknownNamespace { .. } => Code::UnknownFilter,
            Self::Api(error) => error.code(),
            Self::Write(error) => error.code(),
            Self::Deadline { .. } => Code::CaptureDeadlineExceeded,
            Self::OtherCluster => Code::JobLost,
            Self::Panicked => Code::Bug,
        }
    }

    fn problem(&self) -> Problem {
        let guidance = match self {
            Self::Discovery(error) => return error.problem(),
            Self::Api(error) => return error.problem(),
            Self::Write(error) => return error.problem(),
            Self::UnknownNamespace { .. } => "list the namespaces with `kubectl get namespaces`",
            Self::Deadline { .. } => "increase --deadline, or capture fewer objects with a filter",
            Self::OtherCluster => "run the backup again",
            Self::Panicked => {
                "report this as a bug with the output of the same command run with `--log-level debug`"
            }
        };
        Problem::new(self.code(), format!("failed to {self}"), guidance)
    }
}
