//! EKS clusters: their endpoints, their network access, and their access entries.
//!
//! Read-only: nothing here changes a cluster.

use std::collections::BTreeMap;

use aws_sdk_eks::Client;
use lifeboat_model::Region;

use crate::{AwsContext, AwsError};

mod access;
mod address;
mod error;
mod versions;

pub use access::{AccessEntry, AccessPolicy, AccessScope};
pub use address::{AuthenticationMode, ClusterAddress, ClusterKind, ClusterStatus, Endpoint};
pub use error::EksError;

/// The EKS clusters of one account and Region.
#[derive(Clone)]
pub struct EksClusters {
    client: Client,
    region: Region,
}

impl std::fmt::Debug for EksClusters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EksClusters({})", self.region)
    }
}

impl EksClusters {
    /// Creates a client for the clusters of the context's account and Region.
    #[must_use]
    pub fn new(context: &AwsContext) -> Self {
        Self {
            client: Client::new(context.sdk_config()),
            region: context.region().clone(),
        }
    }

    /// Returns the name of a cluster for messages.
    fn shown(&self, cluster: &str) -> String {
        format!("{cluster} in {}", self.region)
    }

    /// Reads everything about a cluster that a connection, or the issue about a failed connection, needs.
    ///
    /// # Errors
    /// [`EksError::NotFound`], [`EksError::Denied`] or [`EksError::Failed`].
    pub async fn describe(&self, name: &str) -> Result<ClusterAddress, EksError> {
        let answer = (self.client.describe_cluster().name(name).send().await)
            .map_err(|e| EksError::of(self.shown(name), AwsError::new("eks:DescribeCluster", name, e)))?;
        (answer.cluster.and_then(|cluster| ClusterAddress::read(&cluster))).ok_or_else(|| {
            let what = "the response contains no cluster with a name and an ARN";
            let error = AwsError::unexpected("eks:DescribeCluster", name, what);
            EksError::of(self.shown(name), error)
        })
    }

    /// Lists the names of all clusters, sorted. Clusters of other platforms that are only registered in EKS (EKS
    /// Connector) are included, to distinguish them from clusters that do not exist.
    ///
    /// # Errors
    /// [`EksError::Denied`] or [`EksError::Failed`].
    /// [`EksError::Denied`] or [`EksError::Failed`].
    pub async fn names(&self) -> Result<Vec<String>, EksError> {
        let all = format!("the clusters of {}", self.region);
        let mut names = Vec::new();
        let mut pages = self.client.list_clusters().include("all").into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page
                .map_err(|e| EksError::of(all.clone(), AwsError::new("eks:ListClusters", all.clone(), e)))?;
            names.extend(page.clusters.unwrap_or_default());
        }
        names.sort();
        Ok(names)
    }

    /// Lists the clusters that have all of these tags, by name. A cluster that is deleted during the call is omitted.
    ///
    /// # Errors
    /// [`EksError::Denied`] or [`EksError::Failed`]. If one cluster cannot be described, the call fails, because that
    /// cluster may have the tags.
    pub async fn with_tags(&self, tags: &BTreeMap<String, String>) -> Result<Vec<ClusterAddress>, EksError> {
        let mut found = Vec::new();
        for name in self.names().await? {
            let address = match self.describe(&name).await {
                Err(EksError::NotFound { .. }) => continue,
                other => other?,
            };
            if tags
                .iter()
                .all(|(key, value)| address.tags.get(key) == Some(value))
            {
                found.push(address);
            }
        }
        Ok(found)
    }
}
