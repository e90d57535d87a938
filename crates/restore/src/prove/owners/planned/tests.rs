use std::collections::BTreeSet;

use lifeboat_model::ResourceType;
use lifeboat_plan::{
    Locator, Plan, PlanBuilder, Redactor, RestoreOptions, ServedType, SourceType, TargetFacts, VersionServed,
    body,
};
use serde_json::{Value, json};

use super::*;

fn entry(manager: &str, operation: &str, fields: Value) -> Value {
    json!({"manager": manager, "operation": operation, "apiVersion": "v1", "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1", "fieldsV1": fields})
}

fn config_map(entries: &[Value]) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "default", "uid": "u", "labels": {"app": "shop"}, "managedFields": entries},
        "data": {"a": "1", "b": "2"}})
}

/// Returns the differences of a captured object from a live one.
fn found(captured: &Value, live: &Value) -> BTreeSet<String> {
    let resource = ResourceType {
        group: String::new(),
        version: "v1".into(),
        resource: "configmaps".into(),
        kind: "ConfigMap".into(),
        namespaced: true,
    };
    let source = SourceType {
        resource: resource.clone(),
        singular: String::new(),
        short_names: Vec::new(),
        verbs: Vec::new(),
        served_versions: vec!["v1".into()],
        custom: false,
    };
    let mut draft = PlanBuilder::new(
        RestoreOptions::default(),
        std::slice::from_ref(&source),
        "point",
        "cluster",
        Redactor::new(&[7; 32]),
    );
    let raw = captured.to_string().into_bytes();
    let locator = Locator {
        frame: 0,
        position: 0,
    };
    draft.add(&source, locator, &raw).expect("it is an object");
    let facts = TargetFacts {
        types: vec![ServedType {
            group: resource.group,
            resource: resource.resource,
            versions: vec![VersionServed {
                version: resource.version,
                kind: resource.kind,
                namespaced: true,
                verbs: Vec::new(),
            }],
        }],
        ..TargetFacts::default()
    };
    let plan: Plan = draft.plan(&facts).expect("there is a plan");
    let bodies = body(&plan, &plan.objects[0], &raw, &|_| None).expect("it has bodies");
    differences(&plan.objects[0], &bodies, live)
        .into_iter()
        .map(|found| format!("{:?} {} {}", found.difference, found.path, found.manager))
        .collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn two_owners() -> [Value; 2] {
    [
        entry("flux", "Apply", json!({"f:data": {"f:a": {}, "f:gone": {}}})),
        entry(
            "edit",
            "Update",
            json!({"f:data": {"f:b": {}}, "f:immutable": {}}),
        ),
    ]
}

#[test]
fn owners_as_planned_are_no_difference() {
    let captured = config_map(&two_owners());
    assert_eq!(found(&captured, &captured), names(&[]));
    let mut later = captured.clone();
    later["metadata"]["managedFields"][1]["time"] = json!("2026-02-02T00:00:00Z");
    later["metadata"]["managedFields"][1]["apiVersion"] = json!("v2");
    assert_eq!(
        found(&captured, &later),
        names(&[]),
        "neither time nor version count"
    );
    let stripped = [
        entry("flux", "Apply", json!({"f:data": {"f:a": {}}})),
        entry("edit", "Update", json!({"f:data": {"f:b": {}}})),
    ];
    assert_eq!(
        found(&captured, &config_map(&stripped)),
        names(&[]),
        "a field that the object does not hold cannot be owned"
    );
}

#[test]
fn a_manager_that_is_absent_and_one_that_lost_a_field_are_differences() {
    let captured = config_map(&two_owners());
    let absent = config_map(&two_owners()[1..]);
    assert_eq!(found(&captured, &absent), names(&["Missing /data flux (Apply)"]));
    let less = [
        entry("flux", "Apply", json!({"f:data": {"f:gone": {}}})),
        two_owners()[1].clone(),
    ];
    assert_eq!(
        found(&captured, &config_map(&less)),
        names(&["Missing /data/a flux (Apply)"])
    );
    assert_eq!(
        found(&captured, &config_map(&[])),
        names(&["Missing /data flux (Apply)", "Missing /data edit (Update)"])
    );
    let other_operation = [
        entry("flux", "Update", json!({"f:data": {"f:a": {}}})),
        two_owners()[1].clone(),
    ];
    assert_eq!(
        found(&captured, &config_map(&other_operation)),
        names(&["Missing /data flux (Apply)", "Added /data flux (Update)"])
    );
}

#[test]
fn fields_that_the_creator_or_the_restore_owns_unplanned_are_differences() {
    let captured = config_map(&two_owners());
    let mut entries = two_owners().to_vec();
    entries.push(entry(
        "lifeboat",
        "Update",
        json!({"f:metadata": {"f:labels": {".": {}, "f:app": {}}}}),
    ));
    assert_eq!(
        found(&captured, &config_map(&entries)),
        names(&["Added /metadata lifeboat (Update)"])
    );
    let nobody = config_map(&[]);
    let created = [entry(
        "lifeboat",
        "Update",
        json!({"f:data": {".": {}, "f:a": {}, "f:b": {}}}),
    )];
    assert_eq!(
        found(&nobody, &config_map(&created)),
        names(&["Added /data lifeboat (Update)"])
    );
    assert_eq!(found(&nobody, &nobody), names(&[]));
}

#[test]
fn what_controllers_of_the_target_write_is_no_difference() {
    let captured = config_map(&two_owners());
    let mut entries = two_owners().to_vec();
    entries.push(entry(
        "controller",
        "Update",
        json!({"f:metadata": {"f:labels": {"f:app": {}}}}),
    ));
    entries[0] = entry("flux", "Apply", json!({"f:data": {"f:a": {}, "f:new": {}}}));
    let mut live = config_map(&entries);
    live["data"]["new"] = json!("3");
    assert_eq!(found(&captured, &live), names(&[]), "it adds entries and fields");
    let taken = [
        two_owners()[0].clone(),
        entry("controller", "Update", json!({"f:data": {"f:b": {}}})),
    ];
    assert_eq!(
        found(&captured, &config_map(&taken)),
        names(&[]),
        "it takes a field over"
    );
    let mut changed = config_map(&two_owners()[..1]);
    changed["data"]["b"] = json!("other");
    assert_eq!(
        found(&captured, &changed),
        names(&[]),
        "the comparison of the fields reports a value that is not planned"
    );
}
