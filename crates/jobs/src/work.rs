//! The kinds of work and their payloads.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_format::Sha256;
use lifeboat_model::{AccountId, Arn, ClusterName, Filter, JobId, RecoveryPointId, Region, SharedStack};
use lifeboat_recovery_point::cursor::Types;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::data_keys::DataKeysWork;
use super::endpoint::ClusterEndpoint;
use super::private_delegate::PrivateDelegateWork;

/// The work of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Work {
    /// Capture clusters into packs.
    Capture(CaptureWork),
    /// Sign the recovery point that other jobs have captured in the same bucket.
    Seal(SealWork),
    /// Build the AWS resources that the clusters of a recovery point stand on.
    Build(BuildWork),
    /// Restore one cluster of a recovery point.
    Restore(RestoreWork),
    /// Plan a restore, without changing anything.
    Plan(PlanWork),
    /// Check the delegate's access to clusters.
    Check(CheckWork),
    /// Wrap the data keys of a recovery point for a private delegate.
    DataKeys(DataKeysWork),
    /// Deploy, update or remove a private delegate.
    PrivateDelegate(PrivateDelegateWork),
}

/// The payload of a capture job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaptureWork {
    /// The recovery point to capture into.
    pub point: RecoveryPointId,
    /// The clusters to capture.
    pub clusters: Vec<ClusterTarget>,
    /// The selection of objects.
    #[serde(default)]
    pub filter: Filter,
    /// The selection of types.
    pub types: Types,
    /// The public recovery key, PEM.
    pub recipient: String,
    /// Whether this job is the only one for the recovery point and also signs it.
    pub seal: bool,
    /// The number of this part of the cluster's capture if several jobs share it; part of the names of packs
    /// and keys. 0 if one job captures the whole cluster.
    #[serde(default)]
    pub part: u16,
    /// Whether to count the objects first, and to end with the counts if the cluster is big enough for
    /// several jobs ([`super::split`]).
    #[serde(default)]
    pub split: bool,
}

/// The payload of a seal job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SealWork {
    /// The recovery point to seal.
    pub point: RecoveryPointId,
    /// The capture jobs whose results make up the recovery point.
    pub parts: Vec<JobId>,
}

/// What a build job builds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BuildMode {
    /// Everything.
    #[default]
    Active,
    /// What costs nothing while nobody uses it, unless there are clusters: then the stacks are in use.
    Standby,
}

/// The payload of a build job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildWork {
    /// The recovery point with the descriptions.
    pub point: RecoveryPointId,
    /// Where the recovery point is stored.
    pub vault: VaultPlace,
    /// The pinned public key that must have signed the recovery point, PEM.
    pub signer: String,
    /// What is built.
    #[serde(default)]
    pub mode: BuildMode,
    /// The names of EKS clusters in the recovery environment, by those in the primary.
    pub cluster_names: BTreeMap<ClusterName, ClusterName>,
    /// Whether clusters are built without nodes. Nodes become ready once the objects of the network plugin are restored.
    #[serde(default)]
    pub hold_nodes: bool,
    /// Whether the replication to file systems of the recovery environment ends, so that they can be written to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failover: bool,
    /// Whether add-ons of EKS are created as add-ons.
    #[serde(default)]
    pub managed_addons: bool,
    /// Whether service accounts get their roles by EKS Pod Identity instead of IRSA.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub irsa_to_pod_identity: bool,
    /// Whether a cluster gets the nearest Kubernetes version if EKS does not offer its own.
    #[serde(default)]
    pub allow_nearest_version: bool,
    /// Resources of the recovery environment that are used instead of building one, by those of the primary.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub adopt: BTreeMap<String, String>,
    /// The stacks that use what exists in the recovery environment.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub adopt_existing: BTreeSet<SharedStack>,
    /// The keys of the tags by which resources are found there; all if it is empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub adopt_tags: BTreeSet<String>,
    /// The hash of the only plan of AWS resources that may be built ([`super::PartDone::hash`]); any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_plan: Option<Sha256>,
}

