//! The port to clusters: from the name that a job gives to a connection, or to what is missing.

use std::collections::BTreeMap;

use async_trait::async_trait;
use lifeboat_apiserver::Api;
use lifeboat_jobs::{AccessFinding, ClusterTarget};
use lifeboat_model::{Code, Problem};

mod eks;

pub use eks::Eks;

/// Reaches the clusters of an environment.
#[async_trait]
pub trait Clusters: Send + Sync {
    /// A connection to a cluster that has answered, as this delegate's role.
    ///
    /// # Errors
    /// [`Unreachable`] with everything that is missing, each with its fix.
    async fn connect(&self, target: &ClusterTarget) -> Result<Api, Unreachable>;

    /// Every cluster of the environment that has all of these tags, under its own name.
    ///
    /// # Errors
    /// [`Unreachable`] where they cannot be looked for. So it is unless an implementation can.
    async fn tagged(&self, _tags: &BTreeMap<String, String>) -> Result<Vec<ClusterTarget>, Unreachable> {
        Err(Unreachable::unavailable(AccessFinding::new(Problem::new(
            Code::NoTaggedCluster,
            "finding clusters by tag is not supported here",
            "list the clusters in the application document",
        ))))
    }
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreachable {
    /// What is missing; never empty.
    pub findings: Vec<AccessFinding>,
    /// Whether a retry can succeed without a change by the user.
    pub retry: bool,
}

impl Unreachable {
    /// A finding that a user has to fix.
    #[must_use]
    pub fn unavailable(finding: AccessFinding) -> Self {
        Self {
            findings: vec![finding],
            retry: false,
        }
    }
}
