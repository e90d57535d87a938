//! What the coordinator remembers of an application: one document, replaced by compare-and-swap.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lifeboat_format::manifest::Completeness;
use lifeboat_format::{Fingerprint, Sha256};
use lifeboat_model::request::{Accepted, RestoreState};
use lifeboat_model::{
    ApplicationName, ClusterName, EnvironmentId, Epoch, Issue, IssueId, JobId, Problem, RecoveryPointId,
    RequestToken, Side,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::retention::{PointFacts, Reason};
use lifeboat_jobs::{AccessFinding, AccessReport, Assignment, ClusterTarget, FORMAT, Sealed, Work};

/// The state of an application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    /// Always [`FORMAT`].
    pub format: u32,
    /// The application.
    pub application: ApplicationName,
    /// Counts the replacements of this document.
    pub revision: u64,
    /// When the application was first seen.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// The digest of the application document that the last access check was made for.
    pub checked_document: Option<Sha256>,
    /// The keys that are trusted.
    pub pins: Pins,
    /// The backup that runs.
    pub backup: Option<BackupRun>,
    /// When the last backup began, from which the schedule counts.
    #[schemars(with = "Option<String>")]
    pub last_started: Option<Timestamp>,
    /// The next try of a backup that failed.
    pub retry: Option<Retry>,
    /// A backup that was asked for and has not begun.
    pub requested: Option<RequestToken>,
    /// Why the last backup failed, all tries included.
    pub failed: Option<Problem>,
    /// The access checks that run.
    pub checks: Vec<CheckRun>,
    /// When the last access check ended, by side.
    #[schemars(with = "BTreeMap<Side, String>")]
    pub checked_at: BTreeMap<Side, Timestamp>,
    /// What was last found about each cluster, by ARN.
    pub access: BTreeMap<String, AccessReport>,
    /// The clusters that were found by tag.
    pub found: Vec<ClusterTarget>,
    /// When clusters were last looked for by tag, whatever came of it.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub searched_at: Option<Timestamp>,
    /// Why clusters could not be looked for by tag.
    #[serde(default)]
    pub search: Vec<AccessFinding>,
    /// The restores, in the order in which they were asked for. Those that ended are kept for a while.
    pub restores: Vec<RestoreRun>,
    /// The recovery points in the vault.
    pub points: BTreeMap<RecoveryPointId, PointEntry>,
    /// What is being removed from the vault.
    pub expiring: BTreeSet<RecoveryPointId>,
    /// The captures that are to be removed from the scratch bucket of an environment.
    pub captures: BTreeMap<RecoveryPointId, EnvironmentId>,
    /// The open issues.
    pub issues: BTreeMap<IssueId, Issue>,
    /// What nobody has been told yet.
    pub notices: Vec<Notice>,
    /// The requests of the last days.
    pub requests: BTreeMap<RequestToken, RequestRecord>,
}

/// Keys that are trusted from the first sight on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pins {
    /// The key that signs recovery points.
    pub signing_key: Option<PinnedKey>,
    /// The key that they are encrypted for.
    pub recovery_key: Option<PinnedKey>,
}

/// A key that is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PinnedKey {
    /// Its name.
    pub fingerprint: Fingerprint,
    /// Its public half, PEM.
    pub public_key: String,
}

/// A job that the coordinator waits for: everything that its assignments are made from, so that one that
/// was decided but not written is written with the same bytes later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobEntry {
    /// The job.
    pub job: JobId,
    /// The environment whose delegate does it.
    pub environment: EnvironmentId,
    /// What is to be done.
    pub work: Work,
    /// When each epoch was allowed, the first one first.
    #[schemars(with = "Vec<String>")]
    pub issued: Vec<Timestamp>,
    /// When the owner was first seen, by our own clock.
    pub seen: Option<FirstObserved>,
    /// When it was decided that the job is to end early.
    #[schemars(with = "Option<String>")]
    pub cancelled: Option<Timestamp>,
}

/// When the owner of an epoch was first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FirstObserved {
    /// The epoch.
    pub epoch: Epoch,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

impl JobEntry {
    /// A job that is allowed its first epoch now.
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

    /// The newest epoch that is allowed.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        u32::try_from(self.issued.len())
            .ok()
            .and_then(Epoch::new)
            .unwrap_or(Epoch::FIRST)
    }

    /// When an epoch was allowed.
    #[must_use]
    pub fn issued_at(&self, epoch: Epoch) -> Option<Timestamp> {
        self.issued.get(epoch.get() as usize - 1).copied()
    }

    /// The assignment of an epoch; none where it was not allowed.
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

