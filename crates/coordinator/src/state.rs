//! The coordinator's state of an application: one document, replaced by compare-and-swap.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lifeboat_format::manifest::Completeness;
use lifeboat_format::{Fingerprint, Sha256};
use lifeboat_model::request::{Accepted, PlanState, RestoreState};
use lifeboat_model::{
    ApplicationName, BuiltStack, ClusterName, EnvironmentId, Epoch, Issue, IssueId, JobId, Problem,
    RecoveryPointId, RequestToken, Side,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::archive::SegmentRecord;
pub use crate::deployments::{DeployedDelegate, DeploymentGoal, PrivateDeployment};
pub use crate::private::PrivateCluster;
use crate::retention::{PointFacts, Reason};
use lifeboat_jobs::{
    AccessFinding, AccessReport, Assignment, ClusterTarget, FORMAT, Failure, PlanDone, Sealed, Work,
};

/// The format version of this document.
pub const STATE_FORMAT: u32 = 1;

/// The state of an application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    /// Always [`STATE_FORMAT`].
    pub format: u32,
    /// The application.
    pub application: ApplicationName,
    /// The revision; incremented by each replacement of this document.
    pub revision: u64,
    /// When the application was first seen.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// The digest of the application document that the last access check was made for.
    pub checked_document: Option<Sha256>,
    /// The trusted keys.
    pub pins: Pins,
    /// The running backup.
    pub backup: Option<BackupRun>,
    /// When the last backup began; the next scheduled time follows from it.
    #[schemars(with = "Option<String>")]
    pub last_started: Option<Timestamp>,
    /// The next attempt of a backup that failed.
    pub retry: Option<Retry>,
    /// The token of a requested backup that has not begun.
    pub requested: Option<RequestToken>,
    /// Why the last backup failed after all attempts.
    pub failed: Option<Problem>,
    /// The running access checks.
    pub checks: Vec<CheckRun>,
    /// When the last access check ended, by side.
    #[schemars(with = "BTreeMap<Side, String>")]
    pub checked_at: BTreeMap<Side, Timestamp>,
    /// When a check of the recovery key last began.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub key_checked_at: Option<Timestamp>,
    /// Why the recovery key could not be used at the last check.
    #[serde(default)]
    pub recovery_key_failure: Option<Failure>,
    /// The last access report for each cluster, by ARN.
    #[serde(deserialize_with = "crate::access::known_reports")]
    pub access: BTreeMap<String, AccessReport>,
    /// The clusters of the primary that the public delegate cannot reach, by ARN.
    #[serde(default)]
    pub private: BTreeMap<String, PrivateCluster>,
    /// The private delegates that the public ones deploy, by the ARN of their cluster.
    #[serde(default)]
    pub deployments: BTreeMap<String, PrivateDeployment>,
    /// The clusters found by tag.
    pub found: Vec<ClusterTarget>,
    /// When clusters were last searched by tag, whether or not the search succeeded.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub searched_at: Option<Timestamp>,
    /// Why the last search by tag failed.
    #[serde(default, deserialize_with = "crate::access::known_findings")]
    pub search: Vec<AccessFinding>,
    /// The recovery stacks in standby.
    #[serde(default)]
    pub standby: Standby,
    /// The builds of what clusters stand on, in the order of their requests.
    #[serde(default)]
    pub builds: Vec<BuildRun>,
    /// The restores, in the order of their requests. Ended ones are kept for a while.
    pub restores: Vec<RestoreRun>,
    /// The plans of restores, in the order of their requests. Ended ones are kept for a while.
    #[serde(default)]
    pub plans: Vec<PlanRun>,
    /// The recovery points in the vault: the latest ones, and those that are damaged. See [`crate::archive`].
    pub points: BTreeMap<RecoveryPointId, PointEntry>,
    /// The segments with the entries of older recovery points, in the order of their IDs.
    #[serde(default)]
    pub archive: Vec<SegmentRecord>,
    /// When a segment was last compared with the vault.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub swept_at: Option<Timestamp>,
    /// The order of the next recovery point: greater than that of every earlier one.
    #[serde(default)]
    pub next_order: u64,
    /// The recovery points that are being removed from the vault.
    pub expiring: BTreeSet<RecoveryPointId>,
    /// The recovery points whose copy into the vault was given up; an unfinished folder of one is removed.
    #[serde(default)]
    pub abandoned: BTreeSet<RecoveryPointId>,
    /// The folders of the vault that are not recovery points of the application and were acknowledged.
    #[serde(default)]
    pub ignored: BTreeSet<RecoveryPointId>,
    /// The deletions of the current day.
    #[serde(default)]
    pub deletions: Deletions,
    /// The captures to be removed, with the environment whose scratch bucket contains them.
    pub captures: BTreeMap<RecoveryPointId, EnvironmentId>,
    /// The open issues.
    pub issues: BTreeMap<IssueId, Issue>,
    /// The notices that have not been sent.
    pub notices: Vec<Notice>,
    /// The requests of recent days, by token.
    pub requests: BTreeMap<RequestToken, RequestRecord>,
}

