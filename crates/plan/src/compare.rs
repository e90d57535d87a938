//! Compares live objects with planned ones.

use lifeboat_translate::{diff, pointer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Redactor;
use crate::render::ValueRenderer;

/// A field in which the live object differs from the planned one. Values of Secrets are digests, and long values are
/// truncated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FieldDifference {
    /// A JSON pointer (RFC 6901).
    pub path: String,
    /// How it differs.
    pub difference: Difference,
    /// The planned value; absent for an added field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned: Option<String>,
    /// The live value; absent for a missing field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<String>,
}

/// How a field differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Difference {
    /// The value differs from the plan.
    Changed,
    /// The field is planned and does not exist.
    Missing,
    /// The field exists and is not planned: a default, an injected field, a field of a controller.
    Added,
}

/// Metadata that only the API server writes.
const SERVER_OWNED: [&str; 8] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// Compares a live object with the planned one ([`crate::Bodies::create`], with [`crate::Bodies::status`] as its
/// status if the status is restored). Numbers are compared by value, strings exactly, lists in order. Fields that
/// only the API server writes are ignored, and so is the status if none is planned. In a custom resource, a null that is
/// gone is a difference. Values of Secrets are replaced by
/// digests of `redactor`.
#[must_use]
pub fn compare(expected: &Value, live: &Value, redactor: &Redactor) -> Vec<FieldDifference> {
    compare_with(expected, live, ValueRenderer::of_object(expected, redactor))
}

/// As [`compare`], without truncating values.
#[must_use]
pub fn compare_whole(expected: &Value, live: &Value, redactor: &Redactor) -> Vec<FieldDifference> {
    compare_with(
        expected,
        live,
        ValueRenderer::of_object(expected, redactor).whole(),
    )
}

fn compare_with(expected: &Value, live: &Value, shower: ValueRenderer<'_>) -> Vec<FieldDifference> {
    let mut differences = Vec::new();
    diff::diff(expected, live, &mut |path, sides| {
        if is_ignored(&path, expected) {
            return;
        }
        let show = |value: Option<&Value>| value.map(|value| shower.render(&path, value));
        let (planned, live) = (show(sides.left), show(sides.right));
        // API servers differ in whether they write empty fields.
        let lone = sides.left.xor(sides.right);
        if lone.is_some_and(is_empty) {
            return;
        }
        let difference = match (sides.left, sides.right) {
            (Some(_), Some(_)) => Difference::Changed,
            (Some(_), None) => Difference::Missing,
            (None, _) => Difference::Added,
        };
        differences.push(FieldDifference {
            path: path.clone(),
            difference,
            planned,
            live,
        });
    });
    if is_custom(expected) {
        lost_nulls("", expected, live, &mut |path| {
            if !is_ignored(&path, expected) {
                differences.push(FieldDifference {
                    path,
                    difference: Difference::Missing,
                    planned: Some("null".to_owned()),
                    live: None,
                });
            }
        });
        differences.sort();
    }
    differences
}

/// The API groups of Kubernetes itself that do not end with `.k8s.io`.
const BUILT_IN: [&str; 6] = ["", "apps", "autoscaling", "batch", "extensions", "policy"];

/// The groups under `k8s.io` whose types are defined by CustomResourceDefinitions.
const CUSTOM_K8S: [&str; 2] = ["gateway.networking.k8s.io", "snapshot.storage.k8s.io"];

/// Returns whether the API server keeps the object as it is sent. It writes objects of its own types anew, and whether
/// they have a null or no field depends on its version.
fn is_custom(object: &Value) -> bool {
    let version = object
        .get("apiVersion")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let group = version.rsplit_once('/').map_or("", |(group, _)| group);
    CUSTOM_K8S.contains(&group) || !(BUILT_IN.contains(&group) || group.ends_with(".k8s.io"))
}

