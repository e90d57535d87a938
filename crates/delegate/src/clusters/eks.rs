//! EKS clusters.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use lifeboat_apiserver::Api;
use lifeboat_aws::{AwsContext, ClusterAddress, EksClusters};
use lifeboat_describe::{NetworkLook, PrivateFunction};
use lifeboat_jobs::finding::Said;
use lifeboat_jobs::{AccessFinding, ClusterTarget, PrivateEndpoint};
use lifeboat_model::{
    ApplicationName, Arn, ClusterName, Code, Diagnostic as _, EnvironmentId, ErrorKind, Problem, Side,
};
use lifeboat_store::ports::{Clock, Randomness};

use super::{Caller, Clusters, Unreachable};

mod findings;

use findings::{refused, usable};

/// The EKS clusters of one environment, accessed with the function's role.
pub struct Eks {
    caller: Caller,
    clusters: EksClusters,
    environment: EnvironmentId,
    private: Option<PrivateNetworks>,
}

/// What the private delegates of an environment have in common.
#[derive(Debug, Clone)]
pub struct PrivateNetworks {
    /// The application.
    pub application: ApplicationName,
    /// The side.
    pub side: Side,
    /// The ARN of the public delegate's role, whose path those of the private ones have.
    pub role: Arn,
}

impl PrivateNetworks {
    /// Returns the path of the roles.
    fn role_path(&self) -> &str {
        let path = self.role.resource().strip_prefix("role");
        path.and_then(|path| path.rfind('/').map(|end| &path[..=end]))
            .unwrap_or("/")
    }
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
            clusters: EksClusters::new(context),
            caller: Caller {
                context: context.clone(),
                clock,
                ids,
            },
            environment,
            private: None,
        }
    }

    /// Looks at the networks of these private delegates, too.
    #[must_use]
    pub fn checking(self, private: PrivateNetworks) -> Self {
        Self {
            private: Some(private),
            ..self
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
        let connected = (self.caller).connect(&described.name, &endpoint.url, &endpoint.ca_pem);
        connected.await.map_err(|error| refused(&described, &error))
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

    async fn network(&self, target: &ClusterTarget, endpoint: &PrivateEndpoint) -> NetworkLook {
        match (&self.private, target.eks_name()) {
            (Some(private), Some(cluster)) => {
                let delegate = PrivateFunction {
                    application: &private.application,
                    side: private.side,
                    cluster: &cluster,
                    role_path: private.role_path(),
                };
                let look = delegate
                    .look(&self.caller.context, &self.environment, endpoint)
                    .await;
                for unseen in &look.unseen {
                    tracing::warn!(cluster = %target.name, unseen, "a part of the network of a private cluster is not seen");
                }
                look
            }
            _ => NetworkLook::default(),
        }
    }
}