/// Keys that are pinned on first use.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pins {
    /// The key that signs recovery points.
    pub signing_key: Option<PinnedKey>,
    /// The key that recovery points are encrypted for.
    pub recovery_key: Option<PinnedKey>,
    /// The signing keys that were pinned before. They stay valid for the recovery points that they signed.
    #[serde(default)]
    pub former_signing_keys: Vec<PinnedKey>,
    /// The changes of pins by request, the oldest first.
    #[serde(default)]
    pub changes: Vec<PinChange>,
}

impl Pins {
    /// Returns the key with this fingerprint, if it is or was pinned; the current one if there is no fingerprint.
    #[must_use]
    pub fn signer_of(&self, signer: Option<&Fingerprint>) -> Option<&PinnedKey> {
        match signer {
            Some(signer) => self.signing_keys().find(|key| key.fingerprint == *signer),
            None => self.signing_key.as_ref(),
        }
    }

    /// Returns every signing key that is or was pinned, the current one first.
    pub fn signing_keys(&self) -> impl Iterator<Item = &PinnedKey> {
        self.signing_key.iter().chain(&self.former_signing_keys)
    }
}

/// A change of a pin by request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PinChange {
    /// When it was accepted.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The token of the request.
    pub token: RequestToken,
    /// The fingerprint that was pinned.
    pub from: Option<Fingerprint>,
    /// The fingerprint that is pinned since.
    pub to: Fingerprint,
}

/// The deletions by retention within a day.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deletions {
    /// When the day began; `None` until the first decision.
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// The number of recovery points at that time.
    pub points: u64,
    /// Whether somebody allowed further deletions for this day.
    pub allowed: bool,
}

/// A trusted key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PinnedKey {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// The public key, PEM.
    pub public_key: String,
}

/// A job in progress, with everything that its assignments are made from: an assignment that was decided but
/// not written is written with the same bytes later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobEntry {
    /// The job ID.
    pub job: JobId,
    /// The environment whose delegate does the work.
    pub environment: EnvironmentId,
    /// The work to do.
    pub work: Work,
    /// When each epoch was allowed, starting with epoch 1.
    #[schemars(with = "Vec<String>")]
    pub issued: Vec<Timestamp>,
    /// When the owner of the epoch was first seen, by the coordinator's clock.
    pub seen: Option<FirstObserved>,
    /// When the job was cancelled.
    #[schemars(with = "Option<String>")]
    pub cancelled: Option<Timestamp>,
}

/// When the owner of an epoch was first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FirstObserved {
    /// The epoch.
    pub epoch: Epoch,
    /// The time, by the coordinator's clock.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

impl JobEntry {
    /// Creates a job with its first epoch allowed now.
    #[must_use]
    pub fn new(job: JobId, environment: EnvironmentId, work: Work, now: Timestamp) -> Self {
        Self {
            job,
            environment,
            work,
            issued: vec![now],
            seen: None,
            cancelled: None,
        }
    }

