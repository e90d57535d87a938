//! Access entries: who may enter a cluster, and as what.

use super::{EksClusters, EksError};
use crate::AwsError;

/// What a cluster's access entry gives to a principal
/// (<https://docs.aws.amazon.com/eks/latest/APIReference/API_AccessEntry.html>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessEntry {
    /// The ARN of the role or user.
    pub principal: String,
    /// `STANDARD` for people and tools, others for nodes.
    pub kind: String,
    /// The user that Kubernetes sees.
    pub username: String,
    /// The groups that Kubernetes sees.
    pub groups: Vec<String>,
}

/// An access policy of EKS that is associated with a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessPolicy {
    /// Its ARN, such as `arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy`.
    pub arn: String,
    /// Where it holds.
    pub scope: AccessScope,
}

/// Where an access policy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessScope {
    /// In the whole cluster.
    Cluster,
    /// In these namespaces.
    Namespaces(Vec<String>),
}

impl EksClusters {
    /// The access entry of a principal, if there is one. The ARN is that of the role, not that of a
    /// session of it.
    ///
    /// # Errors
    /// [`EksError::NotFound`] where the cluster does not exist; [`EksError::Denied`],
    /// [`EksError::Failed`].
    pub async fn access_entry(
        &self,
        cluster: &str,
        principal: &str,
    ) -> Result<Option<AccessEntry>, EksError> {
        let answer = (self.client.describe_access_entry())
            .cluster_name(cluster)
            .principal_arn(principal)
            .send()
            .await;
        let answer = answer.map_err(|e| {
            let on = format!("{cluster} for {principal}");
            EksError::of(
                self.shown(cluster),
                AwsError::new("eks:DescribeAccessEntry", on, e),
            )
        });
        let entry = match answer {
            Ok(answer) => answer.access_entry,
            // EKS says the same about an entry and a cluster that do not exist.
            Err(EksError::NotFound { .. }) => {
                self.describe(cluster).await?;
                None
            }
            Err(error) => return Err(error),
        };
        Ok(entry.map(|entry| AccessEntry {
            principal: entry.principal_arn().unwrap_or(principal).to_owned(),
            kind: entry.r#type().unwrap_or_default().to_owned(),
            username: entry.username().unwrap_or_default().to_owned(),
            groups: entry.kubernetes_groups().to_vec(),
        }))
    }

    /// The access policies that are associated with a principal; none where it has no access entry.
    ///
    /// # Errors
    /// As [`EksClusters::access_entry`].
    pub async fn access_policies(
        &self,
        cluster: &str,
        principal: &str,
    ) -> Result<Vec<AccessPolicy>, EksError> {
        let mut policies = Vec::new();
        let mut pages = (self.client.list_associated_access_policies())
            .cluster_name(cluster)
            .principal_arn(principal)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| {
                let on = format!("{cluster} for {principal}");
                let error = AwsError::new("eks:ListAssociatedAccessPolicies", on, e);
                EksError::of(self.shown(cluster), error)
            });
            let page = match page {
                Ok(page) => page,
                Err(EksError::NotFound { .. }) => {
                    self.describe(cluster).await?;
                    break;
                }
                Err(error) => return Err(error),
            };
            for policy in page.associated_access_policies() {
                let scope = policy.access_scope();
                let namespaces = scope.map_or(&[][..], |scope| scope.namespaces());
                let whole = scope.and_then(|s| s.r#type()).map(|kind| kind.as_str()) == Some("cluster");
                policies.push(AccessPolicy {
                    arn: policy.policy_arn().unwrap_or_default().to_owned(),
                    scope: if whole {
                        AccessScope::Cluster
                    } else {
                        AccessScope::Namespaces(namespaces.to_vec())
                    },
                });
            }
        }
        policies.sort_by(|one, other| one.arn.cmp(&other.arn));
        Ok(policies)
    }
}
