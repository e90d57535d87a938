//! The report of a restore: whether the cluster matches the plan, with lists of what was restored, changed and not
//! restored, and a verdict.
//!
//! [`Report::begin`] assumes that no object was restored. Each object must be proven by [`ReportBuilder::prove`] with
//! what was read back from the target; an object that is not proven counts as not restored.

use lifeboat_model::{ObjectRef, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::compare::Difference;
use crate::rule::RuleId;
use crate::{Action, Wave};

mod build;
mod text;
pub mod workloads;

pub use build::{OwnerDifference, Proof, ReportBuilder};
pub use workloads::{PodDifference, Workload, WorkloadState};

/// The version of the report's JSON format. Version 2 has workloads and notes; reports of version 1 are read.
pub const REPORT_FORMAT_VERSION: u32 = 2;

/// The outcome of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Report {
    /// The version of the JSON format.
    pub format_version: u32,
    /// The verdict.
    pub verdict: Verdict,
    /// The recovery point.
    pub point: String,
    /// The cluster of the recovery point.
    pub cluster: String,
    /// The hash of the plan.
    pub plan: String,
    /// The counts of the lists.
    pub summary: Summary,
    /// Objects that are in the target, with the planned fields or with explained changes.
    pub restored: Vec<Restored>,
    /// Fields that differ from the captured object because of a rule, a patch or the target.
    pub changed: Vec<Changed>,
    /// Objects of the recovery point that are not in the target.
    pub not_restored: Vec<NotRestoredGroup>,
    /// Objects in the target that are not in the plan.
    pub unplanned: Vec<Unplanned>,
    /// The workloads that ran Pods in the source, with their Pods in the target.
    #[serde(default)]
    pub workloads: Vec<Workload>,
    /// What names the primary in the objects of the target, those that were not restored included: at most 1,000 of
    /// each sort. The summary counts all that the identity map does not declare.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<crate::TargetLeftover>,
    /// What happened that no other list contains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<crate::Note>,
    /// The reasons of all rules that the report names.
    pub rules: std::collections::BTreeMap<RuleId, crate::RuleUse>,
    /// What the restore left behind or could not do beside writing the objects, and what to do about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Problem>,
}

/// Whether the cluster matches the plan, and runs what the source ran. The worst finding decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Every planned object exists with every planned field, except for explained changes by the target, and every
    /// workload has as many ready Pods as in the source, which run the same.
    MatchesPlan,
    /// The objects match the plan, and a workload has fewer ready Pods than in the source.
    WorkloadsNotReady,
    /// The objects match the plan, and the Pods of a workload run something else than in the source.
    WorkloadsDiffer,
    /// The objects match the plan, and restored ones name the primary although the options allow no leftovers.
    NamesPrimary,
    /// A planned object is missing, a field differs without an explanation, or a field has other owners than planned.
    DiffersFromPlan,
}

/// The counts of the lists of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Summary {
    /// The number of planned objects.
    pub planned: u64,
    /// The number of proven objects.
    pub restored: u64,
    /// The number of objects that existed and were kept.
    pub kept: u64,
    /// The number of changes by rules and patches.
    pub changed_by_plan: u64,
    /// The number of changes by the target's admission, defaults and controllers.
    pub changed_by_target: u64,
    /// The number of unexplained differences from the plan.
    pub unexplained: u64,
    /// The number of fields whose owners differ from the plan.
    #[serde(default)]
    pub owners: u64,
    /// The number of objects that the plan excludes.
    pub left_out: u64,
    /// The number of planned objects that are missing.
    pub failed: u64,
    /// Objects in the target that are not in the plan.
    pub unplanned: u64,
    /// The number of workloads that have fewer ready Pods than in the source.
    #[serde(default)]
    pub workloads_not_ready: u64,
    /// The number of workloads whose Pods run something else than in the source.
    #[serde(default)]
    pub workloads_differing: u64,
    /// The number of identifiers of the primary in restored objects, without those that the identity map declares.
    #[serde(default)]
    pub leftovers: u64,
    /// The number of identifiers of the primary in other objects of the target, without those that the identity map
    /// declares.
    #[serde(default)]
    pub leftovers_elsewhere: u64,
}

/// An object that was restored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Restored {
    /// The object in the target.
    pub object: ObjectRef,
    /// The object in the source, if its name or namespace differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<ObjectRef>>,
    /// The wave.
    pub wave: Wave,
    /// The action.
    pub action: Action,
}

/// A field that differs from the captured or planned object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Changed {
    /// The object in the target.
    pub object: ObjectRef,
    /// A JSON pointer.
    pub path: String,
    /// The cause of the change.
    pub by: ChangedBy,
    /// The rule, if one changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
    /// The patch's title or the field manager's name, if one changed it. For [`ChangedBy::Ownership`] the manager with
    /// its operation and subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// How the field differs from the plan, if the target changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
    /// The captured value for a rule or patch, else the planned value; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The current value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// The cause of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ChangedBy {
    /// A rule of the plan.
    Rule,
    /// A patch of the options.
    Patch,
    /// The object existed and was kept, and differs from the recovery point.
    Existing,
    /// The target's API server set it in the response to the request: a default, an allocation, a webhook.
    Admission,
    /// A controller of the target wrote it later.
    Controller,
    /// The field belongs to other managers than planned: the manager of [`Changed::who`] does not own it
    /// ([`Difference::Missing`]) or owns it unplanned ([`Difference::Added`]). The cluster does not match the plan.
    Ownership,
    /// The cause is unknown, and the cluster does not match the plan.
    Unexplained,
}

/// An object that was not restored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotRestoredGroup {
    /// The object in the source.
    pub object: ObjectRef,
    /// Whether it was planned; if so, the cluster does not match the plan.
    pub planned: bool,
    /// The rule that excludes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
    /// The reason, in addition to that of the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// An object in the target that is not in the plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unplanned {
    /// The object.
    pub object: ObjectRef,
    /// Its origin, such as its owner, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

impl From<&crate::PlannedObject> for Restored {
    fn from(object: &crate::PlannedObject) -> Self {
        Self {
            object: object.target.clone(),
            source: object.source.clone(),
            wave: object.wave,
            action: object.action,
        }
    }
}

impl Report {
    /// Starts a report on a plan, without any proof.
    #[must_use]
    pub fn begin(plan: &crate::Plan) -> ReportBuilder<'_> {
        ReportBuilder::new(plan)
    }

    /// Returns whether the cluster matches the plan.
    #[must_use]
    pub fn matches_plan(&self) -> bool {
        self.verdict == Verdict::MatchesPlan
    }

    /// Returns the JSON schema of the report.
    #[must_use]
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }
}
