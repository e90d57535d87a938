//! The Pods that each planned workload ran in the source.

use std::collections::{BTreeMap, HashMap};

use lifeboat_model::{Code, Uid};

use super::Resolver;
use crate::builder::workloads::{Images, PodGroup};
use crate::lint::{LintFinding, Severity};
use crate::planned::{PlannedPods, PlannedWorkload};

/// Adds up the Pods of each planned workload. Pods of a ReplicaSet count for its Deployment.
pub(super) fn of_plan(work: &mut Resolver<'_>, sorted: &[usize]) -> Vec<PlannedWorkload> {
    let facts = &work.draft.workloads;
    let mut groups: HashMap<&Uid, Vec<&PodGroup>> = HashMap::new();
    // A Pod is of an older revision if its ReplicaSet or its label is not the current one, or if its controller has no
    // revisions and another image in its template.
    let mut older: HashMap<&Uid, u32> = HashMap::new();
    for (controller, pods) in &facts.pods {
        let (root, current) = match facts.replica_sets.get(controller) {
            Some(set) => {
                let current = facts.current.get(&set.deployment);
                (
                    &set.deployment,
                    current.is_none_or(|current| *current == set.revision),
                )
            }
            None => (controller, true),
        };
        let label = facts
            .current
            .get(root)
            .or_else(|| facts.newest.get(root).map(|(_, label)| label));
        for group in pods {
            let is_current = match facts.templates.get(controller) {
                Some(template) => is_made_from(template, &group.images),
                None if facts.replica_sets.contains_key(controller) => current,
                None => {
                    label.is_none_or(|label| group.revision.is_empty() || is_label(label, &group.revision))
                }
            };
            if !is_current {
                *older.entry(root).or_default() += group.pods;
            }
            groups.entry(root).or_default().push(group);
        }
    }
    let mut workloads = Vec::new();
    let mut findings = Vec::new();
    for &index in sorted.iter().filter(|index| work.is_planned(**index)) {
        let item = work.item(index);
        let Some(groups) = groups.get(&item.uid) else {
            continue;
        };
        let older = older.get(&item.uid).copied().unwrap_or(0);
        let workload = workload(work, index, groups, older);
        let is_restored = facts.paused.contains(&item.uid);
        if older > 0 && !is_restored {
            findings.push(older_revision(&workload));
        }
        workloads.push(workload);
    }
    work.decisions.findings.extend(findings);
    workloads
}

/// Returns whether Pods have the images of a template. Admission may have added containers to them.
fn is_made_from(template: &Images, images: &Images) -> bool {
    template
        .iter()
        .all(|(container, image)| images.get(container) == Some(image))
}

/// Returns whether a label names this revision. The label of a DaemonSet's Pods is the hash alone, that of a
/// StatefulSet's the name of the ControllerRevision.
fn is_label(label: &str, revision: &str) -> bool {
    label == revision || label.ends_with(&format!("-{revision}")) || revision.ends_with(&format!("-{label}"))
}

fn workload(work: &Resolver<'_>, index: usize, groups: &[&PodGroup], older: u32) -> PlannedWorkload {
    let mut shapes: BTreeMap<[u8; 32], PlannedPods> = BTreeMap::new();
    let mut revisions: BTreeMap<String, u32> = BTreeMap::new();
    for group in groups {
        let shape = shapes.entry(group.digest).or_insert_with(|| PlannedPods {
            shape: hex::encode(group.digest),
            pods: 0,
            ready: 0,
            example: group.example,
        });
        shape.pods += group.pods;
        shape.ready += group.ready;
        shape.example = shape.example.min(group.example);
        *revisions.entry(group.revision.to_string()).or_default() += group.pods;
    }
    if older == 0 {
        revisions.clear();
    }
    PlannedWorkload {
        workload: work.decisions.targets[index].clone(),
        pods: shapes.values().map(|shape| shape.pods).sum(),
        ready: shapes.values().map(|shape| shape.ready).sum(),
        older,
        revisions,
        shapes: shapes.into_values().collect(),
    }
}

fn older_revision(workload: &PlannedWorkload) -> LintFinding {
    let PlannedWorkload {
        workload,
        pods,
        older,
        ..
    } = workload;
    let verb = if *older == 1 { "runs" } else { "run" };
    LintFinding {
        severity: Severity::Warning,
        check: "older-revision".to_owned(),
        code: Code::PlanRefused,
        object: Some(workload.clone()),
        message: format!(
            "{older} of {pods} Pods of {workload} {verb} an older revision in the source; in the target all get the current one."
        ),
        guidance: "finish or undo the rollout in the source and back up again, or patch the template to the revision that is to run"
            .to_owned(),
    }
}
