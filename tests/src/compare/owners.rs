//! Field ownership and owner references of objects.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

use super::Place;
use crate::snapshot::{array, text};

/// A field manager: its name, its operation (`Apply` or `Update`), and the subresource it wrote to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Manager {
    /// The name of the manager.
    pub name: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// Empty, or the name of a subresource such as `scale`.
    pub subresource: String,
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.name, self.operation)?;
        if !self.subresource.is_empty() {
            write!(f, " of {}", self.subresource)?;
        }
        f.write_str(")")
    }
}

/// Returns the fields of an object and the owners of each. Entries of the status subresource are
/// left out, because the target's own controllers write the status.
#[must_use]
pub fn field_owners(object: &Value) -> BTreeMap<String, BTreeSet<Manager>> {
    let mut owners: BTreeMap<String, BTreeSet<Manager>> = BTreeMap::new();
    let references = self::owners(object);
    for entry in array(object, "/metadata/managedFields") {
        let manager = Manager {
            name: text(entry, "/manager").to_owned(),
            operation: text(entry, "/operation").to_owned(),
            subresource: text(entry, "/subresource").to_owned(),
        };
        if manager.subresource == "status" {
            continue;
        }
        let mut fields = Vec::new();
        if let Some(root) = entry["fieldsV1"].as_object() {
            flatten(root, "", &mut fields);
        }
        for mut field in fields {
            // Owner references are keyed by UID, which differs between clusters.
            for owner in &references {
                field = field.replace(&owner.uid, &format!("of {} {}", owner.kind, owner.name));
            }
            if !field.starts_with("/f:status") {
                owners.entry(field).or_default().insert(manager.clone());
            }
        }
    }
    owners
}

fn flatten(fields: &Map<String, Value>, path: &str, found: &mut Vec<String>) {
    if fields.is_empty() {
        found.push(path.to_owned());
    }
    for (name, below) in fields {
        let name = name.replace('~', "~0").replace('/', "~1");
        match below.as_object() {
            Some(below) if name != "." => flatten(below, &format!("{path}/{name}"), found),
            // `.` is the field itself, next to its parts.
            _ => found.push(path.to_owned()),
        }
    }
}

/// Returns the place of an owned field, as far as it can be determined without the object: it ends
/// at the first key of a list (`k:{"name":"x"}`).
#[must_use]
pub fn place_of(field: &str) -> Place {
    Place(
        field
            .split('/')
            .skip(1)
            .map_while(|part| part.strip_prefix("f:"))
            .map(|part| part.replace("~1", "/").replace("~0", "~"))
            .collect(),
    )
}

/// A field with different owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerDifference {
    /// The field in the notation of `managedFields`, with `/` between the parts.
    pub field: String,
    /// Its owners in the first object, as text.
    pub before: String,
    /// Its owners in the second object, as text.
    pub after: String,
    /// Whether the field had no owner before, and now has the owners that own the rest of the
    /// object by updates. A server makes the creator the owner of all fields of a new object, also
    /// of those that admission added. Such an owner never removes a field by leaving it out, unlike
    /// a manager that uses server-side apply.
    pub gained: bool,
}

impl fmt::Display for OwnerDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} belonged to {} and belongs to {}",
            self.field, self.before, self.after
        )
    }
}

