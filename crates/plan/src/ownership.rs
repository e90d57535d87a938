//! Decides how field ownership is restored: from the captured `managedFields` to the way the object is created.
//!
//! An API server ignores `managedFields` in a create request and makes the creator own all fields. If one manager
//! owned the object, the create request therefore uses its name as field manager; if several did, a second request
//! writes the captured entries
//! (<https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>).

use lifeboat_translate::pointer;
use serde_json::{Map, Value};

use crate::planned::{Operation, Ownership};

/// Returns the entries that the target gets; entries of the status are included only if the status is restored.
pub(crate) fn entries(managed_fields: Vec<Value>, with_status: bool) -> Vec<Value> {
    managed_fields
        .into_iter()
        .filter(|entry| with_status || !is_of_status(entry))
        .collect()
}

pub(crate) fn is_of_status(entry: &Value) -> bool {
    pointer::text(entry, "/subresource") == Some("status")
}

/// Decides how ownership is restored, given the entries that the target gets and the object without its status.
pub(crate) fn decide(entries: &[Value], body: &Value) -> Ownership {
    let manager = |entry: &Value| pointer::text(entry, "/manager").map(str::to_owned);
    let plain = |entry: &&Value| entry.get("subresource").is_none();
    let Some(first) = entries.iter().find(plain).or(entries.first()).and_then(manager) else {
        return Ownership::None;
    };
    if let [only] = entries
        && plain(&only)
    {
        match pointer::text(only, "/operation") {
            Some("Update") => {
                return Ownership::Single {
                    manager: first,
                    operation: Operation::Update,
                };
            }
            // Applying more than the manager owned would make it own defaults. Its next apply, which omits them,
            // would then remove them.
            Some("Apply")
                if only
                    .get("fieldsV1")
                    .is_some_and(|owned| covers(owned, body, true)) =>
            {
                return Ownership::Single {
                    manager: first,
                    operation: Operation::Apply,
                };
            }
            _ => {}
        }
    }
    Ownership::Several { first }
}

/// Fields that no manager owns (`managedfields/internal/stripmeta.go` of apimachinery).
const UNOWNED_ROOT: [&str; 2] = ["apiVersion", "kind"];
const UNOWNED_METADATA: [&str; 3] = ["name", "namespace", "generateName"];

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
    owned.iter().any(|(key, inner)| {
        if let Some(text) = key.strip_prefix("k:") {
            let Ok(Value::Object(keys)) = serde_json::from_str(text) else {
                return false;
            };
            let is_this = keys.iter().all(|(name, value)| element.get(name) == Some(value));
            return is_this && covers(inner, element, false);
        }
        key.strip_prefix("v:")
            .and_then(|text| serde_json::from_str::<Value>(text).ok())
            .is_some_and(|value| value == *element)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(manager: &str, operation: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    fn service() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "cart", "namespace": "shop", "labels": {"app": "cart"}},
            "spec": {"ports": [{"port": 80, "protocol": "TCP"}], "selector": {"app": "cart"}},
        })
    }

    fn all_of_service() -> Value {
        json!({"f:metadata": {"f:labels": {"f:app": {}}},
               "f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}, "f:protocol": {}}},
                          "f:selector": {}}})
    }

    #[test]
    fn one_updater_creates_the_object_in_its_own_name() {
        let entries = entries(
            vec![
                entry("helm", "Update", json!({"f:spec": {}})),
                json!({"manager": "kcm", "operation": "Update", "subresource": "status", "fieldsV1": {}}),
            ],
            false,
        );
        assert_eq!(
            decide(&entries, &service()),
            Ownership::Single {
                manager: "helm".into(),
                operation: Operation::Update
            }
        );
    }

    #[test]
    fn one_applier_applies_again_only_what_it_owned() {
        let whole = [entry("flux", "Apply", all_of_service())];
        assert_eq!(
            decide(&whole, &service()),
            Ownership::Single {
                manager: "flux".into(),
                operation: Operation::Apply
            }
        );
        let mut with_default = service();
        with_default["spec"]["sessionAffinity"] = json!("None");
        assert_eq!(
            decide(&whole, &with_default),
            Ownership::Several { first: "flux".into() }
        );
        let mut second_port = service();
        second_port["spec"]["ports"] = json!([{"port": 80, "protocol": "TCP"}, {"port": 81}]);
        assert_eq!(
            decide(&whole, &second_port),
            Ownership::Several { first: "flux".into() }
        );
    }

    #[test]
    fn several_owners_keep_their_entries_and_the_scale_subresource_counts() {
        let two = [
            entry("helm", "Update", json!({})),
            entry("kubectl-edit", "Update", json!({})),
        ];
        assert_eq!(
            decide(&two, &service()),
            Ownership::Several { first: "helm".into() }
        );
        let scale = json!({"manager": "hpa", "operation": "Update", "subresource": "scale", "fieldsV1": {}});
        assert_eq!(
            decide(std::slice::from_ref(&scale), &service()),
            Ownership::Several { first: "hpa".into() }
        );
        assert_eq!(
            decide(&[scale, entry("helm", "Update", json!({}))], &service()),
            Ownership::Several { first: "helm".into() }
        );
        assert_eq!(decide(&[], &service()), Ownership::None);
    }

    #[test]
    fn entries_of_the_status_come_back_only_with_the_status() {
        let status = json!({"manager": "op", "operation": "Update", "subresource": "status"});
        assert_eq!(entries(vec![status.clone()], false), Vec::<Value>::new());
        assert_eq!(entries(vec![status.clone()], true), vec![status]);
    }
}
