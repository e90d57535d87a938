use serde_json::{Value, json};

use crate::testing::{Fixture, find, left_out, rules};
use crate::{RuleId, Wave};

fn config(name: &str, owners: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata":
        {"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "ownerReferences": owners}})
}

fn reference(kind: &str, name: &str) -> Value {
    let api_version = match kind {
        "Order" => "shop.example.com/v1",
        "ConfigMap" | "Pod" | "Namespace" => "v1",
        _ => "apps/v1",
    };
    json!({"apiVersion": api_version, "kind": kind, "name": name, "uid": format!("uid-{name}"),
        "controller": true, "blockOwnerDeletion": true})
}

pub(super) fn crd() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "orders.shop.example.com", "uid": "uid-crd"},
        "spec": {"group": "shop.example.com", "names": {"plural": "orders", "kind": "Order"}, "scope": "Namespaced",
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}}}]}})
}

pub(super) fn order(name: &str) -> Value {
    json!({"apiVersion": "shop.example.com/v1", "kind": "Order", "metadata":
        {"name": name, "namespace": "shop", "uid": format!("uid-{name}")}, "spec": {"total": 1}, "status": {"ok": true}})
}

#[test]
fn a_child_of_a_custom_resource_follows_its_owner_with_the_new_uid() {
    let fixture = Fixture::new([
        crd(),
        order("o1"),
        config("child", json!([reference("Order", "o1")])),
    ]);
    let plan = fixture.plan();
    let child = find(&plan, "configmaps shop/child");
    let owner = find(&plan, "orders.shop.example.com shop/o1");
    assert_eq!(
        child.wave,
        Wave::CustomResources,
        "it moved into its owner's wave"
    );
    assert!((child.wave, child.depth) > (owner.wave, owner.depth));
    let bodies = fixture.bodies(&plan, "configmaps shop/child");
    assert_eq!(
        bodies.create["metadata"]["ownerReferences"],
        json!([{"apiVersion": "shop.example.com/v1", "kind": "Order", "name": "o1", "uid": "new-uid-o1",
            "controller": true, "blockOwnerDeletion": true}])
    );
    let unknown = crate::body(
        &plan,
        child,
        &serde_json::to_vec(&fixture.objects[2]).expect("JSON"),
        &|_| None,
    );
    assert_eq!(
        unknown.err().map(|e| e.kind()),
        Some(lifeboat_model::ErrorKind::Retry)
    );
}

#[test]
fn references_to_owners_that_are_not_restored_are_dropped_and_listed() {
    let fixture = Fixture::new([config("child", json!([reference("Deployment", "gone")]))]);
    let plan = fixture.plan();
    let child = find(&plan, "configmaps shop/child");
    assert_eq!(rules(child), [RuleId::OwnerNotRestored]);
    assert_eq!(child.changes[0].from.as_deref(), Some("Deployment gone"));
    assert!(
        fixture.bodies(&plan, "configmaps shop/child").create["metadata"]
            .get("ownerReferences")
            .is_none()
    );
}

#[test]
fn what_belongs_to_an_object_that_is_made_anew_stays_behind_transitively() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop",
        "uid": "uid-p", "ownerReferences": [reference("ReplicaSet", "r")]}});
    let plan = Fixture::new([
        pod,
        config("of-pod", json!([reference("Pod", "p")])),
        config("of-that", json!([reference("ConfigMap", "of-pod")])),
    ])
    .plan();
    assert_eq!(
        left_out(&plan, "configmaps shop/of-pod").rule,
        RuleId::DependantOfChild
    );
    assert_eq!(
        left_out(&plan, "configmaps shop/of-that").rule,
        RuleId::DependantOfChild
    );
}

#[test]
fn an_owner_in_another_namespace_or_of_another_kind_is_dropped() {
    let mut elsewhere = config("owner", json!([]));
    elsewhere["metadata"]["namespace"] = json!("other");
    let plan = Fixture::new([
        elsewhere,
        config("child", json!([reference("ConfigMap", "owner")])),
    ])
    .plan();
    assert_eq!(
        rules(find(&plan, "configmaps shop/child")),
        [RuleId::OwnerElsewhere]
    );

    let mut wrong = reference("ConfigMap", "owner");
    wrong["kind"] = json!("Secret");
    let plan = Fixture::new([config("owner", json!([])), config("child", json!([wrong]))]).plan();
    assert_eq!(
        rules(find(&plan, "configmaps shop/child")),
        [RuleId::OwnerElsewhere]
    );
}

#[test]
fn a_circle_of_owners_is_opened_and_reported() {
    let plan = Fixture::new([
        config("a", json!([reference("ConfigMap", "b")])),
        config("b", json!([reference("ConfigMap", "c")])),
        config("c", json!([reference("ConfigMap", "a")])),
        config("self", json!([reference("ConfigMap", "self")])),
    ])
    .plan();
    let kept: usize = plan.objects.iter().map(|object| object.owners.len()).sum();
    assert_eq!(kept, 2);
    assert!(plan.lint().iter().any(|finding| finding.check == "owner-cycle"));
    assert_eq!(
        rules(find(&plan, "configmaps shop/self")),
        [RuleId::OwnerElsewhere]
    );
}

#[test]
fn a_definition_that_follows_its_owner_still_comes_before_its_objects() {
    // As in Gatekeeper, where a template owns the CustomResourceDefinition of its constraints.
    let mut definition = crd();
    definition["metadata"]["ownerReferences"] = json!([reference("Deployment", "template")]);
    let template = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata":
        {"name": "template", "uid": "uid-template", "namespace": "shop"}});
    // A cluster-scoped object cannot have an owner in a namespace, so the reference is dropped.
    let plan = Fixture::new([definition.clone(), template.clone(), order("o1")]).plan();
    assert_eq!(
        rules(find(
            &plan,
            "customresourcedefinitions.apiextensions.k8s.io orders.shop.example.com"
        )),
        [RuleId::OwnerElsewhere]
    );
    // A reference to a cluster-scoped owner is kept.
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "template", "uid": "uid-template"}});
    definition["metadata"]["ownerReferences"][0]["apiVersion"] = json!("rbac.authorization.k8s.io/v1");
    definition["metadata"]["ownerReferences"][0]["kind"] = json!("ClusterRole");
    let plan = Fixture::new([definition, role, order("o1")]).plan();
    let definition = find(
        &plan,
        "customresourcedefinitions.apiextensions.k8s.io orders.shop.example.com",
    );
    let order = find(&plan, "orders.shop.example.com shop/o1");
    assert_eq!(definition.wave, Wave::Access);
    assert!((definition.wave, definition.depth) < (order.wave, order.depth));
}

#[test]
fn a_stateful_sets_claim_is_left_to_its_controller_to_adopt() {
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data-db-0", "namespace": "shop",
        "uid": "uid-claim", "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "uid-db"}]}});
    let db = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "shop", "uid": "uid-db"}});
    let plan = Fixture::new([claim, db]).plan();
    let claim = find(&plan, "persistentvolumeclaims shop/data-db-0");
    assert_eq!(
        (rules(claim), claim.wave),
        (vec![RuleId::OwnerOfClaim], Wave::Volumes)
    );
}
