//! Decides how field ownership is restored: from the captured `managedFields` to the way the object is created.
//!
//! An API server ignores `managedFields` in a create request and makes the creator own all fields. If one manager
//! owned exactly the fields of the object, the create request therefore uses its name as field manager; in all other
//! cases a second request writes the captured entries
//! (<https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>).
//!
//! What an API server (1.36) does with entries that are written:
//! - fields that the object does not hold stay in their entry;
//! - an entry in a version of a built-in type that it does not serve is dropped;
//! - all entries of a custom resource are dropped if one of them is in a version that the definition does not have, or
//!   in one whose schema lacks a field of the object;
//! - the list `[{}]` removes all owners, and no later update adds one, until the first apply;
//! - of two entries with the same manager, operation, version and subresource the last one stays.

use lifeboat_model::Uid;
use lifeboat_translate::pointer;
use serde_json::{Map, Value};

use crate::planned::{EntryVersion, Operation, Ownership, PlannedOwner};

/// Returns the entries that the target gets. The fields of the status are included only if the status is restored.
pub(crate) fn entries(managed_fields: Vec<Value>, with_status: bool) -> Vec<Value> {
    if with_status {
        return managed_fields;
    }
    managed_fields.into_iter().filter_map(without_status).collect()
}

/// Removes the status from an entry. Writers of the status own other fields too, such as the annotation with the
/// revision of a Deployment.
fn without_status(mut entry: Value) -> Option<Value> {
    let of_status = is_of_status(&entry);
    let Some(fields) = entry.get_mut("fieldsV1").and_then(Value::as_object_mut) else {
        return (!of_status).then_some(entry);
    };
    let removed = fields.remove("f:status").is_some();
    (!fields.is_empty() || !(removed || of_status)).then_some(entry)
}

pub(crate) fn is_of_status(entry: &Value) -> bool {
    pointer::text(entry, "/subresource") == Some("status")
}

/// Decides how ownership is restored, given the entries that the target gets and the object without its status, with
/// its owner references. If the status is restored, its writer becomes an owner that only a second request removes.
pub(crate) fn decide(entries: &[Value], body: &Value, restores_status: bool) -> Ownership {
    let manager = |entry: &Value| pointer::text(entry, "/manager").map(Into::into);
    let plain = |entry: &&Value| entry.get("subresource").is_none();
    let Some(first) = entries.iter().find(plain).or(entries.first()).and_then(manager) else {
        return Ownership::None;
    };
    if let [only] = entries
        && plain(&only)
        && !restores_status
        && only
            .get("fieldsV1")
            .is_some_and(|owned| covers(owned, body, true) && holds(body, owned))
    {
        // Applying more than the manager owned would make it own defaults. Its next apply, which omits them, would
        // then remove them.
        let operation = match pointer::text(only, "/operation") {
            Some("Update") => Some(Operation::Update),
            Some("Apply") => Some(Operation::Apply),
            _ => None,
        };
        if let Some(operation) = operation {
            return Ownership::Single {
                manager: first,
                operation,
            };
        }
    }
    Ownership::Several { first }
}

/// Writes entries in the versions that the plan determines, and leaves out those for which there is none.
pub(crate) fn in_planned_versions(entries: Vec<Value>, versions: &[EntryVersion]) -> Vec<Value> {
    if versions.is_empty() {
        return entries;
    }
    let mut written: Vec<Value> = Vec::with_capacity(entries.len());
    for mut entry in entries {
        let version = pointer::text(&entry, "/apiVersion");
        if let Some(planned) = versions
            .iter()
            .find(|planned| version == Some(planned.from.as_str()))
        {
            let Some(to) = &planned.to else { continue };
            entry["apiVersion"] = to.clone().into();
        }
        match written.iter_mut().find(|other| is_same_manager(other, &entry)) {
            Some(other) => union(&mut other["fieldsV1"], entry["fieldsV1"].take()),
            None => written.push(entry),
        }
    }
    written
}

/// Returns whether an API server takes two entries for one, of which only the last stays.
fn is_same_manager(a: &Value, b: &Value) -> bool {
    ["manager", "operation", "subresource", "apiVersion"]
        .iter()
        .all(|key| a.get(key) == b.get(key))
}

/// Adds the fields of one set to another. In a set, `{}` is a field without parts; next to parts it is spelled `.`.
fn union(into: &mut Value, other: Value) {
    let (Some(fields), Value::Object(other)) = (into.as_object_mut(), other) else {
        return;
    };
    if fields.is_empty() != other.is_empty() {
        fields.insert(".".to_owned(), Value::Object(Map::new()));
    }
    for (key, value) in other {
        match fields.get_mut(&key) {
            Some(known) => union(known, value),
            None => {
                fields.insert(key, value);
            }
        }
    }
}