/// A backup that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupRun {
    /// The point that it makes.
    pub point: RecoveryPointId,
    /// When it began.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// The try, from 1.
    pub attempt: u32,
    /// The environment that is captured.
    pub environment: EnvironmentId,
    /// The capture jobs.
    pub captures: Vec<JobEntry>,
    /// The job that seals them, where there are several.
    pub seal: Option<JobEntry>,
    /// The copy into the vault, once the point is sealed.
    pub vaulting: Option<Vaulting>,
}

/// A point on its way into the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Vaulting {
    /// What the delegate says that it has sealed.
    pub sealed: Sealed,
    /// How often copying has failed.
    pub failures: u32,
    /// Why it failed last.
    pub problem: Option<Problem>,
    /// When copying is tried next; while one coordinator copies, this is when it must have ended.
    #[schemars(with = "String")]
    pub next_at: Timestamp,
}

/// The next try of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retry {
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Which try it will be.
    pub attempt: u32,
}

/// An access check that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckRun {
    /// The side that is checked.
    pub side: Side,
    /// The job.
    pub job: JobEntry,
}

/// A restore of one cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreRun {
    /// The request's name. A request for several clusters has a run for each.
    pub token: RequestToken,
    /// The point.
    pub point: RecoveryPointId,
    /// The cluster of the application.
    pub cluster: ClusterName,
    /// The cluster that is written into.
    pub target: ClusterTarget,
    /// The environment of the target.
    pub environment: EnvironmentId,
    /// Restore options.
    pub options: serde_json::Map<String, serde_json::Value>,
    /// When it was asked for.
    #[schemars(with = "String")]
    pub requested_at: Timestamp,
    /// The try, from 1.
    pub attempt: u32,
    /// When the next try begins.
    #[schemars(with = "String")]
    pub next_at: Timestamp,
    /// The job of this try.
    pub job: Option<JobEntry>,
    /// Whether it is to end early.
    pub cancelled: bool,
    /// How it ended.
    pub end: Option<RestoreEnd>,
}

/// How a restore ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreEnd {
    /// How.
    pub state: RestoreState,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The last job that worked on it, whose folder tells more; none where it never began.
    pub job: Option<JobId>,
    /// Why it failed, or what does not match the plan.
    pub problems: Vec<Problem>,
    /// The key of the whole report in the scratch bucket.
    pub report: Option<String>,
}

/// A point in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PointEntry {
    /// When it was made.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// Whether everything that was asked for is in it.
    pub completeness: Completeness,
    /// How many objects it holds.
    pub objects: u64,
    /// The size of its files.
    pub bytes: u64,
    /// The clusters that it holds.
    pub clusters: Vec<ClusterName>,
    /// When it came into the vault.
    #[schemars(with = "String")]
    pub vaulted_at: Timestamp,
    /// When it was last checked there.
    #[schemars(with = "String")]
    pub verified_at: Timestamp,
    /// Why its last check failed.
    pub damaged: Option<Problem>,
    /// Why it is kept.
    pub kept_by: BTreeSet<Reason>,
}

impl PointEntry {
    /// What retention needs to know of the point with this entry.
    #[must_use]
    pub fn facts(&self, point: &RecoveryPointId, in_use: bool) -> PointFacts {
        PointFacts {
            point: point.clone(),
            created_at: self.created_at,
            completeness: self.completeness,
            damaged: self.damaged.is_some(),
            in_use,
        }
    }
}

/// Something that somebody should be told: an issue that was opened or closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Notice {
    /// Whether it was opened, rather than closed.
    pub opened: bool,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The issue.
    pub issue: Issue,
}

/// A request that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestRecord {
    /// The digest of the request, so that a token is not used for another one.
    pub request: Sha256,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// What was answered.
    pub accepted: Accepted,
}

impl State {
    /// The state of an application that nothing is known of.
    #[must_use]
    pub fn new(application: ApplicationName, now: Timestamp) -> Self {
        Self {
            format: FORMAT,
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
            access: BTreeMap::new(),
            found: Vec::new(),
            searched_at: None,
            search: Vec::new(),
            restores: Vec::new(),
            points: BTreeMap::new(),
            expiring: BTreeSet::new(),
            captures: BTreeMap::new(),
            issues: BTreeMap::new(),
            notices: Vec::new(),
            requests: BTreeMap::new(),
        }
    }

    /// Every job that is waited for.
    pub fn jobs(&self) -> impl Iterator<Item = &JobEntry> {
        let backup = self
            .backup
            .iter()
            .flat_map(|run| run.captures.iter().chain(&run.seal));
        let restores = self
            .restores
            .iter()
            .filter(|run| run.end.is_none())
            .filter_map(|run| run.job.as_ref());
        backup
            .chain(self.checks.iter().map(|check| &check.job))
            .chain(restores)
    }
}
