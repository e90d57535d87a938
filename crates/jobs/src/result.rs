//! The result of a job.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lifeboat_format::Sha256;
use lifeboat_format::manifest::Completeness;
use lifeboat_model::{Arn, BuiltStack, ClusterName, EnvironmentId, Epoch, JobId, Problem, RecoveryPointId};
use lifeboat_recovery_point::cursor::{CapturedCluster, TypeCounts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::data_keys::DataKeysDone;
use super::endpoint::PrivateEndpoint;
use super::finding::{AccessFinding, Failure};
use super::private_delegate::PrivateDelegateDone;
use super::work::ClusterTarget;

/// The result of a job. Written by the delegate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobResult {
    /// Always [`super::FORMAT`].
    pub format: u32,
    /// The job ID.
    pub job: JobId,
    /// The epoch that ended it.
    pub epoch: Epoch,
    /// When the job ended, by the delegate's clock.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// How the job ended.
    pub outcome: Outcome,
    /// The access reports for the clusters that the job used.
    #[serde(default)]
    pub access: Vec<AccessReport>,
    /// The environment of the delegate.
    pub environment: EnvironmentId,
    /// The ARN of the delegate's function.
    pub delegate: Arn,
}

/// The outcome of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Outcome {
    /// The work is done.
    Done(Done),
    /// The work failed.
    Failed {
        /// The causes.
        failures: Vec<Failure>,
        /// Whether a retry can succeed without a change by the user.
        retry: bool,
    },
    /// The job was cancelled before its end.
    Cancelled {},
}

impl Outcome {
    /// Returns the failure with this problem, worded by the reader. `retry` says whether a retry can succeed without a
    /// change by the user.
    #[must_use]
    pub fn failed(problem: &Problem, retry: bool) -> Self {
        Self::Failed {
            failures: vec![Failure::from(problem)],
            retry,
        }
    }
}

/// The result of completed work, by kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Done {
    /// Clusters were captured.
    Capture(CaptureDone),
    /// A recovery point was sealed.
    Seal(Sealed),
    /// The AWS resources that the clusters stand on were built.
    Build(BuildDone),
    /// A cluster was restored.
    Restore(RestoreDone),
    /// A restore was planned.
    Plan(PlanDone),
    /// Access was checked; the findings are in the result's access reports.
    Check {
        /// The clusters that have the requested tags.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        found: Vec<ClusterTarget>,
        /// Why the search by tags failed. Clusters that were found before still count.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing: Vec<AccessFinding>,
        /// Why the recovery key cannot unwrap a data key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Failure>,
    },
    /// Data keys were wrapped for a private delegate.
    DataKeys(DataKeysDone),
    /// A private delegate was deployed, updated or removed.
    PrivateDelegate(PrivateDelegateDone),
}

/// The result of a completed capture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaptureDone {
    /// The sealed recovery point, if the capture also seals it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    /// The clusters' records for the manifest, if another job seals the recovery point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<CapturedCluster>,
    /// The counts of a cluster that is too big for one job: nothing was captured then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<TypeCounts>,
}

/// A sealed recovery point below `captures/` of a scratch bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sealed {
    /// The digest of its `manifest.json`.
    pub manifest: Sha256,
    /// Whether it contains everything that was requested.
    pub completeness: Completeness,
    /// The number of objects that it contains.
    pub objects: u64,
    /// The total size of its files in bytes.
    pub bytes: u64,
}

/// The number of warnings that the result of a build has: more are not read by anybody who waits for a restore, and the
/// plan lists them all.
pub const WARNINGS: usize = 20;

/// The result of a completed build.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildDone {
    /// The number of stacks that were created or changed.
    pub changed: u64,
    /// The number of stacks that were up to date.
    pub unchanged: u64,
    /// The stacks in the order in which they were built.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stacks: Vec<BuiltStack>,
    /// Where what was built differs from the primary in a way that matters; not more than [`WARNINGS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Failure>,
    /// The number of further warnings.
    #[serde(default, skip_serializing_if = "super::checkpoint::is_zero")]
    pub more_warnings: u64,
    /// The identity map by which objects are translated (`lifeboat schema identities`), parsed by the planner. Empty if
    /// nothing was built.
    pub identities: serde_json::Map<String, serde_json::Value>,
    /// The same with symbols for what was built, as a plan has them. Only if the build expected a plan.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub symbols: serde_json::Map<String, serde_json::Value>,
}

/// The result of a completed restore.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreDone {
    /// Whether the cluster matches the plan.
    pub matches_plan: bool,
    /// The number of planned objects that are missing.
    pub failed: u64,
    /// The number of differences from the plan that nothing explains.
    pub unexplained: u64,
    /// The number of restored objects.
    pub restored: u64,
    /// The number of objects that were not restored; the report has the reason for each.
    pub not_restored: u64,
    /// The epoch that wrote the full report beside the result ([`super::keys::report_key`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Epoch>,
}

/// The result of a completed plan. Each part is beside the result ([`super::keys::plan_part_key`]).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanDone {
    /// The part about AWS resources; absent if the restore builds nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infrastructure: Option<PartDone>,
    /// The parts about the objects of each cluster.
    pub clusters: BTreeMap<ClusterName, PartDone>,
}

impl PlanDone {
    /// Returns whether a restore would reject the plan.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        let mut parts = self.infrastructure.iter().chain(self.clusters.values());
        parts.any(|part| part.rejected)
    }

    /// Returns the hash of the whole plan: SHA-256 over the JSON of the recovery point, the hash of the part about AWS
    /// resources, and the name, the ARN of the target and the hash of each cluster. `None` if a part has no hash.
    ///
    /// What exists in a target, identifiers that AWS assigns, and times are not part of it ([`PartDone::hash`]).
    #[must_use]
    pub fn hash(&self, point: &RecoveryPointId, targets: &[ClusterTarget]) -> Option<Sha256> {
        let infrastructure = match &self.infrastructure {
            Some(part) => Some(part.hash?),
            None => None,
        };
        let clusters = targets.iter().map(|target| {
            let hash = self.clusters.get(&target.name)?.hash?;
            Some((&target.name, &target.arn, hash))
        });
        let mut clusters: Vec<_> = clusters.collect::<Option<_>>()?;
        clusters.sort();
        let hashed = serde_json::to_vec(&(point, infrastructure, clusters));
        Some(Sha256::of(
            &hashed.expect("identifiers and digests can always be written as JSON"),
        ))
    }
}

/// A part of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PartDone {
    /// Whether a restore would reject it.
    pub rejected: bool,
    /// The epoch that wrote it.
    pub epoch: Epoch,
    /// The hash of what a restore does, whatever the recovery environment holds: of the AWS resources
    /// `lifeboat_infrastructure::reviewed`, of a cluster the plan for an empty cluster with symbols for what is built.
    /// Absent if no plan could be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Sha256>,
}

/// A delegate's access to a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessReport {
    /// The cluster's name in the application.
    pub cluster: ClusterName,
    /// The ARN of the EKS cluster.
    pub arn: Arn,
    /// The ARN of the role whose access was checked.
    pub role: Arn,
    /// When access was checked.
    #[schemars(with = "String")]
    pub checked_at: Timestamp,
    /// The missing access; empty if access is sufficient.
    pub findings: Vec<AccessFinding>,
    /// The private endpoint of the cluster, if the public delegate found that it can be reached by that one only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<Box<PrivateEndpoint>>,
}
