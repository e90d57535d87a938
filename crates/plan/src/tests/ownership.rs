use std::sync::Arc;

use lifeboat_model::ObjectRef;
use serde_json::{Value, json};

use super::owners::{crd, order};
use crate::testing::{Fixture, find};
use crate::{EntryVersion, Existing, Operation, Ownership, RuleId, Step};

fn entry(manager: &str, operation: &str, version: &str, fields: Value) -> Value {
    json!({"manager": manager, "operation": operation, "apiVersion": version, "fieldsType": "FieldsV1", "fieldsV1": fields})
}

fn total() -> Value {
    json!({"f:spec": {"f:total": {}}})
}

/// Returns a definition of orders with these versions, each with the fields of its spec; the first one is stored.
fn definition(versions: &[(&str, &[&str])], strategy: &str) -> Value {
    let mut definition = crd();
    let versions: Vec<Value> = versions
        .iter()
        .enumerate()
        .map(|(at, (name, fields))| {
            let fields: Value = fields
                .iter()
                .map(|field| ((*field).to_owned(), json!({"type": "integer"})))
                .collect::<serde_json::Map<_, _>>()
                .into();
            json!({"name": name, "served": true, "storage": at == 0, "schema": {"openAPIV3Schema":
                {"type": "object", "properties": {"spec": {"type": "object", "properties": fields}}}}})
        })
        .collect();
    definition["spec"]["versions"] = versions.into();
    definition["spec"]["conversion"] = json!({"strategy": strategy});
    definition
}

fn owned(entries: &[Value]) -> Value {
    let mut order = order("o");
    order["spec"]["items"] = json!(2);
    order["metadata"]["managedFields"] = entries.into();
    order
}

const ORDER: &str = "orders.shop.example.com shop/o";

/// Returns manager and version of the entries that are written.
fn written(fixture: &Fixture) -> Vec<(String, String)> {
    let plan = fixture.plan();
    let bodies = fixture.bodies(&plan, ORDER);
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    bodies
        .expected_entries()
        .map(|entry| (text(entry, "manager"), text(entry, "apiVersion")))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(manager, version): &(&str, &str)| ((*manager).to_owned(), (*version).to_owned());
    pairs.iter().map(owned).collect()
}

fn two_entries(other: &str) -> [Value; 2] {
    [
        entry("a", "Apply", other, total()),
        entry(
            "b",
            "Update",
            "shop.example.com/v1",
            json!({"f:spec": {"f:items": {}}}),
        ),
    ]
}

#[test]
fn entries_in_a_version_that_the_definition_does_not_have_are_written_by_name() {
    let versions: &[(&str, &[&str])] = &[("v1", &["total", "items"])];
    let entries = two_entries("shop.example.com/v1alpha1");
    let fixture = Fixture::new([definition(versions, "None"), owned(&entries)]);
    let v1 = "shop.example.com/v1";
    assert_eq!(written(&fixture), pairs(&[("a", v1), ("b", v1)]));
    let plan = fixture.plan();
    let order = find(&plan, ORDER);
    assert_eq!(
        *order.entry_versions(),
        [EntryVersion {
            from: "shop.example.com/v1alpha1".into(),
            to: Some(v1.into())
        }]
    );
    let change = &order.changes[0];
    assert_eq!(change.rule, RuleId::OwnershipVersion);
    assert_eq!(
        change.from.as_deref(),
        Some("a (Apply) in shop.example.com/v1alpha1")
    );
}

#[test]
fn entries_in_a_version_that_only_a_webhook_converts_are_left_out_by_name() {
    let versions: &[(&str, &[&str])] = &[("v1", &["total", "items"])];
    let fixture = Fixture::new([
        definition(versions, "Webhook"),
        owned(&two_entries("shop.example.com/v1alpha1")),
    ]);
    assert_eq!(written(&fixture), pairs(&[("b", "shop.example.com/v1")]));
    let plan = fixture.plan();
    let order = find(&plan, ORDER);
    assert_eq!(order.ownership, Ownership::Several { first: "b".into() });
    assert_eq!(order.changes[0].rule, RuleId::OwnershipLeftOut);
    let note = plan
        .notes
        .iter()
        .find(|note| note.object.as_ref() == Some(&order.target));
    let note = note.map(|note| note.text.as_str()).unwrap_or_default();
    assert!(note.contains("a (Apply) in shop.example.com/v1alpha1"), "{note}");

    let alone = Fixture::new([
        definition(versions, "Webhook"),
        owned(&two_entries("shop.example.com/v1alpha1")[..1]),
    ]);
    assert_eq!(find(&alone.plan(), ORDER).ownership, Ownership::None);
    assert_eq!(*find(&alone.plan(), ORDER).after, [Step::SetManagedFields]);
}

