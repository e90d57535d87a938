//! The last look at a finished plan: errors refuse it, warnings are shown.

use lifeboat_model::{Code, ObjectRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Plan;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LintFinding {
    /// Whether the plan is refused.
    pub severity: Severity,
    /// The stable name of the check, such as `webhook-in-target`.
    pub check: String,
    /// The code that a user sees.
    pub code: Code,
    /// The object in the target, where the finding is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectRef>,
    /// What was found, a full sentence.
    pub message: String,
    /// What to do.
    pub guidance: String,
}

/// What a finding means for the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The plan must not be executed.
    Error,
    /// A careful operator wants to know.
    Warning,
}

impl Plan {
    /// Looks the plan over. Findings are sorted: errors first, then by check and object.
    #[must_use]
    pub fn lint(&self) -> Vec<LintFinding> {
        let mut findings = self.findings.clone();
        findings.sort();
        findings
    }
}
