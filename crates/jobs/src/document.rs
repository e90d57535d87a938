//! The documents of a job, except for its result.

use jiff::Timestamp;
use lifeboat_model::{ApplicationName, BuildProgress, EnvironmentId, Epoch, JobId, RestoreProgress};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checkpoint::Progress;
use super::work::Work;

/// The work of a job and the epoch that may do it. Written and signed by the coordinator ([`super::signed`]):
/// the signature is over the job, the application, the environment and the epoch, so that an assignment is of no
/// use at another key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Assignment {
    /// Always [`super::FORMAT`].
    pub format: u32,
    /// The job ID.
    pub job: JobId,
    /// The application.
    pub application: ApplicationName,
    /// The epoch that this assignment allows.
    pub epoch: Epoch,
    /// When the coordinator wrote the assignment.
    #[schemars(with = "String")]
    pub issued_at: Timestamp,
    /// The environment whose delegate does the work. A delegate of another environment rejects it.
    pub environment: EnvironmentId,
    /// The work to do.
    pub work: Work,
}

/// The invocation that owns an epoch. Written by the delegate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Claim {
    /// Always [`super::FORMAT`].
    pub format: u32,
    /// The job ID.
    pub job: JobId,
    /// The claimed epoch.
    pub epoch: Epoch,
    /// The Lambda request ID.
    pub invocation: String,
    /// When the epoch was claimed, by the delegate's clock.
    #[schemars(with = "String")]
    pub claimed_at: Timestamp,
    /// The latest end of the invocation, by the delegate's clock.
    #[schemars(with = "String")]
    pub deadline: Timestamp,
    /// The public half of a key pair that the invocation made for this epoch, PEM ([`super::data_keys`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
}

/// The progress at the end of an epoch. Written by the delegate; the next epoch continues from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Checkpoint {
    /// Always [`super::FORMAT`].
    pub format: u32,
    /// The job ID.
    pub job: JobId,
    /// The epoch that ended.
    pub epoch: Epoch,
    /// When the checkpoint was written, by the delegate's clock.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The progress.
    pub progress: Progress,
}

/// What the owner of an epoch is doing, for somebody who waits. Written by the delegate again and again; nothing is
/// decided by it, and one that cannot be read is as good as none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProgressReport {
    /// Always [`super::FORMAT`].
    pub format: u32,
    /// The job ID.
    pub job: JobId,
    /// The epoch whose owner reports.
    pub epoch: Epoch,
    /// What it is doing.
    pub doing: Doing,
}

/// What the owner of an epoch is doing, by the kind of its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Doing {
    /// It builds AWS resources.
    Build(BuildProgress),
    /// It restores the objects of a cluster.
    Restore(RestoreProgress),
}

impl Doing {
    /// Returns the report with every part within limits.
    #[must_use]
    pub fn bounded(self) -> Self {
        match self {
            Self::Build(progress) => Self::Build(progress.bounded()),
            Self::Restore(progress) => Self::Restore(progress.bounded()),
        }
    }
}

/// A request to end a job early. Written and signed by the coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cancel {
    /// Always [`super::FORMAT`].
    pub format: u32,
    /// The job ID.
    pub job: JobId,
    /// The environment whose delegate does the work. A delegate of another environment rejects it.
    pub environment: EnvironmentId,
    /// When the job was cancelled.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Why the job was cancelled.
    pub reason: String,
}
