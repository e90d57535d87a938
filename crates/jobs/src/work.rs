//! What a job asks for, by kind.

use std::collections::BTreeMap;

use lifeboat_model::{AccountId, Arn, ClusterName, Filter, JobId, RecoveryPointId, Region};
use lifeboat_recovery_point::cursor::Types;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Work {
    /// Capture clusters into packs.
    Capture(CaptureWork),
    /// Sign the point that other jobs have captured in the same bucket.
    Seal(SealWork),
    /// Restore one cluster of a point.
    Restore(RestoreWork),
    /// Check what the delegate may do with clusters.
    Check(CheckWork),
}

/// The payload of a capture job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaptureWork {
    /// The point that it is for.
    pub point: RecoveryPointId,
    /// The clusters.
    pub clusters: Vec<ClusterTarget>,
    /// Which objects.
    #[serde(default)]
    pub filter: Filter,
    /// Which types.
    pub types: Types,
    /// The public half of the recovery key, PEM.
    pub recipient: String,
    /// Whether no other job takes part in the point, so that this one signs it too.
    pub seal: bool,
    /// Which part of the cluster's capture this is, where several jobs do it: it stands in the names of
    /// packs and keys. 0 where one job does all.
    #[serde(default)]
    pub part: u16,
    /// Whether to count first, and to end with the counts where the cluster is big enough for several
    /// jobs ([`super::split`]).
    #[serde(default)]
    pub split: bool,
}

/// The payload of a seal job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SealWork {
    /// The point.
    pub point: RecoveryPointId,
    /// The capture jobs.
    pub parts: Vec<JobId>,
}

/// The payload of a restore job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreWork {
    /// The point.
    pub point: RecoveryPointId,
    /// Where it lies.
    pub vault: VaultPlace,
    /// Its name in the point.
    pub cluster: ClusterName,
    /// The cluster that is written into.
    pub target: ClusterTarget,
    /// The pinned key that the point must be signed with, PEM.
    pub signer: String,
    /// Restore options, read by the planner.
    pub options: serde_json::Map<String, serde_json::Value>,
}

/// The payload of an access check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckWork {
    /// Clusters by name.
    pub clusters: Vec<ClusterTarget>,
    /// Clusters by tag: every EKS cluster of the environment that has all of these. Empty is none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cluster_tags: BTreeMap<String, String>,
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

impl Work {
    /// The kind of work, as it stands in names of jobs and log lines.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Capture(_) => "capture",
            Self::Seal(_) => "seal",
            Self::Restore(_) => "restore",
            Self::Check(_) => "check",
        }
    }

    /// The clusters that the work is about.
    #[must_use]
    pub fn clusters(&self) -> &[ClusterTarget] {
        match self {
            Self::Capture(CaptureWork { clusters, .. }) | Self::Check(CheckWork { clusters, .. }) => clusters,
            Self::Seal(_) => &[],
            Self::Restore(work) => std::slice::from_ref(&work.target),
        }
    }
}
