//! EKS clusters.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use lifeboat_apiserver::Api;
use lifeboat_apiserver::connect::{Address, AddressOptions};
use lifeboat_aws::{AwsContext, ClusterAddress, EksClusters, EksTokenSource};
use lifeboat_jobs::finding::Said;
use lifeboat_jobs::{AccessFinding, ClusterTarget};
use lifeboat_model::{ClusterName, Code, Diagnostic as _, EnvironmentId, ErrorKind, Problem};
use lifeboat_store::ports::{Clock, Randomness};

use super::{Clusters, Unreachable};

mod findings;

use findings::{refused, usable};

/// The EKS clusters of one environment, accessed with the function's role.
pub struct Eks {
    context: AwsContext,
    clusters: EksClusters,
    environment: EnvironmentId,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Randomness>,
}

impl Eks {
    /// Creates the client for the environment that the function runs in.
    #[must_use]
    pub fn new(
        context: &AwsContext,
        environment: EnvironmentId,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Randomness>,
    ) -> Self {
        Self {
            context: context.clone(),
            clusters: EksClusters::new(context),
            environment,
            clock,
            ids,
        }
    }

    async fn describe(&self, target: &ClusterTarget) -> Result<ClusterAddress, Unreachable> {
        let Some(name) = target.eks_name() else {
            return Err(Unreachable::unavailable(AccessFinding::NotACluster {}));
        };
        if target.arn.environment().as_ref() != Some(&self.environment) {
            return Err(Unreachable::unavailable(AccessFinding::OtherEnvironment {}));
        }
        self.clusters.describe(name.as_str()).await.map_err(|error| {
            let problem = error.problem();
            let finding = match error.kind() {
                ErrorKind::Denied => AccessFinding::DescribeDenied {
                    said: Said::from(&problem),
                },
                _ => AccessFinding::from(&problem),
            };
            Unreachable {
                retry: error.kind() == ErrorKind::Retry,
                ..Unreachable::unavailable(finding)
            }
        })
    }
}

#[async_trait]
impl Clusters for Eks {
    async fn connect(&self, target: &ClusterTarget) -> Result<Api, Unreachable> {
        let described = self.describe(target).await?;
        let endpoint = usable(&described)?;
        let token = EksTokenSource::new(&self.context, &described.name, Arc::clone(&self.clock));
        let mut seed = [0; 8];
        self.ids.random(&mut seed);
        let address = Address {
            server: endpoint.url.clone(),
            ca_pem: endpoint.ca_pem.clone(),
            token: Arc::new(token),
        };
        let options = AddressOptions {
            seed: u64::from_le_bytes(seed),
            ..AddressOptions::default()
        };
        match Api::connect_to(&address, &options).await {
            Ok((api, _)) => Ok(api),
            Err(error) => Err(refused(&described, &error)),
        }
    }

    async fn tagged(&self, tags: &BTreeMap<String, String>) -> Result<Vec<ClusterTarget>, Unreachable> {
        let found = self.clusters.with_tags(tags).await.map_err(|error| {
            let problem = Problem {
                code: Code::NoTaggedCluster,
                ..error.problem()
            };
            let finding = match error.answer().action() {
                "eks:ListClusters" if error.kind() == ErrorKind::Denied => AccessFinding::ListDenied {
                    said: Said::from(&problem),
                },
                _ => AccessFinding::from(&problem),
            };
            Unreachable {
                retry: error.kind() == ErrorKind::Retry,
                ..Unreachable::unavailable(finding)
            }
        })?;
        // Every EKS cluster name is a valid name; another one could not be described by name.
        let target = |address: ClusterAddress| {
            let name = ClusterName::parse(address.name).ok()?;
            Some(ClusterTarget::new(name, address.arn))
        };
        Ok(found.into_iter().filter_map(target).collect())
    }
}
