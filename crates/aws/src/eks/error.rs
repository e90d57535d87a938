//! Errors of requests to EKS.

use lifeboat_model::{Code, Diagnostic, ErrorKind, Problem};

use crate::AwsError;

/// Why a request to EKS failed. Reads well after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum EksError {
    /// There is no such cluster.
    #[error("find the EKS cluster {cluster}")]
    NotFound {
        /// The cluster and its Region.
        cluster: String,
        /// What EKS answered.
        #[source]
        source: AwsError,
    },
    /// The role lacks the permission for the request.
    #[error("describe {cluster} in EKS: access is denied")]
    Denied {
        /// The cluster and its Region.
        cluster: String,
        /// What EKS answered.
        #[source]
        source: AwsError,
    },
    /// Any other error; throttling and outages have the kind [`ErrorKind::Retry`].
    #[error("describe {cluster} in EKS")]
    Failed {
        /// The cluster and its Region.
        cluster: String,
        /// What EKS answered.
        #[source]
        source: AwsError,
    },
}

impl Diagnostic for EksError {
    fn kind(&self) -> ErrorKind {
        self.answer().kind()
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound { .. } => Code::ClusterNotFound,
            Self::Denied { .. } => Code::DescribeClusterDenied,
            Self::Failed { .. } => Code::ClusterUnreachable,
        }
    }

    fn problem(&self) -> Problem {
        let guidance = match self {
            Self::NotFound { .. } => {
                "check the name with `aws eks list-clusters` in that account and Region".to_owned()
            }
            Self::Denied { source, .. } => format!("allow the role {}", source.action()),
            Self::Failed { .. } => "run the command again in a few minutes".to_owned(),
        };
        Problem::new(self.code(), format!("failed to {self}"), guidance).caused_by(self.answer())
    }
}

impl EksError {
    pub(super) fn of(cluster: String, source: AwsError) -> Self {
        match source.kind() {
            ErrorKind::Gone => Self::NotFound { cluster, source },
            ErrorKind::Denied => Self::Denied { cluster, source },
            _ => Self::Failed { cluster, source },
        }
    }

    /// Returns the error that AWS returned.
    #[must_use]
    pub fn answer(&self) -> &AwsError {
        match self {
            Self::NotFound { source, .. } | Self::Denied { source, .. } | Self::Failed { source, .. } => {
                source
            }
        }
    }
}
