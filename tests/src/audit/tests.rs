//! The audit must find every kind of false statement in a report; each test makes one statement false.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::snapshot::Type;

fn snapshot(objects: &[(&str, &str, &str, Value)]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for (type_name, namespace, name, body) in objects {
        let (resource, group) = type_name.split_once('.').unwrap_or((type_name, ""));
        let kind = body["kind"].as_str().unwrap_or("Thing").to_owned();
        snapshot
            .types
            .entry((*type_name).to_owned())
            .or_insert_with(|| Type {
                group: group.to_owned(),
                version: "v1".to_owned(),
                resource: resource.to_owned(),
                kind,
                creatable: true,
                has_status: true,
            });
        let mut body = body.clone();
        body["metadata"]["name"] = (*name).into();
        if !namespace.is_empty() {
            body["metadata"]["namespace"] = (*namespace).into();
        }
        snapshot
            .objects
            .insert(Key::new(type_name, namespace, name), body);
    }
    snapshot
}

fn config(data: &str) -> Value {
    json!({"kind": "ConfigMap", "metadata": {"uid": format!("uid-{data}")}, "data": {"key": data}})
}

fn faults(source: &Snapshot, target: &Snapshot, claims: &Claims) -> Vec<Fault> {
    with_before(source, &Snapshot::default(), target, claims)
}

fn with_before(source: &Snapshot, before: &Snapshot, target: &Snapshot, claims: &Claims) -> Vec<Fault> {
    let (none, no_types) = (BTreeSet::new(), BTreeSet::new());
    let found = audit(&Evidence {
        source,
        before,
        target,
        claims,
        moving: &none,
        with_status: &no_types,
    });
    found.into_iter().map(|finding| finding.fault).collect()
}

fn restored(keys: &[Key]) -> Claims {
    Claims {
        restored: keys
            .iter()
            .map(|key| (key.clone(), Restored::default()))
            .collect(),
        ..Claims::default()
    }
}

fn left_out(key: &Key, rule: &str) -> Claims {
    let reason = Reason {
        rule: rule.to_owned(),
        text: String::new(),
    };
    Claims {
        not_restored: BTreeMap::from([(key.clone(), reason)]),
        ..Claims::default()
    }
}

#[test]
fn a_true_report_passes() {
    let source = snapshot(&[("configmaps", "shop", "a", config("1"))]);
    let claims = restored(&[Key::new("configmaps", "shop", "a")]);
    assert!(faults(&source, &source, &claims).is_empty());
}

#[test]
fn a_forgotten_object_is_found() {
    let source = snapshot(&[("configmaps", "shop", "a", config("1"))]);
    let target = snapshot(&[]);
    assert_eq!(faults(&source, &target, &Claims::default()), [Fault::Forgotten]);
}

#[test]
fn an_object_that_is_not_there_or_says_something_else_is_found() {
    let key = Key::new("configmaps", "shop", "a");
    let source = snapshot(&[("configmaps", "shop", "a", config("1"))]);
    let claims = restored(std::slice::from_ref(&key));
    let absent = snapshot(&[("configmaps", "shop", "b", config("1"))]);
    assert_eq!(
        faults(&source, &absent, &claims),
        [Fault::Absent, Fault::Unexpected]
    );
    let other = snapshot(&[("configmaps", "shop", "a", config("2"))]);
    assert_eq!(faults(&source, &other, &claims), [Fault::Content]);
    let mut reported = claims;
    reported
        .restored
        .get_mut(&key)
        .expect("it was put in")
        .changes
        .push(Change {
            place: Place::parse("/data/key"),
            planned: true,
        });
    assert!(faults(&source, &other, &reported).is_empty());
    // A change that the report ascribes to the target does not explain a lost value of the source.
    let changes = &mut reported.restored.get_mut(&key).expect("it was put in").changes;
    changes[0].planned = false;
    assert_eq!(faults(&source, &other, &reported), [Fault::Content]);
}

#[test]
fn a_reason_that_is_not_true_is_found() {
    let key = Key::new("configmaps", "shop", "a");
    let source = snapshot(&[("configmaps", "shop", "a", config("1"))]);
    let target = snapshot(&[("configmaps", "other", "z", config("1"))]);
    let found = faults(&source, &target, &left_out(&key, "child-of-controller"));
    assert!(found.contains(&Fault::UntrueReason), "{found:?}");
    let mut leaving = config("1");
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    let source = snapshot(&[("configmaps", "shop", "a", leaving)]);
    let claims = left_out(&key, "terminating");
    assert!(faults(&source, &snapshot(&[]), &claims).is_empty());
    let claims = left_out(&key, "event");
    assert_eq!(faults(&source, &snapshot(&[]), &claims), [Fault::UntrueReason]);
}

#[test]
fn an_object_in_two_lists_and_one_that_never_was_are_found() {
    let key = Key::new("configmaps", "shop", "a");
    let source = snapshot(&[("configmaps", "shop", "a", config("1"))]);
    let mut claims = restored(&[key.clone(), Key::new("configmaps", "shop", "ghost")]);
    claims.not_restored = left_out(&key, "event").not_restored;
    let found = faults(&source, &source, &claims);
    assert_eq!(found, [Fault::Twice, Fault::Invented]);
}

