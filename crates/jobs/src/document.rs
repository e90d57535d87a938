//! The documents of a job but for its result.

use jiff::Timestamp;
use lifeboat_model::{ApplicationName, EnvironmentId, Epoch, JobId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checkpoint::Progress;
use super::work::Work;

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
