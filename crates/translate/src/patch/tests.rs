#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use serde_json::json;

use super::*;

fn rule(value: Value) -> PatchRule {
    serde_json::from_value(value).unwrap()
}

fn holds(when: Value, object: &Value) -> bool {
    let condition: Condition = serde_json::from_value(when).unwrap();
    let labels = BTreeMap::from([("app".to_owned(), "cart".to_owned())]);
    condition.holds(&Subject {
        group: "apps",
        resource: "deployments",
        singular: "deployment",
        kind: "Deployment",
        short_names: &["deploy".to_owned()],
        namespace: Some("shop"),
        name: "cart-api",
        labels: &labels,
        object,
    })
}

#[test]
fn every_condition_must_hold() {
    let object = json!({"spec": {"replicas": 3}});
    for (when, expected) in [
        (json!({}), true),
        (
            json!({"types": ["deploy"], "namespaces": ["shop"], "names": ["cart-*"], "labels": "app=cart"}),
            true,
        ),
        (json!({"types": ["*"], "equals": {"/spec/replicas": 3}}), true),
        (json!({"equals": {"/spec/replicas": 4}}), false),
        (json!({"equals": {"/spec/paused": null}}), false),
        (json!({"types": ["services"]}), false),
        (json!({"namespaces": ["other"]}), false),
        (json!({"names": ["cart"]}), false),
        (json!({"labels": "app!=cart"}), false),
    ] {
        assert_eq!(holds(when.clone(), &object), expected, "{when}");
    }
}

#[test]
fn both_kinds_of_patches_apply_and_numbers_keep_their_text() {
    let mut object: Value =
        serde_json::from_str(r#"{"spec":{"big":12345678901234567890123,"replicas":3,"old":1}}"#).unwrap();
    rule(json!({
        "jsonPatch": [
            {"op": "test", "path": "/spec/replicas", "value": 3},
            {"op": "replace", "path": "/spec/replicas", "value": 1},
            {"op": "add", "path": "/spec/null", "value": null},
            {"op": "copy", "from": "/spec/big", "path": "/spec/again"}],
        "merge": {"spec": {"old": null, "new": 1.50}},
    }))
    .apply(&mut object)
    .unwrap();
    assert_eq!(
        serde_json::to_string(&object).unwrap(),
        r#"{"spec":{"again":12345678901234567890123,"big":12345678901234567890123,"new":1.5,"null":null,"replicas":1}}"#
    );
}

#[test]
fn a_patch_that_does_not_fit_names_its_pointer_and_changes_nothing() {
    let mut object = json!({"spec": {"replicas": 3}});
    let before = object.clone();
    let failure = rule(json!({"jsonPatch": [
        {"op": "replace", "path": "/spec/replicas", "value": 1},
        {"op": "remove", "path": "/spec/paused"}]}))
    .apply(&mut object)
    .unwrap_err();
    assert_eq!(failure.pointer, "/spec/paused");
    assert_eq!(object, before);
}

#[test]
fn a_patch_that_can_never_apply_is_told_so() {
    for (given, pointer) in [
        (json!({}), ""),
        (json!({"merge": [1]}), ""),
        (json!({"jsonPatch": [{"op": "add", "path": "/a"}]}), "/a"),
        (json!({"jsonPatch": [{"op": "move", "path": "/a"}]}), "/a"),
        (json!({"jsonPatch": [{"op": "remove", "path": "a"}]}), "a"),
        (json!({"merge": {}, "when": {"equals": {"a": 1}}}), "a"),
    ] {
        let faults = rule(given.clone()).faults();
        assert_eq!(faults.len(), 1, "{given}");
        assert_eq!(faults[0].pointer, pointer, "{given}");
    }
}

#[test]
fn values_of_patches_are_not_printed() {
    let patch = rule(json!({"name": "p", "merge": {"data": {"password": "canary"}}}));
    assert!(!format!("{patch:?}").contains("canary"));
}