/// Replaces the uids of owners by those in the target: owner references are owned by uid. References that are not
/// restored belong to nobody.
pub(crate) fn of_target_owners(
    entries: &mut [Value],
    owners: &[PlannedOwner],
    uids: &dyn Fn(&Uid) -> Option<Uid>,
) {
    for entry in entries {
        let Some(Value::Object(references)) = entry.pointer_mut("/fieldsV1/f:metadata/f:ownerReferences")
        else {
            continue;
        };
        *references = std::mem::take(references)
            .into_iter()
            .filter_map(|(key, fields)| {
                let Some(text) = key.strip_prefix("k:") else {
                    return Some((key, fields));
                };
                let keys: Value = serde_json::from_str(text).ok()?;
                let uid = Uid::from(pointer::text(&keys, "/uid")?);
                let owner = owners.iter().find(|owner| owner.source_uid == uid)?;
                let keys = serde_json::json!({ "uid": uids(&owner.source_uid)? });
                Some((format!("k:{keys}"), fields))
            })
            .collect();
        if references.is_empty() {
            pointer::remove_and_prune(entry, "/fieldsV1/f:metadata/f:ownerReferences");
        }
    }
}

/// Fields that no manager owns (`managedfields/internal/stripmeta.go` of apimachinery).
const UNOWNED_ROOT: [&str; 2] = ["apiVersion", "kind"];
const UNOWNED_METADATA: [&str; 2] = ["name", "namespace"];

/// Returns whether an object has fields that its creator owns.
pub(crate) fn has_fields(body: &Value) -> bool {
    !covers(&Value::Object(Map::new()), body, true)
}

/// Returns whether every leaf of `value` is in the field set (`fieldsV1`: `f:` fields, `k:` list elements by key,
/// `v:` elements by value; an empty set means the whole subtree).
fn covers(owned: &Value, value: &Value, root: bool) -> bool {
    let Some(owned) = owned.as_object() else {
        return false;
    };
    if !root && owned.keys().all(|key| key == ".") {
        return true;
    }
    match value {
        Value::Object(map) => map.iter().all(|(key, value)| {
            if value.is_null() || (root && UNOWNED_ROOT.contains(&key.as_str())) {
                return true;
            }
            if root && key == "metadata" {
                return covers_metadata(owned, value);
            }
            owned
                .get(&format!("f:{key}"))
                .is_some_and(|inner| covers(inner, value, false))
        }),
        Value::Array(list) => list.iter().all(|element| covers_element(owned, element)),
        _ => true,
    }
}

fn covers_metadata(owned: &Map<String, Value>, metadata: &Value) -> bool {
    let nothing = Value::Object(Map::new());
    let owned = owned.get("f:metadata").unwrap_or(&nothing);
    metadata.as_object().is_some_and(|map| {
        map.iter()
            .filter(|(key, value)| !UNOWNED_METADATA.contains(&key.as_str()) && !value.is_null())
            .all(|(key, value)| {
                owned
                    .get(format!("f:{key}"))
                    .is_some_and(|inner| covers(inner, value, false))
            })
    })
}

fn covers_element(owned: &Map<String, Value>, element: &Value) -> bool {
    owned
        .iter()
        .any(|(key, inner)| names_element(key, element) && covers(inner, element, false))
}

/// Returns whether a key of a field set (`k:` or `v:`) names this element of a list.
fn names_element(key: &str, element: &Value) -> bool {
    if let Some(text) = key.strip_prefix("k:") {
        return serde_json::from_str::<Map<String, Value>>(text)
            .is_ok_and(|keys| keys.iter().all(|(name, value)| element.get(name) == Some(value)));
    }
    key.strip_prefix("v:")
        .and_then(|text| serde_json::from_str::<Value>(text).ok())
        .is_some_and(|value| value == *element)
}

/// Returns whether `value` has every field of a field set. A manager can own a default, an empty map or a field that
/// another version dropped, which the object does not hold; whoever creates the object does not own such a field.
fn holds(value: &Value, owned: &Value) -> bool {
    owned.as_object().is_none_or(|owned| {
        owned.iter().all(|(key, inner)| {
            if let Some(name) = key.strip_prefix("f:") {
                return value
                    .get(name)
                    .is_some_and(|value| !value.is_null() && holds(value, inner));
            }
            key == "."
                || value.as_array().is_some_and(|list| {
                    list.iter()
                        .any(|element| names_element(key, element) && holds(element, inner))
                })
        })
    })
}

#[cfg(test)]
mod tests;
