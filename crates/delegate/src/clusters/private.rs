//! The cluster of a private delegate. The delegate runs in the cluster's VPC, from where it reaches the API server and S3,
//! and no other service: the endpoint comes with each job, and tokens are signed locally.

use std::sync::Arc;

use async_trait::async_trait;
use lifeboat_apiserver::Api;
use lifeboat_apiserver::connect::{Address, AddressOptions};
use lifeboat_aws::{AwsContext, EksTokenSource};
use lifeboat_jobs::{AccessFinding, ClusterTarget};
use lifeboat_model::{ClusterName, Code, Diagnostic as _, EnvironmentId, ErrorKind};
use lifeboat_store::ports::{Clock, Randomness};

use super::{Clusters, Unreachable};

/// One cluster with a private endpoint, accessed with the function's role.
pub struct PrivateCluster {
    context: AwsContext,
    environment: EnvironmentId,
    name: ClusterName,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Randomness>,
}

impl PrivateCluster {
    /// Creates the client for a cluster of the environment that the function runs in, by its name in EKS.
    #[must_use]
    pub fn new(
        context: &AwsContext,
        environment: EnvironmentId,
        name: ClusterName,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Randomness>,
    ) -> Self {
        Self {
            context: context.clone(),
            environment,
            name,
            clock,
            ids,
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
        let token = EksTokenSource::new(&self.context, self.name.as_str(), Arc::clone(&self.clock));
        let mut seed = [0; 8];
        self.ids.random(&mut seed);
        let address = Address {
            server: endpoint.url.clone(),
            ca_pem: endpoint.ca.clone(),
            token: Arc::new(token),
        };
        let options = AddressOptions {
            seed: u64::from_le_bytes(seed),
            ..AddressOptions::default()
        };
        let error = match Api::connect_to(&address, &options).await {
            Ok((api, _)) => return Ok(api),
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
