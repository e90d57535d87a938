//! Checks a finished plan: errors reject it, warnings are displayed.

use std::collections::{BTreeSet, HashMap};

use lifeboat_model::{Code, ObjectRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Plan, Wave};

/// A finding of the lint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LintFinding {
    /// The severity: whether the plan is rejected.
    pub severity: Severity,
    /// The stable name of the check, such as `webhook-in-target`.
    pub check: String,
    /// The error code that is displayed.
    pub code: Code,
    /// The object in the target, if the finding is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectRef>,
    /// The finding, a full sentence.
    pub message: String,
    /// How to fix it.
    pub guidance: String,
}

/// The check whose findings name what the recovery point lacks because it could not be read.
pub const NOT_CAPTURED: &str = "not-captured";

impl LintFinding {
    /// Returns the message with the object that it is about, which most messages name themselves.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.object {
            Some(object) if !self.message.contains(&object.to_string()) => {
                format!("{object}: {}", self.message)
            }
            _ => self.message.clone(),
        }
    }

    /// Returns the finding as a problem.
    #[must_use]
    pub fn into_problem(self) -> lifeboat_model::Problem {
        lifeboat_model::Problem::new(self.code, self.text(), self.guidance)
    }
}

/// The effect of a finding on the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The plan must not be executed.
    Error,
    /// The plan can be executed; an operator should check it first.
    Warning,
}

impl Plan {
    /// Checks the plan. Findings are sorted: errors first, then by check and object.
    #[must_use]
    pub fn lint(&self) -> Vec<LintFinding> {
        let mut findings = self.findings.clone();
        self.check_duplicates(&mut findings);
        self.check_order(&mut findings);
        findings.sort();
        findings
    }

    fn check_duplicates(&self, findings: &mut Vec<LintFinding>) {
        let mut seen = BTreeSet::new();
        for object in &self.objects {
            if !seen.insert(&object.target) {
                findings.push(bug(
                    "duplicate-target",
                    object,
                    format!("{} appears twice in the plan.", object.target),
                ));
            }
        }
    }

    /// Checks the order: no owner after the objects that it owns, no object before its namespace, no objects out of
    /// order.
    fn check_order(&self, findings: &mut Vec<LintFinding>) {
        let named: BTreeSet<&ObjectRef> = self
            .objects
            .iter()
            .flat_map(|object| object.owners.iter().map(|owner| &owner.owner))
            .collect();
        let places: HashMap<&ObjectRef, (Wave, u16)> = self
            .objects
            .iter()
            .filter(|object| object.wave <= Wave::Namespaces || named.contains(&object.target))
            .map(|object| (&object.target, (object.wave, object.depth)))
            .collect();
        for object in &self.objects {
            let own = (object.wave, object.depth);
            for owner in &object.owners {
                if places.get(&owner.owner).is_none_or(|place| *place >= own) {
                    let text = format!("{} is ordered before its owner {}.", object.target, owner.owner);
                    findings.push(bug("owner-order", object, text));
                }
            }
            let Some(namespace) = object.target.namespace.as_deref() else {
                continue;
            };
            let namespace = ObjectRef::new("namespaces".into(), None, namespace);
            if places.get(&namespace).is_some_and(|place| *place >= own) {
                findings.push(bug(
                    "namespace-order",
                    object,
                    format!("{} is ordered before its namespace.", object.target),
                ));
            }
        }
        for pair in self.objects.windows(2) {
            if let [first, second] = pair
                && (first.wave, first.depth, &first.target) > (second.wave, second.depth, &second.target)
            {
                findings.push(bug(
                    "wave-order",
                    second,
                    format!("{} is ordered after a later wave.", second.target),
                ));
            }
        }
    }
}

fn bug(check: &str, object: &crate::PlannedObject, message: String) -> LintFinding {
    LintFinding {
        severity: Severity::Error,
        check: check.to_owned(),
        code: Code::Bug,
        object: Some(object.target.clone()),
        message,
        guidance: "this is a bug in Lifeboat; report it together with the plan".to_owned(),
    }
}
