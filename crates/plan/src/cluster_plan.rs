//! The plan of a cluster for the reader: what becomes of its objects, what is translated, what is not restored and why,
//! and what must be fixed first. Long lists are counted and cut, so that the document of a cluster with 300,000 objects
//! can be read by people and attached to a change request.

use std::collections::BTreeMap;

use lifeboat_model::{ClusterName, ObjectRef, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Action, Dependency, LintFinding, MissingDependency, Note, Plan, RuleId, Severity, Wave};

pub mod markdown;
mod text;

/// The number of objects of a group that are named.
const NAMED: usize = 200;

/// The number of changes by one rule that are listed.
const CHANGES: usize = 200;

/// The number of missing dependencies, notes and findings that are listed.
const LISTED: usize = 500;

/// What the plan of a cluster was compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ComparedWith {
    /// The objects of the target cluster.
    Target,
    /// An empty cluster of the same version, because the target does not exist or cannot be reached.
    EmptyCluster,
}

/// The plan of one cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterPlan {
    /// Always `lifeboat.dev/cluster-plan/v1`.
    pub format: String,
    /// The recovery point.
    pub point: String,
    /// The cluster of the application.
    pub cluster: ClusterName,
    /// The EKS cluster that a restore would write into.
    pub into: ClusterName,
    /// What the plan was compared with.
    pub compared_with: ComparedWith,
    /// The hash ([`Plan::hash`], hexadecimal) of the plan for an empty cluster of the version of the source
    /// ([`crate::PlanBuilder::empty_target`]), with symbols for what stacks build. It covers the recovery point, the options
    /// with the rules of the application, each object with its translations and what is decided about it, and what is not
    /// restored. It depends neither on what the target holds, nor on what AWS assigns, and stays the same while the target
    /// is built and written to. Absent if no plan could be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Whether a restore would reject the plan.
    pub rejected: bool,
    /// What must be fixed before a restore, each with what to do.
    pub first: Vec<Problem>,
    /// What should be known, each with what to do.
    pub warnings: Vec<Problem>,
    /// The objects by what becomes of them, in the order of a restore.
    pub objects: Vec<ObjectGroup>,
    /// The translations of identifiers, by rule.
    pub translations: Vec<ChangeGroup>,
    /// The other changes of objects, by rule.
    pub changes: Vec<ChangeGroup>,
    /// The objects that are not restored, by rule.
    pub not_restored: Vec<LeftOut>,
    /// The number of objects of the recovery point that are not selected.
    pub unselected: u64,
    /// Objects that are needed and neither planned nor in the target.
    pub missing: Vec<MissingDependency>,
    /// Notes that no other list contains.
    pub notes: Vec<Note>,
}

/// Objects of one type with the same action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectGroup {
    /// The wave.
    pub wave: Wave,
    /// The type, such as `deployments.apps`.
    pub r#type: String,
    /// The action.
    pub action: Action,
    /// The number of objects.
    pub count: u64,
    /// The first of them.
    pub objects: Vec<ObjectRef>,
}

/// Changes of objects by one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeGroup {
    /// The rule.
    pub rule: RuleId,
    /// Its reason, a full sentence.
    pub reason: String,
    /// The number of changes.
    pub count: u64,
    /// The first of them.
    pub changes: Vec<FieldChange>,
}

/// A change of a field. Values of Secrets are digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FieldChange {
    /// The object in the target.
    pub object: ObjectRef,
    /// A JSON pointer (RFC 6901).
    pub path: String,
    /// The captured value; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The planned value; absent if the field is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Objects that are not restored, by one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeftOut {
    /// The rule.
    pub rule: RuleId,
    /// Its reason, a full sentence.
    pub reason: String,
    /// The number of objects.
    pub count: u64,
    /// The first of them.
    pub objects: Vec<LeftOutObject>,
}

