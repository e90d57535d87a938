//! The cluster of a private delegate. The delegate runs in the cluster's VPC, from where it reaches the API server and S3,
//! and no other service: the endpoint comes with each job, and tokens are signed locally.

use async_trait::async_trait;
use lifeboat_apiserver::Api;
use lifeboat_jobs::{AccessFinding, ClusterTarget};
use lifeboat_model::{ClusterName, Code, Diagnostic as _, EnvironmentId, ErrorKind};

use super::{Caller, Clusters, Unreachable};

/// One cluster with a private endpoint, accessed with the function's role.
pub struct PrivateCluster {
    caller: Caller,
    environment: EnvironmentId,
    name: ClusterName,
}

impl PrivateCluster {
    /// Creates the client for a cluster of the environment that the function runs in, by its name in EKS.
    #[must_use]
    pub fn new(caller: Caller, environment: EnvironmentId, name: ClusterName) -> Self {
        Self {
            caller,
            environment,
            name,
        }
    }
}

#[async_trait]
impl Clusters for PrivateCluster {
    async fn connect(&self, target: &ClusterTarget) -> Result<Api, Unreachable> {
        // A token for a cluster of another name would be valid there.
        if target.eks_name().as_ref() != Some(&self.name)
            || target.arn.environment().as_ref() != Some(&self.environment)
        {
            return Err(Unreachable::unavailable(AccessFinding::OtherEnvironment {}));
        }
        let Some(endpoint) = target.endpoint.as_ref().filter(|endpoint| endpoint.is_valid()) else {
            return Err(Unreachable::unavailable(AccessFinding::NoEndpoint {}));
        };
        let connected = (self.caller).connect(self.name.as_str(), &endpoint.url, &endpoint.ca);
        let error = match connected.await {
            Ok(api) => return Ok(api),
            Err(error) => error,
        };
        let problem = error.problem();
        Err(match problem.code {
            Code::Unauthenticated => Unreachable::unavailable(AccessFinding::NoAccessEntry {
                access_entries: endpoint.access_entries,
            }),
            _ => Unreachable {
                retry: error.kind() == ErrorKind::Retry,
                ..Unreachable::unavailable(AccessFinding::from(&problem))
            },
        })
    }
}
