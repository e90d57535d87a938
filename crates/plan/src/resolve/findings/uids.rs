//! Uids of captured objects in fields of others: in the target those objects have other uids.

use std::collections::{BTreeMap, HashMap};

use lifeboat_model::{Code, ObjectRef, Uid};

use super::{Resolver, warning};
use crate::lint::LintFinding;

/// The objects of one type that name others in one field.
struct Place<'a> {
    /// The first one by name.
    object: &'a ObjectRef,
    named: String,
    objects: usize,
    /// The item that was counted last: an object may name several in one field.
    last: usize,
}

pub(super) fn references(work: &Resolver<'_>, found: &mut Vec<LintFinding>) {
    let references = || {
        let all = work.draft.uid_references.iter();
        all.filter(|reference| super::writes(work, reference.item))
    };
    let mut owners: HashMap<&Uid, Option<String>> =
        references().map(|reference| (&reference.uid, None)).collect();
    if owners.is_empty() {
        return;
    }
    let mut name = |uid: &Uid, name: &dyn Fn() -> String| {
        if let Some(owner) = owners.get_mut(uid) {
            *owner = Some(name());
        }
    };
    for (item, target) in work.draft.items.iter().zip(&work.decisions.targets) {
        name(&item.uid, &|| target.to_string());
    }
    for skipped in &work.draft.skipped {
        name(&skipped.uid, &|| {
            let (namespace, name) = (skipped.namespace.clone(), skipped.name.clone());
            work.draft.source_ref(skipped.r#type, namespace, name).to_string()
        });
    }
    let mut places: BTreeMap<(String, String), Place<'_>> = BTreeMap::new();
    for reference in references() {
        let object = &work.decisions.targets[reference.item];
        let Some(Some(named)) = owners.get(&reference.uid) else {
            continue;
        };
        let named = if *named == object.to_string() {
            "itself"
        } else {
            named
        };
        let place = (object.r#type.to_string(), without_indexes(&reference.path));
        let place = places.entry(place).or_insert_with(|| Place {
            object,
            named: named.to_owned(),
            objects: 1,
            last: reference.item,
        });
        if place.last != reference.item {
            place.objects += 1;
            place.last = reference.item;
        }
        if object < place.object {
            (place.object, place.named) = (object, named.to_owned());
        }
    }
    for ((r#type, path), place) in places {
        let Place {
            object,
            named,
            objects,
            ..
        } = place;
        let message = if objects == 1 {
            format!("{object} names {named} by its uid at {path}; in the target it has another uid.")
        } else {
            format!(
                "{objects} objects of {type} name others by their uids at {path}, such as {object} ({named}); in the target those have other uids."
            )
        };
        found.push(warning(
            "uid-reference",
            Code::PlanRefused,
            Some(object.clone()),
            message,
            "if something reads that field, let its owner write it again, or set it after the restore",
        ));
    }
}

/// Returns a path in which each index of a list is `*`.
fn without_indexes(path: &str) -> String {
    let parts = path.split('/').map(|part| {
        let is_index = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if is_index { "*" } else { part }
    });
    parts.collect::<Vec<_>>().join("/")
}