/// An object that is not restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeftOutObject {
    /// The object in the recovery point.
    pub object: ObjectRef,
    /// The fact that the rule depended on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl ClusterPlan {
    /// The name and version of this document.
    pub const FORMAT: &str = "lifeboat.dev/cluster-plan/v1";

    /// Returns the document of a cluster of which no plan could be made, and why.
    #[must_use]
    pub fn refused(
        point: &str,
        (cluster, into): (&ClusterName, &ClusterName),
        compared_with: ComparedWith,
        first: Vec<Problem>,
    ) -> Self {
        Self {
            format: Self::FORMAT.to_owned(),
            point: point.to_owned(),
            cluster: cluster.clone(),
            into: into.clone(),
            compared_with,
            hash: None,
            rejected: true,
            first,
            warnings: Vec::new(),
            objects: Vec::new(),
            translations: Vec::new(),
            changes: Vec::new(),
            not_restored: Vec::new(),
            unselected: 0,
            missing: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Returns the document of a plan. `hash` is [`ClusterPlan::hash`]; `refusals` are what the target would refuse, beside
    /// the findings of the lint.
    #[must_use]
    pub fn new(
        plan: &Plan,
        hash: String,
        (cluster, into): (&ClusterName, &ClusterName),
        compared_with: ComparedWith,
        refusals: Vec<Problem>,
    ) -> Self {
        let (errors, warnings): (Vec<LintFinding>, Vec<LintFinding>) =
            (plan.lint().into_iter()).partition(|finding| finding.severity == Severity::Error);
        let problems = |findings: Vec<LintFinding>| findings.into_iter().map(LintFinding::into_problem);
        let mut first: Vec<Problem> = problems(errors).chain(refusals).collect();
        let rejected = !first.is_empty();
        first.truncate(LISTED);
        let (translations, changes) = changes(plan)
            .into_iter()
            .partition(|group| group.rule.is_translation());
        Self {
            hash: Some(hash),
            rejected,
            first,
            warnings: problems(warnings).take(LISTED).collect(),
            objects: objects(plan),
            translations,
            changes,
            not_restored: left_out(plan),
            unselected: plan.unselected,
            missing: plan.missing.iter().take(LISTED).cloned().collect(),
            notes: plan.notes.iter().take(LISTED).cloned().collect(),
            ..Self::refused(&plan.point, (cluster, into), compared_with, Vec::new())
        }
    }

    /// Returns the number of objects with one of these actions.
    #[must_use]
    pub fn count(&self, actions: &[Action]) -> u64 {
        let groups = self
            .objects
            .iter()
            .filter(|group| actions.contains(&group.action));
        groups.map(|group| group.count).sum()
    }

    /// Returns the dependencies without which objects cannot be created or do not work.
    fn required(&self) -> impl Iterator<Item = &MissingDependency> {
        self.missing
            .iter()
            .filter(|missing| missing.need != Dependency::Optional)
    }
}

fn objects(plan: &Plan) -> Vec<ObjectGroup> {
    let mut groups: BTreeMap<(Wave, &str, Action), ObjectGroup> = BTreeMap::new();
    for object in &plan.objects {
        let r#type = object.target.r#type.as_str();
        let group = groups
            .entry((object.wave, r#type, object.action))
            .or_insert_with(|| ObjectGroup {
                wave: object.wave,
                r#type: r#type.to_owned(),
                action: object.action,
                count: 0,
                objects: Vec::new(),
            });
        group.count += 1;
        if group.objects.len() < NAMED {
            group.objects.push(object.target.clone());
        }
    }
    groups.into_values().collect()
}

fn changes(plan: &Plan) -> Vec<ChangeGroup> {
    let mut groups: BTreeMap<RuleId, ChangeGroup> = BTreeMap::new();
    for object in &plan.objects {
        for change in &object.changes {
            let group = groups.entry(change.rule).or_insert_with(|| ChangeGroup {
                rule: change.rule,
                reason: change.rule.reason().to_owned(),
                count: 0,
                changes: Vec::new(),
            });
            group.count += 1;
            if group.changes.len() < CHANGES {
                group.changes.push(FieldChange {
                    object: object.target.clone(),
                    path: change.path.clone(),
                    from: change.from.clone(),
                    to: change.to.clone(),
                });
            }
        }
    }
    groups.into_values().collect()
}

fn left_out(plan: &Plan) -> Vec<LeftOut> {
    let mut groups: BTreeMap<RuleId, LeftOut> = BTreeMap::new();
    for entry in &plan.not_restored {
        let group = groups.entry(entry.rule).or_insert_with(|| LeftOut {
            rule: entry.rule,
            reason: entry.rule.reason().to_owned(),
            count: 0,
            objects: Vec::new(),
        });
        group.count += 1;
        if group.objects.len() < NAMED {
            group.objects.push(LeftOutObject {
                object: entry.object.clone(),
                detail: entry.detail.clone(),
            });
        }
    }
    groups.into_values().collect()
}

#[cfg(test)]
mod tests;