    /// Returns the newest allowed epoch.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        u32::try_from(self.issued.len())
            .ok()
            .and_then(Epoch::new)
            .unwrap_or(Epoch::FIRST)
    }

    /// Returns when an epoch was allowed.
    #[must_use]
    pub fn issued_at(&self, epoch: Epoch) -> Option<Timestamp> {
        self.issued.get(epoch.get() as usize - 1).copied()
    }

    /// Returns the assignment of an epoch; `None` if the epoch was not allowed.
    #[must_use]
    pub fn assignment(&self, epoch: Epoch) -> Option<Assignment> {
        Some(Assignment {
            format: FORMAT,
            job: self.job.clone(),
            application: self.job.application(),
            epoch,
            issued_at: self.issued_at(epoch)?,
            environment: self.environment.clone(),
            work: self.work.clone(),
        })
    }
}

/// A running backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupRun {
    /// The recovery point that it creates.
    pub point: RecoveryPointId,
    /// When it began.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The environment whose clusters are captured.
    pub environment: EnvironmentId,
    /// The capture jobs.
    pub captures: Vec<JobEntry>,
    /// The seal job, if there are several capture jobs.
    pub seal: Option<JobEntry>,
    /// The copy into the vault, once the recovery point is sealed.
    pub vaulting: Option<Vaulting>,
}

/// A recovery point that is being copied into the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Vaulting {
    /// The sealed recovery point, as reported by the delegate.
    pub sealed: Sealed,
    /// The number of copies that were begun and have not ended well.
    pub failures: u32,
    /// The number of copies that ended because their lease did. Each has a lease twice as long as the one before, so
    /// that a slow vault gets enough time for its largest file.
    #[serde(default)]
    pub unfinished: u32,
    /// The last failure.
    pub problem: Option<Problem>,
    /// When the next copy starts; while a coordinator copies, the time by which it must have ended.
    #[schemars(with = "String")]
    pub next_at: Timestamp,
}

/// The next attempt of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retry {
    /// When it begins.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The number of the attempt.
    pub attempt: u32,
}

/// A running access check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckRun {
    /// The side that is checked.
    pub side: Side,
    /// The job.
    pub job: JobEntry,
}

/// The recovery stacks in standby.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Standby {
    /// The recovery point that they were last brought to, or could not be.
    pub point: Option<RecoveryPointId>,
    /// Why they could not be brought to it.
    pub problem: Option<Problem>,
    /// The number of failed attempts for the next recovery point.
    pub failures: u32,
    /// When the next attempt begins.
    #[schemars(with = "Option<String>")]
    pub next_at: Option<Timestamp>,
    /// The job of this attempt.
    pub job: Option<JobEntry>,
}

/// A build of the AWS resources that the clusters of a recovery point stand on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildRun {
    /// The token of the request for the restore. Its restores wait for the clusters.
    pub token: RequestToken,
    /// The recovery point.
    pub point: RecoveryPointId,
    /// The fingerprint of the key that signed it.
    pub signer: Option<Fingerprint>,
    /// The recovery environment.
    pub environment: EnvironmentId,
    /// The names of EKS clusters in the recovery environment, by those in the primary.
    pub cluster_names: BTreeMap<ClusterName, ClusterName>,
    /// Whether replicas of file systems become writable.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failover: bool,
    /// The hash of the only plan of AWS resources that may be built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_plan: Option<Sha256>,
    /// What is built.
    pub stage: BuildStage,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// When the next attempt begins.
    #[schemars(with = "String")]
    pub next_at: Timestamp,
    /// Why the attempt before failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_before: Option<Problem>,
    /// The job of this attempt.
    pub job: Option<JobEntry>,
    /// The job that built the clusters.
    pub built: Option<JobId>,
    /// What its jobs have built.
    #[serde(default)]
    pub report: BuildReport,
    /// Whether it was cancelled.
    pub cancelled: bool,
    /// The end of the build.
    pub end: Option<BuildEnd>,
}

/// What the jobs of a build have built, within limits: a delegate reports it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildReport {
    /// The stacks in the order in which they were built.
    pub stacks: Vec<BuiltStack>,
    /// Where what was built differs from the primary.
    pub warnings: Vec<Failure>,
    /// The number of further warnings.
    pub more_warnings: u64,
}

/// What a build is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BuildStage {
    /// Everything but nodes.
    Clusters,
    /// The nodes, while the objects are restored.
    Nodes,
}

