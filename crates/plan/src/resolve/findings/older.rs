//! Warns of workloads whose Pods are older than the mutating admission that changes Pods: in the target it comes first, so
//! that their Pods get what it adds.

use std::collections::BTreeMap;

use lifeboat_model::{Code, ObjectRef, Uid};

use super::super::Resolver;
use super::{warning, writes};
use crate::builder::summary::Extra;
use crate::builder::workloads::WorkloadFacts;
use crate::lint::LintFinding;
use crate::table::examples;

pub(super) fn add(work: &Resolver<'_>, sorted: &[usize], found: &mut Vec<LintFinding>) {
    let facts = &work.draft.workloads;
    let judges: Vec<(&ObjectRef, &str)> = sorted
        .iter()
        .filter(|index| writes(work, **index) && mutates_pods(work, **index))
        .filter_map(|index| {
            let created = facts.mutating.get(&work.item(*index).uid)?;
            Some((&work.decisions.targets[*index], &**created))
        })
        .collect();
    if judges.is_empty() {
        return;
    }
    let oldest = oldest_pods(facts);
    for &index in sorted {
        let Some(oldest) = oldest.get(&work.item(index).uid).filter(|_| writes(work, index)) else {
            continue;
        };
        let younger = judges.iter().filter(|(_, created)| oldest < created);
        let younger: Vec<&ObjectRef> = younger.map(|(judge, _)| *judge).collect();
        if younger.is_empty() {
            continue;
        }
        let object = &work.decisions.targets[index];
        found.push(warning(
            "older-pods",
            Code::PlanRefused,
            Some(object.clone()),
            format!(
                "Pods of {object} are older than the admission that may change Pods ({}), which is restored before them: \
                 they may get what it adds, which they did not have.",
                examples(younger.into_iter())
            ),
            "check whether these Pods may run as admission makes Pods today; a rollout in the source would do the same",
        ));
    }
}

/// Returns whether an item is a mutating webhook configuration or policy that applies to Pods.
fn mutates_pods(work: &Resolver<'_>, index: usize) -> bool {
    match work.item(index).extra.as_deref() {
        Some(Extra::MutatingPolicy(of_pods)) => *of_pods,
        Some(Extra::Webhooks(webhooks)) => webhooks.iter().any(|webhook| webhook.of_pods),
        _ => false,
    }
}

/// Returns when the oldest Pod of each workload was created. Pods of a ReplicaSet are those of its Deployment.
fn oldest_pods(facts: &WorkloadFacts) -> BTreeMap<&Uid, &str> {
    let mut oldest: BTreeMap<&Uid, &str> = BTreeMap::new();
    for (owner, created) in &facts.oldest_pods {
        let workload = facts.replica_sets.get(owner).map_or(owner, |set| &set.deployment);
        let known = oldest.entry(workload).or_insert(created);
        *known = (*known).min(created);
    }
    oldest
}