/// Calls `found` for each field that is null in `expected` and absent in `live`. For an operator, null may mean that a
/// value is known to be none.
fn lost_nulls(at: &str, expected: &Value, live: &Value, found: &mut dyn FnMut(String)) {
    match (expected, live) {
        (Value::Object(expected), Value::Object(live)) => {
            for (key, value) in expected {
                let path = pointer::join(at, key);
                match live.get(key) {
                    Some(live) => lost_nulls(&path, value, live, found),
                    None if value.is_null() => found(path),
                    None => {}
                }
            }
        }
        (Value::Array(expected), Value::Array(live)) if expected.len() == live.len() => {
            for (index, (value, live)) in expected.iter().zip(live).enumerate() {
                lost_nulls(&pointer::join(at, &index.to_string()), value, live, found);
            }
        }
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

fn is_ignored(path: &str, expected: &Value) -> bool {
    if let Some(field) = path.strip_prefix("/metadata/") {
        let field = field.split_once('/').map_or(field, |(field, _)| field);
        return SERVER_OWNED.contains(&field);
    }
    let is_status = path == "/status" || path.starts_with("/status/");
    is_status && expected.get("status").is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compare(expected: &Value, live: &Value) -> Vec<FieldDifference> {
        super::compare(expected, live, &Redactor::new(&[7; 32]))
    }

    #[test]
    fn server_owned_metadata_and_an_unplanned_status_are_ignored() {
        let planned = json!({"kind": "Thing", "metadata": {"name": "x"}, "spec": {"n": 1}});
        let live = json!({"kind": "Thing", "metadata": {"name": "x", "uid": "u", "resourceVersion": "7",
            "generation": 1, "creationTimestamp": "t", "managedFields": [{"manager": "m"}]},
            "spec": {"n": serde_json::from_str::<Value>("1.0").unwrap_or_default()}, "status": {"ready": true}});
        assert_eq!(compare(&planned, &live), []);
        let mut with_status = planned;
        with_status["status"] = json!({"ready": false});
        assert_eq!(compare(&with_status, &live)[0].path, "/status/ready");
    }

    #[test]
    fn every_way_to_differ_has_its_name() {
        let planned = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"list": [1, 2], "gone": "x"}});
        let live = json!({"metadata": {"labels": {"a": "2", "b/c": "3"}}, "spec": {"list": [2, 1]}});
        let found: Vec<(String, Difference)> = compare(&planned, &live)
            .into_iter()
            .map(|d| (d.path, d.difference))
            .collect();
        assert_eq!(
            found,
            [
                ("/metadata/labels/a".to_owned(), Difference::Changed),
                ("/metadata/labels/b~1c".to_owned(), Difference::Added),
                ("/spec/gone".to_owned(), Difference::Missing),
                ("/spec/list/0".to_owned(), Difference::Changed),
                ("/spec/list/1".to_owned(), Difference::Changed),
            ]
        );
    }

    #[test]
    fn a_null_that_is_gone_is_a_difference_in_a_custom_resource() {
        let status = |last: Value| {
            let mut status = json!({"progress": {"done": 3}, "conditions": [{"type": "Booked"}]});
            if last.is_null() {
                status["progress"]["finishedAt"] = Value::Null;
                status["conditions"][0]["lastProbeTime"] = Value::Null;
            }
            status
        };
        let object = |version: &str, status: Value| json!({"apiVersion": version, "kind": "Transfer", "metadata": {"name": "t"}, "status": status});
        let (with, without) = (status(Value::Null), status(json!(1)));
        let found: Vec<(String, Difference, Option<String>)> = compare(
            &object("bank.example.com/v1", with.clone()),
            &object("bank.example.com/v1", without.clone()),
        )
        .into_iter()
        .map(|d| (d.path, d.difference, d.planned))
        .collect();
        let lost = |path: &str| (path.to_owned(), Difference::Missing, Some("null".to_owned()));
        assert_eq!(
            found,
            [
                lost("/status/conditions/0/lastProbeTime"),
                lost("/status/progress/finishedAt")
            ]
        );
        let same = object("bank.example.com/v1", with.clone());
        assert_eq!(compare(&same, &same), []);
        assert_eq!(compare(&object("apps/v1", with), &object("apps/v1", without)), []);
    }

    #[test]
    fn values_of_secrets_are_never_shown() {
        let secret = |value: &str| {
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s",
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": value}},
                "data": {"password": value, value: value}, "stringData": {"x": value}})
        };
        let shown = format!("{:?}", compare(&secret("canary-a"), &secret("canary-b")));
        assert!(shown.contains("hmac-sha256:"), "{shown}");
        let values = shown.replace("/data/canary", "");
        assert!(!values.contains("canary"), "{shown}");
    }
}