/// The end of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildEnd {
    /// Why it failed; `None` if it was built or cancelled.
    pub problem: Option<Problem>,
}

/// A restore of one cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreRun {
    /// The token of the request. A request for several clusters has one run for each.
    pub token: RequestToken,
    /// The recovery point.
    pub point: RecoveryPointId,
    /// The fingerprint of the key that signed it; `None` in runs of earlier versions.
    #[serde(default)]
    pub signer: Option<Fingerprint>,
    /// The cluster of the application.
    pub cluster: ClusterName,
    /// The cluster to restore into.
    pub target: ClusterTarget,
    /// The environment of the target.
    pub environment: EnvironmentId,
    /// Whether it waits for the build of its request, and restores into the cluster that was built.
    #[serde(default)]
    pub rebuild: bool,
    /// The hash of the only plan of the cluster that may be carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_plan: Option<Sha256>,
    /// Restore options.
    pub options: serde_json::Map<String, serde_json::Value>,
    /// When it was requested.
    #[schemars(with = "String")]
    pub requested_at: Timestamp,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// When the next attempt begins.
    #[schemars(with = "String")]
    pub next_at: Timestamp,
    /// Why the attempt before failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_before: Option<Problem>,
    /// The job of this attempt.
    pub job: Option<JobEntry>,
    /// The job that wraps the data keys of the recovery point, if a private delegate restores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_keys: Option<JobEntry>,
    /// Whether it was cancelled.
    pub cancelled: bool,
    /// The end of the restore.
    pub end: Option<RestoreEnd>,
}

/// The end of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreEnd {
    /// The final state.
    pub state: RestoreState,
    /// When it ended.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The last job that worked on it, whose folder has details; `None` if it never began.
    pub job: Option<JobId>,
    /// Why it failed, or what does not match the plan.
    pub problems: Vec<Problem>,
    /// The key of the full report in the scratch bucket.
    pub report: Option<String>,
}

/// A plan of a restore.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanRun {
    /// The token of the request.
    pub token: RequestToken,
    /// The recovery point.
    pub point: RecoveryPointId,
    /// The fingerprint of the key that signed it.
    pub signer: Option<Fingerprint>,
    /// The recovery environment.
    pub environment: EnvironmentId,
    /// The clusters of the application with those to restore into.
    pub clusters: Vec<ClusterTarget>,
    /// The names of EKS clusters in the recovery environment, by those in the primary; `None` if the restore builds
    /// nothing.
    pub cluster_names: Option<BTreeMap<ClusterName, ClusterName>>,
    /// Restore options.
    pub options: serde_json::Map<String, serde_json::Value>,
    /// When it was requested.
    #[schemars(with = "String")]
    pub requested_at: Timestamp,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// When the next attempt begins.
    #[schemars(with = "String")]
    pub next_at: Timestamp,
    /// The job of this attempt.
    pub job: Option<JobEntry>,
    /// Whether it was cancelled.
    pub cancelled: bool,
    /// The end of the plan.
    pub end: Option<PlanEnd>,
}

impl PlanRun {
    /// Returns the hash of the plan ([`PlanDone::hash`]), if one was made.
    #[must_use]
    pub fn hash(&self) -> Option<Sha256> {
        let done = self.end.as_ref()?.done.as_ref()?;
        done.hash(&self.point, &self.clusters)
    }
}

/// The end of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanEnd {
    /// The final state.
    pub state: PlanState,
    /// When it ended.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The last job that worked on it; `None` if it never began.
    pub job: Option<JobId>,
    /// Why no plan was made.
    pub problems: Vec<Problem>,
    /// The parts that the job wrote.
    pub done: Option<PlanDone>,
}

