//! The documents of a job but for its result.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lifeboat_model::{
    AccountId, ApplicationName, Arn, ClusterName, EnvironmentId, Epoch, Filter, JobId, RecoveryPointId,
    Region,
};
use lifeboat_recovery_point::cursor::Types;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checkpoint::Progress;

/// What is to be done, and which epoch may do it. Written by the coordinator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Assignment {
    /// Always [`super::FORMAT`].
    pub format: u32,
    /// The job.
    pub job: JobId,
    /// The application.
    pub application: ApplicationName,
    /// The epoch that this allows.
    pub epoch: Epoch,
    /// When the coordinator decided it.
    #[schemars(with = "String")]
    pub issued_at: Timestamp,
    /// The environment whose delegate does it. A delegate elsewhere refuses it.
    pub environment: EnvironmentId,
    /// What is to be done.
    pub work: Work,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Work {
    /// Capture clusters into packs.
    Capture {
        /// The point that it is for.
        point: RecoveryPointId,
        /// The clusters.
        clusters: Vec<ClusterTarget>,
        /// Which objects.
        #[serde(default)]
        filter: Filter,
        /// Which types.
        types: Types,
        /// The public half of the recovery key, PEM.
        recipient: String,
        /// Whether no other job takes part in the point, so that this one signs it too.
        seal: bool,
        /// Which part of the cluster's capture this is, where several jobs do it: it stands in the names of
        /// packs and keys. 0 where one job does all.
        #[serde(default)]
        part: u16,
        /// Whether to count first, and to end with the counts where the cluster is big enough for several
        /// jobs ([`super::split`]).
        #[serde(default)]
        split: bool,
    },
    /// Sign the point that other jobs have captured in the same bucket.
    Seal {
        /// The point.
        point: RecoveryPointId,
        /// The capture jobs.
        parts: Vec<JobId>,
    },
    /// Restore one cluster of a point.
    Restore {
        /// The point.
        point: RecoveryPointId,
        /// Where it lies.
        vault: VaultPlace,
        /// Its name in the point.
        cluster: ClusterName,
        /// The cluster that is written into.
        target: ClusterTarget,
        /// The pinned key that the point must be signed with, PEM.
        signer: String,
        /// Restore options, read by the planner.
        options: serde_json::Map<String, serde_json::Value>,
    },
    /// Check what the delegate may do with clusters.
    Check {
        /// Clusters by name.
        clusters: Vec<ClusterTarget>,
        /// Clusters by tag: every EKS cluster of the environment that has all of these. Empty is none.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        cluster_tags: BTreeMap<String, String>,
    },
}

/// A cluster of an application as AWS names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterTarget {
    /// Its name in the application.
    pub name: ClusterName,
    /// The EKS cluster.
    pub arn: Arn,
}

/// Where recovery points of an application lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VaultPlace {
    /// The bucket.
    pub bucket: String,
    /// The account that must own it.
    pub owner: AccountId,
    /// Its Region.
    pub region: Region,
    /// What stands before every key; empty in a vault bucket.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

/// The invocation that owns an epoch. Written by the delegate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Claim {
    /// Always [`super::FORMAT`].
    pub format: u32,
    /// The job.
    pub job: JobId,
    /// The epoch.
    pub epoch: Epoch,
    /// The Lambda request id.
    pub invocation: String,
    /// When it was claimed, by the delegate's clock.
    #[schemars(with = "String")]
    pub claimed_at: Timestamp,
    /// When the invocation ends at the latest, by the delegate's clock.
    #[schemars(with = "String")]
    pub deadline: Timestamp,
}

/// How far an epoch came. Written by the delegate; the next epoch goes on from here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Checkpoint {
    /// Always [`super::FORMAT`].
    pub format: u32,
    /// The job.
    pub job: JobId,
    /// The epoch that ended.
    pub epoch: Epoch,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// How far.
    pub progress: Progress,
}

/// Ends a job early. Written by the coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cancel {
    /// Always [`super::FORMAT`].
    pub format: u32,
    /// The job.
    pub job: JobId,
    /// When it was decided.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl Work {
    /// The kind of work, as it stands in names of jobs and log lines.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Capture { .. } => "capture",
            Self::Seal { .. } => "seal",
            Self::Restore { .. } => "restore",
            Self::Check { .. } => "check",
        }
    }

    /// The clusters that the work is about.
    #[must_use]
    pub fn clusters(&self) -> &[ClusterTarget] {
        match self {
            Self::Capture { clusters, .. } | Self::Check { clusters, .. } => clusters,
            Self::Seal { .. } => &[],
            Self::Restore { target, .. } => std::slice::from_ref(target),
        }
    }
}