#[test]
fn an_entry_in_a_living_version_keeps_it_if_its_schema_has_every_field() {
    let fields: &[&str] = &["total", "items"];
    let other = "shop.example.com/v2";
    let v1 = "shop.example.com/v1";
    for (versions, strategy, expected) in [
        (vec![("v1", fields), ("v2", fields)], "None", other),
        // The API server would drop all entries: it cannot read `items` in v2.
        (vec![("v1", fields), ("v2", &fields[..1])], "None", v1),
        (vec![("v1", fields), ("v2", &fields[..1])], "Webhook", other),
    ] {
        let fixture = Fixture::new([definition(&versions, strategy), owned(&two_entries(other))]);
        assert_eq!(written(&fixture), pairs(&[("a", expected), ("b", v1)]));
    }
}

#[test]
fn the_definition_of_the_target_decides_if_it_is_kept() {
    let fields: &[&str] = &["total", "items"];
    let entries = two_entries("shop.example.com/v2");
    let mut fixture = Fixture::new([
        definition(&[("v1", fields), ("v2", fields)], "None"),
        owned(&entries),
    ]);
    let kept = definition(&[("v1", fields)], "None");
    fixture.facts.types.push(crate::ServedType {
        group: "shop.example.com".into(),
        resource: "orders".into(),
        versions: vec![crate::VersionServed {
            version: "v1".into(),
            kind: "Order".into(),
            namespaced: true,
            verbs: vec!["create".into()],
        }],
    });
    fixture.facts.existing.insert(
        ObjectRef::new(
            "customresourcedefinitions.apiextensions.k8s.io".into(),
            None,
            "orders.shop.example.com",
        ),
        Existing {
            uid: "live".into(),
            managers: Arc::default(),
            created_by_this_run: false,
            body: Some(Box::new(crate::definition_outline(&kept))),
        },
    );
    let v1 = "shop.example.com/v1";
    assert_eq!(written(&fixture), pairs(&[("a", v1), ("b", v1)]));
}

#[test]
fn entries_of_built_in_types_keep_living_versions_and_lose_others() {
    let quota = |version: &str| {
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "shop", "uid": "u",
            "managedFields": [
                entry("a", "Apply", version, json!({"f:spec": {"f:hard": {"f:pods": {}}}})),
                entry("b", "Update", "v1", json!({"f:spec": {"f:scopes": {}}}))]},
            "spec": {"hard": {"pods": "1"}, "scopes": ["BestEffort"]}})
    };
    for (version, expected) in [("v1beta1", "v1"), ("v2", "v2")] {
        let mut fixture = Fixture::new([quota(version)]);
        let mut types = fixture.facts.types.iter_mut();
        let quotas = types.find(|served| served.resource == "resourcequotas");
        let versions = &mut quotas.expect("it is served").versions;
        let mut second = versions[0].clone();
        second.version = "v2".into();
        versions.push(second);
        let plan = fixture.plan();
        let bodies = fixture.bodies(&plan, "resourcequotas shop/q");
        let versions: Vec<&Value> = bodies
            .expected_entries()
            .map(|entry| &entry["apiVersion"])
            .collect();
        assert_eq!(versions, [expected, "v1"]);
    }
}

#[test]
fn a_single_owner_in_another_version_keeps_its_entry_or_its_name() {
    let all = json!({"f:spec": {"f:total": {}, "f:items": {}}});
    let v2 = "shop.example.com/v2";
    let entries = [entry("a", "Apply", v2, all)];
    let fields: &[&str] = &["total", "items"];
    let living = Fixture::new([
        definition(&[("v1", fields), ("v2", fields)], "None"),
        owned(&entries),
    ]);
    assert_eq!(written(&living), pairs(&[("a", v2)]));
    assert_eq!(*find(&living.plan(), ORDER).after, [Step::SetManagedFields]);
    let removed = Fixture::new([definition(&[("v1", fields)], "None"), owned(&entries)]);
    assert_eq!(
        find(&removed.plan(), ORDER).ownership,
        Ownership::Single {
            manager: "a".into(),
            operation: Operation::Apply
        }
    );
    assert_eq!(written(&removed), pairs(&[("a", "shop.example.com/v1")]));
}