/// The payload of a restore job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreWork {
    /// The recovery point to restore from.
    pub point: RecoveryPointId,
    /// Where the recovery point is stored.
    pub vault: VaultPlace,
    /// The cluster's name in the recovery point.
    pub cluster: ClusterName,
    /// The cluster to restore into.
    pub target: ClusterTarget,
    /// The pinned public key that must have signed the recovery point, PEM.
    pub signer: String,
    /// Restore options, parsed by the planner.
    pub options: serde_json::Map<String, serde_json::Value>,
    /// The build job whose result has the identity map by which objects are translated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built: Option<JobId>,
    /// The hash of the only plan of the cluster's objects that may be carried out ([`super::PartDone::hash`]); any if
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_plan: Option<Sha256>,
}

/// The payload of a plan job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanWork {
    /// The recovery point whose restore is planned.
    pub point: RecoveryPointId,
    /// Where the recovery point is stored.
    pub vault: VaultPlace,
    /// The pinned public key that must have signed the recovery point, PEM.
    pub signer: String,
    /// The clusters of the recovery point with those to restore into.
    pub clusters: Vec<ClusterTarget>,
    /// Restore options, parsed by the planner.
    pub options: serde_json::Map<String, serde_json::Value>,
    /// What the restore would build first; absent if it builds nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Box<BuildWork>>,
}

/// The payload of an access check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckWork {
    /// Clusters selected by name.
    pub clusters: Vec<ClusterTarget>,
    /// Clusters selected by tag: every EKS cluster of the environment that has all of these tags. Empty
    /// selects none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cluster_tags: BTreeMap<String, String>,
    /// The public recovery key, PEM. The delegate of the recovery side wraps a data key for it and unwraps it with its
    /// own key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_key: Option<String>,
}

/// A cluster of an application, with its EKS ARN.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterTarget {
    /// Its name in the application.
    pub name: ClusterName,
    /// The ARN of the EKS cluster.
    pub arn: Arn,
    /// The endpoint, for a private delegate. The public one asks EKS for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<ClusterEndpoint>,
}

impl ClusterTarget {
    /// Returns the cluster with this ARN, under a name.
    #[must_use]
    pub fn new(name: ClusterName, arn: Arn) -> Self {
        Self {
            name,
            arn,
            endpoint: None,
        }
    }

    /// Returns the cluster's name in EKS; `None` if the ARN is not that of a cluster.
    #[must_use]
    pub fn eks_name(&self) -> Option<ClusterName> {
        self.arn.cluster_name()
    }
}

/// The location of an application's recovery points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VaultPlace {
    /// The bucket name.
    pub bucket: String,
    /// The expected bucket owner (account ID).
    pub owner: AccountId,
    /// The bucket's Region.
    pub region: Region,
    /// The prefix of every key; empty in a vault bucket.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

impl Work {
    /// Returns the kind of work, as used in job names and log lines.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Capture(_) => "capture",
            Self::Seal(_) => "seal",
            Self::Build(_) => "build",
            Self::Restore(_) => "restore",
            Self::Plan(_) => "plan",
            Self::Check(_) => "check",
            Self::DataKeys(_) => "data-keys",
            Self::PrivateDelegate(_) => "private-delegate",
        }
    }

    /// Returns the clusters that the work names.
    #[must_use]
    pub fn clusters(&self) -> &[ClusterTarget] {
        match self {
            Self::Capture(CaptureWork { clusters, .. }) | Self::Check(CheckWork { clusters, .. }) => clusters,
            // No API server is asked.
            Self::Seal(_) | Self::Build(_) | Self::DataKeys(_) | Self::PrivateDelegate(_) => &[],
            Self::Plan(work) => &work.clusters,
            Self::Restore(work) => std::slice::from_ref(&work.target),
        }
    }
}
