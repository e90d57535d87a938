//! Whether the cluster matches the plan: three lists and a verdict.
//!
//! [`Report::begin`] assumes that no object was restored; each object must be proven by
//! [`ReportBuilder::prove`] with what was read back from the target. An object that is not proven counts as not restored.

use lifeboat_model::ObjectRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::compare::Difference;
use crate::rule::RuleId;
use crate::{Action, Wave};

mod build;
mod text;

pub use build::{Proof, ReportBuilder};

/// The version of the report's JSON form.
pub const REPORT_FORMAT_VERSION: u32 = 1;

/// The outcome of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Report {
    /// The version of this form.
    pub format_version: u32,
    /// The verdict.
    pub verdict: Verdict,
    /// The recovery point.
    pub point: String,
    /// The cluster of the recovery point.
    pub cluster: String,
    /// The hash of the plan.
    pub plan: String,
    /// The lists in numbers.
    pub summary: Summary,
    /// Objects that are in the target, with the plan's fields or changes that are explained.
    pub restored: Vec<Restored>,
    /// Fields that are not as they were captured: by a rule, a patch, the target.
    pub changed: Vec<Changed>,
    /// Objects of the recovery point that are not in the target.
    pub not_restored: Vec<NotRestoredGroup>,
    /// Objects in the target that are not in the plan.
    pub unplanned: Vec<Unplanned>,
    /// The reasons of every rule that is named.
    pub rules: std::collections::BTreeMap<RuleId, crate::RuleUse>,
}

/// The verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Every planned object exists with every planned field, except for fields whose change by the target
    /// is explained.
    MatchesPlan,
    /// A planned object is missing, or a field differs without explanation.
    DiffersFromPlan,
}

/// The lists in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Summary {
    /// Planned objects.
    pub planned: u64,
    /// Objects that were proven.
    pub restored: u64,
    /// Objects that existed and were kept.
    pub kept: u64,
    /// Changes by rules and patches.
    pub changed_by_plan: u64,
    /// Changes by the target's admission, defaults and controllers.
    pub changed_by_target: u64,
    /// Unexplained differences from the plan.
    pub unexplained: u64,
    /// Objects that the plan leaves out.
    pub left_out: u64,
    /// Planned objects that are missing.
    pub failed: u64,
    /// Objects in the target that are not in the plan.
    pub unplanned: u64,
}

/// An object that was restored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Restored {
    /// In the target.
    pub object: ObjectRef,
    /// In the source, where it was called differently.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ObjectRef>,
    /// The wave.
    pub wave: Wave,
    /// What was done.
    pub action: Action,
}

/// A field that is not as it was captured or planned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Changed {
    /// In the target.
    pub object: ObjectRef,
    /// A JSON pointer.
    pub path: String,
    /// Who changed it.
    pub by: ChangedBy,
    /// The rule, where one changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
    /// The patch's title or the manager's name, where one changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// How the field differs from the plan, where the target changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
    /// The captured value for a rule or patch, else the planned one; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The value now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Who changed a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ChangedBy {
    /// A rule of the plan.
    Rule,
    /// A patch of the options.
    Patch,
    /// The object existed and was kept: it differs from the recovery point.
    Existing,
    /// The target's API server set it while it accepted the object: a default, an allocation, a webhook.
    Admission,
    /// A controller of the target wrote it afterwards.
    Controller,
    /// Unknown. The cluster does not match the plan.
    Unexplained,
}

/// An object that was not restored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotRestoredGroup {
    /// In the source.
    pub object: ObjectRef,
    /// Whether it was planned: then the cluster does not match the plan.
    pub planned: bool,
    /// The rule that leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
    /// Why, as far as the rule's reason does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// An object in the target that is not in the plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unplanned {
    /// The object.
    pub object: ObjectRef,
    /// Where it comes from, such as its owner, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

impl Report {
    /// A report on a plan without any proof yet.
    #[must_use]
    pub fn begin(plan: &crate::Plan) -> ReportBuilder<'_> {
        ReportBuilder::new(plan)
    }

    /// Whether the cluster matches the plan.
    #[must_use]
    pub fn matches_plan(&self) -> bool {
        self.verdict == Verdict::MatchesPlan
    }

    /// The JSON schema of the report.
    #[must_use]
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }
}