#[test]
fn entries_of_one_manager_that_get_the_same_version_become_one() {
    let entries = [
        entry(
            "a",
            "Update",
            "shop.example.com/v1",
            json!({"f:spec": {".": {}, "f:items": {}}}),
        ),
        entry(
            "a",
            "Update",
            "shop.example.com/v0",
            json!({"f:spec": {"f:total": {}}}),
        ),
        entry("b", "Apply", "shop.example.com/v1", total()),
    ];
    let fixture = Fixture::new([
        definition(&[("v1", &["total", "items"])], "None"),
        owned(&entries),
    ]);
    let plan = fixture.plan();
    let bodies = fixture.bodies(&plan, ORDER);
    let fields: Vec<&Value> = bodies
        .expected_entries()
        .map(|entry| &entry["fieldsV1"])
        .collect();
    assert_eq!(
        fields,
        [
            &json!({"f:spec": {".": {}, "f:items": {}, "f:total": {}}}),
            &total()
        ]
    );
}

#[test]
fn fields_that_the_object_does_not_hold_and_fields_that_nobody_owned_need_the_captured_entries() {
    let object = |name: &str, fields: Value| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop", "uid": name,
            "managedFields": [entry("a", "Update", "v1", fields)]}, "data": {"a": "1"}, "immutable": true})
    };
    let exact = json!({"f:data": {".": {}, "f:a": {}}, "f:immutable": {}});
    let mut more = exact.clone();
    more["f:binaryData"] = json!({});
    let fixture = Fixture::new([
        object("exact", exact),
        object("more", more.clone()),
        object("less", json!({"f:data": {".": {}, "f:a": {}}})),
    ]);
    let plan = fixture.plan();
    let after = |name: &str| find(&plan, name).after.clone();
    assert_eq!(*after("configmaps shop/exact"), []);
    assert_eq!(*after("configmaps shop/more"), [Step::SetManagedFields]);
    assert_eq!(*after("configmaps shop/less"), [Step::SetManagedFields]);
    let bodies = fixture.bodies(&plan, "configmaps shop/more");
    assert_eq!(
        bodies.managed_fields,
        Some(json!([entry("a", "Update", "v1", more)]))
    );
}

#[test]
fn an_owner_of_owner_references_owns_them_under_the_new_uid() {
    let fields = |uid: &str| {
        let mut references = serde_json::Map::new();
        references.insert(format!("k:{{\"uid\":\"{uid}\"}}"), json!({}));
        json!({"f:data": {"f:a": {}}, "f:metadata": {"f:ownerReferences": references}})
    };
    let child = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop", "uid": "u",
        "ownerReferences": [{"apiVersion": "shop.example.com/v1", "kind": "Order", "name": "o", "uid": "uid-o"}],
        "managedFields": [entry("a", "Apply", "v1", fields("uid-o")), entry("b", "Apply", "v1", fields("uid-gone"))]},
        "data": {"a": "1"}});
    let fixture = Fixture::new([crd(), order("o"), child]);
    let plan = fixture.plan();
    let bodies = fixture.bodies(&plan, "configmaps shop/c");
    let entries: Vec<&Value> = bodies
        .expected_entries()
        .map(|entry| &entry["fieldsV1"])
        .collect();
    assert_eq!(entries, [&fields("new-uid-o"), &json!({"f:data": {"f:a": {}}})]);
}

#[test]
fn a_writer_of_the_status_keeps_what_it_owns_besides_the_status() {
    let mut status = entry(
        "kube-controller-manager",
        "Update",
        "apps/v1",
        json!({"f:metadata": {"f:annotations": {"f:revision": {}}}, "f:status": {"f:replicas": {}}}),
    );
    status["subresource"] = json!("status");
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "shop",
        "uid": "u", "annotations": {"revision": "2"},
        "managedFields": [entry("a", "Update", "apps/v1", json!({"f:spec": {"f:replicas": {}}})), status]},
        "spec": {"replicas": 1}, "status": {"replicas": 1}});
    let fixture = Fixture::new([deployment]);
    let plan = fixture.plan();
    let bodies = fixture.bodies(&plan, "deployments.apps shop/d");
    let entries: Vec<&Value> = bodies
        .expected_entries()
        .map(|entry| &entry["fieldsV1"])
        .collect();
    assert_eq!(
        entries,
        [
            &json!({"f:spec": {"f:replicas": {}}}),
            &json!({"f:metadata": {"f:annotations": {"f:revision": {}}}})
        ]
    );
}