/// A recovery point in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PointEntry {
    /// When its backup began, by the coordinator's clock.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// Its position among the recovery points of the application; the greatest is the latest.
    #[serde(default)]
    pub order: u64,
    /// The fingerprint of the key that signed it; `None` in entries of earlier versions, which the key signed that
    /// was pinned then.
    #[serde(default)]
    pub signer: Option<Fingerprint>,
    /// Whether it contains everything that was requested.
    pub completeness: Completeness,
    /// The number of objects that it contains.
    pub objects: u64,
    /// The total size of its files in bytes.
    pub bytes: u64,
    /// The clusters that it contains.
    pub clusters: Vec<ClusterName>,
    /// When it was copied into the vault.
    #[schemars(with = "String")]
    pub vaulted_at: Timestamp,
    /// When it was last verified in the vault.
    #[schemars(with = "String")]
    pub verified_at: Timestamp,
    /// Why it cannot be used: its last verification failed, or its files are missing.
    pub damaged: Option<Problem>,
    /// The reasons to keep it.
    pub kept_by: BTreeSet<Reason>,
}

impl PointEntry {
    /// Returns the facts that retention needs.
    #[must_use]
    pub fn facts(&self, point: &RecoveryPointId, in_use: bool) -> PointFacts {
        PointFacts {
            point: point.clone(),
            order: self.order,
            created_at: self.created_at,
            completeness: self.completeness,
            damaged: self.damaged.is_some(),
            in_use,
        }
    }
}

/// A notification that an issue was opened or closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Notice {
    /// `true` if the issue was opened, `false` if it was closed.
    pub opened: bool,
    /// When it was opened or closed.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The issue.
    pub issue: Issue,
}

/// A request that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestRecord {
    /// The digest of the request, so that its token is not reused for another request.
    pub request: Sha256,
    /// When it was accepted.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The response.
    pub accepted: Accepted,
}

impl State {
    /// Returns the build of a request. A token may be used again once it is forgotten.
    pub(crate) fn build_of(&self, token: &RequestToken) -> Option<&BuildRun> {
        self.builds.iter().rev().find(|run| run.token == *token)
    }

    /// Returns the initial state of an application.
    #[must_use]
    pub fn new(application: ApplicationName, now: Timestamp) -> Self {
        Self {
            format: STATE_FORMAT,
            application,
            revision: 0,
            created_at: now,
            checked_document: None,
            pins: Pins::default(),
            backup: None,
            last_started: None,
            retry: None,
            requested: None,
            failed: None,
            checks: Vec::new(),
            checked_at: BTreeMap::new(),
            key_checked_at: None,
            recovery_key_failure: None,
            access: BTreeMap::new(),
            private: BTreeMap::new(),
            deployments: BTreeMap::new(),
            found: Vec::new(),
            searched_at: None,
            search: Vec::new(),
            standby: Standby::default(),
            builds: Vec::new(),
            restores: Vec::new(),
            plans: Vec::new(),
            points: BTreeMap::new(),
            archive: Vec::new(),
            swept_at: None,
            next_order: 1,
            expiring: BTreeSet::new(),
            abandoned: BTreeSet::new(),
            ignored: BTreeSet::new(),
            deletions: Deletions::default(),
            captures: BTreeMap::new(),
            issues: BTreeMap::new(),
            notices: Vec::new(),
            requests: BTreeMap::new(),
        }
    }

    /// Returns the recovery points in their order, the latest last.
    #[must_use]
    pub fn in_order(&self) -> Vec<(&RecoveryPointId, &PointEntry)> {
        let mut points: Vec<_> = self.points.iter().collect();
        points.sort_by_key(|(point, entry)| (entry.order, *point));
        points
    }

    /// Returns every job in progress.
    pub fn jobs(&self) -> impl Iterator<Item = &JobEntry> {
        let backup = self
            .backup
            .iter()
            .flat_map(|run| run.captures.iter().chain(&run.seal));
        let restores = self
            .restores
            .iter()
            .filter(|run| run.end.is_none())
            .flat_map(|run| run.job.iter().chain(&run.data_keys));
        let builds = self.builds.iter().filter(|run| run.end.is_none());
        let plans = self.plans.iter().filter(|run| run.end.is_none());
        let deployments = self.deployments.values();
        backup
            .chain(builds.filter_map(|run| run.job.as_ref()))
            .chain(&self.standby.job)
            .chain(self.checks.iter().map(|check| &check.job))
            .chain(restores)
            .chain(plans.filter_map(|run| run.job.as_ref()))
            .chain(deployments.filter_map(|deployment| deployment.job.as_ref()))
    }
}
