//! Compares who owns which fields: `metadata.managedFields`, without the times of the entries.

use lifeboat_plan::{Difference, FieldDifference};
use lifeboat_translate::diff;
use serde_json::{Map, Value};

/// Returns the fields that other managers own on the right side.
pub(super) fn differences(left: &Value, right: &Value) -> Vec<FieldDifference> {
    let (left, right) = (owners(left), owners(right));
    let mut found = Vec::new();
    diff::diff(&left, &right, &mut |path, sides| {
        let shown = |value: Option<&Value>| value.map(ToString::to_string);
        let difference = match (sides.left, sides.right) {
            (Some(_), Some(_)) => Difference::Changed,
            (Some(_), None) => Difference::Missing,
            (None, _) => Difference::Added,
        };
        found.push(FieldDifference {
            path: format!("/metadata/managedFields{path}"),
            difference,
            planned: shown(sides.left),
            live: shown(sides.right),
        });
    });
    found
}

/// Returns the field sets of an object by manager, operation, version and subresource.
fn owners(object: &Value) -> Value {
    let entries = object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    let mut owners = Map::new();
    for entry in entries.into_iter().flatten() {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        let mut owner = format!("{} {} {}", text("manager"), text("operation"), text("apiVersion"));
        if !text("subresource").is_empty() {
            owner = format!("{owner} {}", text("subresource"));
        }
        owners.insert(owner, entry.get("fieldsV1").cloned().unwrap_or_default());
    }
    Value::Object(owners)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_owner_that_is_gone_and_a_field_of_another_are_found() {
        let object = |entries: Value| json!({"metadata": {"managedFields": entries}});
        let entry = |manager: &str, fields: Value| json!({"manager": manager, "operation": "Apply", "apiVersion": "v1", "time": manager, "fieldsV1": fields});
        let left = object(json!([
            entry("argo", json!({"f:data": {"f:a": {}, "f:b": {}}})),
            entry("helm", json!({"f:data": {}}))
        ]));
        let right = object(json!([entry("argo", json!({"f:data": {"f:a": {}}}))]));
        let found: Vec<_> = differences(&left, &right)
            .into_iter()
            .map(|found| (found.path, found.difference))
            .collect();
        assert_eq!(
            found,
            [
                (
                    "/metadata/managedFields/argo Apply v1/f:data/f:b".to_owned(),
                    Difference::Missing
                ),
                (
                    "/metadata/managedFields/helm Apply v1".to_owned(),
                    Difference::Missing
                ),
            ]
        );
        assert!(differences(&left, &left).is_empty());
    }
}