#[test]
fn doubled_children_and_orphans_are_found() {
    let deployment = json!({"kind": "Deployment", "metadata": {"uid": "d"}});
    let pod = |owner: &str| {
        json!({"kind": "Pod", "metadata": {"uid": format!("pod-{owner}"), "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": owner, "controller": true}
        ]}})
    };
    let source = snapshot(&[
        ("deployments.apps", "shop", "web", deployment.clone()),
        ("pods", "shop", "one", pod("d")),
    ]);
    let target = snapshot(&[
        ("deployments.apps", "shop", "web", deployment),
        ("pods", "shop", "one", pod("d")),
        ("pods", "shop", "two", pod("d")),
    ]);
    let web = Key::new("deployments.apps", "shop", "web");
    let mut claims = restored(std::slice::from_ref(&web));
    claims.not_restored = left_out(&Key::new("pods", "shop", "one"), "child-of-controller").not_restored;
    assert_eq!(faults(&source, &target, &claims), [Fault::Doubled]);
    let orphan = snapshot(&[
        (
            "deployments.apps",
            "shop",
            "web",
            json!({"kind": "Deployment", "metadata": {"uid": "d"}}),
        ),
        ("pods", "shop", "one", pod("gone")),
    ]);
    let found = faults(&source, &orphan, &claims);
    assert!(
        found.contains(&Fault::Childless) && found.contains(&Fault::Unexpected),
        "{found:?}"
    );
}

#[test]
fn a_pod_that_lost_a_container_is_found_unless_the_report_names_its_workload() {
    let cluster = |containers: Value| {
        let owner = json!([
            {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "w", "controller": true}
        ]);
        snapshot(&[
            (
                "statefulsets.apps",
                "shop",
                "web",
                json!({"kind": "StatefulSet", "metadata": {"uid": "w"}}),
            ),
            (
                "pods",
                "shop",
                "web-0",
                json!({"kind": "Pod", "metadata": {"uid": "p", "ownerReferences": owner}, "spec": {"containers": containers}}),
            ),
        ])
    };
    let source = cluster(json!([{"name": "web"}, {"name": "proxy"}]));
    let target = cluster(json!([{"name": "web"}]));
    let web = Key::new("statefulsets.apps", "shop", "web");
    let mut claims = restored(std::slice::from_ref(&web));
    claims.not_restored = left_out(&Key::new("pods", "shop", "web-0"), "child-of-controller").not_restored;
    assert_eq!(faults(&source, &source, &claims), []);
    assert_eq!(faults(&source, &target, &claims), [Fault::Pods]);
    assert_eq!(faults(&target, &source, &claims), [Fault::Pods]);
    claims.differing.insert(web);
    assert_eq!(faults(&source, &target, &claims), []);
}

#[test]
fn an_addition_to_a_default_object_that_is_gone_is_found() {
    let binding = |groups: &[&str]| {
        let subjects: Vec<Value> = groups.iter().map(|name| json!({"name": name})).collect();
        snapshot(&[(
            "clusterrolebindings.rbac.authorization.k8s.io",
            "",
            "cluster-admin",
            json!({"kind": "ClusterRoleBinding", "metadata": {"uid": "c"}, "subjects": subjects}),
        )])
    };
    let (fresh, source) = (binding(&["masters"]), binding(&["masters", "on-call"]));
    let key = Key::new(
        "clusterrolebindings.rbac.authorization.k8s.io",
        "",
        "cluster-admin",
    );
    let claims = left_out(&key, "bootstrap-rbac");
    assert_eq!(with_before(&source, &fresh, &source, &claims), []);
    assert_eq!(with_before(&source, &fresh, &fresh, &claims), [Fault::Content]);
}

#[test]
fn another_effective_default_class_is_found() {
    let classes = |first: &str, second: &str| {
        let class = |created: &str| {
            json!({"kind": "StorageClass", "metadata": {"uid": created, "creationTimestamp": created,
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}})
        };
        snapshot(&[
            ("storageclasses.storage.k8s.io", "", "a", class(first)),
            ("storageclasses.storage.k8s.io", "", "b", class(second)),
        ])
    };
    let (early, late) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z");
    let keys = ["a", "b"].map(|name| Key::new("storageclasses.storage.k8s.io", "", name));
    let claims = restored(&keys);
    let source = classes(early, late);
    assert_eq!(faults(&source, &classes(early, late), &claims), []);
    assert_eq!(faults(&source, &classes(late, early), &claims), [Fault::Age]);
    // Of the same age, the first by name is effective.
    assert_eq!(faults(&source, &classes(late, late), &claims), [Fault::Age]);
}

#[test]
fn a_class_that_an_ingress_did_not_have_is_found_although_the_report_lists_it() {
    let ingress = |spec: Value| {
        snapshot(&[(
            "ingresses.networking.k8s.io",
            "shop",
            "web",
            json!({"kind": "Ingress", "metadata": {"uid": "i"}, "spec": spec}),
        )])
    };
    let key = Key::new("ingresses.networking.k8s.io", "shop", "web");
    let mut claims = restored(std::slice::from_ref(&key));
    let changes = &mut claims.restored.get_mut(&key).expect("it was put in").changes;
    changes.push(Change {
        place: Place::parse("/spec/ingressClassName"),
        planned: false,
    });
    let (source, target) = (ingress(json!({})), ingress(json!({"ingressClassName": "alb"})));
    assert_eq!(faults(&source, &target, &claims), [Fault::Content]);
}
