//! What a recovery point says about the AWS resources that its clusters stand on.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use lifeboat_format::manifest::{ResourceRecord, UnreadRecord};
use lifeboat_infrastructure::description::Missing;
use lifeboat_infrastructure::{Descriptions, Mentions};
use lifeboat_model::EnvironmentId;
use lifeboat_recovery_point::DescribedInfrastructure;
use lifeboat_recovery_point::cursor::CapturedCluster;

/// Reads the AWS resources that clusters stand on.
#[async_trait]
pub trait DescribeResources: Send + Sync {
    /// Returns the environment that is read.
    fn environment(&self) -> &EnvironmentId;

    /// Describes EKS clusters, what they stand on, and what their objects mention. What may not be read is in the result.
    ///
    /// # Errors
    /// The call without an answer: nothing is described then.
    async fn describe(&self, clusters: BTreeSet<String>, mentions: Mentions)
    -> Result<Descriptions, Missing>;
}

/// Describes what captured clusters stand on. `clusters` are their names in EKS.
///
/// A failure does not prevent the recovery point: it is what is missing of the infrastructure.
pub async fn describe(
    resources: &dyn DescribeResources,
    clusters: BTreeSet<String>,
    captured: &[CapturedCluster],
    at: Timestamp,
) -> DescribedInfrastructure {
    let mut mentions = Mentions::new();
    for cluster in captured {
        mentions.merge(Mentions::of(&cluster.record.dependencies));
    }
    match resources.describe(clusters, mentions).await {
        Ok(descriptions) => described(&descriptions, at),
        Err(missing) => undescribed(resources.environment(), &missing, at),
    }
}

/// Returns what a recovery point holds of descriptions that were read at a time.
#[must_use]
pub fn described(descriptions: &Descriptions, at: Timestamp) -> DescribedInfrastructure {
    let (absent, missing): (Vec<_>, Vec<_>) = descriptions.missing.iter().partition(|one| one.is_absent());
    let resources = descriptions.resources().into_iter().map(|one| ResourceRecord {
        r#type: one.r#type.to_owned(),
        id: one.id,
    });
    DescribedInfrastructure {
        account: descriptions.account.clone(),
        region: descriptions.region.clone(),
        described_at: at,
        resources: resources.collect(),
        missing: missing.into_iter().map(unread).collect(),
        absent: absent.into_iter().map(unread).collect(),
        document: Bytes::from(serde_json::to_vec(descriptions).expect("descriptions are plain values")),
    }
}

/// Returns what a recovery point holds if nothing could be described.
#[must_use]
pub fn undescribed(environment: &EnvironmentId, why: &Missing, at: Timestamp) -> DescribedInfrastructure {
    DescribedInfrastructure {
        account: environment.account.clone(),
        region: environment.region.clone(),
        described_at: at,
        resources: Vec::new(),
        missing: vec![unread(why)],
        absent: Vec::new(),
        document: Bytes::new(),
    }
}

fn unread(missing: &Missing) -> UnreadRecord {
    UnreadRecord {
        resource: missing.resource.clone(),
        call: missing.call.clone(),
        code: missing.code.clone(),
    }
}