/// Returns the fields whose owners differ.
#[must_use]
pub fn differing_owners(source: &Value, target: &Value) -> Vec<OwnerDifference> {
    let (source, target) = (field_owners(source), field_owners(target));
    let known: BTreeSet<&Manager> = source.values().flatten().collect();
    let none = BTreeSet::new();
    let names = |managers: &BTreeSet<Manager>| match managers.is_empty() {
        true => "nobody".to_owned(),
        false => managers
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" and "),
    };
    let fields: BTreeSet<&String> = source.keys().chain(target.keys()).collect();
    // Whether a set has a map itself next to its parts depends on the schema at that time: a server that knows the fields
    // of the map does not write it.
    let has_parts = |field: &str| {
        let parts = format!("{field}/");
        [&source, &target].iter().any(|owned| {
            let next = owned.range(parts.clone()..).next();
            next.is_some_and(|(other, _)| other.starts_with(&parts))
        })
    };
    fields
        .into_iter()
        .filter(|field| !has_parts(field))
        .filter_map(|field| {
            let (before, after) = (
                source.get(field).unwrap_or(&none),
                target.get(field).unwrap_or(&none),
            );
            (before != after).then(|| OwnerDifference {
                field: field.clone(),
                before: names(before),
                after: names(after),
                gained: before.is_empty()
                    && after.iter().all(|manager| {
                        manager.operation == "Update" && (known.is_empty() || known.contains(manager))
                    }),
            })
        })
        .collect()
}

/// One owner reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// The group and version of the owner.
    pub api_version: String,
    /// The kind of the owner.
    pub kind: String,
    /// The name of the owner.
    pub name: String,
    /// The UID of the owner.
    pub uid: String,
    /// Whether the owner is the managing controller.
    pub controller: bool,
}

/// Returns the owner references of an object.
#[must_use]
pub fn owners(object: &Value) -> Vec<Owner> {
    array(object, "/metadata/ownerReferences")
        .map(|reference| Owner {
            api_version: text(reference, "/apiVersion").to_owned(),
            kind: text(reference, "/kind").to_owned(),
            name: text(reference, "/name").to_owned(),
            uid: text(reference, "/uid").to_owned(),
            controller: reference["controller"] == true,
        })
        .collect()
}

/// Returns the controller of an object, if it has one.
#[must_use]
pub fn controller(object: &Value) -> Option<Owner> {
    owners(object).into_iter().find(|owner| owner.controller)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn managed(manager: &str, operation: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    #[test]
    fn another_owner_of_one_field_is_seen() {
        let fields = json!({"f:data": {".": {}, "f:a/b": {}}});
        let source = json!({"metadata": {"managedFields": [managed("helm", "Update", &fields)]}});
        let target = json!({"metadata": {"managedFields": [managed("helm", "Update", &json!({"f:data": {".": {}}})), managed("lifeboat", "Update", &json!({"f:data": {"f:a/b": {}}}))]}});
        let found = differing_owners(&source, &target);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].to_string(),
            "/f:data/f:a~1b belonged to helm (Update) and belongs to lifeboat (Update)"
        );
        assert!(!found[0].gained);
        assert!(differing_owners(&source, &source).is_empty());
        assert_eq!(place_of("/f:data/f:a~1b").to_string(), "/data/a~1b");
    }

    #[test]
    fn a_field_that_nobody_owned_may_go_to_the_updater_but_not_to_an_applier() {
        let fields = json!({"f:spec": {"f:x": {}}});
        let more = json!({"f:spec": {"f:x": {}, "f:y": {}}});
        for (operation, gained) in [("Update", true), ("Apply", false)] {
            let source = json!({"metadata": {"managedFields": [managed("helm", operation, &fields)]}});
            let target = json!({"metadata": {"managedFields": [managed("helm", operation, &more)]}});
            let found = differing_owners(&source, &target);
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].gained, gained, "{operation}");
        }
    }

    #[test]
    fn operation_counts_and_status_does_not() {
        let fields = json!({"f:spec": {"f:x": {}}});
        let source = json!({"metadata": {"managedFields": [managed("argo", "Apply", &fields)]}});
        let mut target = json!({"metadata": {"managedFields": [managed("argo", "Update", &fields)]}});
        assert_eq!(differing_owners(&source, &target).len(), 1);
        target["metadata"]["managedFields"] = json!([
            managed("argo", "Apply", &fields),
            {"manager": "kubelet", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {"f:a": {}}}}
        ]);
        assert!(differing_owners(&source, &target).is_empty());
    }
}
