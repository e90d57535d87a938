//! The Kubernetes versions that EKS offers.

use aws_sdk_eks::types::{ClusterVersionInformation, VersionStatus};

use super::EksClusters;
use crate::AwsError;

/// The action of IAM that [`EksClusters::versions`] needs. It has no permissions on single resources
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelastickubernetesservice.html>).
const DESCRIBE_CLUSTER_VERSIONS: &str = "eks:DescribeClusterVersions";

impl EksClusters {
    /// Returns the Kubernetes versions of new clusters, in standard and in extended support, oldest first: `1.31`,
    /// `1.32`
    /// (<https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeClusterVersions.html>).
    ///
    /// # Errors
    /// [`AwsError`] if EKS refuses the call or does not answer.
    pub async fn versions(&self) -> Result<Vec<String>, AwsError> {
        let mut found = Vec::new();
        let mut pages = self.client.describe_cluster_versions().into_paginator().send();
        while let Some(page) = pages.next().await {
            let failed = |e| AwsError::new(DESCRIBE_CLUSTER_VERSIONS, "the Region", e);
            found.extend(page.map_err(failed)?.cluster_versions.unwrap_or_default());
        }
        Ok(offered(&found))
    }
}

fn offered(all: &[ClusterVersionInformation]) -> Vec<String> {
    let is_offered =
        |one: &&ClusterVersionInformation| one.version_status() != Some(&VersionStatus::Unsupported);
    let mut versions: Vec<(u32, u32)> = all
        .iter()
        .filter(is_offered)
        .filter_map(|one| {
            let (major, minor) = one.cluster_version()?.split_once('.')?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        })
        .collect();
    versions.sort_unstable();
    versions.dedup();
    let shown = versions.iter().map(|(major, minor)| format!("{major}.{minor}"));
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_without_support_are_left_out_and_the_rest_is_in_order() {
        let version = |name: &str, status: VersionStatus| {
            ClusterVersionInformation::builder()
                .cluster_version(name)
                .version_status(status)
                .build()
        };
        let all = [
            version("1.33", VersionStatus::StandardSupport),
            version("1.9", VersionStatus::ExtendedSupport),
            version("1.27", VersionStatus::Unsupported),
            version("1.31", VersionStatus::ExtendedSupport),
            version("latest", VersionStatus::StandardSupport),
        ];
        assert_eq!(offered(&all), ["1.9", "1.31", "1.33"]);
    }
}
