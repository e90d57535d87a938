//! The Pods that each planned workload ran in the source.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use lifeboat_model::{Code, Uid};

use super::Resolver;
use crate::builder::workloads::{HeldRollout, Images, PodGroup};
use crate::lint::{LintFinding, Severity};
use crate::planned::{PlannedOrdinal, PlannedPods, PlannedWorkload};

/// Adds up the Pods of each planned workload. Pods of a ReplicaSet count for its Deployment. `named` are those of which a
/// finding names their older revision already.
pub(super) fn of_plan(
    work: &mut Resolver<'_>,
    sorted: &[usize],
    named: &BTreeSet<usize>,
) -> Vec<PlannedWorkload> {
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
        let mut workload = workload(work, index, groups, older);
        let is_restored = facts.paused.contains(&item.uid);
        let rollout = facts.held.get(&item.uid);
        if let Some(rollout) = rollout.filter(|_| work.decisions.held.contains_key(&index)) {
            workload.ordinals = by_ordinal(rollout, groups);
            if count(&workload.ordinals) < workload.pods {
                findings.push(other_revision(&workload));
            }
        } else if older > 0 && !is_restored && !named.contains(&index) {
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
        ordinals: BTreeMap::new(),
    }
}

/// Returns the Pods that run the revision that the partition gives to a new Pod with their ordinal.
fn by_ordinal(rollout: &HeldRollout, groups: &[&PodGroup]) -> BTreeMap<u32, PlannedOrdinal> {
    let mut found = BTreeMap::new();
    for group in groups {
        let own = group.ordinals.iter();
        for ordinal in own.filter(|ordinal| rollout.revision_of(**ordinal) == &*group.revision) {
            let pod = PlannedOrdinal {
                revision: group.revision.to_string(),
                shape: hex::encode(group.digest),
            };
            found.insert(*ordinal, pod);
        }
    }
    found
}

fn count(ordinals: &BTreeMap<u32, PlannedOrdinal>) -> u32 {
    u32::try_from(ordinals.len()).unwrap_or(u32::MAX)
}

fn other_revision(workload: &PlannedWorkload) -> LintFinding {
    let others = workload.pods - count(&workload.ordinals);
    let (verb, get) = if others == 1 {
        ("runs", "gets")
    } else {
        ("run", "get")
    };
    LintFinding {
        message: format!(
            "{others} of {} Pods of {} {verb} another revision in the source than its partition gives to a new Pod; in the target each {get} that one.",
            workload.pods, workload.workload
        ),
        ..older_revision(workload)
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
