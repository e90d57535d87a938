//! Field ownership of live objects, read from `metadata.managedFields`.
//!
//! The format (FieldsV1) is that of structured-merge-diff: `f:NAME` for a member of an object, `k:{…}` for
//! the element of an associative list with these keys, `v:VALUE` for an element of a set, `.` for the value
//! itself; an empty object owns everything below it
//! (<https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>).

use serde_json::{Map, Value};

mod planned;

pub(super) use planned::differences;

/// A manager of a field, as `managedFields` names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldOwner {
    /// The name of the field manager.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// The subresource that was written, such as `status`; empty for the main resource.
    pub subresource: String,
}

/// Returns the owners of the field of `live` at `pointer` (RFC 6901), in the order of the entries. The field
/// may be absent from `live`; its former position still identifies the owners of the enclosing objects.
#[must_use]
pub fn field_owners(live: &Value, pointer: &str) -> Vec<FieldOwner> {
    let entries = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    let path: Vec<String> = pointer
        .split('/')
        .skip(1)
        .map(|token| token.replace("~1", "/").replace("~0", "~"))
        .collect();
    let text = |entry: &Value, key: &str| {
        entry
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    entries
        .into_iter()
        .flatten()
        .filter(|entry| {
            entry
                .get("fieldsV1")
                .and_then(Value::as_object)
                .is_some_and(|fields| covers(fields, live, &path))
        })
        .map(|entry| FieldOwner {
            manager: text(entry, "manager"),
            operation: text(entry, "operation"),
            subresource: text(entry, "subresource"),
        })
        .collect()
}

fn covers(fields: &Map<String, Value>, live: &Value, path: &[String]) -> bool {
    let Some((token, rest)) = path.split_first() else {
        return true;
    };
    let below = |child: &Value, live: &Value| {
        child
            .as_object()
            .is_some_and(|child| child.is_empty() || covers(child, live, rest))
    };
    match live {
        Value::Array(elements) => {
            let Some(element) = token.parse::<usize>().ok().and_then(|i| elements.get(i)) else {
                return false;
            };
            fields
                .iter()
                .any(|(key, child)| names_element(key, element) && below(child, element))
        }
        _ => fields
            .get(&format!("f:{token}"))
            .is_some_and(|child| below(child, live.get(token.as_str()).unwrap_or(&Value::Null))),
    }
}

fn names_element(key: &str, element: &Value) -> bool {
    if let Some(key) = key.strip_prefix("k:") {
        return serde_json::from_str::<Map<String, Value>>(key).is_ok_and(|members| {
            // A key that the element omits has the schema's default, which is not known here; the usual case
            // is `protocol` of a port.
            members
                .iter()
                .all(|(name, value)| element.get(name).is_none_or(|own| own == value))
        });
    }
    key.strip_prefix("v:")
        .and_then(|value| serde_json::from_str::<Value>(value).ok())
        .is_some_and(|value| value == *element)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn managers(live: &Value, pointer: &str) -> Vec<String> {
        field_owners(live, pointer)
            .into_iter()
            .map(|owner| owner.manager)
            .collect()
    }

    #[test]
    fn owners_are_found_through_objects_lists_and_sets() {
        let live = json!({
            "metadata": {
                "finalizers": ["a/b"],
                "managedFields": [
                    {"manager": "helm", "operation": "Update", "fieldsV1": {
                        "f:spec": {"f:template": {"f:containers": {
                            "k:{\"name\":\"web\"}": {".": {}, "f:image": {}}}}}}},
                    {"manager": "scaler", "operation": "Update", "fieldsV1": {
                        "f:spec": {"f:replicas": {}}, "f:metadata": {"f:finalizers": {"v:\"a/b\"": {}}}}},
                    {"manager": "atomic", "operation": "Apply", "fieldsV1": {"f:spec": {"f:selector": {}}}},
                ]
            },
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": {"app.io/x": "web"}},
                "template": {"containers": [{"name": "side"}, {"name": "web", "image": "a"}]}
            }
        });
        assert_eq!(managers(&live, "/spec/replicas"), ["scaler"]);
        assert_eq!(managers(&live, "/spec/template/containers/1/image"), ["helm"]);
        assert!(managers(&live, "/spec/template/containers/0/image").is_empty());
        assert_eq!(
            managers(&live, "/spec/selector/matchLabels/app.io~1x"),
            ["atomic"]
        );
        assert_eq!(managers(&live, "/metadata/finalizers/0"), ["scaler"]);
    }
}
