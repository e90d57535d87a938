//! Owner references: new UIDs for restored owners, and the handling of the others.

use std::collections::{HashMap, HashSet};

use lifeboat_model::Uid;

use super::Resolver;
use crate::builder::summary::OwnerReference;
use crate::planned::PlannedOwner;
use crate::rule::RuleId;

/// The state of an owner, by its UID in the source.
#[derive(Clone, Copy)]
enum OwnerPlace {
    Item(usize),
    Skipped(RuleId),
    Unselected,
}

/// Returns whether a controller or machine recreates such an owner with another UID, so that its dependents would be
/// orphans.
fn is_recreated(rule: RuleId) -> bool {
    matches!(
        rule,
        RuleId::ChildOfController | RuleId::MirrorPod | RuleId::DependantOfChild | RuleId::Node
    )
}

pub(super) fn resolve(work: &mut Resolver<'_>, sorted: &[usize]) {
    let draft = work.draft;
    let mut known: HashMap<&Uid, OwnerPlace> = HashMap::new();
    let wanted: HashSet<&Uid> = draft
        .items
        .iter()
        .flat_map(|item| item.owners.iter().map(|owner| &owner.uid))
        .collect();
    for (index, item) in draft
        .items
        .iter()
        .enumerate()
        .filter(|(_, item)| wanted.contains(&item.uid))
    {
        known.insert(&item.uid, OwnerPlace::Item(index));
    }
    for skipped in draft
        .skipped
        .iter()
        .filter(|skipped| wanted.contains(&skipped.uid))
    {
        known.insert(&skipped.uid, OwnerPlace::Skipped(skipped.rule));
    }
    for uid in draft.unselected_uids.iter().filter(|uid| wanted.contains(*uid)) {
        known.insert(uid, OwnerPlace::Unselected);
    }

    skip_dependants(work, sorted, &known);
    for &index in sorted {
        if work.is_planned(index) {
            link(work, index, &known);
        }
    }
}

/// Skips objects whose owners are all recreated with another UID, then the dependents of those, and so on.
fn skip_dependants(work: &mut Resolver<'_>, sorted: &[usize], known: &HashMap<&Uid, OwnerPlace>) {
    let draft = work.draft;
    loop {
        let mut more = false;
        for &index in sorted {
            let owners = &draft.items[index].owners;
            if !work.is_planned(index) || owners.is_empty() {
                continue;
            }
            let anew = |owner: &OwnerReference| match known.get(&owner.uid) {
                Some(OwnerPlace::Skipped(rule)) => is_recreated(*rule),
                Some(OwnerPlace::Item(owner)) => work.decisions.exclusions[*owner]
                    .as_ref()
                    .is_some_and(|(rule, _)| is_recreated(*rule)),
                _ => false,
            };
            if owners.iter().all(anew) {
                let detail = owners
                    .first()
                    .map(|owner| format!("{} {}", owner.kind, owner.name));
                work.decisions.exclusions[index] = Some((RuleId::DependantOfChild, detail));
                more = true;
            }
        }
        if !more {
            return;
        }
    }
}

fn link(work: &mut Resolver<'_>, index: usize, known: &HashMap<&Uid, OwnerPlace>) {
    let draft = work.draft;
    for owner in &draft.items[index].owners {
        let shown = format!("{} {}", owner.kind, owner.name);
        let claim = work.is_type(index, "", "persistentvolumeclaims");
        if claim && owner.group() == "apps" && &*owner.kind == "StatefulSet" {
            drop_owner(work, index, RuleId::OwnerOfClaim, shown);
            continue;
        }
        match known.get(&owner.uid) {
            Some(OwnerPlace::Item(place)) if work.is_planned(*place) => {
                if matches(work, index, *place, owner) {
                    adopt(work, index, *place, owner);
                } else {
                    drop_owner(work, index, RuleId::OwnerElsewhere, shown);
                }
            }
            _ => drop_owner(work, index, RuleId::OwnerNotRestored, shown),
        }
    }
}

fn drop_owner(work: &mut Resolver<'_>, index: usize, rule: RuleId, owner: String) {
    work.change(index, "/metadata/ownerReferences", rule, Some(owner), None);
}

/// Returns whether the reference matches its owner: the garbage collector deletes objects whose owner it cannot find
/// at the reference (`garbagecollector.go`, `attemptToDeleteItem`).
fn matches(work: &Resolver<'_>, index: usize, place: usize, owner: &OwnerReference) -> bool {
    let item = work.item(place);
    let r#type = &work.draft.source_type(item.r#type).resource;
    let reachable = match &work.decisions.targets[place].namespace {
        None => true,
        namespace => *namespace == work.decisions.targets[index].namespace,
    };
    let is_itself = place == index;
    reachable
        && !is_itself
        && r#type.group == owner.group()
        && r#type.kind == *owner.kind
        && *item.name == *owner.name
}

fn adopt(work: &mut Resolver<'_>, index: usize, place: usize, owner: &OwnerReference) {
    let type_index = usize::try_from(work.item(place).r#type).expect("a u32 fits");
    let captured = &work.draft.types[type_index].resource;
    // The version in the reference is kept, unless the target does not serve the version in which the owner was
    // captured.
    let api_version = match work.decisions.versions[type_index].resource() {
        Some(resource) if resource.version != captured.version => resource.api_version(),
        _ => owner.api_version.to_string(),
    };
    let planned = PlannedOwner {
        owner: work.decisions.targets[place].clone(),
        source_uid: work.item(place).uid.clone(),
        api_version,
        kind: owner.kind.to_string(),
        controller: owner.controller,
        block_owner_deletion: owner.block_owner_deletion,
    };
    work.decisions.owners.entry(index).or_default().push(planned);
    work.note_use(RuleId::OwnerRestored);
}
