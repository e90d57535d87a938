//! Decides in which versions the captured entries of `managedFields` are written.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_model::{ObjectRef, ResourceType};

use super::Resolver;
use super::assemble::Decided;
use crate::builder::crds::{self, CrdFacts};
use crate::builder::summary::Entry;
use crate::planned::{EntryVersion, Note, PlannedChange};
use crate::rule::RuleId;
use crate::{Action, Operation, Ownership};

/// What becomes of the entries in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// They are written as captured.
    Same,
    /// They are written in the version of the object, in which the fields have the same names.
    ByName,
    /// They are not written.
    LeftOut,
}

/// The definitions that types have in the target after the restore, by the index of the type.
#[derive(Default)]
pub(super) struct Definitions(BTreeMap<u32, CrdFacts>);

impl Definitions {
    /// Finds the definitions of the types of which objects have entries in several versions.
    pub(super) fn of(work: &Resolver<'_>) -> Self {
        let items = work.draft.items.iter();
        let other = items
            .filter(|item| !item.entries().is_empty())
            .map(|item| item.r#type);
        let changed = (0_u32..)
            .zip(&work.decisions.versions)
            .filter(|(_, version)| matches!(version, super::Version::Other { .. }))
            .map(|(r#type, _)| r#type);
        let types: BTreeSet<u32> = other.chain(changed).collect();
        Self(
            types
                .into_iter()
                .filter_map(|r#type| Some((r#type, definition(work, r#type)?)))
                .collect(),
        )
    }
}

/// Returns how ownership of an object that is written as `resource` is restored, and the versions of entries that
/// change. Adds a change for each entry that changes, and a note for each that is left out.
pub(super) fn of(
    decided: &Decided<'_>,
    resource: &ResourceType,
    definitions: &Definitions,
    (changes, notes): (&mut Vec<PlannedChange>, &mut BTreeSet<Note>),
) -> (Ownership, Vec<EntryVersion>) {
    let item = decided.item;
    if decided.action == Action::Merge {
        let ownership = super::rbac::manager(item)
            .or_else(|| super::eks::manager(item))
            .map_or(Ownership::None, |manager| Ownership::Single {
                manager: manager.into(),
                operation: Operation::Update,
            });
        return (ownership, Vec::new());
    }
    let written = resource.api_version();
    let captured = decided.draft.source_type(item.r#type).resource.api_version();
    let fate = |version: &str| fate(decided, resource, definitions, version);
    let mut fates: BTreeMap<&str, Fate> = BTreeMap::new();
    if captured != written {
        fates.insert(&captured, fate(&captured));
    }
    for entry in item.entries() {
        fates
            .entry(&entry.api_version)
            .or_insert_with(|| fate(&entry.api_version));
    }
    if item.entries().is_empty() && item.ownership != Ownership::None && captured != written {
        changes.push(change(RuleId::OwnershipVersion, &captured, Some(&written)));
    }
    for entry in item.entries() {
        let named = format!("{} ({}) in {}", entry.manager, entry.operation, entry.api_version);
        match fates[&*entry.api_version] {
            Fate::Same => {}
            Fate::ByName => changes.push(change(RuleId::OwnershipVersion, &named, Some(&written))),
            Fate::LeftOut => {
                changes.push(change(RuleId::OwnershipLeftOut, &named, None));
                notes.insert(left_out(decided.target, &named));
            }
        }
    }
    let ownership = written_ownership(decided, &fates, &written);
    let versions = fates
        .into_iter()
        .filter_map(|(from, fate)| {
            let to = match fate {
                Fate::Same => return None,
                Fate::ByName => Some(written.clone()),
                Fate::LeftOut => None,
            };
            let from = from.to_owned();
            Some(EntryVersion { from, to })
        })
        .collect();
    (ownership, versions)
}

fn written_ownership(decided: &Decided<'_>, fates: &BTreeMap<&str, Fate>, written: &str) -> Ownership {
    let item = decided.item;
    let is_left_out = |entry: &Entry| fates.get(&*entry.api_version) == Some(&Fate::LeftOut);
    let mut rest = item.entries().iter().filter(|entry| !is_left_out(entry));
    let other_version = |(version, fate): (&&str, &Fate)| **version != *written && *fate == Fate::Same;
    let updates = matches!(decided.action, Action::Update | Action::CreateOrUpdate);
    match &item.ownership {
        Ownership::None => Ownership::None,
        Ownership::Single { .. } if item.entries().iter().any(is_left_out) => Ownership::None,
        // The request would write the entry in the version of the object. An update of a live object, in addition,
        // keeps the previous managers as owners of unchanged fields, and never creates an entry with the operation
        // Apply. The captured entry must therefore be written afterwards.
        // So does a field that is set later.
        Ownership::Single { manager, .. }
            if updates || decided.is_deferred || fates.iter().any(other_version) =>
        {
            Ownership::Several {
                first: manager.clone(),
            }
        }
        // The creator must be one of the owners afterwards, by which a continued run recognizes the object.
        Ownership::Several { first } if item.entries().iter().any(is_left_out) => {
            match rest
                .clone()
                .find(|entry| *entry.manager == **first)
                .or(rest.next())
            {
                Some(entry) => Ownership::Several {
                    first: entry.manager.as_ref().into(),
                },
                None => Ownership::None,
            }
        }
        ownership => ownership.clone(),
    }
}

fn change(rule: RuleId, from: &str, to: Option<&str>) -> PlannedChange {
    PlannedChange {
        path: "/metadata/managedFields".to_owned(),
        rule,
        patch: None,
        from: Some(from.to_owned()),
        to: to.map(str::to_owned),
    }
}

fn left_out(target: &ObjectRef, entry: &str) -> Note {
    Note {
        object: Some(target.clone()),
        text: format!(
            "The field owner {entry} is left out, because the target has no version in which its fields have the \
             same names; it owns none of them until it writes them again."
        ),
    }
}

fn fate(decided: &Decided<'_>, resource: &ResourceType, definitions: &Definitions, entry: &str) -> Fate {
    if entry == resource.api_version() {
        return Fate::Same;
    }
    let (group, version) = entry.rsplit_once('/').unwrap_or(("", entry));
    let Some(definition) = definitions.0.get(&decided.item.r#type) else {
        let is_served = decided.facts.types.iter().any(|served| {
            served.group == group
                && served.resource == resource.resource
                && served.versions.iter().any(|served| served.version == version)
        });
        return match (is_served, decided.draft.source_type(decided.item.r#type).custom) {
            (true, _) => Fate::Same,
            (false, false) => Fate::ByName,
            // How it converts is not known.
            (false, true) => Fate::LeftOut,
        };
    };
    let schema = definition
        .schemas
        .get(version)
        .filter(|_| group == resource.group);
    match (definition.converts_by_webhook, schema) {
        (true, Some(_)) => Fate::Same,
        (true, None) => Fate::LeftOut,
        (false, Some(schema)) if definition.schemas.get(&resource.version) == Some(schema) => Fate::Same,
        // A schema that lacks a field of the object would make the API server drop all entries.
        (false, _) => Fate::ByName,
    }
}

/// Returns the definition that a type has in the target after the restore.
fn definition(work: &Resolver<'_>, r#type: u32) -> Option<CrdFacts> {
    let resource = &work.draft.source_type(r#type).resource;
    let captured = work.draft.definition_of(resource);
    let name = captured.map_or_else(
        || format!("{}.{}", resource.resource, resource.group),
        |crd| crd.name.clone(),
    );
    let action = super::versions::planned_definition(work, &name);
    if let Some(captured) = captured.filter(|_| action.is_some_and(|action| action != Action::Keep)) {
        return Some(captured.clone());
    }
    let target = ObjectRef::new(crds::TYPE.into(), None, &name);
    let existing = work.facts.existing.get(&target);
    existing
        .and_then(|existing| CrdFacts::read(&name, existing.body.as_deref()?))
        .or_else(|| captured.cloned())
}
