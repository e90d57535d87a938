//! EKS clusters.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use lifeboat_apiserver::Api;
use lifeboat_apiserver::connect::{Address, AddressOptions};
use lifeboat_aws::{AwsContext, ClusterAddress, EksClusters, EksTokenSource};
use lifeboat_jobs::{AccessFinding, ClusterTarget};
use lifeboat_model::{
    Arn, ArnKind, ClusterName, Code, Diagnostic as _, EnvironmentId, ErrorKind, Problem, Side,
};
use lifeboat_store::ports::{Clock, Randomness};

use super::{Clusters, Unreachable};
use crate::commands;

mod findings;

use findings::{AccessQuery, missing, refused, usable};

/// The EKS clusters of one environment, accessed with the function's role.
pub struct Eks {
    context: AwsContext,
    clusters: EksClusters,
    environment: EnvironmentId,
    role: Arn,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Randomness>,
    side: Side,
}

impl Eks {
    /// Creates the client for the environment that the function runs in and the side of the application that
    /// it serves.
    #[must_use]
    pub fn new(
        context: &AwsContext,
        environment: EnvironmentId,
        role: Arn,
        side: Side,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Randomness>,
    ) -> Self {
        Self {
            context: context.clone(),
            clusters: EksClusters::new(context),
            environment,
            role,
            clock,
            ids,
            side,
        }
    }

    async fn describe(&self, target: &ClusterTarget) -> Result<ClusterAddress, Unreachable> {
        let named = match target.arn.kind() {
            ArnKind::Cluster { name } => ClusterName::parse(name).ok(),
            _ => None,
        };
        // The name is part of commands that users paste into a shell, so it must be a valid cluster name,
        // whatever the assignment contains.
        let Some(name) = named else {
            return Err(missing(
                Code::ClusterNotFound,
                format!("{:?} is not an EKS cluster", target.arn.as_str()),
                "use the ARN of an EKS cluster in the application document",
            ));
        };
        if target.arn.environment().as_ref() != Some(&self.environment) {
            return Err(missing(
                Code::ClusterNotFound,
                format!(
                    "{} is not in {}, the environment of this delegate",
                    target.arn, self.environment
                ),
                "use a cluster of the environment in the application document",
            ));
        }
        self.clusters.describe(name.as_str()).await.map_err(|error| {
            let finding = AccessFinding::new(error.problem());
            let finding = match error.kind() {
                ErrorKind::Denied => finding.with_command(commands::describe(&self.role, &target.arn)),
                _ => finding,
            };
            Unreachable {
                findings: vec![finding],
                retry: error.kind() == ErrorKind::Retry,
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
            Err(error) => {
                let asked = AccessQuery {
                    cluster: &target.arn,
                    role: &self.role,
                    side: self.side,
                };
                Err(refused(&asked, &described, &error))
            }
        }
    }

    async fn tagged(&self, tags: &BTreeMap<String, String>) -> Result<Vec<ClusterTarget>, Unreachable> {
        let found = self.clusters.with_tags(tags).await.map_err(|error| {
            let problem = error.problem();
            let finding = AccessFinding::new(Problem {
                code: Code::NoTaggedCluster,
                ..problem
            });
            let finding = match error.answer().action() {
                "eks:ListClusters" if error.kind() == ErrorKind::Denied => {
                    finding.with_command(commands::list(&self.role))
                }
                _ => finding,
            };
            Unreachable {
                findings: vec![finding],
                retry: error.kind() == ErrorKind::Retry,
            }
        })?;
        // Every EKS cluster name is a valid name; another one could not be described by name.
        let target = |address: ClusterAddress| {
            Some(ClusterTarget {
                name: ClusterName::parse(address.name).ok()?,
                arn: address.arn,
            })
        };
        Ok(found.into_iter().filter_map(target).collect())
    }
}
