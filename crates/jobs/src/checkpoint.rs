//! The progress that an epoch passes to the next one. State common to captures in one and in several epochs
//! is in [`lifeboat_recovery_point::cursor`].

use std::collections::BTreeMap;

use lifeboat_model::ClusterName;
use lifeboat_recovery_point::cursor::{CapturedCluster, ClusterCheckpoint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::result::PartDone;

/// The progress at the end of an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Progress {
    /// The progress of a capture.
    Capture(Box<CaptureCheckpoint>),
    /// The progress of a restore.
    Restore(RestoreCheckpoint),
    /// The progress of a plan.
    Plan(PlanCheckpoint),
    /// No progress: this work starts from the beginning in each epoch, because one epoch is enough for it.
    Nothing {},
}

/// The progress of a capture: everything that the next epoch needs to write the same recovery point as in a
/// single epoch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaptureCheckpoint {
    /// The clusters that are completely captured.
    pub done: Vec<CapturedCluster>,
    /// The partly captured cluster; `None` if none of it can be reused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<ClusterCheckpoint>,
}

/// The progress of a restore. The next epoch does not repeat what it names. It decides nothing about what the target
/// must contain: the proof at the end of a restore reads every object back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreCheckpoint {
    /// The number of objects in the plan.
    pub planned: u64,
    /// The number of objects that are restored.
    pub done: u64,
    /// The number of files of the recovery point, in the order of its manifest, whose digests were verified.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub verified_files: u64,
    /// The objects that are complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<CompleteRanges>,
}

/// The progress of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanCheckpoint {
    /// The number of files of the recovery point, in the order of its manifest, whose digests were verified.
    pub verified_files: u64,
    /// The clusters that are planned.
    pub clusters: BTreeMap<ClusterName, PartDone>,
}

/// Objects of one plan that need nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompleteRanges {
    /// The hash of the plan. The ranges mean nothing for another plan.
    pub plan: String,
    /// Ranges of indexes in the plan, each as its first and last index.
    pub ranges: Vec<(u32, u32)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(super) fn is_zero(number: &u64) -> bool {
    *number == 0
}
