//! Finds the objects that planned objects need and that will not exist.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use lifeboat_model::ObjectRef;

use super::{Resolver, SYSTEM_NAMESPACES};
use crate::builder::crds;
use crate::builder::required::hash;
use crate::planned::{Dependency, MissingDependency};
use crate::rule::RuleId;

struct Finder<'a> {
    planned: BTreeSet<&'a ObjectRef>,
    /// Excluded objects, by their names in the target.
    left_out: BTreeSet<ObjectRef>,
    missing: BTreeMap<(ObjectRef, Dependency), MissingDependency>,
}

impl Finder<'_> {
    fn add(&mut self, needed: ObjectRef, need: Dependency, example: &ObjectRef) {
        let in_point = self.left_out.contains(&needed);
        let entry = self
            .missing
            .entry((needed.clone(), need))
            .or_insert_with(|| MissingDependency {
                needed,
                in_point,
                example: example.clone(),
                objects: 0,
                need,
            });
        entry.objects = entry.objects.saturating_add(1);
        if *example < entry.example {
            entry.example = example.clone();
        }
    }
}

pub(super) fn find(work: &Resolver<'_>) -> Vec<MissingDependency> {
    let planned = (0..work.decisions.exclusions.len()).filter(|index| work.is_planned(*index));
    let mut finder = Finder {
        planned: planned.map(|index| &work.decisions.targets[index]).collect(),
        left_out: left_out(work),
        missing: BTreeMap::new(),
    };
    for index in 0..work.decisions.exclusions.len() {
        let target = &work.decisions.targets[index];
        // If the type is not served and the recovery point contains its definition, the definition is missing.
        if let Some((RuleId::TypeNotServed, _)) = &work.decisions.exclusions[index] {
            let r#type = &work.draft.source_type(work.item(index).r#type).resource;
            if let Some(crd) = work.draft.definition_of(r#type) {
                let definition = ObjectRef::new(crds::TYPE.into(), None, &crd.name);
                finder.add(definition, Dependency::Exists, target);
            }
            continue;
        }
        if !work.is_planned(index) {
            continue;
        }
        if let Some(namespace) = target.namespace.as_deref() {
            let object = ObjectRef::new("namespaces".into(), None, namespace);
            if !SYSTEM_NAMESPACES.contains(&namespace) && !is_there(work, &finder, &object) {
                finder.add(object, Dependency::Exists, target);
            }
        }
        for needed in &work.item(index).needs {
            let object = needed.object(target.namespace.as_deref());
            // An object that the source did not have either is not missing because of the restore.
            if finder.left_out.contains(&object) && !is_there(work, &finder, &object) {
                finder.add(object, needed.need, target);
            }
        }
    }
    finder.missing.into_values().collect()
}

fn is_there(work: &Resolver<'_>, finder: &Finder<'_>, object: &ObjectRef) -> bool {
    finder.planned.contains(object) || work.facts.existing.contains(object)
}

/// Returns the objects that the recovery point contains and the plan does not, by their names in the target. Objects
/// that a rule leaves to the target's own controllers are not included, and most of those that no planned object needs.
fn left_out(work: &Resolver<'_>) -> BTreeSet<ObjectRef> {
    let draft = work.draft;
    let needed = needed(work);
    let target = |r#type: u32, namespace: Option<&str>, name: &str| {
        let map = &draft.settings.namespaces;
        let type_name = draft.source_type(r#type).resource.name();
        let name = if type_name.as_str() == "namespaces" {
            map.map(name)
        } else {
            name
        };
        ObjectRef::new(type_name, namespace.map(|n| map.map(n)), name)
    };
    let unselected = draft
        .unselected
        .iter()
        .map(|(t, namespace, name)| target(*t, namespace.as_deref(), name));
    let gone = |rule: RuleId| {
        matches!(
            rule,
            RuleId::Terminating | RuleId::TerminatingNamespace | RuleId::NamespaceAbsent
        )
    };
    let skipped = draft
        .skipped
        .iter()
        .filter(|skipped| gone(skipped.rule))
        .map(|skipped| target(skipped.r#type, skipped.namespace.as_deref(), &skipped.name));
    let fated = (0..work.decisions.exclusions.len())
        .filter(|index| {
            work.decisions.exclusions[*index]
                .as_ref()
                .is_some_and(|(rule, _)| gone(*rule))
        })
        .map(|index| work.decisions.targets[index].clone());
    unselected
        .chain(skipped)
        .chain(fated)
        .filter(|object| {
            let namespace = object.namespace.as_deref();
            needed.contains(&hash((object.r#type.as_str(), namespace, &*object.name)))
        })
        .collect()
}

/// Returns hashes of the objects that planned objects need. Their names would take more memory than the plan.
fn needed(work: &Resolver<'_>) -> HashSet<u64> {
    let definitions = work.draft.crds.values();
    let mut needed: HashSet<u64> = definitions
        .map(|crd| hash((crds::TYPE, None::<&str>, crd.name.as_str())))
        .collect();
    for index in (0..work.decisions.exclusions.len()).filter(|index| work.is_planned(*index)) {
        let namespace = work.decisions.targets[index].namespace.as_deref();
        needed.extend(namespace.map(|name| hash(("namespaces", None::<&str>, name))));
        let needs = work.item(index).needs.iter();
        needed.extend(needs.map(|need| hash((need.r#type, need.place.namespace(namespace), &*need.name))));
    }
    needed
}
