//! Access entries: the principals that may access a cluster, and their permissions.

use super::{EksClusters, EksError};
use crate::AwsError;

/// The access entry of a principal (<https://docs.aws.amazon.com/eks/latest/APIReference/API_AccessEntry.html>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessEntry {
    /// The ARN of the role or user.
    pub principal: String,
    /// `STANDARD` for users and tools, other types for nodes.
    pub kind: String,
    /// The username in Kubernetes.
    pub username: String,
    /// The groups in Kubernetes.
    pub groups: Vec<String>,
}

/// An access policy of EKS that is associated with a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessPolicy {
    /// Its ARN, such as `arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy`.
    pub arn: String,
    /// The part of the cluster that it applies to.
    pub scope: AccessScope,
}

/// The part of a cluster that an access policy applies to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessScope {
    /// The whole cluster.
    Cluster,
    /// These namespaces.
    Namespaces(Vec<String>),
}

impl EksClusters {
    /// Returns the access entry of a principal, or `None` if there is none. The ARN is that of the role, not that of a
    /// session of the role.
    ///
    /// # Errors
    /// [`EksError::NotFound`] if the cluster does not exist; [`EksError::Denied`], [`EksError::Failed`].
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
            // EKS returns the same error for an entry and for a cluster that does not exist.
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

    /// Lists the access policies that are associated with a principal; empty if it has no access entry.
    ///
    /// # Errors
    /// Those of [`EksClusters::access_entry`].
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
