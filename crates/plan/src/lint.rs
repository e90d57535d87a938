//! Checks a finished plan: errors reject it, warnings are shown.

use std::collections::{BTreeSet, HashMap};

use lifeboat_model::{Code, ObjectRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Plan, Wave};

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
    /// The plan can be executed; an operator should check it first.
    Warning,
}

impl Plan {
    /// Looks the plan over. Findings are sorted: errors first, then by check and object.
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

    /// What no plan may do, whatever led to it: an owner after what it owns, an object before its
    /// namespace, objects out of order.
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
