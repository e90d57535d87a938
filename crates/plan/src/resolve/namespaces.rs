//! Objects whose namespace did not exist when they were captured: it was finalized by force, and they stayed in the
//! storage of the API server, where lists show them.

use std::collections::BTreeSet;
use std::sync::Arc;

use lifeboat_model::ObjectRef;

use super::{Resolver, SYSTEM_NAMESPACES};
use crate::planned::Note;
use crate::rule::RuleId;

/// Leaves out the objects in namespaces that did not exist, unless the restore or the target has a namespace of that
/// name.
pub(super) fn skip_absent(work: &mut Resolver<'_>) {
    if !work.draft.completeness.all_namespaces {
        return;
    }
    let planned: BTreeSet<&str> = (0..work.decisions.exclusions.len())
        .filter(|index| work.is_planned(*index) && work.is_type(*index, "", "namespaces"))
        .map(|index| &*work.decisions.targets[index].name)
        .collect();
    let mut absent = Vec::new();
    for index in 0..work.decisions.exclusions.len() {
        let Some(namespace) = work.item(index).namespace.as_deref() else {
            continue;
        };
        let target = work.decisions.targets[index]
            .namespace
            .as_deref()
            .unwrap_or(namespace);
        let is_there = work.draft.existing_namespaces.contains(namespace)
            || planned.contains(target)
            || SYSTEM_NAMESPACES.contains(&target)
            || (work.facts.existing).contains(&ObjectRef::new("namespaces".into(), None, target));
        if work.is_planned(index) && !is_there {
            absent.push((index, namespace.to_owned()));
        }
    }
    for (index, namespace) in absent {
        work.decisions.exclusions[index] = Some((RuleId::NamespaceAbsent, Some(namespace)));
    }
}

/// Returns how the objects that were left out can be restored, and which exclusions have no effect.
pub(super) fn notes(work: &Resolver<'_>) -> BTreeSet<Note> {
    let absent: BTreeSet<Arc<str>> = (0..work.decisions.exclusions.len())
        .filter(|index| {
            matches!(
                &work.decisions.exclusions[*index],
                Some((RuleId::NamespaceAbsent, _))
            )
        })
        .filter_map(|index| work.item(index).namespace.clone())
        .collect();
    let restorable = absent.iter().map(|namespace| {
        let target = work.draft.settings.namespaces.map(namespace);
        format!(
            "The objects of the namespace {namespace} are left out, because it did not exist when they were captured; they are restored if the target has it (`kubectl create namespace {target}`)."
        )
    });
    restorable.map(|text| Note { object: None, text }).collect()
}
