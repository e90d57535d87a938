//! Assigns waves and depths: which object must exist before which.

use std::collections::HashMap;

use lifeboat_model::{Code, ObjectRef};

use super::Resolver;
use crate::builder::crds;
use crate::lint::{LintFinding, Severity};
use crate::rule::RuleId;
use crate::wave::Wave;

#[derive(Clone, Copy, PartialEq)]
enum Visit {
    Not,
    Open,
    Done,
}

/// Assigns a wave and depth to every planned item. An owner comes before the objects that it owns, even if that moves
/// them into a later wave. The definition of a type and a namespace come before the objects in them, even if their
/// own owners moved them.
pub(super) fn arrange(work: &mut Resolver<'_>, sorted: &[usize]) {
    let count = work.decisions.exclusions.len();
    let by_target: HashMap<ObjectRef, usize> = sorted
        .iter()
        .filter(|index| work.is_planned(**index) && may_be_before_others(work, **index))
        .map(|index| (work.decisions.targets[*index].clone(), *index))
        .collect();
    let owners: HashMap<ObjectRef, usize> = {
        let named: std::collections::HashSet<&ObjectRef> = work
            .decisions
            .owners
            .values()
            .flatten()
            .map(|owner| &owner.owner)
            .collect();
        let planned = sorted.iter().filter(|index| work.is_planned(**index));
        planned
            .filter(|index| named.contains(&work.decisions.targets[**index]))
            .map(|index| (work.decisions.targets[*index].clone(), *index))
            .collect()
    };
    work.decisions.places = vec![(Wave::Admission, 0); count];
    let mut visits = vec![Visit::Not; count];
    for &index in sorted {
        if work.is_planned(index) {
            place(work, index, &by_target, &owners, &mut visits);
        }
    }
}

/// Returns whether other items may depend on it without being owned: namespaces and CustomResourceDefinitions.
fn may_be_before_others(work: &Resolver<'_>, index: usize) -> bool {
    work.is_type(index, "", "namespaces") || work.is_type(index, crds::GROUP, crds::RESOURCE)
}

/// Returns the items that must exist before an item because of its type and namespace.
fn context(work: &Resolver<'_>, index: usize, by_target: &HashMap<ObjectRef, usize>) -> Vec<usize> {
    let r#type = &work.draft.source_type(work.item(index).r#type).resource;
    let namespace = work.decisions.targets[index]
        .namespace
        .as_deref()
        .map(|name| ObjectRef::new("namespaces".into(), None, name));
    let definition = work
        .draft
        .definition_of(r#type)
        .map(|crd| ObjectRef::new(crds::TYPE.into(), None, &crd.name));
    namespace
        .into_iter()
        .chain(definition)
        .filter_map(|object| by_target.get(&object).copied())
        .collect()
}

/// Visits items depth-first, without recursion because chains of owners may be long.
fn place(
    work: &mut Resolver<'_>,
    start: usize,
    by_target: &HashMap<ObjectRef, usize>,
    owners: &HashMap<ObjectRef, usize>,
    visits: &mut [Visit],
) {
    let mut stack = vec![start];
    while let Some(&index) = stack.last() {
        if visits[index] == Visit::Done {
            stack.pop();
            continue;
        }
        if visits[index] == Visit::Not {
            visits[index] = Visit::Open;
            let before = stack.len();
            stack.extend(
                context(work, index, by_target)
                    .into_iter()
                    .filter(|other| visits[*other] == Visit::Not),
            );
            let mut circular = Vec::new();
            for (position, owner) in work.owners(index).iter().enumerate() {
                match owners.get(&owner.owner) {
                    Some(other) if visits[*other] == Visit::Not => stack.push(*other),
                    Some(other) if visits[*other] == Visit::Open => circular.push(position),
                    _ => {}
                }
            }
            for position in circular.into_iter().rev() {
                break_cycle(work, index, position);
            }
            if stack.len() > before {
                continue;
            }
        }
        finish(work, index, by_target, owners, visits);
        stack.pop();
    }
}

fn finish(
    work: &mut Resolver<'_>,
    index: usize,
    by_target: &HashMap<ObjectRef, usize>,
    owners: &HashMap<ObjectRef, usize>,
    visits: &mut [Visit],
) {
    let resource = &work.draft.source_type(work.item(index).r#type).resource;
    let own = work
        .waves
        .get(&index)
        .copied()
        .unwrap_or_else(|| Wave::of(resource));
    let (mut wave, mut depth) = own;
    if work.later.contains(&index) {
        depth = depth.saturating_add(1);
    }
    let before: Vec<usize> = context(work, index, by_target)
        .into_iter()
        .chain(
            work.owners(index)
                .iter()
                .filter_map(|owner| owners.get(&owner.owner).copied()),
        )
        .filter(|other| *other != index && visits[*other] == Visit::Done)
        .collect();
    for other in before {
        let (other_wave, other_depth) = work.decisions.places[other];
        if other_wave > wave {
            (wave, depth) = (other_wave, other_depth.saturating_add(1));
        } else if other_wave == wave {
            depth = depth.max(other_depth.saturating_add(1));
        }
    }
    if wave != own.0 {
        work.note_use(RuleId::WithOwner);
    }
    work.decisions.places[index] = (wave, depth);
    visits[index] = Visit::Done;
}

/// Removes the owner reference that closes a cycle.
fn break_cycle(work: &mut Resolver<'_>, index: usize, position: usize) {
    let owners = work.decisions.owners.get_mut(&index);
    let owner = owners.expect("the item has owners").remove(position);
    let shown = format!("{} {}", owner.kind, owner.owner.name);
    work.change(
        index,
        "/metadata/ownerReferences",
        RuleId::OwnerCycle,
        Some(shown),
        None,
    );
    let object = work.decisions.targets[index].clone();
    work.decisions.findings.push(LintFinding {
        severity: Severity::Warning,
        check: "owner-cycle".to_owned(),
        code: Code::PlanRefused,
        message: format!(
            "{object} and {} own each other; the object is restored without this owner.",
            owner.owner
        ),
        object: Some(object),
        guidance: "add the owner reference after the restore if it is intended".to_owned(),
    });
}
