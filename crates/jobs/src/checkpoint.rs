//! What an epoch hands on to the next one. What a capture in several epochs has in common with one in a single
//! epoch is in [`lifeboat_recovery_point::cursor`].

use lifeboat_recovery_point::cursor::{CapturedCluster, ClusterCheckpoint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far an epoch came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Progress {
    /// Of a capture.
    Capture(Box<CaptureCheckpoint>),
    /// Of a restore.
    Restore(RestoreCheckpoint),
    /// Of work that begins anew in each epoch, because one is enough for it.
    Nothing {},
}

/// How far a capture came: everything that the next epoch needs to write the same recovery point as if
/// there had been one epoch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaptureCheckpoint {
    /// The clusters that are whole.
    pub done: Vec<CapturedCluster>,
    /// The cluster that was begun; none where nothing of it is worth keeping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<ClusterCheckpoint>,
}

/// How far a restore came. Only for people: the target itself remembers what was restored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreCheckpoint {
    /// How many objects the plan has.
    pub planned: u64,
    /// How many of them are there.
    pub done: u64,
}
